package cluster

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestRoundsAreCountedWhenTheirPartHasStarted(t *testing.T) {
	var r Rounds
	at := time.Unix(100, 0)
	r.complete(at)
	require.Zero(t, r.Completed, "none had begun")
	r.begin(at)
	r.begin(at.Add(time.Second)) // asked again: the same round to who waits for it
	r.complete(at.Add(3 * time.Second))
	r.begin(at.Add(10 * time.Second))
	r.complete(at.Add(11 * time.Second))
	require.Equal(t, Rounds{Completed: 2, Last: at.Add(11 * time.Second), Longest: 3 * time.Second, Total: 4 * time.Second}, r)
}
