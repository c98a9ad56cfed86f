package task

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tailrace/tailrace/host/config"
	"github.com/tailrace/tailrace/host/convert"
	"github.com/tailrace/tailrace/host/kafka"
	"github.com/tailrace/tailrace/host/plugin"
	"github.com/tailrace/tailrace/sdk/go/data"
)

// pickyConverter refuses values that hold "bad".
type pickyConverter struct{ convert.Converter }

func (c *pickyConverter) FromConnect(dst []byte, topic string, schema *data.Schema, wire []byte) (out, after []byte, err error) {
	if bytes.Contains(wire, []byte("bad")) {
		return nil, dst, &convert.Error{Class: convert.DataException, Message: "bad value"}
	}
	return c.Converter.FromConnect(dst, topic, schema, wire)
}

// sourceLetters opens a dead letter topic for a source.
func sourceLetters(t testing.TB, addr string) func(context.Context) (DeadLetters, error) {
	return func(ctx context.Context) (DeadLetters, error) {
		if err := EnsureDeadLetterTopic(ctx, newAdmin(t, addr), "letters", 1, map[string]string{"max.message.bytes": "1000000"}); err != nil {
			return nil, err
		}
		return NewDeadLetterTopic(DeadLetterConfig{ID: ID{"src", 0}, Topic: "letters", ContextHeaders: true, Producer: newProducer(t, addr, nil), Logger: testLogger(t)}), nil
	}
}

func letterHeaders(run *kafka.Run, i int) map[string]string {
	headers := map[string]string{}
	for j := range run.Headers(i).Len() {
		name, value := run.Headers(i).At(j)
		headers[name] = string(value)
	}
	return headers
}

func createTopic(t testing.TB, addr, name string, configs map[string]string) {
	t.Helper()
	require.NoError(t, newAdmin(t, addr).CreateTopic(t.Context(), kafka.NewTopic{Name: name, Partitions: 1, ReplicationFactor: 1, Configs: configs}))
}

// values sends a batch of the values.
func (s *scriptedSource) values(t testing.TB, topic string, partition uint32, values ...string) {
	t.Helper()
	s.mu.Lock()
	first := s.nextSeq
	s.nextSeq += uint64(len(values))
	s.mu.Unlock()
	s.emit(s.batch(t, topic, partition, first, values))
}

// Records that a converter or Kafka refuses are dead letters in their order, once;
// those around them arrive, and the offsets advance.
func TestRefusedRecordsOfASourceBecomeDeadLettersInOrder(t *testing.T) {
	addr := startBroker(t, kafka.EmbeddedConfig{}).Addr()
	createTopic(t, addr, "out", map[string]string{"max.message.bytes": "4000"})
	b := startSource(t, addr, func(cfg *SourceConfig, _ *scriptedSource) {
		cfg.Errors.TolerateAll = true
		cfg.Value = &pickyConverter{cfg.Value}
		cfg.OpenDeadLetters = sourceLetters(t, addr)
	})
	b.stream.emit(plugin.Started{})
	p := b.stream.partition(t, map[string]any{"file": "a"})
	large := strings.Repeat("x", 10_000)
	const batches = 50
	var good, bad []string
	for i := range batches {
		values := make([]string, 0, 103)
		for j := range 100 {
			values = append(values, fmt.Sprintf("line-%d-%d-%s", i, j, strings.Repeat("y", 50)))
		}
		good = append(good, values...)
		first, second, third := fmt.Sprintf("bad-%d", i), fmt.Sprintf("%d-%s", i, large), fmt.Sprintf("bad-%d-2", i)
		values = append(values[:50:50], append([]string{first, second, third}, values[50:]...)...)
		bad = append(bad, first, second, third)
		b.stream.values(t, "out", p, values...)
	}
	last := uint64(batches * 103)
	eventually(t, "commit of the last record", func() bool { return b.stream.lastCommit() == last })
	require.Equal(t, good, readTopic(t, addr, "out", len(good))) // I-6
	n := 0
	for _, run := range readRecorded(t, addr, "letters", len(bad)) {
		for i := range run.Len() {
			h := letterHeaders(run, i)
			require.Equal(t, "out", h["__connect.errors.topic"])
			require.Equal(t, "src", h["__connect.errors.connector.name"])
			require.Equal(t, "0", h["__connect.errors.task.id"])
			require.NotContains(t, h, "__connect.errors.offset")
			if n%3 == 1 {
				require.Equal(t, bad[n], string(run.Value(i)))
				require.Equal(t, "KAFKA_PRODUCE", h["__connect.errors.stage"])
				require.Equal(t, "org.apache.kafka.common.errors.RecordTooLargeException", h["__connect.errors.exception.class.name"])
				require.Equal(t, FormKafka, h["__tailrace.errors.form"])
			} else {
				require.JSONEq(t, `{"schema":{"type":"string","optional":false},"payload":"`+bad[n]+`"}`, string(run.Value(i)))
				require.Equal(t, "VALUE_CONVERTER", h["__connect.errors.stage"])
				require.Equal(t, "StringConverter", h["__connect.errors.class.name"])
				require.Equal(t, "org.apache.kafka.connect.errors.DataException", h["__connect.errors.exception.class.name"])
				require.Equal(t, "bad value", h["__connect.errors.exception.message"])
				require.Equal(t, FormConnect, h["__tailrace.errors.form"])
				require.Equal(t, `{"file":"a"}`, h["__tailrace.errors.source.partition"])
				require.Equal(t, `{"position":`+strconv.Itoa(n/3*103+51+n%3)+`}`, h["__tailrace.errors.source.offset"])
			}
			n++
		}
	}
	require.Equal(t, len(bad), n)
	b.task.Stop()
	require.NoError(t, b.wait(t))
	snap := b.task.Snapshot()
	require.EqualValues(t, len(bad), snap.DeadLetters)
	require.Zero(t, snap.DeadLetterFailures)
	require.EqualValues(t, len(bad), snap.Skipped)
}

// The dead letter of a record that a transform refuses is as it was before that transform.
func TestADeadLetterOfASourceIsAsBeforeTheFailingTransform(t *testing.T) {
	addr := startBroker(t, kafka.EmbeddedConfig{}).Addr()
	b := startSource(t, addr, func(cfg *SourceConfig, _ *scriptedSource) {
		cfg.Errors.TolerateAll = true
		cfg.OpenDeadLetters = sourceLetters(t, addr)
		cfg.Transforms = chain(t, nil,
			config.Transform{Alias: "hoist", Class: "HoistField$Value", Config: map[string]string{"field": "n"}},
			config.Transform{Alias: "number", Class: "Cast$Value", Config: map[string]string{"spec": "n:int32"}},
			config.Transform{Alias: "extract", Class: "ExtractField$Value", Config: map[string]string{"field": "n"}})
	})
	b.stream.emit(plugin.Started{})
	p := b.stream.partition(t, map[string]any{"file": "a"})
	b.stream.values(t, "out", p, "1", "two", "3")
	eventually(t, "commit of the last record", func() bool { return b.stream.lastCommit() == 3 })
	require.Equal(t, []string{"1", "3"}, readTopic(t, addr, "out", 2))
	run := readRecorded(t, addr, "letters", 1)[0]
	require.JSONEq(t, `{"schema":{"type":"struct","optional":false,"fields":[{"type":"string","optional":false,"field":"n"}]},"payload":{"n":"two"}}`, string(run.Value(0)))
	h := letterHeaders(run, 0)
	require.Equal(t, "TRANSFORMATION", h["__connect.errors.stage"])
	require.Equal(t, "number", h["__tailrace.errors.transform"])
	require.Equal(t, "org.apache.kafka.connect.transforms.Cast$Value", h["__connect.errors.class.name"])
	b.task.Stop()
	require.NoError(t, b.wait(t))
}

// A batch that the topic would refuse as a whole is not made: one large record costs no good one.
func TestATopicsLimitRefusesOnlyTheRecordThatPassesIt(t *testing.T) {
	addr := startBroker(t, kafka.EmbeddedConfig{}).Addr()
	createTopic(t, addr, "small", map[string]string{"max.message.bytes": "2000"})
	b := startSource(t, addr, func(cfg *SourceConfig, _ *scriptedSource) { cfg.Errors.TolerateAll = true })
	b.stream.emit(plugin.Started{})
	p := b.stream.partition(t, map[string]any{"file": "a"})
	b.stream.lines(t, "small", strings.Repeat("z", 100), p, 1000)
	b.stream.values(t, "small", p, strings.Repeat("x", 3000))
	eventually(t, "commit of the last record", func() bool { return b.stream.lastCommit() == 1001 })
	require.Len(t, readTopic(t, addr, "small", 1000), 1000)
	require.EqualValues(t, 1, b.task.Snapshot().Skipped)
	b.task.Stop()
	require.NoError(t, b.wait(t))
}

func TestTooManyBadRecordsEndASourceThatToleratesSome(t *testing.T) {
	addr := startBroker(t, kafka.EmbeddedConfig{}).Addr()
	b := startSource(t, addr, func(cfg *SourceConfig, _ *scriptedSource) {
		cfg.Errors.TolerateAll, cfg.Errors.MaxRate, cfg.Errors.RateRecords = true, 0.02, 100
		cfg.Value = &pickyConverter{cfg.Value}
	})
	b.stream.emit(plugin.Started{})
	p := b.stream.partition(t, map[string]any{"file": "a"})
	for range 3 { // two of the last hundred are tolerated
		b.stream.values(t, "out", p, "bad", "bad")
		b.stream.lines(t, "out", "line", p, 98)
	}
	eventually(t, "commit of the last record", func() bool { return b.stream.lastCommit() == 300 })
	b.stream.values(t, "out", p, "bad", "good", "bad", "bad")
	err := b.wait(t)
	require.ErrorContains(t, err, "3 of the last 100 records failed, and errors.tolerance.max.rate allows 2")
	require.ErrorContains(t, err, "VALUE_CONVERTER (StringConverter) failed for record")
}

// The log line of Kafka Connect, with the record only where that is asked for.
func TestTheLogLineOfASourceShowsTheRecordOnRequest(t *testing.T) {
	addr := startBroker(t, kafka.EmbeddedConfig{}).Addr()
	for _, full := range []bool{false, true} {
		var lines lockedLines
		b := startSource(t, addr, func(cfg *SourceConfig, _ *scriptedSource) {
			cfg.Errors = ErrorPolicy{TolerateAll: true, Log: true, LogRecords: full}
			cfg.Value = &pickyConverter{cfg.Value}
			cfg.Logger = slog.New(slog.NewTextHandler(&lines, nil))
		})
		b.stream.emit(plugin.Started{})
		p := b.stream.partition(t, map[string]any{"file": "a"})
		b.stream.values(t, "out", p, "bad")
		eventually(t, "commit of the last record", func() bool { return b.stream.lastCommit() == 1 })
		b.task.Stop()
		require.NoError(t, b.wait(t))
		want := "Error encountered in task src-0. Executing stage 'VALUE_CONVERTER' with class 'StringConverter'."
		if full {
			want = "Executing stage 'VALUE_CONVERTER' with class 'StringConverter', where source record is = SourceRecord{sourcePartition={file=a}, sourceOffset=Struct{position=1}} " +
				"ConnectRecord{topic='out', kafkaPartition=null, key=null, keySchema=null, value=bad, valueSchema=Schema{STRING}, timestamp=null, headers=ConnectHeaders(headers=)}."
		}
		require.Contains(t, lines.String(), want)
	}
}

// lockedLines is a log that several goroutines write.
type lockedLines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lockedLines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lockedLines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
