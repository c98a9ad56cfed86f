package loggers

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/tailrace/tailrace/host/recent"
)

// Bounds of what is remembered (I-3, I-4): lines and bytes of one connector, and connectors.
const (
	maxLines      = 1_000
	maxLinesBytes = 512 << 10
	maxConnectors = 1_000
)

// Line is a log line about a connector.
type Line struct {
	Time    time.Time `json:"time"`
	Level   string    `json:"level"`
	Message string    `json:"message"`
	// Task is nil when the line is about the connector.
	Task   *int              `json:"task,omitempty"`
	Logger string            `json:"logger,omitempty"`
	Fields map[string]string `json:"fields,omitempty"`
}

// Tail remembers the last log lines of each connector: of the worker about it, and of its plugin.
// Secrets are masked before a line is logged. Its methods may be called from any goroutine.
type Tail struct {
	mu    sync.Mutex
	rings map[string]*recent.Ring[Line]
}

// NewTail remembers nothing yet.
func NewTail() *Tail { return &Tail{rings: map[string]*recent.Ring[Line]{}} }

// Lines are the lines of a connector; the ring is empty when there were none.
func (t *Tail) Lines(connector string) *recent.Ring[Line] {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.ring(connector)
}

func (t *Tail) ring(connector string) *recent.Ring[Line] {
	r := t.rings[connector]
	if r == nil {
		if len(t.rings) >= maxConnectors {
			t.forgetOldest()
		}
		r = recent.New[Line](maxLines, maxLinesBytes)
		t.rings[connector] = r
	}
	return r
}

func (t *Tail) forgetOldest() {
	var oldest string
	var at time.Time
	for name, r := range t.rings {
		if touched := r.Touched(); oldest == "" || touched.Before(at) {
			oldest, at = name, touched
		}
	}
	delete(t.rings, oldest)
}

// Handler remembers the lines that go to next.
func (t *Tail) Handler(next slog.Handler) slog.Handler { return &tailHandler{tail: t, next: next} }

type tailHandler struct {
	tail  *Tail
	next  slog.Handler
	attrs []slog.Attr // from With, with the group's name before theirs
	group string
}

func (h *tailHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

func (h *tailHandler) Handle(ctx context.Context, r slog.Record) error {
	h.remember(&r)
	if !h.next.Enabled(ctx, r.Level) {
		return nil // who looks on from outside wants more than the terminal shows
	}
	return h.next.Handle(ctx, r)
}

func (h *tailHandler) remember(r *slog.Record) {
	line := Line{Time: r.Time, Level: nameOf(r.Level), Message: r.Message}
	connector, bytes := "", len(r.Message)+100
	note := func(a slog.Attr) {
		value := a.Value.Resolve()
		text := value.String()
		switch {
		case a.Key == connectorAttr:
			connector = text
		case a.Key == loggerAttr:
			line.Logger = text
		case a.Key == "task" && value.Kind() == slog.KindInt64:
			n := int(value.Int64())
			line.Task = &n
		default:
			if line.Fields == nil {
				line.Fields = map[string]string{}
			}
			line.Fields[a.Key] = text
		}
		bytes += len(a.Key) + len(text)
	}
	for _, a := range h.attrs {
		note(a)
	}
	r.Attrs(func(a slog.Attr) bool {
		a.Key = h.group + a.Key
		note(a)
		return true
	})
	if connector == "" {
		return
	}
	if line.Logger == "" {
		line.Logger = sourceOf(r.PC)
	}
	h.tail.Lines(connector).Add(line, bytes)
}

func (h *tailHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	c := *h
	c.next = h.next.WithAttrs(attrs)
	c.attrs = append([]slog.Attr{}, h.attrs...)
	for _, a := range attrs {
		a.Key = h.group + a.Key
		c.attrs = append(c.attrs, a)
	}
	return &c
}

func (h *tailHandler) WithGroup(name string) slog.Handler {
	c := *h
	c.next, c.group = h.next.WithGroup(name), h.group+name+"."
	return &c
}
