package connect

import (
	"context"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"

	pluginv1 "github.com/tailrace/tailrace/gen/tailrace/plugin/v1"
)

// Bounds of the log lines that wait for the worker to read them.
const (
	maxLogLines       = 1000
	maxLogLineBytes   = 8 << 10
	maxLogFrameBytes  = 256 << 10
	logLevelTrace     = slog.LevelDebug - 4
	logLevelOff       = slog.LevelError + 1000
	estimatedLogField = 32
)

// logBuffer keeps the lines of one stream until its writer sends them. Any goroutine may add.
type logBuffer struct {
	level slog.LevelVar
	wake  chan struct{}
	local slog.Handler // set when the worker takes no Logs frames

	mu      sync.Mutex
	lines   []*pluginv1.LogLine
	dropped uint32
}

// newLogBuffer makes the log of a stream. attrs name it in lines that go to standard error.
func newLogBuffer(hostTakesLogs bool, level pluginv1.LogLevel, attrs ...slog.Attr) *logBuffer {
	b := &logBuffer{wake: make(chan struct{}, 1)}
	b.setLevel(level)
	if !hostTakesLogs {
		b.local = slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: &b.level}).WithAttrs(attrs)
	}
	return b
}

func (b *logBuffer) logger() *slog.Logger {
	if b.local != nil {
		return slog.New(b.local)
	}
	return slog.New(&logHandler{buffer: b})
}

func (b *logBuffer) setLevel(l pluginv1.LogLevel) {
	switch l {
	case pluginv1.LogLevel_LOG_LEVEL_TRACE:
		b.level.Set(logLevelTrace)
	case pluginv1.LogLevel_LOG_LEVEL_DEBUG:
		b.level.Set(slog.LevelDebug)
	case pluginv1.LogLevel_LOG_LEVEL_WARN:
		b.level.Set(slog.LevelWarn)
	case pluginv1.LogLevel_LOG_LEVEL_ERROR:
		b.level.Set(slog.LevelError)
	case pluginv1.LogLevel_LOG_LEVEL_OFF:
		b.level.Set(logLevelOff)
	default:
		b.level.Set(slog.LevelInfo)
	}
}

// add keeps a line, or counts it as dropped when the worker reads too slowly: logging never
// holds user code up.
func (b *logBuffer) add(line *pluginv1.LogLine) {
	b.mu.Lock()
	if len(b.lines) >= maxLogLines {
		b.dropped++
	} else {
		b.lines = append(b.lines, line)
	}
	b.mu.Unlock()
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// take removes what fits a frame; nil when there is nothing.
func (b *logBuffer) take() *pluginv1.Logs {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.lines) == 0 && b.dropped == 0 {
		return nil
	}
	n, size := 0, 0
	for n < len(b.lines) && size < maxLogFrameBytes {
		size += b.lines[n].SizeVT()
		n++
	}
	out := &pluginv1.Logs{Lines: slices.Clone(b.lines[:n]), Dropped: b.dropped}
	b.lines, b.dropped = slices.Delete(b.lines, 0, n), 0
	return out
}

// logHandler is the slog.Handler over a logBuffer.
type logHandler struct {
	buffer *logBuffer
	fields []logField
	prefix string // of open groups
}

type logField struct{ key, value string }

func (h *logHandler) Enabled(_ context.Context, l slog.Level) bool {
	return l >= h.buffer.level.Level()
}

func (h *logHandler) Handle(_ context.Context, r slog.Record) error {
	line := &pluginv1.LogLine{
		TimestampMs: r.Time.UnixMilli(), Level: protoLevel(r.Level), Message: cut(r.Message, maxLogLineBytes),
	}
	fields := slices.Clone(h.fields)
	r.Attrs(func(a slog.Attr) bool {
		fields = appendField(fields, h.prefix, a)
		return true
	})
	if len(fields) > 0 {
		line.Fields = make(map[string]string, len(fields))
		left := maxLogLineBytes
		for _, f := range fields {
			if left -= len(f.key) + len(f.value) + estimatedLogField; left < 0 {
				line.Fields["truncated"] = "true"
				break
			}
			line.Fields[f.key] = f.value
		}
	}
	h.buffer.add(line)
	return nil
}

func (h *logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	out := *h
	out.fields = slices.Clone(h.fields)
	for _, a := range attrs {
		out.fields = appendField(out.fields, h.prefix, a)
	}
	return &out
}

func (h *logHandler) WithGroup(name string) slog.Handler {
	out := *h
	if name != "" {
		out.prefix += name + "."
	}
	return &out
}

func appendField(fields []logField, prefix string, a slog.Attr) []logField {
	v := a.Value.Resolve()
	if v.Kind() == slog.KindGroup {
		if a.Key != "" {
			prefix += a.Key + "."
		}
		for _, inner := range v.Group() {
			fields = appendField(fields, prefix, inner)
		}
		return fields
	}
	if a.Equal(slog.Attr{}) {
		return fields
	}
	return append(fields, logField{cut(prefix+a.Key, maxLogLineBytes), cut(v.String(), maxLogLineBytes)})
}

func protoLevel(l slog.Level) pluginv1.LogLevel {
	switch {
	case l < slog.LevelDebug:
		return pluginv1.LogLevel_LOG_LEVEL_TRACE
	case l < slog.LevelInfo:
		return pluginv1.LogLevel_LOG_LEVEL_DEBUG
	case l < slog.LevelWarn:
		return pluginv1.LogLevel_LOG_LEVEL_INFO
	case l < slog.LevelError:
		return pluginv1.LogLevel_LOG_LEVEL_WARN
	}
	return pluginv1.LogLevel_LOG_LEVEL_ERROR
}

// taskAttrs name a task in lines that the worker does not label itself.
func taskAttrs(connector string, task uint32) []slog.Attr {
	return []slog.Attr{slog.String("connector", connector), slog.String("task", strconv.FormatUint(uint64(task), 10))}
}

func transformAttrs(connector, alias string) []slog.Attr {
	return []slog.Attr{slog.String("connector", connector), slog.String("transform", alias)}
}

// counter is an atomic maximum.
type counter struct{ v atomic.Uint64 }

// raise sets the counter to n if that is more; it reports whether it was.
func (c *counter) raise(n uint64) bool {
	for {
		old := c.v.Load()
		if n <= old {
			return false
		}
		if c.v.CompareAndSwap(old, n) {
			return true
		}
	}
}
