package herder

import (
	"context"
	"sync"
)

// turns lets one at a time do something about a connector.
type turns struct {
	mu   sync.Mutex
	held map[string]*turn
}

type turn struct {
	free  chan struct{} // holds one
	users int           // guarded by turns.mu
}

// take waits for the turn, at most until ctx ends; the function that it returns ends it.
func (t *turns) take(ctx context.Context, connector string) (end func(), err error) {
	t.mu.Lock()
	if t.held == nil {
		t.held = map[string]*turn{}
	}
	one := t.held[connector]
	if one == nil {
		one = &turn{free: make(chan struct{}, 1)}
		t.held[connector] = one
	}
	one.users++
	t.mu.Unlock()
	leave := func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if one.users--; one.users == 0 {
			delete(t.held, connector)
		}
	}
	select {
	case one.free <- struct{}{}:
		return func() { <-one.free; leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, ctx.Err()
	}
}
