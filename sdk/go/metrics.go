package connect

import (
	"maps"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	pluginv1 "github.com/tailrace/tailrace/gen/tailrace/plugin/v1"
)

const (
	// metricsInterval is how often changed measures go to the worker: the most that the protocol allows.
	metricsInterval = 5 * time.Second
	// maxMetrics bounds the measures of one connector or task.
	maxMetrics = 1000
)

// Metrics are a connector's or task's own measures. The worker shows them beside its
// own, with connector and task as labels. Names are Prometheus style: lower case, digits, underscores.
// Make a measure once and keep it. Safe for concurrent use.
type Metrics struct {
	mu      sync.Mutex
	samples map[string]*Metric
}

// Metric is one measure.
type Metric struct {
	name, help string
	kind       pluginv1.MetricKind
	bits       atomic.Uint64
	told       uint64
	isTold     bool
}

// Counter is a measure that only goes up. The same name gives the same measure.
func (m *Metrics) Counter(name, help string) *Metric {
	return m.metric(name, help, pluginv1.MetricKind_METRIC_KIND_COUNTER)
}

// Gauge is a measure that goes up and down. The same name gives the same measure.
func (m *Metrics) Gauge(name, help string) *Metric {
	return m.metric(name, help, pluginv1.MetricKind_METRIC_KIND_GAUGE)
}

func (m *Metrics) metric(name, help string, kind pluginv1.MetricKind) *Metric {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s := m.samples[name]; s != nil {
		return s
	}
	s := &Metric{name: name, help: help, kind: kind}
	if m.samples == nil {
		m.samples = make(map[string]*Metric)
	}
	if len(m.samples) < maxMetrics { // beyond it a measure works and is not told
		m.samples[name] = s
	}
	return s
}

// Add adds to the measure.
func (s *Metric) Add(v float64) {
	for {
		old := s.bits.Load()
		if s.bits.CompareAndSwap(old, math.Float64bits(math.Float64frombits(old)+v)) {
			return
		}
	}
}

// Set sets the measure.
func (s *Metric) Set(v float64) { s.bits.Store(math.Float64bits(v)) }

// changed are the measures that differ from what was told last; nil for none.
func (m *Metrics) changed() *pluginv1.Metrics {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out *pluginv1.Metrics
	for _, name := range slices.Sorted(maps.Keys(m.samples)) {
		s := m.samples[name]
		bits := s.bits.Load()
		if s.isTold && bits == s.told {
			continue
		}
		s.told, s.isTold = bits, true
		if out == nil {
			out = &pluginv1.Metrics{}
		}
		out.Samples = append(out.Samples, &pluginv1.Metric{Name: s.name, Kind: s.kind, Value: math.Float64frombits(bits), Help: s.help})
	}
	return out
}
