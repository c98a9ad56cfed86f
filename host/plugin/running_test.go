package plugin

import (
	"context"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tailrace/tailrace/host/plugin/process"
)

func TestTheProcessesAreListedWithTheirRestartsAndTheLastExit(t *testing.T) {
	h := newTestHost(t, shortTimeouts)
	launch := Launch{Plugin: h.plugin(nil), Connector: "a", Task: NoTask}
	first, err := h.Acquire(context.Background(), launch)
	require.NoError(t, err)
	list := h.Processes()
	require.Len(t, list, 1)
	require.Equal(t, first.PID(), list[0].PID)
	require.Equal(t, "a", list[0].Connector)
	require.Equal(t, uint64(1), list[0].Starts)
	require.WithinDuration(t, time.Now(), list[0].Started, time.Minute)
	require.Nil(t, list[0].LastExit)

	require.NoError(t, syscall.Kill(first.PID(), syscall.SIGKILL))
	<-first.Done()
	require.Eventually(t, func() bool { return h.Processes()[0].PID == 0 }, 10*time.Second, 5*time.Millisecond, "the dead one is remembered")
	require.Equal(t, process.CauseSignal, h.Processes()[0].LastExit.Cause)

	second, err := h.Acquire(context.Background(), launch)
	require.NoError(t, err)
	list = h.Processes()
	require.Equal(t, second.PID(), list[0].PID)
	require.Equal(t, uint64(2), list[0].Starts)
	require.NotNil(t, list[0].LastExit)

	first.Release()
	second.Release()
	require.Eventually(t, func() bool { return len(h.Processes()) == 0 }, 10*time.Second, 5*time.Millisecond, "an end that was asked for is forgotten")
}
