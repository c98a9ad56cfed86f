package observe

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tailrace/tailrace/test/harness"
)

// Whatever worker is asked, it tells of the whole cluster; and the level of a connector's logger reaches its plugin on
// every worker.
func TestAnyWorkerTellsOfTheWholeCluster(t *testing.T) {
	workers := harness.StartCluster(t, 2, harness.Config{Bootstrap: harness.Embedded(t), Group: "observed"})
	a, b := workers[0], workers[1]
	dir := t.TempDir()
	names := []string{}
	for i := range 4 {
		name, input := fmt.Sprint("lines-", i), filepath.Join(dir, fmt.Sprint(i))
		require.NoError(t, os.WriteFile(input, []byte("one\ntwo\nthree\n"), 0o600))
		names = append(names, name)
		a.Create(name, map[string]string{"connector.class": harness.SourceClass, "file": input, "topic": "observed-" + name})
	}
	parts := a.AwaitRunningOn(time.Minute, 1, names, workers...)
	require.Len(t, parts, 2, "both have work: %v", parts)

	for _, w := range workers {
		harness.Eventually(t, 30*time.Second, "the progress of every connector", func() (bool, string) {
			for _, name := range names {
				p := get[struct{ Tasks []struct{ Records int } }](w, "/v1/connectors/"+name+"/progress")
				if len(p.Tasks) != 1 || p.Tasks[0].Records != 3 {
					return false, fmt.Sprint(name, p)
				}
			}
			return true, ""
		})
		processes := get[[]struct{ Connector, Worker string }](w, "/v1/processes")
		for _, name := range names {
			require.True(t, slices.ContainsFunc(processes, func(p struct{ Connector, Worker string }) bool { return p.Connector == name }), "%v", processes)
			lines := get[struct {
				Lines []struct{ Message, Worker string }
			}](w, "/v1/connectors/"+name+"/logs")
			require.NotEmpty(t, lines.Lines, name)
			require.NotEmpty(t, get[events](w, "/v1/events?connector="+name).Events, name)
		}
		metrics := map[string]string{}
		_, page := w.REST("GET", "/metrics", nil)
		for line := range strings.SplitSeq(page, "\n") {
			name, value, _ := strings.Cut(line, " ")
			metrics[name] = value
		}
		require.NotEqual(t, "0", metrics["kafka_connect_worker_rebalance_completed_rebalances_total"])
		require.NotEqual(t, "0", metrics["kafka_connect_coordinator_assigned_tasks"])
	}

	t.Run("loggers reach the plugins of all", func(t *testing.T) {
		for _, name := range names {
			status, body := b.REST("PUT", "/admin/loggers/connector."+name+"?scope=cluster", map[string]any{"level": "DEBUG"})
			require.Equal(t, 204, status, body)
		}
		for i, name := range names {
			harness.Eventually(t, 30*time.Second, "a debug line of the plugin of "+name, func() (bool, string) {
				grow(t, filepath.Join(dir, fmt.Sprint(i)))
				list := get[struct {
					Lines []struct {
						Level, Message string
						Task           *int
					}
				}](a, "/v1/connectors/"+name+"/logs?lines=1000")
				for _, l := range list.Lines {
					if l.Level == "DEBUG" && l.Task != nil && l.Message == "polled" {
						return true, ""
					}
				}
				return false, fmt.Sprint(list)
			})
		}
		status, body := b.REST("PUT", "/admin/loggers/connector."+names[0]+"?scope=worker", map[string]any{"level": "INFO"})
		require.Equal(t, 200, status, body)
		_, other := a.REST("GET", "/admin/loggers/connector."+names[0], nil)
		require.Contains(t, other, "DEBUG", "the other worker's level stays")
	})

	t.Run("a worker that is gone is named", func(t *testing.T) {
		b.Suspend()
		defer b.Resume()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, a.URL()+"/v1/processes", nil)
		require.NoError(t, err)
		answer, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		defer answer.Body.Close()
		require.Equal(t, 200, answer.StatusCode)
		require.Equal(t, b.WorkerID(), answer.Header.Get("X-Tailrace-Missing-Workers"))
		var list []process
		require.NoError(t, json.NewDecoder(answer.Body).Decode(&list))
		require.NotEmpty(t, list)
	})
}

func grow(t *testing.T, file string) {
	f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.WriteString("more\n")
	require.NoError(t, err)
	require.NoError(t, f.Close())
}
