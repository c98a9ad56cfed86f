package kafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Producer writes batches of records. It is safe for use by several goroutines;
// batches produced by one goroutine keep their order within each Kafka partition,
// through retries and broker restarts (I-6).
//
// A record waits for as long as it takes (or delivery.timeout.ms) while brokers
// are away; Health says so. Waiting records are bounded by buffer.memory: Produce
// blocks when that is full (I-4).
type Producer struct {
	cl          *kgo.Client
	cfg         ClientConfig
	health      *health
	batches     sync.Pool
	outstanding sync.WaitGroup // batches whose done function has not returned
	topicLimits sync.Map       // topic -> int, as LearnTopicLimit found it
	shared      *TopicLimits   // what others have found; may be nil

	transactionalID string // see NewTransactionalProducer

	mu     sync.Mutex
	closed bool
}

// NewProducer makes a producer. It connects when the first batch comes, so that a
// broker that is away does not fail the start.
func NewProducer(cfg ClientConfig) (*Producer, error) {
	if cfg.Kind != ProducerClient {
		return nil, &Error{Op: "create producer", cause: fmt.Errorf("the configuration is for a %s", cfg.Kind)}
	}
	h := new(health)
	cfg.wires = new(wires)
	p := &Producer{cfg: cfg, health: h}
	cl, err := cfg.newClient(h, kgo.ProducerBatchMaxBytesFn(p.batchLimit))
	if err != nil {
		return nil, newError("create producer", "", err)
	}
	p.cl = cl
	return p, nil
}

// batchLimit bounds a batch, and therefore a record.
func (p *Producer) batchLimit(topic string) int32 {
	limit, _ := p.limit(topic)
	return int32(limit)
}

// limit gives the largest batch for a topic, and the setting that says so.
func (p *Producer) limit(topic string) (bytes int64, setting string) {
	bytes, setting = int64(p.cfg.Producer.MaxRequestBytes), "max.request.size"
	if n, ok := p.topicLimits.Load(topic); ok && int64(n.(int)) < bytes {
		return int64(n.(int)), "max.message.bytes"
	}
	return bytes, setting
}

// RecordLimit gives the largest record, with its framing, that this producer takes for a
// topic, and the setting that says so. The topic's own limit counts once LearnTopicLimit
// has found it. Any goroutine may call it.
func (p *Producer) RecordLimit(topic string) (bytes int64, setting string) {
	bytes, setting = p.limit(topic)
	if p.cfg.Producer.BufferBytes < bytes {
		return p.cfg.Producer.BufferBytes, "buffer.memory"
	}
	return bytes, setting
}

// Produce sends the batch and returns when every record is in the producer's
// buffer, which is at once unless buffer.memory is used up.
//
// done is called exactly once, after the broker has acknowledged or finally
// refused every record, also when ctx ends or the producer is closed. It runs on
// the client's own goroutine (for an empty batch or a closed producer on the caller's) and
// must neither block nor produce. Batches may finish in another order than they were
// produced in when they go to different partitions.
//
// When ctx ends, records that were not sent yet fail with its error. A record
// that is on its way to a broker is decided by the answer: only Close cuts it off.
func (p *Producer) Produce(ctx context.Context, b *Batch, done func(BatchResult)) {
	b.done = done
	b.pending = len(b.records)
	if !p.begin() {
		for i := range b.records {
			b.failed = append(b.failed, p.recordError(i, &b.records[i], kgo.ErrClientClosed))
		}
		p.outstanding.Add(1)
		b.complete()
		return
	}
	if len(b.records) == 0 {
		b.complete()
		return
	}
	b.produceAll(ctx, p.cl)
}

// begin counts a batch unless the producer is closed, so that Close waits for
// exactly the batches that got in.
func (p *Producer) begin() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	p.outstanding.Add(1)
	return true
}

// Flush sends what lingers and returns when every record produced before the
// call is decided and its batch reported, or with ctx's error.
func (p *Producer) Flush(ctx context.Context) error {
	return newError("flush producer", "", p.cl.Flush(ctx))
}

// BufferedBytes is the size of keys, values and headers that wait for an acknowledgement.
func (p *Producer) BufferedBytes() int64 { return p.cl.BufferedProduceBytes() }

// Health says whether brokers answer. It is cheap enough for every status request.
func (p *Producer) Health() Health { return p.health.snapshot() }

// Close waits until all records are decided or ctx ends, fails the rest with
// ErrClosed, waits until every done function has returned and frees the
// connections. Later Produce calls fail their batch. It returns ctx's error when
// records had to be failed.
func (p *Producer) Close(ctx context.Context) error {
	p.mu.Lock()
	again := p.closed
	p.closed = true
	p.mu.Unlock()
	if again {
		p.outstanding.Wait()
		return nil
	}
	err := p.cl.Flush(ctx)
	p.health.close()
	if err != nil {
		p.cfg.wires.cut() // what is given up must not arrive later, among what a successor repeats (I-6)
	}
	p.cl.Close()
	p.outstanding.Wait()
	return newError("close producer", "", err)
}

// abort is Close without the wait for what is on its way: when it returns, what has not left this machine never will. closed
// is closed when every done function has returned.
func (p *Producer) abort() (closed <-chan struct{}) {
	p.cfg.wires.cut()
	done := make(chan struct{})
	go func() {
		defer close(done)
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = p.Close(ctx)
	}()
	return done
}

// recordError explains a record's failure to the person who reads it.
func (p *Producer) recordError(index int, r *kgo.Record, err error) RecordError {
	c := classify(err)
	if advice := missingRight("produce", "topic "+r.Topic, c.code); advice != "" {
		c.advice = advice
	}
	e := RecordError{
		Index: index, Topic: r.Topic, Partition: r.Partition, Bytes: recordBytes(r),
		Kind: c.kind, Code: c.code, Advice: c.advice, Retriable: c.retriable, cause: plainCause(err),
	}
	if errors.Is(c.kind, ErrMessageTooLarge) {
		e.Advice, e.cause = p.tooLarge(r.Topic, e.Bytes)
	}
	if errors.Is(c.kind, ErrClosed) {
		e.cause = errors.New("the producer was closed before the record was acknowledged")
	}
	return e
}

// tooLarge tells the limits apart: the client's own and the topic's, which are
// known, and one of the broker's, which is not.
func (p *Producer) tooLarge(topic string, bytes int64) (advice string, cause error) {
	limit, key := p.RecordLimit(topic)
	// A record carries some bytes of framing beside its own.
	if bytes+recordOverheadBytes <= limit {
		return fmt.Sprintf("raise the topic's max.message.bytes (or the broker's message.max.bytes), or lower max.request.size, now %d, to that limit", p.cfg.Producer.MaxRequestBytes),
			fmt.Errorf("the broker refused the request as too large; the record has %d bytes", bytes)
	}
	cause = fmt.Errorf("the record has %d bytes, %s allows %d with its framing", bytes, key, limit)
	if key == "max.message.bytes" {
		return "raise max.message.bytes of the topic and restart the task, or keep such records out", cause
	}
	return fmt.Sprintf("raise %s (producer.override.%s in the connector) and the topic's max.message.bytes, or keep such records out", key, key), cause
}

// recordOverheadBytes is the largest framing of a single record in a batch.
const recordOverheadBytes = 128

func sortByIndex(failed []RecordError) {
	if len(failed) > 1 {
		slices.SortFunc(failed, func(a, b RecordError) int { return cmp.Compare(a.Index, b.Index) })
	}
}
