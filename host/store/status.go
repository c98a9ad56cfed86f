package store

import (
	"cmp"
	"context"
	"slices"
	"sync"
)

// State is where a connector or task stands, spelt as on the wire.
type State string

// Kafka Connect's states. StateDestroyed is never stored: it deletes the status.
const (
	StateUnassigned State = "UNASSIGNED"
	StateRunning    State = "RUNNING"
	StatePaused     State = "PAUSED"
	StateStopped    State = "STOPPED"
	StateFailed     State = "FAILED"
	StateRestarting State = "RESTARTING"
	StateDestroyed  State = "DESTROYED"
)

// Status is an immutable value.
type Status struct {
	State State
	// Trace says why it failed; empty otherwise. The writer keeps secrets out (I-9).
	Trace string
	// WorkerID is the advertised host:port of the writer.
	WorkerID string
	// Generation is the writer's group generation; 0 in a standalone worker.
	Generation int
	// Version of the plugin that runs, empty when unknown.
	Version string
}

// StatusStore keeps the last known status of every connector and task, and the
// topics that a connector has used. Methods are safe for concurrent use. Unlike
// offsets and configs a lost status does no harm; writes may be asynchronous.
type StatusStore interface {
	PutConnector(ctx context.Context, connector string, s Status) error
	PutTask(ctx context.Context, id TaskID, s Status) error
	// PutConnectorSafe and PutTaskSafe write only over an entry of the same worker
	// or of a generation not newer than s.Generation, so that a worker which lost
	// its place does not overwrite its successor (reference section 3.4).
	PutConnectorSafe(ctx context.Context, connector string, s Status) error
	PutTaskSafe(ctx context.Context, id TaskID, s Status) error

	Connector(connector string) (Status, bool)
	Task(id TaskID) (Status, bool)
	// Tasks lists the known tasks of a connector by task number.
	Tasks(connector string) []TaskStatus
	// Connectors lists the connectors that have a status, sorted.
	Connectors() []string
	// Forget removes everything known about a connector.
	Forget(ctx context.Context, connector string) error

	// PutTopic notes that a connector has used a topic (KIP-558).
	PutTopic(ctx context.Context, connector, topic string) error
	// Topics lists the noted topics of a connector, sorted.
	Topics(connector string) []string
	// ResetTopics forgets them.
	ResetTopics(ctx context.Context, connector string) error
	Close() error
}

// TaskStatus is a task with its status.
type TaskStatus struct {
	ID     TaskID
	Status Status
}

// MemoryStatusStore is the StatusStore of a standalone worker.
type MemoryStatusStore struct {
	mu         sync.RWMutex
	connectors map[string]Status
	tasks      map[string]map[int]Status
	topics     map[string]map[string]struct{}
}

// NewMemoryStatusStore returns an empty store.
func NewMemoryStatusStore() *MemoryStatusStore {
	return &MemoryStatusStore{
		connectors: map[string]Status{},
		tasks:      map[string]map[int]Status{},
		topics:     map[string]map[string]struct{}{},
	}
}

// PutConnector implements StatusStore.
func (s *MemoryStatusStore) PutConnector(_ context.Context, connector string, st Status) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.setConnector(connector, st)
	return nil
}

// PutConnectorSafe implements StatusStore.
func (s *MemoryStatusStore) PutConnectorSafe(_ context.Context, connector string, st Status) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old, ok := s.connectors[connector]; !ok || MayOverwrite(old, st) {
		s.setConnector(connector, st)
	}
	return nil
}

func (s *MemoryStatusStore) setConnector(connector string, st Status) {
	if st.State == StateDestroyed {
		delete(s.connectors, connector)
		delete(s.tasks, connector) // as reading the tombstone of a connector does
		return
	}
	s.connectors[connector] = st
}

// PutTask implements StatusStore.
func (s *MemoryStatusStore) PutTask(_ context.Context, id TaskID, st Status) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.setTask(id, st)
	return nil
}

// PutTaskSafe implements StatusStore.
func (s *MemoryStatusStore) PutTaskSafe(_ context.Context, id TaskID, st Status) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old, ok := s.tasks[id.Connector][id.Task]; !ok || MayOverwrite(old, st) {
		s.setTask(id, st)
	}
	return nil
}

func (s *MemoryStatusStore) setTask(id TaskID, st Status) {
	if st.State == StateDestroyed {
		delete(s.tasks[id.Connector], id.Task)
		return
	}
	if s.tasks[id.Connector] == nil {
		s.tasks[id.Connector] = map[int]Status{}
	}
	s.tasks[id.Connector][id.Task] = st
}

// MayOverwrite is the rule of a safe write (reference section 3.4).
func MayOverwrite(old, next Status) bool {
	return old.WorkerID == next.WorkerID || old.Generation <= next.Generation
}

// claim is what a foreign status, read from the topic, means for one that this worker wrote before.
type claim int

const (
	claimNothing   claim = iota
	claimOvertaken       // the other runs it
	claimLate            // it came late and hides what runs here, so that it is to be written again
)

// claimOf compares what this worker wrote last of something that runs here with a status that came later. generation is
// this worker's, now. What it says of a living state is strict, so that two workers never answer each other without end.
// Pure.
func claimOf(own, seen Status, generation int) claim {
	switch {
	case seen.WorkerID == own.WorkerID:
		return claimNothing
	case seen.Generation < own.Generation, seen.State == StateUnassigned && seen.Generation <= generation:
		return claimLate
	case seen.Generation > own.Generation:
		return claimOvertaken
	}
	return claimNothing
}

// Connector implements StatusStore.
func (s *MemoryStatusStore) Connector(connector string) (Status, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	st, ok := s.connectors[connector]
	return st, ok
}

// Task implements StatusStore.
func (s *MemoryStatusStore) Task(id TaskID) (Status, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	st, ok := s.tasks[id.Connector][id.Task]
	return st, ok
}

// Tasks implements StatusStore.
func (s *MemoryStatusStore) Tasks(connector string) []TaskStatus {
	s.mu.RLock()
	defer s.mu.RUnlock()
	list := make([]TaskStatus, 0, len(s.tasks[connector]))
	for n, st := range s.tasks[connector] {
		list = append(list, TaskStatus{TaskID{connector, n}, st})
	}
	slices.SortFunc(list, func(a, b TaskStatus) int { return cmp.Compare(a.ID.Task, b.ID.Task) })
	return list
}

// Connectors implements StatusStore.
func (s *MemoryStatusStore) Connectors() []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return sortedKeys(s.connectors)
}

// Forget implements StatusStore.
func (s *MemoryStatusStore) Forget(_ context.Context, connector string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.connectors, connector)
	delete(s.tasks, connector)
	delete(s.topics, connector)
	return nil
}

// PutTopic implements StatusStore.
func (s *MemoryStatusStore) PutTopic(_ context.Context, connector, topic string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.topics[connector] == nil {
		s.topics[connector] = map[string]struct{}{}
	}
	s.topics[connector][topic] = struct{}{}
	return nil
}

func (s *MemoryStatusStore) hasTopic(connector, topic string) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	_, ok := s.topics[connector][topic]
	return ok
}

func (s *MemoryStatusStore) forgetTopic(connector, topic string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.topics[connector], topic)
}

// Topics implements StatusStore.
func (s *MemoryStatusStore) Topics(connector string) []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return sortedKeys(s.topics[connector])
}

// ResetTopics implements StatusStore.
func (s *MemoryStatusStore) ResetTopics(_ context.Context, connector string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.topics, connector)
	return nil
}

// Close implements StatusStore.
func (s *MemoryStatusStore) Close() error { return nil }

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
