package herder

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/tailrace/tailrace/host/store"
	"github.com/tailrace/tailrace/host/task"
	"github.com/tailrace/tailrace/host/worker"
)

// scriptedWorker is a Worker without plugins: connectors make the tasks that
// their configuration says, at once or when the test lets them.
type scriptedWorker struct {
	listener worker.Listener

	mu         sync.Mutex
	connectors map[string]scriptedConnector
	tasks      map[task.ID]scriptedTask
	starts     map[string]int // by name of connector or task
	overlap    bool           // something was started while it ran
	// slow makes StopTasks of a connector wait until it is closed.
	slow map[string]chan struct{}
	told sync.WaitGroup
}

type scriptedConnector struct {
	props  map[string]string
	target store.TargetState
}

type scriptedTask struct {
	connector, props map[string]string
	target           store.TargetState
}

func newScriptedWorker(l worker.Listener) *scriptedWorker {
	return &scriptedWorker{
		listener: l, connectors: map[string]scriptedConnector{}, tasks: map[task.ID]scriptedTask{},
		starts: map[string]int{}, slow: map[string]chan struct{}{},
	}
}

func (w *scriptedWorker) StartConnector(name string, props map[string]string, target store.TargetState) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, runs := w.connectors[name]; runs {
		w.overlap = true
		return worker.ErrRunning
	}
	w.starts[name]++
	w.connectors[name] = scriptedConnector{props, target}
	w.told.Go(func() { w.tell(name, props, target) })
	return nil
}

// tell is what a connector says after it came into a state.
func (w *scriptedWorker) tell(name string, props map[string]string, target store.TargetState) {
	switch target {
	case store.TargetPaused:
		w.listener.ConnectorState(name, store.StatePaused, nil)
		return
	case store.TargetStopped:
		w.listener.ConnectorState(name, store.StateStopped, nil)
		return
	}
	var tasks []map[string]string
	for i := range len(props["tasks"]) { // "xx" is two tasks
		tasks = append(tasks, map[string]string{"share": string(rune('a' + i)), "of": props["work"]})
	}
	w.listener.TaskConfigs(name, tasks)
	w.listener.ConnectorState(name, store.StateRunning, nil)
}

func (w *scriptedWorker) SetTargetState(name string, target store.TargetState) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c, runs := w.connectors[name]; runs {
		c.target = target
		w.connectors[name] = c
		w.told.Go(func() { w.tell(name, c.props, target) })
	}
	for id, t := range w.tasks {
		if id.Connector == name {
			t.target = target
			w.tasks[id] = t
		}
	}
}

func (w *scriptedWorker) StopConnector(_ context.Context, name string) error {
	w.mu.Lock()
	delete(w.connectors, name)
	w.mu.Unlock()
	w.told.Wait() // nothing is told after a connector has stopped
	return nil
}

func (w *scriptedWorker) StartTask(id task.ID, connector, props map[string]string, target store.TargetState) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, runs := w.tasks[id]; runs {
		w.overlap = true
		return worker.ErrRunning
	}
	w.starts[id.String()]++
	w.tasks[id] = scriptedTask{maps.Clone(connector), maps.Clone(props), target}
	state := store.StateRunning
	if target != store.TargetStarted {
		state = store.StatePaused
	}
	w.told.Go(func() { w.listener.TaskState(id, state, nil) })
	return nil
}

func (w *scriptedWorker) StopTasks(ctx context.Context, ids ...task.ID) error {
	w.mu.Lock()
	slow := w.slow[ids[0].Connector]
	w.mu.Unlock()
	var err error
	if slow != nil {
		select {
		case <-slow:
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, id := range ids {
		delete(w.tasks, id)
	}
	return err
}

func (w *scriptedWorker) ForgetTopics(string) {}

func (w *scriptedWorker) Snapshot(task.ID) (task.Snapshot, bool) {
	return task.Snapshot{Records: 7}, true
}

func (w *scriptedWorker) Close(context.Context) error {
	w.told.Wait()
	return nil
}

// count is how often a connector or task was started.
func (w *scriptedWorker) count(name string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.starts[name]
}

func (w *scriptedWorker) running(name string) (connector bool, tasks int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id := range w.tasks {
		if id.Connector == name {
			tasks++
		}
	}
	_, connector = w.connectors[name]
	return connector, tasks
}

func (w *scriptedWorker) hold(name string) (release func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	gate := make(chan struct{})
	w.slow[name] = gate
	return sync.OnceFunc(func() { close(gate) })
}

const waitLimit = 10 * time.Second
