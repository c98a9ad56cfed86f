package tracing

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
)

// Sink is a put of a sink task. A nil one records nothing.
type Sink struct {
	t     *Tracer
	ctx   context.Context //nolint:containedctx // it carries the span, not a deadline
	span  trace.Span
	began time.Time
	seen  contexts
}

// Sink begins a put whose records are about to be converted.
func (t *Tracer) Sink() *Sink {
	if t == nil {
		return nil
	}
	return &Sink{t: t, began: time.Now()}
}

// Headers are those of a record.
type Headers interface {
	Len() int
	At(i int) (name string, value []byte)
}

// See takes the headers of a record, which must not change before Send.
func See[H Headers](s *Sink, h H) {
	if s == nil || !s.t.propagate {
		return
	}
	var parent, state []byte
	for i := range h.Len() {
		switch name, value := h.At(i); name {
		case Traceparent:
			parent = value
		case tracestate:
			state = value
		}
	}
	if parent != nil {
		s.seen.see(parent, state)
	}
}

// Send ends transforms and converters. It returns what the plugin gets as traceparent; empty when the put is not recorded.
func (s *Sink) Send(topics []string, records int) string {
	if s == nil {
		return ""
	}
	ctx, links := s.seen.begin()
	s.ctx, s.span = s.t.span(ctx, title("process", topics), trace.SpanKindConsumer, s.began, links)
	s.seen.last = nil
	if !s.span.IsRecording() {
		return ""
	}
	s.span.SetAttributes(about(topics, records)...)
	if s.seen.more > 0 {
		s.span.SetAttributes(attribute.Int("tailrace.links_left_out", s.seen.more))
	}
	s.t.child(s.ctx, "convert", trace.SpanKindInternal, s.began, time.Now())
	return traceparentOf(s.span)
}

// Recording tells, after Send, whether there is something to end.
func (s *Sink) Recording() bool { return s != nil && s.span != nil && s.span.IsRecording() }

// Accepted ends the put: the plugin has taken the records.
func (s *Sink) Accepted(put Call) {
	s.t.call(s.ctx, "put", put)
	s.span.End()
}

// GivenUp ends a put that the plugin has not taken.
func (s *Sink) GivenUp() {
	fail(s.span, "the plugin did not take the records")
	s.span.End()
}
