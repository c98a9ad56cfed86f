package task

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/tailrace/tailrace/host/kafka"
)

// DeadLetterConfig is what a dead letter topic needs.
type DeadLetterConfig struct {
	ID    ID
	Topic string
	// ContextHeaders adds the headers that say where and why a record failed.
	ContextHeaders bool
	// Producer is closed by Close.
	Producer Producer
	// Lookup reads records again by their coordinates; those that are gone stay
	// without. Close closes it. nil where every record is at hand.
	Lookup RecordLookup
	// LookupTimeout bounds one such reading, 30 s if 0.
	LookupTimeout time.Duration
	// Mask hides secrets in texts (I-9); nil for none.
	Mask   func(text string) string
	Logger *slog.Logger
}

// RecordLookup reads records again by their coordinates; *kafka.Lookup is one.
type RecordLookup interface {
	Find(ctx context.Context, wanted map[kafka.TopicPartition][]int64, found func(kafka.TopicPartition, int64, kafka.FoundRecord)) error
	Close()
}

var _ RecordLookup = (*kafka.Lookup)(nil)

const defaultLookupTimeout = 30 * time.Second

// DeadLetterTopic is DeadLetters in a Kafka topic.
//
// Records at hand go to the producer at once. One that must be read again first
// holds those behind it, on a goroutine of its own, so that neither order is
// lost nor the task held.
type DeadLetterTopic struct {
	cfg     DeadLetterConfig
	closing context.Context // ends readings when the topic is closed
	cut     context.CancelFunc

	mu      sync.Mutex
	waiting int           // sends whose fate is open
	idle    chan struct{} // closed when waiting is 0
	queue   []letters     // behind a reading that is under way
	reading bool
}

// letters are the records of one Send.
type letters struct {
	records []Errant
	done    func(error)
}

var _ DeadLetters = (*DeadLetterTopic)(nil)

// NewDeadLetterTopic prepares the topic; EnsureDeadLetterTopic creates it.
func NewDeadLetterTopic(cfg DeadLetterConfig) *DeadLetterTopic {
	if cfg.Mask == nil {
		cfg.Mask = func(text string) string { return text }
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.LookupTimeout <= 0 {
		cfg.LookupTimeout = defaultLookupTimeout
	}
	d := &DeadLetterTopic{cfg: cfg, idle: make(chan struct{})}
	close(d.idle)
	d.closing, d.cut = context.WithCancel(context.Background())
	return d
}

// EnsureDeadLetterTopic creates the topic of dead letters unless it exists: one
// partition, as Kafka Connect does.
func EnsureDeadLetterTopic(ctx context.Context, admin TopicAdmin, topic string, replicationFactor int16, configs map[string]string) error {
	found, err := admin.Topics(ctx, topic)
	if err == nil {
		if _, exists := found[topic]; exists {
			return nil
		}
		err = admin.CreateTopic(ctx, kafka.NewTopic{Name: topic, Partitions: 1, ReplicationFactor: replicationFactor, Configs: configs})
	}
	if err == nil || errors.Is(err, kafka.ErrTopicExists) {
		return nil
	}
	return fmt.Errorf("Could not initialize dead letter queue with topic=%s; check errors.deadletterqueue.topic.*: %w", topic, err) //nolint:staticcheck // Kafka's text
}

// Send hands records to the producer; it waits only when the producer's buffer is full.
func (d *DeadLetterTopic) Send(ctx context.Context, records []Errant, done func(error)) {
	l := letters{records, done}
	d.mu.Lock()
	if d.waiting == 0 {
		d.idle = make(chan struct{})
	}
	d.waiting++
	later := d.reading || !complete(records)
	if later {
		d.queue = append(d.queue, l)
		if !d.reading {
			d.reading = true
			go d.readAndProduce() //nolint:contextcheck // the readings end with Close
		}
	}
	d.mu.Unlock()
	if !later {
		d.produce(ctx, l)
	}
}

func complete(records []Errant) bool {
	for i := range records {
		if !records[i].HasRecord {
			return false
		}
	}
	return true
}

// readAndProduce empties the queue, in order.
func (d *DeadLetterTopic) readAndProduce() {
	for {
		d.mu.Lock()
		if len(d.queue) == 0 {
			d.reading = false
			d.mu.Unlock()
			return
		}
		l := d.queue[0]
		d.queue[0] = letters{}
		d.queue = d.queue[1:]
		d.mu.Unlock()
		if err := d.read(l.records); err != nil {
			d.decided(l, &DeadLetterError{Topic: d.cfg.Topic, Err: err})
			continue
		}
		d.produce(d.closing, l)
	}
}

// read fills in the records that are only known by their coordinates.
func (d *DeadLetterTopic) read(records []Errant) error {
	type place struct {
		tp     kafka.TopicPartition
		offset int64
	}
	wanted := map[kafka.TopicPartition][]int64{}
	places := map[place]*Errant{}
	for i := range records {
		e := &records[i]
		if e.HasRecord {
			continue
		}
		tp := kafka.TopicPartition{Topic: e.Topic, Partition: e.Partition}
		wanted[tp] = append(wanted[tp], e.Offset)
		places[place{tp, e.Offset}] = e
	}
	if len(wanted) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(d.closing, d.cfg.LookupTimeout)
	defer cancel()
	err := d.cfg.Lookup.Find(ctx, wanted, func(tp kafka.TopicPartition, offset int64, found kafka.FoundRecord) {
		if e := places[place{tp, offset}]; e != nil {
			e.HasRecord, e.Key, e.Value, e.Headers, e.TimestampMillis = true, found.Key, found.Value, found.Headers, found.TimestampMillis
		}
	})
	if err != nil {
		return fmt.Errorf("cannot read the errant records again: %w", err)
	}
	for i := range records {
		if e := &records[i]; !e.HasRecord {
			d.cfg.Logger.Error("a record that the task reports is gone from its topic; its dead letter has no key, value and headers",
				"topic", e.Topic, "partition", e.Partition, "offset", e.Offset)
		}
	}
	return nil
}

func (d *DeadLetterTopic) produce(ctx context.Context, l letters) {
	batch := d.cfg.Producer.NewBatch(len(l.records))
	limit, setting := d.cfg.Producer.RecordLimit(d.cfg.Topic)
	cuts, first := 0, ""
	for i := range l.records {
		made := d.letterOf(&l.records[i])
		if bytes := made.bytes(); bytes > limit {
			reason := tooLarge(d.cfg.Topic, bytes, limit, setting, l.records[i].Source != nil)
			made.cut(limit, reason)
			if cuts++; cuts == 1 {
				first = reason
			}
		}
		made.appendTo(batch, d.cfg.Topic)
	}
	if cuts > 0 {
		d.cfg.Logger.Error("dead letters are too large for their topic and were cut", "letters", cuts, "first", first)
	}
	// Once handed over, a dead letter is not taken back: its fate is the broker's answer.
	d.cfg.Producer.Produce(context.WithoutCancel(ctx), batch, func(result kafka.BatchResult) {
		err := result.Err()
		if err == nil {
			d.decided(l, nil)
			return
		}
		d.cfg.Logger.Error("Could not produce message to dead letter queue. topic="+d.cfg.Topic, "records", len(result.Failed), "error", err)
		d.decided(l, &DeadLetterError{Topic: d.cfg.Topic, Err: err})
	})
}

func (d *DeadLetterTopic) decided(l letters, err error) {
	if l.done != nil {
		l.done(err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.waiting--; d.waiting == 0 {
		close(d.idle)
	}
}

// Flush returns when everything that was sent is decided, or with ctx's error.
func (d *DeadLetterTopic) Flush(ctx context.Context) error {
	d.mu.Lock()
	idle := d.idle
	d.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("the dead letters on their way to topic %s are not acknowledged yet: %w", d.cfg.Topic, ctx.Err())
	}
}

// Close gives up what is not acknowledged when ctx ends.
func (d *DeadLetterTopic) Close(ctx context.Context) error {
	err := d.Flush(ctx)
	d.cut()
	if closed := d.cfg.Producer.Close(ctx); err == nil {
		err = closed
	}
	d.mu.Lock()
	idle := d.idle
	d.mu.Unlock()
	<-idle // the producer has failed what was left, and readings were cut
	if d.cfg.Lookup != nil {
		d.cfg.Lookup.Close()
	}
	return err
}

// DeadLetterError says that Kafka refused a dead letter for good.
type DeadLetterError struct {
	Topic string
	Err   error
}

func (e *DeadLetterError) Error() string {
	return "the dead letter topic " + e.Topic + " did not take a record: " + e.Err.Error()
}

// Unwrap is what Kafka said.
func (e *DeadLetterError) Unwrap() error { return e.Err }
