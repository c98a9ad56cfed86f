package herder

import (
	"context"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/tailrace/tailrace/host/config"
	"github.com/tailrace/tailrace/host/kafka"
	"github.com/tailrace/tailrace/host/plugin"
	"github.com/tailrace/tailrace/host/store"
	"github.com/tailrace/tailrace/host/task"
)

// Worker runs connectors and tasks; *worker.Worker is one.
type Worker interface {
	StartConnector(name string, props map[string]string, target store.TargetState) error
	SetTargetState(connector string, target store.TargetState)
	StopConnector(ctx context.Context, name string) error
	StartTask(id task.ID, connectorProps, taskProps map[string]string, target store.TargetState) error
	StopTasks(ctx context.Context, ids ...task.ID) error
	Snapshot(id task.ID) (task.Snapshot, bool)
	ForgetTopics(connector string)
	Close(ctx context.Context) error
}

// Catalogue knows the installed plugins; *plugin.Catalogue is one.
type Catalogue interface {
	List() plugin.Listing
	Resolve(ctx context.Context, class, versions string) (plugin.Resolved, error)
}

// Processes gives shares of plugin processes; *plugin.Host is one.
type Processes interface {
	Acquire(ctx context.Context, launch plugin.Launch) (*plugin.Instance, error)
}

// core is what both herders have in common: looking at connectors, checking configurations, offsets, and the keepers of
// what runs on this worker.
type core struct {
	settings  *config.Worker
	plugins   Catalogue
	processes Processes
	worker    Worker
	configs   store.ConfigStore
	statuses  store.StatusStore
	offsets   store.OffsetStore // of the worker
	offsetsOf OffsetsOf         // nil: offsets, for every connector
	workerID  string
	about     About
	logger    *slog.Logger
	checks    *checks
	crew      *crew
	// generation is that of the worker's group, for statuses; 0 in a standalone worker.
	generation func() int
	// quiet waits until no task of a stopped connector runs anywhere; nil when that is known.
	quiet func(ctx context.Context, connector string) error
	// alone makes sure that no task of a source connector can write any more, not even one that nobody knows of; nil where
	// that cannot be.
	alone func(ctx context.Context, connector string) error

	holding sync.Mutex
	held    map[string]bool // connectors that must stay stopped: their offsets are being modified
}

// About implements Herder.
func (s *core) About() About { return s.about }

// Connectors implements Herder.
func (s *core) Connectors() []string { return s.configs.Snapshot().Names() }

// Connector implements Herder.
func (s *core) Connector(name string) (Connector, error) {
	c, ok := s.configs.Snapshot().Connectors[name]
	if !ok {
		return Connector{}, notFound(name)
	}
	return s.show(name, c), nil
}

func (s *core) show(name string, c store.ConnectorSnapshot) Connector {
	out := Connector{Name: name, Config: c.Config, Tasks: make([]TaskID, 0, len(c.Tasks)), Type: s.typeOf(c.Config)}
	for i := range c.Tasks {
		out.Tasks = append(out.Tasks, TaskID{name, i})
	}
	return out
}

// newTasksTimeout is how long a question for tasks waits for those of a configuration that has just changed.
const newTasksTimeout = 2 * time.Second

// Tasks implements Herder. Kafka Connect queues the question behind what a change makes it do, so that whoever changed a
// configuration sees the tasks that were made from it.
func (s *core) Tasks(name string) ([]Task, error) {
	c, ok := s.configs.Snapshot().Connectors[name]
	for late := time.After(newTasksTimeout); ok && s.makesTasks(name, c); c, ok = s.configs.Snapshot().Connectors[name] {
		select {
		case <-late:
			return tasksOf(name, c), nil
		case <-time.After(5 * time.Millisecond):
		}
	}
	if !ok {
		return nil, notFound(name)
	}
	return tasksOf(name, c), nil
}

// makesTasks tells whether a connector that runs has tasks of an older configuration.
func (s *core) makesTasks(name string, c store.ConnectorSnapshot) bool {
	if c.TargetState != store.TargetStarted || c.Tasks == nil || maps.Equal(c.AppliedConfig, c.Config) {
		return false
	}
	st, known := s.statuses.Connector(name)
	return known && st.State != store.StateFailed
}

func tasksOf(name string, c store.ConnectorSnapshot) []Task {
	out := make([]Task, 0, len(c.Tasks))
	for i, props := range c.Tasks {
		out = append(out, Task{TaskID{name, i}, props})
	}
	return out
}

// Status implements Herder.
func (s *core) Status(name string) (Status, error) {
	c, known := s.statuses.Connector(name)
	if !known {
		return Status{}, failed(NotFound, "No status found for connector %s", name)
	}
	out := Status{Name: name, Connector: instanceStatus(c), Tasks: []TaskStatus{}, Type: UnknownType}
	if snapshot, ok := s.configs.Snapshot().Connectors[name]; ok {
		out.Type = s.typeOf(snapshot.Config)
	}
	for _, t := range s.statuses.Tasks(name) {
		out.Tasks = append(out.Tasks, TaskStatus{t.ID.Task, instanceStatus(t.Status)})
	}
	return out, nil
}

// TaskStatus implements Herder.
func (s *core) TaskStatus(name string, n int) (TaskStatus, error) {
	st, ok := s.statuses.Task(store.TaskID{Connector: name, Task: n})
	if !ok {
		return TaskStatus{}, failed(NotFound, "No status found for task %s-%d", name, n)
	}
	return TaskStatus{n, instanceStatus(st)}, nil
}

func instanceStatus(s store.Status) InstanceStatus {
	return InstanceStatus{State: string(s.State), WorkerID: s.WorkerID, Trace: s.Trace, Version: s.Version}
}

// Topics implements Herder.
func (s *core) Topics(name string) ([]string, error) {
	if !s.settings.TopicTrackingEnable {
		return nil, failed(Forbidden, "Topic tracking is disabled.")
	}
	return append([]string{}, s.statuses.Topics(name)...), nil
}

// ResetTopics implements Herder.
func (s *core) ResetTopics(ctx context.Context, name string) error {
	switch {
	case !s.settings.TopicTrackingEnable:
		return failed(Forbidden, "Topic tracking is disabled.")
	case !s.settings.TopicTrackingAllowReset:
		return failed(Forbidden, "Topic tracking reset is disabled.")
	}
	if err := s.statuses.ResetTopics(ctx, name); err != nil {
		return err
	}
	s.worker.ForgetTopics(name) // after the reset: what is told from now on stays
	return nil
}

// Progress implements Herder.
func (s *core) Progress(name string) (Progress, error) {
	c, ok := s.configs.Snapshot().Connectors[name]
	if !ok {
		return Progress{}, notFound(name)
	}
	p := Progress{Name: name, Tasks: []TaskProgress{}}
	for i := range c.Tasks {
		if snap, ok := s.worker.Snapshot(task.ID{Connector: name, Task: i}); ok {
			if snap.LastError != "" {
				snap.LastError = s.masker(c.Config).Text(snap.LastError) // I-9
			}
			p.Tasks = append(p.Tasks, taskProgress(i, snap))
		}
	}
	return p, nil
}

// masker hides the secrets of a connector.
func (s *core) masker(props map[string]string) *config.Masker {
	resolution := s.settings.Providers.Resolve(props)
	resolved, err := s.resolve(props)
	if err != nil {
		return resolution.Masker()
	}
	return resolution.Masker(definition(resolved.Connector.ConfigKeys))
}

// Masked implements Herder.
func (s *core) Masked(settings map[string]string) map[string]string {
	definitions := []*config.Def{config.SourceConnectorDef(), config.SinkConnectorDef()}
	if resolved, err := s.resolve(settings); err == nil {
		definitions = append([]*config.Def{definition(resolved.Connector.ConfigKeys)}, definitions...)
	}
	m := config.NewMasker()
	m.AddProps(settings, definitions...)
	return m.Props(settings)
}

func taskProgress(n int, s task.Snapshot) TaskProgress {
	p := TaskProgress{
		ID: n, State: s.State.String(), Records: s.Records, RecordsPerSecond: s.Through.PerSecond(time.Now()), Bytes: s.Bytes, InFlightBytes: s.InFlightBytes, LagRecords: s.LagRecords,
		Skipped: s.Skipped, Errors: s.Errors, Retries: s.Retries, Restarts: s.Restarts, LastError: s.LastError, Kafka: kafkaHealth(s.Kafka),
	}
	if s.Call.Name != "" {
		p.Call, p.CallSince = s.Call.Name, &s.Call.Since
	}
	return p
}

func kafkaHealth(h kafka.Health) string {
	if h.OK() {
		return "ok"
	}
	return h.String()
}

// listener carries the worker's events over. It must not block.
type listener struct{ s *core }

// ConnectorState implements worker.Listener.
func (l *listener) ConnectorState(name string, state store.State, err error) {
	if putErr := l.s.putConnectorStatus(name, l.s.status(name, state, err)); putErr != nil {
		l.s.logger.Warn("a status could not be stored", "connector", name, "state", state, "error", putErr)
	}
	l.s.logState("connector", state, err, "connector", name)
	l.s.crew.tell(name, letter{reported: true})
}

// TaskState implements worker.Listener.
func (l *listener) TaskState(id task.ID, state store.State, err error) {
	key := store.TaskID{Connector: id.Connector, Task: id.Task}
	if putErr := l.s.putTaskStatus(key, l.s.status(id.Connector, state, err)); putErr != nil {
		l.s.logger.Warn("a status could not be stored", "connector", id.Connector, "task", id.Task, "state", state, "error", putErr)
	}
	l.s.logState("task", state, err, "connector", id.Connector, "task", id.Task)
}

// TaskConfigs implements worker.Listener.
func (l *listener) TaskConfigs(name string, configs []map[string]string) {
	l.s.crew.tell(name, letter{division: &configs})
}

// TopicUsed implements worker.Listener.
func (l *listener) TopicUsed(connector, topic string) {
	if !l.s.settings.TopicTrackingEnable {
		return
	}
	if err := l.s.statuses.PutTopic(context.Background(), connector, topic); err != nil {
		l.s.logger.Warn("a used topic could not be noted", "connector", connector, "topic", topic, "error", err)
	}
}

// putConnectorStatus and putTaskStatus leave the news of a worker alone that has taken over meanwhile: what a worker says
// when it ends something must not hide that it runs elsewhere (reference section 3.4).
func (s *core) putConnectorStatus(name string, st store.Status) error {
	if st.State == store.StateUnassigned || st.State == store.StateFailed {
		return s.statuses.PutConnectorSafe(context.Background(), name, st)
	}
	return s.statuses.PutConnector(context.Background(), name, st)
}

func (s *core) putTaskStatus(id store.TaskID, st store.Status) error {
	if st.State == store.StateUnassigned || st.State == store.StateFailed {
		return s.statuses.PutTaskSafe(context.Background(), id, st)
	}
	return s.statuses.PutTask(context.Background(), id, st)
}

func (s *core) status(connector string, state store.State, err error) store.Status {
	st := store.Status{State: state, WorkerID: s.workerID, Generation: s.generation()}
	if err != nil {
		st.Trace = err.Error()
	}
	if c, ok := s.configs.Snapshot().Connectors[connector]; ok {
		if resolved, err := s.resolve(c.Config); err == nil {
			st.Version = resolved.Connector.Version
		}
	}
	return st
}

// logState writes the changes that an operator wants to see.
func (s *core) logState(what string, state store.State, err error, attrs ...any) {
	attrs = append(attrs, "state", state)
	if state == store.StateFailed {
		s.logger.Error(what+" failed; after mending the cause, restart it through the REST API", append(attrs, "error", err)...)
		return
	}
	s.logger.Info(what+" state changed", attrs...)
}
