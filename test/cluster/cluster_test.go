package cluster

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tailrace/tailrace/test/env"
	"github.com/tailrace/tailrace/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

// limit bounds every wait in these tests.
const limit = 3 * time.Minute

// session is session.timeout.ms of TestWorkMovesWithTheWorkers. docs/benchmarks.md has figures with Kafka Connect's default.
var session = flag.Duration("session", 6*time.Second, "session timeout of the workers that are killed")

// Requests may go to any worker, whoever leads and whoever runs the connector.
func TestAnyWorkerServesAnyRequest(t *testing.T) {
	harness.Brokers(t, func(t *testing.T, bootstrap string) {
		workers := harness.StartCluster(t, 3, harness.Config{Bootstrap: bootstrap, Group: env.Name(t)})
		topic := env.Name(t) + "-lines"
		input, output := harness.WriteLines(t, 1000), filepath.Join(t.TempDir(), "out.txt")
		source := map[string]string{
			"connector.class": harness.SourceClass, "topic": topic, "file": input, "tasks.max": "1",
			"topic.creation.default.partitions": "1", "topic.creation.default.replication.factor": "1",
		}
		sink := map[string]string{"connector.class": harness.SinkClass, "topics": topic, "file": output, "tasks.max": "1"}
		for i, w := range workers { // one of them leads
			name := fmt.Sprintf("c%d", i)
			status, body := w.REST("POST", "/connectors", map[string]any{"name": name, "config": source})
			require.Equal(t, 201, status, body)
			status, body = w.REST("POST", "/connectors", map[string]any{"name": name, "config": source})
			require.Equal(t, 409, status, body)
			require.Contains(t, body, "Connector "+name+" already exists")
		}
		names := []string{"c0", "c1", "c2"}
		for _, w := range workers {
			w.AwaitRunningOn(limit, 1, names, workers...)
		}
		for i, w := range workers {
			name := names[i]
			expect := func(want int, method, path string, body any) string {
				t.Helper()
				status, text := w.REST(method, path, body)
				require.Equal(t, want, status, "%s %s at worker %d: %s", method, path, i, text)
				return text
			}
			expect(202, "PUT", "/connectors/"+name+"/pause", nil)
			w.AwaitState(name, "PAUSED", 1)
			expect(202, "PUT", "/connectors/"+name+"/resume", nil)
			w.AwaitState(name, "RUNNING", 1)
			expect(204, "POST", "/connectors/"+name+"/restart", nil)
			w.AwaitState(name, "RUNNING", 1)
			expect(202, "POST", "/connectors/"+name+"/restart?includeTasks=true", nil)
			w.AwaitState(name, "RUNNING", 1)
			expect(204, "POST", "/connectors/"+name+"/tasks/0/restart", nil)
			w.AwaitState(name, "RUNNING", 1)
			expect(404, "POST", "/connectors/"+name+"/tasks/9/restart", nil)
			expect(404, "POST", "/connectors/nobody/restart", nil)
			expect(404, "DELETE", "/connectors/nobody", nil)
			changed := maps.Clone(source)
			changed["batch.size"] = "100"
			expect(200, "PUT", "/connectors/"+name+"/config", changed)
			expect(200, "PATCH", "/connectors/"+name+"/config", map[string]string{"batch.size": "200"})
			harness.Eventually(t, limit, "the change is everywhere", func() (bool, string) {
				text := ""
				for _, other := range workers {
					_, text = other.REST("GET", "/connectors/"+name+"/tasks", nil)
					var tasks []struct{ Config map[string]string }
					if json.Unmarshal([]byte(text), &tasks) != nil || len(tasks) != 1 || tasks[0].Config["batch.size"] != "200" {
						return false, text
					}
				}
				return true, text
			})
			w.AwaitState(name, "RUNNING", 1)
			expect(204, "PUT", "/connectors/"+name+"/stop", nil)
			w.AwaitState(name, "STOPPED", 0)
			expect(200, "PATCH", "/connectors/"+name+"/offsets", map[string]any{"offsets": []any{
				map[string]any{"partition": map[string]any{"filename": input}, "offset": map[string]any{"position": 0}},
			}})
			require.Contains(t, expect(200, "GET", "/connectors/"+name+"/offsets", nil), `"position":0`)
			expect(200, "DELETE", "/connectors/"+name+"/offsets", nil)
			require.Equal(t, "{\"offsets\":[]}\n", expect(200, "GET", "/connectors/"+name+"/offsets", nil))
			if name != "c0" {
				expect(204, "DELETE", "/connectors/"+name, nil)
				harness.Eventually(t, limit, "its status is gone everywhere", func() (bool, string) {
					for _, other := range workers {
						if status, text := other.REST("GET", "/connectors/"+name+"/status", nil); status != 404 {
							return false, text
						}
					}
					return true, ""
				})
				continue
			}
			expect(202, "PUT", "/connectors/"+name+"/resume", nil)
			w.AwaitState(name, "RUNNING", 1)
		}
		workers[1].CreateOnly("sink", sink)
		harness.Eventually(t, limit, "the lines arrive", func() (bool, string) {
			n := harness.LineCount(output)
			return n >= 1000, fmt.Sprint(n)
		})
		_, body := workers[2].REST("GET", "/connectors", nil)
		require.JSONEq(t, `["c0","sink"]`, body)
	})
}

// The work of a worker that stops, and of one that is killed, goes on elsewhere; a worker that joins gets its part.
func TestWorkMovesWithTheWorkers(t *testing.T) {
	bootstrap := env.Kafka(t).Bootstrap
	workers := harness.StartCluster(t, 3, harness.Config{Bootstrap: bootstrap, Group: env.Name(t), Props: map[string]string{
		"session.timeout.ms": strconv.FormatInt(session.Milliseconds(), 10), "heartbeat.interval.ms": "1000",
	}})
	var names []string
	for i := range 6 {
		name := fmt.Sprintf("c%d", i)
		names = append(names, name)
		workers[0].CreateOnly(name, map[string]string{
			"connector.class": harness.SourceClass, "topic": env.Name(t), "file": harness.WriteLines(t, 10), "tasks.max": "1",
			"topic.creation.default.partitions": "1", "topic.creation.default.replication.factor": "1",
		})
	}
	even := func(by *harness.Worker, workers ...*harness.Worker) {
		t.Helper()
		harness.Eventually(t, limit, "the work is even", func() (bool, string) {
			parts := by.AwaitRunningOn(limit, 1, names, workers...)
			sizes := slices.Sorted(maps.Values(parts))
			return len(parts) == len(workers) && sizes[len(sizes)-1]-sizes[0] <= 2, fmt.Sprint(parts)
		})
	}
	even(workers[0], workers...)

	began := time.Now()
	workers[2].Stop()
	stopped := time.Now()
	even(workers[0], workers[:2]...)
	t.Logf("clean stop: the process ended after %v, all runs elsewhere after %v", stopped.Sub(began).Round(time.Millisecond), time.Since(began).Round(time.Millisecond))

	workers[2].Start()
	even(workers[0], workers...)

	began = time.Now()
	workers[0].Kill()
	even(workers[1], workers[1:]...)
	t.Logf("kill: all runs elsewhere after %v", time.Since(began).Round(time.Millisecond))
	require.Less(t, time.Since(began), *session+10*time.Second) // a second more than the session on an idle machine
	status, body := workers[1].REST("PUT", "/connectors/c0/pause", nil)
	require.Equal(t, 202, status, body)
	workers[2].AwaitState("c0", "PAUSED", 1)
}
