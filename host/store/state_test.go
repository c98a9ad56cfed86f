package store

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestConfigSnapshotsNeverChange(t *testing.T) {
	s, ctx := NewMemoryConfigStore(), t.Context()
	config := map[string]string{"name": "c", "k": "1"}
	require.NoError(t, s.PutConnector(ctx, "c", config, ""))
	first := s.Snapshot()
	config["k"] = "changed by the caller"
	require.Equal(t, "1", first.Connectors["c"].Config["k"])
	require.Equal(t, TargetStarted, first.Connectors["c"].TargetState)

	changed := s.Changed()
	require.NoError(t, s.PutTargetState(ctx, "c", TargetPaused))
	<-changed
	require.NoError(t, s.PutTasks(ctx, "c", []map[string]string{{"t": "0"}, {"t": "1"}}))
	require.NoError(t, s.PutConnector(ctx, "c", map[string]string{"k": "2"}, ""))
	require.Equal(t, TargetStarted, first.Connectors["c"].TargetState)
	now := s.Snapshot()
	require.Equal(t, TargetPaused, now.Connectors["c"].TargetState, "a new config keeps the target state")
	require.Len(t, now.Connectors["c"].Tasks, 2)
	require.Greater(t, now.Version, first.Version)

	require.NoError(t, s.DeleteConnector(ctx, "c"))
	version := s.Snapshot().Version
	require.Empty(t, s.Snapshot().Names())
	require.NoError(t, s.DeleteConnector(ctx, "c"))
	require.NoError(t, s.PutTasks(ctx, "c", nil))
	require.NoError(t, s.PutTargetState(ctx, "c", TargetStopped))
	require.Empty(t, s.Snapshot().Names(), "a deleted connector does not come back by a late write")
	require.Equal(t, version, s.Snapshot().Version)
}

func TestStatusesAndSafeWrites(t *testing.T) {
	s, ctx := NewMemoryStatusStore(), t.Context()
	id := TaskID{"c", 1}
	require.NoError(t, s.PutConnector(ctx, "c", Status{State: StateRunning, WorkerID: "a", Generation: 2}))
	require.NoError(t, s.PutTask(ctx, id, Status{State: StateRunning, WorkerID: "b", Generation: 5}))
	require.NoError(t, s.PutTask(ctx, TaskID{"c", 0}, Status{State: StatePaused}))

	require.NoError(t, s.PutTaskSafe(ctx, id, Status{State: StateUnassigned, WorkerID: "a", Generation: 4}))
	st, ok := s.Task(id)
	require.True(t, ok)
	require.Equal(t, StateRunning, st.State, "an older worker does not overwrite its successor")
	require.NoError(t, s.PutTaskSafe(ctx, id, Status{State: StateFailed, Trace: "why", WorkerID: "b", Generation: 4}))
	st, _ = s.Task(id)
	require.Equal(t, StateFailed, st.State, "the same worker may")
	require.NoError(t, s.PutConnectorSafe(ctx, "c", Status{State: StateUnassigned, WorkerID: "x", Generation: 2}))
	st, _ = s.Connector("c")
	require.Equal(t, StateUnassigned, st.State)

	tasks := s.Tasks("c")
	require.Len(t, tasks, 2)
	require.Equal(t, TaskID{"c", 0}, tasks[0].ID)
	require.NoError(t, s.PutTask(ctx, id, Status{State: StateDestroyed}))
	require.Len(t, s.Tasks("c"), 1)

	require.NoError(t, s.PutTopic(ctx, "c", "t2"))
	require.NoError(t, s.PutTopic(ctx, "c", "t1"))
	require.Equal(t, []string{"t1", "t2"}, s.Topics("c"))
	require.NoError(t, s.ResetTopics(ctx, "c"))
	require.Empty(t, s.Topics("c"))
	require.Equal(t, []string{"c"}, s.Connectors())
	require.NoError(t, s.PutConnector(ctx, "c", Status{State: StateDestroyed}))
	require.Empty(t, s.Connectors())
	require.Empty(t, s.Tasks("c"))
	require.NoError(t, s.Forget(ctx, "c"))
}
