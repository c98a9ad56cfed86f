// Package observe tells people what happens on this worker: its processes, events, the log lines of
// connectors, and previews. It only reads, and knows no HTTP; its types are what /v1 of the REST API shows.
//
// Invariants:
//   - I-3, I-4: everything that is remembered is bounded, and no writer waits for a reader.
//   - I-9: reasons of events come masked from host/worker, log lines are what the log shows.
//
// Neighbours: it reads host/worker, host/plugin and host/loggers; host/rest serves it; host/app puts it together.
package observe
