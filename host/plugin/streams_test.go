package plugin

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	pluginv1 "github.com/tailrace/tailrace/gen/tailrace/plugin/v1"
	"github.com/tailrace/tailrace/sdk/go/wire"
)

const testCredit = 1 << 20

// runSource opens a source task and takes its batches, giving their credit back, until records records have come; then
// it drains. It returns how many records came and the error of the first call that failed.
func runSource(instance *Instance, script string, records uint64) (uint64, error) {
	stream, err := instance.OpenSource(context.Background(), SourceStart{
		Epoch: 3, Connector: "hostile-source", Name: "hostile", Config: map[string]string{"hostile": script}, CreditBytes: testCredit,
	})
	if err != nil {
		return 0, err
	}
	defer stream.Close()
	// The deadline of a drain, and of a task that sends nothing, is the caller's.
	deadline := time.AfterFunc(patience(script, 3*time.Second), func() { stream.cancel(&TimeoutError{What: "the task took too long"}) })
	defer deadline.Stop()
	var seen uint64
	draining := false
	for {
		event, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return seen, nil
		}
		if err != nil {
			return seen, err
		}
		switch e := event.(type) {
		case *wire.SourceBatch:
			seen = e.LastSeq()
			if draining {
				continue
			}
			if script != "poll=no-credit" {
				err = stream.SendCredit(e.Cost())
			}
			if err == nil && seen >= records {
				draining = true
				err = stream.SendDrain(2 * time.Second)
			}
		case Drained:
			if e.LastSeq != seen {
				return seen, errors.New("Drained names another record than the last")
			}
			if err = stream.SendCommit(seen); err == nil {
				stream.CloseSend()
			}
		}
		if err != nil {
			return seen, err
		}
	}
}

// runSink opens a sink task, gives it a partition and records, flushes and drains.
func runSink(instance *Instance, script string) (Flushed, error) {
	stream, err := instance.OpenSink(context.Background(), SinkStart{
		Epoch: 3, Connector: "hostile-sink", Name: "hostile", Config: map[string]string{"hostile": script}, CreditBytes: testCredit,
	})
	if err != nil {
		return Flushed{}, err
	}
	defer stream.Close()
	// The deadlines of assign, put, flush and drain are the caller's.
	deadline := time.AfterFunc(patience(script, 2*time.Second), func() { stream.cancel(&TimeoutError{What: "the task took too long"}) })
	defer deadline.Stop()
	var flushed Flushed
	for {
		event, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return flushed, nil
		}
		if err != nil {
			return flushed, err
		}
		switch e := event.(type) {
		case Started:
			err = stream.SendAssign(1, []SinkPartition{{ID: 1, Topic: "t", Position: 100}})
		case Assigned:
			var builder wire.SinkBatchBuilder
			builder.Start(1, pluginv1.TimestampType_TIMESTAMP_TYPE_CREATE_TIME)
			for offset := range int64(1000) {
				builder.Begin(100+offset, 1)
				builder.EndKey(0)
				builder.Block = append(builder.Block, "value"...)
				builder.EndValue(0)
				builder.EndHeaders()
			}
			_, _, err = stream.Send("", &builder)
		case Accepted:
			err = stream.SendFlush(7, e.Through)
		case Flushed:
			flushed = e
			err = stream.SendDrain(time.Second)
		case Drained:
			stream.CloseSend()
		}
		if err != nil {
			return flushed, err
		}
	}
}

// steady runs a well-behaved source on a process of its own for the length of a test and watches that it goes on.
type steady struct {
	records atomic.Uint64
	stop    atomic.Bool
	done    chan error
}

func newSteady(t *testing.T, h *testHost) *steady {
	s := &steady{done: make(chan error, 1)}
	instance, err := h.acquire("steady", "")
	require.NoError(t, err)
	stream, err := instance.OpenSource(context.Background(), SourceStart{
		Epoch: 1, Connector: "hostile-source", Name: "steady", Config: map[string]string{"hostile": "pace=1ms"}, CreditBytes: testCredit,
	})
	require.NoError(t, err)
	go func() {
		defer instance.Release()
		defer stream.Close()
		for {
			event, err := stream.Recv()
			if err != nil {
				if errors.Is(err, io.EOF) {
					err = nil
				}
				s.done <- err
				return
			}
			switch e := event.(type) {
			case *wire.SourceBatch:
				s.records.Store(e.LastSeq())
				_ = stream.SendCredit(e.Cost())
				if s.stop.Swap(false) {
					_ = stream.SendDrain(time.Second)
				}
			case Drained:
				stream.CloseSend()
			}
		}
	}()
	return s
}

// goesOn requires records in the next moment: the hostile plugin beside has not stopped it.
func (s *steady) goesOn(t *testing.T) {
	t.Helper()
	before := s.records.Load()
	require.Eventually(t, func() bool { return s.records.Load() >= before+20*500 }, 2*time.Second, 5*time.Millisecond,
		"I-3: the second connector does not get on")
}

func (s *steady) end(t *testing.T) {
	t.Helper()
	s.stop.Store(true)
	require.NoError(t, <-s.done)
}

func TestAWellBehavedSourceAndSinkRunThroughAllTheirCalls(t *testing.T) {
	h := newTestHost(t, shortTimeouts)
	instance, err := h.acquire("c", "")
	require.NoError(t, err)
	defer instance.Release()
	within(t, bound, func() {
		seen, err := runSource(instance, "", 20_000)
		require.NoError(t, err)
		require.GreaterOrEqual(t, seen, uint64(20_000))
		flushed, err := runSink(instance, "")
		require.NoError(t, err)
		require.Equal(t, Flushed{Token: 7, Offsets: []PartitionPosition{{ID: 1, Offset: 1100}}}, flushed)
	})
}

// behaviours that every call can have, and what must come of them: an error with these words, or success.
var everyCall = map[string]string{
	"hang": "hangs", "fail": "failing as asked", "exit": "exited with status 3", "kill": "signal killed", "panic": "panic in",
	"memory": "its limit is 200 MiB", "child-memory": "MiB of memory", "flood": "", "garbage": "", "fork": "", "detach": "",
}

// hostileCase is one call with one behaviour. want is part of the error, empty for success.
type hostileCase struct {
	script, want string
	run          func(*Instance, string) error
}

func hostileCases() []hostileCase {
	describe := func(i *Instance, _ string) error { _, err := i.Describe(context.Background()); return err }
	ping := func(i *Instance, _ string) error { return i.Ping(context.Background()) }
	validate := func(i *Instance, script string) error {
		_, err := i.Validate(context.Background(), "hostile-source", map[string]string{"hostile": script})
		return err
	}
	source := func(i *Instance, script string) error { _, err := runSource(i, script, 20_000); return err }
	sink := func(i *Instance, script string) error { _, err := runSink(i, script); return err }
	connector := runConnector

	var cases []hostileCase
	for behaviour, want := range everyCall {
		for _, c := range []struct {
			call string
			run  func(*Instance, string) error
		}{
			{"describe", describe},
			{"health", ping},
			{"validate", validate},
			{"open", source},
			{"poll", source},
			{"drain", source},
			{"open", sink},
			{"assign", sink},
			{"put", sink},
			{"flush", sink},
			{"drain", sink},
			{"open", connector},
			{"configs", connector},
			{"stop", connector},
		} {
			expected := want
			if c.call == "health" && behaviour == "hang" {
				expected = "did not answer in time"
			}
			if c.call == "poll" && behaviour == "hang" {
				expected = "took too long" // a source may be silent for as long as it likes
			}
			cases = append(cases, hostileCase{c.call + "=" + behaviour, expected, c.run})
		}
	}
	own := func(run func(*Instance, string) error, pairs ...string) {
		for i := 0; i < len(pairs); i += 2 {
			cases = append(cases, hostileCase{pairs[i], pairs[i+1], run})
		}
	}
	own(ping, "health=wrong", "NOT_SERVING")
	own(describe, "describe=huge", "larger than", "serve=mute", "hangs")
	own(validate, "validate=wrong", "larger than")
	own(source,
		"open=failure", "failing as asked", "open=end", "without Failure or Drained", "read=hang", "took too long",
		"drain=wrong", "Drained names record", "drain=end", "without Failure or Drained",
		"poll=failure", "failing as asked", "poll=end", "EOF", "poll=stale-batch", "", "poll=wrong-epoch", "not of epoch 3",
		"poll=back", "is next", "poll=gap", "is next", "poll=zero-seq", "numbered from 1", "poll=no-records", "no records",
		"poll=many-records", "limit of a frame", "poll=lengths", "add up", "poll=long-length", "add up",
		"poll=no-topic", "no topic", "poll=topic-index", "never defined", "poll=schema-undefined", "never defined",
		"poll=partition-undefined", "never defined", "poll=column", "column", "poll=headers", "header",
		"poll=large-block", "limit of a frame", "poll=large-frame", "larger than", "poll=no-credit", "without credit",
		"poll=schema-id", "next id", "poll=schema-type", "unknown schema type", "poll=schema-deep", "nested",
		"poll=schema-flood", "take more than", "poll=partition-id", "next id", "poll=partition-large", "limit is",
		"poll=transaction", "was not sent", "poll=frame-flood", "floods", "poll=unknown-frame", "", "poll=log-flood", "",
	)
	own(sink,
		"open=end", "without Failure or Drained", "read=hang", "took too long", "put=end", "without Failure or Drained",
		"put=failure", "failing as asked", "put=accept-beyond", "accepts record", "put=seek-unknown", "does not have",
		"put=seek-negative", "seeks to offset", "put=errant-beyond", "errant", "put=large-frame", "larger than",
		"flush=beyond", "", "flush=strange", "", "drain=end", "without Failure or Drained",
	)
	own(connector,
		"open=end", "without being asked", "open=failure", "failing as asked", "open=wrong-epoch", "without being asked",
		"run=twice", "twice", "run=stopped", "nobody asked", "run=reconfigure-flood", "", "run=offsets-flood", "wait for an answer",
		"configs=many", "tasks.max", "configs=wrong-id", "did not answer", "configs=error", "failing as asked",
		"configs=other-frame", "another frame", "configs=end", "without being asked", "stop=end", "",
	)
	return cases
}

func runConnector(i *Instance, script string) error {
	connector, err := i.OpenConnector(context.Background(), ConnectorStart{
		Epoch: 3, Connector: "hostile-source", Name: "hostile", Config: map[string]string{"hostile": script},
		Offsets: func(ctx context.Context, _ [][]byte) ([][]byte, error) {
			<-time.After(100 * time.Millisecond)
			return nil, nil
		},
	})
	if err != nil {
		return err
	}
	defer connector.Close()
	if _, err := connector.TaskConfigs(context.Background(), 3); err != nil {
		return err
	}
	return connector.Stop(context.Background(), patience(script, 2*time.Second))
}

// I-3: nothing that a plugin does in any call ends, blocks or starves the worker or another connector.
func TestAHostilePluginIsAnErrorOfItsOwn(t *testing.T) {
	h := newTestHost(t, shortTimeouts)
	beside := newSteady(t, h)
	t.Run("cases", func(t *testing.T) {
		for _, c := range hostileCases() {
			runHostileCase(t, c, beside)
		}
	})
	beside.end(t)
}

// endsByTimeout says that only a time-out can end the script. All others get patient ones, because on a busy machine even a good
// answer may take seconds.
func endsByTimeout(script string) bool {
	return slices.ContainsFunc([]string{"hang", "mute", "wrong-id"}, func(how string) bool { return strings.HasSuffix(script, "="+how) })
}

// patience is how long a test waits for a stream of a script.
func patience(script string, usual time.Duration) time.Duration {
	if !endsByTimeout(script) {
		return patientTimeouts.Answer
	}
	return usual
}

func runHostileCase(t *testing.T, c hostileCase, beside *steady) {
	t.Run(c.script, func(t *testing.T) {
		t.Parallel()
		timeouts, limit := patientTimeouts, patientBound
		if endsByTimeout(c.script) {
			timeouts, limit = shortTimeouts, bound
		}
		h := newTestHost(t, timeouts)
		within(t, limit, func() {
			instance, err := h.acquire("hostile", c.script)
			require.NoError(t, err)
			defer instance.Release()
			err = c.run(instance, c.script)
			if c.want == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, c.want)
			}
		})
		h.requireNoProcess()
		beside.goesOn(t)
		require.NotContains(t, h.logs.String(), "hunter2", "I-9: output is masked")
	})
}

// Lies about offsets do not reach the commit.
func TestASinkCannotCommitWhatItWasNotSent(t *testing.T) {
	h := newTestHost(t, shortTimeouts)
	instance, err := h.acquire("c", "")
	require.NoError(t, err)
	defer instance.Release()
	for _, script := range []string{"flush=beyond", "flush=strange"} {
		flushed, err := runSink(instance, script)
		require.NoError(t, err)
		require.Empty(t, flushed.Offsets, "I-2")
	}
}

// A task that breaks the rules does not take the tasks beside it in the same process along.
func TestOneTasksViolationLeavesTheOtherTasksOfTheProcessAlone(t *testing.T) {
	h := newTestHost(t, shortTimeouts)
	instance, err := h.acquire("c", "")
	require.NoError(t, err)
	defer instance.Release()
	other := make(chan error, 1)
	go func() {
		_, err := runSource(instance, "pace=1ms", 100_000)
		other <- err
	}()
	for _, script := range []string{"poll=gap", "poll=large-frame", "poll=frame-flood", "poll=failure", "open=fail"} {
		_, err := runSource(instance, script, 20_000)
		require.Error(t, err)
	}
	require.NoError(t, <-other)
}

// A silent process that does not answer a health check is killed, and the stream says so. The limit of silence is the
// protocol's, so the test moves the clock of the stream.
func TestASilentAndUnhealthyPluginIsKilled(t *testing.T) {
	h := newTestHost(t, shortTimeouts)
	instance, err := h.acquire("c", "health=hang")
	require.NoError(t, err)
	defer instance.Release()
	stream, err := instance.OpenSource(context.Background(), SourceStart{Epoch: 1, Name: "c", Config: map[string]string{"hostile": "open=hang"}, CreditBytes: 1})
	require.NoError(t, err)
	defer stream.Close()
	stream.started() // keep the start's deadline out of it
	stream.lastFrame.Store(time.Now().Add(-time.Minute).UnixNano())
	go stream.checkSilence()
	within(t, bound, func() {
		_, err := stream.Recv()
		require.ErrorContains(t, err, "did not answer a health check")
		<-instance.Done()
	})
}

func TestTransactionBoundariesHaveTheNumbersOfTheProtocol(t *testing.T) {
	require.EqualValues(t, pluginv1.TransactionBoundary_TRANSACTION_BOUNDARY_UNSPECIFIED, BoundaryNone)
	require.EqualValues(t, pluginv1.TransactionBoundary_TRANSACTION_BOUNDARY_POLL, BoundaryPoll)
	require.EqualValues(t, pluginv1.TransactionBoundary_TRANSACTION_BOUNDARY_INTERVAL, BoundaryInterval)
	require.EqualValues(t, pluginv1.TransactionBoundary_TRANSACTION_BOUNDARY_CONNECTOR, BoundaryConnector)
}
