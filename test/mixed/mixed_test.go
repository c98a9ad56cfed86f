package mixed

import (
	"fmt"
	"maps"
	"net/url"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tailrace/tailrace/test/env"
	"github.com/tailrace/tailrace/test/env/server"
	"github.com/tailrace/tailrace/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

// limit bounds every wait in these tests.
const limit = 5 * time.Minute

func workerID(t *testing.T, java *server.Worker) string {
	u, err := url.Parse(java.URL())
	require.NoError(t, err)
	return u.Host
}

func TestAMixedGroupSurvivesTheDeathOfEither(t *testing.T) {
	bootstrap, group := env.Kafka(t).Bootstrap, env.Name(t)
	props := harness.GroupProps(group)
	maps.Copy(props, map[string]string{
		"scheduled.rebalance.max.delay.ms": "0", "session.timeout.ms": "6000", "heartbeat.interval.ms": "1000", "offset.flush.interval.ms": "500",
	})
	options := server.ConnectOptions{Bootstrap: bootstrap, Distributed: true, HeapMiB: 256, Properties: maps.Clone(props)}
	java, err := server.StartConnect(t.Context(), options)
	require.NoError(t, err)
	t.Cleanup(func() { _ = java.Close() })
	ours := harness.Start(t, harness.Config{Bootstrap: bootstrap, Group: group, Props: props})
	ours.AwaitJoined()
	theirs := harness.API{T: t, Base: java.URL()}
	own := harness.API{T: t, Base: ours.URL()}
	javaID, ourID := workerID(t, java), ours.WorkerID()

	type pipe struct {
		name, input, output string
		lines               int
	}
	var pipes []*pipe
	create := func(api harness.API) {
		t.Helper()
		n := len(pipes)
		p := &pipe{name: fmt.Sprintf("p%d", n), input: harness.WriteLines(t, 100), output: filepath.Join(t.TempDir(), "out.txt"), lines: 100}
		topic := fmt.Sprintf("%s-lines-%d", group, n)
		api.Expect(201, "POST", "/connectors", map[string]any{"name": p.name + "-in", "config": map[string]string{
			"connector.class": "org.apache.kafka.connect.file.FileStreamSourceConnector", "topic": topic, "file": p.input, "tasks.max": "1",
			"topic.creation.default.partitions": "1", "topic.creation.default.replication.factor": "1",
		}})
		api.Expect(201, "POST", "/connectors", map[string]any{"name": p.name + "-out", "config": map[string]string{
			"connector.class": "org.apache.kafka.connect.file.FileStreamSinkConnector", "topics": topic, "file": p.output, "tasks.max": "1",
		}})
		pipes = append(pipes, p)
	}
	flow := func(api harness.API, on string) {
		t.Helper()
		for _, p := range pipes {
			api.AwaitStates(limit, p.name+"-in", "RUNNING", 1, on)
			api.AwaitStates(limit, p.name+"-out", "RUNNING", 1, on)
			harness.Eventually(t, limit, "all lines of "+p.name, func() (bool, string) {
				n := harness.LineCount(p.output)
				return n >= p.lines, fmt.Sprint(n)
			})
		}
	}

	create(theirs)
	create(own) // passed on to Kafka Connect, which leads
	flow(own, "")
	flow(theirs, "")
	requireBothWork(t, own, javaID, ourID)
	own.Expect(202, "POST", "/connectors/p0-in/restart?includeTasks=true", nil)
	theirs.Expect(204, "POST", "/connectors/p1-in/tasks/0/restart", nil)
	flow(own, "")

	began := time.Now()
	ours.Kill()
	flow(theirs, javaID)
	t.Logf("Tailrace was killed: all runs on Kafka Connect after %v", time.Since(began).Round(time.Millisecond))
	ours.Start()
	ours.AwaitJoined()
	requireBothWork(t, own, javaID, ourID)

	began = time.Now()
	require.NoError(t, syscall.Kill(java.PID(), syscall.SIGKILL))
	flow(own, ourID)
	t.Logf("Kafka Connect was killed: all runs on Tailrace, which leads now, after %v", time.Since(began).Round(time.Millisecond))

	again := env.ConnectWorker(t, options)
	theirs, javaID = harness.API{T: t, Base: again.URL()}, workerID(t, again)
	create(theirs) // passed on to Tailrace
	create(own)
	flow(theirs, "")
	requireBothWork(t, own, javaID, ourID)
	for i := range pipes { // whoever runs it, whoever is asked
		own.Expect(204, "POST", fmt.Sprintf("/connectors/p%d-in/restart", i), nil)
		theirs.Expect(204, "POST", fmt.Sprintf("/connectors/p%d-out/tasks/0/restart", i), nil)
	}
	flow(own, "")
	theirs.Expect(204, "PUT", "/connectors/p0-out/stop", nil)
	own.AwaitStates(limit, "p0-out", "STOPPED", 0, "")
	own.Expect(202, "PUT", "/connectors/p0-out/resume", nil)
	own.AwaitStates(limit, "p0-out", "RUNNING", 1, "")
	theirs.Expect(204, "DELETE", "/connectors/p0-out", nil)
	own.Expect(404, "GET", "/connectors/p0-out", nil)
}

// requireBothWork waits until each of the two runs something.
func requireBothWork(t *testing.T, api harness.API, ids ...string) {
	t.Helper()
	harness.Eventually(t, limit, fmt.Sprintf("%v both work", ids), func() (bool, string) {
		_, text := api.Call("GET", "/connectors?expand=status", nil)
		for _, id := range ids {
			if !strings.Contains(text, `"worker_id":"`+id+`"`) {
				return false, text
			}
		}
		return true, ""
	})
}
