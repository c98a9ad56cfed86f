package kafka

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tailrace/tailrace/test/env"
)

// kept is what a log has applied.
type kept struct {
	mu      sync.Mutex
	records []LogRecord
}

func (k *kept) apply(records []LogRecord) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.records = append(k.records, records...)
}

func (k *kept) all() []LogRecord {
	k.mu.Lock()
	defer k.mu.Unlock()
	return append([]LogRecord(nil), k.records...)
}

func openLog(t *testing.T, addr, topic string, consumer map[string]string) (*TopicLog, *kept) {
	k := &kept{}
	l, err := OpenTopicLog(within(t), TopicLogConfig{
		Topic: topic, Apply: k.apply,
		Consumer: testConfig(t, ConsumerClient, addr, consumer), Producer: testConfig(t, ProducerClient, addr, nil),
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	return l, k
}

// onBothBrokers runs a test on the embedded broker and on Kafka.
func onBothBrokers(t *testing.T, test func(t *testing.T, addr string)) {
	t.Run("embedded", func(t *testing.T) { test(t, startBroker(t, EmbeddedConfig{}).Addr()) })
	t.Run("kafka", func(t *testing.T) { test(t, env.Kafka(t).Bootstrap) })
}

func TestATopicLogReadsItsOwnAndOthersWrites(t *testing.T) {
	onBothBrokers(t, func(t *testing.T, addr string) {
		topic, ctx := env.Name(t), within(t)
		require.NoError(t, newAdmin(t, addr).CreateTopic(ctx, NewTopic{
			Name: topic, Partitions: 3, ReplicationFactor: 1,
			Configs: map[string]string{"cleanup.policy": "compact"},
		}))
		a, inA := openLog(t, addr, topic, nil)
		require.NoError(t, a.ReadToEnd(ctx), "an empty topic is at its end")
		for i := range 50 {
			require.NoError(t, a.Append(ctx, LogEntry{[]byte("k" + strconv.Itoa(i%7)), []byte(strconv.Itoa(i))}))
		}
		require.NoError(t, a.Append(ctx, LogEntry{Key: []byte("k0")}))
		require.NoError(t, a.ReadToEnd(ctx))
		require.Len(t, inA.all(), 51)

		b, inB := openLog(t, addr, topic, nil)
		require.NoError(t, b.ReadToEnd(ctx))
		last := map[string]string{}
		for _, r := range inB.all() {
			last[string(r.Key)] = string(r.Value)
			if string(r.Key) == "k0" && r.Value == nil {
				last["k0"] = "null"
			}
		}
		require.Equal(t, map[string]string{"k0": "null", "k1": "43", "k2": "44", "k3": "45", "k4": "46", "k5": "47", "k6": "48"}, last)
		require.NoError(t, b.Append(ctx, LogEntry{[]byte("of b"), []byte("1")}))
		require.NoError(t, a.ReadToEnd(ctx))
		require.Len(t, inA.all(), 52)
	})
}

func TestATopicLogEndsBehindTransactionMarkersAndSkipsAbortedRecords(t *testing.T) {
	onBothBrokers(t, func(t *testing.T, addr string) {
		topic, ctx := env.Name(t), within(t)
		require.NoError(t, newAdmin(t, addr).CreateTopic(ctx, NewTopic{Name: topic, Partitions: 1, ReplicationFactor: 1}))
		writer, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.TransactionalID(topic), kgo.DefaultProduceTopic(topic))
		require.NoError(t, err)
		defer writer.Close()
		for i, commit := range []kgo.TransactionEndTry{kgo.TryCommit, kgo.TryAbort, kgo.TryCommit, kgo.TryAbort} {
			require.NoError(t, writer.BeginTransaction())
			require.NoError(t, writer.ProduceSync(ctx, kgo.StringRecord(strconv.Itoa(i))).FirstErr())
			require.NoError(t, writer.Flush(ctx))
			require.NoError(t, writer.EndTransaction(ctx, commit))
		}
		l, in := openLog(t, addr, topic, map[string]string{"isolation.level": "read_committed"})
		require.NoError(t, l.ReadToEnd(ctx))
		var values []string
		for _, r := range in.all() {
			values = append(values, string(r.Value))
		}
		require.Equal(t, []string{"0", "2"}, values)
	})
}

func TestATopicLogSaysWhatIsWrong(t *testing.T) {
	b := startBroker(t, EmbeddedConfig{})
	_, err := OpenTopicLog(within(t), TopicLogConfig{
		Topic: "missing", Apply: func([]LogRecord) {},
		Consumer: testConfig(t, ConsumerClient, b.Addr(), nil), Producer: testConfig(t, ProducerClient, b.Addr(), nil),
	})
	require.ErrorIs(t, err, ErrUnknownTopic)

	require.NoError(t, newAdmin(t, b.Addr()).CreateTopic(within(t), NewTopic{Name: "log", Partitions: 1, ReplicationFactor: 1}))
	l, _ := openLog(t, b.Addr(), "log", nil)
	require.NoError(t, l.Append(within(t), LogEntry{[]byte("k"), []byte("v")}))
	require.NoError(t, l.ReadToEnd(within(t)))
	b.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, l.Append(ctx, LogEntry{[]byte("k"), []byte("v")}), context.DeadlineExceeded)
	require.Error(t, l.ReadToEnd(ctx))
	eventually(t, "the log notices", func() bool { return !l.Health().OK() })
}

func TestATopicLogGoesOnWhenTheBrokerComesBack(t *testing.T) {
	broker := env.PrivateKafka(t, nil)
	topic := broker.Topic(t, 1)
	l, in := openLog(t, broker.Bootstrap, topic, nil)
	require.NoError(t, l.Append(within(t), LogEntry{[]byte("k"), []byte("before")}))
	broker.Kill()
	written := make(chan error, 1)
	go func() { written <- l.Append(within(t), LogEntry{[]byte("k"), []byte("while away")}) }()
	broker.Start(t)
	require.NoError(t, <-written)
	require.NoError(t, l.ReadToEnd(within(t)))
	require.Equal(t, "while away", string(in.all()[len(in.all())-1].Value))
}

// Writers share batches. The end of one's time must not take back what others write, and questions for the end that are
// answered together still see everything before them.
func TestATopicLogKeepsItsWritersApart(t *testing.T) {
	onBothBrokers(t, func(t *testing.T, addr string) {
		topic, ctx := env.Name(t), within(t)
		require.NoError(t, newAdmin(t, addr).CreateTopic(ctx, NewTopic{
			Name: topic, Partitions: 1, ReplicationFactor: 1, Configs: map[string]string{"cleanup.policy": "compact"},
		}))
		l, in := openLog(t, addr, topic, nil)
		var wg sync.WaitGroup
		failed := make(chan error, 1000)
		for i := range 300 {
			wg.Go(func() {
				short, cancel := context.WithTimeout(ctx, time.Duration(i%40)*100*time.Microsecond)
				defer cancel()
				_ = l.Append(short, LogEntry{Key: []byte("short"), Value: []byte(strconv.Itoa(i))})
			})
			wg.Go(func() {
				key := "long" + strconv.Itoa(i)
				err := l.Append(ctx, LogEntry{Key: []byte(key), Value: []byte("1")})
				if err == nil {
					err = l.ReadToEnd(ctx)
				}
				if err != nil {
					failed <- err
				} else if !in.has(key) {
					failed <- errors.New(key + " is missing")
				}
			})
		}
		wg.Wait()
		close(failed)
		for err := range failed {
			t.Error(err)
		}
	})
}

func (k *kept) has(key string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.ContainsFunc(k.records, func(r LogRecord) bool { return string(r.Key) == key })
}
