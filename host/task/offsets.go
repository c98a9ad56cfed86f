package task

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/tailrace/tailrace/host/convert"
	"github.com/tailrace/tailrace/host/store"
)

// offsetBook translates between the offsets of a task in wire form and those in
// the store, which are Kafka Connect's JSON. It may be used from any goroutine.
//
// Key identity in the store is the bytes (reference section 3.3). A partition of
// several entries may have been written in another order before, by Java or by
// an older plugin: then the old bytes are used again.
type offsetBook struct {
	connector string
	store     OffsetStore

	mu     sync.Mutex
	json   convert.Converter
	keys   map[string][]byte // canonical partition -> key bytes as stored; nil until needed
	loaded bool
}

// unwritableError is a source partition or source offset that has no form in the store: trying again does not help.
type unwritableError struct {
	what string
	err  error
}

func (e *unwritableError) Error() string { return e.what + ": " + e.err.Error() }

func (e *unwritableError) Unwrap() error { return e.err }

func newOffsetBook(connector string, s OffsetStore) *offsetBook {
	c, err := convert.New("JsonConverter", map[string]string{"schemas.enable": "false"}, false)
	if err != nil {
		panic(err) // fixed configuration
	}
	return &offsetBook{connector: connector, store: s, json: c, keys: map[string][]byte{}}
}

// read answers ReadOffsets: one wire value per partition, empty where nothing is stored.
func (b *offsetBook) read(ctx context.Context, partitions [][]byte) ([][]byte, error) {
	keys := make([][]byte, len(partitions))
	for i, p := range partitions {
		key, err := b.key(ctx, p)
		if err != nil {
			return nil, err
		}
		keys[i] = key
	}
	values, err := b.store.Get(ctx, keys)
	if err != nil {
		return nil, fmt.Errorf("read source offsets: %w", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	offsets := make([][]byte, len(values))
	for i, v := range values {
		if v == nil {
			continue
		}
		_, wire, err := b.json.ToConnect(nil, "", v)
		if err != nil {
			return nil, fmt.Errorf("the stored offset of %s is not readable: %w", keys[i], err)
		}
		offsets[i] = wire
	}
	return offsets, nil
}

// write stores the last offsets of partitions, whose wire form partition gives.
// It returns when they are durable (I-1).
func (b *offsetBook) write(ctx context.Context, offsets map[uint32]sourceOffset, partition func(id uint32) []byte) error {
	entries, err := b.entries(ctx, offsets, partition)
	if err != nil || len(entries) == 0 {
		return err
	}
	if err := b.store.Put(ctx, entries); err != nil {
		return fmt.Errorf("store source offsets: %w", err)
	}
	return nil
}

// entries are what stores the offsets.
func (b *offsetBook) entries(ctx context.Context, offsets map[uint32]sourceOffset, partition func(id uint32) []byte) ([]store.OffsetEntry, error) {
	entries := make([]store.OffsetEntry, 0, len(offsets))
	for id, offset := range offsets {
		key, err := b.key(ctx, partition(id))
		if err != nil {
			return nil, err
		}
		value, err := b.encode(offset)
		if err != nil {
			return nil, &unwritableError{"source offset of " + string(key), err}
		}
		entries = append(entries, store.OffsetEntry{Key: key, Value: value})
	}
	return entries, nil
}

func (b *offsetBook) encode(o sourceOffset) ([]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	out, _, err := b.json.FromConnect(nil, "", o.schema, o.wire)
	return out, err
}

// key is the store's key of a partition.
func (b *offsetBook) key(ctx context.Context, partition []byte) ([]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	text, _, err := b.json.FromConnect(nil, "", nil, partition)
	if err != nil {
		return nil, &unwritableError{"source partition", err}
	}
	if text == nil {
		text = []byte("null")
	}
	canonical, many, err := canonicalJSON(text)
	if err != nil {
		return nil, &unwritableError{"source partition", err}
	}
	if key, ok := b.keys[canonical]; ok {
		return key, nil
	}
	if many {
		if err := b.load(ctx); err != nil {
			return nil, err
		}
		if key, ok := b.keys[canonical]; ok {
			return key, nil
		}
	}
	key, err := store.OffsetKey(b.connector, text)
	if err != nil {
		return nil, &unwritableError{"source partition", err}
	}
	b.keys[canonical] = key
	return key, nil
}

// load learns the keys that the connector has in the store, once.
func (b *offsetBook) load(ctx context.Context) error {
	if b.loaded {
		return nil
	}
	entries, err := b.store.Connector(ctx, b.connector)
	if err != nil {
		return fmt.Errorf("read source offsets: %w", err)
	}
	for _, e := range entries {
		_, partition, err := store.SplitOffsetKey(e.Key)
		if err != nil {
			continue // a foreign entry
		}
		if canonical, _, err := canonicalJSON(partition); err == nil {
			if _, known := b.keys[canonical]; !known {
				b.keys[canonical] = e.Key
			}
		}
	}
	b.loaded = true
	return nil
}

// canonicalJSON is the same text for the same partition in any order of its
// entries; many tells whether there is more than one.
func canonicalJSON(text []byte) (canonical string, many bool, err error) {
	var m map[string]json.RawMessage
	if err := json.Unmarshal(text, &m); err != nil {
		return "", false, err
	}
	if len(m) < 2 {
		return string(text), false, nil
	}
	for k, v := range m {
		var compact bytes.Buffer
		if err := json.Compact(&compact, v); err != nil {
			return "", false, err
		}
		m[k] = compact.Bytes()
	}
	sorted, err := json.Marshal(m) // sorts the keys
	return string(sorted), true, err
}
