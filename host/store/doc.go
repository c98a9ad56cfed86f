// Package store keeps what a worker must not forget: connector configurations,
// statuses and source offsets. It holds the interfaces, the implementations for a
// standalone worker (memory, file) and those of a cluster on its three internal
// topics, byte for byte as Kafka Connect 4.1 writes them (reference section 3):
// codecs and the fold of the config topic are pure functions; ConfigTopic,
// OffsetTopic and StatusTopic read and write the topics.
//
// Invariants upheld here (docs/INVARIANTS.md):
//
//   - I-1: OffsetStore.Put returns after the offsets are durable.
//   - I-7: source offsets travel as the raw JSON bytes they were written with, so
//     that large integers and key order survive.
//   - I-8: ConfigStore writes return after the change is as durable as the store is.
//
// Neighbours: host/herder, host/task and host/app use it. It imports neither of
// them, and no plugin type.
package store
