package task

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"

	"github.com/tailrace/tailrace/host/convert"
	"github.com/tailrace/tailrace/host/kafka"
	"github.com/tailrace/tailrace/host/plugin"
)

// DeadLetterConfig is what a dead letter topic needs.
type DeadLetterConfig struct {
	ID    ID
	Topic string
	// ContextHeaders adds the headers that say where and why a record failed.
	ContextHeaders bool
	// Producer is closed by Close.
	Producer Producer
	// Lookup reads records again by their coordinates; those that are gone stay without.
	Lookup func(ctx context.Context, records []Errant) error
	// Mask hides secrets in texts (I-9); nil for none.
	Mask   func(text string) string
	Logger *slog.Logger
}

// DeadLetterTopic is DeadLetters in a Kafka topic. One goroutine uses it.
type DeadLetterTopic struct {
	cfg DeadLetterConfig

	mu      sync.Mutex
	waiting int
	failed  error // the first failure since the last Flush
	decided chan struct{}
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
	return &DeadLetterTopic{cfg: cfg, decided: make(chan struct{}, 1)}
}

// EnsureDeadLetterTopic creates the topic of dead letters unless it exists: one
// partition, as Kafka Connect does.
func EnsureDeadLetterTopic(ctx context.Context, admin TopicAdmin, topic string, replicationFactor int16) error {
	found, err := admin.Topics(ctx, topic)
	if err == nil {
		if _, exists := found[topic]; exists {
			return nil
		}
		err = admin.CreateTopic(ctx, kafka.NewTopic{Name: topic, Partitions: 1, ReplicationFactor: replicationFactor})
	}
	if err == nil || errors.Is(err, kafka.ErrTopicExists) {
		return nil
	}
	return fmt.Errorf("Could not initialize dead letter queue with topic=%s; check errors.deadletterqueue.topic.*: %w", topic, err) //nolint:staticcheck // Kafka's text
}

// Send hands records to the producer; it waits only when the producer's buffer is full.
func (d *DeadLetterTopic) Send(ctx context.Context, records []Errant) error {
	if err := d.lookup(ctx, records); err != nil {
		return err
	}
	batch := d.cfg.Producer.NewBatch(len(records))
	for i := range records {
		d.append(batch, &records[i])
	}
	d.mu.Lock()
	d.waiting++
	d.mu.Unlock()
	// Once handed over, a dead letter is not taken back: its fate is the broker's answer.
	d.cfg.Producer.Produce(context.WithoutCancel(ctx), batch, d.done)
	return nil
}

func (d *DeadLetterTopic) lookup(ctx context.Context, records []Errant) error {
	for i := range records {
		if records[i].HasRecord {
			continue
		}
		if err := d.cfg.Lookup(ctx, records); err != nil {
			return fmt.Errorf("cannot read the errant records again for the dead letter topic %s: %w", d.cfg.Topic, err)
		}
		break
	}
	for i := range records {
		if e := &records[i]; !e.HasRecord {
			d.cfg.Logger.Error("a record that the task reports is gone from its topic; its dead letter has no key, value and headers",
				"topic", e.Topic, "partition", e.Partition, "offset", e.Offset)
		}
	}
	return nil
}

func (d *DeadLetterTopic) done(result kafka.BatchResult) {
	err := result.Err()
	if err != nil {
		d.cfg.Logger.Error("Could not produce message to dead letter queue. topic="+d.cfg.Topic, "records", len(result.Failed), "error", err)
	}
	d.mu.Lock()
	d.waiting--
	if err != nil && d.failed == nil {
		d.failed = err
	}
	d.mu.Unlock()
	select {
	case d.decided <- struct{}{}:
	default:
	}
}

// Flush returns when everything that was sent is decided, with the first failure
// since the last Flush, or with ctx's error.
func (d *DeadLetterTopic) Flush(ctx context.Context) error {
	for {
		d.mu.Lock()
		waiting, failed := d.waiting, d.failed
		if waiting == 0 {
			d.failed = nil
		}
		d.mu.Unlock()
		if waiting == 0 {
			if failed != nil {
				return &DeadLetterError{Topic: d.cfg.Topic, Err: failed}
			}
			return nil
		}
		select {
		case <-d.decided:
		case <-ctx.Done():
			return fmt.Errorf("the dead letters on their way to topic %s are not acknowledged yet: %w", d.cfg.Topic, ctx.Err())
		}
	}
}

// Close gives up what is not acknowledged when ctx ends.
func (d *DeadLetterTopic) Close(ctx context.Context) error { return d.cfg.Producer.Close(ctx) }

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

// append writes one dead letter: the original bytes, headers and timestamp, then
// Kafka Connect's headers about the failure (reference section 5.6).
func (d *DeadLetterTopic) append(b *kafka.Batch, e *Errant) {
	b.Append(d.cfg.Topic, kafka.PartitionAny, e.TimestampMillis, e.Key, e.Value)
	for i := range e.Headers.Len() {
		b.AppendHeader(e.Headers.At(i))
	}
	if !d.cfg.ContextHeaders {
		return
	}
	class, message, hasMessage := cause(e.Err)
	text := func(name, value string) { b.AppendHeader(headerPrefix+name, []byte(value)) }
	text("topic", e.Topic)
	text("partition", strconv.Itoa(int(e.Partition)))
	text("offset", strconv.FormatInt(e.Offset, 10))
	text("connector.name", d.cfg.ID.Connector)
	text("task.id", strconv.Itoa(d.cfg.ID.Task))
	text("stage", e.Stage)
	text("class.name", e.Class)
	text("exception.class.name", class)
	if hasMessage {
		text("exception.message", d.cfg.Mask(message))
	} else {
		b.AppendHeader(headerPrefix+"exception.message", nil)
	}
	text("exception.stacktrace", d.cfg.Mask(strings.TrimRight(Trace(rootOf(e.Err)), "\n")+"\n"))
}

const headerPrefix = "__connect.errors."

// rootOf leaves out what only says where in the host an error was met, so that the
// class and the message are those that Kafka Connect would show.
func rootOf(err error) error {
	var remote *plugin.RemoteError
	if errors.As(err, &remote) {
		return remote
	}
	var conversion *convert.Error
	if errors.As(err, &conversion) {
		return conversion
	}
	return err
}

// cause gives the class and the message of an error; a Java error need not have one.
func cause(err error) (class, message string, hasMessage bool) {
	class, message, _ = describe(rootOf(err))
	return class, message, message != ""
}
