package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tailrace/tailrace/host/kafka"
)

// configWriteTimeout bounds a write of the config topic together with reading it
// back, as in Kafka Connect (reference section 3.2).
const configWriteTimeout = 30 * time.Second

// ConfigTopic is the ConfigStore of a cluster: a topic with one partition that
// every worker reads. Only the leader may write, except for target states and
// logger levels; who the leader is, is not known here.
//
// A write returns when all replicas have it and this worker has read it back (I-8). With UseTransactions those of the leader
// need a Claim.
type ConfigTopic struct {
	clients  TopicClients
	topic    string
	log      *kafka.TopicLog
	listener func(ConfigSnapshot, ConfigChanges)

	writing sync.Mutex                                       // one write procedure at a time: sets of tasks must not mix
	claim   func(context.Context) (*kafka.Transactor, error) // nil: the leader writes without transactions
	leader  *kafka.Transactor                                // nil: not claimed; guarded by writing
	cut     atomic.Bool                                      // the claim has lapsed

	mu       sync.Mutex
	fold     *ConfigFold // written by the log's goroutine
	snapshot ConfigSnapshot
	changed  chan struct{}
	ready    bool               // the first reading is over
	endWrite context.CancelFunc // of a transaction under way
}

// OpenConfigTopic creates or checks the topic and reads it to its end. listener
// is called after that for every change, on one goroutine; it must not block and
// must not call the store's writing methods. It may be nil.
func OpenConfigTopic(ctx context.Context, clients TopicClients, spec TopicSpec, listener func(ConfigSnapshot, ConfigChanges)) (*ConfigTopic, error) {
	spec.OnePartition, spec.Partitions = true, 1
	s := &ConfigTopic{clients: clients, topic: spec.Name, listener: listener, fold: NewConfigFold(), changed: make(chan struct{})}
	s.snapshot = s.fold.Snapshot()
	log, err := clients.open(ctx, spec, s.apply)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log, s.ready = log, true
	// Restart requests and logger levels from before are for workers that ran then.
	s.fold.Take()
	return s, nil
}

func (s *ConfigTopic) apply(records []kafka.LogRecord) {
	s.mu.Lock()
	for _, r := range records {
		if err := s.fold.Apply(r.Offset, Record{r.Key, r.Value}); err != nil {
			s.clients.log().Warn("ignored a record of the config topic", "key", string(r.Key), "offset", r.Offset, "error", err)
		}
	}
	s.snapshot = s.fold.Snapshot()
	close(s.changed)
	s.changed = make(chan struct{})
	snapshot, changes, tell := s.snapshot, ConfigChanges{}, s.ready && s.listener != nil
	if s.ready {
		changes = s.fold.Take()
	}
	s.mu.Unlock()
	if tell && !changes.Empty() {
		s.listener(snapshot, changes)
	}
}

// Snapshot implements ConfigStore.
func (s *ConfigTopic) Snapshot() ConfigSnapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.snapshot
}

// Changed implements ConfigStore.
func (s *ConfigTopic) Changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

// Refresh reads what other workers have written until now.
func (s *ConfigTopic) Refresh(ctx context.Context) error { return s.log.ReadToEnd(ctx) }

// Cut gives up what is not acknowledged, so that it cannot come after what another leader writes. It does not wait.
func (s *ConfigTopic) Cut() {
	s.cut.Store(true)
	s.log.Cut()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.endWrite != nil {
		s.endWrite()
	}
}

// Health says whether Kafka answers.
func (s *ConfigTopic) Health() kafka.Health { return s.log.Health() }

// PutConnector implements ConfigStore. The properties come in the order of Java's
// HashMap; PutConnectorInOrder keeps one.
func (s *ConfigTopic) PutConnector(ctx context.Context, name string, config map[string]string, target TargetState) error {
	return s.putConnector(ctx, name, asHashMap(propertiesInOrder(config, nil)), target)
}

// PutConnectorInOrder is PutConnector with the order in which the properties shall stand in the topic; one that is not in
// order comes at the end. Kafka Connect keeps the order of the request.
func (s *ConfigTopic) PutConnectorInOrder(ctx context.Context, name string, config map[string]string, order []string, target TargetState) error {
	return s.putConnector(ctx, name, propertiesInOrder(config, order), target)
}

// PatchConnector is PutConnector for a configuration that was made from the stored one: what was there before keeps its order,
// and added comes behind it, in a HashMap as Kafka Connect's.
func (s *ConfigTopic) PatchConnector(ctx context.Context, name string, config map[string]string, added []string) error {
	s.mu.Lock()
	order := s.fold.order(name)
	s.mu.Unlock()
	return s.putConnector(ctx, name, asHashMap(propertiesInOrder(config, append(order, added...))), "")
}

func (s *ConfigTopic) putConnector(ctx context.Context, name string, properties []Property, target TargetState) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	var records []Record
	if target != "" {
		records = append(records, TargetStateRecord(name, target))
	}
	return s.lead(ctx, append(records, ConnectorRecord(name, properties))...)
}

// DeleteConnector implements ConfigStore. Records of its tasks stay in the topic
// and mean nothing any more.
func (s *ConfigTopic) DeleteConnector(ctx context.Context, name string) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if _, ok := s.Snapshot().Connectors[name]; !ok {
		return nil
	}
	return s.lead(ctx, ConnectorTombstone(name), TargetStateTombstone(name))
}

// PutTasks implements ConfigStore: the tasks first, then the commit that makes
// them valid, so that no worker ever sees a mixture of two sets.
func (s *ConfigTopic) PutTasks(ctx context.Context, connector string, tasks []map[string]string) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	current, ok := s.Snapshot().Connectors[connector]
	if !ok || sameTasks(current, tasks) {
		return nil
	}
	if len(tasks) > 0 {
		s.mu.Lock()
		order := s.fold.order(connector)
		s.mu.Unlock()
		records := make([]Record, len(tasks))
		for i, t := range tasks {
			records[i] = TaskRecord(TaskID{connector, i}, asHashMap(propertiesInOrder(t, order)))
		}
		if err := s.lead(ctx, records...); err != nil {
			return err
		}
	}
	return s.lead(ctx, CommitRecord(connector, len(tasks)))
}

// RemoveTasks leaves a connector without tasks. Unlike PutTasks it says so also when there are none, as Kafka Connect does
// whenever a connector is stopped.
func (s *ConfigTopic) RemoveTasks(ctx context.Context, connector string) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if _, ok := s.Snapshot().Connectors[connector]; !ok {
		return nil
	}
	return s.lead(ctx, CommitRecord(connector, 0))
}

// sameTasks says that writing would change nothing. Tasks that were made from
// another configuration of the connector are not the same: they must restart.
func sameTasks(c ConnectorSnapshot, tasks []map[string]string) bool {
	return c.Tasks != nil && maps.Equal(c.AppliedConfig, c.Config) && slices.EqualFunc(c.Tasks, tasks, maps.Equal[map[string]string])
}

// PutTargetState implements ConfigStore.
func (s *ConfigTopic) PutTargetState(ctx context.Context, connector string, target TargetState) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if _, ok := s.Snapshot().Connectors[connector]; !ok {
		return nil
	}
	return s.write(ctx, TargetStateRecord(connector, target))
}

// PutSessionKey publishes the key with which workers sign requests to each other.
func (s *ConfigTopic) PutSessionKey(ctx context.Context, key SessionKey) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	return s.lead(ctx, SessionKeyRecord(key))
}

// PutRestart asks all workers to restart what they run of a connector.
func (s *ConfigTopic) PutRestart(ctx context.Context, r RestartRequest) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	return s.lead(ctx, RestartRecord(r))
}

// PutLogger asks all workers to change a logger's level.
func (s *ConfigTopic) PutLogger(ctx context.Context, l LoggerLevel) error {
	return s.write(ctx, LoggerRecord(l))
}

// PutFencedTasks notes for how many tasks the older producers were fenced.
func (s *ConfigTopic) PutFencedTasks(ctx context.Context, connector string, tasks int) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	return s.lead(ctx, FencingRecord(connector, tasks))
}

// write makes the records durable and reads them back.
func (s *ConfigTopic) write(ctx context.Context, records ...Record) error {
	ctx, cancel := context.WithTimeout(ctx, configWriteTimeout)
	defer cancel()
	err := s.log.Append(ctx, logEntries(records)...)
	if err == nil {
		err = s.log.ReadToEnd(ctx)
	}
	if err != nil {
		return fmt.Errorf("cannot write %s to the config topic: %w", records[0].Key, err)
	}
	return nil
}

// Close implements ConfigStore.
func (s *ConfigTopic) Close() error {
	s.Resign()
	return s.log.Close()
}
