package edge

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tailrace/tailrace/host/config"
	"github.com/tailrace/tailrace/host/herder"
	"github.com/tailrace/tailrace/host/plugin"
	"github.com/tailrace/tailrace/host/rest"
	"github.com/tailrace/tailrace/host/store"
	"github.com/tailrace/tailrace/host/worker"
	"github.com/tailrace/tailrace/test/harness"
)

const (
	manyConnectors = 1000
	asked          = 30
	// madeConnectors are made over the API in the short form: each is checked by a process of its own.
	madeConnectors = 20
)

// latencies asks several times and returns the shortest and the middle time, the first answers not counted.
func latencies(t *testing.T, client *http.Client, ask func() *http.Request) (shortest, middle time.Duration, bytes int64) {
	t.Helper()
	var took []time.Duration
	for i := range asked + 3 {
		r := ask()
		began := time.Now()
		answer, err := client.Do(r)
		require.NoError(t, err)
		bytes, err = io.Copy(io.Discard, answer.Body)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		require.Equal(t, 200, answer.StatusCode)
		if i >= 3 {
			took = append(took, time.Since(began))
		}
	}
	slices.Sort(took)
	return took[0], took[asked/2], bytes
}

// still is a herder's worker, catalogue and processes of which nothing is asked but the list of plugins.
type still struct {
	herder.Worker
	herder.Processes
}

type noPlugins struct{ herder.Catalogue }

func (noPlugins) List() plugin.Listing { return plugin.Listing{} }

// The list of 1,000 connectors with four running tasks each, with statuses and configurations, takes less than 50 ms. The bound is
// for processor time, because other tests run beside this one; the figures for docs/benchmarks.md are printed.
func TestAThousandConnectorsAreListedQuickly(t *testing.T) {
	configs, statuses := store.NewMemoryConfigStore(), store.NewMemoryStatusStore()
	for i := range manyConnectors {
		name := fmt.Sprintf("connector-%04d", i)
		props := map[string]string{"name": name, "connector.class": "FileStreamSource", "tasks.max": "4", "topic": name, "file": "/data/" + name, "transforms": "a", "transforms.a.type": "InsertField"}
		require.NoError(t, configs.PutConnector(t.Context(), name, props, store.TargetStarted))
		require.NoError(t, configs.PutTasks(t.Context(), name, []map[string]string{props, props, props, props}))
		running := store.Status{State: store.StateRunning, WorkerID: "10.0.0.1:8083"}
		require.NoError(t, statuses.PutConnector(t.Context(), name, running))
		for n := range 4 {
			require.NoError(t, statuses.PutTask(t.Context(), store.TaskID{Connector: name, Task: n}, running))
		}
	}
	settings, _, err := config.ParseWorker(config.Dev, nil)
	require.NoError(t, err)
	h := herder.NewStandalone(herder.StandaloneConfig{
		Settings: settings, Plugins: noPlugins{}, Worker: func(worker.Listener) herder.Worker { return still{} },
		Configs: configs, Statuses: statuses, Offsets: store.NewMemoryOffsetStore(), Logger: slog.New(slog.DiscardHandler),
	})
	server := httptest.NewServer(rest.Handler(h, rest.Options{}))
	defer server.Close()
	for _, path := range []string{"/connectors", "/connectors?expand=status&expand=info"} {
		before := cpu(t)
		shortest, middle, bytes := latencies(t, server.Client(), func() *http.Request {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+path, nil)
			require.NoError(t, err)
			return r
		})
		each := (cpu(t) - before) / (asked + 3)
		t.Logf("GET %-40s shortest %8v, middle %8v of %d, %v of processor time each, %d bytes", path, tens(shortest), tens(middle), asked, tens(each), bytes)
		require.Less(t, each, raceCost*50*time.Millisecond, path)
	}
}

// cpu is the processor time that this process has used.
func cpu(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	require.NoError(t, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func tens(d time.Duration) time.Duration { return d.Round(10 * time.Microsecond) }

// How long a built worker takes. TAILRACE_CONNECTORS=1000 makes more connectors first; that takes minutes.
// The bounds are for the shortest time.
func TestAnswersComeQuickly(t *testing.T) {
	many := madeConnectors
	if text := os.Getenv("TAILRACE_CONNECTORS"); text != "" {
		var err error
		many, err = strconv.Atoi(text)
		require.NoError(t, err, "TAILRACE_CONNECTORS")
	}
	w := harness.Start(t, harness.Config{Bootstrap: broker(t), Props: map[string]string{"rest.max.requests.per.second": "0"}})
	client := &http.Client{Timeout: time.Minute}
	t.Cleanup(client.CloseIdleConnections)
	ask := func(method, path, body string) func() *http.Request {
		return func() *http.Request {
			r, err := http.NewRequestWithContext(t.Context(), method, w.URL()+path, strings.NewReader(body))
			require.NoError(t, err)
			r.Header.Set("Content-Type", "application/json")
			return r
		}
	}
	began := time.Now()
	for i := range many {
		body := fmt.Sprintf(`{"name":"connector-%04d","initial_state":"STOPPED","config":{"connector.class":"FileStreamSource","tasks.max":"1","topic":"topic-%d","file":"/nowhere/%d","process.isolation":"plugin"}}`, i, i, i)
		answer, err := client.Do(ask("POST", "/connectors", body)())
		require.NoError(t, err)
		text, err := io.ReadAll(answer.Body)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		require.Equal(t, 201, answer.StatusCode, string(text))
	}
	t.Logf("%d connectors made in %v", many, time.Since(began).Round(time.Millisecond))
	const config = `{"name":"x","connector.class":"FileStreamSource","tasks.max":"1","topic":"t","file":"/nowhere","process.isolation":"plugin"}`
	for _, c := range []struct {
		what, method, path, body string
		bound                    time.Duration
	}{
		{"GET /connectors", "GET", "/connectors", "", 50 * time.Millisecond},
		{"GET /connectors?expand=status&expand=info", "GET", "/connectors?expand=status&expand=info", "", 50 * time.Millisecond},
		{"PUT validate, its process warm", "PUT", "/connector-plugins/FileStreamSource/config/validate", config, 20 * time.Millisecond},
	} {
		harness.Eventually(t, 2*time.Minute, c.what+" within "+c.bound.String(), func() (bool, string) {
			shortest, middle, bytes := latencies(t, client, ask(c.method, c.path, c.body))
			figures := fmt.Sprintf("%-45s shortest %8v, middle %8v of %d, %d bytes", c.what, tens(shortest), tens(middle), asked, bytes)
			t.Log(figures)
			return shortest < c.bound, figures
		})
	}
}
