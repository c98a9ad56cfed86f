package task

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/tailrace/tailrace/host/kafka"
	"github.com/tailrace/tailrace/host/plugin"
)

// TestLedgerAgreesWithASimpleModel plays random submissions, acknowledgements
// and stores, and compares with an account that looks at all batches each time.
func TestLedgerAgreesWithASimpleModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type batch struct {
			through uint64
			offsets []partitionOffset
			acked   bool
			ticket  ticket
		}
		var l ledger
		var model []batch
		stored, storedOffsets := uint64(0), map[uint32]byte{}
		prefix := func() (through uint64, offsets map[uint32]byte) {
			offsets = map[uint32]byte{}
			for _, b := range model {
				if !b.acked {
					break
				}
				through = b.through
				for _, o := range b.offsets {
					offsets[o.partition] = o.offset.wire[0]
				}
			}
			return through, offsets
		}
		seq := uint64(0)
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			switch rapid.IntRange(0, 3).Draw(t, "step") {
			case 0:
				seq += uint64(rapid.IntRange(1, 5).Draw(t, "records"))
				var offsets []partitionOffset
				for p := range uint32(rapid.IntRange(0, 3).Draw(t, "partitions")) {
					offsets = append(offsets, partitionOffset{p + 1, sourceOffset{wire: []byte{byte(seq)}}})
				}
				model = append(model, batch{through: seq, offsets: offsets, ticket: l.submit(seq, offsets)})
			case 1: // in any order
				var open []int
				for i, b := range model {
					if !b.acked {
						open = append(open, i)
					}
				}
				if len(open) == 0 {
					continue
				}
				i := rapid.SampledFrom(open).Draw(t, "ack")
				model[i].acked = true
				l.ack(model[i].ticket)
			case 2:
				if !l.unstored() {
					continue
				}
				offsets, through := l.take()
				want, wantOffsets := prefix()
				if through != want { // I-1, I-6: exactly the acknowledged prefix
					t.Fatalf("takes through %d, the acknowledged prefix ends at %d", through, want)
				}
				ok := rapid.Bool().Draw(t, "stored")
				if ok {
					stored = through
					for p, o := range offsets {
						storedOffsets[p] = o.wire[0]
					}
					require.Equal(t, wantOffsets, storedOffsets)
				}
				l.done(ok)
			}
			want, _ := prefix()
			if l.through != want || l.stored != stored {
				t.Fatalf("prefix %d stored %d, want %d and %d", l.through, l.stored, want, stored)
			}
			open := 0
			for _, b := range model {
				if !b.acked {
					open++
				}
			}
			if l.inFlight != open {
				t.Fatalf("%d in flight, want %d", l.inFlight, open)
			}
		}
	})
}

func TestLedgerStoresNothingBehindALostBatch(t *testing.T) {
	var l ledger
	first := l.submit(10, nil)
	l.submit(20, nil)
	third := l.submit(30, nil)
	l.ack(first)
	l.lose()
	l.ack(third)
	require.Zero(t, l.inFlight)
	require.EqualValues(t, 10, l.through) // I-1
}

// TestCreditIsBounded: what is granted and what is held never pass the limit, and
// all of it comes back (I-4).
func TestCreditIsBounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const limit = 1000
		c := credit{limit: limit}
		plugin := int64(limit) // what the task may still send
		var held []int64
		for range rapid.IntRange(1, 100).Draw(t, "steps") {
			if rapid.Bool().Draw(t, "send") && plugin > 0 {
				cost := rapid.Int64Range(64, 300).Draw(t, "cost")
				plugin -= cost
				held = append(held, cost)
				c.take(cost)
			} else if len(held) > 0 {
				c.release(held[0])
				held = held[1:]
			}
			plugin += c.grant(rapid.SampledFrom([]int{0, maxWaitingBatches}).Draw(t, "waiting"))
			if plugin+c.held+c.owed != limit {
				t.Fatalf("granted %d + held %d + owed %d is not %d", plugin, c.held, c.owed, limit)
			}
		}
		for _, cost := range held {
			c.release(cost)
		}
		if plugin += c.grant(0); plugin != limit {
			t.Fatalf("%d of %d came back", plugin, limit)
		}
	})
}

func TestLifecycleOfASource(t *testing.T) {
	cause := errors.New("broken")
	for name, c := range map[string]struct {
		steps func(*lifecycle)
		phase phase
		state State
	}{
		"starts":                       {func(l *lifecycle) { l.started() }, phaseRunning, Running},
		"starts paused":                {func(l *lifecycle) { l.paused = true; l.started() }, phaseRunning, Paused},
		"pauses":                       {func(l *lifecycle) { l.started(); l.pause(true) }, phaseRunning, Paused},
		"resumes":                      {func(l *lifecycle) { l.started(); l.pause(true); l.pause(false) }, phaseRunning, Running},
		"stop before start is the end": {func(l *lifecycle) { l.stop() }, phaseOver, Stopped},
		"stop drains":                  {func(l *lifecycle) { l.started(); l.stop() }, phaseDraining, Draining},
		"stop of a paused task drains": {func(l *lifecycle) { l.started(); l.pause(true); l.stop() }, phaseDraining, Draining},
		"drained settles":              {func(l *lifecycle) { l.started(); l.stop(); l.drained() }, phaseSettling, Draining},
		"settled closes":               {func(l *lifecycle) { l.started(); l.stop(); l.drained(); l.settled() }, phaseClosing, Draining},
		"closed is stopped":            {func(l *lifecycle) { l.started(); l.stop(); l.drained(); l.settled(); l.over() }, phaseOver, Stopped},
		"a failure settles first":      {func(l *lifecycle) { l.started(); l.fail(cause) }, phaseSettling, Draining},
		"and then is over":             {func(l *lifecycle) { l.started(); l.fail(cause); l.settled() }, phaseOver, Failed},
		"a failure in the start":       {func(l *lifecycle) { l.fail(cause); l.settled() }, phaseOver, Failed},
		"stop after a failure":         {func(l *lifecycle) { l.started(); l.fail(cause); l.stop() }, phaseSettling, Draining},
		"drained after a failure":      {func(l *lifecycle) { l.started(); l.fail(cause); l.drained(); l.settled() }, phaseOver, Failed},
		"a failure after closing":      {func(l *lifecycle) { l.started(); l.stop(); l.drained(); l.settled(); l.fail(cause) }, phaseClosing, Draining},
		"settled means nothing before": {func(l *lifecycle) { l.started(); l.settled() }, phaseRunning, Running},
	} {
		t.Run(name, func(t *testing.T) {
			var l lifecycle
			c.steps(&l)
			require.Equal(t, c.phase, l.phase)
			require.Equal(t, c.state, l.state())
		})
	}
}

func TestPositionsCommitOnlyWhatWasConfirmedAndSent(t *testing.T) {
	a, b := kafka.TopicPartition{Topic: "t"}, kafka.TopicPartition{Topic: "t", Partition: 1}
	confirm := func(id uint32, offset int64) []plugin.PartitionPosition {
		return []plugin.PartitionPosition{{ID: id, Offset: offset}}
	}
	setup := func() positions {
		p := newPositions()
		pos := p.add(a, 100)
		pos.sent, pos.consumed = 150, 160
		p.add(b, 7)
		return p
	}
	p := setup()
	require.Empty(t, p.committable(nil))
	require.Equal(t, map[kafka.TopicPartition]int64{a: 120}, p.committable(confirm(1, 120)))
	require.Equal(t, map[kafka.TopicPartition]int64{a: 160}, p.committable(confirm(1, 150))) // skipped records behind
	require.Empty(t, p.committable(confirm(1, 151)))                                         // I-2: never sent
	require.Empty(t, p.committable(confirm(1, -1)))
	require.Empty(t, p.committable(confirm(1, 100))) // nothing new
	require.Empty(t, p.committable(confirm(99, 5)))
	p.byTP[b].consumed = 9 // nothing but skipped records
	require.Equal(t, map[kafka.TopicPartition]int64{b: 9}, p.committable(nil))
	require.Equal(t, map[kafka.TopicPartition]int64{a: 120, b: 7}, p.withBeginnings(map[kafka.TopicPartition]int64{a: 120}))
	p.byTP[b].stored = true
	require.Equal(t, map[kafka.TopicPartition]int64{a: 120}, p.withBeginnings(map[kafka.TopicPartition]int64{a: 120}))
	renewed := p.renew()
	require.Len(t, renewed, 2)
	for _, pos := range renewed {
		require.Greater(t, pos.id, uint32(2)) // never used again
		require.Equal(t, pos.committed, pos.sent)
	}
	require.Empty(t, p.committable(confirm(1, 120)))
	require.False(t, p.dirty())
}

func TestSegmentsFindRecordsByTheirSequenceNumber(t *testing.T) {
	tp := kafka.TopicPartition{Topic: "t"}
	s := segments{
		{firstSeq: 1, count: 10, tp: tp, first: 100},
		{firstSeq: 11, count: 3, tp: tp, first: 200, offsets: []int64{200, 205, 206}},
	}
	for seq, want := range map[uint64]int64{1: 100, 10: 109, 11: 200, 12: 205, 13: 206} {
		_, offset, ok := s.find(seq)
		require.True(t, ok)
		require.Equal(t, want, offset)
	}
	for _, seq := range []uint64{0, 14} {
		_, _, ok := s.find(seq)
		require.False(t, ok)
	}
	s = s.forget(10)
	_, _, ok := s.find(5)
	require.False(t, ok)
	_, offset, ok := s.find(12)
	require.True(t, ok)
	require.EqualValues(t, 205, offset)
}

// The offsets of many tasks are stored at the same moments, whenever each of them has started.
func TestTasksShareTheMomentsOfTheirFlushes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		interval := time.Duration(rapid.Int64Range(1, int64(time.Hour)).Draw(t, "interval"))
		now := time.Unix(0, rapid.Int64Range(0, 1<<61).Draw(t, "now"))
		at := flushAfter(now, interval)
		require.True(t, at.After(now))
		require.False(t, at.After(now.Add(interval)))
		step := interval / flushMoments
		require.GreaterOrEqual(t, at.Sub(now), interval-step)
		if step > 0 {
			require.True(t, at.Equal(at.Truncate(step)))
		}
	})
	now := time.Now()
	require.Equal(t, flushAfter(now, time.Minute).Sub(now), flushAfter(now.Round(0), time.Minute).Sub(now.Round(0)))
	require.Contains(t, flushAfter(now, time.Minute).String(), "m=", "a step of the clock moves no flush")
}
