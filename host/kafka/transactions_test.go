package kafka

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tailrace/tailrace/test/env"
)

func transactional(t *testing.T, addr, id string) *Producer {
	t.Helper()
	p, err := NewTransactionalProducer(within(t), testConfig(t, ProducerClient, addr, nil), id)
	require.NoError(t, err)
	t.Cleanup(func() { <-p.abort() })
	return p
}

// producedIn is the answer to a batch with one record.
func producedIn(p *Producer, topic, value string) BatchResult {
	done := make(chan BatchResult, 1)
	b := p.NewBatch(1)
	b.Append(topic, PartitionAny, TimestampNow, nil, []byte(value))
	p.Produce(context.Background(), b, func(r BatchResult) { done <- r })
	return <-done
}

func TestOnlyWhatATransactionCommitsIsRead(t *testing.T) {
	onBothBrokers(t, func(t *testing.T, addr string) {
		topic, offsets, ctx := env.Name(t), env.Name(t)+"-offsets", within(t)
		for _, name := range []string{topic, offsets} {
			require.NoError(t, newAdmin(t, addr).CreateTopic(ctx, NewTopic{Name: name, Partitions: 1, ReplicationFactor: 1}))
		}
		p := transactional(t, addr, topic)
		stored := func(value string) []OutRecord {
			return []OutRecord{{Topic: offsets, Partition: PartitionAny, TimestampMillis: -1, Key: []byte("k"), Value: []byte(value)}}
		}
		require.NoError(t, p.Begin())
		require.NoError(t, producedIn(p, topic, "one").Err())
		require.NoError(t, p.Commit(ctx, stored("1")))
		require.NoError(t, p.Begin())
		require.NoError(t, producedIn(p, topic, "undone").Err())
		require.NoError(t, p.Abort(ctx))
		require.NoError(t, p.Begin())
		require.NoError(t, p.Commit(ctx, stored("2")), "offsets alone")
		require.NoError(t, p.Begin())
		require.NoError(t, p.Commit(ctx, nil), "nothing at all")

		committed := map[string]string{"isolation.level": "read_committed"}
		for name, want := range map[string][]string{topic: {"one"}, offsets: {"1", "2"}} {
			l, in := openLog(t, addr, name, committed)
			require.NoError(t, l.ReadToEnd(ctx))
			var values []string
			for _, r := range in.all() {
				values = append(values, string(r.Value))
			}
			require.Equal(t, want, values)
		}
	})
}

// I-5: the one that comes later has the id; the earlier one commits nothing more.
func TestALaterProducerFencesAnEarlierOneOfTheSameID(t *testing.T) {
	onBothBrokers(t, func(t *testing.T, addr string) {
		topic, ctx := env.Name(t), within(t)
		require.NoError(t, newAdmin(t, addr).CreateTopic(ctx, NewTopic{Name: topic, Partitions: 1, ReplicationFactor: 1}))
		zombie := transactional(t, addr, topic)
		require.NoError(t, zombie.Begin())
		require.NoError(t, producedIn(zombie, topic, "of the zombie").Err())
		successor := transactional(t, addr, topic)
		require.Error(t, zombie.Commit(ctx, nil)) // the embedded broker has another code for it
		require.NoError(t, successor.Begin())
		require.NoError(t, producedIn(successor, topic, "of the successor").Err())
		require.NoError(t, successor.Commit(ctx, nil))
		l, in := openLog(t, addr, topic, map[string]string{"isolation.level": "read_committed"})
		require.NoError(t, l.ReadToEnd(ctx))
		require.Len(t, in.all(), 1)
		require.Equal(t, "of the successor", string(in.all()[0].Value))
	})
}

// What an open transaction hides may stand behind what another producer has committed: the end is known when it ends.
func TestReadingToTheEndWaitsForOpenTransactions(t *testing.T) {
	onBothBrokers(t, func(t *testing.T, addr string) {
		topic, ctx := env.Name(t), within(t)
		require.NoError(t, newAdmin(t, addr).CreateTopic(ctx, NewTopic{Name: topic, Partitions: 1, ReplicationFactor: 1}))
		slow, fast := transactional(t, addr, topic+"-slow"), transactional(t, addr, topic+"-fast")
		require.NoError(t, slow.Begin())
		require.NoError(t, producedIn(slow, topic, "slow").Err())
		require.NoError(t, fast.Begin())
		require.NoError(t, producedIn(fast, topic, "fast").Err())
		require.NoError(t, fast.Commit(ctx, nil))
		l, in := openLog(t, addr, topic, map[string]string{"isolation.level": "read_committed"})
		soon, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
		defer cancel()
		require.ErrorIs(t, l.ReadToEnd(soon), context.DeadlineExceeded)
		require.NoError(t, slow.Abort(ctx))
		require.NoError(t, l.ReadToEnd(ctx))
		require.Len(t, in.all(), 1)
		require.Equal(t, "fast", string(in.all()[0].Value))
	})
}
