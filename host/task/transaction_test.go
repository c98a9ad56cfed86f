package task

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/tailrace/tailrace/host/convert"
	"github.com/tailrace/tailrace/host/kafka"
	"github.com/tailrace/tailrace/host/plugin"
	"github.com/tailrace/tailrace/host/store"
	"github.com/tailrace/tailrace/sdk/go/data"
)

func batchOf(first, last uint64) *preparedBatch {
	return &preparedBatch{firstSeq: first, through: last}
}

// Whatever comes in whatever order: a transaction holds whole batches, never one behind a place where the task ends it,
// and it ends only when all that it holds is decided.
func TestATransactionHoldsWholeBatchesUpToItsEnd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		boundary := rapid.SampledFrom([]plugin.Boundary{plugin.BoundaryPoll, plugin.BoundaryInterval, plugin.BoundaryConnector}).Draw(t, "boundary")
		tx := &transaction{boundary: boundary, interval: 10 * time.Second}
		now := time.Unix(0, 0)
		var queue, held []*preparedBatch
		var next, stored uint64 = 1, 0
		ends := map[uint64]bool{}
		t.Repeat(map[string]func(*rapid.T){
			"a batch comes": func(t *rapid.T) {
				n := rapid.Uint64Range(1, 5).Draw(t, "records")
				queue = append(queue, batchOf(next, next+n-1))
				next += n
			},
			"the task ends a transaction": func(t *rapid.T) {
				if next > 1 {
					require.NoError(t, tx.ask(plugin.Transaction{Seq: next - 1, Abort: rapid.Bool().Draw(t, "abort")}, queue))
					ends[next-1] = true
				}
			},
			"the sender takes a batch": func(t *rapid.T) {
				if len(queue) == 0 || !tx.admits(queue[0]) {
					return
				}
				require.Equal(t, endingOpen, tx.ending)
				tx.mark(queue[0], queue[1:])
				require.Equal(t, len(held) == 0, queue[0].begins)
				tx.gave(queue[0], queue[1:], now)
				held, queue = append(held, queue[0]), queue[1:]
				tx.progress(now)
				if boundary == plugin.BoundaryConnector {
					for _, p := range held[:len(held)-1] {
						require.False(t, ends[p.through], "a batch behind the end at %d", p.through)
					}
				}
			},
			"Kafka answers": func(*rapid.T) {
				for _, p := range held {
					if p.fate == fateOpen {
						p.fate = fateSettled
						tx.decided(p, false)
						break
					}
				}
			},
			"time passes": func(*rapid.T) {
				now = now.Add(3 * time.Second)
				tx.progress(now)
			},
			"it ends": func(t *rapid.T) {
				if !tx.complete() {
					return
				}
				require.NotEmpty(t, held)
				require.Equal(t, stored+1, held[0].firstSeq, "no hole")
				var records uint64
				for _, p := range held {
					require.Equal(t, fateSettled, p.fate)
					records += p.count()
				}
				require.Equal(t, records, tx.records)
				stored = held[len(held)-1].through
				require.Equal(t, boundary == plugin.BoundaryConnector, tx.ended() == stored)
				held = nil
			},
		})
		// Without more of anything it comes to its end, but for what the task has not ended.
		for range 1000 {
			tx.progress(now)
			if tx.ending == endingOpen && len(queue) > 0 {
				tx.mark(queue[0], queue[1:])
				tx.gave(queue[0], queue[1:], now)
				held, queue = append(held, queue[0]), queue[1:]
			}
			for _, p := range held {
				if p.fate == fateOpen {
					p.fate = fateSettled
					tx.decided(p, false)
				}
			}
			if tx.complete() {
				tx.ended()
				held = nil
			}
			now = now.Add(time.Second)
		}
		require.Empty(t, queue)
		require.True(t, len(held) == 0 || boundary == plugin.BoundaryConnector && !ends[next-1])
	})
}

func TestATransactionThatEndsInTheMiddleOfABatchIsRefused(t *testing.T) {
	tx := &transaction{boundary: plugin.BoundaryConnector}
	tx.gave(batchOf(1, 10), nil, time.Time{})
	queue := []*preparedBatch{batchOf(11, 20), batchOf(21, 30)}
	for _, seq := range []uint64{9, 11, 19, 29} {
		require.ErrorContains(t, tx.ask(plugin.Transaction{Seq: seq}, queue), "in the middle of the batch", seq)
	}
	for _, seq := range []uint64{10, 20, 30} {
		require.NoError(t, tx.ask(plugin.Transaction{Seq: seq}, queue), seq)
	}
}

// kafkaTransactions keeps the offsets of the test in a topic, as a worker does, and can be made to fail.
type kafkaTransactions struct {
	*kafka.Producer
	fail error // of the next commit
}

func (k *kafkaTransactions) Commit(ctx context.Context, entries []store.OffsetEntry) error {
	if err := k.fail; err != nil {
		k.fail = nil
		return err
	}
	records := make([]kafka.OutRecord, len(entries))
	for i, e := range entries {
		records[i] = kafka.OutRecord{Topic: "offsets", Partition: kafka.PartitionAny, TimestampMillis: kafka.TimestampNow, Key: e.Key, Value: e.Value}
	}
	return k.Producer.Commit(ctx, records)
}

func (k *kafkaTransactions) Refuses(topic string) error {
	if topic == "offsets" {
		return errors.New("not to its own offsets topic")
	}
	return nil
}

func exactlyOnce(t *testing.T, addr string, boundary plugin.Boundary) (*sourceBench, *kafkaTransactions) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	p, err := kafka.NewTransactionalProducer(ctx, clientConfig(t, kafka.ProducerClient, addr, nil), "group-src-0")
	require.NoError(t, err)
	transactions := &kafkaTransactions{Producer: p}
	b := startSource(t, addr, func(c *SourceConfig, _ *scriptedSource) {
		c.Value = badValues{c.Value}
		c.Producer, c.Transactions, c.Boundary, c.BoundaryInterval = p, transactions, boundary, 100*time.Millisecond
	})
	return b, transactions
}

// committed reads what those see that read only what is committed, from a topic with one partition.
func committed(t *testing.T, addr, topic string) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	records := make(chan kafka.LogRecord, 10_000)
	l, err := kafka.OpenTopicLog(ctx, kafka.TopicLogConfig{
		Topic: topic, Consumer: clientConfig(t, kafka.ConsumerClient, addr, map[string]string{"isolation.level": "read_committed"}),
		Producer: clientConfig(t, kafka.ProducerClient, addr, nil),
		Apply: func(some []kafka.LogRecord) {
			for _, r := range some {
				records <- r
			}
		},
	})
	require.NoError(t, err)
	defer l.Close()
	require.NoError(t, l.ReadToEnd(ctx))
	values := make([]string, len(records))
	for i := range values {
		values[i] = string((<-records).Value)
	}
	return values
}

func numbers(from, to int) (lines []string) {
	for i := from; i <= to; i++ {
		lines = append(lines, fmt.Sprintf("line-%d", i))
	}
	return lines
}

func TestRecordsAndOffsetsCountTogether(t *testing.T) {
	for name, boundary := range map[string]plugin.Boundary{"poll": plugin.BoundaryPoll, "interval": plugin.BoundaryInterval} {
		t.Run(name, func(t *testing.T) {
			addr := startBroker(t, kafka.EmbeddedConfig{DefaultPartitions: 1}).Addr()
			b, _ := exactlyOnce(t, addr, boundary)
			b.stream.emit(plugin.Started{})
			p := b.stream.partition(t, map[string]any{"file": "a"})
			for range 10 {
				b.stream.lines(t, "out", "line", p, 100)
			}
			eventually(t, "commit of the last record", func() bool { return b.stream.lastCommit() == 1000 })
			require.Equal(t, numbers(1, 1000), committed(t, addr, "out"))
			offsets := committed(t, addr, "offsets")
			require.Equal(t, `{"position":1000}`, offsets[len(offsets)-1])
			require.Zero(t, b.store.puts, "offsets that count without their records")
			b.stream.lines(t, "out", "line", p, 1)
			b.task.Stop()
			require.NoError(t, b.wait(t))
			require.Equal(t, numbers(1, 1001), committed(t, addr, "out"), "the last transaction of a task that is stopped")
			s := b.task.Snapshot()
			require.LessOrEqual(t, len(committed(t, addr, "offsets")), 11)
			require.Positive(t, s.TransactionSize.Max(time.Now()))
		})
	}
}

// What the task aborts is skipped, not tried again; what it has not ended when it goes comes again.
func TestATaskEndsItsTransactionsItself(t *testing.T) {
	addr := startBroker(t, kafka.EmbeddedConfig{DefaultPartitions: 1}).Addr()
	b, _ := exactlyOnce(t, addr, plugin.BoundaryConnector)
	b.stream.emit(plugin.Started{})
	p := b.stream.partition(t, map[string]any{"file": "a"})
	b.stream.lines(t, "out", "line", p, 3)
	b.stream.lines(t, "out", "line", p, 3)
	b.stream.emit(plugin.Transaction{Seq: 6})
	b.stream.lines(t, "out", "aborted", p, 4)
	b.stream.emit(plugin.Transaction{Seq: 10, Abort: true})
	b.stream.lines(t, "out", "line", p, 2)
	b.stream.emit(plugin.Transaction{Seq: 12})
	eventually(t, "commit of the last transaction", func() bool { return b.stream.lastCommit() == 12 })
	b.stream.lines(t, "out", "unfinished", p, 5)
	eventually(t, "the records that no transaction ends", func() bool { return b.task.Snapshot().Records == 17 })
	b.task.Stop()
	require.NoError(t, b.wait(t))
	require.Equal(t, []uint64{6, 10, 12}, b.stream.ended)
	require.Equal(t, append(numbers(1, 6), numbers(11, 12)...), committed(t, addr, "out"))
	require.Equal(t, []string{`{"position":6}`, `{"position":10}`, `{"position":12}`}, committed(t, addr, "offsets"))
}

// A commit of which nobody knows what became ends the task, so that the next start finds out; nothing more is sent.
func TestATransactionThatCannotBeEndedStartsTheTaskAgain(t *testing.T) {
	addr := startBroker(t, kafka.EmbeddedConfig{DefaultPartitions: 1}).Addr()
	b, transactions := exactlyOnce(t, addr, plugin.BoundaryPoll)
	transactions.fail = errors.New("the coordinator is away")
	b.stream.emit(plugin.Started{})
	p := b.stream.partition(t, map[string]any{"file": "a"})
	b.stream.lines(t, "out", "line", p, 3)
	var again *RestartError
	require.ErrorAs(t, b.wait(t), &again)
	b, _ = exactlyOnce(t, addr, plugin.BoundaryPoll) // fences the first and undoes what it left
	b.stream.emit(plugin.Started{})
	p = b.stream.partition(t, map[string]any{"file": "a"})
	b.stream.lines(t, "out", "line", p, 3)
	eventually(t, "commit", func() bool { return b.stream.lastCommit() == 3 })
	require.Equal(t, numbers(1, 3), committed(t, addr, "out"))
	b.task.Stop()
	require.NoError(t, b.wait(t))
}

// A new start would meet the same partition again.
func TestATransactionWithAPartitionThatCannotBeStoredFailsTheTask(t *testing.T) {
	addr := startBroker(t, kafka.EmbeddedConfig{DefaultPartitions: 1}).Addr()
	b, _ := exactlyOnce(t, addr, plugin.BoundaryPoll)
	b.stream.emit(plugin.Started{})
	partition, err := data.AppendValue(nil, nil, data.NewMapValue(data.MapEntry{Key: int64(1), Value: "a"}))
	require.NoError(t, err)
	b.stream.emit(plugin.PartitionDefined{ID: 1, Partition: partition})
	b.stream.lines(t, "out", "line", 1, 3)
	err = b.wait(t)
	require.ErrorContains(t, err, "source partition: ")
	var again *RestartError
	require.NotErrorAs(t, err, &again)
	require.Equal(t, Failed, b.seen.last())
	require.Empty(t, committed(t, addr, "out"))
}

// badValues refuses values that say so.
type badValues struct{ convert.Converter }

func (c badValues) FromConnect(dst []byte, topic string, s *data.Schema, wire []byte) (out, after []byte, err error) {
	if bytes.Contains(wire, []byte("bad")) {
		return nil, dst, errors.New("a bad value")
	}
	return c.Converter.FromConnect(dst, topic, s, wire)
}

// A bad record fails the task, and its batch does not count in part. What came before it does, and so does what a plugin
// that dies has sent before.
func TestWhatCameBeforeTheEndCountsInWholeBatches(t *testing.T) {
	for name, end := range map[string]func(*testing.T, *sourceBench, uint32){
		"a bad record": func(t *testing.T, b *sourceBench, p uint32) {
			b.stream.lines(t, "out", "bad", p, 3)
		},
		"the plugin dies": func(_ *testing.T, b *sourceBench, _ uint32) { b.stream.end(&plugin.DeathError{}) },
		"a topic that is refused": func(t *testing.T, b *sourceBench, p uint32) {
			eventually(t, "commit", func() bool { return b.stream.lastCommit() == 3 })
			b.stream.lines(t, "offsets", "line", p, 3)
		},
	} {
		t.Run(name, func(t *testing.T) {
			addr := startBroker(t, kafka.EmbeddedConfig{DefaultPartitions: 1}).Addr()
			b, _ := exactlyOnce(t, addr, plugin.BoundaryPoll)
			b.stream.emit(plugin.Started{})
			p := b.stream.partition(t, map[string]any{"file": "a"})
			b.stream.lines(t, "out", "line", p, 3)
			end(t, b, p)
			require.Error(t, b.wait(t))
			require.Equal(t, numbers(1, 3), committed(t, addr, "out"))
			require.Equal(t, []string{`{"position":3}`}, committed(t, addr, "offsets"))
		})
	}
}
