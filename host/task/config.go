package task

import (
	"context"
	"log/slog"
	"strconv"
	"time"

	"github.com/tailrace/tailrace/host/convert"
	"github.com/tailrace/tailrace/host/kafka"
	"github.com/tailrace/tailrace/host/plugin"
	"github.com/tailrace/tailrace/host/store"
	"github.com/tailrace/tailrace/host/tracing"
	"github.com/tailrace/tailrace/host/transform"
	"github.com/tailrace/tailrace/sdk/go/wire"
)

// ID names a task.
type ID struct {
	Connector string
	Task      int
}

func (id ID) String() string { return id.Connector + "-" + strconv.Itoa(id.Task) }

// Listener hears of a task. Its methods are called from the task's goroutines,
// one at a time for each task except Measured; they must not block.
type Listener interface {
	// StateChanged comes with every state. err is set with Failed, and with
	// Restarting it is why the plugin is started anew. Secrets may be in it: the
	// receiver masks them (I-9).
	StateChanged(id ID, state State, err error)
	// TopicUsed comes once per task and topic, and again after ForgetTopics. It may come from any of the task's goroutines.
	TopicUsed(id ID, topic string)
	// Retrying says that the task or Kafka failed with an error that may pass.
	Retrying(id ID, err error, after time.Duration)
	// Measured brings the plugin's own metrics.
	Measured(id ID, samples []plugin.Metric)
}

// ErrorPolicy is what to do with records that cannot be handled (KIP-298).
type ErrorPolicy struct {
	// TolerateAll skips such records; otherwise the first one fails the task.
	TolerateAll bool
	// MaxRate is the share of bad records among the last RateRecords ones above which
	// the task fails although they are tolerated; RateRecords is 0 for no limit.
	MaxRate     float64
	RateRecords int
	// Log writes a line for each; LogRecords adds the coordinates of a sink's record,
	// or the whole record of a source.
	Log, LogRecords bool
	// RetryTimeout is how long a retriable failure is tried again: 0 not at
	// all, below 0 for ever. RetryDelayMax bounds the wait between attempts.
	RetryTimeout, RetryDelayMax time.Duration
}

// Converters turn the parts of a record. They belong to the task alone.
type Converters struct {
	Key, Value convert.Converter
	Header     convert.HeaderConverter
	// KeyClass, ValueClass and HeaderClass name them in messages.
	KeyClass, ValueClass, HeaderClass string
	// Transforms change the records on the side of the plugin; nil for none.
	Transforms *transform.Chain
}

// Timing are the task's intervals and deadlines; zero values become Kafka Connect's defaults.
type Timing struct {
	OffsetFlushInterval time.Duration // offset.flush.interval.ms, 60 s
	OffsetFlushTimeout  time.Duration // offset.flush.timeout.ms, 5 s
	GracefulTimeout     time.Duration // task.shutdown.graceful.timeout.ms, 5 s
}

func (t Timing) withDefaults() Timing {
	if t.OffsetFlushInterval <= 0 {
		t.OffsetFlushInterval = time.Minute
	}
	if t.OffsetFlushTimeout <= 0 {
		t.OffsetFlushTimeout = 5 * time.Second
	}
	if t.GracefulTimeout <= 0 {
		t.GracefulTimeout = 5 * time.Second
	}
	return t
}

// SourceStream is the conversation with a source task; *plugin.SourceStream is one.
// Recv is called from one goroutine, the Send methods from any; Close ends Recv.
type SourceStream interface {
	Recv() (plugin.SourceEvent, error)
	SendOffsets(requestID uint64, offsets [][]byte, failure error) error
	SendCredit(bytes int64) error
	SendCommit(throughSeq uint64) error
	SendTransactionCommitted(throughSeq uint64) error
	SendPause() error
	SendResume() error
	SendLogLevel(level slog.Level) error
	SendDrain(deadline time.Duration) error
	CloseSend()
	Close()
	Call() plugin.Call
}

// SinkStream is the conversation with a sink task; *plugin.SinkStream is one.
type SinkStream interface {
	Recv() (plugin.SinkEvent, error)
	Schemas() *wire.SchemaWriter
	Send(traceparent string, batches ...*wire.SinkBatchBuilder) (lastSeq uint64, bytes int64, err error)
	SendAssign(token uint64, partitions []plugin.SinkPartition) error
	SendRevoke(token uint64, ids []uint32, lost bool, deadline time.Duration) error
	Forget(ids []uint32)
	SendFlush(token, throughSeq uint64) error
	SendSought(requestID uint64, offsets []plugin.PartitionPosition) error
	SendOffsetsCommitted(offsets []plugin.PartitionPosition) error
	SendRecordErrorsHandled(requestID uint64, failure error) error
	SendPause() error
	SendResume() error
	SendLogLevel(level slog.Level) error
	SendDrain(deadline time.Duration) error
	CloseSend()
	Close()
	Call() plugin.Call
}

// Producer writes to Kafka; *kafka.Producer is one.
type Producer interface {
	NewBatch(records int) *kafka.Batch
	Produce(ctx context.Context, b *kafka.Batch, done func(kafka.BatchResult))
	// LearnTopicLimit comes before the first batch for a topic.
	LearnTopicLimit(ctx context.Context, topic string) error
	// RecordLimit is the largest record for a topic, with its framing, and the setting that says so.
	RecordLimit(topic string) (bytes int64, setting string)
	Health() kafka.Health
	Close(ctx context.Context) error
}

// Consumer reads from Kafka; *kafka.Consumer is one. One goroutine uses it.
type Consumer interface {
	Poll(ctx context.Context, maxRecords int) (*kafka.Fetch, error)
	Commit(ctx context.Context, offsets map[kafka.TopicPartition]int64) error
	Positions(ctx context.Context, partitions []kafka.TopicPartition) (map[kafka.TopicPartition]int64, error)
	Seek(offsets map[kafka.TopicPartition]int64)
	Pause(partitions []kafka.TopicPartition)
	Resume(partitions []kafka.TopicPartition)
	Health() kafka.Health
	Close(ctx context.Context) error
}

// OffsetStore keeps source offsets; store.OffsetStore is one.
type OffsetStore interface {
	Get(ctx context.Context, keys [][]byte) ([][]byte, error)
	Put(ctx context.Context, entries []store.OffsetEntry) error
	Connector(ctx context.Context, name string) ([]store.OffsetEntry, error)
}

// TopicAdmin looks at and creates topics; *kafka.Admin is one.
type TopicAdmin interface {
	Topics(ctx context.Context, names ...string) (map[string]kafka.Topic, error)
	CreateTopic(ctx context.Context, t kafka.NewTopic) error
}

// DeadLetters takes records that could not be handled when errors are tolerated.
// nil means that they are only logged. Any goroutine may use it.
type DeadLetters interface {
	// Send takes the records over, and keeps them in the order of the calls. It waits
	// at most for room in a buffer. done comes once, from any goroutine, and must not
	// block: nil when they are safe, a *DeadLetterError when some never will be.
	Send(ctx context.Context, records []Errant, done func(error))
	// Flush returns when the fate of everything that was sent is decided and told; its
	// error is ctx's.
	Flush(ctx context.Context) error
	// Close gives up what is not safe when ctx ends.
	Close(ctx context.Context) error
}

// Errant is a record that could not be handled.
type Errant struct {
	Topic string
	// Partition and Offset are those of a sink's record; of a source's record the
	// partition that it asks for, or kafka.PartitionAny.
	Partition int32
	Offset    int64
	// TimestampMillis is -1 when it is not known any more.
	TimestampMillis int64
	TimestampType   kafka.TimestampType
	// Key, Value and Headers are the record's bytes where it is still at hand
	// (HasRecord); otherwise it must be read again by its coordinates.
	HasRecord  bool
	Key, Value []byte
	Headers    kafka.Headers
	// Stage and Class say which step failed, as Kafka Connect names them, and
	// Transform the name of the transform in the configuration, if it was one.
	Stage, Class, Transform string
	Err                     error
	// Source is set for a record of a source.
	Source *SourceErrant
}

// SourceErrant is what a dead letter tells of a record that never was in Kafka.
type SourceErrant struct {
	// Form says what key and value are, see the Form constants.
	Form string
	// Partition and Offset are the source partition and the source offset as JSON, nil where
	// they are not known any more.
	Partition, Offset []byte

	seq uint64 // orders the dead letters of a batch
}

// The forms of a source's dead letters.
const (
	// FormConnect: key, value and headers are written by JsonConverter with
	// schemas.enable=true, as they were before the failing step.
	FormConnect = "connect-json"
	// FormKafka: they are the bytes that Kafka refused.
	FormKafka = "kafka"
	// FormNone: key and value are left out, because they are no values of their schemas
	// or because the letter would be too large for its topic.
	FormNone = "none"
)

// SourceConfig is what a source task needs.
type SourceConfig struct {
	ID ID
	// ConnectorType is the plugin's name of the connector; Config the task's
	// configuration with secrets resolved.
	ConnectorType string
	Config        map[string]string
	Epoch         uint64
	Paused        bool
	LogLevel      slog.Level
	CreditBytes   int64 // bytes of batches that may be under way (I-4), 8 MiB if 0

	// Open starts the task in its plugin. It returns when ctx ends.
	Open func(ctx context.Context, start plugin.SourceStart) (SourceStream, error)
	Converters
	// Producer is closed by Run.
	Producer Producer
	Offsets  OffsetStore
	// Transactions, of Producer, make the task write exactly once; nil means at least once. Boundary says where they end,
	// BoundaryInterval how old they become with BoundaryInterval as the boundary.
	Transactions     Transactions
	Boundary         plugin.Boundary
	BoundaryInterval time.Duration
	// Admin and TopicFor create missing topics; nil leaves that to the broker.
	Admin    TopicAdmin
	TopicFor func(topic string) kafka.NewTopic
	// OpenDeadLetters prepares the dead letters when Run begins, topic included;
	// nil for none. Run closes them.
	OpenDeadLetters func(ctx context.Context) (DeadLetters, error)

	Errors   ErrorPolicy
	Timing   Timing
	Listener Listener
	Logger   *slog.Logger
	// Tracer records batches; nil for none.
	Tracer *tracing.Tracer
}

// SinkConfig is what a sink task needs.
type SinkConfig struct {
	ID            ID
	ConnectorType string
	Config        map[string]string
	// Epoch is that of the first stream; each one after a restart of the plugin is one higher.
	Epoch       uint64
	Paused      bool
	LogLevel    slog.Level
	CreditBytes int64 // 8 MiB if 0
	// MaxPutRecords bounds the records of one put (max.poll.records), 10,000 if 0.
	MaxPutRecords int

	// Open starts the task in its plugin. It is called again when the plugin's
	// process died, while the consumer stays in its group: it waits as the
	// back-off asks, starts a new process, and returns an error to give up or
	// when ctx ends.
	Open func(ctx context.Context, start plugin.SinkStart) (SinkStream, error)
	Converters
	// Subscribe makes the consumer; Run closes it.
	Subscribe func(listener kafka.RebalanceListener) (Consumer, error)
	// OpenDeadLetters prepares the dead letters when Run begins, topic included;
	// nil for none. Run closes them.
	OpenDeadLetters func(ctx context.Context) (DeadLetters, error)

	Errors   ErrorPolicy
	Timing   Timing
	Listener Listener
	Logger   *slog.Logger
	// Tracer records batches; nil for none.
	Tracer *tracing.Tracer
}

// What the runners need is what the packages below offer.
var (
	_ SourceStream = (*plugin.SourceStream)(nil)
	_ SinkStream   = (*plugin.SinkStream)(nil)
	_ Producer     = (*kafka.Producer)(nil)
	_ Consumer     = (*kafka.Consumer)(nil)
	_ TopicAdmin   = (*kafka.Admin)(nil)
	_ OffsetStore  = store.OffsetStore(nil)
)

// defaultCreditBytes is the credit of a task whose configuration names none.
const defaultCreditBytes = 8 << 20
