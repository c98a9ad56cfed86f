package tracing

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
)

// Source is a batch of a source task on its way to Kafka. A nil one records nothing.
type Source struct {
	t        *Tracer
	ctx      context.Context //nolint:containedctx // it carries the span, not a deadline
	span     trace.Span
	poll     Call
	received time.Time
	header   []byte // for the records; nil when the batch is not recorded
	own      contexts
	sending  time.Time
}

// Source begins a batch that has just been received.
func (t *Tracer) Source(poll Call) *Source {
	if t == nil {
		return nil
	}
	s := &Source{t: t, poll: poll, received: time.Now()}
	s.ctx, s.span = t.span(context.Background(), "send", trace.SpanKindProducer, s.began(), nil)
	if t.propagate && s.span.IsRecording() {
		s.header = []byte(traceparentOf(s.span))
	}
	return s
}

func (s *Source) began() time.Time {
	if s.poll.Began.IsZero() || s.poll.Began.After(s.received) {
		return s.received
	}
	return s.poll.Began
}

// Header is what records of the batch carry as traceparent; nil for none. Nobody may change it.
func (s *Source) Header() []byte {
	if s == nil {
		return nil
	}
	return s.header
}

// Saw takes the traceparent that a record came with. It keeps it.
func (s *Source) Saw(traceparent []byte) {
	if s != nil {
		s.own.see(traceparent, nil)
	}
}

// Converted ends transforms and converters.
func (s *Source) Converted(topics []string, records int) {
	if s == nil {
		return
	}
	now := time.Now()
	_, links := (&contexts{list: s.own.list, more: 1}).begin() // links, also for one
	switch {
	case s.span.IsRecording():
		for _, link := range links {
			s.span.AddLink(link)
		}
	case len(links) > 0: // not by chance; but one of its records may be of a recorded trace
		s.ctx, s.span = s.t.span(context.Background(), "send", trace.SpanKindProducer, s.began(), links)
	}
	if !s.span.IsRecording() {
		return
	}
	s.own.last = nil
	s.span.SetName(title("send", topics))
	s.span.SetAttributes(about(topics, records)...)
	s.t.call(s.ctx, "poll", s.poll)
	s.t.child(s.ctx, "convert", trace.SpanKindInternal, s.received, now)
}

// Sending begins the way to Kafka.
func (s *Source) Sending() {
	if s != nil {
		s.sending = time.Now()
	}
}

// Sent ends the batch: Kafka has answered, and refused so many records.
func (s *Source) Sent(refused int) {
	if s == nil || !s.span.IsRecording() {
		return
	}
	s.t.child(s.ctx, "produce", trace.SpanKindClient, s.sending, time.Now(), attribute.Int("tailrace.refused_records", refused))
	if refused > 0 {
		fail(s.span, "Kafka refused records")
	}
	s.span.End()
}

// GivenUp ends a batch that Kafka does not get.
func (s *Source) GivenUp() {
	if s != nil && s.span.IsRecording() {
		fail(s.span, "the batch was given up")
		s.span.End()
	}
}
