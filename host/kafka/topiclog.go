package kafka

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// LogRecord is one record of a topic that is kept as a log of state changes.
type LogRecord struct {
	Partition int32
	Offset    int64
	Key       []byte
	Value     []byte // nil is Kafka's null: a tombstone
}

// LogEntry is one record to write. Its partition follows from the key, as
// with Kafka's default partitioner.
type LogEntry struct {
	Key   []byte
	Value []byte // nil writes a tombstone
}

// TopicLogConfig configures a TopicLog.
type TopicLogConfig struct {
	Topic    string
	Consumer ClientConfig // a ConsumerClient; its group settings are not used
	Producer ClientConfig // a ProducerClient; acks=all is set whatever it says
	// Apply receives every record of the topic, per partition in the order of
	// offsets, on one goroutine. Transaction markers and aborted records never
	// come. The slices belong to the receiver. It must not call the log.
	Apply func(records []LogRecord)
}

// TopicLog reads a compacted topic from its beginning, goes on reading what is
// added by anybody, and writes to it. It is how a worker keeps state on Kafka.
// Methods are safe for concurrent use.
type TopicLog struct {
	topic  string
	cl     *kgo.Client
	writer writer
	apply  func([]LogRecord)
	health *health

	reading context.Context //nolint:containedctx // ends when Close begins
	stop    context.CancelFunc
	stopped chan struct{}

	mu        sync.Mutex
	asked     *endsRound      // the next one; nil when nobody waits for it
	asking    bool            // a goroutine deals with asked
	positions map[int32]int64 // next offset to read, by partition
	moved     chan struct{}   // closed and replaced when a position grew
	failed    error           // the last error of reading; nil again after the next record
}

// OpenTopicLog starts reading. The topic must exist. It returns at once when a
// broker has said where the partitions begin; ReadToEnd waits for their records.
func OpenTopicLog(ctx context.Context, cfg TopicLogConfig) (*TopicLog, error) {
	const op = "open topic log"
	if cfg.Consumer.Kind != ConsumerClient || cfg.Producer.Kind != ProducerClient {
		return nil, &Error{Op: op, Subject: cfg.Topic, cause: fmt.Errorf("the configurations are for a %s and a %s", cfg.Consumer.Kind, cfg.Producer.Kind)}
	}
	cfg.Producer.Producer.Acks = "all" // I-1, I-8: a write is durable before it is answered
	cfg.Producer.Producer.Linger = 0
	l := &TopicLog{topic: cfg.Topic, apply: cfg.Apply, health: new(health), moved: make(chan struct{}), stopped: make(chan struct{})}
	base := cfg.Consumer
	base.Kind = AdminClient // without the options of a group
	var err error
	if l.cl, err = base.newClient(l.health, cfg.Consumer.Consumer.logOptions()...); err != nil {
		return nil, newError(op, cfg.Topic, err)
	}
	if err = l.begin(ctx); err == nil {
		l.writer.cfg = cfg.Producer
		_, err = l.writer.now()
	}
	if err != nil {
		l.health.close()
		l.cl.Close()
		return nil, err
	}
	l.reading, l.stop = context.WithCancel(context.Background())
	go l.read(l.reading) //nolint:contextcheck // reading outlives the call that opened the log
	return l, nil
}

// logOptions reads whole partitions without a group. Control records are asked
// for because they take offsets: without them the end of a log that ends with a
// transaction's marker would never be reached.
func (s ConsumerSettings) logOptions() []kgo.Opt {
	opts := []kgo.Opt{
		kgo.FetchMinBytes(int32(s.FetchMinBytes)),
		kgo.FetchMaxBytes(int32(s.FetchMaxBytes)),
		kgo.FetchMaxPartitionBytes(int32(s.MaxPartitionFetchBytes)),
		kgo.FetchMaxWait(max(s.FetchMaxWait, 10*time.Millisecond)),
		kgo.BrokerMaxReadBytes(int32(min(max(100<<20, 2*s.FetchMaxBytes), 1<<30))),
		kgo.MaxDecompressBatchBytes(maxDecompressedBatchBytes),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.KeepControlRecords(),
	}
	if s.IsolationLevel == "read_committed" {
		opts = append(opts, kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	}
	return opts
}

// begin finds the partitions and where they start.
func (l *TopicLog) begin(ctx context.Context) error {
	partitions, err := partitionsOf(ctx, l.cl, l.topic)
	if err != nil {
		return err
	}
	l.positions, err = l.ends(ctx, partitions, earliestOffset)
	if err != nil {
		return err
	}
	offsets := make(map[int32]kgo.Offset, len(l.positions))
	for p, offset := range l.positions {
		offsets[p] = kgo.NewOffset().At(offset)
	}
	l.cl.AddConsumePartitions(map[string]map[int32]kgo.Offset{l.topic: offsets})
	return nil
}

func partitionsOf(ctx context.Context, cl *kgo.Client, topic string) ([]int32, error) {
	admin := Admin{cl: cl}
	topics, err := admin.Topics(ctx, topic)
	if err != nil {
		return nil, err
	}
	t, ok := topics[topic]
	if !ok {
		return nil, newError("read topic", topic, kerr.UnknownTopicOrPartition)
	}
	partitions := make([]int32, t.Partitions)
	for i := range partitions {
		partitions[i] = int32(i)
	}
	return partitions, nil
}

func (l *TopicLog) ends(ctx context.Context, partitions []int32, which int64) (map[int32]int64, error) {
	list := make([]TopicPartition, len(partitions))
	for i, p := range partitions {
		list[i] = TopicPartition{l.topic, p}
	}
	// The end is that of all records, also when only those that are committed are read: what an open transaction hides may
	// stand behind what somebody else has committed, so that reading to the end waits for transactions that are open.
	found, err := listOffsets(ctx, l.cl, list, which, false)
	if err != nil {
		return nil, err
	}
	offsets := make(map[int32]int64, len(found))
	for tp, offset := range found {
		offsets[tp.Partition] = offset
	}
	return offsets, nil
}

// read is the goroutine that applies records.
func (l *TopicLog) read(ctx context.Context) {
	defer close(l.stopped)
	for {
		fetches := l.cl.PollFetches(ctx)
		if ctx.Err() != nil || fetches.IsClientClosed() {
			return
		}
		var records []LogRecord
		reached := map[int32]int64{}
		fetches.EachRecord(func(r *kgo.Record) {
			reached[r.Partition] = r.Offset + 1
			if !r.Attrs.IsControl() {
				// Copied: a small value must not keep a whole fetch in memory (I-4).
				records = append(records, LogRecord{r.Partition, r.Offset, bytes.Clone(r.Key), bytes.Clone(r.Value)})
			}
		})
		if len(records) > 0 {
			l.apply(records)
		}
		l.advance(reached, fetches.Err())
	}
}

func (l *TopicLog) advance(reached map[int32]int64, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failed = err
	for p, offset := range reached {
		l.positions[p] = offset
	}
	close(l.moved)
	l.moved = make(chan struct{})
}

// ReadToEnd returns when everything that was in the topic when it was called has
// been applied, or an error that says where reading stands when ctx ends.
func (l *TopicLog) ReadToEnd(ctx context.Context) error {
	ends, err := l.latest(ctx)
	if err != nil {
		return err
	}
	partitions := slices.Sorted(maps.Keys(ends))
	for {
		l.mu.Lock()
		behind, moved, failed := l.behind(partitions, ends), l.moved, l.failed
		l.mu.Unlock()
		if behind == "" {
			return nil
		}
		select {
		case <-moved:
		case <-l.stopped:
			return newError("read topic", l.topic, kgo.ErrClientClosed)
		case <-ctx.Done():
			cause := fmt.Errorf("not at its end in time: %s: %w", behind, ctx.Err())
			if failed != nil {
				cause = fmt.Errorf("%w; %w", cause, failed)
			}
			return &Error{Op: "read topic", Subject: l.topic, Retriable: true, cause: cause}
		}
	}
}

// behind describes the first partition that is not at its end; empty when all are.
func (l *TopicLog) behind(partitions []int32, ends map[int32]int64) string {
	for _, p := range partitions {
		if at := l.positions[p]; at < ends[p] {
			return fmt.Sprintf("partition %d is at offset %d of %d", p, at, ends[p])
		}
	}
	return ""
}

// Append writes the entries and returns when all replicas have them. Entries of
// one partition keep their order. After an error some entries may have been
// written, a beginning of each partition's; after the end of ctx all may follow later.
func (l *TopicLog) Append(ctx context.Context, entries ...LogEntry) error {
	if len(entries) == 0 {
		return nil
	}
	for {
		done := make(chan error, 1)
		l.Send(ctx, func(err error) { done <- err }, entries...)
		select {
		case err := <-done:
			if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
				if ctx.Err() == nil {
					continue // somebody else's time was up, whose record came first in a batch with ours; nothing of it was sent
				}
			}
			return err
		case <-ctx.Done():
			return &Error{
				Op: "write topic", Subject: l.topic, Retriable: true,
				cause: fmt.Errorf("no acknowledgement in time, it may or may not be written: %w", ctx.Err()),
			}
		}
	}
}

// Send is Append without the wait: it returns when the entries are in the
// producer's buffer, and done is called once, as Producer.Produce says.
func (l *TopicLog) Send(ctx context.Context, done func(error), entries ...LogEntry) {
	producer, err := l.writer.now()
	if err != nil {
		done(newError("write topic", l.topic, err))
		return
	}
	batch := producer.NewBatch(len(entries))
	for _, e := range entries {
		batch.Append(l.topic, PartitionAny, TimestampNow, bytes.Clone(e.Key), bytes.Clone(e.Value))
	}
	producer.Produce(ctx, batch, func(r BatchResult) { done(l.writer.verdict(producer, l.topic, r.Err())) })
}

// Cut gives up what was written and is not acknowledged: none of it arrives later, after what another worker has written
// since. Its writers get an error that is retriable. It does not wait.
func (l *TopicLog) Cut() { l.writer.cut() }

// Flush returns when what was sent before is acknowledged or refused, or with ctx's error.
func (l *TopicLog) Flush(ctx context.Context) error {
	producer, err := l.writer.now()
	if err != nil {
		return newError("write topic", l.topic, err)
	}
	return producer.Flush(ctx)
}

// BufferedBytes is the size of what was sent and is not acknowledged.
func (l *TopicLog) BufferedBytes() int64 {
	producer, err := l.writer.now()
	if err != nil {
		return 0
	}
	return producer.BufferedBytes()
}

// Health says whether brokers answer the reader, or else the writer.
func (l *TopicLog) Health() Health {
	if h := l.health.snapshot(); !h.OK() {
		return h
	}
	producer, err := l.writer.now()
	if err != nil {
		return Health{}
	}
	return producer.Health()
}

// closeTimeout bounds how long Close waits for writes that are on their way.
const closeTimeout = time.Second

// Close ends reading and waits a moment for writes on their way. One that is cut
// off is no error here: its Append says so to its caller.
func (l *TopicLog) Close() error {
	l.stop()
	<-l.stopped
	l.health.close()
	l.cl.Close()
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	l.writer.close(ctx)
	return nil
}
