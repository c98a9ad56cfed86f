package herder

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tailrace/tailrace/host/config"
	"github.com/tailrace/tailrace/host/store"
	"github.com/tailrace/tailrace/host/task"
	"github.com/tailrace/tailrace/host/worker"
)

// newHerder is a Standalone on a scripted worker and the scripted plugin.
func newHerder(t *testing.T) (*Standalone, *scriptedWorker) {
	t.Helper()
	host, catalogue := hosted(t)
	settings, _, err := config.ParseWorker(config.Dev, map[string]string{
		"bootstrap.servers": "127.0.0.1:1", "listeners": "http://127.0.0.1:0", "offset.storage.file.filename": "/dev/null",
		"config.providers": "env", "config.providers.env.class": "org.apache.kafka.common.config.provider.EnvVarConfigProvider",
		"task.shutdown.graceful.timeout.ms": "100",
	})
	require.NoError(t, err)
	var w *scriptedWorker
	s := NewStandalone(StandaloneConfig{
		Settings: settings, Plugins: catalogue, Processes: host,
		Worker:  func(l worker.Listener) Worker { w = newScriptedWorker(l); return w },
		Configs: store.NewMemoryConfigStore(), Statuses: store.NewMemoryStatusStore(), Offsets: store.NewMemoryOffsetStore(),
		WorkerID: "here:8083", Logger: slog.New(slog.DiscardHandler),
	})
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), waitLimit)
		defer cancel()
		require.NoError(t, s.Close(ctx))
		require.False(t, w.overlap, "something was started while it ran")
	})
	return s, w
}

func cfg(pairs ...string) Config {
	c := Config{}
	for i := 0; i < len(pairs); i += 2 {
		c[pairs[i]] = &pairs[i+1]
	}
	return c
}

// good is a configuration that the scripted plugin accepts; it makes a task for each letter of tasks.
func good(tasks string, more ...string) Config {
	return cfg(append([]string{"connector.class", "scripted", "needed", "x", "tasks", tasks}, more...)...)
}

func create(t *testing.T, s *Standalone, name string, c Config, state TargetState) Connector {
	t.Helper()
	created, err := s.Create(t.Context(), CreateRequest{Name: name, Config: c, InitialState: state})
	require.NoError(t, err)
	return created
}

func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	require.Eventually(t, cond, waitLimit, 5*time.Millisecond, what)
}

func TestANewConnectorIsShownWithItsTasksAndRuns(t *testing.T) {
	s, w := newHerder(t)
	c := create(t, s, " c ", good("xx"), "")
	require.Equal(t, "c", c.Name)
	require.Equal(t, "c", c.Config["name"])
	require.Equal(t, []TaskID{{"c", 0}, {"c", 1}}, c.Tasks)
	require.Equal(t, SourceType, c.Type)
	eventually(t, "both tasks have a status", func() bool {
		st, err := s.Status("c")
		return err == nil && len(st.Tasks) == 2 && st.Connector.State == "RUNNING" && st.Tasks[1].State == "RUNNING"
	})
	st, err := s.Status("c")
	require.NoError(t, err)
	require.Equal(t, "here:8083", st.Connector.WorkerID)
	require.Equal(t, "1.2.3", st.Connector.Version)
	require.Equal(t, 1, w.count("c-0"))
	_, err = s.Create(t.Context(), CreateRequest{Name: "c", Config: good("x")})
	require.Equal(t, Conflict, KindOf(err))
	require.EqualError(t, err, "Connector c already exists")
}

func TestAConnectorThatIsCreatedPausedOrStoppedHasNoTasks(t *testing.T) {
	s, w := newHerder(t)
	for name, state := range map[string]TargetState{"p": "paused", "s": Stopped} {
		require.Empty(t, create(t, s, name, good("xx"), state).Tasks)
		st, err := s.Status(name)
		require.NoError(t, err)
		require.Equal(t, map[string]string{"p": "PAUSED", "s": "STOPPED"}[name], st.Connector.State)
		require.Empty(t, st.Tasks)
		require.NoError(t, s.Resume(t.Context(), name))
		eventually(t, "its tasks run", func() bool { _, n := w.running(name); return n == 2 })
	}
	_, err := s.Create(t.Context(), CreateRequest{Name: "x", Config: good("x"), InitialState: "SLEEPING"})
	require.Equal(t, BadRequest, KindOf(err))
}

func TestAnUpdateRestartsTheConnectorAndOnlyTasksThatChange(t *testing.T) {
	s, w := newHerder(t)
	create(t, s, "c", good("xx"), "")
	c, created, err := s.Put(t.Context(), "c", good("xx"), nil)
	require.NoError(t, err)
	require.False(t, created)
	require.Equal(t, []TaskID{{"c", 0}, {"c", 1}}, c.Tasks)
	require.Equal(t, 2, w.count("c"), "the connector starts anew, as in Kafka Connect")
	require.Equal(t, 1, w.count("c-0"), "its tasks do not")

	_, _, err = s.Put(t.Context(), "c", good("x", "work", "other"), nil)
	require.NoError(t, err)
	eventually(t, "one task is left", func() bool { _, n := w.running("c"); return n == 1 && w.count("c-0") == 2 })
	eventually(t, "its status too", func() bool { st, _ := s.Status("c"); return len(st.Tasks) == 1 })
	tasks, err := s.Tasks("c")
	require.NoError(t, err)
	require.Equal(t, map[string]string{"share": "a", "of": "other"}, tasks[0].Config)
}

func TestPatchSetsAndRemovesSingleKeys(t *testing.T) {
	s, _ := newHerder(t)
	create(t, s, "c", good("x", "extra", "1"), "")
	patch := cfg("work", "w")
	patch["extra"] = nil
	c, err := s.Patch(t.Context(), "c", patch, nil)
	require.NoError(t, err)
	require.Equal(t, map[string]string{"name": "c", "connector.class": "scripted", "needed": "x", "tasks": "x", "work": "w"}, c.Config)
	_, err = s.Patch(t.Context(), "nobody", patch, nil)
	require.EqualError(t, err, "Connector nobody not found")
	_, err = s.Patch(t.Context(), "c", cfg("name", "other"), nil)
	require.Equal(t, BadRequest, KindOf(err))
	_, err = s.Patch(t.Context(), "c", Config{"needed": nil}, nil)
	require.ErrorContains(t, err, `Missing required configuration "needed"`)
}

func TestPauseResumeStop(t *testing.T) {
	s, w := newHerder(t)
	create(t, s, "c", good("xx"), "")
	require.NoError(t, s.Pause(t.Context(), "c"))
	eventually(t, "paused with its tasks", func() bool { st, _ := s.Status("c"); return st.Connector.State == "PAUSED" && len(st.Tasks) == 2 })
	require.NoError(t, s.Stop(t.Context(), "c"))
	connector, tasks := w.running("c")
	require.True(t, connector)
	require.Zero(t, tasks, "stop answers when the tasks are gone")
	st, err := s.Status("c")
	require.NoError(t, err)
	require.Empty(t, st.Tasks)
	require.NoError(t, s.Pause(t.Context(), "c"))
	c, err := s.Connector("c")
	require.NoError(t, err)
	require.Empty(t, c.Tasks, "pausing a stopped connector makes no tasks")
	require.NoError(t, s.Resume(t.Context(), "c"))
	eventually(t, "running again", func() bool { _, n := w.running("c"); return n == 2 })
	for _, do := range []func(context.Context, string) error{s.Pause, s.Resume, s.Stop} {
		require.EqualError(t, do(t.Context(), "nobody"), "Unknown connector nobody")
	}
}

func TestDeleteRemovesEverythingButOffsets(t *testing.T) {
	s, w := newHerder(t)
	key, err := store.OffsetKey("c", []byte(`{"file":"x"}`))
	require.NoError(t, err)
	require.NoError(t, s.offsets.Put(t.Context(), []store.OffsetEntry{{Key: key, Value: []byte(`{"at":1}`)}}))
	create(t, s, "c", good("xx"), "")
	require.NoError(t, s.Delete(t.Context(), "c"))
	connector, tasks := w.running("c")
	require.False(t, connector)
	require.Zero(t, tasks)
	_, err = s.Status("c")
	require.EqualError(t, err, "No status found for connector c")
	require.EqualError(t, s.Delete(t.Context(), "c"), "Connector c not found")
	s.crew.mu.Lock()
	require.Empty(t, s.crew.keepers, "its keeper has left")
	s.crew.mu.Unlock()

	create(t, s, "c", good("x"), "")
	offsets, err := s.Offsets(t.Context(), "c")
	require.NoError(t, err)
	require.Len(t, offsets.Offsets, 1)
}

func TestRestartOfConnectorAndTasks(t *testing.T) {
	s, w := newHerder(t)
	create(t, s, "c", good("xx"), "")
	eventually(t, "both tasks have a status", func() bool { st, _ := s.Status("c"); return len(st.Tasks) == 2 })

	status, err := s.Restart(t.Context(), "c", RestartRequest{})
	require.NoError(t, err)
	require.Nil(t, status)
	eventually(t, "the connector was started again", func() bool { return w.count("c") == 2 })
	require.Equal(t, 1, w.count("c-0"))

	require.NoError(t, s.RestartTask(t.Context(), "c", 1))
	eventually(t, "the task was started again", func() bool { return w.count("c-1") == 2 })
	require.Equal(t, 1, w.count("c-0"))
	eventually(t, "it runs", func() bool { st, _ := s.TaskStatus("c", 1); return st.State == "RUNNING" })

	w.listener.TaskState(task.ID{Connector: "c", Task: 0}, store.StateFailed, errors.New("why"))
	status, err = s.Restart(t.Context(), "c", RestartRequest{IncludeTasks: true, OnlyFailed: true})
	require.NoError(t, err)
	require.Equal(t, "RUNNING", status.Connector.State)
	require.Equal(t, "RESTARTING", status.Tasks[0].State)
	require.Equal(t, "RUNNING", status.Tasks[1].State)
	eventually(t, "only the failed task was started again", func() bool { return w.count("c-0") == 2 })
	require.Equal(t, 2, w.count("c-1"))

	_, err = s.Restart(t.Context(), "nobody", RestartRequest{IncludeTasks: true})
	require.EqualError(t, err, "Unknown connector: nobody")
	require.EqualError(t, s.RestartTask(t.Context(), "c", 7), "Task c-7 not found")
}

// I-3: a connector whose tasks do not stop delays requests about itself, not those about others, and what it delays says why.
func TestATaskThatDoesNotStopDelaysOnlyItsOwnConnector(t *testing.T) {
	s, w := newHerder(t)
	create(t, s, "slow", good("x"), "")
	release := w.hold("slow")
	defer release()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err := s.Stop(ctx, "slow")
	require.Equal(t, Unavailable, KindOf(err))
	require.ErrorContains(t, err, "The worker is currently stopping tasks of connector slow")

	create(t, s, "other", good("x"), "")
	require.NoError(t, s.Delete(t.Context(), "other"))
	release()
	require.NoError(t, s.Stop(t.Context(), "slow"))
}

func TestManyRequestsAtOnceEndInOneOfTheStatesAskedFor(t *testing.T) {
	s, w := newHerder(t)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			switch i % 4 {
			case 0:
				_, _, _ = s.Put(context.Background(), "c", good("xx", "work", string(rune('a'+i))), nil)
			case 1:
				_ = s.Stop(context.Background(), "c")
			case 2:
				_ = s.Delete(context.Background(), "c")
			case 3:
				_, _ = s.Restart(context.Background(), "c", RestartRequest{IncludeTasks: true})
			}
		})
	}
	all.Wait()
	_, _, err := s.Put(t.Context(), "c", good("xxx", "work", "last"), nil)
	require.NoError(t, err)
	require.NoError(t, s.Resume(t.Context(), "c"))
	eventually(t, "three tasks run", func() bool { connector, n := w.running("c"); return connector && n == 3 })
}

func TestTopicsAreKnownUntilReset(t *testing.T) {
	s, w := newHerder(t)
	create(t, s, "c", good("x"), "")
	w.listener.TopicUsed("c", "b")
	w.listener.TopicUsed("c", "a")
	topics, err := s.Topics("c")
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b"}, topics)
	require.NoError(t, s.ResetTopics(t.Context(), "c"))
	topics, err = s.Topics("nobody")
	require.NoError(t, err)
	require.NotNil(t, topics)
	require.Empty(t, topics)
}

func TestProgressShowsTasksThatRunHere(t *testing.T) {
	s, _ := newHerder(t)
	create(t, s, "c", good("xx"), "")
	p, err := s.Progress("c")
	require.NoError(t, err)
	require.Len(t, p.Tasks, 2)
	require.Equal(t, uint64(7), p.Tasks[1].Records)
}
