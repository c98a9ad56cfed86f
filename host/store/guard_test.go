package store

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tailrace/tailrace/host/kafka"
)

// clusterMemory is a ClusterOffsets in memory. fails is what Put returns.
type clusterMemory struct {
	*MemoryOffsetStore
	topic     string
	fails     error
	committed int
}

func newClusterMemory(topic string) *clusterMemory {
	return &clusterMemory{MemoryOffsetStore: NewMemoryOffsetStore(), topic: topic}
}

func (m *clusterMemory) Put(ctx context.Context, entries []OffsetEntry) error {
	if m.fails != nil {
		return m.fails
	}
	return m.MemoryOffsetStore.Put(ctx, entries)
}

func (m *clusterMemory) Records(entries []OffsetEntry) []kafka.OutRecord {
	records := make([]kafka.OutRecord, len(entries))
	for i, e := range entries {
		records[i] = kafka.OutRecord{Topic: m.topic, Key: e.Key, Value: e.Value}
	}
	return records
}

func (m *clusterMemory) Committed(context.Context, []OffsetEntry) { m.committed++ }
func (m *clusterMemory) Uses(topic string) bool                   { return topic == m.topic }

func TestAGuardedStoreTakesNoOffsetsOfAWorkerThatMayNotWrite(t *testing.T) { // I-5
	inner := newClusterMemory("offsets")
	lost := errors.New("another worker may have taken over")
	var allowed error
	guarded := Guard(inner, func() error { return allowed })
	ctx := context.Background()
	key := []byte(`["c",{"file":"a"}]`)
	value := func() string {
		values, err := guarded.Get(ctx, [][]byte{key})
		require.NoError(t, err)
		return string(values[0])
	}

	require.NoError(t, guarded.Put(ctx, []OffsetEntry{{Key: key, Value: []byte("1")}}))
	allowed = lost
	require.ErrorIs(t, guarded.Put(ctx, []OffsetEntry{{Key: key, Value: []byte("2")}}), lost)
	require.Equal(t, "1", value(), "reading goes on, and nothing was written")
	guarded.Committed(ctx, nil)
	require.Zero(t, inner.committed, "nor is anything copied")
	allowed = nil
	require.NoError(t, guarded.Put(ctx, []OffsetEntry{{Key: key, Value: []byte("3")}}))
	require.Equal(t, "3", value())
}
