package metrics

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tailrace/tailrace/host/kafka"
	"github.com/tailrace/tailrace/host/plugin"
	"github.com/tailrace/tailrace/host/store"
	"github.com/tailrace/tailrace/host/task"
	"github.com/tailrace/tailrace/host/worker"
)

type known struct{ report worker.Report }

func (k known) Report() worker.Report { return k.report }

func (known) Processes() []plugin.ProcessInfo {
	return []plugin.ProcessInfo{
		{Plugin: "p", Version: "2.0", Connector: "a", Task: plugin.NoTask, PID: os.Getpid(), Started: time.UnixMilli(1500), Starts: 3},
		{Plugin: "p", Version: "2.0", Connector: "a", Task: plugin.NoTask, PID: 1 << 30, Starts: 1},
		{Plugin: "p", Version: "2.0", Connector: "dead", Task: 4, Starts: 2},
	}
}

func page(t *testing.T, r worker.Report) string {
	t.Helper()
	w := httptest.NewRecorder()
	Handler(known{r}, known{}, slog.New(slog.DiscardHandler)).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	require.Equal(t, http.StatusOK, w.Code, w.Body)
	return w.Body.String()
}

// report is a worker with a source that runs and a sink that failed.
func report() worker.Report {
	source := worker.Parts{
		Kind: plugin.Source, Class: "file-source", Version: "1.0", KeyConverter: "K", ValueConverter: "V", HeaderConverter: "H", CreditBytes: 8 << 20,
		Transforms: []worker.Part{{Alias: "t", Class: "T"}}, Predicates: []worker.Part{{Alias: "q", Class: "Q"}},
	}
	return worker.Report{
		Connectors:      []worker.ConnectorReport{{Name: "a", State: store.StateRunning, Parts: source}, {Name: "new"}},
		ConnectorStarts: worker.Starts{Attempts: 4, Successes: 1, Failures: 2},
		Tasks: []worker.TaskReport{
			{
				ID: task.ID{Connector: "a"}, State: store.StateRunning, RunningRatio: 0.75, PausedRatio: 0.25, Parts: source,
				Snapshot: task.Snapshot{
					Records: 7, Bytes: 70, Taken: 9, ActiveRecords: 2, Batches: 3, Commits: 3, CommitFailures: 1, InFlightBytes: 11,
					Errors: 2, Retries: 5, LastErrorAt: time.UnixMilli(1234), Kafka: kafka.Health{},
				},
			},
			{
				ID: task.ID{Connector: "b", Task: 3}, State: store.StateFailed, Parts: worker.Parts{Kind: plugin.Sink, Class: "s"},
				Snapshot: task.Snapshot{
					Records: 5, LagRecords: 3, Restarts: 1, Partitions: 2, DeadLetters: 6, LoggedErrors: 8,
					Kafka: kafka.Health{UnreachableSince: time.Now(), Err: errors.New("password=hunter2")},
				},
			},
		},
	}
}

func TestTheFiguresHaveKafkaConnectsNames(t *testing.T) {
	text := page(t, report())
	for _, want := range []string{
		"kafka_connect_worker_connector_count 2\n",
		"kafka_connect_worker_task_count 2\n",
		"kafka_connect_worker_connector_startup_attempts_total 4\n",
		"kafka_connect_worker_connector_startup_failure_percentage 0.5\n",
		"kafka_connect_worker_task_startup_success_percentage 0\n",
		`kafka_connect_connector_status{connector="a",status="running"} 1`,
		`kafka_connect_connector_info{connector="a",connector_class="file-source",connector_type="source",connector_version="1.0"} 1`,
		`kafka_connect_connector_task_status{connector="b",status="failed",task="3"} 1`,
		`kafka_connect_worker_connector_failed_task_count{connector="b"} 1`,
		`kafka_connect_worker_connector_running_task_count{connector="b"} 0`,
		`kafka_connect_worker_connector_total_task_count{connector="a"} 1`,
		`kafka_connect_connector_task_running_ratio{connector="a",task="0"} 0.75`,
		`kafka_connect_connector_task_offset_commit_success_percentage{connector="a",task="0"} 0.75`,
		`kafka_connect_connector_transform_info{connector="a",task="0",transform="t",transform_class="T"} 1`,
		`kafka_connect_connector_predicate_info{connector="a",predicate="q",predicate_class="Q",task="0"} 1`,
		`kafka_connect_source_task_source_record_poll_total{connector="a",task="0"} 9`,
		`kafka_connect_source_task_source_record_write_total{connector="a",task="0"} 7`,
		`kafka_connect_source_task_source_record_active_count{connector="a",task="0"} 2`,
		`kafka_connect_task_error_total_record_errors{connector="a",task="0"} 7`,
		`kafka_connect_task_error_last_error_timestamp{connector="a",task="0"} 1234`,
		`kafka_connect_task_error_deadletterqueue_produce_requests{connector="b",task="3"} 6`,
		`kafka_connect_sink_task_sink_record_send_total{connector="b",task="3"} 5`,
		`kafka_connect_sink_task_partition_count{connector="b",task="3"} 2`,
		`tailrace_task_lag_records{connector="b",task="3"} 3`,
		`tailrace_task_kafka_up{connector="a",task="0"} 1`,
		`tailrace_task_kafka_up{connector="b",task="3"} 0`,
		`tailrace_task_credit_bytes{connector="a",task="0"} 8.388608e+06`,
		`tailrace_plugin_process_resident_memory_bytes{connector="a",pid="`,
		`tailrace_plugin_process_starts_total{connector="a",plugin="p",task=""} 4`,
		`tailrace_plugin_process_starts_total{connector="dead",plugin="p",task="4"} 2`,
		"go_goroutines ",
	} {
		require.Contains(t, text, want)
	}
	require.NotContains(t, text, "hunter2", "I-9")
	require.NotContains(t, text, `pid="0"`)
	for _, absent := range []string{`sink_record_read_total{connector="a"`, `source_record_poll_total{connector="b"`} {
		require.NotContains(t, text, absent)
	}
}

func TestTheFiguresTellOfTheCluster(t *testing.T) {
	w := httptest.NewRecorder()
	look := func() Membership {
		return Membership{
			Leader: "http://a:8083/", Protocol: "sessioned", Generation: 7, Leads: true, Connectors: 2, Tasks: 5,
			Completed: 2, TotalTime: 3 * time.Second, Longest: 2 * time.Second, Last: time.Now().Add(-time.Minute),
		}
	}
	Handler(known{report()}, known{}, slog.New(slog.DiscardHandler), Members(look)).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	for _, want := range []string{
		`kafka_connect_worker_rebalance_info{connect_protocol="sessioned",leader_name="http://a:8083/"} 1`,
		"kafka_connect_worker_rebalance_epoch 7\n", "kafka_connect_worker_rebalance_completed_rebalances_total 2\n",
		"kafka_connect_worker_rebalance_rebalancing 0\n", "kafka_connect_worker_rebalance_rebalance_avg_time_ms 1500\n",
		"kafka_connect_worker_rebalance_rebalance_max_time_ms 2000\n", "kafka_connect_worker_rebalance_time_since_last_rebalance_ms 6000",
		"kafka_connect_coordinator_assigned_connectors 2\n", "kafka_connect_coordinator_assigned_tasks 5\n", "tailrace_cluster_leader 1\n",
		`kafka_connect_source_task_poll_batch_max_time_ms{connector="a",task="0"}`,
	} {
		require.Contains(t, w.Body.String(), want)
	}
}

// I-3: whatever a plugin says of itself, the page is there.
func TestMeasuresOfPluginsCannotBreakThePage(t *testing.T) {
	r := report()
	r.Tasks[0].Metrics = []plugin.Metric{
		{Name: "lines_total", Counter: true, Value: 4, Help: "Lines.", Labels: map[string]string{"file": "a\nb\"\xff"}},
		{Name: "lines_total", Counter: true, Value: 5, Help: "Other help.", Labels: map[string]string{"file": "c"}},
		{Name: "lines_total", Counter: true, Value: 6, Labels: map[string]string{"file": "c"}}, // twice
		{Name: "lines_total", Value: 7},  // another kind
		{Name: "process_info", Value: 1}, // ours
		{Name: "x y"},
		{Name: ""},
		{Name: "0x"},
		{Name: "é"},
		{Name: "ok", Labels: map[string]string{"a b": "1"}},
		{Name: "ok", Labels: map[string]string{"__name__": "1"}},
		{Name: "ok", Labels: map[string]string{"task": "1"}},
		{Name: "queue", Value: 2},
	}
	r.Connectors[0].Metrics = []plugin.Metric{{Name: "queue", Value: 1}}
	text := page(t, r)
	require.Contains(t, text, "tailrace_plugin_lines_total{connector=\"a\",file=\"a\\nb\\\"\uFFFD\",task=\"0\"} 4")
	require.Contains(t, text, `tailrace_plugin_lines_total{connector="a",file="c",task="0"} 5`)
	require.Contains(t, text, `tailrace_plugin_queue{connector="a",task=""} 1`)
	require.Contains(t, text, `tailrace_plugin_queue{connector="a",task="0"} 2`)
	require.NotContains(t, text, "tailrace_plugin_ok")
	require.Contains(t, text, "kafka_connect_worker_task_count 2\n")
}

// What the dashboard asks for exists, with the labels that it names.
func TestTheDashboardAsksForWhatThereIs(t *testing.T) {
	text, err := os.ReadFile("../../docs/grafana-dashboard.json")
	require.NoError(t, err)
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr, LegendFormat string }
		}
		Templating struct{ List []struct{ Query string } }
	}
	require.NoError(t, json.Unmarshal(text, &dashboard))
	r := report()
	r.Tasks[1].State = store.StateRunning
	exported := page(t, r)
	identifier := regexp.MustCompile(`[a-z_]+_[a-z_]+`)
	var queries []string
	for _, v := range dashboard.Templating.List {
		queries = append(queries, v.Query)
	}
	for _, p := range dashboard.Panels {
		require.NotEmpty(t, p.Targets, p.Title)
		for _, target := range p.Targets {
			queries = append(queries, target.Expr)
			requireBalanced(t, target.Expr)
			for _, label := range regexp.MustCompile(`\{\{(\w+)\}\}`).FindAllStringSubmatch(target.LegendFormat, -1) {
				metric := identifier.FindString(strings.TrimPrefix(target.Expr, "label_values"))
				require.Regexp(t, metric+`\{[^}]*`+label[1]+`="`, exported, "%s: its legend names a label that is not there", p.Title)
			}
		}
	}
	for _, q := range queries {
		for _, name := range identifier.FindAllString(q, -1) {
			if slices.Contains([]string{"label_values", "histogram_quantile", "max_over_time"}, name) {
				continue
			}
			require.Regexp(t, `(?m)^`+name+`[ {]`, exported, "%s asks for a figure that is not there", q)
		}
	}
	require.Greater(t, len(queries), 10)
}

// requireBalanced finds the usual slips of a query that was written by hand.
func requireBalanced(t *testing.T, query string) {
	t.Helper()
	for _, pair := range []string{"()", "{}", "[]"} {
		require.Equal(t, strings.Count(query, pair[:1]), strings.Count(query, pair[1:]), query)
	}
	require.Zero(t, strings.Count(query, `"`)%2, query)
}
