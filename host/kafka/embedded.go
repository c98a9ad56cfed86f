package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kversion"
)

// EmbeddedConfig configures the embedded broker. The zero value is one broker in
// memory on a free port.
type EmbeddedConfig struct {
	// DataDir keeps topics, groups and offsets across restarts; it is created when
	// missing. Empty means memory only.
	DataDir string
	// Port of the first broker; the others follow. 0 takes free ports.
	Port int
	// Brokers is the number of brokers, 0 means 1. They share one process and do
	// not replicate.
	Brokers int
	// DefaultPartitions of automatically created topics, 0 means 1 as in Kafka.
	DefaultPartitions int
	// Configs are broker configs (message.max.bytes …).
	Configs map[string]string
	// Logger receives the broker's warnings; nil discards them.
	Logger *slog.Logger
}

// Embedded is a Kafka broker inside this process, for development and tests. It
// is NOT for production: nothing is replicated, and after a power loss the last
// writes may be missing (the death of the process loses nothing). Any Kafka client
// can use it; the Java tools and a Kafka Connect worker were tried (reference
// components.md section 11).
type Embedded struct {
	cluster *kfake.Cluster
	addr    string
}

// StartEmbedded starts the broker and returns when it accepts connections, on the
// loopback interface only.
func StartEmbedded(cfg EmbeddedConfig) (*Embedded, error) {
	brokers := max(cfg.Brokers, 1)
	opts := []kfake.Opt{
		kfake.NumBrokers(brokers),
		kfake.DefaultNumPartitions(max(cfg.DefaultPartitions, 1)),
		kfake.AllowAutoTopicCreation(),
		kfake.ClusterID("tailrace-embedded"),
		kfake.MaxVersions(embeddedVersions()),
	}
	if cfg.Port != 0 {
		ports := make([]int, brokers)
		for i := range ports {
			ports[i] = cfg.Port + i
		}
		opts = append(opts, kfake.Ports(ports...))
	}
	if len(cfg.Configs) > 0 {
		opts = append(opts, kfake.BrokerConfigs(cfg.Configs))
	}
	if cfg.Logger != nil {
		opts = append(opts, kfake.WithLogger(brokerLogger{cfg.Logger}))
	}
	if cfg.DataDir != "" {
		if err := os.MkdirAll(cfg.DataDir, 0o700); err != nil {
			return nil, &Error{Op: "start embedded broker in", Subject: cfg.DataDir, cause: err, Advice: "choose a data directory that can be written"}
		}
		opts = append(opts, kfake.DataDir(filepath.Clean(cfg.DataDir)))
	}
	cluster, err := kfake.NewCluster(opts...)
	if err != nil {
		return nil, embeddedError(cfg, err)
	}
	return &Embedded{cluster: cluster, addr: strings.Join(cluster.ListenAddrs(), ",")}, nil
}

func embeddedError(cfg EmbeddedConfig, err error) error {
	e := &Error{Op: "start embedded broker", cause: err}
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		e.Advice = fmt.Sprintf("port %d or one of the next is in use: stop the other program or choose another port", cfg.Port)
	case errors.Is(err, syscall.EACCES) && cfg.Port != 0:
		e.Advice = fmt.Sprintf("port %d may not be opened: choose one above 1023", cfg.Port)
	case cfg.DataDir != "":
		e.Advice = fmt.Sprintf("if the data in %s is damaged, move the directory away to start with an empty broker", cfg.DataDir)
	}
	return e
}

// Addr is the value for bootstrap.servers: host:port, separated by commas.
func (e *Embedded) Addr() string { return e.addr }

// Close stops the broker and writes what is needed for a quick restart.
func (e *Embedded) Close() { e.cluster.Close() }

// embeddedVersions is what Kafka 4.1 speaks without three versions that the Java
// clients cannot read as kfake answers them (reference components.md section 11).
func embeddedVersions() *kversion.Versions {
	v := kversion.V4_1_0()
	v.SetMaxKeyVersion(75, -1) // DescribeTopicPartitions: a null list makes the Java admin client fail
	v.SetMaxKeyVersion(19, 4)  // CreateTopics from 5: config source -1 stops a Kafka Connect worker
	v.SetMaxKeyVersion(16, 4)  // ListGroups from 5: kafka-consumer-groups --list prints nothing
	return v
}

type brokerLogger struct{ log *slog.Logger }

func (l brokerLogger) Logf(level kfake.LogLevel, msg string, args ...any) {
	to := slog.LevelDebug
	switch level {
	case kfake.LogLevelError:
		to = slog.LevelError
	case kfake.LogLevelWarn:
		to = slog.LevelWarn
	default:
	}
	if l.log.Enabled(context.Background(), to) {
		l.log.Log(context.Background(), to, "embedded broker: "+fmt.Sprintf(msg, args...))
	}
}
