package scale

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/tailrace/tailrace/test/page"
)

// report is what docs/benchmarks.md gets of a long run.
type report struct{ rows []string }

// line adds a figure; aim is what was wanted, or empty.
func (r *report) line(t *testing.T, what, figure, aim string) {
	t.Helper()
	tell(t, "%s: %s", what, figure)
	r.rows = append(r.rows, fmt.Sprintf("| %s | %s | %s |\n", what, figure, aim))
}

// answers adds what a watch has seen.
func (r *report) answers(t *testing.T, when string, l latency) {
	t.Helper()
	r.line(t, "`GET /connectors` "+when, fmt.Sprintf("%s at most, %s for 99 of 100, %s in the middle; %d questions, %d without a good answer",
		millis(l.most), millis(l.worst9), millis(l.median), l.asked, l.failed), "100 ms at most")
}

func millis(d time.Duration) string { return fmt.Sprintf("%.0f ms", float64(d.Microseconds())/1000) }

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }

func mib(bytes int64) string { return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20)) }

// publish replaces what stands between the marks of this name on a page; without a page it does nothing.
func (r *report) publish(file, name, head string) error {
	if file == "" {
		return nil
	}
	text := fmt.Sprintf("Measured %s on %d cores, Linux, %s; load of the machine before: %s. %s\n\n| | figure | aim |\n|---|---|---|\n%s",
		time.Now().UTC().Format(time.DateOnly), runtime.NumCPU(), runtime.Version(), loadBefore, head, strings.Join(r.rows, ""))
	return page.Replace(file, name, text)
}

// loadBefore is the load average of the last minute, taken at the start: other programs on the machine slow everything down.
var loadBefore = func() string {
	raw, _ := os.ReadFile("/proc/loadavg")
	one, _, _ := strings.Cut(string(raw), " ")
	return one
}()
