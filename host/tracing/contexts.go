package tracing

import (
	"bytes"
	"context"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// The headers of W3C Trace Context, as records carry them.
const (
	Traceparent = "traceparent"
	tracestate  = "tracestate"
)

// maxContexts bounds the traces that one batch is linked to (I-4).
const maxContexts = 32

// contexts are the traces that the records of a batch belong to. Records of one batch of a source follow each other, so
// the last one is compared before anything else.
type contexts struct {
	last []byte
	list []trace.SpanContext
	more int // that did not fit
}

// see takes a record's header. value stays the caller's and must not change while the batch is filled.
func (c *contexts) see(value, state []byte) {
	if bytes.Equal(value, c.last) {
		return
	}
	c.last = value
	carrier := propagation.MapCarrier{Traceparent: string(value)}
	if len(state) > 0 {
		carrier[tracestate] = string(state)
	}
	one := trace.SpanContextFromContext(propagation.TraceContext{}.Extract(context.Background(), carrier))
	if !one.IsValid() {
		return
	}
	for _, known := range c.list {
		if known.TraceID() == one.TraceID() && known.SpanID() == one.SpanID() {
			return
		}
	}
	if len(c.list) == maxContexts {
		c.more++
		return
	}
	c.list = append(c.list, one)
}

// begin is where the batch's span hangs: below the one trace that its records are of, or beside several.
func (c *contexts) begin() (context.Context, []trace.Link) {
	if len(c.list) == 1 && c.more == 0 {
		return trace.ContextWithRemoteSpanContext(context.Background(), c.list[0]), nil
	}
	links := make([]trace.Link, len(c.list))
	for i, one := range c.list {
		links[i] = trace.Link{SpanContext: one}
	}
	return context.Background(), links
}

// traceparent writes a span's context.
func traceparentOf(span trace.Span) string {
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(trace.ContextWithSpan(context.Background(), span), carrier)
	return carrier[Traceparent]
}
