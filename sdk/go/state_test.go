package connect

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	pluginv1 "github.com/tailrace/tailrace/gen/tailrace/plugin/v1"
	"github.com/tailrace/tailrace/sdk/go/wire"
)

func TestBackoffDoublesUpToItsBound(t *testing.T) {
	cases := []struct {
		n     int
		after time.Duration
		want  time.Duration
	}{
		{1, 0, 100 * time.Millisecond},
		{2, 0, 200 * time.Millisecond},
		{9, 0, 25600 * time.Millisecond},
		{10, 0, 30 * time.Second},
		{1 << 40, 0, 30 * time.Second},
		{5, time.Hour, time.Hour},
		{1, time.Nanosecond, time.Nanosecond},
	}
	for _, c := range cases {
		require.Equal(t, c.want, backoff(c.n, &RetriableError{After: c.after, Err: errors.New("x")}), "n %d after %s", c.n, c.after)
	}
	require.Equal(t, 5*time.Millisecond, idleWait(1, 0))
	require.Equal(t, 250*time.Millisecond, idleWait(1000, 0))
	require.Equal(t, time.Duration(0), idleWait(1000, time.Second))
}

// TestCreditIsNeverOverdrawnByMoreThanOneBatch: I-4. A model follows the rule of source.proto for
// any order of grants and batches.
func TestCreditIsNeverOverdrawnByMoreThanOneBatch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var l sendLedger
		granted, spent, seq := int64(0), int64(0), uint64(0)
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			if rapid.Bool().Draw(t, "grant") {
				n := rapid.Int64Range(0, 1<<22).Draw(t, "bytes")
				l.grant(uint64(n))
				granted += n
				continue
			}
			cost, count := rapid.Int64Range(64, 5<<20).Draw(t, "cost"), rapid.IntRange(1, 1000).Draw(t, "count")
			if l.open() != (granted > spent) {
				t.Fatalf("open is %v with %d granted and %d spent", l.open(), granted, spent)
			}
			if !l.open() {
				continue
			}
			if first := l.take(cost, count); first != seq+1 {
				t.Fatalf("first record is %d, want %d", first, seq+1)
			}
			seq += uint64(count)
			spent += cost
		}
		if l.lastSeq != seq || l.credit != granted-spent {
			t.Fatalf("ledger %+v, want credit %d and last %d", l, granted-spent, seq)
		}
	})
	var l sendLedger
	for range 10 {
		l.grant(math.MaxUint64)
	}
	require.Positive(t, l.credit) // no wrap
}

// TestSinkPositionsNeverPassWhatWasPut: I-2, for any order of assign, put, seek, sought, failed flush,
// release and whatever an author answers.
func TestSinkPositionsNeverPassWhatWasPut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newSinkState()
		next := uint32(0)
		allowed := make(map[uint32]int64) // what may be told at most: put, or sought
		anyID := func() (uint32, bool) {
			ids := s.ids()
			if len(ids) == 0 {
				return 0, false
			}
			return rapid.SampledFrom(ids).Draw(t, "id"), true
		}
		for range rapid.IntRange(1, 100).Draw(t, "steps") {
			id, ok := anyID()
			switch op := rapid.IntRange(0, 6).Draw(t, "op"); {
			case op == 0 || !ok:
				next++
				at := rapid.Int64Range(0, 100).Draw(t, "position")
				s.assign([]*pluginv1.TopicPartition{{Id: next, Topic: fmt.Sprint("t", next), Position: at}})
				allowed[next] = at
			case op == 1:
				if _, wanted := s.wants(id); wanted {
					last := s.byID[id].position + rapid.Int64Range(0, 50).Draw(t, "gap")
					s.put(id, last)
					allowed[id] = last + 1
				}
			case op == 2:
				m, err := s.seek(Offsets{s.byID[id].tp: rapid.Int64Range(0, 500).Draw(t, "to")})
				if err != nil {
					t.Fatal(err)
				}
				if _, wanted := s.wants(id); wanted {
					t.Fatal("records are wanted while a seek is under way")
				}
				s.put(id, 10_000) // of a put that was under way: ignored
				if rapid.Bool().Draw(t, "sought") {
					s.sought(&pluginv1.Sought{RequestId: m.RequestId, Offsets: m.Offsets})
					allowed[id] = m.Offsets[0].Offset
				}
			case op == 3:
				s.flushFailed()
			case op == 4:
				to := rapid.Int64Range(0, 100).Draw(t, "rewind")
				before := s.byID[id].seeking
				s.sought(&pluginv1.Sought{Offsets: []*pluginv1.PartitionPosition{{Partition: id, Offset: to}}})
				if before == 0 {
					allowed[id] = to
				}
			case op == 5:
				s.release([]uint32{id})
				delete(allowed, id)
			default:
				safe := make(Offsets)
				for tp := range s.byTP {
					safe[tp] = rapid.Int64Range(-5, 20_000).Draw(t, "answer")
				}
				for _, o := range s.flushed(s.ids(), safe) {
					if o.Offset > allowed[o.Partition] || o.Offset < 0 {
						t.Fatalf("partition %d: %d is told, at most %d is safe", o.Partition, o.Offset, allowed[o.Partition])
					}
				}
			}
		}
	})
}

func TestTheInboxHoldsTheHostToItsCredit(t *testing.T) { // I-4
	frame := func(n int) *pluginv1.RunSinkRequest {
		return &pluginv1.RunSinkRequest{Frame: &pluginv1.RunSinkRequest_Records{Records: &pluginv1.Records{
			Batches: []*pluginv1.SinkBatch{{Count: 1, Block: make([]byte, n)}},
		}}}
	}
	b := newInbox(1000)
	require.NoError(t, b.add(frame(wire.MaxFrameBytes))) // one frame may pass the credit
	require.NoError(t, b.add(frame(100)))
	require.ErrorContains(t, b.add(frame(wire.MaxFrameBytes)), "beyond the credit of 1000")
	m, ok, _ := b.next()
	require.True(t, ok)
	b.accepted(m.GetRecords())
	require.NoError(t, b.add(frame(900)))
}

func TestTheGate(t *testing.T) {
	ctx := context.Background()
	g := newGate(false)
	first, ok := g.open(ctx)
	require.True(t, ok)
	g.pause()
	require.Error(t, first.Err()) // a call under way ends
	opened := make(chan context.Context)
	go func() {
		c, _ := g.open(ctx)
		opened <- c
	}()
	select {
	case <-opened:
		t.Fatal("open while paused")
	case <-time.After(10 * time.Millisecond):
	}
	g.resume()
	second := <-opened
	require.NoError(t, second.Err())
	g.end()
	require.Error(t, second.Err())
	_, ok = g.open(ctx)
	require.False(t, ok)
	g.waitEnd(ctx)
	starting, done := g.starting(ctx)
	defer done()
	require.Error(t, starting.Err())
}

func TestLogBufferDropsAndCounts(t *testing.T) {
	b := newLogBuffer(true, pluginv1.LogLevel_LOG_LEVEL_INFO)
	log := b.logger()
	log.Debug("below the level")
	for range maxLogLines + 5 {
		log.Info("line")
	}
	lines, dropped := 0, uint32(0)
	for m := b.take(); m != nil; m = b.take() {
		lines += len(m.Lines)
		dropped += m.Dropped
	}
	require.Equal(t, maxLogLines, lines)
	require.Equal(t, uint32(5), dropped)
	b.setLevel(pluginv1.LogLevel_LOG_LEVEL_OFF)
	log.Error("silence")
	require.Nil(t, b.take())
	b.setLevel(pluginv1.LogLevel_LOG_LEVEL_TRACE)
	log.Log(context.Background(), logLevelTrace, "all")
	require.NotNil(t, b.take())
}

func TestErrorsAreCutAndClassed(t *testing.T) {
	p := errorProto(fmt.Errorf("outer: %w", Retriable(errors.New(string(make([]byte, 10_000))+"\xff"), 0)))
	require.LessOrEqual(t, len(p.Message), wire.MaxErrorMessageBytes)
	require.True(t, p.Retriable)
	require.Equal(t, defaultClass, p.ClassName)
	require.Nil(t, errorProto(nil))
	require.NoError(t, errorFromProto(nil))
}

// Streams that have begun at any time send their heartbeats together.
func TestStreamsShareTheMomentsOfTheirHeartbeats(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := time.Unix(0, rapid.Int64Range(0, 1<<61).Draw(t, "now"))
		wait := untilBeat(now)
		at := now.Add(wait)
		require.True(t, at.Equal(at.Truncate(beatStep)))
		require.LessOrEqual(t, wait, wire.HeartbeatInterval)
		require.Greater(t, wait, wire.HeartbeatInterval-beatStep)
	})
}
