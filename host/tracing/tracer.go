package tracing

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// Tracer records the batches of one task. Any goroutine may use it; what it makes belongs to one at a time.
type Tracer struct {
	tracer     trace.Tracer
	propagate  bool
	connector  string
	attributes []attribute.KeyValue
}

// inPlugin marks spans of calls in the plugin, which have the times that the plugin told.
var inPlugin = attribute.String("tailrace.process", "plugin")

// Call is a call in the plugin, by its clock. Began is zero when nothing is known.
type Call struct {
	Began time.Time
	Took  time.Duration
}

// span starts a span that began then.
func (t *Tracer) span(ctx context.Context, name string, kind trace.SpanKind, began time.Time, links []trace.Link, more ...attribute.KeyValue) (context.Context, trace.Span) {
	return t.tracer.Start(ctx, name, trace.WithSpanKind(kind), trace.WithTimestamp(began), trace.WithLinks(links...),
		trace.WithAttributes(t.attributes...), trace.WithAttributes(more...))
}

// child records a part of a batch that is over.
func (t *Tracer) child(ctx context.Context, name string, kind trace.SpanKind, began, ended time.Time, more ...attribute.KeyValue) {
	_, span := t.span(ctx, name, kind, began, nil, more...)
	span.End(trace.WithTimestamp(ended))
}

func (t *Tracer) call(ctx context.Context, name string, c Call) {
	if !c.Began.IsZero() {
		t.child(ctx, name, trace.SpanKindInternal, c.Began, c.Began.Add(c.Took), inPlugin)
	}
}

// title names a span after the topic, when there is one.
func title(operation string, topics []string) string {
	if len(topics) == 1 {
		return operation + " " + topics[0]
	}
	return operation
}

func about(topics []string, records int) []attribute.KeyValue {
	list := []attribute.KeyValue{attribute.Int("messaging.batch.message_count", records)}
	if len(topics) == 1 {
		return append(list, attribute.String("messaging.destination.name", topics[0]))
	}
	return append(list, attribute.StringSlice("tailrace.topics", topics))
}

// fail marks a span. The text of an error could have secrets in it (I-9): the log and the status have that.
func fail(span trace.Span, what string) { span.SetStatus(codes.Error, what) }
