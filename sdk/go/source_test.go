package connect_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	connect "github.com/tailrace/tailrace/sdk/go"
	"github.com/tailrace/tailrace/sdk/go/connecttest"
	"github.com/tailrace/tailrace/sdk/go/data"
	"github.com/tailrace/tailrace/sdk/go/wire"
)

// scripted is a source task made of functions.
type scripted struct {
	start  func(context.Context, connect.Config, *connect.SourceContext) error
	poll   func(context.Context, *connect.Batch) error
	stop   func(context.Context) error
	commit func(context.Context, uint64) error
}

func (s *scripted) Start(ctx context.Context, cfg connect.Config, t *connect.SourceContext) error {
	if s.start == nil {
		return nil
	}
	return s.start(ctx, cfg, t)
}

func (s *scripted) Poll(ctx context.Context, out *connect.Batch) error { return s.poll(ctx, out) }

func (s *scripted) Stop(ctx context.Context) error {
	if s.stop == nil {
		return nil
	}
	return s.stop(ctx)
}

func (s *scripted) Commit(ctx context.Context, through uint64) error {
	if s.commit == nil {
		return nil
	}
	return s.commit(ctx, through)
}

func sourcePlugin(task func() connect.SourceTask) connect.Plugin {
	return connect.Plugin{Name: "test-source", Version: "1.0.0", Sources: []connect.Source{{Name: "test", Task: task}}}
}

var numberOffset = data.NewStruct().Field("number", data.Int64Schema).MustBuild()

// counting is a source of the numbers from 0 up to limit.
func counting(limit int64, perPoll int) func() connect.SourceTask {
	return func() connect.SourceTask {
		var next int64
		var part *connect.Partition
		return &scripted{
			start: func(ctx context.Context, _ connect.Config, task *connect.SourceContext) (err error) {
				if part, err = task.Partition(map[string]any{"counter": "a"}); err != nil {
					return err
				}
				stored, err := task.Offsets().Offset(ctx, part.Values())
				if n, ok := stored.Int64("number"); ok {
					next = n
				}
				return err
			},
			poll: func(ctx context.Context, out *connect.Batch) error {
				if next == limit {
					<-ctx.Done()
					return nil
				}
				for range perPoll {
					if next == limit {
						return nil
					}
					rec := out.Record("numbers", part)
					rec.ValueString(strconv.AppendInt(nil, next, 10))
					next++
					rec.Offset(numberOffset).Int64(next)
				}
				return nil
			},
		}
	}
}

func requireNumbers(t *testing.T, records []connecttest.Record, from int) {
	t.Helper()
	for i, r := range records {
		require.Equal(t, strconv.Itoa(from+i), r.Value)
	}
}

func TestASourceDeliversInOrderAndGoesOnFromStoredOffsets(t *testing.T) {
	s := connecttest.RunSource(t, sourcePlugin(counting(5000, 100)), nil)
	requireNumbers(t, s.Next(5000), 0)
	s.Drain()
	require.Equal(t, map[string]any{"number": int64(5000)}, s.Offsets().Get(map[string]any{"counter": "a"}))

	s.Restart()
	s.None(50 * time.Millisecond)
}

func TestAKilledSourceRepeatsOnlyWhatWasNotStored(t *testing.T) {
	s := connecttest.RunSource(t, sourcePlugin(counting(1_000_000, 10)), nil, connecttest.ManualCommit(), connecttest.Credit(20_000))
	requireNumbers(t, s.Next(100), 0)
	s.Commit()
	s.Next(1)
	s.Kill()
	next, ok := connect.Offset(s.Offsets().Get(map[string]any{"counter": "a"})).Int64("number")
	require.True(t, ok)
	s.Restart()
	requireNumbers(t, s.Next(100), int(next)) // no gap, nothing before
}

func TestASourceStopsAtItsCredit(t *testing.T) { // I-4
	task := func() connect.SourceTask {
		return &scripted{poll: func(ctx context.Context, out *connect.Batch) error {
			out.Record("t", nil).ValueBytes(make([]byte, 1000))
			return ctx.Err()
		}}
	}
	s := connecttest.RunSource(t, sourcePlugin(task), nil, connecttest.ManualCommit(), connecttest.Credit(1))
	s.Next(1) // one batch may pass the credit
	s.None(100 * time.Millisecond)
	s.Commit()
	s.Next(1)
	s.None(100 * time.Millisecond)
}

func TestCommitComesOnceDurableAndLastAfterTheDrain(t *testing.T) { // I-1
	var mu sync.Mutex
	var commits []uint64
	stopped := false
	make1 := counting(1000, 10)
	task := func() connect.SourceTask {
		inner := make1().(*scripted)
		inner.commit = func(_ context.Context, through uint64) error {
			mu.Lock()
			defer mu.Unlock()
			if stopped {
				t.Error("commit after stop")
			}
			commits = append(commits, through)
			if len(commits) == 1 {
				return errors.New("the next commit covers it")
			}
			return nil
		}
		inner.stop = func(context.Context) error {
			mu.Lock()
			defer mu.Unlock()
			stopped = true
			return nil
		}
		return inner
	}
	s := connecttest.RunSource(t, sourcePlugin(task), nil)
	s.Next(1000)
	s.Drain()
	mu.Lock()
	defer mu.Unlock()
	require.True(t, stopped)
	require.Equal(t, uint64(1000), commits[len(commits)-1])
	require.IsNonDecreasing(t, commits)
}

func TestEveryTypeOfAppendArrives(t *testing.T) { // I-7
	point := data.NewStruct().Field("x", data.Int32Schema).Field("name", data.OptionalStringSchema).Field("ok", data.BooleanSchema).
		Field("f", data.Float64Schema).Field("raw", data.BytesSchema).Field("at", data.TimestampSchema).
		Field("price", data.DecimalSchema(2)).MustBuild()
	at := time.UnixMilli(1_700_000_000_123).UTC()
	done := false
	task := func() connect.SourceTask {
		var part *connect.Partition
		return &scripted{
			start: func(_ context.Context, _ connect.Config, task *connect.SourceContext) (err error) {
				part, err = task.Partition(map[string]any{"db": "d", "shard": 3})
				return err
			},
			poll: func(ctx context.Context, out *connect.Batch) error {
				if done {
					<-ctx.Done()
					return nil
				}
				done = true
				rec := out.Record("fast", part)
				rec.Timestamp(42)
				rec.KafkaPartition(7)
				rec.KeyString([]byte("key"))
				rec.ValueStruct(point).Int32(-5).Null().Bool(true).Float64(1.5).Bytes([]byte{1, 2}).Time(at).Value(data.NewDecimalValue(1234, 2))
				rec.Header("h", data.Int64Schema, int64(9))
				rec.Header("none", nil, nil)
				rec.Offset(numberOffset).Int64(1)

				out.Record("empty", nil)

				rec = out.Record("map", part)
				rec.OffsetMap(connect.Offset{"number": 2})

				err := out.Append(connect.SourceRecord{
					Topic: "slow", Key: 5, KeySchema: data.Int64Schema, Value: map[string]any{"a": []any{1, "x", nil}},
					Headers: []connect.Header{{Name: "n", Value: "v"}}, Timestamp: at, KafkaPartition: 0, SetKafkaPartition: true,
					Partition: part, Offset: connect.Offset{"number": 3},
				})
				if err != nil {
					return err
				}
				// A bad record leaves no trace and the batch goes on.
				if out.Append(connect.SourceRecord{Topic: "bad", Value: "text", ValueSchema: data.Int32Schema}) == nil {
					return errors.New("a text passed for an INT32")
				}
				return out.Append(connect.SourceRecord{Topic: "last", Value: "v", ValueSchema: data.StringSchema})
			},
		}
	}
	got := connecttest.RunSource(t, sourcePlugin(task), nil).Next(5)

	fast := got[0]
	require.Equal(t, "fast", fast.Topic)
	require.Equal(t, int32(7), fast.KafkaPartition)
	require.Equal(t, int64(42), fast.TimestampMillis)
	require.Equal(t, "key", fast.Key)
	want := data.NewValue(point).Set("x", -5).Set("ok", true).Set("f", 1.5).Set("raw", []byte{1, 2}).Set("at", at).
		Set("price", data.NewDecimalValue(1234, 2)).MustBuild()
	require.True(t, data.Equal(want, fast.Value), "%v", fast.Value)
	require.Equal(t, []connect.Header{{Name: "h", Schema: data.Int64Schema, Value: int64(9)}, {Name: "none"}}, sameSchemas(fast.Headers))
	require.Equal(t, map[string]any{"db": "d", "shard": int64(3)}, fast.SourcePartition)
	require.Equal(t, map[string]any{"number": int64(1)}, fast.SourceOffset)

	require.Equal(t, "empty", got[1].Topic)
	require.Nil(t, got[1].Value)
	require.Nil(t, got[1].SourcePartition)
	require.Equal(t, map[string]any{"number": int64(2)}, got[2].SourceOffset)

	slow := got[3]
	require.Equal(t, int64(5), slow.Key)
	require.Equal(t, at.UnixMilli(), slow.TimestampMillis)
	require.Equal(t, int32(0), slow.KafkaPartition)
	require.Equal(t, "{a=[1, x, null]}", fmt.Sprint(slow.Value))
	require.Equal(t, map[string]any{"number": int64(3)}, slow.SourceOffset)
	require.Equal(t, "last", got[4].Topic)
}

// sameSchemas replaces schemas by the ready-made ones that they equal.
func sameSchemas(in []connect.Header) []connect.Header {
	for i := range in {
		if in[i].Schema.Equal(data.Int64Schema) {
			in[i].Schema = data.Int64Schema
		}
	}
	return in
}

func TestMistakesFailThePollWithTheRecordNamed(t *testing.T) {
	pair := data.NewStruct().Field("a", data.Int32Schema).Field("b", data.Int32Schema).MustBuild()
	cases := map[string]struct {
		append func(*connect.Batch)
		want   string
	}{
		"key after value":    {func(b *connect.Batch) { r := b.Record("t", nil); r.ValueString(nil); r.KeyString(nil) }, "set twice or too late"},
		"value twice":        {func(b *connect.Batch) { r := b.Record("t", nil); r.ValueString(nil); r.ValueString(nil) }, "set twice or too late"},
		"timestamp late":     {func(b *connect.Batch) { r := b.Record("t", nil); r.ValueString(nil); r.Timestamp(1) }, "set twice or too late"},
		"negative timestamp": {func(b *connect.Batch) { b.Record("t", nil).Timestamp(-5) }, "before 1970"},
		"field missing":      {func(b *connect.Batch) { b.Record("t", nil).ValueStruct(pair).Int32(1) }, `1 of 2 fields of Schema{STRUCT} were written; the next is "b"`},
		"field too many":     {func(b *connect.Batch) { b.Record("t", nil).ValueStruct(pair).Int32(1).Int32(2).Int32(3) }, "more fields were written"},
		"field of a type":    {func(b *connect.Batch) { b.Record("t", nil).ValueStruct(pair).Int64(1) }, `field "a" of Schema{STRUCT} is INT32, not INT64`},
		"not a struct":       {func(b *connect.Batch) { b.Record("t", nil).ValueStruct(data.StringSchema).Int64(1) }, "want a STRUCT schema"},
		"no topic":           {func(b *connect.Batch) { b.Record("", nil) }, "the topic is empty"},
		"too large":          {func(b *connect.Batch) { b.Record("t", nil).ValueBytes(make([]byte, wire.MaxFrameBytes)) }, "the limit of one record"},
		"stale record":       {func(b *connect.Batch) { r := b.Record("t", nil); r.Offset(numberOffset).Int64(1); r.ValueString(nil) }, "set twice or too late"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			task := func() connect.SourceTask {
				return &scripted{poll: func(_ context.Context, out *connect.Batch) error { c.append(out); return nil }}
			}
			f := connecttest.RunSource(t, sourcePlugin(task), nil, connecttest.WantFailure()).Failure()
			require.Contains(t, f.Message, c.want)
			require.Contains(t, f.Message, `poll: record 1 for topic`)
		})
	}
}

func TestALargeRecordBehindOthersGoesAlone(t *testing.T) {
	done := false
	task := func() connect.SourceTask {
		return &scripted{poll: func(ctx context.Context, out *connect.Batch) error {
			if done {
				<-ctx.Done()
				return nil
			}
			done = true
			out.Record("small", nil).ValueBytes(make([]byte, wire.TargetBlockBytes-1000))
			out.Record("large", nil).ValueBytes(make([]byte, wire.MaxFrameBytes-100))
			out.Record("after", nil).ValueString([]byte("x"))
			return nil
		}}
	}
	got := connecttest.RunSource(t, sourcePlugin(task), nil).Next(3)
	require.Equal(t, "small", got[0].Topic)
	require.Equal(t, "large", got[1].Topic)
	require.Len(t, got[1].Value, wire.MaxFrameBytes-100)
	require.Equal(t, "x", got[2].Value)
}

func TestAPollLargerThanABatchIsSentInPieces(t *testing.T) {
	done := false
	task := func() connect.SourceTask {
		return &scripted{poll: func(ctx context.Context, out *connect.Batch) error {
			if done {
				<-ctx.Done()
				return nil
			}
			done = true
			for range 50_000 {
				out.Record("t", nil).ValueBytes(make([]byte, 100))
			}
			return nil
		}}
	}
	connecttest.RunSource(t, sourcePlugin(task), nil, connecttest.Credit(100_000)).Next(50_000)
}

func TestRetriableErrorsAreShownAndTriedAgain(t *testing.T) {
	tries := 0
	task := func() connect.SourceTask {
		return &scripted{poll: func(ctx context.Context, out *connect.Batch) error {
			if tries++; tries <= 3 {
				return fmt.Errorf("look: %w", connect.Retriable(errors.New("connection refused"), time.Millisecond))
			}
			if tries == 4 {
				out.Record("t", nil).ValueString([]byte("now"))
				return nil
			}
			<-ctx.Done()
			return nil
		}}
	}
	s := connecttest.RunSource(t, sourcePlugin(task), nil)
	require.Equal(t, "now", s.Next(1)[0].Value)
	require.Equal(t, 3, s.Retries(3))
}

func TestFailuresTellClassCauseAndTrace(t *testing.T) {
	stopped := make(chan struct{}, 2)
	stop := func(context.Context) error { stopped <- struct{}{}; return nil }
	task := func() connect.SourceTask {
		return &scripted{stop: stop, poll: func(_ context.Context, out *connect.Batch) error {
			out.Record("t", nil).ValueString([]byte("before"))
			return fmt.Errorf("read the feed: %w", io.ErrUnexpectedEOF)
		}}
	}
	s := connecttest.RunSource(t, sourcePlugin(task), nil, connecttest.WantFailure())
	f := s.Failure()
	require.Equal(t, "poll: read the feed: unexpected EOF", f.Message)
	require.Contains(t, f.Trace, "Caused by")
	require.False(t, f.Retriable)
	require.Equal(t, "before", s.Next(1)[0].Value) // what came before the error is not lost
	<-stopped

	task = func() connect.SourceTask {
		return &scripted{stop: stop, poll: func(context.Context, *connect.Batch) error {
			var m map[string]int
			m["x"]++ //nolint:staticcheck // the panic under test
			return nil
		}}
	}
	f = connecttest.RunSource(t, sourcePlugin(task), nil, connecttest.WantFailure()).Failure()
	require.Contains(t, f.Message, "panicked in poll")
	require.Equal(t, "runtime.Panic", f.Class)
	require.Contains(t, f.Trace, "source_test.go")
	<-stopped

	task = func() connect.SourceTask {
		return &scripted{stop: stop, start: func(context.Context, connect.Config, *connect.SourceContext) error {
			return &connect.ConfigError{Issues: []connect.ConfigIssue{connect.BadValue("file", "x", "no such file")}}
		}}
	}
	f = connecttest.RunSource(t, sourcePlugin(task), nil, connecttest.WantFailure()).Failure()
	require.Equal(t, "start: Invalid value x for configuration file: no such file", f.Message)
	require.Equal(t, "org.apache.kafka.common.config.ConfigException", f.Class)
	<-stopped
}

func TestPauseStopsPollingAndResumeGoesOn(t *testing.T) {
	var next int
	task := func() connect.SourceTask {
		return &scripted{poll: func(ctx context.Context, out *connect.Batch) error {
			out.Record("t", nil).ValueString([]byte(strconv.Itoa(next)))
			next++
			return ctx.Err()
		}}
	}
	s := connecttest.RunSource(t, sourcePlugin(task), nil, connecttest.Paused(), connecttest.ManualCommit(), connecttest.Credit(200))
	s.None(50 * time.Millisecond)
	s.Resume()
	got := s.Next(2)
	require.Equal(t, "0", got[0].Value)
	require.Equal(t, "1", got[1].Value)
}

func TestEndOfInputLeavesTheTaskUp(t *testing.T) {
	polls := 0
	task := func() connect.SourceTask {
		return &scripted{poll: func(_ context.Context, out *connect.Batch) error {
			if polls++; polls > 1 {
				return errors.New("polled again")
			}
			out.Record("t", nil).ValueString([]byte("all"))
			return connect.ErrEndOfInput
		}}
	}
	s := connecttest.RunSource(t, sourcePlugin(task), nil)
	s.Next(1)
	s.None(50 * time.Millisecond)
	s.Drain()
}

func TestATaskThatHangsInPollIsDrainedAtTheDeadline(t *testing.T) { // I-3
	release := make(chan struct{})
	task := func() connect.SourceTask {
		first := true
		return &scripted{poll: func(_ context.Context, out *connect.Batch) error {
			if first {
				first = false
				out.Record("t", nil).ValueString([]byte("one"))
				return nil
			}
			<-release
			return nil
		}}
	}
	s := connecttest.RunSource(t, sourcePlugin(task), nil, connecttest.ManualCommit())
	s.Next(1)
	began := time.Now()
	s.DrainWithin(50 * time.Millisecond)
	require.Less(t, time.Since(began), 3*time.Second)
	close(release)
}

func TestTransactionsEndWhereTheTaskSays(t *testing.T) {
	done := false
	task := func() connect.SourceTask {
		return &scripted{
			start: func(_ context.Context, _ connect.Config, task *connect.SourceContext) error {
				if !task.DefinesTransactions() {
					return errors.New("the task does not define transactions")
				}
				return nil
			},
			poll: func(ctx context.Context, out *connect.Batch) error {
				if done {
					<-ctx.Done()
					return nil
				}
				done = true
				for i := range 6 {
					out.Record("t", nil).ValueString([]byte{'0' + byte(i)})
					switch i {
					case 1:
						out.CommitTransaction()
					case 3:
						out.AbortTransaction()
					}
				}
				return nil
			},
		}
	}
	s := connecttest.RunSource(t, sourcePlugin(task), nil, connecttest.ConnectorTransactions())
	s.Next(6)
	require.Equal(t, []string{"COMMIT 2", "ABORT 4"}, s.Transactions())
}

func TestLogsAndMetricsGoToTheWorker(t *testing.T) {
	task := func() connect.SourceTask {
		return &scripted{
			start: func(_ context.Context, _ connect.Config, task *connect.SourceContext) error {
				task.Metrics().Counter("files_opened_total", "Files opened.").Add(2)
				task.Log().WithGroup("file").With("name", "a.log").Info("opened", "size", 12)
				return nil
			},
			poll: func(ctx context.Context, _ *connect.Batch) error { <-ctx.Done(); return nil },
		}
	}
	s := connecttest.RunSource(t, sourcePlugin(task), nil)
	require.Equal(t, map[string]string{"file.name": "a.log", "file.size": "12"}, s.Logs("opened"))
	s.Drain()
	require.Equal(t, map[string]float64{"files_opened_total": 2}, s.Metrics())
}

func TestPartitionHandlesAreOnePerMap(t *testing.T) {
	task := func() connect.SourceTask {
		return &scripted{
			start: func(_ context.Context, _ connect.Config, task *connect.SourceContext) error {
				a, err := task.Partition(map[string]any{"x": 1, "y": "z"})
				if err != nil {
					return err
				}
				b, err := task.Partition(map[string]any{"y": "z", "x": int64(1)})
				if err != nil {
					return err
				}
				if a != b {
					return errors.New("equal maps have two handles")
				}
				if _, err := task.Partition(nil); err == nil {
					return errors.New("an empty partition passed")
				}
				if _, err := task.Partition(map[string]any{"x": strings.Repeat("y", wire.MaxPartitionBytes)}); err == nil {
					return errors.New("a huge partition passed")
				}
				return nil
			},
			poll: func(ctx context.Context, _ *connect.Batch) error { <-ctx.Done(); return nil },
		}
	}
	connecttest.RunSource(t, sourcePlugin(task), nil)
}

func TestAStreamThatIsCutWhileBatchesWaitEndsCleanly(t *testing.T) {
	for range 30 {
		s := connecttest.RunSource(t, sourcePlugin(counting(1<<40, 50)), nil, connecttest.Credit(50_000))
		s.Next(100)
		s.Kill()
	}
}

func TestAValueIsWrittenInPlaceOrNotAtAll(t *testing.T) {
	schema := data.NewStruct().Field("n", data.Int64Schema).Field("text", data.OptionalStringSchema).MustBuild()
	bad := errors.New("no such value")
	task := &scripted{poll: func(ctx context.Context, out *connect.Batch) error {
		if out.LastSeq() > 0 {
			<-ctx.Done()
			return nil
		}
		for i := range int64(6) {
			rec := out.Record("t", nil)
			rec.Timestamp(1000 + i) // the columns of these two differ from record to record
			if i%3 == 0 {
				rec.KeyString([]byte("key"))
			}
			err := rec.ValueAppend(schema, func(dst []byte) ([]byte, error) {
				dst = data.AppendLong(dst, i)
				if i == 2 || i == 3 { // without and with a key
					return dst, bad
				}
				return data.AppendString(data.AppendPresence(dst, data.OptionalStringSchema, true), fmt.Sprint("row ", i)), nil
			})
			if (i == 2 || i == 3) != errors.Is(err, bad) {
				return fmt.Errorf("record %d: got %w", i, err)
			}
			if err == nil {
				rec.Offset(numberOffset).Int64(i)
			}
		}
		return nil
	}}
	s := connecttest.RunSource(t, sourcePlugin(func() connect.SourceTask { return task }), nil)
	got := s.Next(4)
	for i, want := range []int64{0, 1, 4, 5} {
		row := got[i].Value.(*data.Struct)
		require.Equal(t, []any{want, fmt.Sprint("row ", want)}, row.Values())
		require.Equal(t, map[int64]any{0: "key"}[want], got[i].Key)
		require.Equal(t, 1000+want, got[i].TimestampMillis)
	}
	s.None(50 * time.Millisecond)
}
