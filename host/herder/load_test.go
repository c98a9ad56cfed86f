package herder

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tailrace/tailrace/host/cluster"
	"github.com/tailrace/tailrace/host/task"
)

func TestLoadsAreToldWhenTasksHaveRunForAWhile(t *testing.T) {
	l := loads{}
	now := time.UnixMilli(1_000_000)
	item := cluster.Item{Connector: "c", Task: 1}
	bytes := uint64(7_000) // of a life before
	look := func(items ...cluster.Item) {
		l.look(now, items, func(id task.ID) (task.Snapshot, bool) {
			return task.Snapshot{Bytes: bytes}, id == task.ID{Connector: "c", Task: 1}
		})
	}
	look(item)
	for range loadLooks {
		require.Empty(t, l.told())
		now, bytes = now.Add(10*time.Second), bytes+1_000
		look(item, cluster.Item{Connector: "gone", Task: 0})
	}
	require.Equal(t, map[cluster.Item]float64{item: 100}, l.told())
	now, bytes = now.Add(10*time.Second), bytes+3_000
	look(item)
	require.InDelta(t, 200, l.told()[item], 0.001, "half of it is the last interval")
	bytes = 0 // started anew
	now = now.Add(10 * time.Second)
	look(item)
	require.Empty(t, l.told())
	look()
	require.Empty(t, l.tasks)
}
