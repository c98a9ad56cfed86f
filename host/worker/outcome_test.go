package worker

import (
	"errors"
	"fmt"
	"testing"

	"github.com/tailrace/tailrace/host/plugin"
	"github.com/tailrace/tailrace/host/task"
)

func TestWhatFollowsTheEndOfARun(t *testing.T) {
	death := fmt.Errorf("task a-0: %w", &plugin.DeathError{Plugin: "p"})
	remote := fmt.Errorf("task a-0: %w", &plugin.RemoteError{Message: "no such table"})
	broken := &plugin.ProtocolError{Reason: "a frame too large"}
	for name, c := range map[string]struct {
		err               error
		stopping, renewed bool
		want              next
	}{
		"stopped on request":                                     {nil, true, false, finish},
		"stopped on request, badly":                              {errors.New("drain timed out"), true, false, finish},
		"the process died while it was being stopped":            {death, true, false, finish},
		"drained because the plugin was replaced":                {nil, false, true, again},
		"the old version could not drain":                        {remote, false, true, again},
		"the target state changed":                               {nil, false, false, again},
		"the process died":                                       {death, false, false, restart}, // I-10
		"a transaction was lost":                                 {fmt.Errorf("task a-0: %w", &task.RestartError{Cause: errors.New("fenced")}), false, false, restart},
		"the task failed":                                        {remote, false, false, fail},
		"the plugin broke the protocol: again would do the same": {broken, false, false, fail},
	} {
		if got := outcome(c.err, c.stopping, c.renewed); got != c.want {
			t.Errorf("%s: got %d, want %d", name, got, c.want)
		}
	}
}
