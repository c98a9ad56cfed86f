package observe

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tailrace/tailrace/test/env"
	"github.com/tailrace/tailrace/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

// get reads an answer of the worker; every answer is compared with the OpenAPI document too.
func get[T any](w *harness.Worker, path string) T {
	w.T.Helper()
	status, body := w.REST("GET", path, nil)
	require.Equal(w.T, 200, status, body)
	var out T
	require.NoError(w.T, json.Unmarshal([]byte(body), &out), body)
	return out
}

type process struct {
	Plugin, Connector, Version string
	PID                        int
	Restarts                   int
	ResidentBytes              int64   `json:"resident_bytes"`
	CPUSeconds                 float64 `json:"cpu_seconds"`
	LastExit                   *struct {
		Cause, Signal string
	} `json:"last_exit"`
}

type events struct {
	Events []struct {
		Seq                            int
		Kind, Connector, State, Reason string
	}
}

type preview struct {
	Records []struct {
		Topic      string
		Key, Value *struct {
			Text string
			JSON any
		}
		Dropped bool
		Failure *struct{ Stage, Message string }
	}
	Ended, Failure string
}

func TestAWorkerTellsWhatHappensOnIt(t *testing.T) {
	w := harness.Start(t, harness.Config{Bootstrap: harness.Embedded(t)})
	p := harness.StartPipeline(t, w, 1000, harness.Props{})
	p.AwaitLines(1000, 60*time.Second)

	t.Run("figures", func(t *testing.T) {
		harness.Eventually(t, 20*time.Second, "the figures of the pipeline", func() (bool, string) {
			status, body := w.REST("GET", "/metrics", nil)
			for _, want := range []string{
				`kafka_connect_source_task_source_record_write_total{connector="source",task="0"} 1000`,
				`kafka_connect_sink_task_sink_record_send_total{connector="sink",task="0"} 1000`,
				`kafka_connect_worker_task_startup_success_total 2`,
				`tailrace_plugin_process_starts_total{connector="sink",plugin="file-sink",task=""} 1`,
			} {
				if !strings.Contains(body, want) {
					return false, fmt.Sprint(status, " misses ", want)
				}
			}
			return true, ""
		})
	})

	t.Run("processes, restarts and events", func(t *testing.T) {
		before := sinkProcess(w)
		require.Zero(t, before.Restarts)
		require.Positive(t, before.ResidentBytes)
		require.NoError(t, syscall.Kill(before.PID, syscall.SIGKILL))
		var after process
		harness.Eventually(t, 20*time.Second, "another process of the sink", func() (bool, string) {
			after = sinkProcess(w)
			return after.PID != 0 && after.PID != before.PID, fmt.Sprint(after)
		})
		require.Equal(t, 1, after.Restarts)
		require.Equal(t, "signal", after.LastExit.Cause)
		require.Equal(t, "killed", after.LastExit.Signal)
		harness.Eventually(t, 20*time.Second, "the events of the death", func() (bool, string) {
			seen := ""
			for _, e := range get[events](w, "/v1/events?connector=sink").Events {
				seen += e.Kind + " " + e.State + " " + e.Reason + "\n"
			}
			return strings.Contains(seen, "process_ended  was killed by signal killed") && strings.Contains(seen, "task_state RESTARTING") &&
				strings.Count(seen, "task_state RUNNING") >= 2 && strings.Count(seen, "process_started") == 2, seen
		})
		require.Empty(t, get[events](w, "/v1/events?after=1000000").Events)
	})

	t.Run("logs of a connector, followed", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, w.URL()+"/v1/connectors/sink/logs?follow=true&lines=1", nil)
		require.NoError(t, err)
		answer, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		defer answer.Body.Close()
		lines := bufio.NewScanner(answer.Body)
		require.True(t, lines.Scan(), "the line that was there")
		status, _ := w.REST("PUT", "/connectors/sink/pause", nil)
		require.Equal(t, 202, status)
		for !strings.Contains(lines.Text(), `"PAUSED"`) {
			require.True(t, lines.Scan(), "the pause is told: %v", lines.Err())
		}
		w.AwaitState("sink", "PAUSED", 1)
		w.REST("PUT", "/connectors/sink/resume", nil)
		w.AwaitState("sink", "RUNNING", 1)
	})

	t.Run("the worker and the speed of tasks", func(t *testing.T) {
		about := get[struct {
			PID, Connectors, Tasks int
			PluginProcesses        int `json:"plugin_processes"`
		}](w, "/v1/worker")
		require.Equal(t, w.PID(), about.PID)
		require.Equal(t, []int{2, 2, 2}, []int{about.Connectors, about.Tasks, about.PluginProcesses})
		progress := get[struct {
			Tasks []struct {
				Records          int
				RecordsPerSecond float64 `json:"records_per_second"`
			}
		}](w, "/v1/connectors/source/progress")
		require.Equal(t, 1000, progress.Tasks[0].Records)
		require.Positive(t, progress.Tasks[0].RecordsPerSecond)
	})

	t.Run("the end of a topic", func(t *testing.T) {
		list := get[preview](w, "/v1/topics/"+p.Topic+"/records?connector=sink&records=3").Records
		require.Len(t, list, 3)
		require.Equal(t, harness.Line(999), list[2].Value.JSON)
		status, body := w.REST("GET", "/v1/topics/no-such-topic/records?connector=sink", nil)
		require.Equal(t, 400, status, body)
	})
	previews(t, w, p)
}

func sinkProcess(w *harness.Worker) process {
	for _, p := range get[[]process](w, "/v1/processes") {
		if p.Connector == "sink" {
			return p
		}
	}
	return process{}
}

// A preview shows what would happen, and changes nothing.
func previews(t *testing.T, w *harness.Worker, p *harness.Pipeline) {
	ask := func(t *testing.T, records int, config map[string]string) (int, preview) {
		status, body := w.REST("POST", "/v1/preview", map[string]any{"config": config, "records": records, "timeout_ms": 10_000})
		var out preview
		require.NoError(t, json.Unmarshal([]byte(body), &out))
		if status != 200 {
			out.Failure = body
		}
		return status, out
	}
	t.Run("preview of a source", func(t *testing.T) {
		_, before := w.REST("GET", "/connectors/source/offsets", nil)
		topic := env.Name(t)
		status, out := ask(t, 4, map[string]string{
			"name":            "source", // the name of one that runs: it is not disturbed
			"connector.class": harness.SourceClass, "file": p.Input, "topic": topic, "value.converter": "org.apache.kafka.connect.json.JsonConverter",
			"transforms": "wrap", "transforms.wrap.type": "org.apache.kafka.connect.transforms.HoistField$Value", "transforms.wrap.field": "line",
		})
		require.Equal(t, 200, status, out.Failure)
		require.Equal(t, "records", out.Ended, out.Failure)
		require.Len(t, out.Records, 4)
		require.Equal(t, topic, out.Records[3].Topic)
		require.Contains(t, out.Records[3].Value.Text, `"payload":{"line":"`+harness.Line(3)+`"}`)
		_, after := w.REST("GET", "/connectors/source/offsets", nil)
		require.Equal(t, before, after, "no offset was stored")
		status, _ = w.REST("GET", "/v1/topics/"+topic+"/records?connector=source", nil)
		require.Equal(t, 400, status, "the topic was not made")
		for _, p := range get[[]process](w, "/v1/processes") {
			require.NotContains(t, p.Connector, "preview", "its process is gone")
		}
	})
	t.Run("preview of a sink", func(t *testing.T) {
		output := filepath.Join(t.TempDir(), "out")
		status, out := ask(t, 5, map[string]string{
			"connector.class": harness.SinkClass, "topics": p.Topic, "file": output,
			"transforms": "drop", "transforms.drop.type": "org.apache.kafka.connect.transforms.Filter", "transforms.drop.predicate": "t",
			"predicates": "t", "predicates.t.type": "org.apache.kafka.connect.transforms.predicates.TopicNameMatches", "predicates.t.pattern": ".*",
		})
		require.Equal(t, 200, status, out.Failure)
		require.Len(t, out.Records, 5)
		require.True(t, out.Records[0].Dropped)
		_, err := os.Stat(output)
		require.ErrorIs(t, err, os.ErrNotExist)
		status, out = ask(t, 2, map[string]string{
			"connector.class": harness.SinkClass, "topics": p.Topic, "file": output, "value.converter": "org.apache.kafka.connect.json.JsonConverter",
		})
		require.Equal(t, 200, status, out.Failure)
		require.Equal(t, "VALUE_CONVERTER", out.Records[0].Failure.Stage, "a line is no JSON with a schema")
	})
	t.Run("preview of what cannot be run", func(t *testing.T) {
		status, out := ask(t, 1, map[string]string{"connector.class": "nope"})
		require.Equal(t, 400, status)
		require.Contains(t, out.Failure, "nope")
		status, out = ask(t, 1, map[string]string{"connector.class": harness.SourceClass, "topic": "t", "file": "/no/such/folder/file", "tasks.max": "x"})
		require.Equal(t, 400, status)
		require.Contains(t, out.Failure, "tasks.max")
	})
}
