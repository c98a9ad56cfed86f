package recent

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The model: all items ever added; the ring is a tail of it that keeps the bounds.
func TestARingIsTheTailOfWhatWasAdded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		maxItems, maxBytes := rapid.IntRange(1, 6).Draw(t, "items"), rapid.IntRange(1, 20).Draw(t, "bytes")
		r := New[int](maxItems, maxBytes)
		sizes := []int{}
		for i := range rapid.IntRange(0, 20).Draw(t, "n") {
			size := rapid.IntRange(0, 9).Draw(t, "size")
			sizes = append(sizes, size)
			r.Add(i, size)
		}
		kept, bytes := 0, 0
		for i := len(sizes) - 1; i >= 0 && kept < maxItems && (bytes+sizes[i] <= maxBytes || kept == 0); i-- {
			kept++
			bytes += sizes[i]
		}
		all := r.Last(100)
		require.Len(t, all, kept)
		require.Equal(t, uint64(len(sizes)), r.Newest())
		for i, item := range all {
			require.Equal(t, len(sizes)-kept+i, item.Value)
			require.Equal(t, uint64(item.Value)+1, item.Seq)
		}
		after, limit := uint64(rapid.IntRange(0, 25).Draw(t, "after")), rapid.IntRange(0, 5).Draw(t, "limit")
		want := []int{}
		for _, item := range all {
			if item.Seq > after && len(want) < limit {
				want = append(want, item.Value)
			}
		}
		got := []int{}
		for _, item := range r.After(after, limit) {
			got = append(got, item.Value)
		}
		require.Equal(t, want, got)
	})
}

func TestAReaderWaitsForTheNextItem(t *testing.T) {
	r := New[string](4, 100)
	r.Add("a", 1)
	got := make(chan []Item[string], 1)
	go func() {
		items, _ := r.Next(t.Context(), 1, 10)
		got <- items
	}()
	require.Eventually(t, func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.grown != nil
	}, 10*time.Second, time.Millisecond, "it waits")
	r.Add("b", 1)
	require.Equal(t, "b", (<-got)[0].Value)

	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	_, err := r.Next(ctx, 2, 10)
	require.ErrorIs(t, err, context.DeadlineExceeded)
}
