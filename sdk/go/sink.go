package connect

import (
	"context"
	"log/slog"
)

// SinkTask writes somewhere. All its methods, those of the optional powers
// included, are called one after the other from one goroutine.
type SinkTask interface {
	// Start is called once, before everything else. ctx covers starting only. An error
	// fails the task; the worker starts a new one after a back-off.
	Start(ctx context.Context, cfg Config, task *SinkContext) error

	// Put takes records, in the order of their offsets within each Kafka partition.
	// An empty batch comes now and then and may be used for work by time. Records
	// need not be safe when Put returns if the task is a [Flusher] or [PreCommitter];
	// otherwise returning nil means that they are safe.
	//
	// The slices of a record stay valid as long as they are held; holding one keeps
	// its whole frame (about 1 MiB) in memory.
	//
	// ctx ends when the stream is gone or the deadline of a drain or revocation
	// passed. [Retriable] calls Put again with the same batch after the wait, so
	// Put must cope with records that it has already written. Report a record
	// that can never be written with [SinkContext.Report] and go on. Any other error
	// fails the task.
	Put(ctx context.Context, records *SinkBatch) error

	// Stop gives back what Start took. It is called once, also when
	// Start or Put failed. ctx ends after five seconds.
	Stop(ctx context.Context) error
}

// Flusher is a sink task that buffers.
type Flusher interface {
	// Flush makes every record that was Put safe. It is called every
	// offset.flush.interval.ms, before partitions are taken away and before a drain. An
	// error means that nothing is committed: the worker goes back to the last committed
	// offsets and puts the records again.
	Flush(ctx context.Context) error
}

// PreCommitter is a sink task that says itself how far it is. It is used
// instead of [Flusher] when a task implements both.
type PreCommitter interface {
	// PreCommit gets, for each assigned partition, the offset after the last record that was
	// Put, and returns what may be committed: that, less, or nothing for a partition
	// that it leaves out. An offset beyond current is cut to it (I-2). Errors as in [Flusher].
	PreCommit(ctx context.Context, current Offsets) (Offsets, error)
}

// Partitioned is a sink task with state per Kafka partition.
type Partitioned interface {
	// Open is called before the first record of new partitions. It is the place to
	// Seek to positions that the task keeps itself.
	Open(ctx context.Context, partitions []TopicPartition) error
	// Close is called after the last record of partitions that are taken away, behind
	// the flush. lost means that they belong to another worker already: drop what is
	// buffered for them, nothing of it will be committed. At the end of the task Close is
	// called for what is still open, before Stop.
	Close(ctx context.Context, partitions []TopicPartition, lost bool) error
}

// OffsetsCommittedListener is a sink task that wants to know what is committed
// in Kafka, for example to remove files.
type OffsetsCommittedListener interface {
	// OffsetsCommitted comes between other calls; offsets only go up.
	OffsetsCommitted(ctx context.Context, offsets Offsets)
}

// TopicPartition names a Kafka partition.
type TopicPartition struct {
	Topic     string
	Partition int32
}

// Offsets is a position in each of some Kafka partitions: the offset of the next record.
type Offsets map[TopicPartition]int64

// SinkContext is what a sink task may ask of the worker. Its methods may be called from any
// goroutine until Stop has returned; none but ReportAll waits for an answer.
type SinkContext struct {
	connector string
	number    int
	log       *slog.Logger
	metrics   *Metrics
	host      sinkHost
}

// sinkHost is the task's stream as its author may use it.
type sinkHost interface {
	assignment() []TopicPartition
	position(TopicPartition) (int64, bool)
	seek(Offsets) error
	pause(tps []TopicPartition, resume bool) error
	requestCommit()
	canReport() bool
	report(seq uint64, err error)
	reportAll(ctx context.Context, errs []RecordError) error
}

// Connector is the user's name for the connector.
func (c *SinkContext) Connector() string { return c.connector }

// Number is the task's number, from 0.
func (c *SinkContext) Number() int { return c.number }

// Log is the task's logger; its lines go to the worker's log with connector and task.
func (c *SinkContext) Log() *slog.Logger { return c.log }

// Metrics are the own measures of the task.
func (c *SinkContext) Metrics() *Metrics { return c.metrics }

// Assignment is the set of partitions that the task has now.
func (c *SinkContext) Assignment() []TopicPartition { return c.host.assignment() }

// Position is the offset of the next record to be put of a partition; false
// when the partition is not assigned.
func (c *SinkContext) Position(tp TopicPartition) (int64, bool) { return c.host.position(tp) }

// Seek makes the worker go on from other offsets. Records of these partitions
// that are on the way are dropped by the SDK; the next ones that Put sees are from the
// new position. It fails when a partition is not assigned.
func (c *SinkContext) Seek(offsets Offsets) error { return c.host.seek(offsets) }

// Pause asks for no more records of these partitions; what is on the way still arrives.
func (c *SinkContext) Pause(partitions ...TopicPartition) error {
	return c.host.pause(partitions, false)
}

// Resume ends a Pause.
func (c *SinkContext) Resume(partitions ...TopicPartition) error {
	return c.host.pause(partitions, true)
}

// RequestCommit asks for a flush soon, without waiting for the interval.
func (c *SinkContext) RequestCommit() { c.host.requestCommit() }

// CanReport tells whether the worker takes errant records (a dead letter queue or
// errors.log.enable). When not, a record that cannot be written should fail the task.
func (c *SinkContext) CanReport() bool { return c.host.canReport() }

// Report hands an errant record to the worker: to the dead letter queue and the
// log, as errors.tolerance says. Reports are collected and sent together
// when Put, Flush or PreCommit returns; the worker commits nothing behind them before they are safe,
// and fails the task when errors are not tolerated. The record must have been given since the
// last flush.
func (c *SinkContext) Report(rec *SinkRecord, err error) { c.host.report(rec.Seq(), err) }

// ReportSeq is [SinkContext.Report] for a task that learns of errant records after Put returned: it keeps
// their [SinkRecord.Seq]. Call it in a later Put, or at the latest in the flush that confirms the record: the worker forgets
// records with that.
func (c *SinkContext) ReportSeq(r RecordError) { c.host.report(r.Seq, r.Err) }

// ReportAll hands over errant records and waits until they are safe.
func (c *SinkContext) ReportAll(ctx context.Context, errs []RecordError) error {
	return c.host.reportAll(ctx, errs)
}

// RecordError is one errant record.
type RecordError struct {
	// Seq is the record's [SinkRecord.Seq].
	Seq uint64
	Err error
}
