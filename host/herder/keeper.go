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
	s    *Standalone
	name string

	wake chan struct{} // holds one

	mu     sync.Mutex
	letter letter
	// seen is what waiting requests look at; moved is closed when it changes.
	seen  seen
	moved chan struct{}

	// now and divided belong to the goroutine.
	now     running
	divided map[string]string
}

// letter is what a keeper is told, besides that the desired state may have changed.
type letter struct {
	anew wish
	// division is set when the connector has divided its work.
	division *[]map[string]string
	// reported: the connector has told a state.
	reported bool
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
}

// seen is how far a keeper has come.
type seen struct {
	// version of the desired state that runs.
	version int64
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

// send gives a connector's keeper a letter, and makes the keeper if there is none.
func (s *Standalone) send(name string, l letter) *keeper {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.keepers[name]
	if k == nil {
		k = &keeper{s: s, name: name, wake: make(chan struct{}, 1), moved: make(chan struct{}), now: running{tasks: map[int]runningTask{}}}
		s.keepers[name] = k
		s.keeping.Go(k.run)
	}
	k.put(l)
	return k
}

// tell is send for events from below: without a keeper there is nobody to tell.
func (s *Standalone) tell(name string, l letter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if k := s.keepers[name]; k != nil {
		k.put(l)
	}
}

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
		case <-k.s.ctx.Done():
			return
		}
	}
}

// leave ends the keeper unless somebody has written to it meanwhile.
func (k *keeper) leave() bool {
	k.s.mu.Lock()
	defer k.s.mu.Unlock()
	if len(k.wake) > 0 {
		return false
	}
	delete(k.s.keepers, k.name)
	k.publish(func(s *seen) { s.gone = true })
	return true
}

// turn makes what runs equal to what should run. It reports whether nothing is left.
func (k *keeper) turn() (gone bool) {
	l := k.take()
	snapshot := k.s.configs.Snapshot()
	if l.division != nil {
		snapshot = k.divide(snapshot, *l.division)
	}
	d := want(snapshot, k.name, k.divided)
	todo := plan(d, k.now, l.anew)
	k.carryOut(d, todo)
	if !d.exists {
		if err := k.s.statuses.Forget(context.Background(), k.name); err != nil {
			k.s.logger.Warn("the status of a deleted connector could not be removed", "connector", k.name, "error", err)
		}
	}
	k.publish(func(s *seen) {
		s.version, s.doing = snapshot.Version, ""
		s.reported = s.reported || l.reported && !todo.startConnector
	})
	return !d.exists
}

// divide stores the tasks that a connector has made, unless they are as before.
func (k *keeper) divide(snapshot store.ConfigSnapshot, division []map[string]string) store.ConfigSnapshot {
	c, ok := snapshot.Connectors[k.name]
	if !ok || c.TargetState != store.TargetStarted || !maps.Equal(k.now.connector, c.Config) {
		return snapshot // made from a configuration that is not in force any more
	}
	kind, _ := k.s.resolve(c.Config)
	tasks := taskConfigs(division, c.Config, kind.Connector)
	if sameTasks(tasks, c.Tasks) && maps.Equal(k.divided, c.Config) {
		return snapshot
	}
	if err := k.s.configs.PutTasks(context.Background(), k.name, tasks); err != nil {
		k.s.logger.Error("the tasks of a connector could not be stored; restart the connector to try again", "connector", k.name, "error", err)
		return snapshot
	}
	k.divided = c.Config
	return k.s.configs.Snapshot()
}

func (k *keeper) carryOut(d desired, s steps) {
	if len(s.stopTasks) > 0 {
		k.doing("stopping tasks")
		k.stopTasks(s)
	}
	if s.stopConnector {
		k.doing("stopping the connector")
		ctx, cancel := context.WithTimeout(k.s.force, stopConnectorTimeout)
		if err := k.s.worker.StopConnector(ctx, k.name); err != nil {
			k.s.logger.Warn("a connector did not stop cleanly", "connector", k.name, "error", err)
		}
		cancel()
		k.now.connector = nil
		if !d.exists {
			k.divided = nil
		}
	}
	if s.startConnector {
		// What the life before has told does not count any more.
		k.mu.Lock()
		k.letter.division, k.letter.reported = nil, false
		k.mu.Unlock()
		k.publish(func(s *seen) { s.reported = false })
		k.started("connector "+k.name, k.s.worker.StartConnector(k.name, d.connector, d.target))
		k.now.connector, k.now.target = d.connector, d.target
	}
	if s.setTarget {
		k.s.worker.SetTargetState(k.name, d.target)
		k.now.target = d.target
	}
	for _, n := range s.startTasks {
		t := d.tasks[n]
		id := task.ID{Connector: k.name, Task: n}
		k.started("task "+id.String(), k.s.worker.StartTask(id, t.connector, t.task, d.target))
		k.now.tasks[n] = t
	}
}

func (k *keeper) stopTasks(s steps) {
	ids := make([]task.ID, 0, len(s.stopTasks))
	for _, n := range s.stopTasks {
		ids = append(ids, task.ID{Connector: k.name, Task: n})
		delete(k.now.tasks, n)
	}
	ctx, cancel := context.WithTimeout(k.s.force, k.s.settings.TaskShutdownTimeout+stopTasksGrace)
	defer cancel()
	if err := k.s.worker.StopTasks(ctx, ids...); err != nil {
		k.s.logger.Warn("tasks did not stop cleanly", "connector", k.name, "error", err)
	}
	for _, n := range s.removeTasks {
		id := store.TaskID{Connector: k.name, Task: n}
		if err := k.s.statuses.PutTask(context.Background(), id, store.Status{State: store.StateDestroyed}); err != nil {
			k.s.logger.Warn("the status of a removed task could not be removed", "connector", k.name, "task", n, "error", err)
		}
	}
}

// started logs a start that was refused: only a worker that is closing refuses.
func (k *keeper) started(what string, err error) {
	if err != nil {
		k.s.logger.Warn("not started", "what", what, "error", err)
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
