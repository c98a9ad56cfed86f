package plugin

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// I-3: processes that hang before their handshake hold the others up for a moment only.
func TestLaunchesTakeTurnsThatEnd(t *testing.T) {
	h := &Host{launches: make(chan struct{}, launchesAtOnce)}
	began := time.Now()
	var hanging []func()
	for range launchesAtOnce {
		hanging = append(hanging, h.paceLaunch())
	}
	h.paceLaunch()() // waits for the end of a turn
	require.GreaterOrEqual(t, time.Since(began), launchPace)
	for _, done := range hanging {
		done()
		done()
	}
	require.Eventually(t, func() bool { return len(h.launches) == 0 }, 30*time.Second, 10*time.Millisecond)
}
