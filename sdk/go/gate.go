package connect

import (
	"context"
	"sync"
	"time"
)

// gate tells the goroutine that polls whether it may: paused, draining, or go. The
// reader of the stream turns it.
type gate struct {
	mu      sync.Mutex
	paused  bool
	ended   bool
	changed chan struct{} // closed and replaced on every change
	cancel  context.CancelFunc
}

func newGate(paused bool) *gate {
	return &gate{paused: paused, changed: make(chan struct{}), cancel: func() {}}
}

// pause and end cancel the context that open gave; resume lets open go on.
func (g *gate) pause()  { g.turn(func() { g.paused = true }) }
func (g *gate) resume() { g.turn(func() { g.paused = false }) }
func (g *gate) end()    { g.turn(func() { g.ended = true }) }

func (g *gate) turn(set func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	set()
	if g.paused || g.ended {
		g.cancel()
	}
	close(g.changed)
	g.changed = make(chan struct{})
}

// open waits while paused and gives a context that ends with the next pause, the end or
// ctx. It is false when there is nothing more to do.
func (g *gate) open(ctx context.Context) (context.Context, bool) {
	for {
		g.mu.Lock()
		if g.ended || ctx.Err() != nil {
			g.mu.Unlock()
			return nil, false
		}
		if !g.paused {
			g.cancel() // the one before
			out, cancel := context.WithCancel(ctx)
			g.cancel = cancel
			g.mu.Unlock()
			return out, true
		}
		changed := g.changed
		g.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}

// starting gives a context that ends with the end or ctx, not with a pause.
func (g *gate) starting(ctx context.Context) (context.Context, context.CancelFunc) {
	out, cancel := context.WithCancel(ctx)
	g.mu.Lock()
	changed, ended := g.changed, g.ended
	g.mu.Unlock()
	if ended {
		cancel()
		return out, cancel
	}
	go func() {
		for {
			select {
			case <-changed:
			case <-out.Done():
				return
			}
			g.mu.Lock()
			changed, ended = g.changed, g.ended
			g.mu.Unlock()
			if ended {
				cancel()
				return
			}
		}
	}()
	return out, cancel
}

// waitEnd waits for the end or ctx.
func (g *gate) waitEnd(ctx context.Context) {
	for {
		g.mu.Lock()
		changed, ended := g.changed, g.ended
		g.mu.Unlock()
		if ended {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// sleep waits for d or until ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
