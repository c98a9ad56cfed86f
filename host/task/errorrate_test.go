package task

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestWithoutARateAnyNumberOfBadRecordsIsTolerated(t *testing.T) {
	e := newErrorRate(ErrorPolicy{TolerateAll: true})
	for i := range uint64(1000) {
		require.False(t, e.failed(i+1))
	}
}

func TestARateOfZeroToleratesNone(t *testing.T) {
	e := newErrorRate(ErrorPolicy{TolerateAll: true, RateRecords: 10})
	require.True(t, e.failed(1))
}

// The rate is exceeded exactly when more than the allowed number is bad among the newest records.
func TestTheErrorRateLooksAtTheNewestRecords(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		window := rapid.IntRange(1, 50).Draw(t, "window")
		rate := rapid.Float64Range(0, 1).Draw(t, "rate")
		bad := rapid.SliceOfN(rapid.Bool(), 1, 200).Draw(t, "bad")
		e := newErrorRate(ErrorPolicy{TolerateAll: true, MaxRate: rate, RateRecords: window})
		for i, failed := range bad {
			if !failed {
				continue
			}
			newest := bad[max(0, i+1-window) : i+1]
			n := 0
			for _, b := range newest {
				if b {
					n++
				}
			}
			if got := e.failed(uint64(i + 1)); got != (n > int(rate*float64(window))) {
				t.Fatalf("record %d: exceeded is %v with %d bad of the last %d at rate %v", i, got, n, window, rate)
			}
			if !slices.IsSorted(e.bad) || len(e.bad) > window {
				t.Fatalf("the account is %v", e.bad)
			}
		}
	})
}
