// Package tracing records what batches go through as OpenTelemetry spans, and sends them by OTLP.
//
// The unit is the batch, never the record: a batch of a source is one span with children for the poll in the plugin, for
// transforms and converters, and for Kafka; a put of a sink is one with children for transforms and converters, and for
// the call in the plugin. Records carry the context on in their header traceparent (W3C Trace Context): records of a
// sampled batch get it unless they have one of their own, and the put that takes them continues that trace. Why so:
// docs/adr/0070-traces.md. For users: docs/operate.md.
//
// Everything is set by the standard variables OTEL_*. Without them there is no [Provider], every [Tracer] is nil, and so
// is what it makes: their methods do nothing then, and cost a comparison.
//
// Invariants:
//   - I-3, I-4: spans wait for the receiver in a queue with a bound; one that does not fit is dropped. Nothing waits for it.
//   - I-9: a span has names, numbers and times; no text of an error, no part of a record.
//
// Neighbours: host/task calls it, host/worker gives tracers to tasks, host/app starts it. It knows nothing of the host.
package tracing
