package task

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tailrace/tailrace/host/kafka"
	"github.com/tailrace/tailrace/host/plugin"
)

// What makes a letter too large is left out, the value first, and no more than is needed.
func TestALetterThatDoesNotFitIsCut(t *testing.T) {
	large := strings.Repeat("x", 10_000)
	for _, c := range []struct {
		name, key, value, header string
		cut                      string
	}{
		{"the value is large", "k", large, "h", "value (10000 bytes)"},
		{"the value and the key are large", large, large, "h", "value (10000 bytes), key (10000 bytes)"},
		{"a header is large", "k", "v", large, "value (1 bytes), key (1 bytes), headers (10013 bytes)"},
		{"a null value", large, "", "h", "key (10000 bytes)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := letter{key: []byte(c.key), form: FormKafka}
			if c.value != "" {
				l.value = []byte(c.value)
			}
			l.own.Add("own", []byte(c.header))
			l.about.Add("about", []byte("kept"))
			require.Greater(t, l.bytes(), int64(5000))
			l.cut(5000, "why")
			require.LessOrEqual(t, l.bytes(), int64(5000))
			require.Equal(t, FormNone, l.form)
			var got []string
			for i := range l.about.Len() {
				name, value := l.about.At(i)
				got = append(got, name+"="+string(value))
			}
			require.Equal(t, []string{"about=kept", "__tailrace.errors.cut=" + c.cut, "__tailrace.errors.cut.reason=why"}, got)
		})
	}
}

// A letter never passes the limit by its framing: what is not cut is taken by the topic,
// whole, and what is larger is there without its value, in its place.
func TestLettersAroundTheLimitOfTheirTopicAllArriveInOrder(t *testing.T) {
	for _, headers := range []bool{false, true} {
		addr := startBroker(t, kafka.EmbeddedConfig{}).Addr()
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		require.NoError(t, EnsureDeadLetterTopic(ctx, newAdmin(t, addr), "letters", 1, map[string]string{"max.message.bytes": "5000"}))
		producer := newProducer(t, addr, nil)
		require.NoError(t, producer.LearnTopicLimit(ctx, "letters"))
		var log lockedLines
		d := NewDeadLetterTopic(DeadLetterConfig{ID: ID{"sink", 0}, Topic: "letters", ContextHeaders: headers, Producer: producer, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		var sizes []int
		var records []Errant
		for size := 3000; size < 5400; size += 7 {
			e := Errant{
				Topic: "in", Offset: int64(size), TimestampMillis: 1_700_000_000_000, HasRecord: true, Key: []byte("k"),
				Value: []byte(strings.Repeat("v", size)), Stage: "TASK_PUT", Class: "C", Err: errors.New("bad"),
			}
			sizes, records = append(sizes, size), append(records, e)
		}
		decided := make(chan error, 1)
		d.Send(ctx, records, func(err error) { decided <- err })
		require.NoError(t, <-decided)
		require.NoError(t, d.Close(ctx))
		n, cut := 0, 0
		for _, run := range readRecorded(t, addr, "letters", len(sizes)) {
			for i := range run.Len() {
				h := letterHeaders(run, i)
				if reason, isCut := h["__tailrace.errors.cut.reason"]; isCut {
					require.Nil(t, run.Value(i))
					require.Equal(t, "none", h["__tailrace.errors.form"])
					require.Contains(t, reason, "topic letters takes 5000 (max.message.bytes); raise max.message.bytes of that topic")
					cut++
				} else {
					require.Len(t, run.Value(i), sizes[n])
					require.Zero(t, cut, "a letter after a larger one is whole")
				}
				n++
			}
		}
		require.Equal(t, len(sizes), n)
		require.Greater(t, cut, 20)
		require.Greater(t, n-cut, 20)
		require.Contains(t, log.String(), "dead letters are too large for their topic and were cut")
	}
}

// A source goes on when the topic of its letters takes less than its letters have: they
// are cut, or, where the limit is not known, refused by the broker and counted.
func TestASourceGoesOnWhenItsLettersAreTooLarge(t *testing.T) {
	for _, known := range []bool{true, false} {
		addr := startBroker(t, kafka.EmbeddedConfig{}).Addr()
		createTopic(t, addr, "out", map[string]string{"max.message.bytes": "4000"})
		createTopic(t, addr, "letters", map[string]string{"max.message.bytes": "5000"})
		b := startSource(t, addr, func(cfg *SourceConfig, _ *scriptedSource) {
			cfg.Errors.TolerateAll, cfg.CreditBytes = true, 1<<20
			cfg.OpenDeadLetters = func(ctx context.Context) (d DeadLetters, err error) {
				producer := newProducer(t, addr, nil)
				if known {
					err = producer.LearnTopicLimit(ctx, "letters")
				}
				return NewDeadLetterTopic(DeadLetterConfig{ID: ID{"src", 0}, Topic: "letters", ContextHeaders: true, Producer: producer, Logger: testLogger(t)}), err
			}
		})
		b.stream.emit(plugin.Started{})
		p := b.stream.partition(t, map[string]any{"file": "a"})
		const batches = 30
		for range batches { // more in all than the credit of the task
			b.stream.values(t, "out", p, "good", strings.Repeat("x", 100_000), "good")
		}
		eventually(t, "commit of the last record", func() bool { return b.stream.lastCommit() == 3*batches })
		require.Len(t, readTopic(t, addr, "out", 2*batches), 2*batches)
		if known {
			wantCut(t, addr, batches)
		}
		b.task.Stop()
		require.NoError(t, b.wait(t))
		snap := b.task.Snapshot()
		require.EqualValues(t, batches, snap.DeadLetters)
		require.EqualValues(t, map[bool]int{true: 0, false: batches}[known], snap.DeadLetterFailures)
	}
}

func wantCut(t *testing.T, addr string, letters int) {
	t.Helper()
	n := 0
	for _, run := range readRecorded(t, addr, "letters", letters) {
		for i := range run.Len() {
			h := letterHeaders(run, i)
			require.Nil(t, run.Value(i))
			require.Equal(t, "value (100000 bytes)", h["__tailrace.errors.cut"])
			require.Equal(t, "KAFKA_PRODUCE", h["__connect.errors.stage"])
			require.Equal(t, "none", h["__tailrace.errors.form"])
			n++
		}
	}
	require.Equal(t, letters, n)
}
