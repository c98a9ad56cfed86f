// Package plugin is the host's side of the border to connectors: it finds plugin programs, starts and supervises them,
// and talks to them in Go types.
//
//   - Catalogue: what is on plugin.path, described without running what is not used, watched while the worker runs.
//   - Host: starts one process per connector (or task, or plugin, see Isolation) and hands out Instances of it.
//   - Instance: one running process with its typed client: Describe, Validate, and the streams ConnectorStream,
//     SourceStream, SinkStream.
//   - Backoff: when to start again what died, as a pure function. Who restarts is the worker.
//
// Invariants:
//   - I-3: every call has a deadline; frames are checked before they are handed on; a plugin that breaks the rules
//     ends its own stream or process with an error that says which rule.
//   - I-4: a source batch beyond the granted credit ends the stream.
//   - I-9, I-10: see host/plugin/process.
//
// Shapes: in, catalogue paths and configuration maps; out, the event types in source.go, sink.go and connector.go.
// Protocol messages do not leave this package; batches are read and written through sdk/go/wire.
//
// Neighbours: host/worker and host/task use it. It imports sdk/go/wire, the generated protocol, host/plugin/process; it
// may not import host/worker, host/task, host/kafka, host/store or host/config.
package plugin
