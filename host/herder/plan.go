package herder

import (
	"maps"
	"slices"

	"github.com/tailrace/tailrace/host/store"
)

// running is what a keeper has started of its connector.
type running struct {
	// connector is the configuration that the connector was started with, nil when it does not run.
	connector map[string]string
	version   int64 // of the configurations when the connector was started
	target    store.TargetState
	tasks     map[int]runningTask
}

// runningTask holds the configurations that a task was started with.
type runningTask struct {
	connector, task map[string]string
	// set is the version of the tasks that it is one of, where they run as a set: they start anew together, because the
	// first of a new set has all of the old one fenced. 0 where each is for itself.
	set int64
}

func (t runningTask) differs(from runningTask) bool {
	return !maps.Equal(t.connector, from.connector) || !maps.Equal(t.task, from.task) || t.set != 0 && from.set != 0 && t.set != from.set
}

// desired is what should run of a connector on this worker. The zero value is nothing.
type desired struct {
	exists bool
	// connector is its configuration, nil when the connector itself shall not run here.
	connector map[string]string
	target    store.TargetState
	tasks     map[int]runningTask
	// taskCount is how many tasks there are, wherever they run.
	taskCount int
}

// asSets makes all tasks those of one set.
func (d desired) asSets(version int64) {
	for n, t := range d.tasks {
		t.set = version
		d.tasks[n] = t
	}
}

// wish is what should be started anew although nothing has changed.
type wish struct {
	connector bool
	tasks     map[int]bool
}

// want is the desired state that a snapshot asks for, if all of it runs here. A task keeps the connector's configuration
// that it was made from until the connector divides its work again, so that it never gets one half of a change.
func want(snapshot store.ConfigSnapshot, name string) desired {
	c, ok := snapshot.Connectors[name]
	if !ok {
		return desired{}
	}
	d := desired{exists: true, connector: c.Config, target: c.TargetState, tasks: map[int]runningTask{}}
	if c.TargetState == store.TargetStopped {
		return d
	}
	applied := c.AppliedConfig
	if applied == nil {
		applied = c.Config
	}
	d.taskCount = len(c.Tasks)
	for i, props := range c.Tasks {
		d.tasks[i] = runningTask{connector: applied, task: props}
	}
	return d
}

// steps lead from what runs to what should run. They are taken in the order of the fields.
type steps struct {
	stopTasks      []int
	removeTasks    []int // of stopTasks, those that do not come back
	stopConnector  bool
	startConnector bool
	setTarget      bool
	startTasks     []int
}

// plan is the difference between what should run and what runs, as steps. Pure.
func plan(d desired, now running, anew wish) steps {
	var s steps
	for n, t := range now.tasks {
		wanted, ok := d.tasks[n]
		switch {
		case !ok:
			s.stopTasks = append(s.stopTasks, n)
			s.removeTasks = append(s.removeTasks, n)
		case anew.tasks[n], t.differs(wanted):
			s.stopTasks = append(s.stopTasks, n)
			s.startTasks = append(s.startTasks, n)
		}
	}
	for n := range d.tasks {
		if _, ok := now.tasks[n]; !ok {
			s.startTasks = append(s.startTasks, n)
		}
	}
	slices.Sort(s.stopTasks)
	slices.Sort(s.removeTasks)
	slices.Sort(s.startTasks)

	switch runs := now.connector != nil; {
	case d.connector == nil:
		s.stopConnector = runs
	case !runs:
		s.startConnector = true
	case anew.connector, !maps.Equal(now.connector, d.connector):
		s.stopConnector, s.startConnector = true, true
	}
	s.setTarget = d.exists && now.target != d.target && (now.connector != nil || len(now.tasks) > 0)
	return s
}
