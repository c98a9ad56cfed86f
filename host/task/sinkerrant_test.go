package task

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tailrace/tailrace/host/kafka"
)

// forbiddenLookup is for tests in which every record is still at hand.
type forbiddenLookup struct{}

func (forbiddenLookup) Find(context.Context, map[kafka.TopicPartition][]int64, func(kafka.TopicPartition, int64, kafka.FoundRecord)) error {
	return errors.New("a record that was just sent is read again")
}
func (forbiddenLookup) Close() {}

func lettersWith(t testing.TB, addr string, lookup RecordLookup) func(context.Context) (DeadLetters, error) {
	return func(ctx context.Context) (DeadLetters, error) {
		if err := EnsureDeadLetterTopic(ctx, newAdmin(t, addr), "letters", 1, nil); err != nil {
			return nil, err
		}
		return NewDeadLetterTopic(DeadLetterConfig{ID: ID{"snk", 0}, Topic: "letters", ContextHeaders: true, Producer: newProducer(t, addr, nil), Lookup: lookup, Logger: testLogger(t)}), nil
	}
}

// Records that are reported soon come from memory, each is a dead letter once and in order.
func TestRecordsThatAreReportedSoonAreNotReadAgain(t *testing.T) {
	addr := startBroker(t, kafka.EmbeddedConfig{}).Addr()
	fill(t, addr, 0, 19_999)
	b := startSink(t, addr, func(cfg *SinkConfig) {
		cfg.Errors.TolerateAll = true
		cfg.OpenDeadLetters = lettersWith(t, addr, forbiddenLookup{})
	}, func(_ int, s *scriptedSink) { s.errantEvery = 10 })
	eventually(t, "the commit", func() bool { return committedOf(t, addr) == 20_000 })
	b.task.Stop()
	require.NoError(t, b.wait(t))
	n := 0
	for _, run := range readRecorded(t, addr, "letters", 2000) {
		for i := range run.Len() {
			require.Equal(t, "v-"+strconv.Itoa(n*10+9), string(run.Value(i)))
			n++
		}
	}
	require.Equal(t, 2000, n)
	for _, failure := range b.stream(0).handled {
		require.NoError(t, failure)
	}
}

// A dead letter of a reported record that cannot be written fails the task, and its offset is not committed.
func TestAReportedRecordThatCannotBeADeadLetterIsNotCommitted(t *testing.T) {
	addr := startBroker(t, kafka.EmbeddedConfig{}).Addr()
	fill(t, addr, 0, 9)
	b := startSink(t, addr, func(cfg *SinkConfig) {
		cfg.Errors.TolerateAll = true
		cfg.OpenDeadLetters = deadLetters(t, addr, map[string]string{"max.request.size": "512"}) // the headers do not fit
	}, func(_ int, s *scriptedSink) { s.errantEvery, s.errantText = 5, strings.Repeat(" by the database", 50) })
	require.ErrorContains(t, b.wait(t), "the dead letter topic letters did not take a record")
	require.LessOrEqual(t, committedOf(t, addr), int64(0))
}

func TestTooManyBadRecordsEndASinkThatToleratesSome(t *testing.T) {
	addr := startBroker(t, kafka.EmbeddedConfig{}).Addr()
	fill(t, addr, 0, 999)
	b := startSink(t, addr, func(cfg *SinkConfig) {
		cfg.Errors.TolerateAll, cfg.Errors.MaxRate, cfg.Errors.RateRecords = true, 0.05, 100
		cfg.OpenDeadLetters = lettersWith(t, addr, forbiddenLookup{})
		cfg.Converters = converters(t, "JsonConverter", map[string]string{"schemas.enable": "false"}) // they are no JSON
	}, nil)
	require.ErrorContains(t, b.wait(t), "6 of the last 100 records failed, and errors.tolerance.max.rate allows 5")
	// What became a dead letter does not come again.
	require.EqualValues(t, b.task.Snapshot().DeadLetters, committedOf(t, addr))
}

// BenchmarkErrantRecords moves records through a sink that refuses some of them.
func BenchmarkErrantRecords(b *testing.B) {
	addr := startBroker(b, kafka.EmbeddedConfig{}).Addr()
	const records = 400_000
	fill(b, addr, 0, records-1)
	for _, c := range []struct {
		name  string
		every uint64
	}{{"none", 0}, {"1 percent", 100}, {"none again", 0}} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				before, start := cpu(), time.Now()
				run := startSink(b, addr, func(cfg *SinkConfig) {
					cfg.Subscribe = func(l kafka.RebalanceListener) (Consumer, error) {
						return kafka.NewConsumer(clientConfig(b, kafka.ConsumerClient, addr, map[string]string{"group.id": "g" + strconv.FormatInt(time.Now().UnixNano(), 10)}),
							kafka.Subscription{Topics: []string{"in"}}, l)
					}
					cfg.Errors.TolerateAll = true
					cfg.OpenDeadLetters = lettersWith(b, addr, newLookup(b, addr))
				}, func(_ int, s *scriptedSink) { s.errantEvery = c.every })
				eventually(b, "all records", func() bool { s := run.stream(0); return s != nil && s.count() == records })
				b.ReportMetric(records/time.Since(start).Seconds(), "records/s")
				b.ReportMetric(float64((cpu()-before).Nanoseconds())/records, "cpu-ns/record")
				run.task.Stop()
				_ = run.wait(b)
			}
		})
	}
}

func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
