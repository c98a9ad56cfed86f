package worker

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// I-3: starts that hang hold the others up for a moment only.
func TestStartsTakeTurnsThatEnd(t *testing.T) {
	p := make(pace, 2)
	began := time.Now()
	var hanging []func()
	for range cap(p) {
		done, err := p.begin(t.Context(), nil)
		require.NoError(t, err)
		hanging = append(hanging, done)
	}
	done, err := p.begin(t.Context(), nil) // waits for the end of a turn
	require.NoError(t, err)
	require.GreaterOrEqual(t, time.Since(began), turnLimit)
	done()
	for _, done := range hanging {
		done()
		done()
	}
	require.Eventually(t, func() bool { return len(p) == 0 }, 30*time.Second, 10*time.Millisecond)
}

func TestAStartThatIsNotWantedAnyMoreWaitsForNoTurn(t *testing.T) {
	p := make(pace) // nobody's turn ever comes
	stopping := make(chan struct{})
	close(stopping)
	_, err := p.begin(t.Context(), stopping)
	require.ErrorIs(t, err, errStopping)
	cut, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = p.begin(cut, nil)
	require.ErrorIs(t, err, context.Canceled)
}
