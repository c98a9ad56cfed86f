package worker

import (
	"cmp"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/tailrace/tailrace/host/config"
	"github.com/tailrace/tailrace/host/plugin"
	"github.com/tailrace/tailrace/host/store"
	"github.com/tailrace/tailrace/host/task"
)

// Report is what runs on this worker, and how it went.
type Report struct {
	Connectors                  []ConnectorReport // by name
	Tasks                       []TaskReport      // by connector and number
	ConnectorStarts, TaskStarts Starts
}

// Starts count what was started here. A start is over when it runs or is paused for the
// first time, or has failed.
type Starts struct {
	Attempts, Successes, Failures uint64
}

// ConnectorReport is one connector.
type ConnectorReport struct {
	Name  string
	State store.State // empty until there is one
	Since time.Time   // of the state
	Parts
	Metrics []plugin.Metric // the plugin's own, secrets hidden
}

// TaskReport is one task.
type TaskReport struct {
	ID    task.ID
	State store.State
	Since time.Time
	// RunningRatio and PausedRatio are the parts of its life that it spent so, from 0 to 1.
	RunningRatio, PausedRatio float64
	Parts
	Snapshot task.Snapshot
	Metrics  []plugin.Metric
}

// Parts are what a connector or task is made of. They are empty until its plugin was found.
type Parts struct {
	Kind plugin.Kind
	// Class is the plugin's name of the connector.
	Class, Version                                string
	KeyConverter, ValueConverter, HeaderConverter string
	Transforms, Predicates                        []Part
	CreditBytes                                   int64
}

// Part is a transform or predicate of a connector.
type Part struct{ Alias, Class string }

func partsOf(c *config.Connector, resolved plugin.Resolved) Parts {
	p := Parts{
		Kind: resolved.Connector.Kind, Class: resolved.Connector.Name, Version: resolved.Connector.Version,
		KeyConverter: fullClass(c.KeyConverter.Class), ValueConverter: fullClass(c.ValueConverter.Class),
		HeaderConverter: fullClass(c.HeaderConverter.Class), CreditBytes: c.TaskCreditBytes,
	}
	for _, t := range c.Transforms {
		p.Transforms = append(p.Transforms, Part{t.Alias, t.Class})
	}
	for _, q := range c.Predicates {
		p.Predicates = append(p.Predicates, Part{q.Alias, q.Class})
	}
	slices.SortFunc(p.Predicates, func(a, b Part) int { return strings.Compare(a.Alias, b.Alias) })
	return p
}

// Report looks at everything that was started here and not stopped.
func (w *Worker) Report() Report {
	w.mu.Lock()
	connectors := make([]*connectorRunner, 0, len(w.connectors))
	for _, r := range w.connectors {
		connectors = append(connectors, r)
	}
	tasks := make([]*taskRunner, 0, len(w.tasks))
	for _, r := range w.tasks {
		tasks = append(tasks, r)
	}
	w.mu.Unlock()
	now := time.Now()
	out := Report{ConnectorStarts: w.connectorStarts.load(), TaskStarts: w.taskStarts.load()}
	for _, r := range connectors {
		out.Connectors = append(out.Connectors, r.report())
	}
	for _, r := range tasks {
		out.Tasks = append(out.Tasks, r.report(now))
	}
	slices.SortFunc(out.Connectors, func(a, b ConnectorReport) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(out.Tasks, func(a, b TaskReport) int {
		return cmp.Or(strings.Compare(a.ID.Connector, b.ID.Connector), cmp.Compare(a.ID.Task, b.ID.Task))
	})
	return out
}

func (r *connectorRunner) report() ConnectorReport {
	r.mu.Lock()
	defer r.mu.Unlock()
	return ConnectorReport{Name: r.name, State: r.clock.state, Since: r.clock.since, Parts: r.parts, Metrics: r.metrics.list()}
}

func (r *taskRunner) report(now time.Time) TaskReport {
	snap, _ := r.snapshot()
	r.mu.Lock()
	defer r.mu.Unlock()
	return TaskReport{
		ID: r.id, State: r.clock.state, Since: r.clock.since, Parts: r.parts, Snapshot: snap, Metrics: r.metrics.list(),
		RunningRatio: r.clock.ratio(store.StateRunning, now), PausedRatio: r.clock.ratio(store.StatePaused, now),
	}
}

// starts are the counters behind Starts.
type starts struct{ attempts, successes, failures atomic.Uint64 }

func (s *starts) load() Starts {
	return Starts{s.attempts.Load(), s.successes.Load(), s.failures.Load()}
}

// entered notes a state that is told; count hears how the start ended.
func (r *runner) entered(state store.State, count *starts) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch r.clock.enter(state, time.Now()) {
	case startSucceeded:
		count.successes.Add(1)
	case startFailed:
		count.failures.Add(1)
	}
}

// measured keeps the plugin's own measures; mask hides secrets in them (I-9).
func (r *runner) measured(samples []plugin.Metric, mask func(string) string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.metrics.take(samples, mask)
}

// startEnd is how a start ended, if it did just now.
type startEnd int

const (
	startGoesOn startEnd = iota
	startSucceeded
	startFailed
)

// stateClock knows how long a runner was in each state.
type stateClock struct {
	state        store.State
	began, since time.Time
	spent        map[store.State]time.Duration
	settled      bool // the start is over
}

// enter begins a state; the same one again changes nothing.
func (c *stateClock) enter(state store.State, now time.Time) startEnd {
	if c.began.IsZero() {
		c.began, c.since, c.spent = now, now, map[store.State]time.Duration{}
	}
	if state != c.state {
		c.spent[c.state] += now.Sub(c.since)
		c.state, c.since = state, now
	}
	if c.settled {
		return startGoesOn
	}
	switch state {
	case store.StateRunning, store.StatePaused, store.StateStopped:
		c.settled = true
		return startSucceeded
	case store.StateFailed:
		c.settled = true
		return startFailed
	}
	return startGoesOn
}

func (c *stateClock) ratio(state store.State, now time.Time) float64 {
	life := now.Sub(c.began)
	if c.began.IsZero() || life <= 0 {
		return 0
	}
	spent := c.spent[state]
	if c.state == state {
		spent += now.Sub(c.since)
	}
	return float64(spent) / float64(life)
}

// maxPluginMetrics bounds the measures of one connector or task (I-3).
const maxPluginMetrics = 1_000

// metricSet is the last value of each measure of a plugin.
type metricSet struct {
	byKey map[string]int
	last  []plugin.Metric
}

func (s *metricSet) take(samples []plugin.Metric, mask func(string) string) {
	if s.byKey == nil {
		s.byKey = map[string]int{}
	}
	for _, m := range samples {
		labels := make(map[string]string, len(m.Labels))
		names := make([]string, 0, len(m.Labels))
		for name, value := range m.Labels {
			labels[name] = mask(value)
			names = append(names, name)
		}
		slices.Sort(names)
		key := m.Name
		for _, name := range names {
			key += "\x00" + name + "\x00" + labels[name]
		}
		m.Labels = labels
		at, known := s.byKey[key]
		switch {
		case known:
			s.last[at] = m
		case len(s.last) < maxPluginMetrics:
			s.byKey[key] = len(s.last)
			s.last = append(s.last, m)
		}
	}
}

func (s *metricSet) list() []plugin.Metric { return slices.Clone(s.last) }
