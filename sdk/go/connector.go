package connect

import (
	"context"
	"log/slog"
	"maps"
)

// Connector is the part of a connector that watches the whole: it checks the
// outside world and divides the work among tasks. It moves no records. All its methods
// are called one after the other from one goroutine.
type Connector interface {
	// Start is called once, with the connector's configuration checked against
	// its definition. ctx covers starting only: what goes on afterwards (a
	// goroutine that watches for new tables) is ended by Stop. An error
	// fails the connector.
	Start(ctx context.Context, cfg Config, host *ConnectorContext) error

	// TaskConfigs divides the work into at most maxTasks (at least 1)
	// configurations. It is called after Start, whenever the worker needs
	// to know: when tasks.max changed, and after RequestReconfiguration. The
	// same state should give the same answer, because a different one
	// restarts the tasks. No configuration at all means: no tasks for now. A
	// [Retriable] error means that it cannot be told for now (the database is
	// away): the tasks stay as they are, and the worker asks again.
	TaskConfigs(ctx context.Context, maxTasks int) ([]Config, error)

	// Stop ends what Start began. It may be called after a failed Start,
	// and twice. ctx ends at the deadline that the worker gave.
	Stop(ctx context.Context) error
}

// SourceConnector is the connector of a source.
type SourceConnector interface{ Connector }

// SinkConnector is the connector of a sink.
type SinkConnector interface{ Connector }

// ConnectorContext is what a connector may ask of the worker. Its methods may be
// called from any goroutine until Stop has returned.
type ConnectorContext struct {
	name    string
	log     *slog.Logger
	metrics *Metrics
	offsets OffsetReader
	reconf  func()
	raise   func(error)
}

// Name is the user's name for the connector.
func (c *ConnectorContext) Name() string { return c.name }

// Log is the connector's logger; its lines go to the worker's log.
func (c *ConnectorContext) Log() *slog.Logger { return c.log }

// Metrics are the own measures of the connector.
func (c *ConnectorContext) Metrics() *Metrics { return c.metrics }

// Offsets reads the stored source offsets. A sink has none: every answer is nil.
func (c *ConnectorContext) Offsets() OffsetReader { return c.offsets }

// RequestReconfiguration asks the worker to call TaskConfigs again soon: a
// table appeared, a folder has a new file. Asking often is harmless.
func (c *ConnectorContext) RequestReconfiguration() { c.reconf() }

// RaiseError fails the connector with an error found outside its methods.
func (c *ConnectorContext) RaiseError(err error) { c.raise(err) }

// Validator is a connector that checks more than its [ConfigDef] can. A fresh
// connector object is asked, which was never started; it may look at the outside world
// (does the folder exist?) but must not change it, and has five seconds.
type Validator interface {
	// Validate returns what is wrong, each issue with its key; none means valid. It is
	// called only when every key passed the definition.
	Validate(ctx context.Context, cfg Config) []ConfigIssue
}

// OffsetAlterer is a source connector that checks the offsets a user sets by hand,
// before they are stored. A fresh object is asked; no task runs.
type OffsetAlterer interface {
	// AlterOffsets returns an error that says why the offsets are refused. An
	// entry with a nil Offset resets its partition. May be called twice.
	AlterOffsets(ctx context.Context, cfg Config, offsets []PartitionOffset) error
}

// SinkOffsetAlterer is the same for sinks, with Kafka's coordinates. A sink that keeps
// its own positions changes them here.
type SinkOffsetAlterer interface {
	// AlterOffsets is called with the wanted offsets; -1 means reset. May be called twice.
	AlterOffsets(ctx context.Context, cfg Config, offsets map[TopicPartition]int64) error
}

// PartitionOffset is a source partition and its offset; a nil Offset stands for none.
type PartitionOffset struct {
	Partition map[string]any
	Offset    Offset
}

// ExactlyOnceSupporter is a source connector that knows whether it gives
// exactly-once with a configuration: whether the same offset always leads to the same
// records. A fresh object is asked.
type ExactlyOnceSupporter interface {
	ExactlyOnceSupport(ctx context.Context, cfg Config) (bool, error)
}

// TransactionBoundaries is a source connector that can end transactions
// itself, with [Batch.CommitTransaction]. A fresh object is asked.
type TransactionBoundaries interface {
	CanDefineTransactionBoundaries(ctx context.Context, cfg Config) (bool, error)
}

// Deleter is a connector that holds something outside that must be given
// back when the user deletes it for good: a replication slot, a subscription. A fresh
// object is asked; nothing of the connector runs. May be called twice.
type Deleter interface {
	Deleted(ctx context.Context, cfg Config) error
}

// singleTask is the connector of a type without connector code.
type singleTask struct{ cfg Config }

func (s *singleTask) Start(_ context.Context, cfg Config, _ *ConnectorContext) error {
	s.cfg = cfg
	return nil
}

func (s *singleTask) TaskConfigs(context.Context, int) ([]Config, error) {
	return []Config{maps.Clone(s.cfg)}, nil
}

func (s *singleTask) Stop(context.Context) error { return nil }
