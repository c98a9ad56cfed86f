package task

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tailrace/tailrace/host/kafka"
	"github.com/tailrace/tailrace/host/plugin"
	"github.com/tailrace/tailrace/host/store"
	"github.com/tailrace/tailrace/sdk/go/data"
)

// sourceBench is one source task with everything around it.
type sourceBench struct {
	task   *Source
	stream *scriptedSource
	store  *faultyStore
	seen   *recorder
	result chan error
	addr   string
}

// faultyStore is a memory store that can fail, hang and count.
type faultyStore struct {
	*store.MemoryOffsetStore
	mu   sync.Mutex
	fail error
	hang bool
	puts int
}

func (s *faultyStore) set(fail error, hang bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail, s.hang = fail, hang
}

func (s *faultyStore) Put(ctx context.Context, entries []store.OffsetEntry) error {
	s.mu.Lock()
	s.puts++
	fail, hang := s.fail, s.hang
	s.mu.Unlock()
	if hang {
		<-ctx.Done()
		return ctx.Err()
	}
	if fail != nil {
		return fail
	}
	return s.MemoryOffsetStore.Put(ctx, entries)
}

func (s *faultyStore) value(t testing.TB, key string) string {
	t.Helper()
	v, err := s.Get(context.Background(), [][]byte{[]byte(key)})
	require.NoError(t, err)
	return string(v[0])
}

func startSource(t testing.TB, addr string, change func(*SourceConfig, *scriptedSource)) *sourceBench {
	t.Helper()
	b := &sourceBench{
		stream: newScriptedSource(), seen: &recorder{}, result: make(chan error, 1), addr: addr,
		store: &faultyStore{MemoryOffsetStore: store.NewMemoryOffsetStore()},
	}
	cfg := SourceConfig{
		ID: ID{"src", 0}, ConnectorType: "scripted", Epoch: 1,
		Open:       func(context.Context, plugin.SourceStart) (SourceStream, error) { return b.stream, nil },
		Converters: stringConverters(t), Offsets: b.store, Listener: b.seen, Logger: testLogger(t),
		Timing: Timing{OffsetFlushInterval: 50 * time.Millisecond, OffsetFlushTimeout: time.Second, GracefulTimeout: 3 * time.Second},
	}
	if change != nil {
		change(&cfg, b.stream)
	}
	if cfg.Producer == nil {
		cfg.Producer = newProducer(t, addr, nil)
	}
	b.task = NewSource(cfg)
	go func() { b.result <- b.task.Run(context.Background()) }()
	return b
}

func (b *sourceBench) wait(t testing.TB) error {
	t.Helper()
	select {
	case err := <-b.result:
		return err
	case <-time.After(15 * time.Second):
		t.Fatal("the task did not end")
		return nil
	}
}

const srcKey = `["src",{"file":"a"}]`

func TestSourceMovesRecordsInOrderAndCommitsBehindTheStore(t *testing.T) {
	addr := startBroker(t, kafka.EmbeddedConfig{}).Addr()
	b := startSource(t, addr, nil)
	b.stream.emit(plugin.Started{})
	p := b.stream.partition(t, map[string]any{"file": "a"})
	for range 10 {
		b.stream.lines(t, "out", "line", p, 100)
	}
	eventually(t, "commit of the last record", func() bool { return b.stream.lastCommit() == 1000 })
	require.Equal(t, `{"position":1000}`, b.store.value(t, srcKey)) // I-1
	b.task.Stop()
	require.NoError(t, b.wait(t))
	require.Equal(t, Stopped, b.seen.last())
	require.Equal(t, []string{"out"}, b.seen.topics)
	values := readTopic(t, addr, "out", 1000)
	for i, v := range values { // I-6
		require.Equal(t, fmt.Sprintf("line-%d", i+1), v)
	}
	snap := b.task.Snapshot()
	require.EqualValues(t, 1000, snap.Records)
	require.EqualValues(t, 10, snap.Batches)
	require.Zero(t, snap.InFlightBytes) // I-4
	require.EqualValues(t, 1000, snap.CommittedThrough)
}

func TestSourceDrainStoresAndCommitsWhatTheTaskSendsLast(t *testing.T) {
	addr := startBroker(t, kafka.EmbeddedConfig{}).Addr()
	b := startSource(t, addr, func(cfg *SourceConfig, s *scriptedSource) {
		cfg.Timing.OffsetFlushInterval = time.Hour
		s.onDrain = func(s *scriptedSource) {
			s.lines(t, "out", "late", 1, 50)
			s.emit(plugin.Drained{LastSeq: s.last()})
		}
	})
	b.stream.emit(plugin.Started{})
	p := b.stream.partition(t, map[string]any{"file": "a"})
	b.stream.lines(t, "out", "line", p, 10)
	eventually(t, "running", func() bool { return b.seen.saw(Running) })
	b.task.Stop()
	require.NoError(t, b.wait(t))
	require.EqualValues(t, 60, b.stream.lastCommit()) // always one Commit between Drained and the close
	require.Equal(t, `{"position":60}`, b.store.value(t, srcKey))
	require.Len(t, readTopic(t, addr, "out", 60), 60)
}

func TestSourceOfADeadPluginStoresWhatReachedKafkaAndTellsTheDeath(t *testing.T) {
	addr := startBroker(t, kafka.EmbeddedConfig{}).Addr()
	for _, batches := range []int{0, 1, 7} {
		b := startSource(t, addr, func(cfg *SourceConfig, _ *scriptedSource) { cfg.Timing.OffsetFlushInterval = time.Hour })
		b.stream.emit(plugin.Started{})
		p := b.stream.partition(t, map[string]any{"file": "a"})
		for range batches {
			b.stream.lines(t, "out", "line", p, 100)
		}
		b.stream.end(&plugin.DeathError{Plugin: "scripted"})
		start := time.Now()
		var death *plugin.DeathError
		require.ErrorAs(t, b.wait(t), &death)
		require.Less(t, time.Since(start), time.Second) // I-10
		require.Equal(t, Failed, b.seen.last())
		want := ""
		if batches > 0 { // nothing twice: the next process starts behind what Kafka has
			want = fmt.Sprintf(`{"position":%d}`, batches*100)
		}
		require.Equal(t, want, b.store.value(t, srcKey))
	}
}

func TestSourceDoesNotCommitWhileTheStoreFails(t *testing.T) {
	addr := startBroker(t, kafka.EmbeddedConfig{}).Addr()
	b := startSource(t, addr, func(cfg *SourceConfig, _ *scriptedSource) { cfg.Timing.OffsetFlushTimeout = 100 * time.Millisecond })
	b.store.set(errors.New("the disk is full"), false)
	b.stream.emit(plugin.Started{})
	p := b.stream.partition(t, map[string]any{"file": "a"})
	b.stream.lines(t, "out", "line", p, 10)
	eventually(t, "several failed stores", func() bool { return b.task.Snapshot().CommitFailures >= 3 })
	require.Zero(t, b.stream.lastCommit()) // I-1
	require.Contains(t, b.task.Snapshot().LastError, "disk is full")
	b.store.set(nil, true)
	failures := b.task.Snapshot().CommitFailures
	eventually(t, "a store that hangs is given up", func() bool { return b.task.Snapshot().CommitFailures > failures+1 })
	require.Zero(t, b.stream.lastCommit()) // I-1
	b.store.set(nil, false)
	eventually(t, "commit after the store is back", func() bool { return b.stream.lastCommit() == 10 })
	require.Equal(t, Running, b.seen.last())
	b.task.Stop()
	require.NoError(t, b.wait(t))
}

func TestSourceSendsALostCommitAgain(t *testing.T) {
	addr := startBroker(t, kafka.EmbeddedConfig{}).Addr()
	b := startSource(t, addr, nil)
	b.stream.emit(plugin.Started{})
	b.stream.lines(t, "out", "line", b.stream.partition(t, map[string]any{"file": "a"}), 5)
	eventually(t, "the same commit three times", func() bool {
		b.stream.mu.Lock()
		defer b.stream.mu.Unlock()
		return len(b.stream.commits) >= 3
	})
	require.EqualValues(t, 5, b.stream.lastCommit())
	b.task.Stop()
	require.NoError(t, b.wait(t))
	b.store.mu.Lock()
	defer b.store.mu.Unlock()
	require.Equal(t, 1, b.store.puts) // flushed only when something changed
}

func TestSourceThatHangsInDrainEndsInTimeWithItsOffsetsStored(t *testing.T) {
	addr := startBroker(t, kafka.EmbeddedConfig{}).Addr()
	b := startSource(t, addr, func(cfg *SourceConfig, s *scriptedSource) {
		cfg.Timing.GracefulTimeout, cfg.Timing.OffsetFlushInterval = 500*time.Millisecond, time.Hour
		s.onDrain = func(*scriptedSource) {}
	})
	b.stream.emit(plugin.Started{})
	b.stream.lines(t, "out", "line", b.stream.partition(t, map[string]any{"file": "a"}), 5)
	eventually(t, "acknowledged", func() bool { return b.task.Snapshot().Records == 5 })
	b.task.Stop()
	start := time.Now()
	var timeout *DrainTimeoutError
	require.ErrorAs(t, b.wait(t), &timeout)
	require.Less(t, time.Since(start), time.Second)
	require.Equal(t, `{"position":5}`, b.store.value(t, srcKey))
}

func TestSourceStoppedBeforeItStartedEndsAtOnce(t *testing.T) {
	addr := startBroker(t, kafka.EmbeddedConfig{}).Addr()
	b := startSource(t, addr, nil) // Started never comes
	eventually(t, "starting", func() bool { return b.seen.saw(Starting) })
	b.task.Stop()
	require.NoError(t, b.wait(t))
	require.Equal(t, Stopped, b.seen.last())
}

func TestSourceTellsTheTaskToPauseAndStoresItsOffsets(t *testing.T) {
	addr := startBroker(t, kafka.EmbeddedConfig{}).Addr()
	b := startSource(t, addr, func(cfg *SourceConfig, _ *scriptedSource) { cfg.Timing.OffsetFlushInterval = time.Hour })
	b.stream.emit(plugin.Started{})
	b.stream.lines(t, "out", "line", b.stream.partition(t, map[string]any{"file": "a"}), 5)
	eventually(t, "acknowledged", func() bool { return b.task.Snapshot().Records == 5 })
	b.task.SetPaused(true)
	eventually(t, "paused", func() bool { return b.seen.last() == Paused })
	eventually(t, "committed", func() bool { return b.stream.lastCommit() == 5 })
	b.task.SetPaused(false)
	eventually(t, "running", func() bool { return b.seen.last() == Running })
	b.stream.mu.Lock()
	require.Equal(t, []bool{true, false}, b.stream.pauses)
	b.stream.mu.Unlock()
	b.task.Stop()
	require.NoError(t, b.wait(t))
}

func TestSourceAnswersReadOffsetsFromTheStore(t *testing.T) {
	addr := startBroker(t, kafka.EmbeddedConfig{}).Addr()
	b := startSource(t, addr, nil)
	// A partition of two entries was written in another order, by Java.
	require.NoError(t, b.store.MemoryOffsetStore.Put(context.Background(), []store.OffsetEntry{
		{Key: []byte(srcKey), Value: []byte(`{"position":9007199254740993}`)}, // I-7
		{Key: []byte(`["src",{"z":1,"a":"x"}]`), Value: []byte(`{"n":2}`)},
	}))
	wireOf := func(m map[string]any) []byte {
		v, err := data.Convert(nil, m)
		require.NoError(t, err)
		out, err := data.AppendValue(nil, nil, v)
		require.NoError(t, err)
		return out
	}
	b.stream.emit(plugin.ReadOffsets{RequestID: 7, Partitions: [][]byte{wireOf(map[string]any{"file": "a"}), wireOf(map[string]any{"file": "new"}), wireOf(map[string]any{"a": "x", "z": 1})}})
	eventually(t, "an answer", func() bool {
		b.stream.mu.Lock()
		defer b.stream.mu.Unlock()
		return b.stream.offsets[7] != nil
	})
	b.stream.mu.Lock()
	got := b.stream.offsets[7]
	b.stream.mu.Unlock()
	v, err := data.DecodeValue(nil, got[0])
	require.NoError(t, err)
	position, _ := v.(*data.Map).Get("position")
	require.Equal(t, int64(9007199254740993), position)
	require.Empty(t, got[1])
	require.NotEmpty(t, got[2])
	b.task.Stop()
	require.NoError(t, b.wait(t))
}

func TestSourceFailsWithAdviceOnARecordThatIsTooLarge(t *testing.T) {
	addr := startBroker(t, kafka.EmbeddedConfig{}).Addr()
	b := startSource(t, addr, func(cfg *SourceConfig, _ *scriptedSource) {
		cfg.Producer = newProducer(t, addr, map[string]string{"max.request.size": "10000"})
		cfg.Timing.OffsetFlushInterval = time.Hour
	})
	b.stream.emit(plugin.Started{})
	p := b.stream.partition(t, map[string]any{"file": "a"})
	b.stream.lines(t, "out", "line", p, 10)
	b.stream.emit(b.stream.batch(t, "out", p, 11, []string{strings.Repeat("x", 20_000), "after"}))
	err := b.wait(t)
	require.ErrorIs(t, err, kafka.ErrMessageTooLarge)
	for _, part := range []string{"record 11", "topic out", "20000 bytes", "max.request.size", "10000", "producer.override.max.request.size"} {
		require.Contains(t, err.Error(), part)
	}
	require.Equal(t, Failed, b.seen.last())
	require.Equal(t, `{"position":10}`, b.store.value(t, srcKey)) // I-1: nothing behind the failure
}

func TestSourceSkipsARecordThatIsTooLargeWhenErrorsAreTolerated(t *testing.T) {
	addr := startBroker(t, kafka.EmbeddedConfig{}).Addr()
	b := startSource(t, addr, func(cfg *SourceConfig, _ *scriptedSource) {
		cfg.Producer = newProducer(t, addr, map[string]string{"max.request.size": "10000"})
		cfg.Errors.TolerateAll = true
	})
	b.stream.emit(plugin.Started{})
	p := b.stream.partition(t, map[string]any{"file": "a"})
	b.stream.emit(b.stream.batch(t, "out", p, 1, []string{"before", strings.Repeat("x", 20_000), "after"}))
	eventually(t, "commit over the skipped record", func() bool { return b.stream.lastCommit() == 3 })
	require.Equal(t, []string{"before", "after"}, readTopic(t, addr, "out", 2))
	require.EqualValues(t, 1, b.task.Snapshot().Skipped)
	b.stream.nextSeq = 4
	b.task.Stop()
	require.NoError(t, b.wait(t))
}

func TestSourceThatCannotConvertFailsBehindTheRecordsBefore(t *testing.T) {
	addr := startBroker(t, kafka.EmbeddedConfig{}).Addr()
	b := startSource(t, addr, func(cfg *SourceConfig, _ *scriptedSource) {
		cfg.Converters = converters(t, "IntegerConverter", nil)
		cfg.Timing.OffsetFlushInterval = time.Hour
	})
	b.stream.emit(plugin.Started{})
	b.stream.lines(t, "out", "line", b.stream.partition(t, map[string]any{"file": "a"}), 3)
	err := b.wait(t)
	var failure *RecordFailure
	require.ErrorAs(t, err, &failure)
	require.Equal(t, StageValueConverter, failure.Stage)
	require.Contains(t, err.Error(), "Tolerance exceeded in error handler")
	require.Contains(t, Trace(err), "Caused by: org.apache.kafka.connect.errors.DataException: Failed to serialize to integer (was class java.lang.String): ")
	require.Empty(t, b.store.value(t, srcKey))
	require.Empty(t, b.seen.topics)
}

// As in Kafka Connect, a topic is made and counts as used with its first record.
func TestSourceMakesAndNamesOnlyTopicsThatGetARecord(t *testing.T) {
	addr := startBroker(t, kafka.EmbeddedConfig{}).Addr()
	b := startSource(t, addr, func(cfg *SourceConfig, _ *scriptedSource) {
		cfg.Converters = converters(t, "IntegerConverter", nil)
		cfg.Errors.TolerateAll = true
	})
	b.stream.emit(plugin.Started{})
	p := b.stream.partition(t, map[string]any{"file": "a"})
	b.stream.lines(t, "unreadable", "line", p, 3)
	eventually(t, "commit over the skipped records", func() bool { return b.stream.lastCommit() == 3 })
	b.task.Stop()
	require.NoError(t, b.wait(t))
	require.Empty(t, b.seen.topics)
	topics, err := newAdmin(t, addr).ListTopics(t.Context())
	require.NoError(t, err)
	require.NotContains(t, topics, "unreadable")
}

func TestSourceOfRecordsThatKafkaRefusesUsesNoTopic(t *testing.T) {
	addr := startBroker(t, kafka.EmbeddedConfig{}).Addr()
	b := startSource(t, addr, func(cfg *SourceConfig, _ *scriptedSource) {
		cfg.Producer = newProducer(t, addr, map[string]string{"max.request.size": "10000"})
		cfg.Errors.TolerateAll = true
	})
	b.stream.emit(plugin.Started{})
	p := b.stream.partition(t, map[string]any{"file": "a"})
	b.stream.emit(b.stream.batch(t, "large", p, 1, []string{strings.Repeat("x", 20_000)}))
	eventually(t, "commit over the refused record", func() bool { return b.stream.lastCommit() == 1 })
	b.stream.nextSeq = 2
	b.stream.emit(b.stream.batch(t, "both", p, 2, []string{"fits", strings.Repeat("x", 20_000)}))
	eventually(t, "commit over both", func() bool { return b.stream.lastCommit() == 3 })
	b.stream.nextSeq = 4
	b.task.Stop()
	require.NoError(t, b.wait(t))
	require.Equal(t, []string{"both"}, b.seen.topics)
}

func TestSourceCreatesTopicsAsConfigured(t *testing.T) {
	addr := startBroker(t, kafka.EmbeddedConfig{}).Addr()
	admin := newAdmin(t, addr)
	b := startSource(t, addr, func(cfg *SourceConfig, _ *scriptedSource) {
		cfg.Admin = admin
		cfg.TopicFor = func(topic string) kafka.NewTopic {
			return kafka.NewTopic{Name: topic, Partitions: 3, ReplicationFactor: 1, Configs: map[string]string{"retention.ms": "1000000"}}
		}
	})
	b.stream.emit(plugin.Started{})
	b.stream.lines(t, "made", "line", b.stream.partition(t, map[string]any{"file": "a"}), 5)
	eventually(t, "commit", func() bool { return b.stream.lastCommit() == 5 })
	topics, err := admin.Topics(context.Background(), "made")
	require.NoError(t, err)
	require.Equal(t, 3, topics["made"].Partitions)
	b.task.Stop()
	require.NoError(t, b.wait(t))
}

func TestSourceFailsWhenItsTopicCannotBeCreated(t *testing.T) {
	addr := startBroker(t, kafka.EmbeddedConfig{}).Addr()
	b := startSource(t, addr, func(cfg *SourceConfig, _ *scriptedSource) {
		cfg.Admin = newAdmin(t, addr)
		cfg.TopicFor = func(topic string) kafka.NewTopic {
			return kafka.NewTopic{Name: topic, Partitions: 0, ReplicationFactor: 1}
		}
	})
	b.stream.emit(plugin.Started{})
	p := b.stream.partition(t, map[string]any{"file": "a"})
	b.stream.lines(t, "bad", "line", p, 5)
	b.stream.lines(t, "bad", "line", p, 5)
	err := b.wait(t)
	require.ErrorIs(t, err, kafka.ErrInvalidPartitions)
	require.Contains(t, err.Error(), "topic bad")
	require.Contains(t, err.Error(), "topic.creation")
}

func TestSourceWaitsForABrokerThatIsAwayAndLosesNothing(t *testing.T) {
	dir := t.TempDir()
	first, err := kafka.StartEmbedded(kafka.EmbeddedConfig{DataDir: dir})
	require.NoError(t, err)
	addr := first.Addr()
	port := 0
	_, err = fmt.Sscanf(addr[strings.LastIndexByte(addr, ':')+1:], "%d", &port)
	require.NoError(t, err)
	b := startSource(t, addr, nil)
	b.stream.emit(plugin.Started{})
	p := b.stream.partition(t, map[string]any{"file": "a"})
	b.stream.lines(t, "out", "line", p, 100)
	eventually(t, "first commit", func() bool { return b.stream.lastCommit() == 100 })
	first.Close()
	b.stream.lines(t, "out", "line", p, 100)
	eventually(t, "the broker is missed", func() bool { return !b.task.Snapshot().Kafka.OK() })
	require.EqualValues(t, 100, b.stream.lastCommit()) // I-1
	second := startBroker(t, kafka.EmbeddedConfig{DataDir: dir, Port: port})
	eventually(t, "commit after the broker is back", func() bool { return b.stream.lastCommit() == 200 })
	values := readTopic(t, second.Addr(), "out", 200)
	require.Equal(t, "line-200", values[199])
	b.task.Stop()
	require.NoError(t, b.wait(t))
}

func TestSourceStoppedWhileTheBrokerIsAwayEndsInTime(t *testing.T) {
	broker, err := kafka.StartEmbedded(kafka.EmbeddedConfig{})
	require.NoError(t, err)
	b := startSource(t, broker.Addr(), func(cfg *SourceConfig, _ *scriptedSource) { cfg.Timing.GracefulTimeout = 700 * time.Millisecond })
	broker.Close()
	b.stream.emit(plugin.Started{})
	b.stream.lines(t, "out", "line", b.stream.partition(t, map[string]any{"file": "a"}), 100)
	eventually(t, "batch under way", func() bool { return b.task.Snapshot().Batches == 1 })
	b.task.Stop()
	start := time.Now()
	var timeout *DrainTimeoutError
	require.ErrorAs(t, b.wait(t), &timeout)
	require.Less(t, time.Since(start), 2*time.Second)
	require.Empty(t, b.store.value(t, srcKey)) // I-1
}

func TestSourceGivesUpAtOnceWhenItsContextEnds(t *testing.T) {
	addr := startBroker(t, kafka.EmbeddedConfig{}).Addr()
	s := newScriptedSource()
	ctx, cancel := context.WithCancel(context.Background())
	task := NewSource(SourceConfig{
		ID: ID{"src", 0}, Converters: stringConverters(t), Offsets: store.NewMemoryOffsetStore(), Listener: &recorder{},
		Producer: newProducer(t, addr, nil),
		Open:     func(context.Context, plugin.SourceStart) (SourceStream, error) { return s, nil },
	})
	result := make(chan error, 1)
	go func() { result <- task.Run(ctx) }()
	s.emit(plugin.Started{})
	cancel()
	require.ErrorIs(t, <-result, context.Canceled)
}

func TestSourceEndsCleanlyWhereverThePluginDies(t *testing.T) {
	addr := startBroker(t, kafka.EmbeddedConfig{}).Addr()
	death := &plugin.DeathError{Plugin: "scripted"}
	for name, c := range map[string]struct {
		script func(*scriptedSource)
		play   func(*sourceBench, uint32)
		stop   bool
		stored string
		clean  bool
	}{
		"before Started": {play: func(b *sourceBench, _ uint32) { b.stream.end(death) }},
		"behind a batch": {play: func(b *sourceBench, p uint32) {
			b.stream.emit(plugin.Started{})
			b.stream.lines(t, "out", "x", p, 3)
			b.stream.end(death)
		}, stored: `{"position":3}`},
		"while it drains": {
			script: func(s *scriptedSource) { s.onDrain = func(s *scriptedSource) { s.end(death) } },
			play: func(b *sourceBench, p uint32) {
				b.stream.emit(plugin.Started{})
				b.stream.lines(t, "out", "x", p, 3)
			}, stop: true, stored: `{"position":3}`,
		},
		"behind Drained": {
			script: func(s *scriptedSource) {
				s.onDrain = func(s *scriptedSource) { s.emit(plugin.Drained{LastSeq: s.last()}); s.end(death) }
				s.onCloseSend = func(*scriptedSource) {}
			},
			play: func(b *sourceBench, p uint32) {
				b.stream.emit(plugin.Started{})
				b.stream.lines(t, "out", "x", p, 3)
			}, stop: true, stored: `{"position":3}`, clean: true, // nothing can be lost any more
		},
		"while it closes": {
			script: func(s *scriptedSource) { s.onCloseSend = func(s *scriptedSource) { s.end(death) } },
			play: func(b *sourceBench, p uint32) {
				b.stream.emit(plugin.Started{})
				b.stream.lines(t, "out", "x", p, 3)
			}, stop: true, stored: `{"position":3}`, clean: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := startSource(t, addr, func(cfg *SourceConfig, s *scriptedSource) {
				cfg.Timing.OffsetFlushInterval = time.Hour
				if c.script != nil {
					c.script(s)
				}
			})
			c.play(b, b.stream.partition(t, map[string]any{"file": "a"}))
			if c.stop {
				eventually(t, "records", func() bool { return b.task.Snapshot().Records == 3 })
				b.task.Stop()
			}
			err := b.wait(t)
			if c.clean {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, death)
			}
			require.Equal(t, c.stored, b.store.value(t, srcKey)) // I-1
		})
	}
}

func TestSourceCommitsAtOnceForATaskThatAsksForIt(t *testing.T) {
	addr := startBroker(t, kafka.EmbeddedConfig{}).Addr()
	b := startSource(t, addr, func(cfg *SourceConfig, _ *scriptedSource) { cfg.Timing.OffsetFlushInterval = time.Hour })
	b.stream.emit(plugin.Started{Capabilities: plugin.Capabilities{plugin.EagerCommit}})
	p := b.stream.partition(t, map[string]any{"file": "a"})
	for range 20 {
		b.stream.lines(t, "out", "line", p, 10)
	}
	eventually(t, "commit without waiting for the interval", func() bool { return b.stream.lastCommit() == 200 })
	b.task.Stop()
	require.NoError(t, b.wait(t))
}

// TestSourceGivesAllCreditBack: I-4 in both directions, nothing leaks.
func TestSourceGivesAllCreditBack(t *testing.T) {
	addr := startBroker(t, kafka.EmbeddedConfig{}).Addr()
	b := startSource(t, addr, func(cfg *SourceConfig, _ *scriptedSource) { cfg.CreditBytes = 1 << 20 })
	b.stream.emit(plugin.Started{})
	p := b.stream.partition(t, map[string]any{"file": "a"})
	cost := int64(0)
	for i := range 50 {
		values := []string{strings.Repeat("x", i*10)}
		batch := b.stream.batch(t, "out", p, uint64(i+1), values)
		cost += batch.Cost()
		b.stream.emit(batch)
	}
	b.stream.mu.Lock()
	b.stream.nextSeq = 51
	b.stream.mu.Unlock()
	eventually(t, "all credit", func() bool { b.stream.mu.Lock(); defer b.stream.mu.Unlock(); return b.stream.credits == cost })
	b.task.Stop()
	require.NoError(t, b.wait(t))
}

// A frame after the half-close ends the stream for gRPC, and with it the Stop of the task's author.
func TestSourceSendsNothingBehindTheClose(t *testing.T) {
	addr := startBroker(t, kafka.EmbeddedConfig{}).Addr()
	committed := make(chan int, 1)
	b := startSource(t, addr, func(cfg *SourceConfig, s *scriptedSource) {
		s.onCloseSend = func(s *scriptedSource) {
			_ = s.record(func() { committed <- len(s.commits) })
			time.AfterFunc(5*cfg.Timing.OffsetFlushInterval, func() { s.end(io.EOF) }) // its Stop takes longer than that
		}
	})
	b.stream.emit(plugin.Started{})
	p := b.stream.partition(t, map[string]any{"file": "a"})
	b.stream.lines(t, "out", "line", p, 1)
	eventually(t, "a commit", func() bool { return b.stream.lastCommit() == 1 })
	b.task.Stop()
	require.NoError(t, b.wait(t))
	require.Len(t, b.stream.commits, <-committed)
}
