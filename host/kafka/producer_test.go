package kafka

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
)

func TestProducedRecordsComeBackAsTheyWere(t *testing.T) {
	b := startBroker(t, EmbeddedConfig{DefaultPartitions: 3})
	p := newProducer(t, b.Addr(), nil)
	batch := p.NewBatch(4)
	batch.Append("t", 2, 1700000000123, []byte("k"), []byte("v"))
	batch.AppendHeader("h1", []byte("x"))
	batch.AppendHeader("h1", nil)
	batch.Append("t", 2, TimestampNow, nil, nil)
	batch.Append("t", 2, 0, []byte{}, []byte{})
	batch.AppendHeader("h2", []byte{})
	require.Equal(t, 3, batch.Len())
	require.EqualValues(t, 9, batch.Bytes())
	before := time.Now().UnixMilli()
	results := make(chan error, 1)
	p.Produce(within(t), batch, func(r BatchResult) {
		ok := r.Records == 3 && r.Offset(2) == 2 && r.Partition(0) == 2 && r.TimestampMillis(0) == 1700000000123
		if !ok {
			results <- errors.New("the result does not say where the records are")
			return
		}
		results <- r.Err()
	})
	require.NoError(t, <-results)

	c := newConsumer(t, b.Addr(), "g", Subscription{Topics: []string{"t"}}, RebalanceListener{})
	f := pollSome(t, c)
	defer f.Release()
	require.Len(t, f.Runs(), 1)
	run := f.Runs()[0]
	require.Equal(t, "t", run.Topic)
	require.EqualValues(t, 2, run.Partition)
	require.Equal(t, 3, run.Len())
	require.Equal(t, "k", string(run.Key(0)))
	require.EqualValues(t, 1700000000123, run.TimestampMillis(0))
	require.Equal(t, CreateTime, run.TimestampType(0))
	require.Equal(t, 2, run.Headers(0).Len())
	name, value := run.Headers(0).At(1)
	require.Equal(t, "h1", name)
	require.Nil(t, value)
	require.Nil(t, run.Key(1)) // I-7: null is not empty
	require.Nil(t, run.Value(1))
	require.GreaterOrEqual(t, run.TimestampMillis(1), before)
	require.NotNil(t, run.Key(2))
	require.Empty(t, run.Key(2))
	require.NotNil(t, run.Value(2))
	require.EqualValues(t, 0, run.TimestampMillis(2))
	require.EqualValues(t, 3, run.NextOffset())
}

// The expected partitions are those of Kafka's Utils.murmur2 (its own test vectors).
func TestKeysChoosePartitionsAsJavaDoes(t *testing.T) {
	b := startBroker(t, EmbeddedConfig{DefaultPartitions: 7})
	p := newProducer(t, b.Addr(), nil)
	hashes := map[string]int32{"21": -973932308, "foobar": -790332482, "a-little-bit-long-string": -985981536, "abc": 479470107}
	batch := p.NewBatch(len(hashes))
	var want []int32
	for key, hash := range hashes {
		batch.Append("t", PartitionAny, TimestampNow, []byte(key), nil)
		want = append(want, (hash&0x7fffffff)%7)
	}
	got := make(chan []int32, 1)
	p.Produce(within(t), batch, func(r BatchResult) {
		var partitions []int32
		for i := range r.Records {
			partitions = append(partitions, r.Partition(i))
		}
		got <- partitions
	})
	require.Equal(t, want, <-got)
}

func TestTooLargeRecordFailsAlone(t *testing.T) {
	b := startBroker(t, EmbeddedConfig{})
	p := newProducer(t, b.Addr(), map[string]string{"max.request.size": "2000"})
	batch := p.NewBatch(3)
	batch.Append("t", PartitionAny, TimestampNow, nil, []byte("small"))
	batch.Append("t", PartitionAny, TimestampNow, nil, make([]byte, 5000))
	batch.Append("t", PartitionAny, TimestampNow, nil, []byte("small too"))
	r := produce(t, p, batch)
	require.Len(t, r.Failed, 1)
	err := r.Err()
	require.ErrorIs(t, err, ErrMessageTooLarge)
	require.False(t, IsRetriable(err))
	require.Equal(t, 1, r.Failed[0].Index)
	for _, want := range []string{"record 1 of the batch", "topic t", "5000 bytes", "max.request.size allows 2000", "producer.override.max.request.size", "max.message.bytes"} {
		require.ErrorContains(t, err, want)
	}
}

func TestRecordTooLargeForTheBrokerSaysSo(t *testing.T) {
	b := startBroker(t, EmbeddedConfig{})
	require.NoError(t, newAdmin(t, b.Addr()).CreateTopic(within(t), NewTopic{Name: "t", Partitions: 1, ReplicationFactor: 1, Configs: map[string]string{"max.message.bytes": "1000"}}))
	p := newProducer(t, b.Addr(), nil)
	batch := p.NewBatch(1)
	batch.Append("t", PartitionAny, TimestampNow, nil, make([]byte, 5000))
	err := produce(t, p, batch).Err()
	require.ErrorIs(t, err, ErrMessageTooLarge)
	require.ErrorContains(t, err, "broker refused")
	require.ErrorContains(t, err, "topic's max.message.bytes")
	require.ErrorContains(t, err, "5000 bytes")
}

func TestPartitionThatDoesNotExistFailsItsRecord(t *testing.T) {
	b := startBroker(t, EmbeddedConfig{DefaultPartitions: 2})
	p := newProducer(t, b.Addr(), nil)
	batch := p.NewBatch(2)
	batch.Append("t", 1, TimestampNow, nil, []byte("ok"))
	batch.Append("t", 5, TimestampNow, nil, []byte("bad"))
	r := produce(t, p, batch)
	require.Len(t, r.Failed, 1)
	require.Equal(t, 1, r.Failed[0].Index)
	require.ErrorContains(t, r.Err(), "5")
}

func TestTopicThatNobodyCreatesIsNamed(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1)) // without automatic creation
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	p := newProducer(t, cluster.ListenAddrs()[0], nil)
	b := p.NewBatch(1)
	b.Append("absent", PartitionAny, TimestampNow, nil, nil)
	begin := time.Now()
	err = produce(t, p, b).Err()
	t.Logf("refused after %v", time.Since(begin))
	require.ErrorIs(t, err, ErrUnknownTopic)
	require.False(t, IsRetriable(err))
	require.ErrorContains(t, err, "topic absent")
	require.ErrorContains(t, err, "topic.creation.default")
}

func TestEmptyBatchAndClosedProducerReportAtOnce(t *testing.T) {
	b := startBroker(t, EmbeddedConfig{})
	p := newProducer(t, b.Addr(), nil)
	require.NoError(t, produce(t, p, p.NewBatch(0)).Err())
	require.NoError(t, p.Close(within(t)))
	batch := p.NewBatch(2)
	batch.Append("t", PartitionAny, TimestampNow, nil, nil)
	batch.Append("t", PartitionAny, TimestampNow, nil, nil)
	r := produce(t, p, batch)
	require.Len(t, r.Failed, 2)
	require.ErrorIs(t, r.Err(), ErrClosed)
}

// I-1, I-6: a broker that goes away and comes back costs neither a record nor the order.
func TestRecordsWaitForTheBrokerAndKeepTheirOrder(t *testing.T) {
	dir, port := t.TempDir(), freePort(t)
	broker, err := StartEmbedded(EmbeddedConfig{DataDir: dir, Port: port, DefaultPartitions: 2})
	require.NoError(t, err)
	t.Cleanup(func() { broker.Close() })
	addr := broker.Addr()
	p := newProducer(t, addr, nil)
	first := p.NewBatch(1)
	first.Append("t", 0, TimestampNow, nil, []byte("0"))
	require.NoError(t, produce(t, p, first).Err())
	require.True(t, p.Health().OK())
	require.Equal(t, "ok", p.Health().String())

	broker.Close()
	const batches, each = 40, 50
	var done atomic.Int32
	var failed atomic.Value
	n := 0
	for range batches {
		b := p.NewBatch(each)
		for range each {
			n++
			b.Append("t", int32(n%2), TimestampNow, nil, []byte(strconv.Itoa(n)))
		}
		p.Produce(t.Context(), b, func(r BatchResult) {
			if err := r.Err(); err != nil {
				failed.Store(err)
			}
			done.Add(1)
		})
	}
	eventually(t, "the producer notices", func() bool { return !p.Health().OK() })
	require.Contains(t, p.Health().String(), "broker "+addr+" unreachable since ")
	require.Zero(t, done.Load())
	require.Positive(t, p.BufferedBytes())

	broker, err = StartEmbedded(EmbeddedConfig{DataDir: dir, Port: port, DefaultPartitions: 2})
	require.NoError(t, err)
	back := time.Now()
	require.NoError(t, p.Flush(within(t)))
	t.Logf("all records were delivered %v after the broker was back", time.Since(back))
	eventually(t, "all are reported", func() bool { return done.Load() == batches })
	require.Nil(t, failed.Load())
	require.True(t, p.Health().OK())

	c := newConsumer(t, addr, "g", Subscription{Topics: []string{"t"}}, RebalanceListener{})
	last := map[int32]int{}
	for got := 0; got < n+1; {
		f := pollSome(t, c)
		for _, run := range f.Runs() {
			for i := range run.Len() {
				v, err := strconv.Atoi(string(run.Value(i)))
				require.NoError(t, err)
				require.True(t, v > last[run.Partition] || v == 0, "partition %d: %d after %d", run.Partition, v, last[run.Partition])
				last[run.Partition] = v
				got++
			}
		}
		f.Release()
	}
}

func TestFirstBatchWaitsForABrokerThatIsNotThereYet(t *testing.T) {
	port := freePort(t)
	p := newProducer(t, net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), nil)
	b := p.NewBatch(1)
	b.Append("t", PartitionAny, TimestampNow, nil, []byte("v"))
	result := make(chan error, 1)
	p.Produce(t.Context(), b, func(r BatchResult) { result <- r.Err() })
	eventually(t, "the producer notices", func() bool { return !p.Health().OK() })
	startBroker(t, EmbeddedConfig{Port: port})
	select {
	case err := <-result:
		require.NoError(t, err)
	case <-time.After(limit):
		t.Fatal("the record was not delivered")
	}
}

func TestCloseFailsWhatCannotBeDelivered(t *testing.T) {
	broker := startBroker(t, EmbeddedConfig{})
	p := newProducer(t, broker.Addr(), nil)
	b := p.NewBatch(1)
	b.Append("t", 0, TimestampNow, nil, []byte("v"))
	require.NoError(t, produce(t, p, b).Err())
	broker.Close()
	var mu sync.Mutex
	var errs []error
	for range 3 {
		b := p.NewBatch(2)
		b.Append("t", 0, TimestampNow, nil, []byte("v"))
		b.Append("other", 0, TimestampNow, nil, []byte("v"))
		p.Produce(t.Context(), b, func(r BatchResult) {
			mu.Lock()
			defer mu.Unlock()
			errs = append(errs, r.Err())
			if len(r.Failed) != 2 || r.Failed[0].Index != 0 || r.Failed[1].Index != 1 {
				errs = append(errs, fmt.Errorf("unexpected %v", r.Failed))
			}
		})
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, p.Close(ctx), context.DeadlineExceeded)
	require.Len(t, errs, 3, "every batch is reported before Close returns")
	for _, err := range errs {
		require.ErrorIs(t, err, ErrClosed)
	}
}

func TestContextEndsTheWaitOfUnsentRecords(t *testing.T) {
	p := newProducer(t, "127.0.0.1:"+strconv.Itoa(freePort(t)), nil)
	ctx, cancel := context.WithCancel(t.Context())
	b := p.NewBatch(1)
	b.Append("t", PartitionAny, TimestampNow, nil, []byte("v"))
	result := make(chan error, 1)
	p.Produce(ctx, b, func(r BatchResult) { result <- r.Err() })
	cancel()
	select {
	case err := <-result:
		require.ErrorIs(t, err, context.Canceled)
		require.False(t, IsRetriable(err))
	case <-time.After(limit):
		t.Fatal("the record still waits")
	}
}

// I-4: a full buffer makes Produce wait instead of growing.
func TestBufferMemoryBoundsWhatWaits(t *testing.T) {
	p := newProducer(t, "127.0.0.1:"+strconv.Itoa(freePort(t)), map[string]string{"buffer.memory": "10000"})
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	var done atomic.Int32
	for range 5 {
		b := p.NewBatch(10)
		for range 10 {
			b.Append("t", PartitionAny, TimestampNow, nil, make([]byte, 500))
		}
		p.Produce(ctx, b, func(BatchResult) { done.Add(1) })
		require.LessOrEqual(t, p.BufferedBytes(), int64(10000))
	}
	eventually(t, "all batches are reported", func() bool { return done.Load() == 5 })
}

func freePort(t testing.TB) int {
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}
