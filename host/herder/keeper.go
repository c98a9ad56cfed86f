package herder

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/tailrace/tailrace/host/store"
	"github.com/tailrace/tailrace/host/task"
)

// keeper alone starts and stops what runs of one connector. It sleeps until a
// letter comes; letters that come while it works become one.
type keeper struct {
	crew *crew
	name string

	wake chan struct{} // holds one

	mu     sync.Mutex
	letter letter
	// seen is what waiting requests look at; moved is closed when it changes.
	seen  seen
	moved chan struct{}

	now running // belongs to the goroutine
}

// letter is what a keeper is told, besides that the desired state may have changed.
type letter struct {
	anew wish
	// division is set when the connector has divided its work.
	division *[]map[string]string
	// reported: the connector has told a state.
	reported bool
	// written is a version in which the connector's configuration was written: one that was started before it starts anew.
	written int64
	// stopBy is when what has to stop is cut off; zero: as usual.
	stopBy time.Time
}

func (l *letter) add(more letter) {
	l.anew.connector = l.anew.connector || more.anew.connector
	if l.anew.tasks == nil {
		l.anew.tasks = map[int]bool{}
	}
	maps.Copy(l.anew.tasks, more.anew.tasks)
	if more.division != nil {
		l.division = more.division
	}
	l.reported = l.reported || more.reported
	l.written = max(l.written, more.written)
	if l.stopBy.IsZero() || !more.stopBy.IsZero() && more.stopBy.Before(l.stopBy) {
		l.stopBy = more.stopBy
	}
}

// seen is how far a keeper has come.
type seen struct {
	moment // of the desired state that runs
	// reported: the connector has told a state since it was started last.
	reported bool
	// doing is what the keeper is busy with, empty when it is idle.
	doing string
	since time.Time
	gone  bool
}

// Limits of what a plugin can make a keeper wait, beyond the tasks' own deadline.
const (
	stopConnectorTimeout = 10 * time.Second
	stopTasksGrace       = 10 * time.Second
)

func (k *keeper) put(l letter) {
	k.mu.Lock()
	k.letter.add(l)
	k.mu.Unlock()
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

func (k *keeper) take() letter {
	k.mu.Lock()
	defer k.mu.Unlock()
	l := k.letter
	k.letter = letter{}
	return l
}

func (k *keeper) run() {
	for {
		select {
		case <-k.wake:
			if k.turn() && k.leave() {
				return
			}
		case <-k.crew.ctx.Done():
			return
		}
	}
}

// leave ends the keeper unless somebody has written to it meanwhile.
func (k *keeper) leave() bool {
	k.crew.mu.Lock()
	defer k.crew.mu.Unlock()
	if len(k.wake) > 0 {
		return false
	}
	delete(k.crew.keepers, k.name)
	k.publish(func(s *seen) { s.gone = true })
	return true
}

// turn makes what runs equal to what should run. It reports whether nothing is left.
func (k *keeper) turn() (idle bool) {
	l := k.take()
	if l.division != nil && k.now.connector != nil {
		k.crew.divided(k.name, k.now.connector, *l.division)
	}
	d, at := k.crew.look(k.name)
	l.anew.connector = l.anew.connector || k.now.version < l.written
	todo := plan(d, k.now, l.anew)
	ran := k.now.connector
	k.carryOut(d, todo, l.stopBy)
	if todo.startConnector {
		k.now.version = at.version
	}
	if !d.exists && ran != nil {
		k.crew.deleted(k.name, ran)
	}
	k.publish(func(s *seen) {
		s.moment, s.doing = at, ""
		s.reported = s.reported || l.reported && !todo.startConnector
	})
	return k.now.connector == nil && len(k.now.tasks) == 0
}

func (k *keeper) carryOut(d desired, s steps, stopBy time.Time) {
	if len(s.stopTasks) > 0 {
		k.doing("stopping tasks")
		k.stopTasks(d, s, stopBy)
	}
	if s.stopConnector {
		k.doing("stopping the connector")
		ctx, cancel := k.stopping(stopConnectorTimeout, stopBy)
		if err := k.crew.worker.StopConnector(ctx, k.name); err != nil {
			k.crew.logger.Warn("a connector did not stop cleanly", "connector", k.name, "error", err)
		}
		cancel()
		k.now.connector = nil
		if !s.startConnector && d.exists {
			k.unassigned()
		}
	}
	if s.startConnector {
		// What the life before has told does not count any more.
		k.mu.Lock()
		k.letter.division, k.letter.reported = nil, false
		k.mu.Unlock()
		k.publish(func(s *seen) { s.reported = false })
		k.started("connector "+k.name, k.crew.worker.StartConnector(k.name, d.connector, d.target))
		k.now.connector = d.connector
	}
	if s.setTarget {
		k.crew.worker.SetTargetState(k.name, d.target)
	}
	k.now.target = d.target
	for _, n := range s.startTasks {
		t := d.tasks[n]
		id := task.ID{Connector: k.name, Task: n}
		k.started("task "+id.String(), k.crew.worker.StartTask(id, t.connector, t.task, d.target))
		k.now.tasks[n] = t
	}
}

func (k *keeper) stopTasks(d desired, s steps, stopBy time.Time) {
	ids := make([]task.ID, 0, len(s.stopTasks))
	for _, n := range s.stopTasks {
		ids = append(ids, task.ID{Connector: k.name, Task: n})
		delete(k.now.tasks, n)
	}
	ctx, cancel := k.stopping(k.crew.settings.TaskShutdownTimeout+stopTasksGrace, stopBy)
	defer cancel()
	if err := k.crew.worker.StopTasks(ctx, ids...); err != nil {
		k.crew.logger.Warn("tasks did not stop cleanly", "connector", k.name, "error", err)
	}
	for _, n := range s.removeTasks {
		if n < d.taskCount {
			continue // it goes on elsewhere
		}
		id := store.TaskID{Connector: k.name, Task: n}
		if err := k.crew.statuses.PutTask(context.Background(), id, store.Status{State: store.StateDestroyed}); err != nil {
			k.crew.logger.Warn("the status of a removed task could not be removed", "connector", k.name, "task", n, "error", err)
		}
	}
}

// stopping bounds a stop by a time of its own and by the moment that stopBy gives.
func (k *keeper) stopping(limit time.Duration, stopBy time.Time) (context.Context, context.CancelFunc) {
	deadline := time.Now().Add(limit)
	if !stopBy.IsZero() && stopBy.Before(deadline) {
		deadline = stopBy
	}
	return context.WithDeadline(k.crew.force, deadline)
}

// unassigned shows that the connector does not run here any more.
func (k *keeper) unassigned() {
	if err := k.crew.putConnectorStatus(k.name, k.crew.status(k.name, store.StateUnassigned, nil)); err != nil {
		k.crew.logger.Warn("a status could not be stored", "connector", k.name, "state", store.StateUnassigned, "error", err)
	}
}

// started logs a start that was refused: only a worker that is closing refuses.
func (k *keeper) started(what string, err error) {
	if err != nil {
		k.crew.logger.Warn("not started", "what", what, "error", err)
	}
}

func (k *keeper) doing(what string) {
	k.publish(func(s *seen) { s.doing, s.since = what, time.Now() })
}

func (k *keeper) publish(change func(*seen)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	change(&k.seen)
	close(k.moved)
	k.moved = make(chan struct{})
}

// errNotYet says that a keeper has not come as far as a request waits for.
var errNotYet = errors.New("not done yet")

// await waits until what is seen of the keeper satisfies a request, or ctx ends.
func (k *keeper) await(ctx context.Context, enough func(seen) bool) error {
	for {
		k.mu.Lock()
		now, moved := k.seen, k.moved
		k.mu.Unlock()
		if now.gone || enough(now) {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			if now.doing != "" {
				return failedLate(k.name, now)
			}
			return errNotYet
		}
	}
}

// failedLate is the answer to a request that outlasts its limit: it says what the worker is doing.
func failedLate(name string, s seen) *Error {
	e := failed(Unavailable, "Request timed out. The worker is currently %s of connector %s, which began at %s",
		s.doing, name, s.since.UTC().Format(time.RFC3339))
	e.RetryAfter = 5 * time.Second
	return e
}
