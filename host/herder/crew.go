package herder

import (
	"context"
	"sync"
)

// crew are the keepers of the connectors of which something runs, or should run, on this worker.
type crew struct {
	*core
	// look says what should run here of a connector, and when that was so. Pure reading, at most a lock.
	look func(name string) (desired, moment)
	// divided carries on the tasks that a connector has made from its configuration. It must not wait.
	divided func(name string, from map[string]string, division []map[string]string)
	// deleted comes on the worker that ran a connector when it was deleted and nothing of it runs here any more, with its
	// last configuration. It must not wait.
	deleted func(name string, props map[string]string)

	// ctx ends when close begins, force when its time is up.
	ctx, force         context.Context
	cancel, cancelHard context.CancelFunc
	keeping            sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	keepers map[string]*keeper
}

// moment says of when a desired state is. Both numbers only grow.
type moment struct {
	version int64  // of the configurations
	change  uint64 // of what this worker is to run; 0 in a standalone worker
}

func newCrew(
	c *core, look func(string) (desired, moment), divided func(string, map[string]string, []map[string]string), deleted func(string, map[string]string),
) *crew {
	ctx, cancel := context.WithCancel(context.Background())
	force, cancelHard := context.WithCancel(context.Background())
	return &crew{
		core: c, look: look, divided: divided, deleted: deleted, ctx: ctx, cancel: cancel, force: force, cancelHard: cancelHard, keepers: map[string]*keeper{},
	}
}

// send gives a connector's keeper a letter, and makes the keeper if there is none.
func (c *crew) send(name string, l letter) *keeper {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.keepers[name]
	if k == nil {
		k = &keeper{crew: c, name: name, wake: make(chan struct{}, 1), moved: make(chan struct{}), now: running{tasks: map[int]runningTask{}}}
		if c.closed {
			k.seen.gone = true
			return k
		}
		c.keepers[name] = k
		c.keeping.Go(k.run)
	}
	k.put(l)
	return k
}

// tell is send for events from below: without a keeper there is nobody to tell.
func (c *crew) tell(name string, l letter) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if k := c.keepers[name]; k != nil {
		k.put(l)
	}
}

// close ends the keepers, not what they keep, at most until ctx ends.
func (c *crew) close(ctx context.Context) {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.cancel()
	defer c.cancelHard()
	defer context.AfterFunc(ctx, c.cancelHard)()
	c.keeping.Wait() // bounded: what a keeper waits for ends with force
}
