package jdbc

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tailrace/tailrace/test/env"
	"github.com/tailrace/tailrace/test/harness"
)

// BenchmarkPostgreSQLToTopic reads one table of 20 mixed columns with a bare loop over the driver's binary values, and with
// worker and plugin into a topic; it tells the CPU time a row takes in each, that of the database left out.
func BenchmarkPostgreSQLToTopic(b *testing.B) {
	d := postgres(b)
	const n = 200_000
	d.create(b, "bench")
	d.insert(b, "bench", 1, n)
	bootstrap := env.Kafka(b).Bootstrap
	for b.Loop() {
		before := ownCPU()
		conn, err := pgconn.Connect(b.Context(), env.PostgresURL(env.Postgres(b), "postgres"))
		require.NoError(b, err)
		r := conn.ExecParams(b.Context(), "SELECT * FROM bench ORDER BY id", nil, nil, nil, []int16{1})
		size, count := 0, 0
		for r.NextRow() {
			count++
			for _, v := range r.Values() {
				size += len(v)
			}
		}
		_, err = r.Close()
		require.NoError(b, err)
		require.Equal(b, n, count)
		require.NoError(b, conn.Close(b.Context()))
		bare := ownCPU() - before

		w := harness.Start(b, harness.Config{Bootstrap: bootstrap})
		prefix := env.Name(b) + "-"
		cfg := connectorConfig(d, prefix, map[string]string{"table.whitelist": "bench", "mode": "incrementing", "timestamp.column.name": ""})
		began, idle := time.Now(), processCPU(b, w.PID())
		w.Create("jdbc", cfg)
		topic := prefix + "bench"
		harness.Eventually(b, 2*time.Minute, "all rows arrive", func() (bool, string) {
			got := endOffset(b, bootstrap, topic)
			return got >= n, strconv.FormatInt(got, 10)
		})
		wall := time.Since(began)
		all := processCPU(b, w.PID()) - idle
		for _, pid := range w.Plugins("jdbc-source") {
			all += processCPU(b, pid)
		}
		w.Stop()
		b.ReportMetric(float64(bare.Microseconds())/n, "bare-cpu-µs/row")
		b.ReportMetric(float64(all.Microseconds())/n, "cpu-µs/row")
		b.ReportMetric(bare.Seconds()/all.Seconds(), "of-bare")
		b.ReportMetric(n/wall.Seconds(), "rows/s")
	}
}

func endOffset(b testing.TB, bootstrap, topic string) (end int64) {
	client, err := kgo.NewClient(kgo.SeedBrokers(bootstrap))
	require.NoError(b, err)
	defer client.Close()
	offsets, err := kadm.NewClient(client).ListEndOffsets(b.Context(), topic)
	if err != nil {
		return 0
	}
	offsets.Each(func(o kadm.ListedOffset) { end += max(o.Offset, 0) })
	return end
}

func ownCPU() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// processCPU is the user and system time of a process; the kernel counts in hundredths of a second.
func processCPU(b testing.TB, pid int) time.Duration {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	require.NoError(b, err)
	fields := strings.Fields(string(raw[strings.LastIndexByte(string(raw), ')')+1:]))
	user, err := strconv.Atoi(fields[11])
	require.NoError(b, err)
	system, err := strconv.Atoi(fields[12])
	require.NoError(b, err)
	return time.Duration(user+system) * 10 * time.Millisecond
}
