package herder

import (
	"context"
	"maps"
	"time"

	"github.com/tailrace/tailrace/host/cluster"
	"github.com/tailrace/tailrace/host/store"
)

const (
	// dutiesInterval is how often the leader looks at what is due.
	dutiesInterval = time.Second
	// keyTimeout bounds the write of a session key.
	keyTimeout = 30 * time.Second
)

// noteChanges is called by the config topic's reader, which must not wait.
func (d *Distributed) noteChanges(snapshot store.ConfigSnapshot, c store.ConfigChanges) {
	d.inboxMu.Lock()
	if d.inbox.Connectors == nil {
		d.inbox = c
	} else {
		maps.Copy(d.inbox.Connectors, c.Connectors)
		maps.Copy(d.inbox.Tasks, c.Tasks)
		maps.Copy(d.inbox.TargetStates, c.TargetStates)
		d.inbox.Restarts = append(d.inbox.Restarts, c.Restarts...)
		d.inbox.Loggers = append(d.inbox.Loggers, c.Loggers...)
	}
	d.inboxAt = snapshot.Version
	d.inboxMu.Unlock()
	d.wake()
}

func (d *Distributed) wake() {
	select {
	case d.news <- struct{}{}:
	default:
	}
}

// loop carries over what happens in the config topic and in the group. It waits for nothing else.
func (d *Distributed) loop() {
	tick := time.NewTicker(dutiesInterval)
	defer tick.Stop()
	for {
		select {
		case <-d.news:
			d.digest()
		case <-tick.C:
			d.duties(false)
			d.measureLoads(time.Now())
		case <-d.pings:
		case <-d.ctx.Done():
			return
		}
	}
}

// digest tells keepers and the group what has changed.
func (d *Distributed) digest() {
	d.inboxMu.Lock()
	c, version := d.inbox, d.inboxAt
	d.inbox = store.ConfigChanges{}
	d.inboxMu.Unlock()
	d.mu.Lock()
	round := d.round
	d.round = false
	d.mu.Unlock()

	snapshot := d.configs.Snapshot()
	again := len(c.Tasks) > 0
	for name := range c.Connectors {
		_, exists := snapshot.Connectors[name]
		if _, was := d.known[name]; was != exists {
			again = true
		}
		if exists {
			d.known[name] = struct{}{}
		} else {
			delete(d.known, name)
		}
		d.crew.tell(name, letter{written: version})
	}
	for _, names := range []map[string]struct{}{c.Tasks, c.TargetStates} {
		for name := range names {
			d.crew.tell(name, letter{})
		}
	}
	for _, r := range c.Restarts {
		d.restartHere(r)
	}
	for _, l := range c.Loggers {
		if d.setLevel != nil {
			d.setLevel(l)
		}
	}
	if again {
		d.member.Rejoin()
	}
	if round {
		d.duties(true)
	}
}

// duties are the leader's. All of them are repeated until they have succeeded.
func (d *Distributed) duties(round bool) {
	view := d.member.View()
	if !view.IsLeader() {
		if round {
			d.background.Go(d.topic.Resign)
		}
		return
	}
	if view.Protocol == cluster.ProtocolSessioned {
		d.renewSessionKey()
	}
	if round {
		d.tidyStatuses(view)
	}
}

// renewSessionKey publishes a key when one is due, beside the loop.
func (d *Distributed) renewSessionKey() {
	c := d.cluster
	if !cluster.KeyIsDue(d.configs.Snapshot().SessionKey, c.KeyGenerationAlgorithm, c.KeySize, c.KeyTTL, time.Now()) {
		return
	}
	select {
	case d.keying <- struct{}{}:
	default:
		return // it is on its way
	}
	d.background.Go(func() {
		defer func() { <-d.keying }()
		defer d.stages.begin("distributing a new session key")()
		ctx, cancel := context.WithTimeout(d.ctx, keyTimeout)
		defer cancel()
		key, err := cluster.NewSessionKey(c.KeyGenerationAlgorithm, c.KeySize, time.Now())
		if err == nil {
			err = d.topic.Claim(ctx)
		}
		if err == nil {
			err = d.topic.PutSessionKey(ctx, key)
		}
		if err != nil {
			d.logger.Error("no new session key could be distributed; requests between workers may be refused until it succeeds", "error", err)
		}
	})
}

// tidyStatuses removes the statuses of what does not exist any more and has no owner that will do it.
func (d *Distributed) tidyStatuses(view cluster.View) {
	present := map[string]bool{}
	for _, url := range view.URLs {
		present[workerIDOf(url)] = true
	}
	snapshot := d.configs.Snapshot()
	for _, name := range d.statuses.Connectors() {
		if _, exists := snapshot.Connectors[name]; exists {
			continue
		}
		if st, ok := d.statuses.Connector(name); ok && orphaned(st, present) {
			d.logFailed(d.statuses.Forget(d.ctx, name), "connector", name)
		}
	}
	for name, c := range snapshot.Connectors {
		for _, t := range d.statuses.Tasks(name) {
			if t.ID.Task >= len(c.Tasks) && c.Tasks != nil && orphaned(t.Status, present) {
				d.logFailed(d.statuses.PutTask(d.ctx, t.ID, store.Status{State: store.StateDestroyed}), "connector", name, "task", t.ID.Task)
			}
		}
	}
}

// orphaned says that nobody will say more about something that does not exist any more. Pure.
func orphaned(st store.Status, present map[string]bool) bool {
	return st.State == store.StateUnassigned || st.State == store.StateFailed || !present[st.WorkerID]
}

func (d *Distributed) logFailed(err error, attrs ...any) {
	if err != nil {
		d.logger.Warn("a status could not be removed", append(attrs, "error", err)...)
	}
}

// restartHere restarts what runs here of a connector that all workers were asked to restart.
func (d *Distributed) restartHere(r store.RestartRequest) {
	status, err := d.Status(r.Connector)
	if err != nil {
		return // nobody runs it
	}
	p := planRestart(status, RestartRequest{IncludeTasks: r.IncludeTasks, OnlyFailed: r.OnlyFailed})
	d.mu.Lock()
	mine := d.assigned[r.Connector]
	here := restartPlan{}
	if mine != nil {
		here.connector = p.connector && mine.connector
		for _, n := range p.tasks {
			if _, ok := mine.tasks[n]; ok {
				here.tasks = append(here.tasks, n)
			}
		}
	}
	d.mu.Unlock()
	if here.connector || len(here.tasks) > 0 {
		d.restart(d.ctx, r.Connector, here, status)
	}
}
