// Package herder is what a user may ask of a worker or a cluster: create,
// change and delete connectors, pause, resume, stop and restart them, look at
// their status, tasks, topics and offsets, validate configurations. The edges
// (REST, command line) know [Herder] and nothing deeper.
//
// [Standalone] is the composition for one worker: configurations and statuses
// in memory, offsets in a file. What should run is an immutable snapshot
// (store.ConfigSnapshot); each connector has one keeper, a goroutine that alone
// starts and stops what runs of it, and the pure function plan decides which steps lead
// from what runs to what should run. No request waits for another connector.
//
// Shapes: requests and answers are values whose JSON form is that of Kafka
// Connect's REST API (reference section 1); errors that a user caused are [*Error].
//
// Invariants:
//   - I-3: a plugin that hangs or dies delays requests about its own connector only, and each by a bounded time.
//   - I-8: a change is in the config store before the answer.
//   - I-9: answers show configurations as they were written, references unresolved; errors of plugins are masked.
//
// Neighbours: it imports host/worker's types, host/plugin, host/kafka,
// host/store, host/task, host/convert and host/config. It may not import the edges.
package herder
