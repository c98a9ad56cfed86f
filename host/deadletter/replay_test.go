package deadletter

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/tailrace/tailrace/host/config"
	"github.com/tailrace/tailrace/host/kafka"
	"github.com/tailrace/tailrace/test/env"
)

// bench is a cluster with a topic of dead letters.
type bench struct {
	t       *testing.T
	addr    string
	origin  string
	letters string
}

// onBrokers runs a test on the embedded broker and on a real one.
func onBrokers(t *testing.T, test func(b *bench)) {
	t.Run("embedded", func(t *testing.T) {
		broker, err := kafka.StartEmbedded(kafka.EmbeddedConfig{})
		require.NoError(t, err)
		t.Cleanup(broker.Close)
		test(newBench(t, broker.Addr()))
	})
	t.Run("kafka", func(t *testing.T) { test(newBench(t, env.Kafka(t).Bootstrap)) })
}

func newBench(t *testing.T, addr string) *bench {
	b := &bench{t: t, addr: addr, origin: env.Name(t), letters: env.Name(t) + "-dlq"}
	admin := b.admin()
	for _, topic := range []string{b.origin, b.letters} {
		require.NoError(t, admin.CreateTopic(t.Context(), kafka.NewTopic{Name: topic, Partitions: 1, ReplicationFactor: 1, Configs: map[string]string{"max.message.bytes": "200000"}}))
	}
	return b
}

func (b *bench) client(kind kafka.ClientKind) kafka.ClientConfig {
	cfg, _, err := kafka.ParseClientConfig(kind, map[string]string{"bootstrap.servers": b.addr})
	require.NoError(b.t, err)
	return cfg
}

func (b *bench) admin() *kafka.Admin {
	admin, err := kafka.NewAdmin(b.client(kafka.AdminClient))
	require.NoError(b.t, err)
	b.t.Cleanup(admin.Close)
	return admin
}

// write adds n letters with the values {"n":i}, numbered from first on.
func (b *bench) write(first, n int, change func(i int, headers map[string]string) []byte) {
	p, err := kafka.NewProducer(b.client(kafka.ProducerClient))
	require.NoError(b.t, err)
	require.NoError(b.t, p.LearnTopicLimit(b.t.Context(), b.letters))
	batch := p.NewBatch(n)
	for i := first; i < first+n; i++ {
		headers := map[string]string{
			"__connect.errors.topic": b.origin, "__connect.errors.partition": "0", "__connect.errors.offset": fmt.Sprint(100 + i),
			"__connect.errors.connector.name": "snk", "__connect.errors.task.id": "0", "__connect.errors.stage": "VALUE_CONVERTER",
			"__connect.errors.exception.class.name": "org.apache.kafka.connect.errors.DataException", "__connect.errors.exception.message": "bad", "own": "kept",
		}
		value := fmt.Appendf(nil, `{"n":%d}`, i)
		if change != nil {
			if v := change(i, headers); v != nil {
				value = v
			}
		}
		batch.Append(b.letters, 0, 1_700_000_000_000+int64(i), []byte("key"), value)
		for name, text := range headers {
			batch.AppendHeader(name, []byte(text))
		}
	}
	done := make(chan error, 1)
	p.Produce(b.t.Context(), batch, func(r kafka.BatchResult) { done <- r.Err() })
	require.NoError(b.t, <-done)
	require.NoError(b.t, p.Close(b.t.Context()))
}

func (b *bench) options() Options {
	return Options{Topic: b.letters, Reader: b.client(kafka.ConsumerClient), Writer: b.client(kafka.ProducerClient), Admin: b.client(kafka.AdminClient)}
}

// replayed is what is in the topic of the records.
func (b *bench) replayed() (values []string) {
	cfg := b.client(kafka.ConsumerClient)
	cfg.Consumer.IsolationLevel = "read_committed"
	require.NoError(b.t, kafka.Scan(b.t.Context(), cfg, b.origin, nil, func(r kafka.ScannedRecord) error {
		values = append(values, string(r.Value))
		require.Equal(b.t, "key", string(r.Key))
		require.Equal(b.t, 1, r.Headers.Len())
		name, value := r.Headers.At(0)
		require.Equal(b.t, "own=kept", name+"="+string(value))
		return nil
	}))
	return values
}

func numbers(from, to int) (values []string) {
	for i := from; i < to; i++ {
		values = append(values, fmt.Sprintf(`{"n":%d}`, i))
	}
	return values
}

func TestEachLetterIsReplayedOnceWhateverIsChosen(t *testing.T) {
	onBrokers(t, func(b *bench) {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		b.write(0, 1200, nil)
		o := b.options()
		where, err := Compile("value.n < 700")
		require.NoError(b.t, err)
		o.Filter.Where = where
		dry := o
		dry.DryRun = true
		sum, err := Replay(ctx, dry)
		require.NoError(b.t, err)
		require.Equal(b.t, Summary{Chosen: 700}, sum)
		require.Empty(b.t, b.replayed())

		var told []Progress
		o.Told = func(p Progress) { told = append(told, p) }
		sum, err = Replay(ctx, o)
		require.NoError(b.t, err)
		require.Equal(b.t, Summary{Chosen: 700, Replayed: 700}, sum)
		require.Equal(b.t, numbers(0, 700), b.replayed())
		require.Equal(b.t, 500, told[0].Done)
		require.Equal(b.t, 700, told[1].Done)
		require.Equal(b.t, 700, told[1].Total)

		o.Filter = Filter{}
		sum, err = Replay(ctx, o)
		require.NoError(b.t, err)
		require.Equal(b.t, Summary{Chosen: 1200, Before: 700, Replayed: 500}, sum)
		sum, err = Replay(ctx, o)
		require.NoError(b.t, err)
		require.Equal(b.t, Summary{Chosen: 1200, Before: 1200}, sum)
		require.Equal(b.t, numbers(0, 1200), b.replayed())

		again := o
		again.Again, again.Filter = true, Filter{Error: "DataException", Headers: map[string]string{"own": "kept"}, Until: time.UnixMilli(1_700_000_000_003)}
		sum, err = Replay(ctx, again)
		require.NoError(b.t, err)
		require.Equal(b.t, Summary{Chosen: 3, Before: 3, Replayed: 3}, sum)
		require.Len(b.t, b.replayed(), 1203)
	})
}

// A replay that meets a letter that its topic refuses stops and says which; after the
// cause is mended another one goes on, and nothing comes twice.
func TestAReplayThatStopsGoesOnWhereItWas(t *testing.T) {
	onBrokers(t, func(b *bench) {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		b.write(0, 600, nil)
		b.write(600, 1, func(int, map[string]string) []byte { return []byte(strings.Repeat("x", 150_000)) })
		b.write(601, 100, nil)
		require.NoError(b.t, b.admin().DeleteTopics(ctx, b.origin))
		require.Eventually(b.t, func() bool {
			return b.admin().CreateTopic(ctx, kafka.NewTopic{Name: b.origin, Partitions: 1, ReplicationFactor: 1, Configs: map[string]string{"max.message.bytes": "100000"}}) == nil
		}, time.Minute, 200*time.Millisecond)
		sum, err := Replay(ctx, b.options())
		require.ErrorContains(b.t, err, "the dead letter at offset 600 of partition 0 cannot be replayed")
		require.ErrorContains(b.t, err, "max.message.bytes allows 100000")
		require.ErrorIs(b.t, err, kafka.ErrMessageTooLarge)
		require.Equal(b.t, 500, sum.Replayed)
		require.Equal(b.t, numbers(0, 500), b.replayed())
		o := b.options()
		o.Filter.Where, err = Compile("letter != 600")
		require.NoError(b.t, err)
		sum, err = Replay(ctx, o)
		require.NoError(b.t, err)
		require.Equal(b.t, 200, sum.Replayed)
		require.Equal(b.t, append(numbers(0, 600), numbers(601, 701)...), b.replayed())
	})
}

// A letter that was cut has no record: it is never written as one, of a sink neither.
func TestALetterThatWasCutIsNotReplayed(t *testing.T) {
	broker, err := kafka.StartEmbedded(kafka.EmbeddedConfig{})
	require.NoError(t, err)
	t.Cleanup(broker.Close)
	b := newBench(t, broker.Addr())
	b.write(0, 3, func(i int, headers map[string]string) []byte {
		if i == 1 {
			headers["__tailrace.errors.form"], headers["__tailrace.errors.cut"] = "none", "value (9 bytes)"
			headers["__tailrace.errors.cut.reason"] = "the topic is narrow"
		}
		return nil
	})
	sum, err := Replay(t.Context(), b.options())
	require.ErrorContains(t, err, "the dead letter at offset 1 of partition 0 cannot be replayed: its value (9 bytes) was left out: the topic is narrow")
	require.ErrorContains(t, err, "--where 'letter != 1'")
	require.Zero(t, sum.Replayed)
}

func TestARateBoundsAReplay(t *testing.T) {
	broker, err := kafka.StartEmbedded(kafka.EmbeddedConfig{})
	require.NoError(t, err)
	t.Cleanup(broker.Close)
	b := newBench(t, broker.Addr())
	b.write(0, 100, nil)
	o := b.options()
	o.RecordsPerSecond = 100
	start := time.Now()
	sum, err := Replay(t.Context(), o)
	require.NoError(t, err)
	require.Equal(t, 100, sum.Replayed)
	require.Greater(t, time.Since(start), 700*time.Millisecond) // the last quarter needs no wait
}

// Letters of a source are made with the connector's configuration, from the transform that failed on.
func TestLettersOfASourceAreMadeWithItsConfiguration(t *testing.T) {
	broker, err := kafka.StartEmbedded(kafka.EmbeddedConfig{})
	require.NoError(t, err)
	t.Cleanup(broker.Close)
	b := newBench(t, broker.Addr())
	b.write(0, 1, func(_ int, h map[string]string) []byte {
		h["__connect.errors.stage"], h["__tailrace.errors.form"], h["__tailrace.errors.transform"] = "TRANSFORMATION", "connect-json", "number"
		h["own"] = `{"schema":{"type":"string","optional":false},"payload":"kept"}`
		return []byte(`{"schema":{"type":"struct","optional":false,"fields":[{"type":"string","optional":false,"field":"n"}]},"payload":{"n":"two"}}`)
	})
	b.write(1, 1, func(_ int, h map[string]string) []byte {
		h["__connect.errors.stage"], h["__tailrace.errors.form"] = "KAFKA_PRODUCE", "kafka"
		return []byte("as it was")
	})
	_, err = Replay(t.Context(), b.options())
	require.ErrorContains(t, err, "give the connector's configuration with --config")
	worker, _, err := config.ParseWorker(config.Standalone, map[string]string{
		"key.converter": "JsonConverter", "value.converter": "JsonConverter", "offset.storage.file.filename": "unused",
	})
	require.NoError(t, err)
	connector := map[string]string{
		"name": "src", "connector.class": "x", "key.converter": "StringConverter", "value.converter": "StringConverter",
		"transforms": "hoist,number,extract", "transforms.hoist.type": "HoistField$Value", "transforms.hoist.field": "n",
		"transforms.number.type": "Expression", "transforms.number.set": `{"n": value.n == "two" ? 2 : int(value.n)}`,
		"transforms.extract.type": "ExtractField$Value", "transforms.extract.field": "n",
	}
	c, err := config.ParseConnector(config.Source, connector, worker)
	require.NoError(t, err)
	r, err := NewRemaker(c)
	require.NoError(t, err)
	o := b.options()
	o.Remake = func(l *Letter) (kafka.OutRecord, error) {
		l.Key = nil
		out, err := r.Remake(l)
		out.Key = []byte("key")
		return out, err
	}
	sum, err := Replay(t.Context(), o)
	require.NoError(t, err)
	require.Equal(t, 2, sum.Replayed)
	require.Equal(t, []string{"2", "as it was"}, b.replayed())
}

func TestAFilterThatDoesNotFitALetterNamesIt(t *testing.T) {
	where, err := Compile("value.n > 1")
	require.NoError(t, err)
	f := Filter{Where: where}
	_, err = f.takes(&Letter{Offset: 7, Value: []byte("text")})
	require.ErrorContains(t, err, "dead letter at offset 7 of partition 0")
	require.ErrorContains(t, err, "has(value.name)")
	_, err = Compile("valu")
	require.ErrorContains(t, err, "the names are class, connector")
	require.False(t, errors.Is(err, kafka.ErrStopScan))
}

// progress knows exactly what was added, in ranges that do not touch.
func TestProgressKnowsWhatWasAdded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, known := progress{}, map[int64]bool{}
		for range rapid.IntRange(1, 30).Draw(t, "adds") {
			from := rapid.Int64Range(0, 60).Draw(t, "from")
			to := from + rapid.Int64Range(0, 9).Draw(t, "length")
			p.add(0, [2]int64{from, to})
			for i := from; i <= to; i++ {
				known[i] = true
			}
		}
		for i := int64(-1); i < 80; i++ {
			if p.has(0, i) != known[i] {
				t.Fatalf("%d: %v in %v", i, p.has(0, i), p[0])
			}
		}
		for i := 1; i < len(p[0]); i++ {
			if p[0][i-1][1]+1 >= p[0][i][0] {
				t.Fatalf("ranges touch: %v", p[0])
			}
		}
	})
}
