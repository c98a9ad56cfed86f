package plugin

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestBackoffStartsAtOnceThenGrowsToTheCapAndForgetsAfterAStableRun(t *testing.T) {
	b := Backoff{First: 100 * time.Millisecond, Max: time.Second, Factor: 2, StableAfter: 5 * time.Second}
	var history Restarts
	var delay time.Duration
	want := []time.Duration{0, 100e6, 200e6, 400e6, 800e6, 1e9, 1e9}
	for i, expected := range want {
		delay, history = b.Next(history, time.Second, 0.5)
		require.Equal(t, expected, delay, "restart %d", i+1)
	}
	delay, history = b.Next(history, 5*time.Second, 0.5)
	require.Zero(t, delay)
	delay, _ = b.Next(history, 0, 0.5)
	require.Equal(t, 100*time.Millisecond, delay)
}

func TestBackoffStaysWithinItsBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := DefaultBackoff
		var history Restarts
		for range rapid.IntRange(1, 200).Draw(t, "deaths") {
			ran := time.Duration(rapid.Int64Range(0, int64(10*time.Second)).Draw(t, "ran"))
			before := history
			var delay time.Duration
			delay, history = b.Next(history, ran, rapid.Float64Range(0, 0.999).Draw(t, "random"))
			if delay < 0 || delay > b.Max {
				t.Fatalf("delay %s", delay)
			}
			if (before.InRow == 0 || ran >= b.StableAfter) && delay != 0 {
				t.Fatalf("first restart waits %s", delay)
			}
		}
	})
}
