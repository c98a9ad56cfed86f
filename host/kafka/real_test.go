package kafka

import (
	"context"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tailrace/tailrace/test/env"
)

// The embedded broker is not Kafka: what depends on a broker's answers is tried on both.

func TestRealKafkaAnswersAreUnderstood(t *testing.T) {
	broker := env.Kafka(t)
	a, ctx := newAdmin(t, broker.Bootstrap), within(t)
	require.NoError(t, a.WaitReady(ctx))
	id, err := a.ClusterID(ctx)
	require.NoError(t, err)
	require.NotEmpty(t, id)

	topic := broker.Topic(t, 2)
	require.ErrorIs(t, a.CreateTopic(ctx, NewTopic{Name: topic, Partitions: 1, ReplicationFactor: 1}), ErrTopicExists)
	err = a.CreateTopic(ctx, NewTopic{Name: topic + "-rf", Partitions: 1, ReplicationFactor: 3})
	require.ErrorIs(t, err, ErrInvalidReplicationFactor)
	require.ErrorContains(t, err, "the cluster has 1 broker(s)")
	require.ErrorIs(t, a.CreateTopic(ctx, NewTopic{Name: topic + "-p", Partitions: 0, ReplicationFactor: 1}), ErrInvalidPartitions)
	require.ErrorIs(t, a.CreateTopic(ctx, NewTopic{Name: "no spaces", Partitions: 1, ReplicationFactor: 1}), ErrInvalidTopic)
	require.ErrorIs(t, a.CreateTopic(ctx, NewTopic{Name: topic + "-c", Partitions: 1, ReplicationFactor: 1, Configs: map[string]string{"made.up": "1"}}), ErrInvalidTopicConfig)

	fill(t, broker.Bootstrap, topic, 2, 5)
	group, tp := topic+"-group", TopicPartition{topic, 0}
	offsets, err := a.GroupOffsets(ctx, group)
	require.NoError(t, err)
	require.Empty(t, offsets)
	c := newConsumer(t, broker.Bootstrap, group, Subscription{Topics: []string{topic}}, RebalanceListener{})
	for n := 0; n < 10; {
		n += pollSome(t, c).Len()
	}
	require.NoError(t, c.Commit(ctx, map[TopicPartition]int64{tp: 3}))
	require.ErrorIs(t, a.AlterGroupOffsets(ctx, group, map[TopicPartition]int64{tp: 0}), ErrGroupNotEmpty)
	require.ErrorIs(t, a.DeleteGroup(ctx, group), ErrGroupNotEmpty)
	require.ErrorIs(t, a.DeleteGroupOffsets(ctx, group, []TopicPartition{tp}), ErrGroupNotEmpty)
	require.NoError(t, c.Close(ctx))
	require.NoError(t, a.AlterGroupOffsets(ctx, group, map[TopicPartition]int64{tp: 1}))
	offsets, err = a.GroupOffsets(ctx, group)
	require.NoError(t, err)
	require.Equal(t, map[TopicPartition]int64{tp: 1}, offsets)
	require.NoError(t, a.DeleteGroup(ctx, group))
	require.NoError(t, a.DeleteGroup(ctx, group))

	p := newProducer(t, broker.Bootstrap, map[string]string{"max.request.size": "4000000"})
	b := p.NewBatch(1)
	b.Append(topic, 0, TimestampNow, nil, make([]byte, 2_000_000))
	err = produce(t, p, b).Err()
	require.ErrorIs(t, err, ErrMessageTooLarge)
	require.ErrorContains(t, err, "broker refused")
}

// I-1, I-6 on a real broker that dies without warning.
func TestRealKafkaThatDiesCostsNoRecordAndNoOrder(t *testing.T) {
	broker := env.PrivateKafka(t, nil)
	topic := broker.Topic(t, 1)
	p := newProducer(t, broker.Bootstrap, nil)
	const batches, each = 60, 100
	var done atomic.Int32
	var failure atomic.Value
	n := 0
	send := func() {
		b := p.NewBatch(each)
		for range each {
			b.Append(topic, 0, TimestampNow, nil, []byte(strconv.Itoa(n)))
			n++
		}
		p.Produce(t.Context(), b, func(r BatchResult) {
			if err := r.Err(); err != nil {
				failure.Store(err)
			}
			done.Add(1)
		})
	}
	for i := range batches {
		send()
		if i == 20 {
			broker.Kill()
			send()
			eventually(t, "the producer notices", func() bool { return !p.Health().OK() })
			broker.Start(t)
			back := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			require.NoError(t, p.Flush(ctx))
			cancel()
			t.Logf("all records were delivered %v after the broker was back", time.Since(back))
		}
	}
	require.NoError(t, p.Flush(within(t)))
	eventually(t, "all are reported", func() bool { return done.Load() == batches+1 })
	require.Nil(t, failure.Load())
	records := broker.Records(t, topic)
	require.Len(t, records, n)
	for i, r := range records {
		require.Equal(t, strconv.Itoa(i), string(r.Value))
	}
}
