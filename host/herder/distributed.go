package herder

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/tailrace/tailrace/host/cluster"
	"github.com/tailrace/tailrace/host/config"
	"github.com/tailrace/tailrace/host/kafka"
	"github.com/tailrace/tailrace/host/store"
	"github.com/tailrace/tailrace/host/worker"
)

// ClusterConfigs is the desired state of a cluster; *store.ConfigTopic is one.
type ClusterConfigs interface {
	store.ConfigStore
	cluster.ConfigLog
	PutConnectorInOrder(ctx context.Context, name string, config map[string]string, order []string, target store.TargetState) error
	PatchConnector(ctx context.Context, name string, config map[string]string, added []string) error
	RemoveTasks(ctx context.Context, connector string) error
	PutSessionKey(ctx context.Context, key store.SessionKey) error
	PutRestart(ctx context.Context, r store.RestartRequest) error
	PutLogger(ctx context.Context, l store.LoggerLevel) error
	PutFencedTasks(ctx context.Context, connector string, tasks int) error
	// Claim makes this worker the one that writes as leader, where leaders fence each other; Resign gives that up.
	Claim(ctx context.Context) error
	Resign()
}

// ClusterStatuses are the statuses of a cluster; *store.StatusTopic is one.
type ClusterStatuses interface {
	store.StatusStore
	Flush(ctx context.Context) error
	OnTopicsForgotten(f func(connector string))
}

// Membership is this worker's place in the cluster; *cluster.Member is one.
type Membership interface {
	View() cluster.View
	Generation() int32
	// Leased is nil while no other worker can have been given what this one has.
	Leased() error
	State() kafka.GroupState
	Rejoin()
	Leave(ctx context.Context) error
}

// Peers carries requests to other workers of the cluster. Answers that are errors come as *Error.
type Peers interface {
	// PutTasks gives the leader what a connector has made. body is the JSON of the tasks that was signed.
	PutTasks(ctx context.Context, leaderURL, connector string, body []byte, signature Signature) error
	// Fence asks the leader to fence the older tasks of a connector. An empty body was signed.
	Fence(ctx context.Context, leaderURL, connector string, signature Signature) error
}

// DistributedConfig is what a Distributed needs.
type DistributedConfig struct {
	Settings  *config.Worker // of a distributed worker
	Plugins   Catalogue
	Processes Processes
	// Worker makes the worker that tells its events to the listener, and whose source tasks may ask to write exactly once.
	Worker func(worker.Listener, worker.ExactlyOnce) Worker
	// Configs opens the config topic and reads it to its end. The listener hears of every change after that.
	Configs  func(ctx context.Context, listener func(store.ConfigSnapshot, store.ConfigChanges)) (ClusterConfigs, error)
	Statuses ClusterStatuses
	Offsets  store.OffsetStore
	// OffsetsOf opens the store of a connector that keeps its offsets in a topic of its own too; nil: Offsets, for every one.
	OffsetsOf OffsetsOf
	// Join starts the membership.
	Join  func(configs cluster.ConfigLog, runner cluster.Runner) (Membership, error)
	Peers Peers
	// Fence makes sure that the producers with these transactional ids write no more, on behalf of a connector.
	Fence func(ctx context.Context, connector map[string]string, transactionalIDs []string) error
	// SetLevel changes the level of a logger of this worker; nil ignores the cluster's wishes.
	SetLevel func(store.LoggerLevel)
	// WorkerID is the advertised host:port.
	WorkerID string
	About    About
	Logger   *slog.Logger
}

// Distributed is the Herder of a worker that is one of a cluster. What the cluster should run is a snapshot of the config
// topic, what this worker should run of it is given by the group, and the keepers make it so. Its loop reads changes and
// never waits for anything; requests write to the config topic beside it.
type Distributed struct {
	core
	cluster  *config.Cluster
	topic    ClusterConfigs // core.configs
	board    ClusterStatuses
	member   Membership
	peers    Peers
	fence    func(context.Context, map[string]string, []string) error
	setLevel func(store.LoggerLevel)
	stages   stages
	loads    loads
	fencing  turns

	ctx        context.Context // ends when Close begins
	cancel     context.CancelFunc
	background sync.WaitGroup
	ready      chan struct{} // closed when member is set
	writing    chan struct{} // holds one: makes a look at the configs and the write after it one
	news       chan struct{} // holds one: there is something in inbox
	pings      chan struct{}

	inboxMu sync.Mutex
	inbox   store.ConfigChanges
	inboxAt int64 // the version that inbox leads to

	mu         sync.Mutex
	assigned   map[string]*assignment // by connector
	standing   cluster.Standing
	change     uint64 // counts changes of the two before
	joined     bool   // at least once
	round      bool   // one is over that the loop has not seen
	publishing map[string]*publication

	// Of the loop.
	known  map[string]struct{} // connectors that the last round may know
	keying chan struct{}       // holds one while a session key is being written
}

// assignment is what of a connector is given to this worker.
type assignment struct {
	connector bool
	tasks     map[int]struct{}
}

func (a *assignment) add(i cluster.Item) {
	if i.IsConnector() {
		a.connector = true
	} else {
		a.tasks[i.Task] = struct{}{}
	}
}

func (a *assignment) remove(i cluster.Item) {
	if i.IsConnector() {
		a.connector = false
	} else {
		delete(a.tasks, i.Task)
	}
}

var (
	_ Herder         = (*Distributed)(nil)
	_ cluster.Runner = (*runner)(nil)
)

// OpenDistributed reads the config topic to its end, within ctx, and starts to join the cluster.
func OpenDistributed(ctx context.Context, cfg DistributedConfig) (*Distributed, error) {
	d := &Distributed{
		core: core{
			settings: cfg.Settings, plugins: cfg.Plugins, processes: cfg.Processes,
			statuses: cfg.Statuses, offsets: cfg.Offsets, offsetsOf: cfg.OffsetsOf, workerID: cfg.WorkerID, about: cfg.About, logger: cfg.Logger,
			checks: newChecks(), held: map[string]bool{},
		},
		cluster: cfg.Settings.Cluster, board: cfg.Statuses, peers: cfg.Peers, fence: cfg.Fence, setLevel: cfg.SetLevel,
		writing: make(chan struct{}, 1), news: make(chan struct{}, 1), keying: make(chan struct{}, 1), pings: make(chan struct{}),
		assigned: map[string]*assignment{}, ready: make(chan struct{}), publishing: map[string]*publication{}, known: map[string]struct{}{},
	}
	d.ctx, d.cancel = context.WithCancel(context.WithoutCancel(ctx))
	d.crew = newCrew(&d.core, d.look, d.divided, d.deleted)
	d.quiet = d.awaitQuiet
	if cfg.Settings.ExactlyOnceSourceEnabled() {
		d.alone = d.fenceTasks
	}
	d.generation = func() int { return int(d.member.Generation()) }
	configs, err := cfg.Configs(ctx, d.noteChanges)
	if err != nil {
		d.cancel()
		return nil, err
	}
	d.configs, d.topic = configs, configs
	for name := range configs.Snapshot().Connectors {
		d.known[name] = struct{}{}
	}
	d.worker = cfg.Worker(&listener{&d.core}, (*fencer)(d))
	d.board.OnTopicsForgotten(d.worker.ForgetTopics)
	member, err := cfg.Join(configs, (*runner)(d))
	if err != nil {
		d.cancel()
		return nil, err
	}
	d.member = member
	close(d.ready)
	d.background.Go(d.loop)
	return d, nil
}

// Close stops what runs here, leaves the cluster so that others take over at once, and ends the worker, at most until
// ctx ends.
func (d *Distributed) Close(ctx context.Context) error {
	defer d.stages.begin("stopping its connectors and tasks and leaving the group")()
	left := d.member.Leave(ctx)
	d.cancel()
	d.background.Wait()
	d.crew.close(ctx)
	err := d.worker.Close(ctx)
	d.checks.close()
	return errors.Join(left, err)
}

// look says what of a connector should run on this worker: what is given to it. A task of a set that is newer than the
// last round waits for the next one, because before it a task of the older set may still run elsewhere.
func (d *Distributed) look(name string) (desired, moment) {
	snapshot := d.configs.Snapshot()
	exactlyOnce := d.settings.ExactlyOnceSourceEnabled() && d.typeOf(snapshot.Connectors[name].Config) == SourceType
	d.mu.Lock()
	defer d.mu.Unlock()
	at := moment{version: snapshot.Version, change: d.change}
	all := want(snapshot, name)
	if exactlyOnce {
		all.asSets(snapshot.Connectors[name].TasksVersion)
	}
	return d.assigned[name].share(all, snapshot.Connectors[name].TasksVersion <= d.standing.ConfigOffset), at
}

// share is the part of a connector that is given to this worker. Pure.
func (a *assignment) share(all desired, tasksStand bool) desired {
	if a == nil {
		a = &assignment{}
	}
	mine := all
	if !a.connector {
		mine.connector = nil
	}
	mine.tasks = map[int]runningTask{}
	if tasksStand {
		for n := range a.tasks {
			if t, exists := all.tasks[n]; exists {
				mine.tasks[n] = t
			}
		}
	}
	return mine
}

// runner is the group's side of a Distributed.
type runner Distributed

// Start implements cluster.Runner.
func (r *runner) Start(round cluster.Standing, items []cluster.Item) {
	d := (*Distributed)(r)
	<-d.ready
	snapshot := d.configs.Snapshot()
	d.mu.Lock()
	names := map[string]struct{}{}
	for name := range d.assigned { // sets of tasks that have waited for this round
		if v := snapshot.Connectors[name].TasksVersion; v > d.standing.ConfigOffset && v <= round.ConfigOffset {
			names[name] = struct{}{}
		}
	}
	for _, i := range items {
		a := d.assigned[i.Connector]
		if a == nil {
			a = &assignment{tasks: map[int]struct{}{}}
			d.assigned[i.Connector] = a
		}
		a.add(i)
		names[i.Connector] = struct{}{}
	}
	d.standing, d.joined, d.round = round, true, true
	d.change++
	d.mu.Unlock()
	for name := range names {
		d.crew.send(name, letter{})
	}
	d.wake()
}

// Stop implements cluster.Runner.
func (r *runner) Stop(ctx context.Context, items []cluster.Item) {
	d := (*Distributed)(r)
	<-d.ready
	defer d.stages.begin("stopping connectors and tasks that it does not own any more")()
	d.mu.Lock()
	names := map[string]struct{}{}
	for _, i := range items {
		if a := d.assigned[i.Connector]; a != nil {
			a.remove(i)
			names[i.Connector] = struct{}{}
			if !a.connector && len(a.tasks) == 0 {
				delete(d.assigned, i.Connector)
			}
		}
	}
	d.change++
	change := d.change
	d.mu.Unlock()
	d.await(ctx, slices.Collect(maps.Keys(names)), func(now seen) bool { return now.change >= change })
	// What is told of the end must be in the topic before another worker tells of its beginning.
	if err := d.board.Flush(ctx); err != nil {
		d.logger.Warn("statuses may come late: the status topic does not take them", "error", err)
	}
}

// Settle implements cluster.Runner.
func (r *runner) Settle(ctx context.Context) {
	d := (*Distributed)(r)
	<-d.ready
	snapshot := d.configs.Snapshot()
	var names []string
	d.mu.Lock()
	for name := range d.assigned {
		if c, exists := snapshot.Connectors[name]; !exists || c.TasksVersion > d.standing.ConfigOffset {
			names = append(names, name)
		}
	}
	d.mu.Unlock()
	if len(names) > 0 {
		defer d.stages.begin("stopping tasks that were changed or deleted")()
		d.await(ctx, names, func(now seen) bool { return now.version >= snapshot.Version })
	}
}

// await tells keepers to look, and waits until all have come far enough, or ctx ends. What runs is cut off when its time
// is up, a moment before.
func (d *Distributed) await(ctx context.Context, names []string, enough func(seen) bool) {
	var l letter
	if deadline, ok := ctx.Deadline(); ok {
		l.stopBy = deadline.Add(-cutOffTime)
	}
	keepers := make([]*keeper, len(names))
	for i, name := range names {
		keepers[i] = d.crew.send(name, l)
	}
	for _, k := range keepers {
		if k.await(ctx, enough) != nil {
			d.logger.Warn("a connector did not stop in time", "connector", k.name)
		}
	}
}

// PluginsChanged lets the group divide the work anew, because this worker can run other connectors than before.
func (d *Distributed) PluginsChanged() { d.member.Rejoin() }

// cutOffTime is what is left of a deadline when the work that is not done yet is cut off.
const cutOffTime = 200 * time.Millisecond

// Health implements Herder.
func (d *Distributed) Health(ctx context.Context) Health {
	d.mu.Lock()
	joined := d.joined
	d.mu.Unlock()
	if !joined {
		return Health{Starting, "Worker is still starting up. " + d.doing()}
	}
	select {
	case d.pings <- struct{}{}:
		return Health{Healthy, "Worker has completed startup and is ready to handle requests."}
	case <-d.ctx.Done():
		return Health{Unhealthy, "Worker is shutting down"}
	case <-ctx.Done():
		return Health{Unhealthy, "Worker was unable to handle this request and may be unable to handle other requests. " + d.doing()}
	}
}

// doing says what the worker is busy with.
func (d *Distributed) doing() string {
	if state := d.member.State(); !state.Joined {
		text := "The worker is currently ensuring membership in the cluster"
		if state.Err != nil {
			text += ": " + state.Err.Error()
		}
		return text
	}
	return d.stages.String()
}
