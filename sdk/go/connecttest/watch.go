package connecttest

import (
	"fmt"
	"sync"
	"time"
)

// watch is a lock whose changes can be waited for.
type watch struct {
	mu      sync.Mutex
	changed chan struct{}
}

// change runs f under the lock and wakes who waits.
func (w *watch) change(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
	if w.changed != nil {
		close(w.changed)
	}
	w.changed = make(chan struct{})
}

// wait waits until ok, which runs under the lock.
func (w *watch) wait(what string, within time.Duration, ok func() bool) error {
	deadline := time.NewTimer(within)
	defer deadline.Stop()
	for {
		w.mu.Lock()
		if ok() {
			w.mu.Unlock()
			return nil
		}
		if w.changed == nil {
			w.changed = make(chan struct{})
		}
		changed := w.changed
		w.mu.Unlock()
		select {
		case <-changed:
		case <-deadline.C:
			return fmt.Errorf("no %s within %s", what, within)
		}
	}
}
