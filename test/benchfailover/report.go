package main

import (
	"fmt"
	"runtime"
	"strings"
	"time"
)

// markdown is the table, as it stands in docs/benchmarks.md.
func markdown(all []result) string {
	var t strings.Builder
	fmt.Fprintf(&t, "Measured %s on %d cores, Linux, %s, with %d sources and %d sinks of a task each; seconds, every run.\n\n",
		time.Now().UTC().Format(time.DateOnly), runtime.NumCPU(), runtime.Version(), pipelines, pipelines)
	t.WriteString("| | workers | | all runs elsewhere after | records stood still for at most |\n|---|--:|---|---|---|\n")
	for _, how := range strikes {
		for _, name := range []string{tailraceSide.name, connectSide.name + leaderGoes, connectSide.name + otherGoes} {
			var elsewhere, still []string
			workers := 0
			for _, r := range all {
				if r.side == name && r.strike == how {
					workers = r.workers
					elsewhere, still = append(elsewhere, seconds(r.elsewhere)), append(still, seconds(r.still))
				}
			}
			if len(elsewhere) > 0 {
				fmt.Fprintf(&t, "| %s | %d | %s | %s | %s |\n", how.what, workers, name, strings.Join(elsewhere, ", "), strings.Join(still, ", "))
			}
		}
	}
	return t.String()
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f", d.Seconds()) }
