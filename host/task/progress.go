package task

import (
	"sync/atomic"
	"time"

	"github.com/tailrace/tailrace/host/kafka"
	"github.com/tailrace/tailrace/host/plugin"
)

// Snapshot is the account of a task at one moment, exact to a batch. Counters run
// from the start of Run.
type Snapshot struct {
	State State
	// Records and Bytes passed through: acknowledged by Kafka (source), accepted by the task (sink).
	Records, Bytes uint64
	// Progress grows while the task gets further than it ever was. Records that
	// come again after a restart do not count, so a task that dies of the same
	// record again and again stands still.
	Progress uint64
	// Batches is the number of frames of records.
	Batches uint64
	// Taken are the records that came in: from the plugin (source), from Kafka (sink).
	Taken uint64
	// ActiveRecords were taken and are not finished: not in Kafka yet (source), not
	// covered by a commit yet (sink).
	ActiveRecords uint64
	// BatchSize counts the records of the batches that came in, Through those that passed
	// through; CommitMillis is how long offset commits took.
	BatchSize, Through, CommitMillis Window
	// PollMillis is how long the polls took that brought records, as the plugin told (source).
	PollMillis Window
	// Active notes ActiveRecords whenever a batch comes in or is finished.
	Active Window
	// TransactionSize counts the records of the transactions that were committed (source, exactly once).
	TransactionSize Window
	// PutMillis is the time from sending a batch until the task had accepted it (sink).
	PutMillis Window
	// Partitions is the number of partitions that the task has (sink).
	Partitions int
	// InFlightBytes is what was taken over and is not finished.
	InFlightBytes int64
	// LagRecords is how far the task is behind the ends of its partitions, as of the
	// last fetches (sink).
	LagRecords int64
	// Skipped are records that were dropped because errors are tolerated,
	// Errors all failures of records.
	Skipped, Errors uint64
	// Filtered are records that transforms dropped.
	Filtered uint64
	// DeadLetters were sent to the dead letter topic, DeadLetterFailures could not be written there.
	DeadLetters, DeadLetterFailures uint64
	// Retries are failures that were tried again, Restarts new plugin processes.
	Retries, Restarts uint64
	// Commits and CommitFailures count offset commits.
	Commits, CommitFailures uint64
	// LoggedErrors are the failures of records that were logged.
	LoggedErrors uint64
	// CommittedThrough is the last sequence number that is safe (source).
	CommittedThrough uint64
	// LastError is the last failure that did not end the task; empty for none.
	LastError   string
	LastErrorAt time.Time
	// Call is the user code under way in the plugin, as its heartbeat said.
	Call plugin.Call
	// Kafka says whether brokers answer.
	Kafka kafka.Health
}

// progress is written by the owner goroutine and read by any.
type progress struct{ current atomic.Pointer[Snapshot] }

func (p *progress) load() Snapshot {
	if s := p.current.Load(); s != nil {
		return *s
	}
	return Snapshot{}
}

func (p *progress) publish(s Snapshot) { p.current.Store(&s) }
