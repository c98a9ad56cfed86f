package store

import (
	"errors"
	"maps"
	"slices"
)

// ConfigFold reads the config topic record by record, in the order of offsets,
// and gives the state that they describe as an immutable snapshot (reference
// section 3.2, "read rules"). It decides nothing by time or by who reads: all
// workers that have read the same records have the same snapshot.
//
// It is a value of one owner; it is not safe for concurrent use.
type ConfigFold struct {
	offset     int64
	sessionKey *SessionKey
	connectors map[string]*connectorFold
	changes    ConfigChanges
}

// connectorFold is all that is known under one connector's name.
type connectorFold struct {
	config      map[string]string // nil: the connector does not exist
	order       []string          // its keys as they stood in the record
	targetState TargetState       // may come before the configuration
	tasks       map[int]map[string]string
	deferred    map[int]map[string]string // task records that no commit has made valid
	taskCount   int                       // of the last commit
	committed   bool                      // there was a commit since the connector exists
	generation  int
	version     int64 // of the last commit
	applied     map[string]string

	inconsistent   bool
	fencedTasks    int
	fenced         bool // fencedTasks was read
	pendingFencing bool
}

// ConfigChanges is what records asked for since the last Take. A connector whose
// configuration, tasks or target state changed is listed once.
type ConfigChanges struct {
	Connectors   map[string]struct{} // configuration written or deleted
	Tasks        map[string]struct{} // task configurations committed
	TargetStates map[string]struct{} // target state changed
	SessionKey   bool                // a new session key
	Restarts     []RestartRequest    // in order
	Loggers      []LoggerLevel       // in order
}

// Empty says that there is nothing in it.
func (c ConfigChanges) Empty() bool {
	return len(c.Connectors) == 0 && len(c.Tasks) == 0 && len(c.TargetStates) == 0 && !c.SessionKey &&
		len(c.Restarts) == 0 && len(c.Loggers) == 0
}

// NewConfigFold is the state before the first record.
func NewConfigFold() *ConfigFold {
	return &ConfigFold{offset: -1, connectors: map[string]*connectorFold{}, changes: noChanges()}
}

func noChanges() ConfigChanges {
	return ConfigChanges{Connectors: map[string]struct{}{}, Tasks: map[string]struct{}{}, TargetStates: map[string]struct{}{}}
}

// Apply reads one record. The error says why the record changed nothing and is
// for the log; reading goes on after it. A key of a newer worker is no error.
func (f *ConfigFold) Apply(offset int64, r Record) error {
	f.offset = offset + 1
	event, err := parseConfigRecord(r)
	if errors.Is(err, errForeignRecord) {
		return nil
	}
	if err != nil {
		return err
	}
	event.apply(f)
	return nil
}

// Take returns the changes since the last call and forgets them.
func (f *ConfigFold) Take() ConfigChanges {
	changes := f.changes
	f.changes = noChanges()
	return changes
}

func (f *ConfigFold) connector(name string) *connectorFold {
	c := f.connectors[name]
	if c == nil {
		c = &connectorFold{}
		f.connectors[name] = c
	}
	return c
}

func (e connectorEvent) apply(f *ConfigFold) {
	c := f.connector(e.connector)
	f.changes.Connectors[e.connector] = struct{}{}
	if e.properties == nil {
		c.config, c.order, c.tasks, c.deferred, c.applied = nil, nil, nil, nil, nil
		c.taskCount, c.committed = 0, false
		return
	}
	c.config = make(map[string]string, len(e.properties))
	c.order = make([]string, len(e.properties))
	for i, p := range e.properties {
		c.order[i], c.config[p.Key] = p.Key, p.Value
	}
	if c.targetState == "" {
		c.targetState = TargetStarted
	}
}

func (e taskEvent) apply(f *ConfigFold) {
	c := f.connector(e.id.Connector)
	if c.deferred == nil {
		c.deferred = map[int]map[string]string{}
	}
	config := make(map[string]string, len(e.properties))
	for _, p := range e.properties {
		config[p.Key] = p.Value
	}
	c.deferred[e.id.Task] = config
}

func (e commitEvent) apply(f *ConfigFold) {
	c := f.connector(e.connector)
	if c.config == nil { // what compaction has left of a deleted connector
		c.tasks, c.deferred, c.taskCount, c.committed = nil, nil, 0, false
		return
	}
	c.inconsistent = false
	for i := range e.tasks {
		if _, ok := c.deferred[i]; !ok { // compacted away by a newer set whose commit is still to come
			c.inconsistent = true
			break
		}
	}
	if !c.inconsistent {
		tasks := maps.Clone(c.tasks)
		if tasks == nil {
			tasks = map[int]map[string]string{}
		}
		maps.Copy(tasks, c.deferred)
		c.tasks = tasks
		c.generation++
		c.applied = c.config
	}
	c.deferred = nil
	c.taskCount, c.committed, c.pendingFencing, c.version = e.tasks, true, true, f.offset
	f.changes.Tasks[e.connector] = struct{}{}
}

func (e targetStateEvent) apply(f *ConfigFold) {
	c := f.connector(e.connector)
	next := e.state
	if next == "" && c.config != nil {
		next = TargetStarted
	}
	if next != c.targetState && c.config != nil {
		f.changes.TargetStates[e.connector] = struct{}{}
	}
	c.targetState = next
}

func (e fencingEvent) apply(f *ConfigFold) {
	c := f.connector(e.connector)
	c.fencedTasks, c.fenced, c.pendingFencing = e.tasks, true, false
}

func (e sessionKeyEvent) apply(f *ConfigFold) {
	f.sessionKey = &e.key
	f.changes.SessionKey = true
}

func (e restartEvent) apply(f *ConfigFold) {
	f.changes.Restarts = append(f.changes.Restarts, e.request)
}

func (e loggerEvent) apply(f *ConfigFold) {
	f.changes.Loggers = append(f.changes.Loggers, e.level)
}

// Snapshot is the state after the last record. The maps in it are never changed
// again, so that it costs a map of the connectors' size and no copy of configurations.
func (f *ConfigFold) Snapshot() ConfigSnapshot {
	s := ConfigSnapshot{Version: f.offset, Connectors: make(map[string]ConnectorSnapshot, len(f.connectors)), SessionKey: f.sessionKey}
	for name, c := range f.connectors {
		if c.config == nil {
			continue
		}
		s.Connectors[name] = ConnectorSnapshot{
			Config: c.config, TargetState: c.targetState, Tasks: c.validTasks(), TasksSeen: len(c.tasks),
			Inconsistent: c.inconsistent, TaskGeneration: c.generation, TasksVersion: c.version, AppliedConfig: c.applied,
			PendingFencing: c.pendingFencing, FencedTasks: c.fencedTasks, Fenced: c.fenced,
		}
	}
	return s
}

// validTasks is nil before the first commit and for an inconsistent set: no task
// of it may run before the connector has made a new one.
func (c *connectorFold) validTasks() []map[string]string {
	if !c.committed || c.inconsistent {
		return nil
	}
	tasks := make([]map[string]string, c.taskCount)
	for i := range tasks {
		tasks[i] = c.tasks[i]
	}
	return tasks
}

// order is how the keys of a connector's configuration stand in the topic.
func (f *ConfigFold) order(connector string) []string {
	if c := f.connectors[connector]; c != nil {
		return slices.Clone(c.order)
	}
	return nil
}
