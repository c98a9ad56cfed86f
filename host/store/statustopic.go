package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
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
	place   Place
	// forgotten hears of connectors whose topics were forgotten; nil when nobody wants to.
	forgotten func(connector string)
	own       map[string]Status // what this worker wrote last of what runs here, by key
	late      map[string]Record // safe writes of a worker that has lost its place, by key
	sending   bool              // a goroutine deals with late
	ctx       context.Context   // ends when Close begins
	cancel    context.CancelFunc
	waiting   sync.WaitGroup
}

// Place is where a worker stands in its group. Its functions are called under a lock and must not block.
type Place struct {
	Generation func() int   // that was joined last
	Leased     func() error // nil while no other worker can have taken over
}

// SetPlace lets the store know when what it writes may be out of date. It is called once, before anything runs.
func (s *StatusTopic) SetPlace(p Place) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.place = p
}

// OnTopicsForgotten lets a function hear, from now on, that some worker has forgotten the topics of a connector: tasks that use
// them must say so again. It is called on the reader's goroutine and must not block.
func (s *StatusTopic) OnTopicsForgotten(f func(connector string)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forgotten = f
}

// OpenStatusTopic creates or checks the topic and reads it to its end.
func OpenStatusTopic(ctx context.Context, clients TopicClients, spec TopicSpec) (*StatusTopic, error) {
	s := &StatusTopic{clients: clients, now: time.Now, cache: NewMemoryStatusStore(), pending: map[string][][]byte{}, own: map[string]Status{}, late: map[string]Record{}}
	s.ctx, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	log, err := clients.open(ctx, spec, s.apply)
	if err != nil {
		s.cancel()
		return nil, err
	}
	s.log = log
	return s, nil
}

func (s *StatusTopic) apply(records []kafka.LogRecord) {
	forgotten := map[string]struct{}{}
	s.mu.Lock()
	tell := s.forgotten
	for _, r := range records {
		key := string(r.Key)
		s.settle(key, r.Value, true)
		if len(s.pending[key]) > 0 {
			continue
		}
		if e, ok := s.read(Record{r.Key, r.Value}); ok {
			s.remember(context.Background(), e)
			s.repeat(key, e)
		}
		if connector, ok := topicForgotten(Record{r.Key, r.Value}); ok {
			forgotten[connector] = struct{}{}
		}
	}
	s.mu.Unlock()
	if tell != nil {
		for connector := range forgotten {
			tell(connector)
		}
	}
}

// topicForgotten reads the connector of a record that forgets one of its topics.
func topicForgotten(r Record) (connector string, ok bool) {
	if r.Value != nil || !strings.HasPrefix(string(r.Key), topicStatusPrefix) {
		return "", false
	}
	e, err := parseStatusRecord(r)
	if err != nil || e.topic == nil {
		return "", false
	}
	return e.topic.Connector, true
}

// repeat writes this worker's status again if what was read hides it, though the work still runs here.
func (s *StatusTopic) repeat(key string, e statusEvent) {
	if e.topic != nil || len(s.own) == 0 {
		return
	}
	if e.deleted {
		s.disown(e, key)
		return
	}
	own, ours := s.own[key]
	if !ours || s.place.Leased == nil {
		return
	}
	generation := s.place.Generation()
	switch claimOf(own, e.status, generation) {
	case claimNothing:
		return
	case claimOvertaken:
		delete(s.own, key)
		return
	case claimLate:
	}
	if s.place.Leased() != nil {
		return
	}
	own.Generation = generation
	r := ConnectorStatusRecord(e.connector, own)
	if e.task != nil {
		r = TaskStatusRecord(*e.task, own)
	}
	if err := s.send(s.ctx, r); err != nil {
		s.clients.log().Warn("a status that another worker's late one hides could not be written again", "error", err)
	}
}

// disown forgets what this worker has said of what is deleted; a connector goes with its tasks.
func (s *StatusTopic) disown(e statusEvent, key string) {
	delete(s.own, key)
	if e.task != nil {
		return
	}
	for other := range s.own {
		rest, isTask := strings.CutPrefix(other, taskStatusPrefix)
		if id, ok := splitTask(rest); isTask && ok && id.Connector == e.connector {
			delete(s.own, other)
		}
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

// read says what a record means; not ok when it means nothing here.
func (s *StatusTopic) read(r Record) (e statusEvent, ok bool) {
	e, err := parseStatusRecord(r)
	if err != nil && !errors.Is(err, errForeignRecord) {
		s.clients.log().Warn("ignored a record of the status topic", "key", string(r.Key), "error", err)
	}
	return e, err == nil
}

// remember takes what a record means into the cache.
func (s *StatusTopic) remember(ctx context.Context, e statusEvent) {
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
	return s.send(ctx, records...)
}

// writeSafe is write for the end of something, which may be told late: a worker that has lost its place first reads what
// its successor has said.
func (s *StatusTopic) writeSafe(ctx context.Context, may func() bool, r Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !may() {
		delete(s.own, string(r.Key)) // another runs it
		return nil
	}
	if s.place.Leased == nil || s.place.Leased() == nil {
		return s.send(ctx, r)
	}
	delete(s.own, string(r.Key))
	if e, ok := s.read(r); ok {
		s.remember(ctx, e)
	}
	s.late[string(r.Key)] = r
	if !s.sending && s.ctx.Err() == nil {
		s.sending = true
		s.waiting.Go(s.sendLate)
	}
	return nil
}

// sendLate reads the topic to its end, however long brokers are away, and then writes what nobody has overtaken.
func (s *StatusTopic) sendLate() {
	for {
		err := s.log.ReadToEnd(s.ctx)
		s.mu.Lock()
		if s.ctx.Err() != nil || err == nil {
			break
		}
		s.mu.Unlock()
		select {
		case <-time.After(openRetryDelay):
		case <-s.ctx.Done():
		}
	}
	defer s.mu.Unlock()
	s.sending = false
	for key, r := range s.late {
		delete(s.late, key)
		if s.ctx.Err() != nil || !s.mayOverwrite(r) {
			continue
		}
		if err := s.send(s.ctx, r); err != nil {
			s.clients.log().Warn("a status was not written", "key", key, "error", err)
		}
	}
}

// mayOverwrite asks [MayOverwrite] of what is known now.
func (s *StatusTopic) mayOverwrite(r Record) bool {
	e, err := parseStatusRecord(r)
	if err != nil || e.topic != nil {
		return false
	}
	old, known := s.cache.Connector(e.connector)
	if e.task != nil {
		old, known = s.cache.Task(*e.task)
	}
	return !known || MayOverwrite(old, e.status)
}

// note remembers what this worker has said of a connector or task.
func (s *StatusTopic) note(key string, e statusEvent) {
	if e.topic != nil {
		return
	}
	if e.deleted || e.status.State == StateUnassigned || e.status.State == StateDestroyed {
		delete(s.own, key)
		return
	}
	s.own[key] = e.status
}

// send shows the records here and sends them on their way, under the lock.
func (s *StatusTopic) send(ctx context.Context, records ...Record) error {
	if waiting := s.log.BufferedBytes(); waiting > maxWaitingStatusBytes {
		return fmt.Errorf("cannot write %s to the status topic: %d bytes of statuses wait for a broker already", records[0].Key, waiting)
	}
	for _, r := range records {
		delete(s.late, string(r.Key)) // this one is newer
		s.pending[string(r.Key)] = append(s.pending[string(r.Key)], r.Value)
		if e, ok := s.read(r); ok {
			s.note(string(r.Key), e)
			s.remember(ctx, e)
		}
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
	return s.writeSafe(ctx, func() bool {
		old, ok := s.cache.Connector(connector)
		return !ok || MayOverwrite(old, st)
	}, ConnectorStatusRecord(connector, st))
}

// PutTaskSafe implements StatusStore.
func (s *StatusTopic) PutTaskSafe(ctx context.Context, id TaskID, st Status) error {
	return s.writeSafe(ctx, func() bool {
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
func (s *StatusTopic) Close() error {
	s.cancel()
	s.waiting.Wait()
	return s.log.Close()
}
