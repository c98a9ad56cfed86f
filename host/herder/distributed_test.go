package herder

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/tailrace/tailrace/host/cluster"
	"github.com/tailrace/tailrace/host/store"
	"github.com/tailrace/tailrace/host/task"
)

// What a worker should run is what the cluster wants and the group has given to it, and no task before its round.
func TestAWorkersShare(t *testing.T) {
	all := desired{
		exists: true, connector: props("c"), target: store.TargetStarted, taskCount: 2,
		tasks: map[int]runningTask{0: {connector: props("c"), task: props("t0")}, 1: {connector: props("c"), task: props("t1")}},
	}
	given := func(connector bool, tasks ...int) *assignment {
		a := &assignment{connector: connector, tasks: map[int]struct{}{}}
		for _, n := range tasks {
			a.add(cluster.Item{Connector: "c", Task: n})
		}
		return a
	}
	only := func(connector map[string]string, tasks ...int) desired {
		d := desired{exists: true, connector: connector, target: store.TargetStarted, taskCount: 2, tasks: map[int]runningTask{}}
		for _, n := range tasks {
			d.tasks[n] = all.tasks[n]
		}
		return d
	}
	for name, c := range map[string]struct {
		given  *assignment
		stand  bool
		want   desired
		exists bool
	}{
		"nothing given":                   {nil, true, only(nil), true},
		"the connector":                   {given(true), true, only(props("c")), true},
		"one task":                        {given(false, 1), true, only(nil, 1), true},
		"everything":                      {given(true, 0, 1), true, all, true},
		"a newer set waits":               {given(true, 0, 1), false, only(props("c")), true},
		"a task that is gone":             {given(false, 1, 7), true, only(nil, 1), true},
		"given, and deleted a moment ago": {given(true, 0), true, desired{tasks: map[int]runningTask{}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			from := all
			if !c.exists {
				from = desired{}
			}
			require.Equal(t, c.want, c.given.share(from, c.stand))
		})
	}
	a := given(true, 0, 1)
	a.remove(cluster.Item{Connector: "c", Task: 0})
	a.remove(cluster.Item{Connector: "c", Task: cluster.ConnectorTask})
	require.Equal(t, given(false, 1), a)
}

// Whatever is given: nothing runs that was not given (I-5) or is not wanted, and all runs that is both.
func TestAShareIsWhatIsBothGivenAndWanted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := desired{exists: true, connector: props("c"), tasks: map[int]runningTask{}}
		for _, n := range rapid.SliceOfNDistinct(rapid.IntRange(0, 6), 0, 5, rapid.ID[int]).Draw(t, "wanted") {
			all.tasks[n] = runningTask{connector: props("c"), task: props("t")}
		}
		a := &assignment{connector: rapid.Bool().Draw(t, "connector"), tasks: map[int]struct{}{}}
		for _, n := range rapid.SliceOfN(rapid.IntRange(0, 6), 0, 5).Draw(t, "given") {
			a.tasks[n] = struct{}{}
		}
		stand := rapid.Bool().Draw(t, "stands")
		mine := a.share(all, stand)
		if (mine.connector != nil) != a.connector {
			t.Fatalf("connector %v, given %v", mine.connector, a.connector)
		}
		for n := range 7 {
			_, wanted := all.tasks[n]
			_, given := a.tasks[n]
			if _, runs := mine.tasks[n]; runs != (wanted && given && stand) {
				t.Fatalf("task %d: wanted %v, given %v, stands %v, runs %v", n, wanted, given, stand, runs)
			}
		}
	})
}

func TestStatusesOfWhatIsGoneAreRemovedOnceNobodyWillSayMore(t *testing.T) {
	present := map[string]bool{"a:1": true}
	for name, c := range map[string]struct {
		status store.Status
		want   bool
	}{
		"it still runs at a member":     {store.Status{State: store.StateRunning, WorkerID: "a:1"}, false},
		"its worker has stopped it":     {store.Status{State: store.StateUnassigned, WorkerID: "a:1"}, true},
		"it has failed":                 {store.Status{State: store.StateFailed, WorkerID: "a:1"}, true},
		"its worker has left the group": {store.Status{State: store.StateRunning, WorkerID: "b:1"}, true},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, c.want, orphaned(c.status, present)) })
	}
	require.Equal(t, "10.0.0.1:8083", workerIDOf("http://10.0.0.1:8083/"))
}

func TestOnlySetsOfTasksThatCannotFenceEachOtherAreFenced(t *testing.T) {
	tasks := func(n int) []map[string]string { return make([]map[string]string, n) }
	require.Zero(t, toFence(store.ConnectorSnapshot{Tasks: tasks(3)}), "the first set")
	require.Zero(t, toFence(store.ConnectorSnapshot{Tasks: tasks(1), Fenced: true, FencedTasks: 1}), "one follows one")
	require.Equal(t, 1, toFence(store.ConnectorSnapshot{Tasks: tasks(2), Fenced: true, FencedTasks: 1}))
	require.Equal(t, 4, toFence(store.ConnectorSnapshot{Tasks: tasks(1), Fenced: true, FencedTasks: 4}))
}

// I-5: a task that is not the one that should write now does not begin to.
func TestATaskBeginsToWriteOnlyWhenItIsTheOneThatShould(t *testing.T) {
	set := store.ConnectorSnapshot{Tasks: []map[string]string{props("t0"), props("t1")}, Fenced: true, FencedTasks: 2}
	pending := set
	pending.PendingFencing = true
	id := func(n int) task.ID { return task.ID{Connector: "c", Task: n} }
	require.NoError(t, current(id(1), true, set, true, props("t1")))
	for name, err := range map[string]error{
		"deleted":                 current(id(1), true, store.ConnectorSnapshot{}, false, props("t1")),
		"given to another worker": current(id(1), false, set, true, props("t1")),
	} {
		require.ErrorContains(t, err, "source task c-1 is no longer assigned to this worker", name)
	}
	for name, err := range map[string]error{
		"a newer set is not fenced off yet": current(id(1), true, pending, true, props("t1")),
		"there are fewer tasks":             current(id(2), true, set, true, props("t1")),
		"it is another one now":             current(id(0), true, set, true, props("t1")),
	} {
		require.ErrorContains(t, err, "with exactly-once support as the connector has already generated a new set of task configs", name)
	}
}

func TestAnotherAttemptToFenceIsMadeWhileItMayHelp(t *testing.T) {
	require.True(t, mayPass(noLeader()))
	require.True(t, mayPass(fmt.Errorf("wrapped: %w", store.ErrNotClaimed)))
	require.True(t, mayPass(failed(Internal, "the leader could not")))
	require.False(t, mayPass(notFound("c")))
	require.False(t, mayPass(failed(BadRequest, "a sink")))
	require.False(t, mayPass(errors.New("no right to")))
}

func TestOneAtATimeHasItsTurn(t *testing.T) {
	var turns turns
	end, err := turns.take(t.Context(), "c")
	require.NoError(t, err)
	other, err := turns.take(t.Context(), "d")
	require.NoError(t, err, "another connector does not wait")
	other()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = turns.take(ctx, "c")
	require.ErrorIs(t, err, context.Canceled)
	got := make(chan func())
	go func() {
		end, _ := turns.take(context.Background(), "c")
		got <- end
	}()
	end()
	(<-got)()
	require.Empty(t, turns.held)
}

// A request between workers must not get around the login of a secured worker, whatever signature it brings.
func TestAGroupThatDoesNotSignAdmitsByALoginOnly(t *testing.T) {
	for _, protocol := range []string{cluster.ProtocolEager, cluster.ProtocolCompatible, ""} {
		require.NoError(t, mayUnsigned(protocol, Signature{Admitted: true}))
		for _, s := range []Signature{{}, {Algorithm: "HmacSHA256", Value: "made up"}} {
			err := mayUnsigned(protocol, s)
			var e *Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, Forbidden, e.Kind)
			require.ErrorContains(t, err, "connect.protocol=sessioned")
		}
	}
}

func TestTimeoutsSayWhatTheWorkerIsDoing(t *testing.T) {
	var s stages
	require.Equal(t, "The worker waits for nothing", s.String())
	first := s.begin("writing connector c")
	time.Sleep(time.Millisecond) //nolint:forbidigo // two clock readings that differ
	second := s.begin("writing connector d")
	require.Contains(t, s.String(), "The worker is currently writing connector c, which began at 20")
	first()
	require.Contains(t, s.String(), "The worker is currently writing connector d")
	second()
	require.Contains(t, s.String(), "The last operation the worker completed was writing connector d")
	require.Contains(t, s.String(), " and completed at 20")
}
