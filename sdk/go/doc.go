// Package connect is what a Kafka connector in Go is written with. A connector
// is a program whose main function calls [Serve]; the Tailrace worker starts
// it, tells it what to do and owns everything about Kafka: producers,
// consumers, offsets, converters, transforms.
//
// A source brings records into Kafka. Its [SourceTask] is polled for batches;
// each record may carry a source partition (what is read) and a source
// offset (how far), and after a restart the task asks for the last stored
// offset and goes on from there. A sink takes records out of Kafka. Its
// [SinkTask] is given batches to put; what it has flushed is committed.
// A [SourceConnector] or [SinkConnector] divides the work among tasks;
// without one there is a single task with the connector's configuration.
//
// Optional powers are interfaces that a task or connector implements or not:
// [Committer], [Flusher], [PreCommitter], [Partitioned], [Validator],
// [OffsetAlterer], [ExactlyOnceSupporter], [TransactionBoundaries], [Deleter],
// [EagerCommitter].
//
// # Rules that hold for every method of an author
//
//   - A panic in a method fails that one task or connector, with the stack
//     as its trace. A panic in a goroutine that the author started ends the
//     process and with it all tasks in it: recover there.
//   - The context of a method ends when its result is not wanted any more:
//     the stream to the worker broke, a deadline passed, or (Poll) the task is
//     paused or drained. Return soon after; the error is then of no interest.
//   - An error made by [Retriable] is tried again by the SDK where the method's
//     comment says so. Any other error fails the task; the worker shows it in
//     the status and restarts the task from the last durable offset.
//   - Errors are for the person who reads them: what failed, where, why, what to do.
//
// # Invariants
//
//   - I-1: Commit(through) is called only after the worker said that the
//     records are in Kafka and their offsets are stored.
//   - I-2: a sink's answer to a flush never goes beyond what Put has returned for.
//   - I-4: what a task holds is bounded: two batches beyond the byte credit
//     for a source, the host's credit for a sink.
//   - I-6: records leave in the order in which they were appended.
//
// # Neighbours
//
// It stands on sdk/go/wire (frames and batches), sdk/go/data (schemas and
// values) and the generated protocol, none of which an author needs besides
// data. It never imports the worker.
package connect
