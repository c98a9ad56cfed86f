package connect

import (
	"context"
	"log/slog"
	"time"

	"github.com/tailrace/tailrace/sdk/go/data"
)

// SourceTask reads from somewhere. Start, Poll and Stop are called one after the
// other from one goroutine, so a task needs no locks of its own for them.
type SourceTask interface {
	// Start is called once, before everything else. It opens what is to be read
	// and looks up where to go on: task.Offsets().Offset(ctx, partition). ctx
	// covers starting only. An error fails the task; the worker starts a new one after a back-off.
	Start(ctx context.Context, cfg Config, task *SourceContext) error

	// Poll appends the records that are there to out and returns. It blocks
	// until there is at least one, or ctx ends. It is called again at once when it
	// appended something, even while earlier batches wait for the worker,
	// and after a short pause that grows to a quarter of a second when it
	// did not (see [Batch.PollAgainAfter]). Return when out.Full() says so;
	// appending more is allowed, but blocks when the worker is slower.
	//
	// ctx ends when the task is paused, drained or its stream is gone. What was
	// appended before is sent all the same, so a task need not undo anything; after a
	// pause Poll is called again, after a drain it is not.
	//
	// Errors: records appended before the error are sent. [Retriable] polls again after
	// the wait and shows the error in the task's status meanwhile. [ErrEndOfInput] says
	// that there will be no more records: the task stays up, idle, until it is
	// stopped. Any other error fails the task.
	Poll(ctx context.Context, out *Batch) error

	// Stop gives back what Start took. It is called once, after the last
	// Commit, also when Start or Poll failed. ctx ends after five seconds.
	Stop(ctx context.Context) error
}

// Committer is a source task that wants to know what is safe, in order to let go of it
// upstream: acknowledge a queue, advance a replication slot, delete a file.
type Committer interface {
	// Commit tells that every record whose [Record.Seq] is at most through is in
	// Kafka and its source offset durably stored. It is cumulative: a call may cover
	// many batches, and numbers are not repeated in vain. It is called from a
	// goroutine of its own, so it may run at the same time as Poll, never at the same
	// time as itself, and never after Stop began. The last call, after a drain, covers
	// all records that reached Kafka. An error is logged; the next Commit
	// covers the same records again.
	Commit(ctx context.Context, through uint64) error
}

// EagerCommitter is a [Committer] whose upstream holds resources until
// Commit; the worker then stores offsets as soon as it can instead of every
// offset.flush.interval.ms.
type EagerCommitter interface {
	Committer
	// EagerCommit is asked once, after Start.
	EagerCommit() bool
}

// Offset is a stored source offset: what the task gave with a record, read back. Numbers
// come back as int64 or float64 whatever they were, because the store is JSON.
type Offset map[string]any

// Int64 reads a number; false when it is absent or no whole number.
func (o Offset) Int64(key string) (int64, bool) {
	switch v := o[key].(type) {
	case int64:
		return v, true
	case int32:
		return int64(v), true
	case int16:
		return int64(v), true
	case int8:
		return int64(v), true
	case int:
		return int64(v), true
	case float64:
		if n := int64(v); float64(n) == v {
			return n, true
		}
	}
	return 0, false
}

// Text reads a string; false when it is absent or no string.
func (o Offset) Text(key string) (string, bool) {
	s, ok := o[key].(string)
	return s, ok
}

// OffsetReader reads stored source offsets. Its methods may be called from any goroutine.
type OffsetReader interface {
	// Offset is the stored offset of one source partition, nil when there is none.
	Offset(ctx context.Context, partition map[string]any) (Offset, error)
	// Offsets reads many in one round trip; the answers are in the order of the
	// questions.
	Offsets(ctx context.Context, partitions []map[string]any) ([]Offset, error)
}

// SourceContext is what a source task may ask of the worker. Its methods may be called
// from any goroutine until Stop has returned.
type SourceContext struct {
	connector    string
	number       int
	log          *slog.Logger
	metrics      *Metrics
	offsets      OffsetReader
	partitions   *partitionTable
	transactions bool
}

// Connector is the user's name for the connector, Number the task's number from 0.
func (c *SourceContext) Connector() string { return c.connector }

// Number is the task's number, from 0.
func (c *SourceContext) Number() int { return c.number }

// Log is the task's logger; its lines go to the worker's log with connector and task.
func (c *SourceContext) Log() *slog.Logger { return c.log }

// Metrics are the own measures of the task.
func (c *SourceContext) Metrics() *Metrics { return c.metrics }

// Offsets reads the stored offsets. It waits for the worker's answer.
func (c *SourceContext) Offsets() OffsetReader { return c.offsets }

// Partition makes the handle of a source partition: what is read, for example
// {"filename": "/var/log/app.log"}. Values are strings, integers, floats, booleans or nil.
// Make a handle once and use it for all its records; the same map gives the
// same handle. At most 100,000 a task.
func (c *SourceContext) Partition(values map[string]any) (*Partition, error) {
	return c.partitions.get(values)
}

// DefinesTransactions tells whether this task decides where transactions end
// (transaction.boundary=connector in exactly-once mode); otherwise
// [Batch.CommitTransaction] does nothing.
func (c *SourceContext) DefinesTransactions() bool { return c.transactions }

// Partition is the handle of a source partition, valid for the life of its task.
type Partition struct {
	id     uint32
	values map[string]any
}

// Values is the map that the handle was made from; do not change it.
func (p *Partition) Values() map[string]any { return p.values }

// SourceRecord is a record with Go values, for [Batch.Append].
type SourceRecord struct {
	// Topic is required.
	Topic string
	// Key and Value are values of the data package's model under their schemas, or
	// schemaless values when the schema is nil.
	Key         any
	KeySchema   *data.Schema
	Value       any
	ValueSchema *data.Schema
	Headers     []Header
	// Timestamp of the record; zero lets the worker take its clock.
	Timestamp time.Time
	// KafkaPartition is used when SetKafkaPartition is true; otherwise the
	// worker's partitioner chooses.
	KafkaPartition    int32
	SetKafkaPartition bool
	// Partition and Offset say where the record is from; both may be nil.
	Partition *Partition
	Offset    Offset
}

// Header is a record header. Schema nil means a value without a schema.
type Header struct {
	Name   string
	Schema *data.Schema
	Value  any
}
