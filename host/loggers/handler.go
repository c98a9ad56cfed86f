package loggers

import (
	"context"
	"log/slog"
)

// The attributes that say of what a line speaks.
const (
	connectorAttr = "connector"
	loggerAttr    = "logger"
)

// handler lets through what the registry wants.
type handler struct {
	registry *Registry
	next     slog.Handler
	// connector and logger are from With; grouped ends the look for them.
	connector, logger string
	grouped           bool
}

// Handler puts the levels before a handler. What the levels let through is remembered in Tail, also when
// the handler does not want it.
func (r *Registry) Handler(next slog.Handler) slog.Handler {
	return &handler{registry: r, next: r.tail.Handler(next)}
}

// Enabled cannot know the line's own attributes and source yet: Handle looks again.
func (h *handler) Enabled(_ context.Context, level slog.Level) bool {
	t := h.registry.current.Load()
	if level < t.lowest {
		return false
	}
	if h.connector != "" {
		if s, own := t.find(connectorPrefix + h.connector); own {
			return level >= s.level
		}
	}
	return true
}

func (h *handler) Handle(ctx context.Context, line slog.Record) error {
	if !h.wants(&line) {
		return nil
	}
	return h.next.Handle(ctx, line)
}

// wants decides by the most special logger that has a level: the connector's, the one
// that the plugin named, the package that wrote the line, the root.
func (h *handler) wants(line *slog.Record) bool {
	t := h.registry.current.Load()
	if len(t.set) == 1 {
		return line.Level >= t.lowest // only the root has a level
	}
	connector, logger := h.connector, h.logger
	if !h.grouped {
		line.Attrs(func(a slog.Attr) bool {
			take(a, &connector, &logger)
			return true
		})
	}
	if connector != "" {
		if s, own := t.find(connectorPrefix + connector); own {
			return line.Level >= s.level
		}
	}
	if logger == "" {
		logger = sourceOf(line.PC)
	}
	s, _ := t.find(logger)
	return line.Level >= s.level
}

func take(a slog.Attr, connector, logger *string) {
	switch {
	case a.Value.Kind() != slog.KindString:
	case a.Key == connectorAttr:
		*connector = a.Value.String()
	case a.Key == loggerAttr:
		*logger = a.Value.String()
	}
}

func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	c := *h
	c.next = h.next.WithAttrs(attrs)
	if !h.grouped {
		for _, a := range attrs {
			take(a, &c.connector, &c.logger)
		}
	}
	return &c
}

func (h *handler) WithGroup(name string) slog.Handler {
	c := *h
	c.next, c.grouped = h.next.WithGroup(name), true
	return &c
}
