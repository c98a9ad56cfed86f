package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/tailrace/tailrace/host/kafka"
)

// maxWaitingStatusBytes bounds the statuses that wait while brokers are away (I-4).
// It leaves room in the producer's buffer, so that no write ever blocks on it.
const maxWaitingStatusBytes = 8 << 20

// StatusTopic is the StatusStore of a cluster (reference section 3.4).
//
// A write is visible in this worker at once and goes to the topic in the
// background; the producer repeats it for as long as brokers are away. Reading it
// back must not bring an older status of this worker back for a moment, so that
// records are ignored while a newer one of the same key is on its way.
type StatusTopic struct {
	clients TopicClients
	log     *kafka.TopicLog
	now     func() time.Time
	cache   *MemoryStatusStore

	mu      sync.Mutex          // orders writes and what is read
	pending map[string][][]byte // written and not read back, by key, in order
}

// OpenStatusTopic creates or checks the topic and reads it to its end.
func OpenStatusTopic(ctx context.Context, clients TopicClients, spec TopicSpec) (*StatusTopic, error) {
	s := &StatusTopic{clients: clients, now: time.Now, cache: NewMemoryStatusStore(), pending: map[string][][]byte{}}
	log, err := clients.open(ctx, spec, s.apply)
	if err != nil {
		return nil, err
	}
	s.log = log
	return s, nil
}

func (s *StatusTopic) apply(records []kafka.LogRecord) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range records {
		key := string(r.Key)
		s.settle(key, r.Value, true)
		if len(s.pending[key]) > 0 {
			continue
		}
		s.remember(context.Background(), Record{r.Key, r.Value})
	}
}

// settle forgets the first pending write of a key that has this value, and with
// earlier also those before it, which compaction may have taken.
func (s *StatusTopic) settle(key string, value []byte, earlier bool) {
	p := s.pending[key]
	i := slices.IndexFunc(p, func(v []byte) bool { return bytes.Equal(v, value) && (v == nil) == (value == nil) })
	switch {
	case i < 0:
		return
	case earlier:
		p = p[i+1:]
	default:
		p = slices.Delete(slices.Clone(p), i, i+1)
	}
	if len(p) == 0 {
		delete(s.pending, key)
		return
	}
	s.pending[key] = p
}

// remember takes a record into the cache.
func (s *StatusTopic) remember(ctx context.Context, r Record) {
	e, err := parseStatusRecord(r)
	if errors.Is(err, errForeignRecord) {
		return
	}
	if err != nil {
		s.clients.log().Warn("ignored a record of the status topic", "key", string(r.Key), "error", err)
		return
	}
	switch {
	case e.topic != nil && e.deleted:
		s.cache.forgetTopic(e.topic.Connector, e.topic.Topic)
	case e.topic != nil:
		_ = s.cache.PutTopic(ctx, e.topic.Connector, e.topic.Topic)
	case e.task != nil:
		_ = s.cache.PutTask(ctx, *e.task, e.status)
	default:
		_ = s.cache.PutConnector(ctx, e.connector, e.status)
	}
}

// write shows the records here and sends them on their way. may is asked under the lock.
func (s *StatusTopic) write(ctx context.Context, may func() bool, records ...Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if may != nil && !may() {
		return nil
	}
	if waiting := s.log.BufferedBytes(); waiting > maxWaitingStatusBytes {
		return fmt.Errorf("cannot write %s to the status topic: %d bytes of statuses wait for a broker already", records[0].Key, waiting)
	}
	for _, r := range records {
		s.pending[string(r.Key)] = append(s.pending[string(r.Key)], r.Value)
		s.remember(ctx, r)
	}
	// Within the lock, so that the topic has the order of the cache; and not bound
	// to the caller's time, because the caller does not wait for it.
	for _, r := range records {
		s.log.Send(context.WithoutCancel(ctx), func(err error) { s.sent(r, err) }, kafka.LogEntry{Key: r.Key, Value: r.Value})
	}
	return nil
}

// sent runs on the client's goroutine, which may not wait for write.
func (s *StatusTopic) sent(r Record, err error) {
	if err == nil {
		return // settled when it is read back
	}
	go func() {
		s.mu.Lock()
		s.settle(string(r.Key), r.Value, false)
		s.mu.Unlock()
		if !errors.Is(err, kafka.ErrClosed) {
			s.clients.log().Warn("a status was not written", "key", string(r.Key), "error", err)
		}
	}()
}

// PutConnector implements StatusStore.
func (s *StatusTopic) PutConnector(ctx context.Context, connector string, st Status) error {
	return s.write(ctx, nil, ConnectorStatusRecord(connector, st))
}

// PutTask implements StatusStore.
func (s *StatusTopic) PutTask(ctx context.Context, id TaskID, st Status) error {
	return s.write(ctx, nil, TaskStatusRecord(id, st))
}

// PutConnectorSafe implements StatusStore.
func (s *StatusTopic) PutConnectorSafe(ctx context.Context, connector string, st Status) error {
	return s.write(ctx, func() bool {
		old, ok := s.cache.Connector(connector)
		return !ok || MayOverwrite(old, st)
	}, ConnectorStatusRecord(connector, st))
}

// PutTaskSafe implements StatusStore.
func (s *StatusTopic) PutTaskSafe(ctx context.Context, id TaskID, st Status) error {
	return s.write(ctx, func() bool {
		old, ok := s.cache.Task(id)
		return !ok || MayOverwrite(old, st)
	}, TaskStatusRecord(id, st))
}

// Connector implements StatusStore.
func (s *StatusTopic) Connector(connector string) (Status, bool) { return s.cache.Connector(connector) }

// Task implements StatusStore.
func (s *StatusTopic) Task(id TaskID) (Status, bool) { return s.cache.Task(id) }

// Tasks implements StatusStore.
func (s *StatusTopic) Tasks(connector string) []TaskStatus { return s.cache.Tasks(connector) }

// Connectors implements StatusStore.
func (s *StatusTopic) Connectors() []string { return s.cache.Connectors() }

// Topics implements StatusStore.
func (s *StatusTopic) Topics(connector string) []string { return s.cache.Topics(connector) }

// Forget implements StatusStore.
func (s *StatusTopic) Forget(ctx context.Context, connector string) error {
	gone := Status{State: StateDestroyed}
	var records []Record
	for _, t := range s.cache.Tasks(connector) {
		records = append(records, TaskStatusRecord(t.ID, gone))
	}
	if _, ok := s.cache.Connector(connector); ok {
		records = append(records, ConnectorStatusRecord(connector, gone))
	}
	for _, topic := range s.cache.Topics(connector) {
		records = append(records, TopicStatusTombstone(connector, topic))
	}
	if len(records) == 0 {
		return nil
	}
	return s.write(ctx, nil, records...)
}

// PutTopic implements StatusStore; a topic that is noted already is not written
// again. The record names task 0: which task was first is of no use to a reader.
func (s *StatusTopic) PutTopic(ctx context.Context, connector, topic string) error {
	return s.write(ctx, func() bool { return !s.cache.hasTopic(connector, topic) },
		TopicStatusRecord(TopicStatus{topic, connector, 0, s.now().UnixMilli()}))
}

// ResetTopics implements StatusStore.
func (s *StatusTopic) ResetTopics(ctx context.Context, connector string) error {
	var records []Record
	for _, topic := range s.cache.Topics(connector) {
		records = append(records, TopicStatusTombstone(connector, topic))
	}
	if len(records) == 0 {
		return nil
	}
	return s.write(ctx, nil, records...)
}

// Flush returns when the writes before it are in the topic, so that what another worker writes from now on comes later.
func (s *StatusTopic) Flush(ctx context.Context) error { return s.log.Flush(ctx) }

// Refresh reads what other workers have written until now.
func (s *StatusTopic) Refresh(ctx context.Context) error { return s.log.ReadToEnd(ctx) }

// Health says whether Kafka answers.
func (s *StatusTopic) Health() kafka.Health { return s.log.Health() }

// Close implements StatusStore: it waits a moment for writes on their way.
func (s *StatusTopic) Close() error { return s.log.Close() }
