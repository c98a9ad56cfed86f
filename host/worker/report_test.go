package worker

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tailrace/tailrace/host/plugin"
	"github.com/tailrace/tailrace/host/store"
)

func TestTheClockOfStatesKnowsHowAStartEndedAndWhereTheTimeWent(t *testing.T) {
	began := time.Unix(100, 0)
	at := func(seconds int) time.Time { return began.Add(time.Duration(seconds) * time.Second) }
	var c stateClock
	require.Zero(t, c.ratio(store.StateRunning, began))
	require.Equal(t, startGoesOn, c.enter(store.StateRestarting, at(0)))
	require.Equal(t, startSucceeded, c.enter(store.StateRunning, at(1)))
	require.Equal(t, startGoesOn, c.enter(store.StateRunning, at(2)), "a reason that is shown is no new state")
	require.Equal(t, at(1), c.since)
	require.Equal(t, startGoesOn, c.enter(store.StatePaused, at(5)))
	require.Equal(t, startGoesOn, c.enter(store.StateFailed, at(9)), "the start was over")
	require.InDelta(t, 0.4, c.ratio(store.StateRunning, at(10)), 1e-9)
	require.InDelta(t, 0.4, c.ratio(store.StatePaused, at(10)), 1e-9)
	c = stateClock{}
	require.Equal(t, startFailed, c.enter(store.StateFailed, at(0)))
}

// I-3, I-9.
func TestMeasuresOfAPluginAreBoundedAndMasked(t *testing.T) {
	var s metricSet
	mask := func(text string) string { return "(" + text + ")" }
	for i := range maxPluginMetrics + 10 {
		s.take([]plugin.Metric{{Name: fmt.Sprint("m", i), Value: 1}}, mask)
	}
	s.take([]plugin.Metric{{Name: "m3", Value: 2, Labels: map[string]string{"a": "b"}}, {Name: "m3", Value: 3}}, mask)
	list := s.list()
	require.Len(t, list, maxPluginMetrics)
	require.InDelta(t, 3, list[3].Value, 0)
	s = metricSet{}
	s.take([]plugin.Metric{{Name: "m", Labels: map[string]string{"a": "b"}}}, mask)
	require.Equal(t, "(b)", s.list()[0].Labels["a"])
}
