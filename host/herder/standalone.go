package herder

import (
	"context"
	"log/slog"
	"maps"
	"sync"

	"github.com/tailrace/tailrace/host/config"
	"github.com/tailrace/tailrace/host/store"
	"github.com/tailrace/tailrace/host/worker"
)

// StandaloneConfig is what a Standalone needs.
type StandaloneConfig struct {
	Settings  *config.Worker
	Plugins   Catalogue
	Processes Processes
	// Worker makes the worker that tells its events to the listener.
	Worker   func(worker.Listener) Worker
	Configs  store.ConfigStore
	Statuses store.StatusStore
	Offsets  store.OffsetStore
	// WorkerID is the advertised host:port.
	WorkerID string
	About    About
	Logger   *slog.Logger
}

// Standalone is the Herder of a single worker.
type Standalone struct {
	core
	mu sync.Mutex // makes a look at the configs and the write after it one
}

var _ Herder = (*Standalone)(nil)

// NewStandalone makes a herder that keeps nothing yet.
func NewStandalone(cfg StandaloneConfig) *Standalone {
	s := &Standalone{core: core{
		settings: cfg.Settings, plugins: cfg.Plugins, processes: cfg.Processes,
		configs: cfg.Configs, statuses: cfg.Statuses, offsets: cfg.Offsets,
		workerID: cfg.WorkerID, about: cfg.About, logger: cfg.Logger,
		checks: newChecks(), generation: func() int { return 0 }, held: map[string]bool{},
	}}
	s.crew = newCrew(&s.core, s.look, s.divided, func(name string, _ map[string]string) { s.forget(name) })
	s.worker = cfg.Worker(&listener{&s.core})
	return s
}

// look says what should run of a connector: all of it.
func (s *Standalone) look(name string) (desired, moment) {
	snapshot := s.configs.Snapshot()
	return want(snapshot, name), moment{version: snapshot.Version}
}

// divided stores the tasks that a connector has made, unless they are as before.
func (s *Standalone) divided(name string, from map[string]string, division []map[string]string) {
	c, ok := s.configs.Snapshot().Connectors[name]
	if !ok || c.TargetState != store.TargetStarted || !maps.Equal(from, c.Config) {
		return // made from a configuration that is not in force any more
	}
	kind, _ := s.resolve(c.Config)
	tasks := taskConfigs(division, c.Config, kind.Connector)
	if sameTasks(tasks, c) {
		return
	}
	if err := s.configs.PutTasks(context.Background(), name, tasks); err != nil {
		s.logger.Error("the tasks of a connector could not be stored; restart the connector to try again", "connector", name, "error", err)
	}
}

// Close drains and stops everything, at most until ctx ends.
func (s *Standalone) Close(ctx context.Context) error {
	s.crew.close(ctx)
	err := s.worker.Close(ctx)
	s.checks.close()
	return err
}

// Health implements Herder: what is not ready does not exist yet in a standalone worker.
func (s *Standalone) Health(context.Context) Health {
	return Health{Healthy, "Worker has completed startup and is ready to handle requests."}
}

// Place implements Herder.
func (s *Standalone) Place(Duty, string, int) (string, error) { return "", nil }

// PutTasks implements Herder.
func (s *Standalone) PutTasks(context.Context, string, []map[string]string, []byte, Signature) error {
	return failed(Internal, "Kafka Connect in standalone mode does not support externally setting task configurations.")
}

// Fence implements Herder.
func (s *Standalone) Fence(_ context.Context, _ string, signature Signature) error {
	if signature.Algorithm != "" && signature.Algorithm != "HmacSHA256" {
		return failed(BadRequest, "Algorithm %s not available", signature.Algorithm)
	}
	return failed(Internal, "Kafka Connect in standalone mode does not support exactly-once source connectors.")
}
