package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tailrace/tailrace/host/config"
	"github.com/tailrace/tailrace/host/kafka"
	"github.com/tailrace/tailrace/host/plugin"
	"github.com/tailrace/tailrace/host/store"
	"github.com/tailrace/tailrace/host/task"
	"github.com/tailrace/tailrace/host/tracing"
)

// Plugins finds a connector class among the installed plugins and says when
// they change; *plugin.Catalogue is one.
type Plugins interface {
	Resolve(ctx context.Context, class, versions string) (plugin.Resolved, error)
	ResolveTransform(ctx context.Context, class, versions string) (plugin.ResolvedTransform, error)
	Subscribe() (<-chan plugin.Event, func())
}

// Processes gives shares of plugin processes; *plugin.Host is one.
type Processes interface {
	Acquire(ctx context.Context, launch plugin.Launch) (*plugin.Instance, error)
}

// Listener hears what happens. Its methods are called from runner goroutines,
// in order for one connector or task; they must not block. Errors are masked.
type Listener interface {
	// ConnectorState: err is set with StateFailed and, as the reason, with StateRestarting.
	ConnectorState(name string, state store.State, err error)
	TaskState(id task.ID, state store.State, err error)
	// TaskConfigs brings the division of work that a connector made, when it
	// starts and whenever it asks to be asked again.
	TaskConfigs(name string, configs []map[string]string)
	// TopicUsed comes at least once for each topic that a task uses.
	TopicUsed(connector, topic string)
}

// Config is what a worker needs.
type Config struct {
	Settings  *config.Worker
	Plugins   Plugins
	Processes Processes
	Offsets   store.OffsetStore
	// OffsetsOf opens the stores of connectors that may have one of their own; nil means Offsets for all.
	OffsetsOf OffsetsOf
	// ExactlyOnce makes source tasks write exactly once; nil means at least once. It needs OffsetsOf.
	ExactlyOnce ExactlyOnce
	Listener    Listener
	Logger      *slog.Logger
	// LogLevel is what a connector's plugin is to log; nil means INFO.
	LogLevel func(connector string) slog.Level
	// Tracing records what batches go through; nil for nothing.
	Tracing *tracing.Provider
}

// Worker runs connectors and tasks. Its methods may be called from any goroutine.
type Worker struct {
	cfg    Config
	epochs atomic.Uint64
	pace   pace
	// topicLimits is what tasks have found out for each other.
	topicLimits kafka.TopicLimits

	mu         sync.Mutex
	closed     bool
	connectors map[string]*connectorRunner
	tasks      map[task.ID]*taskRunner

	connectorStarts, taskStarts starts
	previews                    previews

	watching context.CancelFunc
	watched  chan struct{}
}

// New makes a worker that runs nothing yet and follows the plugins' changes until Close.
func New(cfg Config) *Worker {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.LogLevel == nil {
		cfg.LogLevel = func(string) slog.Level { return slog.LevelInfo }
	}
	w := &Worker{cfg: cfg, pace: newPace(), connectors: make(map[string]*connectorRunner), tasks: make(map[task.ID]*taskRunner), watched: make(chan struct{})}
	ctx, cancel := context.WithCancel(context.Background())
	w.watching = cancel
	events, unsubscribe := cfg.Plugins.Subscribe()
	go func() {
		defer close(w.watched)
		defer unsubscribe()
		w.watchPlugins(ctx, events)
	}()
	return w
}

// watchPlugins restarts, gracefully, what runs on a plugin that was replaced.
// One that was removed goes on as it is.
func (w *Worker) watchPlugins(ctx context.Context, events <-chan plugin.Event) {
	for {
		select {
		case <-ctx.Done():
			return
		case e, ok := <-events:
			if !ok {
				return
			}
			switch e.Kind {
			case plugin.Replaced:
				w.renew(e.Path)
			case plugin.Removed:
				if names := w.runningOn(e.Path); len(names) > 0 {
					w.cfg.Logger.Warn("a plugin was removed from plugin.path while it is in use: its connectors and tasks go on, a restart of them will fail until it is back",
						"plugin", e.Path, "in_use_by", names)
				}
			}
		}
	}
}

func (w *Worker) renew(path string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range w.connectors {
		r.renew(path)
	}
	for _, r := range w.tasks {
		r.renew(path)
	}
}

func (w *Worker) runningOn(path string) (names []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for name, r := range w.connectors {
		if r.pluginPath() == path {
			names = append(names, name)
		}
	}
	for id, r := range w.tasks {
		if r.pluginPath() == path {
			names = append(names, id.String())
		}
	}
	return names
}

// ErrClosed says that the worker is shutting down.
var ErrClosed = errors.New("the worker is shutting down")

// ErrRunning says that what should be started runs already: stop it before.
var ErrRunning = errors.New("it is running already")

// StartConnector starts a connector; what comes of it is told to the Listener.
// With a target state other than STARTED it waits in that state.
func (w *Worker) StartConnector(name string, props map[string]string, target store.TargetState) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.closed:
		return ErrClosed
	case w.connectors[name] != nil:
		return fmt.Errorf("connector %s: %w", name, ErrRunning)
	}
	r := &connectorRunner{runner: w.newRunner(plugin.NoTask, name, props, target), name: name}
	w.connectors[name] = r
	w.connectorStarts.attempts.Add(1)
	go r.run()
	return nil
}

// StartTask starts a task of a connector. taskProps are what the connector gave it.
func (w *Worker) StartTask(id task.ID, connectorProps, taskProps map[string]string, target store.TargetState) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.closed:
		return ErrClosed
	case w.tasks[id] != nil:
		return fmt.Errorf("task %s: %w", id, ErrRunning)
	}
	r := &taskRunner{runner: w.newRunner(id.Task, id.Connector, connectorProps, target), id: id, props: maps.Clone(taskProps)}
	w.tasks[id] = r
	w.taskStarts.attempts.Add(1)
	go r.run()
	return nil
}

// SetTargetState pauses or resumes a connector and its tasks here. STOPPED is
// PAUSED for what still runs; the caller stops the tasks.
func (w *Worker) SetTargetState(connector string, target store.TargetState) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if r := w.connectors[connector]; r != nil {
		r.setTarget(target)
	}
	for id, r := range w.tasks {
		if id.Connector == connector {
			r.setTarget(target)
			r.applyTarget()
		}
	}
}

// StopConnector stops a connector (not its tasks) and waits for it, at most
// until ctx ends. One that does not run is no error.
func (w *Worker) StopConnector(ctx context.Context, name string) error {
	w.mu.Lock()
	r := w.connectors[name]
	w.mu.Unlock()
	if r == nil {
		return nil
	}
	r.stop()
	return w.await(ctx, "connector "+name, r.runner, func() {
		if w.connectors[name] == r {
			delete(w.connectors, name)
		}
	})
}

// StopTasks drains and stops tasks, all at the same time, and waits for them, at
// most until ctx ends and never longer than each task's own deadlines. One
// that does not run is no error.
func (w *Worker) StopTasks(ctx context.Context, ids ...task.ID) error {
	w.mu.Lock()
	stopping := make(map[task.ID]*taskRunner, len(ids))
	for _, id := range ids {
		if r := w.tasks[id]; r != nil {
			stopping[id] = r
		}
	}
	w.mu.Unlock()
	for _, r := range stopping {
		r.stop()
	}
	var errs []error
	for id, r := range stopping {
		errs = append(errs, w.await(ctx, "task "+id.String(), r.runner, func() {
			if w.tasks[id] == r {
				delete(w.tasks, id)
			}
		}))
	}
	return errors.Join(errs...)
}

// await waits for a runner that was told to stop. When ctx ends first the runner
// is cut off: its process share is dropped and nothing more is told of it.
func (w *Worker) await(ctx context.Context, what string, r *runner, remove func()) (err error) {
	select {
	case <-r.done:
	case <-ctx.Done():
		r.cut()
		err = fmt.Errorf("%s did not stop in time and was cut off: %w", what, context.Cause(ctx))
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	remove()
	return err
}

// Snapshot is the account of a task that runs here.
func (w *Worker) Snapshot(id task.ID) (task.Snapshot, bool) {
	w.mu.Lock()
	r := w.tasks[id]
	w.mu.Unlock()
	if r == nil {
		return task.Snapshot{}, false
	}
	return r.snapshot()
}

// Running lists what was started and not stopped, failed ones included.
func (w *Worker) Running() (connectors []string, tasks []task.ID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for name := range w.connectors {
		connectors = append(connectors, name)
	}
	for id := range w.tasks {
		tasks = append(tasks, id)
	}
	return connectors, tasks
}

// Close stops everything: tasks first, then connectors, all within the deadline of ctx.
func (w *Worker) Close(ctx context.Context) error {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.watching()
	<-w.watched
	names, ids := w.Running()
	errs := []error{w.StopTasks(ctx, ids...)}
	var wg sync.WaitGroup
	var mu sync.Mutex
	for _, name := range names {
		wg.Add(1)
		go func() {
			defer wg.Done()
			if err := w.StopConnector(ctx, name); err != nil {
				mu.Lock()
				errs = append(errs, err)
				mu.Unlock()
			}
		}()
	}
	wg.Wait()
	return errors.Join(errs...)
}

// resolveTimeout bounds the wait for a plugin that is being looked at, or copied.
const resolveTimeout = 15 * time.Second
