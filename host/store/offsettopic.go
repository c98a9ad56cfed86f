package store

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/tailrace/tailrace/host/kafka"
)

// OffsetTopic is the OffsetStore of a cluster (reference section 3.3).
//
// Kafka tells keys apart by their bytes, and another worker, in another language,
// may have written the fields of a source partition in another order. So a key is
// looked up by what it means, and what is written for a partition that is known
// keeps the bytes that are in the topic.
type OffsetTopic struct {
	topic string
	log   *kafka.TopicLog

	mu      sync.RWMutex
	entries map[string][]byte
	known   map[string]string // canonical key to the key in the topic
}

// OpenOffsetTopic creates or checks the topic and reads it to its end.
func OpenOffsetTopic(ctx context.Context, clients TopicClients, spec TopicSpec) (*OffsetTopic, error) {
	s := &OffsetTopic{topic: spec.Name, entries: map[string][]byte{}, known: map[string]string{}}
	log, err := clients.open(ctx, spec, s.apply)
	if err != nil {
		return nil, err
	}
	s.log = log
	return s, nil
}

func (s *OffsetTopic) apply(records []kafka.LogRecord) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range records {
		key := string(r.Key)
		if r.Value == nil {
			delete(s.entries, key)
			if c := canonicalOffsetKey(r.Key); s.known[c] == key {
				delete(s.known, c)
			}
			continue
		}
		if _, ok := s.entries[key]; !ok {
			s.known[canonicalOffsetKey(r.Key)] = key
		}
		s.entries[key] = r.Value
	}
}

// canonicalOffsetKey has the fields of the partition sorted. A key that is not ours
// stands for itself.
func canonicalOffsetKey(key []byte) string {
	d := json.NewDecoder(bytes.NewReader(key))
	d.UseNumber() // I-7: a number keeps all its digits
	var v any
	if err := d.Decode(&v); err != nil {
		return string(key)
	}
	canonical, err := json.Marshal(v)
	if err != nil {
		return string(key)
	}
	return string(canonical)
}

// resolve finds the bytes under which a key stands in the topic.
func (s *OffsetTopic) resolve(key []byte) string {
	if _, ok := s.entries[string(key)]; ok {
		return string(key)
	}
	if known, ok := s.known[canonicalOffsetKey(key)]; ok {
		return known
	}
	return string(key)
}

// Get implements OffsetStore. It reads the topic to its end first: the offsets of
// a task that has moved were written by another worker a moment ago.
func (s *OffsetTopic) Get(ctx context.Context, keys [][]byte) ([][]byte, error) {
	if err := s.log.ReadToEnd(ctx); err != nil {
		return nil, fmt.Errorf("cannot read source offsets: %w", err)
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	values := make([][]byte, len(keys))
	for i, k := range keys {
		values[i] = s.entries[s.resolve(k)]
	}
	return values, nil
}

// Put implements OffsetStore. It returns when all replicas have the entries (I-1).
// After an error some entries may be stored, each of them whole: a source that
// starts from them has every record before them in Kafka.
func (s *OffsetTopic) Put(ctx context.Context, entries []OffsetEntry) error {
	if len(entries) == 0 {
		return nil
	}
	records := make([]Record, len(entries))
	s.mu.RLock()
	for i, e := range entries {
		records[i] = Record{[]byte(s.resolve(e.Key)), e.Value}
	}
	s.mu.RUnlock()
	if err := s.log.Append(ctx, logEntries(records)...); err != nil {
		return fmt.Errorf("cannot write source offsets: %w", err)
	}
	return nil
}

// Records implements ClusterOffsets.
func (s *OffsetTopic) Records(entries []OffsetEntry) []kafka.OutRecord {
	records := make([]kafka.OutRecord, len(entries))
	s.mu.RLock()
	defer s.mu.RUnlock()
	for i, e := range entries {
		records[i] = kafka.OutRecord{
			Topic: s.topic, Partition: kafka.PartitionAny, TimestampMillis: kafka.TimestampNow,
			Key: []byte(s.resolve(e.Key)), Value: bytes.Clone(e.Value),
		}
	}
	return records
}

// Committed implements ClusterOffsets: the records are read like those of anybody else.
func (s *OffsetTopic) Committed(context.Context, []OffsetEntry) {}

// Uses implements ClusterOffsets.
func (s *OffsetTopic) Uses(topic string) bool { return topic == s.topic }

// Connector implements OffsetStore.
func (s *OffsetTopic) Connector(ctx context.Context, name string) ([]OffsetEntry, error) {
	if err := s.log.ReadToEnd(ctx); err != nil {
		return nil, fmt.Errorf("cannot read source offsets: %w", err)
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	return ofConnector(s.entries, name), nil
}

// Cut gives up what is not acknowledged, so that it cannot come after what another worker writes (I-5). It does not wait.
func (s *OffsetTopic) Cut() { s.log.Cut() }

// Health says whether Kafka answers.
func (s *OffsetTopic) Health() kafka.Health { return s.log.Health() }

// Close implements OffsetStore.
func (s *OffsetTopic) Close() error { return s.log.Close() }
