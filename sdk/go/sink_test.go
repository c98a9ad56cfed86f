package connect_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	connect "github.com/tailrace/tailrace/sdk/go"
	"github.com/tailrace/tailrace/sdk/go/connecttest"
	"github.com/tailrace/tailrace/sdk/go/data"
)

var (
	tp0 = connect.TopicPartition{Topic: "t", Partition: 0}
	tp1 = connect.TopicPartition{Topic: "t", Partition: 1}
)

// memorySink keeps texts; its hooks change what happens.
type memorySink struct {
	mu      sync.Mutex
	task    *connect.SinkContext
	buffer  []string
	written []string
	events  []string
	onPut   func(*memorySink, *connect.SinkBatch) error
	onFlush func(*memorySink) error
	onOpen  func(*memorySink, []connect.TopicPartition) error
}

func (s *memorySink) Start(_ context.Context, _ connect.Config, task *connect.SinkContext) error {
	s.task = task
	return nil
}

func (s *memorySink) Put(_ context.Context, records *connect.SinkBatch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.onPut != nil {
		if err := s.onPut(s, records); err != nil {
			return err
		}
	}
	if records.Len() == 0 {
		s.events = append(s.events, "empty put")
	}
	for rec := range records.Records() {
		text, ok := rec.ValueBytes()
		if !ok {
			return errors.New("not a text")
		}
		s.buffer = append(s.buffer, fmt.Sprintf("%d/%d=%s", rec.KafkaPartition(), rec.Offset(), text))
	}
	return nil
}

func (s *memorySink) Flush(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.onFlush != nil {
		if err := s.onFlush(s); err != nil {
			s.buffer = nil
			return err
		}
	}
	s.written = append(s.written, s.buffer...)
	s.buffer = nil
	return nil
}

func (s *memorySink) Open(_ context.Context, tps []connect.TopicPartition) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, fmt.Sprint("open ", tps))
	if s.onOpen != nil {
		return s.onOpen(s, tps)
	}
	return nil
}

func (s *memorySink) Close(_ context.Context, tps []connect.TopicPartition, lost bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	slices.SortFunc(tps, func(a, b connect.TopicPartition) int { return int(a.Partition - b.Partition) })
	s.events = append(s.events, fmt.Sprint("close ", tps, " ", lost))
	if lost {
		s.buffer = nil
	}
	return nil
}

func (s *memorySink) Stop(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, "stop")
	return nil
}

func (s *memorySink) texts() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.written)
}

func sinkPlugin(task connect.SinkTask) connect.Plugin {
	return connect.Plugin{Name: "test-sink", Version: "1.0.0", Sinks: []connect.Sink{{
		Name: "test", Task: func() connect.SinkTask { return task },
	}}}
}

func text(partition int32, value string) connecttest.Record {
	return connecttest.Record{Topic: "t", KafkaPartition: partition, Value: value, ValueSchema: data.StringSchema}
}

func TestASinkGetsRecordsInOrderAndCommitsWhatItFlushed(t *testing.T) { // I-2
	m := &memorySink{}
	s := connecttest.RunSink(t, sinkPlugin(m), nil, []connect.TopicPartition{tp0, tp1})
	var want []string
	for i := range 2000 {
		s.Produce(text(0, fmt.Sprint(i)))
		want = append(want, fmt.Sprintf("0/%d=%d", i, i))
	}
	s.WaitAccepted()
	require.Empty(t, s.Committed())
	offsets, err := s.Flush()
	require.NoError(t, err)
	require.Equal(t, connect.Offsets{tp0: 2000}, offsets) // nothing of the partition without records
	require.Equal(t, want, m.texts())
	s.PutNothing()
	s.Put(text(1, "x"))
	s.Drain()
	require.Equal(t, connect.Offsets{tp0: 2000, tp1: 1}, s.Committed())
	require.Equal(t, []string{"open [{t 0} {t 1}]", "empty put", "close [{t 0} {t 1}] false", "stop"}, m.events)
}

func TestAFailedFlushDeliversAgainInOrder(t *testing.T) { // I-6
	failed := false
	m := &memorySink{onFlush: func(s *memorySink) error {
		if !failed && len(s.buffer) > 0 {
			failed = true
			return errors.New("disk full")
		}
		return nil
	}}
	s := connecttest.RunSink(t, sinkPlugin(m), nil, []connect.TopicPartition{tp0})
	s.Put(text(0, "a"), text(0, "b"))
	_, err := s.Flush()
	require.ErrorContains(t, err, "disk full")
	require.Empty(t, s.Committed())
	s.Put(text(0, "c"))
	offsets, err := s.Flush()
	require.NoError(t, err)
	require.Equal(t, connect.Offsets{tp0: 3}, offsets)
	require.Equal(t, []string{"0/0=a", "0/1=b", "0/2=c"}, m.texts())
}

func TestSeekDropsWhatIsOnTheWay(t *testing.T) {
	sought := false
	m := &memorySink{onPut: func(s *memorySink, b *connect.SinkBatch) error {
		if !sought && b.Len() > 0 {
			sought = true
			return s.task.Seek(connect.Offsets{tp0: 3})
		}
		return nil
	}}
	s := connecttest.RunSink(t, sinkPlugin(m), nil, nil)
	for i := range 5 {
		s.Produce(text(0, fmt.Sprint(i)))
	}
	s.Assign(tp0)
	s.Produce(text(0, "5"))
	require.Eventually(t, func() bool {
		offsets, err := s.Flush()
		return err == nil && offsets[tp0] == 6
	}, 5*time.Second, time.Millisecond)
	texts := m.texts()
	require.Equal(t, []string{"0/3=3", "0/4=4", "0/5=5"}, texts[len(texts)-3:])
	require.ErrorContains(t, m.task.Seek(connect.Offsets{tp1: 3}), "t-1: the partition is not assigned")
}

func TestSeekInOpenStartsThere(t *testing.T) {
	m := &memorySink{onOpen: func(s *memorySink, _ []connect.TopicPartition) error { return s.task.Seek(connect.Offsets{tp0: 2}) }}
	s := connecttest.RunSink(t, sinkPlugin(m), nil, nil)
	s.Produce(text(0, "a"), text(0, "b"), text(0, "c"))
	s.Assign(tp0)
	require.Eventually(t, func() bool {
		_, err := s.Flush()
		return err == nil && len(m.texts()) > 0
	}, 5*time.Second, time.Millisecond)
	require.Equal(t, []string{"0/2=c"}, m.texts())
}

func TestRetriablePutsAreTriedAgainWithTheSameRecords(t *testing.T) {
	tries := 0
	m := &memorySink{onPut: func(_ *memorySink, b *connect.SinkBatch) error {
		if tries++; tries < 4 {
			return connect.Retriable(errors.New("busy"), time.Millisecond)
		}
		return nil
	}}
	s := connecttest.RunSink(t, sinkPlugin(m), nil, []connect.TopicPartition{tp0})
	s.Put(text(0, "a"))
	require.Equal(t, 3, s.Retries(3))
	_, err := s.Flush()
	require.NoError(t, err)
	require.Equal(t, []string{"0/0=a"}, m.texts())
}

// A task that hands records on while it walks them says how far it is: the next try goes on behind, and what it reported of those
// before is not lost.
func TestARetriedPutGoesOnBehindWhatWasDone(t *testing.T) {
	tries := 0
	var seen []string
	m := &memorySink{onPut: func(s *memorySink, b *connect.SinkBatch) error {
		tries++
		for rec := range b.Records() {
			value, _ := rec.ValueBytes()
			if string(value) == "c" && tries == 1 {
				return connect.Retriable(errors.New("full"), time.Millisecond)
			}
			if string(value) == "b" {
				s.task.Report(rec, errors.New("bad"))
			}
			seen = append(seen, string(value))
			b.Done(rec)
		}
		return nil
	}}
	s := connecttest.RunSink(t, sinkPlugin(m), nil, []connect.TopicPartition{tp0})
	s.Put(text(0, "a"), text(0, "b"), text(0, "c"), text(0, "d"))
	require.Len(t, s.Errant(1), 1)
	offsets, err := s.Flush()
	require.NoError(t, err)
	require.Equal(t, connect.Offsets{tp0: 4}, offsets)
	require.Equal(t, []string{"a", "b", "c", "d"}, seen, "each once, however the frames were cut")
	require.Len(t, s.Errant(1), 1)
}

// A task that learns of an errant record only when it flushes reports it there: it is safe before the offset is committed.
func TestRecordsReportedInAFlushAreSafeBeforeTheCommit(t *testing.T) { // I-2
	var seq uint64
	m := &memorySink{
		onPut: func(_ *memorySink, b *connect.SinkBatch) error {
			for rec := range b.Records() {
				seq = rec.Seq()
			}
			return nil
		},
		onFlush: func(s *memorySink) error {
			s.task.ReportSeq(connect.RecordError{Seq: seq, Err: errors.New("refused in the end")})
			return nil
		},
	}
	s := connecttest.RunSink(t, sinkPlugin(m), nil, []connect.TopicPartition{tp0})
	s.Put(text(0, "a"))
	_, err := s.Flush()
	require.NoError(t, err)
	errant := s.Errant(1)
	require.Equal(t, "refused in the end", errant[0].Message)
	require.Equal(t, "a", errant[0].Record.Value)
}

func TestASinkThatIsStuckLetsGoOfPartitions(t *testing.T) { // I-3
	m := &memorySink{onPut: func(_ *memorySink, b *connect.SinkBatch) error {
		for rec := range b.Records() {
			if rec.KafkaPartition() == 0 {
				return connect.Retriable(errors.New("the table is locked"), time.Hour)
			}
		}
		return nil
	}}
	s := connecttest.RunSink(t, sinkPlugin(m), nil, []connect.TopicPartition{tp0, tp1})
	s.Produce(text(0, "stuck"))
	s.Retries(1)
	s.Revoke(tp0)
	s.Put(text(1, "goes on"))
	_, err := s.Flush()
	require.NoError(t, err)
	require.Equal(t, []string{"1/0=goes on"}, m.texts())
	s.Assign(tp0)
	s.Retries(2)
	s.Drain()
	require.Equal(t, connect.Offsets{tp1: 1}, s.Committed()) // I-2: nothing of what was not put
}

func TestErrantRecordsAreReportedOnceTheirPutSucceeds(t *testing.T) {
	tries := 0
	m := &memorySink{onPut: func(s *memorySink, b *connect.SinkBatch) error {
		for rec := range b.Records() {
			if text, _ := rec.ValueBytes(); string(text) == "bad" {
				s.task.Report(rec, &time.ParseError{Value: "bad"})
			}
		}
		if tries++; tries == 1 {
			return connect.Retriable(errors.New("busy"), time.Millisecond)
		}
		return nil
	}}
	s := connecttest.RunSink(t, sinkPlugin(m), nil, []connect.TopicPartition{tp0})
	s.Produce(text(0, "good"))
	s.Put(text(0, "bad"))
	errant := s.Errant(1)
	require.Len(t, errant, 1)
	require.Equal(t, "bad", errant[0].Record.Value)
	require.Equal(t, "time.ParseError", errant[0].Class)

	s = connecttest.RunSink(t, sinkPlugin(&memorySink{onPut: m.onPut}), nil, []connect.TopicPartition{tp0},
		connecttest.NoErrantRecords(), connecttest.WantFailure())
	s.Produce(text(0, "bad"))
	require.Contains(t, s.Failure().Message, "the worker takes no errant records")
}

func TestReportAllWaitsUntilTheRecordsAreSafe(t *testing.T) {
	m := &memorySink{onPut: func(s *memorySink, b *connect.SinkBatch) error {
		for rec := range b.Records() {
			return s.task.ReportAll(context.Background(), []connect.RecordError{{Seq: rec.Seq(), Err: errors.New("bad")}})
		}
		return nil
	}}
	s := connecttest.RunSink(t, sinkPlugin(m), nil, []connect.TopicPartition{tp0})
	s.Put(text(0, "x"))
	require.Len(t, s.Errant(1), 1)
}

func TestLostPartitionsAreClosedWithoutFlushing(t *testing.T) {
	m := &memorySink{}
	s := connecttest.RunSink(t, sinkPlugin(m), nil, []connect.TopicPartition{tp0})
	s.Put(text(0, "a"))
	s.Lose(tp0)
	s.Drain()
	require.Empty(t, m.texts())
	require.Empty(t, s.Committed())
	require.Equal(t, []string{"open [{t 0}]", "close [{t 0}] true", "stop"}, m.events)
}

// halfway commits less than it was given.
type halfway struct{ memorySink }

func (*halfway) PreCommit(_ context.Context, current connect.Offsets) (connect.Offsets, error) {
	out := connect.Offsets{connect.TopicPartition{Topic: "other"}: 5}
	for tp, to := range current {
		out[tp] = to / 2
		if tp == tp1 {
			out[tp] = to + 100
		}
	}
	return out, nil
}

func TestPreCommitNeverGoesBeyondWhatWasPut(t *testing.T) { // I-2
	s := connecttest.RunSink(t, sinkPlugin(&halfway{}), nil, []connect.TopicPartition{tp0, tp1})
	for range 10 {
		s.Produce(text(0, "a"), text(1, "b"))
	}
	s.WaitAccepted()
	offsets, err := s.Flush()
	require.NoError(t, err)
	require.Equal(t, connect.Offsets{tp0: 5, tp1: 10}, offsets)
}

func TestSinkPowersAndRecordsDecode(t *testing.T) { // I-7
	point := data.NewStruct().Field("x", data.Int32Schema).Field("name", data.OptionalStringSchema).MustBuild()
	value := data.NewValue(point).Set("x", 7).MustBuild()
	var got []any
	m := &memorySink{onPut: func(s *memorySink, b *connect.SinkBatch) error {
		for rec := range b.Records() {
			v, err := rec.Value()
			if err != nil {
				return err
			}
			k, err := rec.Key()
			if err != nil {
				return err
			}
			h, err := rec.Headers()
			if err != nil {
				return err
			}
			_, text := rec.ValueBytes()
			got = append(got, k, v, len(h), text, rec.TimestampMillis(), rec.ValueSchema().String())
		}
		if pos, ok := s.task.Position(tp0); !ok || pos != 0 {
			return fmt.Errorf("position %d %v", pos, ok)
		}
		s.task.RequestCommit()
		return errors.Join(s.task.Pause(tp0), s.task.Resume(tp0))
	}}
	s := connecttest.RunSink(t, sinkPlugin(m), nil, []connect.TopicPartition{tp0}, connecttest.WantFailure())
	s.Produce(connecttest.Record{
		Topic: "t", Key: int64(1), KeySchema: data.Int64Schema, Value: value, ValueSchema: point, TimestampMillis: 99,
		Headers: []connect.Header{{Name: "h", Value: true}},
	})
	require.Contains(t, s.Failure().Message, "put of t-0 offsets 0 to 0: not a text")
	require.Equal(t, int64(1), got[0])
	require.True(t, data.Equal(value, got[1]))
	require.Equal(t, []any{1, false, int64(99), "Schema{STRUCT}"}, got[2:])
	require.Equal(t, 1, s.CommitRequests(1))
}
