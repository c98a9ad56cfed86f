package store

import (
	"context"
	"maps"
	"slices"
	"sync"
)

// TargetState is what the user wants of a connector.
type TargetState string

// Kafka Connect's target states, spelt as on the wire.
const (
	TargetStarted TargetState = "STARTED"
	TargetPaused  TargetState = "PAUSED"
	TargetStopped TargetState = "STOPPED"
)

// TaskID names one task of a connector.
type TaskID struct {
	Connector string
	Task      int // from 0
}

// ConfigSnapshot is the whole desired state at one moment. It is an immutable
// value: nobody changes it or anything in it, so it may be shared without locks.
type ConfigSnapshot struct {
	// Version grows with every change. For a Kafka topic it is the offset.
	Version int64
	// Connectors by name.
	Connectors map[string]ConnectorSnapshot
	// SessionKey signs requests between the workers of a cluster; nil when there
	// is none.
	SessionKey *SessionKey
}

// ConnectorSnapshot is the desired state of one connector.
type ConnectorSnapshot struct {
	Config      map[string]string
	TargetState TargetState
	// Tasks are the task configurations by task number; nil until the connector
	// has made some, and while Inconsistent.
	Tasks []map[string]string
	// TasksSeen is how many tasks the connector has had at most, as far as is known.
	TasksSeen int
	// TaskGeneration grows with every valid set of task configurations.
	TaskGeneration int
	// AppliedConfig is the configuration that Tasks were made from.
	AppliedConfig map[string]string

	// The rest concerns a cluster and stays zero in a standalone worker.

	// TasksVersion is the Version since which Tasks are as they are.
	TasksVersion int64
	// Inconsistent: the last set of task configurations in the topic is not whole
	// (compaction met it halfway). The leader lets the connector make a new one.
	Inconsistent bool
	// PendingFencing: since the last set of tasks nobody has fenced the producers of
	// the one before. FencedTasks is how many tasks were fenced last; Fenced says
	// that it was read.
	PendingFencing bool
	FencedTasks    int
	Fenced         bool
}

// Names lists the connectors, sorted.
func (s ConfigSnapshot) Names() []string { return slices.Sorted(maps.Keys(s.Connectors)) }

// ConfigStore keeps the desired state. Methods are safe for concurrent use; a
// write returns when it is as durable as the store makes it (I-8) and visible in
// Snapshot.
type ConfigStore interface {
	Snapshot() ConfigSnapshot
	// Changed returns a channel that is closed when a snapshot newer than the one
	// of the last Snapshot call may exist. Ask again after each change: take the
	// channel first, then the snapshot, so that no change is missed.
	Changed() <-chan struct{}
	// PutConnector creates or replaces a connector's configuration. A new connector
	// gets the target state; for an existing one an empty target keeps the present state.
	PutConnector(ctx context.Context, name string, config map[string]string, target TargetState) error
	// DeleteConnector removes a connector, its tasks and its target state; one that
	// does not exist is no error.
	DeleteConnector(ctx context.Context, name string) error
	// PutTasks replaces all task configurations of a connector.
	PutTasks(ctx context.Context, connector string, tasks []map[string]string) error
	// PutTargetState changes what the user wants of a connector.
	PutTargetState(ctx context.Context, connector string, target TargetState) error
	Close() error
}

// MemoryConfigStore keeps the desired state of a standalone worker, where Kafka
// Connect keeps it in memory too (reference section 2.3).
type MemoryConfigStore struct {
	mu       sync.Mutex
	snapshot ConfigSnapshot
	changed  chan struct{}
}

// NewMemoryConfigStore returns an empty store.
func NewMemoryConfigStore() *MemoryConfigStore {
	return &MemoryConfigStore{
		snapshot: ConfigSnapshot{Connectors: map[string]ConnectorSnapshot{}},
		changed:  make(chan struct{}),
	}
}

// Snapshot implements ConfigStore.
func (s *MemoryConfigStore) Snapshot() ConfigSnapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.snapshot
}

// Changed implements ConfigStore.
func (s *MemoryConfigStore) Changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

// PutConnector implements ConfigStore.
func (s *MemoryConfigStore) PutConnector(_ context.Context, name string, config map[string]string, target TargetState) error {
	s.update(name, func(c ConnectorSnapshot, _ bool) (ConnectorSnapshot, bool) {
		c.Config = maps.Clone(config)
		if target != "" {
			c.TargetState = target
		}
		if c.TargetState == "" {
			c.TargetState = TargetStarted
		}
		return c, true
	})
	return nil
}

// DeleteConnector implements ConfigStore.
func (s *MemoryConfigStore) DeleteConnector(_ context.Context, name string) error {
	s.update(name, func(c ConnectorSnapshot, _ bool) (ConnectorSnapshot, bool) { return c, false })
	return nil
}

// PutTasks implements ConfigStore; a connector that was deleted meanwhile stays deleted.
func (s *MemoryConfigStore) PutTasks(_ context.Context, connector string, tasks []map[string]string) error {
	s.update(connector, func(c ConnectorSnapshot, exists bool) (ConnectorSnapshot, bool) {
		c.Tasks = make([]map[string]string, len(tasks))
		for i, t := range tasks {
			c.Tasks[i] = maps.Clone(t)
		}
		c.TasksSeen = max(c.TasksSeen, len(tasks))
		c.TaskGeneration++
		c.AppliedConfig = c.Config
		return c, exists
	})
	return nil
}

// PutTargetState implements ConfigStore; a connector that was deleted meanwhile stays deleted.
func (s *MemoryConfigStore) PutTargetState(_ context.Context, connector string, target TargetState) error {
	s.update(connector, func(c ConnectorSnapshot, exists bool) (ConnectorSnapshot, bool) {
		c.TargetState = target
		return c, exists
	})
	return nil
}

// Close implements ConfigStore.
func (s *MemoryConfigStore) Close() error { return nil }

// update replaces one connector in a new snapshot and wakes the waiters.
func (s *MemoryConfigStore) update(name string, f func(c ConnectorSnapshot, exists bool) (after ConnectorSnapshot, keep bool)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before, exists := s.snapshot.Connectors[name]
	after, keep := f(before, exists)
	if !exists && !keep {
		return
	}
	connectors := maps.Clone(s.snapshot.Connectors)
	if keep {
		connectors[name] = after
	} else {
		delete(connectors, name)
	}
	s.snapshot = ConfigSnapshot{Version: s.snapshot.Version + 1, Connectors: connectors}
	close(s.changed)
	s.changed = make(chan struct{})
}
