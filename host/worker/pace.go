package worker

import (
	"context"
	"runtime"
	"sync"
	"time"
)

const (
	// startsPerProcessor bounds the connectors and tasks that start at the same time. Most of a start is waiting, for its
	// plugin and for the offsets in Kafka: a quarter of a second on a busy machine, a few milliseconds on an idle one. With
	// fewer places a worker on a busy machine starts its tasks too slowly (measured: 4 gave 30 tasks a second).
	startsPerProcessor = 16
	// turnLimit is when the next start may begin although one before has not come to its end, so that a plugin that hangs
	// in its start holds up others for no longer (I-3).
	turnLimit = 250 * time.Millisecond
)

// pace lets only a few starts be under way at a time. A worker that is given thousands of tasks would otherwise queue the
// work of all of them before the next request, heartbeat and record of the others; and one that is told to stop tasks
// which still wait for their turn has nothing to undo.
type pace chan struct{}

func newPace() pace { return make(pace, startsPerProcessor*runtime.GOMAXPROCS(0)) }

// begin waits for a turn, in the order of the calls; an error when stopping closes or ctx ends before. done ends the
// turn; it may be called more than once.
func (p pace) begin(ctx context.Context, stopping <-chan struct{}) (done func(), err error) {
	select {
	case p <- struct{}{}:
	case <-stopping:
		return nil, errStopping
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	give := sync.OnceFunc(func() { <-p })
	limit := time.AfterFunc(turnLimit, give)
	return func() {
		limit.Stop()
		give()
	}, nil
}
