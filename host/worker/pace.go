package worker

import "runtime"

// pace lets only a few starts use the processor at a time. A worker that is given thousands of tasks would otherwise queue
// all of their starts before the next request, heartbeat and record of the others.
type pace chan struct{}

func newPace() pace { return make(pace, max(1, runtime.GOMAXPROCS(0)/2)) }

// do runs f when there is room. f must not wait for anything outside the process (I-3).
func (p pace) do(f func()) {
	p <- struct{}{}
	defer func() { <-p }()
	f()
}
