package jdbc

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tailrace/tailrace/test/env"
	"github.com/tailrace/tailrace/test/env/proc"
	"github.com/tailrace/tailrace/test/harness"
	"github.com/tailrace/tailrace/test/page"
)

// The sides of the benchmark.
const (
	driverSide       = "driver's loop: rows into Go values"
	loopSide         = "bare loop: the same, encoding/json, franz-go"
	tailraceSide     = "Tailrace"
	envelopeLoopSide = "bare loop, with schemas"
	envelopesSide    = "Tailrace, with schemas"
)

var sides = []string{driverSide, loopSide, tailraceSide, envelopeLoopSide, envelopesSide}

// sameWork is the bare loop that puts the same records into Kafka as a side.
var sameWork = map[string]string{driverSide: loopSide, loopSide: loopSide, tailraceSide: loopSide, envelopeLoopSide: envelopeLoopSide, envelopesSide: envelopeLoopSide}

// measured is one run of a side.
type measured struct{ wall, cpu time.Duration }

// BenchmarkRates reads a table of 20 mixed columns of each database with the driver alone, with a bare loop that does the whole
// work, and with worker and plugin, with and without a schema in each record. The sides take turns; the contents of their topics
// are compared with the table. CPU is that of all processes of a side, without the database and Kafka. TAILRACE_BENCH_DOC names
// a page whose table it replaces.
func BenchmarkRates(b *testing.B) {
	const rounds = 3
	n := 200_000
	if text := os.Getenv("TAILRACE_JDBC_ROWS"); text != "" {
		n = rows(b)
	}
	bootstrap := env.Kafka(b).Bootstrap
	var table strings.Builder
	fmt.Fprintf(&table, "Measured %s on %d cores, Linux, %s, %d rows of 20 columns; each side ran %d times, in turn; figures are means, ± is the largest\nminus the smallest run.\n\n",
		time.Now().UTC().Format(time.DateOnly), runtime.NumCPU(), runtime.Version(), n, rounds)
	fmt.Fprint(&table, "| database | | rows/s | CPU µs/row | of the driver's loop | of the bare loop with the same records |\n|---|---|--:|--:|--:|--:|\n")
	for _, c := range []struct {
		name string
		open func(testing.TB) (*database, bareLoop)
	}{
		{"PostgreSQL", func(t testing.TB) (*database, bareLoop) {
			return postgres(t), postgresLoop(env.PostgresURL(env.Postgres(t), "postgres"))
		}},
		{"MariaDB", func(t testing.TB) (*database, bareLoop) {
			db, err := sql.Open("mysql", env.MariaDBSource(env.MariaDB(t), "test")+"?parseTime=true&time_zone=%27%2B00%3A00%27")
			require.NoError(t, err)
			t.Cleanup(func() { _ = db.Close() })
			return mariadb(t), mariadbLoop(db)
		}},
		{"SQLite", func(t testing.TB) (*database, bareLoop) {
			d := sqlite(t)
			return d, sqliteLoop(d.DB)
		}},
	} {
		d, loop := c.open(b)
		d.create(b, "bench")
		d.insert(b, "bench", 1, n)
		want := d.table(b, "bench")
		// A run that counts for nothing warms the database, and gives the schema that the loop writes into each record.
		_, warm := d.measure(b, envelopesSide, bootstrap, "bench", n, loop, nil)
		schema := d.readTopic(b, bootstrap, warm).schema(b)
		runs := map[string][]measured{}
		for round := range rounds {
			for _, side := range sides {
				run, topic := d.measure(b, side, bootstrap, "bench", n, loop, schema)
				runs[side] = append(runs[side], run)
				if round == 0 && topic != "" {
					got := d.readTopic(b, bootstrap, topic)
					got.more(b)
					require.Empty(b, got.difference(want), side)
				}
			}
		}
		for _, side := range sides {
			cpu := mean(runs[side], perRow(n))
			ratio := func(of string) string { return fmt.Sprintf("%.2f", mean(runs[of], perRow(n))/cpu) }
			b.ReportMetric(cpu, strings.ReplaceAll(c.name+":"+strings.Fields(side)[0]+strconv.Itoa(slices.Index(sides, side)), "'", "")+"-µs/row")
			fmt.Fprintf(&table, "| %s | %s | %.0fk ± %.0f %% | %.2f ± %.0f %% | %s | %s |\n", c.name, side,
				mean(runs[side], rate(n))/1000, 100*spread(runs[side], rate(n)), cpu, 100*spread(runs[side], perRow(n)), ratio(driverSide), ratio(sameWork[side]))
		}
		d.exec(b, "DROP TABLE bench")
	}
	fmt.Fprintln(os.Stderr, table.String())
	if doc := os.Getenv("TAILRACE_BENCH_DOC"); doc != "" {
		require.NoError(b, page.Replace(doc, "bench-jdbc", table.String()))
	}
}

// measure runs one side once; topic is where its records are.
func (d *database) measure(b *testing.B, side, bootstrap, table string, n int, loop bareLoop, schema []byte) (run measured, topic string) {
	prefix := env.Name(b) + "-"
	topic = prefix + table
	switch side {
	case driverSide:
		return alone(b, func() error { return loop(b.Context(), table, discard) }), ""
	case loopSide, envelopeLoopSide:
		if side == loopSide {
			schema = nil
		}
		createTopic(b, bootstrap, topic)
		return alone(b, func() error { return produce(b.Context(), bootstrap, topic, table, schema, loop) }), topic
	}
	w := harness.Start(b, harness.Config{Bootstrap: bootstrap})
	cfg := connectorConfig(d, prefix, map[string]string{
		"table.whitelist": table, "mode": "incrementing", "timestamp.column.name": "", "poll.interval.ms": "1000",
		"value.converter.schemas.enable": strconv.FormatBool(side == envelopesSide),
	})
	began, before := time.Now(), proc.CPU(w.PID())
	w.Create("jdbc", cfg)
	harness.Eventually(b, 5*time.Minute, "all rows arrive", func() (bool, string) {
		got := endOffset(b, bootstrap, topic)
		return got >= int64(n), strconv.FormatInt(got, 10)
	})
	run = measured{time.Since(began), proc.CPU(w.PID()) - before}
	w.Stop()
	return run, topic
}

// alone measures a loop in this process.
func alone(b *testing.B, loop func() error) measured {
	runtime.GC()
	began, before := time.Now(), ownCPU()
	require.NoError(b, loop())
	return measured{time.Since(began), ownCPU() - before}
}

func rate(n int) func(measured) float64 {
	return func(m measured) float64 { return float64(n) / m.wall.Seconds() }
}

func perRow(n int) func(measured) float64 {
	return func(m measured) float64 { return m.cpu.Seconds() * 1e6 / float64(n) }
}

func mean(runs []measured, of func(measured) float64) (sum float64) {
	for _, r := range runs {
		sum += of(r)
	}
	return sum / float64(len(runs))
}

// spread is the largest minus the smallest, as a share of the mean: what a side differs from itself.
func spread(runs []measured, of func(measured) float64) float64 {
	low, high := of(runs[0]), of(runs[0])
	for _, r := range runs {
		low, high = min(low, of(r)), max(high, of(r))
	}
	return (high - low) / mean(runs, of)
}

func admin(b testing.TB, bootstrap string, use func(context.Context, *kadm.Client)) {
	client, err := kgo.NewClient(kgo.SeedBrokers(bootstrap))
	require.NoError(b, err)
	defer client.Close()
	use(b.Context(), kadm.NewClient(client))
}

func createTopic(b testing.TB, bootstrap, topic string) {
	admin(b, bootstrap, func(ctx context.Context, a *kadm.Client) {
		_, err := a.CreateTopic(ctx, 1, 1, nil, topic)
		require.NoError(b, err)
	})
}

func endOffset(b testing.TB, bootstrap, topic string) (end int64) {
	admin(b, bootstrap, func(ctx context.Context, a *kadm.Client) {
		if offsets, err := a.ListEndOffsets(ctx, topic); err == nil {
			offsets.Each(func(o kadm.ListedOffset) { end += max(o.Offset, 0) })
		}
	})
	return end
}

func ownCPU() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
