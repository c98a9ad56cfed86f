package herder

import (
	"context"
	"errors"
	"maps"
	"time"

	"github.com/tailrace/tailrace/host/cluster"
	"github.com/tailrace/tailrace/host/store"
)

// Duty says which worker must carry out a request.
type Duty int

// The duties.
const (
	// Leads is the leader's.
	Leads Duty = iota
	// OwnsConnector and OwnsTask are those of the worker that runs a connector or a task.
	OwnsConnector
	OwnsTask
)

const (
	textStale    = "Cannot complete request because of a conflicting operation (e.g. worker rebalance)"
	textNoLeader = "Cannot complete request momentarily due to no known leader URL, likely because a rebalance was underway."
)

func noLeader() *Error { return conflict(textNoLeader) }

// Passed is the answer to a request that was passed on too often: who must carry it out is changing.
func Passed() *Error { return conflict(textStale) }

func conflict(text string) *Error {
	e := failed(Conflict, "%s", text)
	e.RetryAfter = retrySoon
	return e
}

// Place implements Herder.
func (d *Distributed) Place(duty Duty, connector string, task int) (url string, err error) {
	view := d.member.View()
	if duty != Leads {
		if here, err := d.ownsHere(duty, connector, task); here || err != nil {
			return "", err
		}
	}
	switch {
	case view.LeaderURL == "":
		return "", noLeader()
	case !view.IsLeader():
		return view.LeaderURL, nil
	case duty == Leads:
		return "", nil
	}
	item := cluster.Item{Connector: connector, Task: cluster.ConnectorTask}
	if duty == OwnsTask {
		item.Task = task
	}
	if url, ok := view.OwnerURL(item); ok && view.Owners[item] != view.MemberID {
		return url, nil
	}
	return "", noLeader() // nobody runs it at the moment
}

// ownsHere says whether a request about a connector or task is for this worker. Every worker knows what does not exist.
func (d *Distributed) ownsHere(duty Duty, connector string, task int) (bool, error) {
	c, exists := d.configs.Snapshot().Connectors[connector]
	switch {
	case !exists:
		return false, failed(NotFound, "Unknown connector: %s", connector)
	case duty == OwnsTask && (task < 0 || task >= max(len(c.Tasks), c.TasksSeen)):
		return false, failed(NotFound, "Unknown task: %s-%d", connector, task)
	case duty == OwnsTask && task >= len(c.Tasks):
		return false, noLeader() // as in Kafka Connect: it may come back, as those of a stopped connector
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	a := d.assigned[connector]
	if a == nil {
		return false, nil
	}
	_, task0 := a.tasks[task]
	return duty == OwnsConnector && a.connector || duty == OwnsTask && task0, nil
}

// write does something with the config topic that only the leader may, one at a time.
func (d *Distributed) write(ctx context.Context, what string, do func() error) error {
	defer d.stages.begin(what)()
	select {
	case d.writing <- struct{}{}:
		defer func() { <-d.writing }()
	case <-ctx.Done():
		return d.late(ctx.Err())
	}
	for again := false; ; again = true {
		if view := d.member.View(); !view.IsLeader() {
			return noLeader() // it was, when the request came
		}
		err := d.topic.Claim(ctx)
		if err == nil {
			err = do()
		}
		if again || !errors.Is(err, store.ErrNotClaimed) {
			return d.late(err)
		}
		// Another worker was leader for a moment, or thought so. If this one is, it looks and writes again.
	}
}

// late says what the worker is doing when a request has outlasted its time.
func (d *Distributed) late(err error) error {
	var told *Error
	if err == nil || errors.As(err, &told) || !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	e := failed(Unavailable, "Request timed out. %s: %s", d.doing(), err)
	e.RetryAfter = 5 * time.Second
	return e
}

// Create implements Herder.
func (d *Distributed) Create(ctx context.Context, r CreateRequest) (Connector, error) {
	name, props, target, err := d.acceptNew(ctx, r)
	if err != nil {
		return Connector{}, d.late(err)
	}
	if r.InitialState == "" {
		target = "" // nothing is written of it then
	}
	err = d.write(ctx, "writing connector "+name, func() error {
		if _, exists := d.configs.Snapshot().Connectors[name]; exists {
			return failed(Conflict, "Connector %s already exists", name)
		}
		return d.topic.PutConnectorInOrder(ctx, name, props, r.Order, target) // I-8
	})
	if err != nil {
		return Connector{}, err
	}
	c, err := d.Connector(name)
	c.Tasks = []TaskID{} // those of a connector of the same name before it are none
	return c, err
}

// Put implements Herder.
func (d *Distributed) Put(ctx context.Context, name string, cfg Config, order []string) (c Connector, created bool, err error) {
	props, err := d.acceptNamed(ctx, name, cfg)
	if err != nil {
		return Connector{}, false, d.late(err)
	}
	err = d.write(ctx, "writing connector "+name, func() error {
		_, exists := d.configs.Snapshot().Connectors[name]
		created = !exists
		return d.topic.PutConnectorInOrder(ctx, name, props, order, "") // I-8
	})
	if err != nil {
		return Connector{}, false, err
	}
	c, err = d.Connector(name)
	return c, created, err
}

// Patch implements Herder.
func (d *Distributed) Patch(ctx context.Context, name string, patch Config, order []string) (Connector, error) {
	before, after, err := d.acceptPatch(ctx, name, patch)
	if err != nil {
		return Connector{}, d.late(err)
	}
	err = d.write(ctx, "writing connector "+name, func() error {
		now, exists := d.configs.Snapshot().Connectors[name]
		switch {
		case !exists:
			return notFound(name)
		case !maps.Equal(now.Config, before):
			return changedMeanwhile(name)
		}
		return d.topic.PatchConnector(ctx, name, after, order) // I-8
	})
	if err != nil {
		return Connector{}, err
	}
	return d.Connector(name)
}

// Delete implements Herder. Committed offsets stay.
func (d *Distributed) Delete(ctx context.Context, name string) error {
	return d.write(ctx, "deleting connector "+name, func() error {
		if _, exists := d.configs.Snapshot().Connectors[name]; !exists {
			return notFound(name)
		}
		return d.configs.DeleteConnector(ctx, name) // I-8
	})
}

// Pause implements Herder. Any worker may do it.
func (d *Distributed) Pause(ctx context.Context, name string) error {
	return d.putTarget(ctx, name, store.TargetPaused)
}

// Resume implements Herder. Any worker may do it.
func (d *Distributed) Resume(ctx context.Context, name string) error {
	return d.putTarget(ctx, name, store.TargetStarted)
}

func (d *Distributed) putTarget(ctx context.Context, name string, target store.TargetState) error {
	if _, exists := d.configs.Snapshot().Connectors[name]; !exists {
		return failed(NotFound, "Unknown connector %s", name)
	}
	if d.isHeld(name) {
		return d.heldError(name)
	}
	defer d.stages.begin("writing the target state of connector " + name)()
	return d.late(d.configs.PutTargetState(ctx, name, target)) // I-8
}

// Stop implements Herder.
func (d *Distributed) Stop(ctx context.Context, name string) error {
	return d.write(ctx, "stopping connector "+name, func() error {
		if _, exists := d.configs.Snapshot().Connectors[name]; !exists {
			return failed(NotFound, "Unknown connector %s", name)
		}
		if err := d.topic.RemoveTasks(ctx, name); err != nil {
			return err
		}
		return d.configs.PutTargetState(ctx, name, store.TargetStopped) // I-8
	})
}

// Restart implements Herder: the connector at its owner, tasks through a record that every worker reads.
func (d *Distributed) Restart(ctx context.Context, name string, request RestartRequest) (*Status, error) {
	if _, exists := d.configs.Snapshot().Connectors[name]; !exists {
		return nil, failed(NotFound, "Unknown connector: %s", name)
	}
	if !request.IncludeTasks && !request.OnlyFailed {
		status, err := d.Status(name)
		if err != nil {
			status = Status{}
		}
		d.restart(ctx, name, restartPlan{connector: true}, status)
		return nil, nil //nolint:nilnil // no status is asked for
	}
	status, err := d.Status(name)
	if err != nil {
		return nil, err
	}
	err = d.write(ctx, "requesting a restart of connector "+name, func() error {
		return d.topic.PutRestart(ctx, store.RestartRequest{Connector: name, IncludeTasks: request.IncludeTasks, OnlyFailed: request.OnlyFailed})
	})
	if err != nil {
		return nil, err
	}
	planRestart(status, request).apply(&status)
	return &status, nil
}

// RestartTask implements Herder, at the owner of the task.
func (d *Distributed) RestartTask(ctx context.Context, name string, task int) error {
	here, err := d.ownsHere(OwnsTask, name, task)
	if err == nil && !here {
		err = noLeader()
	}
	if err != nil {
		return err
	}
	status, err := d.Status(name)
	if err != nil {
		status = Status{}
	}
	d.restart(ctx, name, restartPlan{tasks: []int{task}}, status)
	return nil
}

// SetClusterLevel changes the level of a logger on every worker.
func (d *Distributed) SetClusterLevel(ctx context.Context, logger, level string) error {
	defer d.stages.begin("writing the level of logger " + logger)()
	return d.late(d.topic.PutLogger(ctx, store.LoggerLevel{Namespace: logger, Level: level}))
}

// quietPause is how often the statuses of tasks that are stopping are looked at.
const quietPause = 50 * time.Millisecond

// awaitQuiet waits until no worker says that it runs a task of a stopped connector: one that drains may still store offsets.
func (d *Distributed) awaitQuiet(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, d.settings.TaskShutdownTimeout+stopTasksGrace)
	defer cancel()
	for {
		busy := false
		for _, t := range d.statuses.Tasks(name) {
			busy = busy || t.Status.State != store.StateUnassigned && t.Status.State != store.StateFailed
		}
		if !busy {
			return nil
		}
		select {
		case <-time.After(quietPause):
		case <-ctx.Done():
			return conflict("The tasks of connector " + name + " have not stopped yet; try again")
		}
	}
}
