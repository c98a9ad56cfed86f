package store

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"

	"github.com/tailrace/tailrace/host/kafka"
)

// ConnectorOffsets are the offsets of a source connector that has a topic of its own for them (offsets.storage.topic,
// reference section 3.3): the union of that topic and of the worker's, in which its own wins. So a connector that gets
// such a topic goes on where it was, and one that gives it up again too.
type ConnectorOffsets struct {
	own, worker ClusterOffsets
	logger      *slog.Logger
}

// NewConnectorOffsets joins the two stores. Closing is left to who opened them.
func NewConnectorOffsets(own, worker ClusterOffsets, logger *slog.Logger) *ConnectorOffsets {
	return &ConnectorOffsets{own, worker, logger}
}

// Get implements OffsetStore.
func (s *ConnectorOffsets) Get(ctx context.Context, keys [][]byte) ([][]byte, error) {
	values, err := s.own.Get(ctx, keys)
	if err != nil {
		return nil, err
	}
	var missing [][]byte
	var at []int
	for i, v := range values {
		if v == nil {
			missing, at = append(missing, keys[i]), append(at, i)
		}
	}
	if len(missing) == 0 {
		return values, nil
	}
	others, err := s.worker.Get(ctx, missing)
	if err != nil {
		return nil, err
	}
	for i, v := range others {
		values[at[i]] = v
	}
	return values, nil
}

// Connector implements OffsetStore.
func (s *ConnectorOffsets) Connector(ctx context.Context, name string) ([]OffsetEntry, error) {
	entries, err := s.own.Connector(ctx, name)
	if err != nil {
		return nil, err
	}
	others, err := s.worker.Connector(ctx, name)
	if err != nil {
		return nil, err
	}
	known := make(map[string]struct{}, len(entries))
	for _, e := range entries {
		known[canonicalOffsetKey(e.Key)] = struct{}{}
	}
	for _, e := range others {
		if _, won := known[canonicalOffsetKey(e.Key)]; !won {
			entries = append(entries, e)
		}
	}
	slices.SortFunc(entries, func(a, b OffsetEntry) int { return bytes.Compare(a.Key, b.Key) })
	return entries, nil
}

// Put implements OffsetStore. What is deleted is deleted from the worker's topic first, because from there it would come
// back; the rest is copied there in the end, and a copy that fails is logged.
func (s *ConnectorOffsets) Put(ctx context.Context, entries []OffsetEntry) error {
	deleted, kept := split(entries)
	if len(deleted) > 0 {
		if err := s.worker.Put(ctx, deleted); err != nil {
			return fmt.Errorf("in the worker's topic: %w", err)
		}
	}
	if err := s.own.Put(ctx, entries); err != nil {
		return err
	}
	s.copy(ctx, kept)
	return nil
}

// Records implements ClusterOffsets: those of its own topic.
func (s *ConnectorOffsets) Records(entries []OffsetEntry) []kafka.OutRecord {
	return s.own.Records(entries)
}

// Committed implements ClusterOffsets: the copy to the worker's topic, and here also what is deleted there. A worker that
// dies before it leaves the old offset there; a partition that was deleted comes back with it.
func (s *ConnectorOffsets) Committed(ctx context.Context, entries []OffsetEntry) {
	s.own.Committed(ctx, entries)
	s.copy(ctx, entries)
}

// Uses implements ClusterOffsets.
func (s *ConnectorOffsets) Uses(topic string) bool { return s.own.Uses(topic) || s.worker.Uses(topic) }

// Close implements OffsetStore.
func (s *ConnectorOffsets) Close() error { return nil }

func (s *ConnectorOffsets) copy(ctx context.Context, entries []OffsetEntry) {
	if len(entries) == 0 {
		return
	}
	if err := s.worker.Put(ctx, entries); err != nil {
		s.logger.Warn("source offsets are stored in the connector's own topic, and could not be copied to the worker's", "key", string(entries[0].Key), "error", err)
	}
}

func split(entries []OffsetEntry) (deleted, kept []OffsetEntry) {
	for _, e := range entries {
		if e.Value == nil {
			deleted = append(deleted, e)
		} else {
			kept = append(kept, e)
		}
	}
	return deleted, kept
}
