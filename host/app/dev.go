package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"syscall"

	"github.com/tailrace/tailrace/host/cli"
	"github.com/tailrace/tailrace/host/config"
	"github.com/tailrace/tailrace/host/kafka"
)

// dev is `tailrace dev`: a standalone worker with an embedded broker.
func (a *app) dev(ctx context.Context, o cli.Dev) error {
	logger, levels := newLogger(o.Logging, os.Stderr)
	data, err := dataDir(o.Data)
	if err != nil {
		return err
	}
	bootstrap := o.Kafka
	if bootstrap == "" {
		broker, err := startBroker(data, o, logger)
		if err != nil {
			return err
		}
		defer broker.Close()
		bootstrap = broker.Addr()
	}
	plugins, err := pluginDir(o.Plugins)
	if err != nil {
		return err
	}
	listener, err := devListener(ctx, o)
	if err != nil {
		return err
	}
	settings, warnings, err := config.ParseWorker(config.Dev, map[string]string{
		"bootstrap.servers": bootstrap, "listeners": "http://" + listener, "plugin.path": plugins,
		"offset.storage.file.filename": filepath.Join(data, "offsets"),
	})
	if err != nil {
		return err
	}
	for _, w := range warnings {
		logger.Warn(w.String())
	}
	return a.run(ctx, plan{settings: settings, logger: logger, levels: levels, ready: func(r cli.Ready) {
		r.Kafka, r.EmbeddedKafka, r.Data, r.Plugins = bootstrap, o.Kafka == "", data, plugins
		if o.Ready != nil {
			o.Ready(r)
		}
	}})
}

func dataDir(dir string) (string, error) {
	if dir == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("--data: %w; name a folder for the data", err)
		}
		dir = filepath.Join(home, ".local", "state", "tailrace")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("--data: %w; name a folder that can be written", err)
	}
	return dir, nil
}

// pluginDir is the folder beside the program unless one is named.
func pluginDir(dir string) (string, error) {
	if dir == "" {
		self, err := os.Executable()
		if err != nil {
			return "", fmt.Errorf("--plugins: %w; name the folder of the plugins", err)
		}
		dir = filepath.Join(filepath.Dir(self), "plugins")
	}
	info, err := os.Stat(dir)
	switch {
	case err != nil:
		return "", fmt.Errorf("--plugins: %w; name the folder of the plugins, or build them with `make build`", err)
	case !info.IsDir():
		return "", fmt.Errorf("--plugins: %s is no folder", dir)
	}
	return dir, nil
}

func startBroker(data string, o cli.Dev, logger *slog.Logger) (*kafka.Embedded, error) {
	cfg := kafka.EmbeddedConfig{DataDir: filepath.Join(data, "kafka"), Port: o.KafkaPort, Logger: logger}
	broker, err := kafka.StartEmbedded(cfg)
	if errors.Is(err, syscall.EADDRINUSE) && !o.KafkaPortGiven {
		cfg.Port = 0
		broker, err = kafka.StartEmbedded(cfg)
	}
	return broker, err
}

// devListener is the address of the REST API: the usual port, or a free one when that is taken and nobody asked for it.
func devListener(ctx context.Context, o cli.Dev) (string, error) {
	host, port, err := net.SplitHostPort(o.REST)
	if err != nil {
		return "", fmt.Errorf("--rest: %w; give host:port or :port", err)
	}
	if o.RESTGiven {
		return o.REST, nil
	}
	probe, err := (&net.ListenConfig{}).Listen(ctx, "tcp", o.REST)
	if errors.Is(err, syscall.EADDRINUSE) {
		return net.JoinHostPort(host, "0"), nil
	}
	if err == nil {
		_ = probe.Close()
	}
	return net.JoinHostPort(host, port), nil
}
