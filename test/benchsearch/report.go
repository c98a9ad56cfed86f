package main

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"
)

// report is the table, as it stands in docs/benchmarks.md.
func report(all []run, s settings) string {
	of := map[string][]run{}
	for _, r := range all {
		of[r.side.name] = append(of[r.side.name], r)
	}
	var t strings.Builder
	far := "into OpenSearch"
	if s.standIn {
		far = "into a stand-in that answers as OpenSearch and keeps nothing (`-no-server`)"
	}
	fmt.Fprintf(&t, "Measured %s on %d cores, Linux, %s: %d documents of about 110 bytes a run, %s,\n%d runs of each side in turn. Figures are means, ± is the largest minus the smallest run.\n\n",
		time.Now().UTC().Format(time.DateOnly), runtime.NumCPU(), runtime.Version(), s.documents, far, s.rounds)
	t.WriteString("| | CPU µs/document | of which worker | documents per CPU second | documents/s | rate per CPU second, of the bare loop's |\n|---|--:|--:|--:|--:|---|\n")
	for _, x := range sides {
		runs := of[x.name]
		if len(runs) == 0 {
			continue
		}
		worker := ""
		if x.bare == nil {
			worker = fmt.Sprintf("%.2f", mean(runs, run.workerMicros))
		}
		var shares []string
		for _, other := range x.beside {
			if len(of[other]) > 0 {
				shares = append(shares, fmt.Sprintf("%.2f (%s)", mean(of[other], run.micros)/mean(runs, run.micros), strings.TrimPrefix(other, "bare loop, ")))
			}
		}
		fmt.Fprintf(&t, "| %s | %.2f ± %.0f %% | %s | %.0fk | %.0fk | %s |\n", x.name, mean(runs, run.micros), 100*spread(runs, run.micros),
			worker, 1000/mean(runs, run.micros), mean(runs, run.rate)/1000, strings.Join(shares, ", "))
	}
	if started := slices.DeleteFunc(slices.Clone(all), func(r run) bool { return r.side.bare != nil }); len(started) > 0 {
		fmt.Fprintf(&t, "\nBefore its first documents, which do not count, a connector took %.2f s of CPU: to start the plugin, to join the group, to make the index known.\n",
			mean(started, func(r run) float64 { return r.start.Seconds() }))
	}
	return t.String()
}

func mean(runs []run, of func(run) float64) float64 {
	sum := 0.0
	for _, r := range runs {
		sum += of(r)
	}
	return sum / float64(len(runs))
}

// spread is the largest minus the smallest, as a share of the mean: what a side differs from itself.
func spread(runs []run, of func(run) float64) float64 {
	values := make([]float64, 0, len(runs))
	for _, r := range runs {
		values = append(values, of(r))
	}
	return (slices.Max(values) - slices.Min(values)) / mean(runs, of)
}
