package cluster

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tailrace/tailrace/test/env"
	"github.com/tailrace/tailrace/test/harness"
)

// Workers with a group.instance.id are restarted one after the other, the leader too. Each gets its old work back, and on the
// others nothing stops or starts.
func TestARollingRestartMovesNothing(t *testing.T) {
	bootstrap, group := env.Kafka(t).Bootstrap, env.Name(t)
	var workers []*harness.Worker
	for i := range 3 {
		workers = append(workers, harness.Start(t, harness.Config{Bootstrap: bootstrap, Group: group, Props: map[string]string{
			"group.instance.id": fmt.Sprintf("w%d", i), "session.timeout.ms": "60000", "heartbeat.interval.ms": "3000",
		}}))
	}
	var names []string
	for i := range 6 {
		names = append(names, fmt.Sprintf("c%d", i))
		workers[0].CreateOnly(names[i], map[string]string{
			"connector.class": harness.SourceClass, "topic": env.Name(t), "file": harness.WriteLines(t, 10), "tasks.max": "1",
			"topic.creation.default.partitions": "1", "topic.creation.default.replication.factor": "1",
		})
	}
	// Even, so that the group is at rest and nothing moves for another reason.
	even := func(by *harness.Worker) map[string]string {
		t.Helper()
		var where map[string]string
		harness.Eventually(t, limit, "each worker has two connectors and two tasks", func() (bool, string) {
			parts := by.AwaitRunningOn(limit, 1, names, workers...)
			where = placement(by, names)
			return len(parts) == 3 && parts[workers[0].WorkerID()] == 4 && parts[workers[1].WorkerID()] == 4, fmt.Sprint(parts)
		})
		return where
	}
	before := even(workers[0])
	for i, w := range workers {
		others := []*harness.Worker{workers[(i+1)%3], workers[(i+2)%3]}
		changes := []int{stateChanges(others[0]), stateChanges(others[1])}
		began := time.Now()
		w.Stop()
		w.Start()
		w.AwaitJoined()
		require.Equal(t, before, even(others[0]), "after the restart of worker %d", i)
		t.Logf("worker %d: %v until all its work ran again", i, time.Since(began).Round(time.Millisecond))
		for k, other := range others {
			require.Equal(t, changes[k], stateChanges(other), "on another worker something stopped or started while worker %d was restarted", i)
		}
	}
}

// placement tells where connectors and their tasks run.
func placement(by *harness.Worker, names []string) map[string]string {
	where := map[string]string{}
	for _, name := range names {
		s, _ := by.Status(name)
		where[name] = s.Connector.WorkerID
		for _, task := range s.Tasks {
			where[fmt.Sprintf("%s-%d", name, task.ID)] = task.WorkerID
		}
	}
	return where
}

// stateChanges counts what a worker has logged about states of connectors and tasks.
func stateChanges(w *harness.Worker) int { return strings.Count(w.Log(), "state changed") }
