package store

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/tailrace/tailrace/host/kafka"
)

// OffsetStore keeps the offsets of source connectors as Kafka Connect does:
// the key is the JSON array ["connector",{source partition}], the value the JSON
// of the offset. Keys are compared byte by byte (reference section 3.3); use
// OffsetKey to make them. All methods are safe for concurrent use.
type OffsetStore interface {
	// Get returns one value per key, nil where there is none. The slices must not
	// be changed.
	Get(ctx context.Context, keys [][]byte) ([][]byte, error)
	// Put stores all entries or none and returns when they are durable (I-1). A
	// nil value deletes. The slices are copied.
	Put(ctx context.Context, entries []OffsetEntry) error
	// Connector lists the entries of one connector, sorted by key. The slices must
	// not be changed.
	Connector(ctx context.Context, name string) ([]OffsetEntry, error)
	// Close waits for running writes and frees what the store holds.
	Close() error
}

// ClusterOffsets is an OffsetStore on topics: its entries can be part of a transaction that holds other records too.
type ClusterOffsets interface {
	OffsetStore
	// Records are what stores the entries. It waits for nothing; what was stored before must have been read with Get.
	Records(entries []OffsetEntry) []kafka.OutRecord
	// Committed is called when a transaction with the records of these entries is committed, with a ctx that bounds it.
	Committed(ctx context.Context, entries []OffsetEntry)
	// Uses reports whether the store writes to a topic.
	Uses(topic string) bool
}

// OffsetEntry is one source offset. A nil Value is a tombstone: it deletes.
type OffsetEntry struct {
	Key   []byte
	Value []byte
}

// DeleteConnector forgets all offsets of a connector, in one Put.
func DeleteConnector(ctx context.Context, s OffsetStore, name string) error {
	entries, err := s.Connector(ctx, name)
	if err != nil || len(entries) == 0 {
		return err
	}
	tombstones := make([]OffsetEntry, len(entries))
	for i, e := range entries {
		tombstones[i] = OffsetEntry{Key: e.Key}
	}
	return s.Put(ctx, tombstones)
}

// OffsetKey makes the key of a connector's source partition. partitionJSON is the
// JSON object of the partition and goes in as it is, so that one logical
// partition always has the same bytes; surrounding space is removed.
func OffsetKey(connector string, partitionJSON []byte) ([]byte, error) {
	partition := bytes.TrimSpace(partitionJSON)
	if !json.Valid(partition) || (partition[0] != '{' && !bytes.Equal(partition, []byte("null"))) {
		return nil, fmt.Errorf("source partition of connector %s is not a JSON object", connector)
	}
	key := make([]byte, 0, len(connector)+len(partition)+5)
	key = append(key, '[')
	key = appendJavaString(key, connector)
	key = append(key, ',')
	key = append(key, partition...)
	return append(key, ']'), nil
}

// SplitOffsetKey takes a key apart. partitionJSON keeps its bytes.
func SplitOffsetKey(key []byte) (connector string, partitionJSON []byte, err error) {
	var parts []json.RawMessage
	if err := json.Unmarshal(key, &parts); err != nil {
		return "", nil, fmt.Errorf("offset key is not a JSON array: %w", err)
	}
	if len(parts) != 2 {
		return "", nil, fmt.Errorf("offset key has %d elements, want connector and partition", len(parts))
	}
	var name *string
	if err := json.Unmarshal(parts[0], &name); err != nil || name == nil {
		return "", nil, errors.New("offset key does not start with a connector name")
	}
	if p := parts[1]; p[0] != '{' && !bytes.Equal(p, []byte("null")) {
		return "", nil, errors.New("offset key does not end with a JSON object")
	}
	return *name, parts[1], nil
}

// MemoryOffsetStore is an OffsetStore that ends with the process, for tests and
// for runs that should leave nothing behind.
type MemoryOffsetStore struct {
	mu      sync.RWMutex
	entries map[string][]byte
}

// NewMemoryOffsetStore returns an empty store.
func NewMemoryOffsetStore() *MemoryOffsetStore {
	return &MemoryOffsetStore{entries: map[string][]byte{}}
}

// Get implements OffsetStore.
func (s *MemoryOffsetStore) Get(_ context.Context, keys [][]byte) ([][]byte, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return lookup(s.entries, keys), nil
}

// Put implements OffsetStore.
func (s *MemoryOffsetStore) Put(_ context.Context, entries []OffsetEntry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	apply(s.entries, entries)
	return nil
}

// Connector implements OffsetStore.
func (s *MemoryOffsetStore) Connector(_ context.Context, name string) ([]OffsetEntry, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return ofConnector(s.entries, name), nil
}

// Close implements OffsetStore.
func (s *MemoryOffsetStore) Close() error { return nil }

func lookup(m map[string][]byte, keys [][]byte) [][]byte {
	values := make([][]byte, len(keys))
	for i, k := range keys {
		values[i] = m[string(k)]
	}
	return values
}

// apply writes entries in order, the last one of a key wins; a value that is nil deletes.
func apply(m map[string][]byte, entries []OffsetEntry) {
	for _, e := range entries {
		if e.Value == nil {
			delete(m, string(e.Key))
			continue
		}
		m[string(e.Key)] = append([]byte{}, e.Value...)
	}
}

// ofConnector skips keys that are not ours: a foreign entry must not hide the rest.
func ofConnector(m map[string][]byte, name string) []OffsetEntry {
	var entries []OffsetEntry
	for k, v := range m {
		if connector, _, err := SplitOffsetKey([]byte(k)); err == nil && connector == name {
			entries = append(entries, OffsetEntry{Key: []byte(k), Value: v})
		}
	}
	slices.SortFunc(entries, func(a, b OffsetEntry) int { return bytes.Compare(a.Key, b.Key) })
	return entries
}
