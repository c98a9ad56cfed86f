package task

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAWindowForgetsWhatIsOlderThanAMinute(t *testing.T) {
	began := time.Unix(1_000_000, 0)
	at := func(seconds int) time.Time { return began.Add(time.Duration(seconds) * time.Second) }
	var w Window
	require.Zero(t, w.Average(began))
	require.Zero(t, w.PerSecond(began))
	require.Zero(t, w.Min(began))
	w.note(10, at(0))
	w.note(20, at(1))
	require.InDelta(t, 15, w.Average(at(1)), 0)
	require.InDelta(t, 1, w.PerSecond(at(1)), 0, "30 values in the first half minute")
	w.note(5, at(31))
	require.InDelta(t, 20, w.Max(at(32)), 0)
	require.InDelta(t, 5, w.Min(at(32)), 0)
	require.InDelta(t, 35.0/45, w.PerSecond(at(45)), 1e-9)
	require.InDelta(t, 5, w.Max(at(61)), 0, "the first half is too old")
	require.Zero(t, w.Max(at(95)))
	w.noteTime(1500*time.Microsecond, at(200))
	require.InDelta(t, 1.5, w.Max(at(200)), 0)
	require.InDelta(t, 1.5, w.Average(at(200)), 0)
}
