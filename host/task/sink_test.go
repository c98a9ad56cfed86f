package task

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tailrace/tailrace/host/kafka"
	"github.com/tailrace/tailrace/host/plugin"
)

type sinkBench struct {
	task   *Sink
	seen   *recorder
	result chan error
	addr   string

	mu      sync.Mutex
	streams []*scriptedSink
}

func (b *sinkBench) stream(i int) *scriptedSink {
	b.mu.Lock()
	defer b.mu.Unlock()
	if i >= len(b.streams) {
		return nil
	}
	return b.streams[i]
}

func startSink(t testing.TB, addr string, change func(*SinkConfig), script func(i int, s *scriptedSink)) *sinkBench {
	t.Helper()
	b := &sinkBench{seen: &recorder{}, result: make(chan error, 1), addr: addr}
	cfg := SinkConfig{
		ID: ID{"snk", 0}, ConnectorType: "scripted", Epoch: 1,
		Open: func(context.Context, plugin.SinkStart) (SinkStream, error) {
			b.mu.Lock()
			defer b.mu.Unlock()
			s := newScriptedSink()
			s.emit(plugin.Started{})
			if script != nil {
				script(len(b.streams), s)
			}
			b.streams = append(b.streams, s)
			return s, nil
		},
		Subscribe: func(l kafka.RebalanceListener) (Consumer, error) {
			return kafka.NewConsumer(clientConfig(t, kafka.ConsumerClient, addr, map[string]string{
				"group.id": "connect-snk", "metadata.max.age.ms": "300",
			}), kafka.Subscription{Topics: []string{"in"}}, l)
		},
		Converters: stringConverters(t), Listener: b.seen, Logger: testLogger(t),
		Timing: Timing{OffsetFlushInterval: 50 * time.Millisecond, OffsetFlushTimeout: time.Second, GracefulTimeout: 3 * time.Second},
	}
	if change != nil {
		change(&cfg)
	}
	b.task = NewSink(cfg)
	go func() { b.result <- b.task.Run(context.Background()) }()
	return b
}

func (b *sinkBench) wait(t testing.TB) error {
	t.Helper()
	select {
	case err := <-b.result:
		return err
	case <-time.After(20 * time.Second):
		t.Fatal("the task did not end")
		return nil
	}
}

// fill makes the topic "in" and produces values v-<from> … v-<to>.
func fill(t testing.TB, addr string, from, to int) {
	t.Helper()
	p := newProducer(t, addr, nil)
	b := p.NewBatch(to - from + 1)
	for i := from; i <= to; i++ {
		b.Append("in", kafka.PartitionAny, kafka.TimestampNow, nil, fmt.Appendf(nil, "v-%d", i))
	}
	done := make(chan error, 1)
	p.Produce(context.Background(), b, func(r kafka.BatchResult) { done <- r.Err() })
	require.NoError(t, <-done)
	require.NoError(t, p.Close(context.Background()))
}

func committedOf(t testing.TB, addr string) int64 {
	t.Helper()
	offsets, err := newAdmin(t, addr).GroupOffsets(context.Background(), "connect-snk")
	require.NoError(t, err)
	at, ok := offsets[kafka.TopicPartition{Topic: "in"}]
	if !ok {
		return -1
	}
	return at
}

func TestSinkDeliversInOrderAndCommitsWhatIsFlushed(t *testing.T) {
	addr := startBroker(t, kafka.EmbeddedConfig{}).Addr()
	fill(t, addr, 0, 4999)
	b := startSink(t, addr, nil, nil)
	eventually(t, "all records", func() bool { s := b.stream(0); return s != nil && s.count() == 5000 })
	for i, v := range b.stream(0).values { // I-6
		require.Equal(t, fmt.Sprintf("v-%d", i), v)
	}
	eventually(t, "commit", func() bool { return b.task.Snapshot().Commits > 0 })
	eventually(t, "all committed", func() bool { return committedOf(t, addr) == 5000 })
	b.task.Stop()
	require.NoError(t, b.wait(t))
	require.Equal(t, Stopped, b.seen.last())
	require.Equal(t, []string{"in"}, b.seen.topics)
	require.EqualValues(t, 5000, b.task.Snapshot().Records)
	require.Equal(t, 1, b.stream(0).drains)
	require.Equal(t, []bool{false}, b.stream(0).revoked)
}

func TestSinkCommitsOnRevokeWhenItStops(t *testing.T) {
	addr := startBroker(t, kafka.EmbeddedConfig{}).Addr()
	fill(t, addr, 0, 99)
	b := startSink(t, addr, func(cfg *SinkConfig) { cfg.Timing.OffsetFlushInterval = time.Hour }, nil)
	eventually(t, "all records", func() bool { s := b.stream(0); return s != nil && s.count() == 100 })
	require.EqualValues(t, -1, committedOf(t, addr)) // I-2: nothing was flushed
	b.task.Stop()
	require.NoError(t, b.wait(t))
	require.EqualValues(t, 100, committedOf(t, addr))
}

func TestSinkKeepsWithinItsCredit(t *testing.T) {
	addr := startBroker(t, kafka.EmbeddedConfig{}).Addr()
	fill(t, addr, 0, 4999)
	const credit = 64 << 10
	b := startSink(t, addr, func(cfg *SinkConfig) { cfg.CreditBytes = credit }, func(_ int, s *scriptedSink) { s.holdAccept = true })
	eventually(t, "the credit is used", func() bool { s := b.stream(0); return s != nil && s.count() > 500 })
	s := b.stream(0)
	require.Never(t, func() bool { // I-4
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.most > credit+200
	}, 100*time.Millisecond, 5*time.Millisecond)
	s.release()
	eventually(t, "all records", func() bool { return s.count() == 5000 })
	b.task.Stop()
	require.NoError(t, b.wait(t))
}

func TestSinkStartsADeadPluginAgainFromTheCommittedOffsets(t *testing.T) {
	addr := startBroker(t, kafka.EmbeddedConfig{}).Addr()
	fill(t, addr, 0, 99)
	b := startSink(t, addr, nil, func(i int, s *scriptedSink) { s.hangFlush = i == 1 })
	eventually(t, "all committed", func() bool { return committedOf(t, addr) == 100 })
	b.stream(0).end(&plugin.DeathError{Plugin: "scripted"})
	eventually(t, "a second process", func() bool { return b.stream(1) != nil })
	require.True(t, b.seen.saw(Restarting))
	fill(t, addr, 100, 149)
	eventually(t, "the new records", func() bool { return b.stream(1).count() == 50 })
	start := time.Now()
	b.stream(1).end(&plugin.DeathError{Plugin: "scripted"}) // nothing of it was flushed
	eventually(t, "the same records again", func() bool { s := b.stream(2); return s != nil && s.count() == 50 })
	require.Less(t, time.Since(start), time.Second) // I-10; the consumer stayed in its group
	require.Equal(t, "in-0@100", b.stream(2).offsets[0])
	eventually(t, "all committed", func() bool { return committedOf(t, addr) == 150 })
	require.EqualValues(t, 2, b.task.Snapshot().Restarts)
	b.task.Stop()
	require.NoError(t, b.wait(t))
}

func TestSinkGoesBackWhenAFlushFails(t *testing.T) {
	addr := startBroker(t, kafka.EmbeddedConfig{}).Addr()
	fill(t, addr, 0, 49)
	b := startSink(t, addr, nil, func(_ int, s *scriptedSink) { s.flushErr = &plugin.RemoteError{Message: "the server is away"} })
	eventually(t, "the records twice", func() bool { s := b.stream(0); return s != nil && s.count() == 100 })
	eventually(t, "commit", func() bool { return committedOf(t, addr) == 50 })
	s := b.stream(0)
	s.with(func() {
		require.Equal(t, []uint64{0}, s.sought)
		require.Equal(t, "in-0@0", s.offsets[50])
	})
	require.Contains(t, b.task.Snapshot().LastError, "the server is away")
	b.task.Stop()
	require.NoError(t, b.wait(t))
}

func TestSinkSeeksWhereTheTaskWants(t *testing.T) {
	addr := startBroker(t, kafka.EmbeddedConfig{}).Addr()
	fill(t, addr, 0, 49)
	b := startSink(t, addr, nil, nil)
	eventually(t, "all committed", func() bool { return committedOf(t, addr) == 50 })
	s := b.stream(0)
	s.emit(plugin.Seek{RequestID: 9, Offsets: []plugin.PartitionPosition{{ID: 1, Offset: 40}}})
	eventually(t, "ten records again", func() bool { return s.count() == 60 })
	s.with(func() {
		require.Equal(t, []uint64{9}, s.sought)
		require.Equal(t, "in-0@40", s.offsets[50])
	})
	b.task.Stop()
	require.NoError(t, b.wait(t))
}

func TestSinkMovesPartitionsToAnotherMemberWithoutLossOrRepeat(t *testing.T) {
	addr := startBroker(t, kafka.EmbeddedConfig{DefaultPartitions: 4}).Addr()
	require.NoError(t, newAdmin(t, addr).CreateTopic(context.Background(), kafka.NewTopic{Name: "in", Partitions: 4, ReplicationFactor: 1}))
	one := startSink(t, addr, func(cfg *SinkConfig) { cfg.Timing.OffsetFlushInterval = time.Hour }, nil)
	fillAll := func(from int) {
		p := newProducer(t, addr, nil)
		batch := p.NewBatch(400)
		for i := range 400 {
			batch.Append("in", int32(i%4), kafka.TimestampNow, nil, fmt.Appendf(nil, "v-%d", from+i))
		}
		done := make(chan error, 1)
		p.Produce(context.Background(), batch, func(r kafka.BatchResult) { done <- r.Err() })
		require.NoError(t, <-done)
		require.NoError(t, p.Close(context.Background()))
	}
	fillAll(0)
	eventually(t, "the first records", func() bool { s := one.stream(0); return s != nil && s.count() == 400 })
	two := startSink(t, addr, func(cfg *SinkConfig) { cfg.ID.Task, cfg.Timing.OffsetFlushInterval = 1, time.Hour }, nil)
	eventually(t, "the second member has partitions", func() bool {
		s := two.stream(0)
		if s == nil {
			return false
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.partitions) == 2
	})
	fillAll(400)
	eventually(t, "all records once", func() bool { return one.stream(0).count()+two.stream(0).count() >= 800 })
	seen := map[string]int{}
	for _, v := range append(append([]string{}, one.stream(0).values...), two.stream(0).values...) {
		seen[v]++
	}
	require.Len(t, seen, 800)
	for v, n := range seen { // flushed and committed before the revoke: nothing twice
		require.Equal(t, 1, n, v)
	}
	two.task.Stop()
	require.NoError(t, two.wait(t))
	one.task.Stop()
	require.NoError(t, one.wait(t))
}

func TestSinkPausedReadsNothingAndStaysInItsGroup(t *testing.T) {
	addr := startBroker(t, kafka.EmbeddedConfig{}).Addr()
	fill(t, addr, 0, 9)
	b := startSink(t, addr, func(cfg *SinkConfig) { cfg.Timing.OffsetFlushInterval = time.Hour }, nil)
	eventually(t, "the first records", func() bool { s := b.stream(0); return s != nil && s.count() == 10 })
	b.task.SetPaused(true)
	eventually(t, "paused", func() bool { return b.seen.last() == Paused })
	eventually(t, "a pause commits", func() bool { return committedOf(t, addr) == 10 })
	fill(t, addr, 10, 19)
	require.Never(t, func() bool { return b.stream(0).count() != 10 }, 200*time.Millisecond, 5*time.Millisecond)
	b.task.SetPaused(false)
	eventually(t, "the rest", func() bool { return b.stream(0).count() == 20 })
	b.task.Stop()
	require.NoError(t, b.wait(t))
}

func TestSinkStartedPausedJoinsWhenItResumes(t *testing.T) {
	addr := startBroker(t, kafka.EmbeddedConfig{}).Addr()
	fill(t, addr, 0, 9)
	b := startSink(t, addr, func(cfg *SinkConfig) { cfg.Paused = true }, nil)
	eventually(t, "paused", func() bool { return b.seen.last() == Paused })
	b.task.SetPaused(false)
	eventually(t, "the records", func() bool { return b.stream(0).count() == 10 })
	b.task.Stop()
	require.NoError(t, b.wait(t))
}

func TestSinkErrantRecords(t *testing.T) {
	for _, tolerate := range []bool{false, true} {
		addr := startBroker(t, kafka.EmbeddedConfig{}).Addr()
		fill(t, addr, 0, 9)
		b := startSink(t, addr, func(cfg *SinkConfig) { cfg.Errors.TolerateAll = tolerate }, nil)
		eventually(t, "the records", func() bool { s := b.stream(0); return s != nil && s.count() == 10 })
		s := b.stream(0)
		s.emit(plugin.RecordErrors{RequestID: 1, Records: []plugin.RecordError{{Seq: 4, Err: &plugin.RemoteError{Message: "no such table"}}}})
		eventually(t, "an answer", func() bool { s.mu.Lock(); defer s.mu.Unlock(); return len(s.handled) == 1 })
		if tolerate {
			require.NoError(t, s.handled[0])
			b.task.Stop()
			require.NoError(t, b.wait(t))
			continue
		}
		err := b.wait(t)
		require.ErrorContains(t, err, "Tolerance exceeded in error handler")
		require.ErrorContains(t, err, "no such table")
	}
}

func TestSinkSkipsRecordsThatItCannotConvertAndCommitsOverThem(t *testing.T) {
	addr := startBroker(t, kafka.EmbeddedConfig{}).Addr()
	fill(t, addr, 0, 9) // no JSON
	b := startSink(t, addr, func(cfg *SinkConfig) {
		cfg.Converters = converters(t, "JsonConverter", map[string]string{"schemas.enable": "false"})
		cfg.Errors.TolerateAll = true
	}, nil)
	eventually(t, "commit over the skipped records", func() bool { return committedOf(t, addr) == 10 })
	require.EqualValues(t, 10, b.task.Snapshot().Skipped)
	require.Zero(t, b.stream(0).count())
	b.task.Stop()
	require.NoError(t, b.wait(t))
	require.Empty(t, b.seen.topics, "a topic without a record that can be read is not in use")
}

func TestSinkThatCannotConvertFailsAndKeepsWhatWasDone(t *testing.T) {
	addr := startBroker(t, kafka.EmbeddedConfig{}).Addr()
	fill(t, addr, 0, 9)
	b := startSink(t, addr, func(cfg *SinkConfig) {
		cfg.Converters = converters(t, "JsonConverter", map[string]string{"schemas.enable": "false"})
	}, nil)
	err := b.wait(t)
	require.ErrorContains(t, err, "topic in, partition 0, offset 0")
	require.ErrorContains(t, err, StageValueConverter)
	require.Equal(t, Failed, b.seen.last())
}

func TestSinkThatHangsEndsInTime(t *testing.T) {
	for name, script := range map[string]func(int, *scriptedSink){
		"drain":  func(_ int, s *scriptedSink) { s.hangDrain = true },
		"assign": func(_ int, s *scriptedSink) { s.hangAssign = true },
	} {
		t.Run(name, func(t *testing.T) {
			addr := startBroker(t, kafka.EmbeddedConfig{}).Addr()
			fill(t, addr, 0, 9)
			b := startSink(t, addr, func(cfg *SinkConfig) { cfg.Timing.GracefulTimeout = 500 * time.Millisecond }, script)
			eventually(t, "partitions", func() bool {
				s := b.stream(0)
				if s == nil {
					return false
				}
				s.mu.Lock()
				defer s.mu.Unlock()
				return len(s.partitions) == 1
			})
			b.task.Stop()
			start := time.Now()
			var timeout *DrainTimeoutError
			require.ErrorAs(t, b.wait(t), &timeout)
			require.Less(t, time.Since(start), 2*time.Second)
		})
	}
}

func TestSinkFailureOfTheTaskEndsIt(t *testing.T) {
	addr := startBroker(t, kafka.EmbeddedConfig{}).Addr()
	fill(t, addr, 0, 9)
	b := startSink(t, addr, nil, nil)
	eventually(t, "the records", func() bool { s := b.stream(0); return s != nil && s.count() == 10 })
	b.stream(0).end(&plugin.RemoteError{Message: "disk full", Class: "java.io.IOException"})
	err := b.wait(t)
	var remote *plugin.RemoteError
	require.ErrorAs(t, err, &remote)
	require.Equal(t, "java.io.IOException: disk full", Trace(err))
}

func TestSinkGivesUpAtOnceWhenItsContextEnds(t *testing.T) {
	addr := startBroker(t, kafka.EmbeddedConfig{}).Addr()
	fill(t, addr, 0, 9)
	ctx, cancel := context.WithCancel(context.Background())
	var cfg SinkConfig
	b := startSink(t, addr, func(c *SinkConfig) { cfg = *c }, nil)
	b.task.Stop()
	require.NoError(t, b.wait(t))
	task := NewSink(cfg)
	result := make(chan error, 1)
	go func() { result <- task.Run(ctx) }()
	eventually(t, "running", func() bool { return task.Snapshot().State == Running })
	cancel()
	select {
	case err := <-result:
		require.ErrorIs(t, err, context.Canceled)
	case <-time.After(5 * time.Second):
		t.Fatal("it did not give up")
	}
}

func TestSinkTellsItsLag(t *testing.T) {
	addr := startBroker(t, kafka.EmbeddedConfig{}).Addr()
	fill(t, addr, 0, 4999)
	b := startSink(t, addr, func(cfg *SinkConfig) { cfg.CreditBytes = 64 << 10 }, func(_ int, s *scriptedSink) { s.holdAccept = true })
	eventually(t, "a lag", func() bool { return b.task.Snapshot().LagRecords > 1000 })
	b.stream(0).release()
	eventually(t, "no lag", func() bool { return b.task.Snapshot().LagRecords == 0 && b.stream(0).count() == 5000 })
	b.task.Stop()
	require.NoError(t, b.wait(t))
}
