// Package task runs one source task or one sink task: it moves batches between
// a plugin's stream and Kafka, keeps the account of what is safe, and commits.
//
// Source: a reader goroutine receives batches and converts them, the owner
// goroutine books them in the ledger, a sender goroutine creates topics and
// produces. Kafka's acknowledgements come back to the owner, which stores the
// offsets of the longest prefix of acknowledged batches and then tells the task.
// With Transactions the records and the offsets behind them are committed together
// instead (KIP-618): the owner lets batches through to the sender while a transaction
// is open, and ends it when all of them are acknowledged. What cannot be ended ends the
// task with a RestartError.
// Sink: the owner goroutine polls the consumer, converts and sends; a reader
// goroutine brings it the task's answers.
//
// Decisions are pure values with tests of their own: ledger (what is
// committable), transaction (what is committed together), credit (how much may be under way), lifecycle (what a state allows),
// positions (what a sink may commit).
//
// Invariants:
//   - I-1: Source sends Commit(n) after OffsetStore.Put returned for the offsets up to n.
//   - I-2: Sink commits what Flushed or Revoked named, at most what was sent.
//   - I-4: what a task holds is bounded by its credit, queues by constants.
//   - I-5: frames of another epoch never get here (host/plugin drops them); a producer that was fenced commits nothing.
//   - I-6: batches are produced in the order of their sequence numbers.
//
// Shapes: in, a SourceConfig or SinkConfig with what the task needs; out, the
// error of Run, calls of the Listener and a Snapshot of counters.
//
// A record that cannot be handled goes the way of errors.tolerance: retried,
// skipped, written to the dead letters, or the end of the task. Transforms, when
// there are any, run before the converters of a source and behind those of a sink. A panic in one of them
// ends the task and nothing else.
//
// It imports host/plugin, host/kafka, host/store (types only), host/convert,
// host/transform and sdk/go/wire and data. It may not import host/worker, host/herder or host/config.
package task
