package task

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tailrace/tailrace/host/config"
	"github.com/tailrace/tailrace/host/convert"
	"github.com/tailrace/tailrace/host/kafka"
	"github.com/tailrace/tailrace/host/plugin"
	"github.com/tailrace/tailrace/host/transform"
	"github.com/tailrace/tailrace/sdk/go/data"
)

func chain(t testing.TB, predicates map[string]config.Predicate, steps ...config.Transform) *transform.Chain {
	t.Helper()
	c, err := transform.FromConfig(steps, predicates, nil)
	require.NoError(t, err)
	return c
}

// router sends every record to another topic.
func router(to string) config.Transform {
	return config.Transform{Alias: "route", Class: "RegexRouter", Config: map[string]string{"regex": ".*", "replacement": to}}
}

func TestASourceThatDropsEverythingStillGetsOn(t *testing.T) {
	addr := startBroker(t, kafka.EmbeddedConfig{}).Addr()
	b := startSource(t, addr, func(cfg *SourceConfig, _ *scriptedSource) {
		cfg.Transforms = chain(t, nil, config.Transform{Alias: "drop", Class: "Filter"})
	})
	b.stream.emit(plugin.Started{})
	p := b.stream.partition(t, map[string]any{"file": "a"})
	b.stream.lines(t, "out", "line", p, 100)
	eventually(t, "commit of the last record", func() bool { return b.stream.lastCommit() == 100 })
	require.Equal(t, `{"position":100}`, b.store.value(t, srcKey)) // I-1
	require.EqualValues(t, 100, b.task.Snapshot().Filtered)
	b.task.Stop()
	require.NoError(t, b.wait(t))
}

func TestASourceWritesToTheTopicThatATransformGives(t *testing.T) {
	addr := startBroker(t, kafka.EmbeddedConfig{}).Addr()
	b := startSource(t, addr, func(cfg *SourceConfig, _ *scriptedSource) { cfg.Transforms = chain(t, nil, router("elsewhere")) })
	b.stream.emit(plugin.Started{})
	p := b.stream.partition(t, map[string]any{"file": "a"})
	b.stream.lines(t, "out", "line", p, 100)
	for i, v := range readTopic(t, addr, "elsewhere", 100) { // I-6
		require.Equal(t, "line-"+strconv.Itoa(i+1), v)
	}
	b.task.Stop()
	require.NoError(t, b.wait(t))
	require.Equal(t, []string{"elsewhere"}, b.seen.topics)
}

func TestASinkCommitsByTheOriginalTopicAndOverDroppedRecords(t *testing.T) {
	addr := startBroker(t, kafka.EmbeddedConfig{}).Addr()
	fill(t, addr, 0, 9)
	b := startSink(t, addr, func(cfg *SinkConfig) { cfg.Transforms = chain(t, nil, router("elsewhere")) }, nil)
	eventually(t, "the records", func() bool { s := b.stream(0); return s != nil && s.count() == 10 })
	eventually(t, "the commit", func() bool { return committedOf(t, addr) == 10 }) // KIP-793
	b.task.Stop()
	require.NoError(t, b.wait(t))

	b = startSink(t, addr, func(cfg *SinkConfig) {
		cfg.Transforms = chain(t, nil, config.Transform{Alias: "drop", Class: "Filter"})
	}, nil)
	fill(t, addr, 10, 19)
	eventually(t, "the commit over dropped records", func() bool { return committedOf(t, addr) == 20 })
	require.EqualValues(t, 10, b.task.Snapshot().Filtered)
	require.Zero(t, b.stream(0).count())
	require.Equal(t, []string{"in"}, b.seen.topics, "what transforms make of the records does not count")
	b.task.Stop()
	require.NoError(t, b.wait(t))
}

// deadLetters opens a dead letter topic on the broker.
func deadLetters(t testing.TB, addr string, producer map[string]string) func(context.Context) (DeadLetters, error) {
	return func(ctx context.Context) (DeadLetters, error) {
		if err := EnsureDeadLetterTopic(ctx, newAdmin(t, addr), "letters", 1, nil); err != nil {
			return nil, err
		}
		return NewDeadLetterTopic(DeadLetterConfig{
			ID: ID{"snk", 0}, Topic: "letters", ContextHeaders: true, Producer: newProducer(t, addr, producer), Logger: testLogger(t),
			Lookup: newLookup(t, addr),
		}), nil
	}
}

func newLookup(t testing.TB, addr string) *kafka.Lookup {
	t.Helper()
	l, err := kafka.NewLookup(clientConfig(t, kafka.ConsumerClient, addr, nil))
	require.NoError(t, err)
	return l
}

func TestARecordThatTheTaskReportsIsADeadLetterOnceBeforeTheAnswer(t *testing.T) {
	addr := startBroker(t, kafka.EmbeddedConfig{}).Addr()
	fill(t, addr, 0, 9)
	b := startSink(t, addr, func(cfg *SinkConfig) {
		cfg.Errors.TolerateAll = true
		cfg.OpenDeadLetters = deadLetters(t, addr, nil)
		cfg.Timing.OffsetFlushInterval = time.Hour
	}, nil)
	eventually(t, "the records", func() bool { s := b.stream(0); return s != nil && s.count() == 10 })
	s := b.stream(0)
	report := plugin.RecordErrors{RequestID: 1, Records: []plugin.RecordError{
		{Seq: 4, Err: &plugin.RemoteError{Message: "no such table", Class: "java.sql.SQLException"}},
		{Seq: 7, Err: &plugin.RemoteError{Message: "no such table", Class: "java.sql.SQLException"}},
	}}
	s.emit(report)
	s.emit(report) // again: reported already
	eventually(t, "the answers", func() bool { s.mu.Lock(); defer s.mu.Unlock(); return len(s.handled) == 2 })
	require.NoError(t, s.handled[0])
	require.NoError(t, s.handled[1])
	runs := readRecorded(t, addr, "letters", 2)
	require.Equal(t, 2, runs[0].Len())
	header := map[string]string{}
	for j := range runs[0].Headers(0).Len() {
		name, value := runs[0].Headers(0).At(j)
		header[name] = string(value)
	}
	require.Equal(t, "3", header["__connect.errors.offset"])
	require.Equal(t, "TASK_PUT", header["__connect.errors.stage"])
	require.Equal(t, "org.apache.kafka.connect.sink.SinkTask", header["__connect.errors.class.name"])
	require.Equal(t, "java.sql.SQLException", header["__connect.errors.exception.class.name"])
	require.Equal(t, "no such table", header["__connect.errors.exception.message"])
	require.NotEmpty(t, runs[0].Value(0)) // read again from the topic
	b.task.Stop()
	require.NoError(t, b.wait(t))
	require.EqualValues(t, 2, b.task.Snapshot().DeadLetters)
}

func TestTheRecordThatEndsATaskIsADeadLetterToo(t *testing.T) {
	addr := startBroker(t, kafka.EmbeddedConfig{}).Addr()
	fill(t, addr, 0, 0) // no JSON
	b := startSink(t, addr, func(cfg *SinkConfig) {
		cfg.Converters = converters(t, "JsonConverter", map[string]string{"schemas.enable": "false"})
		cfg.OpenDeadLetters = deadLetters(t, addr, nil)
	}, nil)
	require.ErrorContains(t, b.wait(t), "Tolerance exceeded in error handler")
	readRecorded(t, addr, "letters", 1)
}

func TestADeadLetterThatKafkaRefusesIsCountedAndTheSinkGoesOn(t *testing.T) {
	addr := startBroker(t, kafka.EmbeddedConfig{}).Addr()
	fill(t, addr, 0, 9) // no JSON
	b := startSink(t, addr, func(cfg *SinkConfig) {
		cfg.Converters = converters(t, "JsonConverter", map[string]string{"schemas.enable": "false"})
		cfg.Errors.TolerateAll = true
		cfg.OpenDeadLetters = deadLetters(t, addr, map[string]string{"max.request.size": "512"}) // their headers do not fit
	}, nil)
	eventually(t, "the commit", func() bool { return committedOf(t, addr) == 10 })
	eventually(t, "the account", func() bool { return b.task.Snapshot().DeadLetterFailures > 0 }) // told behind the commit
	b.task.Stop()
	require.NoError(t, b.wait(t))
}

func TestRetriableFailuresOfAConverterHoldTheSinkAndPass(t *testing.T) {
	addr := startBroker(t, kafka.EmbeddedConfig{}).Addr()
	fill(t, addr, 0, 9)
	b := startSink(t, addr, func(cfg *SinkConfig) {
		cfg.Errors.RetryTimeout, cfg.Errors.RetryDelayMax = time.Minute, time.Millisecond
		cfg.Value = &awayConverter{Converter: cfg.Value, failures: 3}
	}, nil)
	eventually(t, "the records", func() bool { s := b.stream(0); return s != nil && s.count() == 10 })
	require.EqualValues(t, 3, b.task.Snapshot().Retries)
	b.task.Stop()
	require.NoError(t, b.wait(t))
}

// awayConverter fails some times as a registry that is away.
type awayConverter struct {
	convert.Converter
	failures int
}

func (c *awayConverter) ToConnect(dst []byte, topic string, kafka []byte) (schema *data.Schema, after []byte, err error) {
	if c.failures > 0 {
		c.failures--
		return nil, dst, &convert.Error{Class: "org.apache.kafka.connect.errors.RetriableException", Message: "away"}
	}
	return c.Converter.ToConnect(dst, topic, kafka)
}

// As in Kafka Connect: what came before the record that ends the task is in Kafka, and is not read again.
func TestASourceKeepsTheOffsetsBeforeTheRecordThatATransformCannotTake(t *testing.T) {
	addr := startBroker(t, kafka.EmbeddedConfig{}).Addr()
	b := startSource(t, addr, func(cfg *SourceConfig, _ *scriptedSource) {
		cfg.Timing.OffsetFlushInterval = time.Hour
		cfg.Transforms = chain(t, nil, config.Transform{Alias: "cast", Class: "Cast$Value", Config: map[string]string{"spec": "int32"}})
	})
	b.stream.emit(plugin.Started{})
	p := b.stream.partition(t, map[string]any{"file": "a"})
	b.stream.emit(b.stream.batch(t, "out", p, 1, []string{"1", "two", "3"}))
	require.ErrorContains(t, b.wait(t), StageTransformation)
	require.Equal(t, `{"position":1}`, b.store.value(t, srcKey)) // I-1
	require.Equal(t, []string{"1"}, readTopic(t, addr, "out", 1))
	require.Equal(t, []string{"out"}, b.seen.topics)
}
