package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestCheckFileFindsEveryKindOfDifference(t *testing.T) {
	l := lines{count: 100, size: 100}
	path := filepath.Join(t.TempDir(), "lines")
	require.NoError(t, l.write(path))
	require.NoError(t, l.checkFile(path))
	good, err := os.ReadFile(path)
	require.NoError(t, err)
	const line = 101

	for name, bad := range map[string][]byte{
		"lost at the end":    good[:99*line],
		"lost in the middle": append(append([]byte(nil), good[:line]...), good[2*line:]...),
		"twice":              append(append([]byte(nil), good[:line]...), good...),
		"one too many":       append(append([]byte(nil), good...), good[:line]...),
		"cut":                good[:len(good)-1],
		"changed":            append([]byte("x"), good[1:]...),
		"empty":              nil,
	} {
		require.NoError(t, os.WriteFile(path, bad, 0o600))
		require.Error(t, l.checkFile(path), name)
	}
}

func TestReportShowsMeansAndSpread(t *testing.T) {
	run := func(side string, seconds, cpu float64) figures {
		return figures{
			Side: side, Direction: toTopic, LineBytes: 100, Records: 1_000_000, Seconds: seconds, CPUSeconds: cpu,
			CPUTotal: cpu + 1, ReadyMs: 200, IdleBytes: 30 << 20, PeakBytes: 100 << 20, Processes: 2,
		}
	}
	r := report{When: time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC), Go: "go1.26", Java: 25, CPUs: 2, Runs: []figures{
		run(connectName, 10, 20), run(tailraceName, 2, 3), run(connectName, 10, 20), run(tailraceName, 2, 5),
	}}

	page := filepath.Join(t.TempDir(), "page.md")
	require.NoError(t, os.WriteFile(page, []byte("before\n<!-- bench -->\nold\n<!-- /bench -->\nafter\n"), 0o600))
	require.NoError(t, r.publish(page))
	require.NoError(t, r.publish(page), "a page can be written again")
	text, err := os.ReadFile(page)
	require.NoError(t, err)

	require.Contains(t, string(text), "| 1,000,000 × 100 B | file → topic | Kafka Connect 4.1 | 100k ± 0 % | 20.00 ± 0 % | 21.00 | 20.0 | 100 |\n")
	require.Contains(t, string(text), "| 1,000,000 × 100 B | file → topic | Tailrace | 500k ± 0 % | 4.00 ± 50 % | 5.00 | 4.0 | 100 |\n")
	require.Contains(t, string(text), "| Tailrace | 200 ± 0 % | 30 | 2 |\n")
	require.Regexp(t, `^before\n<!-- bench -->\nMeasured(.|\n)*<!-- /bench -->\nafter\n$`, string(text))
	require.NotContains(t, string(text), "old")
}
