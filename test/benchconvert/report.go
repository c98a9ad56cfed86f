package main

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"
)

// figure is one round of a case on one side, in nanoseconds of CPU time per record.
type figure struct {
	name, side string
	nanos      float64
}

// report is the table, as it stands in docs/benchmarks.md.
func report(all []figure, s settings, java int) string {
	var t strings.Builder
	fmt.Fprintf(&t, "Measured %s on %d cores, Linux, go%s, JDK %d: %d rounds of %d records a case, the sides in turn. Figures are means, ± is the largest\nminus the smallest round of the same side.\n\n",
		time.Now().UTC().Format(time.DateOnly), runtime.NumCPU(), goVersion(), java, s.rounds, s.records)
	t.WriteString("| CPU per record | Kafka Connect | Tailrace | times |\n|---|--:|--:|--:|\n")
	for _, c := range cases {
		theirs, ours := of(all, c.name, connect), of(all, c.name, tailrace)
		if len(theirs) == 0 {
			continue
		}
		fmt.Fprintf(&t, "| %s | %.0f ns ± %.0f %% | %.0f ns ± %.0f %% | %.1f |\n", c.what,
			mean(theirs), spread(theirs), mean(ours), spread(ours), mean(theirs)/mean(ours))
	}
	return t.String()
}

func of(all []figure, name, side string) []float64 {
	var list []float64
	for _, f := range all {
		if f.name == name && f.side == side {
			list = append(list, f.nanos)
		}
	}
	return list
}

func mean(list []float64) float64 {
	sum := 0.0
	for _, f := range list {
		sum += f
	}
	return sum / float64(len(list))
}

// spread is what a side differs from itself, in percent.
func spread(list []float64) float64 {
	return 100 * (slices.Max(list) - slices.Min(list)) / mean(list)
}
