package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/tailrace/tailrace/host/config"
	"github.com/tailrace/tailrace/host/plugin"
	"github.com/tailrace/tailrace/host/plugin/process"
	"github.com/tailrace/tailrace/host/store"
	"github.com/tailrace/tailrace/host/task"
)

// runner is what connector and task runners share: the wishes from outside
// (stop, target state, renewal) and the loop of starts.
type runner struct {
	w      *Worker
	logger *slog.Logger
	task   int // plugin.NoTask for a connector
	name   string
	props  map[string]string // the connector's configuration as the user wrote it

	// life ends when the runner is cut off. stopping is closed by stop.
	life     context.Context
	cut      context.CancelFunc
	stopping chan struct{}
	done     chan struct{}
	// poke wakes the runner after a wish changed; it holds one.
	poke chan struct{}

	mu      sync.Mutex
	target  store.TargetState
	path    string   // the plugin in use
	others  []string // the plugins of its transforms
	renewed bool     // the plugin was replaced under the runner
	stopped bool
	clock   stateClock
	parts   Parts
	metrics metricSet
}

func (w *Worker) newRunner(taskNumber int, connector string, props map[string]string, target store.TargetState) *runner {
	life, cut := context.WithCancel(context.Background())
	logger := w.cfg.Logger.With("connector", connector)
	if taskNumber != plugin.NoTask {
		logger = logger.With("task", taskNumber)
	}
	return &runner{
		w: w, logger: logger, task: taskNumber, name: connector, props: maps.Clone(props), target: target,
		life: life, cut: cut, stopping: make(chan struct{}), done: make(chan struct{}), poke: make(chan struct{}, 1),
	}
}

func (r *runner) stop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.stopped {
		r.stopped = true
		close(r.stopping)
	}
	r.wake()
}

func (r *runner) wake() {
	select {
	case r.poke <- struct{}{}:
	default:
	}
}

func (r *runner) setTarget(target store.TargetState) {
	r.mu.Lock()
	r.target = target
	r.mu.Unlock()
	r.wake()
}

func (r *runner) targetState() store.TargetState {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.target
}

// renew marks the runner for a graceful restart when it uses the plugin.
func (r *runner) renew(path string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.path != path && !slices.Contains(r.others, path) || r.stopped {
		return false
	}
	r.renewed = true
	r.wake()
	return true
}

func (r *runner) takeRenewed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	was := r.renewed
	r.renewed = false
	return was
}

func (r *runner) isRenewed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.renewed
}

func (r *runner) isStopping() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stopped
}

func (r *runner) pluginPath() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.path
}

// next is what follows the end of a run.
type next int

const (
	finish  next = iota // it was asked to stop
	again               // start at once: the plugin was replaced, or the target state asks for it
	restart             // start after the back-off: the process died
	fail                // FAILED until a user restarts it
)

// outcome decides what follows the end of a run. Pure.
func outcome(err error, stopping, renewed bool) next {
	var death *plugin.DeathError
	var begin *task.RestartError
	switch {
	case stopping:
		return finish
	case err == nil || renewed:
		return again
	case errors.As(err, &death), errors.As(err, &begin), errors.Is(err, io.ErrUnexpectedEOF):
		return restart
	}
	return fail
}

// loop runs once again and again, as outcome says. once reports whether the run
// got further than any before: a death after progress is not counted as one in a
// row. told hears of RESTARTING and FAILED.
func (r *runner) loop(once func(context.Context) (progress bool, err error), told func(store.State, error)) {
	var history plugin.Restarts
	for {
		started := time.Now()
		progress, err := once(r.life)
		if progress {
			history = plugin.Restarts{}
		}
		var delay time.Duration
		switch outcome(err, r.isStopping() || r.life.Err() != nil, r.takeRenewed()) {
		case finish:
			if err != nil && !errors.Is(err, errStopping) {
				r.logger.Warn("did not stop cleanly", "error", err)
			}
			return
		case again:
			continue
		case fail:
			told(store.StateFailed, err)
			r.awaitStop()
			return
		case restart:
			delay, history = plugin.DefaultBackoff.Next(history, time.Since(started), jitter())
			told(store.StateRestarting, err)
			r.logger.Warn("it ended against its will and is started again", "error", err, "in", delay, "deaths_in_a_row", history.InRow)
		}
		select {
		case <-time.After(delay):
		case <-r.stopping:
			return
		case <-r.life.Done():
			return
		}
	}
}

// jitter spreads the restarts of many connectors.
func jitter() float64 { return rand.Float64() } //nolint:gosec // not a secret

// awaitStop keeps a failed runner in place until somebody stops it.
func (r *runner) awaitStop() {
	select {
	case <-r.stopping:
	case <-r.life.Done():
	}
}

// share is a process with what is known of its connector; resolve gives one without a process.
type share struct {
	*plugin.Instance
	resolved  plugin.Resolved
	connector *config.Connector
	masker    *config.Masker
	started   func() // ends the turn of this start; nil without a process
}

// Release gives the share of the process back.
func (s *share) Release() {
	s.started()
	s.Instance.Release()
}

// resolve finds the plugin of the class and reads the configuration.
func (r *runner) resolve(ctx context.Context) (*share, error) {
	resolveCtx, cancel := context.WithTimeout(ctx, resolveTimeout)
	defer cancel()
	resolved, err := r.w.cfg.Plugins.Resolve(resolveCtx, r.props["connector.class"], r.props["connector.plugin.version"])
	if err != nil {
		return nil, err
	}
	s := &share{resolved: resolved}
	if err := r.read(s); err != nil {
		return nil, err
	}
	return s, nil
}

// read reads the configuration.
func (r *runner) read(s *share) error {
	kind := config.Source
	if s.resolved.Connector.Kind == plugin.Sink {
		kind = config.Sink
	}
	var err error
	if s.connector, err = config.ParseConnector(kind, r.props, r.w.cfg.Settings); err != nil {
		return err
	}
	if err := r.w.supported(s.connector); err != nil {
		return err
	}
	s.masker = s.connector.Masker(r.w.cfg.Settings)
	addPasswords(s.masker, s.resolved.Connector.ConfigKeys, s.connector.Resolution.Props)
	return nil
}

// acquire waits for its turn, resolves the class, reads the configuration and takes a share of the
// plugin's process. The caller releases it, and says when the start is over: share.started.
func (r *runner) acquire(ctx context.Context) (*share, error) {
	started, err := r.w.pace.begin(ctx, r.stopping)
	if err != nil {
		return nil, err
	}
	s, err := r.take(ctx)
	if err != nil {
		started()
		return nil, err
	}
	s.started = started
	return s, nil
}

func (r *runner) take(ctx context.Context) (*share, error) {
	s, err := r.resolve(ctx)
	if err != nil {
		return nil, err
	}
	c, resolved, masker := s.connector, s.resolved, s.masker
	isolation, err := plugin.ParseIsolation(string(c.Process.Isolation))
	if err != nil {
		return nil, err
	}
	instance, err := r.w.cfg.Processes.Acquire(ctx, plugin.Launch{
		Plugin: resolved.Plugin, Connector: r.name, Task: r.task, Isolation: isolation,
		Limits: limits(c.Process), Env: c.Process.Env, Mask: masker.Text,
	})
	if err != nil {
		return nil, masker.Error(err)
	}
	r.mu.Lock()
	r.path, r.others = resolved.Plugin.Path, nil
	r.parts = partsOf(c, resolved)
	r.mu.Unlock()
	s.Instance = instance
	return s, nil
}

func limits(p config.Process) process.Limits {
	return process.Limits{MemoryBytes: p.MemoryLimitBytes, CPUs: float64(p.CPULimitMillis) / 1000}
}

// addPasswords lets the masker hide the values of the plugin's own PASSWORD keys (I-9).
func addPasswords(m *config.Masker, keys []plugin.ConfigKey, props map[string]string) {
	for _, k := range keys {
		if k.Type == "PASSWORD" && props[k.Name] != "" {
			m.AddSecrets(props[k.Name])
		}
	}
}

// failure names the connector or task in an error, with its secrets hidden.
func (s *share) failure(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, s.masker.Error(err))
}
