package kafka

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func newConsumer(t testing.TB, addr, group string, sub Subscription, l RebalanceListener, props ...map[string]string) *Consumer {
	all := map[string]string{"group.id": group, "session.timeout.ms": "6000", "heartbeat.interval.ms": "100"}
	for _, m := range props {
		for k, v := range m {
			all[k] = v
		}
	}
	c, err := NewConsumer(testConfig(t, ConsumerClient, addr, all), sub, l)
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		require.NoError(t, c.Close(ctx))
	})
	return c
}

func pollSome(t testing.TB, c *Consumer) *Fetch {
	f, err := c.Poll(within(t), 1000)
	require.NoError(t, err)
	require.Positive(t, f.Len(), "no records came")
	return f
}

// pollFor turns the owner's loop until cond holds.
func pollFor(t testing.TB, c *Consumer, what string, cond func() bool) (records int) {
	deadline := time.Now().Add(limit)
	for !cond() {
		require.True(t, time.Now().Before(deadline), what)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		f, err := c.Poll(ctx, 1000)
		cancel()
		require.NoError(t, err)
		records += f.Len()
	}
	return records
}

func fill(t testing.TB, addr, topic string, partitions, each int) {
	p := newProducer(t, addr, nil)
	b := p.NewBatch(partitions * each)
	for i := range each {
		for part := range partitions {
			b.Append(topic, int32(part), TimestampNow, nil, fmt.Appendf(nil, "%d", i))
		}
	}
	require.NoError(t, produce(t, p, b).Err())
}

func TestPollReturnsAtMostWhatWasAskedFor(t *testing.T) {
	b := startBroker(t, EmbeddedConfig{})
	fill(t, b.Addr(), "t", 1, 25)
	c := newConsumer(t, b.Addr(), "g", Subscription{Topics: []string{"t"}}, RebalanceListener{}, map[string]string{"max.poll.records": "7"})
	next := int64(0)
	for next < 25 {
		f, err := c.Poll(within(t), -1)
		require.NoError(t, err)
		require.LessOrEqual(t, f.Len(), 7)
		for _, run := range f.Runs() {
			require.Equal(t, next, run.Offset(0))
			next = run.NextOffset()
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	f, err := c.Poll(ctx, 10)
	require.NoError(t, err, "a poll without records is no failure")
	require.Zero(t, f.Len())
}

func TestCommittedOffsetsAreWhereTheNextMemberStarts(t *testing.T) {
	b := startBroker(t, EmbeddedConfig{DefaultPartitions: 2})
	fill(t, b.Addr(), "t", 2, 10)
	tp0, tp1 := TopicPartition{"t", 0}, TopicPartition{"t", 1}
	var positions map[TopicPartition]int64
	var c *Consumer
	listener := RebalanceListener{Assigned: func(ctx context.Context, tps []TopicPartition) {
		var err error
		positions, err = c.Positions(ctx, tps)
		require.NoError(t, err)
	}}
	c = newConsumer(t, b.Addr(), "g", Subscription{Topics: []string{"t"}}, listener)
	pollSome(t, c)
	require.Equal(t, map[TopicPartition]int64{tp0: 0, tp1: 0}, positions)
	require.NoError(t, c.Commit(within(t), map[TopicPartition]int64{tp0: 4}))
	require.NoError(t, c.Commit(within(t), nil))
	got, err := c.Committed(within(t), []TopicPartition{tp0, tp1})
	require.NoError(t, err)
	require.Equal(t, map[TopicPartition]int64{tp0: 4}, got)
	require.NoError(t, c.Close(within(t)))

	c = newConsumer(t, b.Addr(), "g", Subscription{Topics: []string{"t"}}, listener)
	first := map[TopicPartition]int64{}
	pollFor(t, c, "assigned", func() bool { return len(c.Assignment()) == 2 })
	require.Equal(t, map[TopicPartition]int64{tp0: 4, tp1: 0}, positions)
	c.Seek(positions)
	for len(first) < 2 {
		for _, run := range pollSome(t, c).Runs() {
			tp := TopicPartition{run.Topic, run.Partition}
			if _, ok := first[tp]; !ok {
				first[tp] = run.Offset(0)
			}
		}
	}
	require.Equal(t, map[TopicPartition]int64{tp0: 4, tp1: 0}, first)
}

func TestSeekWorksInsideAssignedAndLater(t *testing.T) {
	b := startBroker(t, EmbeddedConfig{})
	fill(t, b.Addr(), "t", 1, 20)
	tp := TopicPartition{"t", 0}
	var c *Consumer
	c = newConsumer(t, b.Addr(), "g", Subscription{Topics: []string{"t"}}, RebalanceListener{
		Assigned: func(context.Context, []TopicPartition) { c.Seek(map[TopicPartition]int64{tp: 15, {"t", 9}: 3}) },
	})
	require.EqualValues(t, 15, pollSome(t, c).Runs()[0].Offset(0))
	c.Seek(map[TopicPartition]int64{tp: 3})
	require.EqualValues(t, 3, pollSome(t, c).Runs()[0].Offset(0))
	c.Seek(map[TopicPartition]int64{tp: 0})
	require.EqualValues(t, 0, pollSome(t, c).Runs()[0].Offset(0))
}

func TestPausedPartitionsStaySilent(t *testing.T) {
	b := startBroker(t, EmbeddedConfig{DefaultPartitions: 2})
	fill(t, b.Addr(), "t", 2, 3)
	tp0, tp1 := TopicPartition{"t", 0}, TopicPartition{"t", 1}
	var c *Consumer
	c = newConsumer(t, b.Addr(), "g", Subscription{Topics: []string{"t"}}, RebalanceListener{
		Assigned: func(context.Context, []TopicPartition) { c.Pause([]TopicPartition{tp0}) },
	})
	f := pollSome(t, c)
	require.Len(t, f.Runs(), 1)
	require.Equal(t, tp1.Partition, f.Runs()[0].Partition)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	f, err := c.Poll(ctx, 10)
	require.NoError(t, err)
	require.Zero(t, f.Len())
	c.Resume([]TopicPartition{tp0})
	f = pollSome(t, c)
	require.Equal(t, tp0.Partition, f.Runs()[0].Partition)
}

// I-2: the owner flushes and commits before its partitions go, on its own goroutine.
func TestRevokedRunsInPollBeforeTheOtherMemberReads(t *testing.T) {
	b := startBroker(t, EmbeddedConfig{DefaultPartitions: 4})
	fill(t, b.Addr(), "t", 4, 10)
	var c1 *Consumer
	processed := map[TopicPartition]int64{}
	var events []string
	inPoll := false
	c1 = newConsumer(t, b.Addr(), "g", Subscription{Topics: []string{"t"}}, RebalanceListener{
		Assigned: func(_ context.Context, tps []TopicPartition) {
			require.True(t, inPoll)
			events = append(events, fmt.Sprintf("assigned %d", len(tps)))
		},
		Revoked: func(ctx context.Context, tps []TopicPartition) {
			require.True(t, inPoll)
			_, ok := ctx.Deadline()
			require.True(t, ok)
			commit := map[TopicPartition]int64{}
			for _, tp := range tps {
				commit[tp] = processed[tp]
			}
			require.NoError(t, c1.Commit(ctx, commit))
			events = append(events, fmt.Sprintf("revoked %d", len(tps)))
		},
	})
	for n := 0; n < 40; {
		inPoll = true
		f := pollSome(t, c1)
		inPoll = false
		for _, run := range f.Runs() {
			processed[TopicPartition{run.Topic, run.Partition}] = run.NextOffset()
			n += run.Len()
		}
	}
	require.Equal(t, []string{"assigned 4"}, events)

	second := make(chan int, 1)
	stop := make(chan struct{})
	joined := make(chan struct{})
	go func() { // the second owner
		read := 0
		c2 := newConsumer(t, b.Addr(), "g", Subscription{Topics: []string{"t"}}, RebalanceListener{
			Assigned: func(context.Context, []TopicPartition) { close(joined) },
		})
		for {
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
			f, err := c2.Poll(ctx, 100)
			cancel()
			if err != nil {
				read = -1
			}
			read += f.Len()
			select {
			case <-stop:
				second <- read
				return
			default:
			}
		}
	}()
	inPoll = true
	again := pollFor(t, c1, "the second member gets its share", func() bool {
		select {
		case <-joined:
			return len(events) >= 3
		default:
			return false
		}
	})
	close(stop)
	require.Zero(t, <-second, "everything was committed, so nothing is read twice")
	require.Zero(t, again)
	require.Equal(t, []string{"assigned 4", "revoked 4", "assigned 2"}, events)
	require.Len(t, c1.Assignment(), 2)
}

func TestCloseRevokesOnTheCallersGoroutine(t *testing.T) {
	b := startBroker(t, EmbeddedConfig{})
	fill(t, b.Addr(), "t", 1, 5)
	tp := TopicPartition{"t", 0}
	var c *Consumer
	revoked := 0
	c = newConsumer(t, b.Addr(), "g", Subscription{Topics: []string{"t"}}, RebalanceListener{
		Revoked: func(ctx context.Context, tps []TopicPartition) {
			revoked++
			require.Equal(t, []TopicPartition{tp}, tps)
			require.NoError(t, c.Commit(ctx, map[TopicPartition]int64{tp: 5}))
		},
	})
	pollSome(t, c)
	require.NoError(t, c.Close(within(t)))
	require.Equal(t, 1, revoked)
	require.NoError(t, c.Close(within(t)))
	_, err := c.Poll(within(t), 1)
	require.ErrorIs(t, err, ErrClosed)
	offsets, err := newAdmin(t, b.Addr()).GroupOffsets(within(t), "g")
	require.NoError(t, err)
	require.Equal(t, map[TopicPartition]int64{tp: 5}, offsets)
}

// I-2, I-5: an owner that does not poll in time loses its partitions and may not
// commit them any more.
func TestOwnerThatIsTooSlowCannotCommit(t *testing.T) {
	b := startBroker(t, EmbeddedConfig{DefaultPartitions: 2})
	fill(t, b.Addr(), "t", 2, 5)
	tp0, tp1 := TopicPartition{"t", 0}, TopicPartition{"t", 1}
	var told []string
	c1 := newConsumer(t, b.Addr(), "g", Subscription{Topics: []string{"t"}}, RebalanceListener{
		Assigned: func(_ context.Context, tps []TopicPartition) {
			told = append(told, fmt.Sprintf("assigned %d", len(tps)))
		},
		Revoked: func(_ context.Context, tps []TopicPartition) {
			told = append(told, fmt.Sprintf("revoked %d", len(tps)))
		},
		Lost: func(_ context.Context, tps []TopicPartition) { told = append(told, fmt.Sprintf("lost %d", len(tps))) },
	}, map[string]string{"max.poll.interval.ms": "1000"})
	pollSome(t, c1)
	require.NoError(t, c1.Commit(within(t), map[TopicPartition]int64{tp0: 1, tp1: 1}))
	c2 := newConsumer(t, b.Addr(), "g", Subscription{Topics: []string{"t"}}, RebalanceListener{})
	// c1 is busy: it does not poll, and the second member gets its share all the same.
	require.EqualValues(t, 1, pollSome(t, c2).Runs()[0].Offset(0))
	require.Equal(t, []string{"assigned 2"}, told)
	for _, tp := range []TopicPartition{tp0, tp1} {
		err := c1.Commit(within(t), map[TopicPartition]int64{tp: 3})
		require.ErrorIs(t, err, ErrNotAssigned)
		require.True(t, IsRetriable(err))
	}
	pollFor(t, c1, "the owner hears what happened", func() bool { return len(told) >= 3 })
	require.Equal(t, []string{"assigned 2", "lost 2", "assigned 1"}, told[:3])
}

func TestPartitionsLostBeforeTheyWereAnnouncedAreNotAnnounced(t *testing.T) {
	a, b := TopicPartition{"t", 0}, TopicPartition{"t", 1}
	g := newRebalanceGate(RebalanceListener{}, time.Minute)
	assigned := &rebalanceEvent{kind: rebalanceAssigned, partitions: []TopicPartition{a, b}}
	lost := &rebalanceEvent{kind: rebalanceLost, partitions: []TopicPartition{b}}
	g.retract([]*rebalanceEvent{assigned}, lost)
	require.Equal(t, []TopicPartition{a}, assigned.partitions)
	require.Empty(t, lost.partitions)
}

func TestPollOfZeroServesRebalancesOnly(t *testing.T) {
	b := startBroker(t, EmbeddedConfig{})
	fill(t, b.Addr(), "t", 1, 5)
	assigned := make(chan struct{}, 1)
	c := newConsumer(t, b.Addr(), "g", Subscription{Topics: []string{"t"}}, RebalanceListener{
		Assigned: func(context.Context, []TopicPartition) { assigned <- struct{}{} },
	})
	deadline := time.Now().Add(limit)
	for served := false; !served; {
		require.True(t, time.Now().Before(deadline))
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		f, err := c.Poll(ctx, 0)
		cancel()
		require.NoError(t, err)
		require.Zero(t, f.Len())
		select {
		case <-assigned:
			served = true
		default:
		}
	}
	require.Equal(t, 5, pollSome(t, c).Len())
}

func TestPatternMatchesWholeNames(t *testing.T) {
	b := startBroker(t, EmbeddedConfig{})
	for _, topic := range []string{"orders-1", "orders-2", "x-orders-1", "orders"} {
		fill(t, b.Addr(), topic, 1, 1)
	}
	c := newConsumer(t, b.Addr(), "g", Subscription{Regex: "orders-[0-9]|nothing"}, RebalanceListener{})
	seen := map[string]bool{}
	for len(seen) < 2 {
		for _, run := range pollSome(t, c).Runs() {
			seen[run.Topic] = true
		}
	}
	require.Equal(t, map[string]bool{"orders-1": true, "orders-2": true}, seen)
}

// A sink may start before its source has created the topic.
func TestTopicThatComesLaterIsReadSoon(t *testing.T) {
	for name, sub := range map[string]Subscription{"list": {Topics: []string{"later"}}, "pattern": {Regex: "lat.*"}} {
		t.Run(name, func(t *testing.T) {
			b := startBroker(t, EmbeddedConfig{})
			c := newConsumer(t, b.Addr(), "g", sub, RebalanceListener{}, map[string]string{"metadata.max.age.ms": "1000", "allow.auto.create.topics": "false"})
			ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
			defer cancel()
			f, err := c.Poll(ctx, 10)
			require.NoError(t, err)
			require.Zero(t, f.Len())
			fill(t, b.Addr(), "later", 1, 3)
			begin := time.Now()
			require.Equal(t, 3, pollSome(t, c).Len())
			t.Logf("read after %v", time.Since(begin))
		})
	}
}

// The broker's auto.create.topics.enable decides, as for the consumers of Kafka Connect.
func TestTopicsOfAListAreMadeUnlessTheConsumerMayNot(t *testing.T) {
	b := startBroker(t, EmbeddedConfig{})
	barred := newConsumer(t, b.Addr(), "barred", Subscription{Topics: []string{"barred"}}, RebalanceListener{}, map[string]string{"allow.auto.create.topics": "false"})
	allowed := newConsumer(t, b.Addr(), "allowed", Subscription{Topics: []string{"made"}}, RebalanceListener{})
	pollFor(t, allowed, "the topic is made and assigned", func() bool { return len(allowed.Assignment()) == 1 })
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err := barred.Poll(ctx, 0)
	require.NoError(t, err)
	admin, err := NewAdmin(testConfig(t, AdminClient, b.Addr(), nil))
	require.NoError(t, err)
	defer admin.Close()
	topics, err := admin.ListTopics(within(t))
	require.NoError(t, err)
	require.Contains(t, topics, "made")
	require.NotContains(t, topics, "barred")
}

func TestBadSubscriptionsAreRefused(t *testing.T) {
	cfg := testConfig(t, ConsumerClient, "127.0.0.1:1", map[string]string{"group.id": "g"})
	for want, sub := range map[string]Subscription{
		"both topics":   {Topics: []string{"a"}, Regex: "a"},
		"neither":       {},
		"not supported": {Regex: "(?!x).*"},
	} {
		_, err := NewConsumer(cfg, sub, RebalanceListener{})
		require.ErrorContains(t, err, want)
	}
	cfg.Consumer.GroupID = ""
	_, err := NewConsumer(cfg, Subscription{Topics: []string{"a"}}, RebalanceListener{})
	require.ErrorContains(t, err, "group.id")
	_, err = NewConsumer(testConfig(t, AdminClient, "127.0.0.1:1", nil), Subscription{Topics: []string{"a"}}, RebalanceListener{})
	require.ErrorContains(t, err, "admin")
}

func TestConsumerGoesOnAfterTheBrokerWasAway(t *testing.T) {
	dir, port := t.TempDir(), freePort(t)
	cfg := EmbeddedConfig{DataDir: dir, Port: port}
	broker, err := StartEmbedded(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { broker.Close() })
	addr := broker.Addr()
	c := newConsumer(t, addr, "g", Subscription{Topics: []string{"t"}}, RebalanceListener{})
	fill(t, addr, "t", 1, 3)
	require.Equal(t, 3, pollSome(t, c).Len())
	tp := TopicPartition{"t", 0}
	require.NoError(t, c.Commit(within(t), map[TopicPartition]int64{tp: 3}))
	broker.Close()
	pollFor(t, c, "the consumer notices", func() bool { return !c.Health().OK() })
	broker, err = StartEmbedded(cfg)
	require.NoError(t, err)
	fill(t, addr, "t", 1, 3)
	f := pollSome(t, c)
	require.EqualValues(t, 3, f.Runs()[0].Offset(0))
	require.True(t, c.Health().OK())
	eventually(t, "commits work again", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		c.serve()
		return c.Commit(ctx, map[TopicPartition]int64{tp: 6}) == nil
	})
}
