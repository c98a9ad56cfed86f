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
// [Distributed] is that of one worker of a cluster: the same keepers look at a snapshot of the config topic and at what the
// group has given to this worker. Its loop carries changes over and waits for nothing; the leader's writes are made by
// requests, one at a time; the tasks that a connector makes are published beside both, until they are in the topic.
//
// Shapes: requests and answers are values whose JSON form is that of Kafka
// Connect's REST API (reference section 1); errors that a user caused are [*Error].
//
// Invariants:
//   - I-5: a worker runs nothing that the group has not given to it, and no task of a set that is newer than its last round.
//   - I-3: a plugin that hangs or dies delays requests about its own connector only, and each by a bounded time.
//   - I-8: a change is in the config store before the answer.
//   - I-9: answers show configurations as they were written, references unresolved; errors of plugins are masked.
//
// Neighbours: it imports host/worker's types, host/cluster, host/plugin, host/kafka,
// host/store, host/task, host/convert and host/config. It may not import the edges.
package herder
