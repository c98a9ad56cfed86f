package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/tailrace/tailrace/host/cli"
	"github.com/tailrace/tailrace/host/config"
	"github.com/tailrace/tailrace/host/convert"
	"github.com/tailrace/tailrace/host/herder"
	"github.com/tailrace/tailrace/host/kafka"
	"github.com/tailrace/tailrace/host/loggers"
	"github.com/tailrace/tailrace/host/metrics"
	"github.com/tailrace/tailrace/host/observe"
	"github.com/tailrace/tailrace/host/plugin"
	"github.com/tailrace/tailrace/host/rest"
	"github.com/tailrace/tailrace/host/store"
	"github.com/tailrace/tailrace/host/tlsconfig"
	"github.com/tailrace/tailrace/host/tracing"
	"github.com/tailrace/tailrace/host/worker"
)

const (
	// brokerTimeout is how long a worker waits for its broker when it starts.
	brokerTimeout = 30 * time.Second
	// restStopTimeout is what requests that are under way get at the end.
	restStopTimeout = 5 * time.Second
	// stopGrace is added to the tasks' own deadline at the end.
	stopGrace = 15 * time.Second
)

// parts are what a worker consists of, in the order in which they were started.
// close undoes them from the last to the first.
type parts struct {
	settings *config.Worker
	version  string
	logger   *slog.Logger
	levels   *loggers.Registry

	listeners []rest.Listener // of the REST API
	admin     []rest.Listener // of its admin part; nil when that is on listeners
	// identity is what https listeners show and other workers are asked with; nil without https.
	identity   *tlsconfig.Identity
	advertised *url.URL // where other workers reach this one
	security   rest.Security
	processes  *plugin.Host
	worker     *worker.Worker
	events     *observe.Events
	tracing    *tracing.Provider
	stopping   context.Context //nolint:containedctx // the signal that ends run
	herder     herder.Herder
	// load makes the connector of a file; nil in a cluster, which keeps its connectors itself.
	load func(context.Context, config.ConnectorFile) error
	// peers and setClusterLevel reach the other workers of a cluster; nil in a standalone worker.
	peers           *rest.Peers
	setClusterLevel rest.ClusterLevel
	// membership is the place in a cluster; nil in a standalone worker.
	membership func() metrics.Membership
	undo       []func(context.Context) error
}

func (p *parts) onClose(f func(context.Context) error) { p.undo = append(p.undo, f) }

// close ends everything, at most until ctx ends.
func (p *parts) close(ctx context.Context) error {
	var errs []error
	for i := len(p.undo) - 1; i >= 0; i-- {
		errs = append(errs, p.undo[i](ctx))
	}
	return errors.Join(errs...)
}

// plan says what run runs.
type plan struct {
	settings *config.Worker
	// file is where the settings come from, empty for the command line.
	file       string
	connectors []connectorFile
	logger     *slog.Logger
	levels     *loggers.Registry
	ready      func(cli.Ready) // may be nil
}

// run starts a worker, says that it is ready, waits until ctx ends, and stops it.
func (a *app) run(ctx context.Context, r plan) error {
	settings, logger := r.settings, r.logger
	p := &parts{settings: settings, version: a.version, logger: logger, levels: r.levels, events: observe.NewEvents(), stopping: ctx}
	defer func() {
		stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settings.TaskShutdownTimeout+stopGrace)
		defer cancel()
		if stopErr := p.close(stopCtx); stopErr != nil {
			logger.Error("the worker did not stop cleanly", "error", stopErr)
		}
	}()
	if err := p.start(ctx); err != nil {
		switch {
		case ctx.Err() != nil:
			return nil // it was stopped while it started
		case r.file != "":
			return fmt.Errorf("%s: %w", r.file, err)
		}
		return err
	}
	for _, c := range r.connectors {
		if err := p.load(ctx, c.ConnectorFile); err != nil {
			return fmt.Errorf("%s: %w", c.path, err)
		}
	}
	info := cli.Ready{}
	for i, l := range p.listeners {
		info.URLs = append(info.URLs, settings.REST.Listeners[i].Scheme+"://"+l.Addr().String())
	}
	logger.Info("ready", "rest", strings.Join(info.URLs, ","), "version", a.version, "pid", os.Getpid())
	if r.ready != nil {
		r.ready(info)
	}
	<-ctx.Done()
	logger.Info("stopping: tasks drain; once more ends the process at once")
	return nil
}

// start brings the parts up in order.
func (p *parts) start(ctx context.Context) error {
	if err := checkConverters(p.settings); err != nil {
		return err
	}
	if p.settings.Mode == config.Distributed {
		return p.startDistributed(ctx)
	}
	offsets, err := store.OpenFileOffsetStore(p.settings.OffsetStorageFile)
	if err != nil {
		return fmt.Errorf("offset.storage.file.filename: %w", err)
	}
	p.onClose(func(context.Context) error { return offsets.Close() })
	b, err := p.startBase(ctx)
	if err != nil {
		return err
	}
	h := herder.NewStandalone(herder.StandaloneConfig{ //nolint:contextcheck // lives until close
		Settings: p.settings, Plugins: b.catalogue, Processes: b.host,
		Worker:  func(l worker.Listener) herder.Worker { return p.newWorker(b, offsets, nil)(l, nil) }, //nolint:contextcheck // lives until close
		Configs: store.NewMemoryConfigStore(), Statuses: store.NewMemoryStatusStore(), Offsets: offsets,
		WorkerID: p.advertised.Host, Logger: p.logger, About: b.about,
	})
	p.herder, p.load = h, h.Load
	p.onClose(h.Close)
	p.serve()
	return nil
}

// base is what every worker stands on.
type base struct {
	host      *plugin.Host
	catalogue *plugin.Catalogue
	about     herder.About
}

// startBase takes the addresses, looks at the plugins and finds the broker.
func (p *parts) startBase(ctx context.Context) (base, error) {
	if err := p.listen(ctx); err != nil {
		return base{}, err
	}
	if err := p.secure(); err != nil {
		return base{}, err
	}
	traces, err := tracing.Open(ctx, tracing.Options{Getenv: os.Getenv, Version: p.version, WorkerID: p.advertised.Host, Logger: p.logger})
	if err != nil {
		return base{}, err
	}
	p.tracing = traces
	p.onClose(p.tracing.Close)
	host, catalogue, err := openPlugins(p.settings.PluginPath, p.version, p.logger, p.events) //nolint:contextcheck // lives until close
	if err != nil {
		return base{}, err
	}
	p.processes = host
	p.onClose(func(context.Context) error { catalogue.Close(); return host.Close() })
	clusterID, err := p.findBroker(ctx)
	if err != nil {
		return base{}, err
	}
	return base{host, catalogue, herder.About{Version: herder.CompatibleVersion, Commit: p.version, KafkaClusterID: clusterID}}, nil
}

// newWorker makes what runs connectors and tasks. of is nil where all connectors have the same offsets; what it makes takes
// nil where source tasks do not write exactly once.
func (p *parts) newWorker(b base, offsets store.OffsetStore, of worker.OffsetsOf) func(worker.Listener, worker.ExactlyOnce) herder.Worker {
	return func(l worker.Listener, exactlyOnce worker.ExactlyOnce) herder.Worker {
		w := worker.New(worker.Config{
			Settings: p.settings, Plugins: b.catalogue, Processes: b.host, Offsets: offsets, OffsetsOf: of, ExactlyOnce: exactlyOnce, Listener: p.events.Listener(l), Logger: p.logger,
			LogLevel: p.levels.ConnectorLevel, Tracing: p.tracing,
		})
		p.levels.OnChange(w.ApplyLogLevels)
		p.worker = w
		return w
	}
}

// checkConverters finds out at the start what would otherwise fail every task.
func checkConverters(w *config.Worker) error {
	for _, c := range []config.Converter{w.KeyConverter, w.ValueConverter} {
		if _, err := convert.New(c.Class, c.Config, c.Role == config.KeyRole); err != nil {
			return fmt.Errorf("%s.converter: %w; use one of: %s", c.Role, err, strings.Join(convert.Names(), ", "))
		}
	}
	if _, err := convert.NewHeader(w.HeaderConverter.Class, w.HeaderConverter.Config); err != nil {
		return fmt.Errorf("header.converter: %w", err)
	}
	return nil
}

// openPlugins starts the plugin host and looks at plugin.path. events hears of both.
func openPlugins(paths []string, version string, logger *slog.Logger, events *observe.Events) (*plugin.Host, *plugin.Catalogue, error) {
	host, err := plugin.NewHost(plugin.HostOptions{Logger: logger, Version: version, Notify: events.Process})
	if err != nil {
		return nil, nil, err
	}
	catalogue := plugin.OpenCatalogue(plugin.CatalogueOptions{
		Paths: paths, CacheFile: cacheFile(), Describe: host.Describe, Version: version, Logger: logger,
	})
	changes, _ := catalogue.Subscribe() // until the catalogue is closed
	go events.Watch(changes)
	return host, catalogue, nil
}

// cacheFile is where descriptions of plugins are kept; without a home there is no cache.
func cacheFile() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	dir = filepath.Join(dir, "tailrace")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return ""
	}
	return filepath.Join(dir, "plugins.json")
}

// findBroker waits for the broker and returns the id of its cluster.
func (p *parts) findBroker(ctx context.Context) (string, error) {
	servers := strings.Join(p.settings.BootstrapServers, ",")
	cfg, warnings, err := kafka.ParseClientConfig(kafka.AdminClient, p.settings.ClientProps(p.settings.ClientID))
	if err != nil {
		return "", err
	}
	for _, w := range warnings {
		p.logger.Warn(w)
	}
	admin, err := kafka.NewAdmin(cfg)
	if err != nil {
		return "", fmt.Errorf("bootstrap.servers: %w", err)
	}
	defer admin.Close()
	ctx, cancel := context.WithTimeout(ctx, brokerTimeout)
	defer cancel()
	waiting := time.AfterFunc(time.Second, func() {
		p.logger.Warn("waiting for a broker", "bootstrap_servers", servers, "at_most", brokerTimeout)
	})
	defer waiting.Stop()
	if err := admin.WaitReady(ctx); err != nil {
		return "", fmt.Errorf("bootstrap.servers: no broker at %s answers: %w; check the address, and that the broker runs", servers, err)
	}
	id, err := admin.ClusterID(ctx)
	if err != nil {
		return "", fmt.Errorf("bootstrap.servers: the id of the cluster at %s cannot be read: %w", servers, err)
	}
	return id, nil
}
