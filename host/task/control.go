package task

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/tailrace/tailrace/host/convert"
)

// control carries the wishes of the worker to the owner goroutine.
type control struct {
	level   atomic.Int64  // of the plugin's log
	forgets atomic.Uint64 // how often the topics were to be told anew

	mu     sync.Mutex
	stop   bool
	paused bool
	cancel context.CancelFunc // ends opening the stream
	halt   context.CancelFunc // ends stopping
	wake   chan struct{}      // capacity 1
	poke   func()             // wakes an owner that waits elsewhere; nil for none
}

func newControl(paused bool, level slog.Level) *control {
	c := &control{paused: paused, wake: make(chan struct{}, 1)}
	c.level.Store(int64(level))
	return c
}

func (c *control) signal() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
	c.mu.Lock()
	poke := c.poke
	c.mu.Unlock()
	if poke != nil {
		poke()
	}
}

// pokes sets what wakes the owner beside the channel.
func (c *control) pokes(poke func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.poke = poke
}

func (c *control) requestStop() {
	c.mu.Lock()
	c.stop = true
	for _, end := range []context.CancelFunc{c.cancel, c.halt} {
		if end != nil {
			end()
		}
	}
	c.mu.Unlock()
	c.signal()
}

func (c *control) setPaused(paused bool) {
	c.mu.Lock()
	c.paused = paused
	c.mu.Unlock()
	c.signal()
}

func (c *control) get() (stop, paused bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stop, c.paused
}

// opening derives a context that ends when the task is to stop.
func (c *control) opening(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cancel = cancel
	if c.stop {
		cancel()
	}
	return ctx, cancel
}

// bind lets converters give up waiting when ctx ends or the task is to stop.
func (c *control) bind(ctx context.Context, with Converters) context.CancelFunc {
	ctx, halt := context.WithCancel(ctx)
	c.mu.Lock()
	c.halt = halt
	if c.stop {
		halt()
	}
	c.mu.Unlock()
	for _, conv := range []any{with.Key, with.Value, with.Header} {
		convert.Bind(ctx, conv)
	}
	return halt
}
