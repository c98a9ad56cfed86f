package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/tailrace/tailrace/test/page"
)

// report is everything that one invocation measured.
type report struct {
	When  time.Time `json:"when"`
	Go    string    `json:"go"`
	Java  int       `json:"java"`
	CPUs  int       `json:"cpus"`
	Short bool      `json:"short"`
	Runs  []figures `json:"runs"`
}

// row is the runs of one side in one case.
type row struct {
	direction string
	lineBytes int
	side      string
	runs      []figures
}

func (r report) rows() []row {
	var rows []row
	for _, f := range r.Runs {
		at := slices.IndexFunc(rows, func(x row) bool {
			return x.direction == f.Direction && x.lineBytes == f.LineBytes && x.side == f.Side
		})
		if at < 0 {
			rows = append(rows, row{direction: f.Direction, lineBytes: f.LineBytes, side: f.Side})
			at = len(rows) - 1
		}
		rows[at].runs = append(rows[at].runs, f)
	}
	slices.SortStableFunc(rows, func(a, b row) int {
		return cmp.Or(cmp.Compare(a.lineBytes, b.lineBytes), cmp.Compare(a.direction, b.direction))
	})
	return rows
}

// mean of a figure over the runs of a row.
func (r row) mean(of func(figures) float64) float64 {
	var sum float64
	for _, f := range r.runs {
		sum += of(f)
	}
	return sum / float64(len(r.runs))
}

// spread is the largest minus the smallest, as a share of the mean: what a side differs from itself.
func (r row) spread(of func(figures) float64) float64 {
	low, high := of(r.runs[0]), of(r.runs[0])
	for _, f := range r.runs {
		low, high = min(low, of(f)), max(high, of(f))
	}
	return (high - low) / r.mean(of)
}

// markdown is the table, as it stands in docs/benchmarks.md.
func (r report) markdown() string {
	var out strings.Builder
	fmt.Fprintf(&out, "Measured %s on %d cores, Linux, %s, JDK %d for Kafka and Kafka Connect. Each side ran %s in each case, in turn;\n",
		r.When.UTC().Format(time.DateOnly), r.CPUs, r.Go, r.Java, times(len(r.rows()[0].runs)))
	fmt.Fprint(&out, "figures are means, ± is the largest minus the smallest run.\n\n")
	fmt.Fprint(&out, "| lines | direction | | records/s | CPU µs/record | with worker start | CPU s | peak memory MiB |\n")
	fmt.Fprint(&out, "|---|---|---|--:|--:|--:|--:|--:|\n")
	for _, row := range r.rows() {
		l := lines{count: row.runs[0].Records, size: row.runs[0].LineBytes}
		life, peak := "", ""
		if row.side != floorName {
			life = fmt.Sprintf("%.2f", row.mean(func(f figures) float64 { return f.CPUTotal * 1e6 / float64(f.Records) }))
			peak = fmt.Sprintf("%.0f", row.mean(func(f figures) float64 { return mib(f.PeakBytes) }))
		}
		fmt.Fprintf(&out, "| %s × %s | %s | %s | %.0fk ± %.0f %% | %.2f ± %.0f %% | %s | %.1f | %s |\n",
			count(l.count), l, row.direction, row.side,
			row.mean(figures.rate)/1000, 100*row.spread(figures.rate),
			row.mean(figures.cpuMicros), 100*row.spread(figures.cpuMicros),
			life, row.mean(func(f figures) float64 { return f.CPUSeconds }), peak)
	}

	fmt.Fprint(&out, "\n| | ready ms | idle memory MiB | processes |\n|---|--:|--:|--:|\n")
	for _, name := range []string{connectName, tailraceName} {
		all := row{side: name}
		for _, f := range r.Runs {
			if f.Side == name && f.Direction != exactly { // which is a distributed worker
				all.runs = append(all.runs, f)
			}
		}
		if len(all.runs) == 0 {
			continue
		}
		fmt.Fprintf(&out, "| %s | %.0f ± %.0f %% | %.0f | %.0f |\n", name,
			all.mean(func(f figures) float64 { return f.ReadyMs }), 100*all.spread(func(f figures) float64 { return f.ReadyMs }),
			all.mean(func(f figures) float64 { return mib(f.IdleBytes) }),
			all.mean(func(f figures) float64 { return float64(f.Processes) }))
	}
	return out.String()
}

func mib(n int64) float64 { return float64(n) / (1 << 20) }

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// count writes 2,000,000 for 2000000.
func count(n int) string {
	text := fmt.Sprint(n)
	for at := len(text) - 3; at > 0; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}

// save writes all figures as JSON.
func (r report) save(path string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return errors.Join(os.MkdirAll(filepath.Dir(path), 0o750), os.WriteFile(path, append(text, '\n'), 0o600))
}

// publish replaces what stands between the bench marks of a page.
func (r report) publish(file string) error { return page.Replace(file, "bench", r.markdown()) }

func newReport(java int, short bool) report {
	return report{When: time.Now(), Go: runtime.Version(), Java: java, CPUs: runtime.NumCPU(), Short: short}
}
