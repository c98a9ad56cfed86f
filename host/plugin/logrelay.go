package plugin

import (
	"context"
	"log/slog"
	"math"
	"slices"
	"time"

	pluginv1 "github.com/tailrace/tailrace/gen/tailrace/plugin/v1"
	"github.com/tailrace/tailrace/host/plugin/process"
)

// Bounds of the log lines that a plugin sends in frames (I-3).
const (
	logLinesPerSecond = 500
	logLinesBurst     = 2_000
	logMessageBytes   = 8 << 10
	logFieldBytes     = 1 << 10
	logFields         = 16
)

// logRelay writes a stream's Logs frames to the worker's log. One goroutine uses it.
type logRelay struct {
	logger   *slog.Logger
	rate     *process.Rate
	dropped  uint64
	lastNote time.Time
}

func newLogRelay(logger *slog.Logger) logRelay {
	return logRelay{logger: logger, rate: process.NewRate(logLinesPerSecond, logLinesBurst)}
}

func (r *logRelay) relay(m *pluginv1.Logs, mask func(string) string) {
	now := time.Now()
	r.dropped += uint64(m.GetDropped())
	for i, line := range m.GetLines() {
		if wait := r.rate.Take(1, now); wait > 0 {
			r.rate.Take(-1, now)
			r.dropped += uint64(len(m.GetLines()) - i)
			break
		}
		r.write(line, mask)
	}
	if r.dropped > 0 && now.Sub(r.lastNote) >= time.Second {
		r.logger.Warn("the plugin logs too much, lines were dropped", "dropped_lines", r.dropped)
		r.dropped, r.lastNote = 0, now
	}
}

func (r *logRelay) write(line *pluginv1.LogLine, mask func(string) string) {
	level := slogLevel(line.GetLevel())
	if !r.logger.Enabled(context.Background(), level) {
		return
	}
	attrs := make([]slog.Attr, 0, min(len(line.GetFields()), logFields)+1)
	if name := line.GetLogger(); name != "" {
		attrs = append(attrs, slog.String("logger", cut(name, 200)))
	}
	keys := make([]string, 0, min(len(line.GetFields()), logFields))
	for key := range line.GetFields() {
		if len(keys) == logFields {
			break
		}
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		attrs = append(attrs, slog.String(cut(key, 100), mask(cut(line.GetFields()[key], logFieldBytes))))
	}
	r.logger.LogAttrs(context.Background(), level, mask(cut(line.GetMessage(), logMessageBytes)), attrs...)
}

func slogLevel(level pluginv1.LogLevel) slog.Level {
	switch level {
	case pluginv1.LogLevel_LOG_LEVEL_TRACE, pluginv1.LogLevel_LOG_LEVEL_DEBUG:
		return slog.LevelDebug
	case pluginv1.LogLevel_LOG_LEVEL_WARN:
		return slog.LevelWarn
	case pluginv1.LogLevel_LOG_LEVEL_ERROR:
		return slog.LevelError
	default:
		return slog.LevelInfo
	}
}

// Metric is one sample of a plugin's own measures. Labels of connector and task are the host's to add.
type Metric struct {
	Name    string // Prometheus style
	Counter bool   // else a gauge
	Value   float64
	Labels  map[string]string
	Help    string
}

// maxMetrics bounds the samples of one frame.
const maxMetrics = 1_000

func readMetrics(m *pluginv1.Metrics) []Metric {
	samples := make([]Metric, 0, min(len(m.GetSamples()), maxMetrics))
	for _, s := range m.GetSamples() {
		if len(samples) == maxMetrics {
			break
		}
		if math.IsNaN(s.GetValue()) || len(s.GetLabels()) > logFields {
			continue
		}
		samples = append(samples, Metric{
			Name: cut(s.GetName(), 200), Counter: s.GetKind() == pluginv1.MetricKind_METRIC_KIND_COUNTER,
			Value: s.GetValue(), Labels: s.GetLabels(), Help: cut(s.GetHelp(), 500),
		})
	}
	return samples
}
