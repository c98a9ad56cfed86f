package herder

import (
	"fmt"
	"maps"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/tailrace/tailrace/host/store"
)

func props(text string) map[string]string { return map[string]string{"k": text} }

func ofSet(version int64, tasks map[int]runningTask) map[int]runningTask {
	d := desired{tasks: maps.Clone(tasks)}
	d.asSets(version)
	return d.tasks
}

func TestPlan(t *testing.T) {
	one := map[int]runningTask{0: {connector: props("c"), task: props("t0")}}
	two := map[int]runningTask{0: {connector: props("c"), task: props("t0")}, 1: {connector: props("c"), task: props("t1")}}
	started := func(tasks map[int]runningTask) desired {
		return desired{true, props("c"), store.TargetStarted, tasks, 2}
	}
	runs := func(tasks map[int]runningTask) running { return running{props("c"), 1, store.TargetStarted, tasks} }
	for name, c := range map[string]struct {
		want desired
		now  running
		anew wish
		plan steps
	}{
		"nothing to do":                      {want: started(one), now: runs(one)},
		"a new connector":                    {want: started(nil), plan: steps{startConnector: true}},
		"it has made tasks":                  {want: started(two), now: runs(nil), plan: steps{startTasks: []int{0, 1}}},
		"fewer tasks":                        {want: started(one), now: runs(two), plan: steps{stopTasks: []int{1}, removeTasks: []int{1}}},
		"deleted":                            {now: runs(two), plan: steps{stopTasks: []int{0, 1}, removeTasks: []int{0, 1}, stopConnector: true}},
		"never there":                        {},
		"another configuration":              {want: desired{true, props("d"), store.TargetStarted, one, 2}, now: runs(one), plan: steps{stopConnector: true, startConnector: true}},
		"a task's configuration has changed": {want: started(map[int]runningTask{0: {connector: props("c"), task: props("new")}}), now: runs(one), plan: steps{stopTasks: []int{0}, startTasks: []int{0}}},
		"only the connector's has changed":   {want: started(map[int]runningTask{0: {connector: props("d"), task: props("t0")}}), now: runs(one), plan: steps{stopTasks: []int{0}, startTasks: []int{0}}},
		"a new set of tasks that run as one": {want: started(ofSet(2, one)), now: runs(ofSet(1, one)), plan: steps{stopTasks: []int{0}, startTasks: []int{0}}},
		"the same set":                       {want: started(ofSet(2, one)), now: runs(ofSet(2, one))},
		"its type is not known any more":     {want: started(one), now: runs(ofSet(2, one))},
		"paused":                             {want: desired{true, props("c"), store.TargetPaused, one, 2}, now: runs(one), plan: steps{setTarget: true}},
		"stopped":                            {want: desired{true, props("c"), store.TargetStopped, nil, 2}, now: runs(one), plan: steps{stopTasks: []int{0}, removeTasks: []int{0}, setTarget: true}},
		"the connector is to be restarted":   {want: started(one), now: runs(one), anew: wish{connector: true}, plan: steps{stopConnector: true, startConnector: true}},
		"a task is to be restarted":          {want: started(two), now: runs(two), anew: wish{tasks: map[int]bool{1: true}}, plan: steps{stopTasks: []int{1}, startTasks: []int{1}}},
		"a task that is gone is not":         {want: started(one), now: runs(one), anew: wish{tasks: map[int]bool{5: true}}},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, c.plan, plan(c.want, c.now, c.anew)) })
	}
}

// Whatever runs and whatever should, the steps lead there, and stop everything that they start while it runs.
func TestThePlanLeadsFromWhatRunsToWhatShould(t *testing.T) {
	tasks := rapid.MapOfN(rapid.IntRange(0, 4), rapid.Custom(func(t *rapid.T) runningTask {
		return runningTask{connector: props(rapid.SampledFrom([]string{"a", "b"}).Draw(t, "connector")), task: props(rapid.SampledFrom([]string{"x", "y"}).Draw(t, "task"))}
	}), 0, 5)
	targets := rapid.SampledFrom([]store.TargetState{store.TargetStarted, store.TargetPaused, store.TargetStopped})
	rapid.Check(t, func(t *rapid.T) {
		now := running{target: targets.Draw(t, "target now"), tasks: tasks.Draw(t, "tasks now")}
		if rapid.Bool().Draw(t, "runs") {
			now.connector = props(rapid.SampledFrom([]string{"a", "b"}).Draw(t, "config now"))
		}
		d := desired{}
		if rapid.Bool().Draw(t, "exists") {
			d = desired{true, props(rapid.SampledFrom([]string{"a", "b"}).Draw(t, "config")), targets.Draw(t, "target"), tasks.Draw(t, "tasks"), 5}
		}
		anew := wish{connector: rapid.Bool().Draw(t, "anew"), tasks: map[int]bool{rapid.IntRange(0, 4).Draw(t, "task anew"): true}}
		s := plan(d, now, anew)

		after := maps.Clone(now.tasks)
		if after == nil {
			after = map[int]runningTask{}
		}
		for _, n := range s.stopTasks {
			delete(after, n)
		}
		for _, n := range s.startTasks {
			if _, runs := after[n]; runs {
				t.Fatalf("task %d is started while it runs: %+v", n, s)
			}
			after[n] = d.tasks[n]
		}
		if !maps.EqualFunc(after, d.tasks, func(a, b runningTask) bool { return fmt.Sprint(a) == fmt.Sprint(b) }) {
			t.Fatalf("tasks are %v, want %v", after, d.tasks)
		}
		connector := now.connector
		if s.stopConnector {
			connector = nil
		}
		if s.startConnector {
			if connector != nil {
				t.Fatal("the connector is started while it runs")
			}
			connector = d.connector
		}
		if fmt.Sprint(connector) != fmt.Sprint(d.connector) {
			t.Fatalf("the connector is %v, want %v", connector, d.connector)
		}
	})
}

func TestRestartPlan(t *testing.T) {
	status := Status{
		Connector: InstanceStatus{State: "RUNNING"},
		Tasks:     []TaskStatus{{0, InstanceStatus{State: "FAILED"}}, {1, InstanceStatus{State: "RUNNING"}}},
	}
	failedToo := status
	failedToo.Connector.State = "FAILED"
	for name, c := range map[string]struct {
		status  Status
		request RestartRequest
		plan    restartPlan
	}{
		"the connector only":                      {status, RestartRequest{}, restartPlan{connector: true}},
		"everything":                              {status, RestartRequest{IncludeTasks: true}, restartPlan{true, []int{0, 1}}},
		"only what failed, tasks":                 {status, RestartRequest{IncludeTasks: true, OnlyFailed: true}, restartPlan{false, []int{0}}},
		"only what failed, no tasks":              {status, RestartRequest{OnlyFailed: true}, restartPlan{}},
		"only what failed, the connector as well": {failedToo, RestartRequest{IncludeTasks: true, OnlyFailed: true}, restartPlan{true, []int{0}}},
	} {
		t.Run(name, func(t *testing.T) {
			p := planRestart(c.status, c.request)
			require.Equal(t, c.plan, p)
			shown := c.status
			shown.Tasks = append([]TaskStatus{}, c.status.Tasks...)
			p.apply(&shown)
			require.Equal(t, p.connector, shown.Connector.State == "RESTARTING")
			for _, task := range shown.Tasks {
				require.Equal(t, p.wish().tasks[task.ID], task.State == "RESTARTING")
			}
		})
	}
}
