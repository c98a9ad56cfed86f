package kafka

import (
	"context"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

const benchBatch = 1000

// BenchmarkBatchOverhead is what this package adds to a record that is produced:
// append, finish and recycle, without the client library.
func BenchmarkBatchOverhead(b *testing.B) {
	p := &Producer{cfg: defaultConfig(ProducerClient)}
	value := make([]byte, 100)
	b.ReportAllocs()
	for n := 0; n < b.N; n += benchBatch {
		batch := p.NewBatch(benchBatch)
		for range benchBatch {
			batch.Append("t", PartitionAny, TimestampNow, nil, value)
		}
		batch.done = func(BatchResult) {}
		batch.pending = batch.Len()
		p.outstanding.Add(1)
		now := time.Now()
		records := batch.records
		for i := range records {
			r := &records[i]
			if r.Timestamp.IsZero() {
				r.Timestamp = now
			}
			batch.promise(r, nil)
		}
	}
}

// cpu is the CPU time of the process so far. The broker of these benchmarks runs
// in the same process: compare the bare client with ours, not with zero.
func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func reportCPU(b *testing.B, begin time.Duration) {
	b.ReportMetric(float64((cpu()-begin).Nanoseconds())/float64(b.N), "cpu-ns/record")
}

func blackhole(b *testing.B) string {
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "t"), kfake.BlackholeProduce())
	require.NoError(b, err)
	b.Cleanup(c.Close)
	return c.ListenAddrs()[0]
}

// BenchmarkProduce sends 100-byte records to a broker that discards them.
func BenchmarkProduce(b *testing.B) {
	value := make([]byte, 100)
	b.Run("bare", func(b *testing.B) {
		cfg := testConfig(b, ProducerClient, blackhole(b), nil)
		cl, err := cfg.newClient(new(health))
		require.NoError(b, err)
		defer cl.Close()
		var wg sync.WaitGroup
		promise := func(*kgo.Record, error) { wg.Done() }
		ctx := context.Background()
		begin := cpu()
		b.ReportAllocs()
		b.ResetTimer()
		for n := 0; n < b.N; n += benchBatch {
			records := make([]kgo.Record, benchBatch)
			wg.Add(benchBatch)
			for i := range records {
				records[i].Topic = "t"
				records[i].Partition = -1
				records[i].Value = value
				cl.Produce(ctx, &records[i], promise)
			}
		}
		wg.Wait()
		reportCPU(b, begin)
	})
	b.Run("tailrace", func(b *testing.B) {
		p := newProducer(b, blackhole(b), nil)
		ctx := context.Background()
		begin := cpu()
		b.ReportAllocs()
		b.ResetTimer()
		var wg sync.WaitGroup
		for n := 0; n < b.N; n += benchBatch {
			batch := p.NewBatch(benchBatch)
			for range benchBatch {
				batch.Append("t", PartitionAny, TimestampNow, nil, value)
			}
			wg.Add(1)
			p.Produce(ctx, batch, func(r BatchResult) {
				if r.Err() != nil {
					b.Error(r.Err())
				}
				wg.Done()
			})
		}
		wg.Wait()
		reportCPU(b, begin)
	})
}

// BenchmarkConsume reads 100-byte records from a broker that makes them up.
func BenchmarkConsume(b *testing.B) {
	source := func(b *testing.B) string {
		c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "t"), kfake.SyntheticFetch(kfake.SyntheticBatch{RecordBytes: 100}))
		require.NoError(b, err)
		b.Cleanup(c.Close)
		return c.ListenAddrs()[0]
	}
	b.Run("bare", func(b *testing.B) {
		cfg := testConfig(b, ConsumerClient, source(b), map[string]string{"group.id": "g"})
		cl, err := cfg.newClient(new(health), kgo.ConsumeTopics("t"))
		require.NoError(b, err)
		defer cl.Close()
		bytes := 0
		cl.PollRecords(context.Background(), 1)
		begin := cpu()
		b.ReportAllocs()
		b.ResetTimer()
		for n := 0; n < b.N; {
			f := cl.PollRecords(context.Background(), benchBatch)
			n += f.NumRecords()
			f.EachRecord(func(r *kgo.Record) { bytes += len(r.Value) })
		}
		reportCPU(b, begin)
	})
	b.Run("tailrace", func(b *testing.B) {
		c := newConsumer(b, source(b), "g", Subscription{Topics: []string{"t"}}, RebalanceListener{})
		bytes := 0
		_, err := c.Poll(context.Background(), 1)
		require.NoError(b, err)
		begin := cpu()
		b.ReportAllocs()
		b.ResetTimer()
		for n := 0; n < b.N; {
			f, err := c.Poll(context.Background(), benchBatch)
			require.NoError(b, err)
			n += f.Len()
			for _, run := range f.Runs() {
				for i := range run.Len() {
					bytes += len(run.Value(i))
				}
			}
			f.Release()
		}
		reportCPU(b, begin)
	})
}
