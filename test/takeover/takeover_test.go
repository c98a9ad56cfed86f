package takeover

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tailrace/tailrace/test/env"
	"github.com/tailrace/tailrace/test/env/server"
	"github.com/tailrace/tailrace/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

// limit bounds every wait in these tests.
const limit = 5 * time.Minute

// lines is what every worker moves.
const lines = 500

func TestTailraceTakesOverFromKafkaConnectAndHandsBack(t *testing.T) {
	harness.Binaries(t) // built here, so that building does not count as taking over
	bootstrap, group := env.Kafka(t).Bootstrap, env.Name(t)
	topic := group + "-lines"
	input, output := filepath.Join(t.TempDir(), "in.txt"), filepath.Join(t.TempDir(), "out.txt")
	require.NoError(t, os.WriteFile(input, nil, 0o600))
	options := server.ConnectOptions{Bootstrap: bootstrap, Distributed: true, HeapMiB: 256, Properties: map[string]string{"offset.flush.interval.ms": "500"}}
	maps.Copy(options.Properties, harness.GroupProps(group))
	source := map[string]string{
		"connector.class": "org.apache.kafka.connect.file.FileStreamSourceConnector", "topic": topic, "file": input, "tasks.max": "1",
		"topic.creation.default.partitions": "1", "topic.creation.default.replication.factor": "1",
	}
	sink := map[string]string{"connector.class": "org.apache.kafka.connect.file.FileStreamSinkConnector", "topics": topic, "file": output, "tasks.max": "1"}

	wrote := 0
	grow := func() {
		f, err := os.OpenFile(input, os.O_APPEND|os.O_WRONLY, 0)
		require.NoError(t, err)
		// ASCII: the FileStreamSource of Kafka Connect counts characters and seeks to bytes, so that it repeats parts of
		// other lines whenever it is started again.
		for range lines {
			_, err := fmt.Fprintf(f, "%09d the quick brown fox jumps over the lazy dog and goes on to the river\n", wrote)
			require.NoError(t, err)
			wrote++
		}
		require.NoError(t, f.Close())
	}
	// What the first worker was told, and every later one must know.
	var configs map[string]string
	check := func(api harness.API) {
		t.Helper()
		grow()
		harness.Eventually(t, limit, fmt.Sprintf("%d lines", wrote), func() (bool, string) {
			n := harness.LineCount(output)
			status, _ := api.Call("GET", "/connectors/source/status", nil)
			return n >= wrote, fmt.Sprint(n, " lines, status ", status)
		})
		requireSame(t, input, output)
		require.Equal(t, readTopic(t, bootstrap, topic, wrote), strings.Split(strings.TrimSuffix(read(t, input), "\n"), "\n"), "the topic")
		api.AwaitStates(limit, "source", "RUNNING", 1, "")
		api.AwaitStates(limit, "sink", "RUNNING", 1, "")
		api.AwaitStates(limit, "paused", "PAUSED", 1, "")
		api.AwaitStates(limit, "stopped", "STOPPED", 0, "")
		now := map[string]string{}
		for _, name := range []string{"source", "sink", "paused", "stopped"} {
			now[name] = api.Expect(200, "GET", "/connectors/"+name+"/config", nil) + api.Expect(200, "GET", "/connectors/"+name+"/tasks", nil)
		}
		if configs == nil {
			configs = now
		}
		for name, text := range configs {
			require.JSONEq(t, "["+strings.ReplaceAll(strings.TrimSpace(strings.ReplaceAll(text, "}[", "},[")), "}\n[", "},[")+"]",
				"["+strings.ReplaceAll(strings.TrimSpace(strings.ReplaceAll(now[name], "}[", "},[")), "}\n[", "},[")+"]", name)
		}
	}

	java, err := server.StartConnect(t.Context(), options)
	require.NoError(t, err)
	running := true
	t.Cleanup(func() {
		if running {
			_ = java.Close()
		}
	})
	api := harness.API{T: t, Base: java.URL()}
	for name, config := range map[string]map[string]string{"source": source, "sink": sink, "paused": withFile(source, t, topic+"-other"), "stopped": withFile(source, t, topic+"-other")} {
		api.Expect(201, "POST", "/connectors", map[string]any{"name": name, "config": config})
	}
	for _, name := range []string{"paused", "stopped"} {
		api.AwaitStates(limit, name, "RUNNING", 1, "")
	}
	api.Expect(202, "PUT", "/connectors/paused/pause", nil)
	api.Expect(204, "PUT", "/connectors/stopped/stop", nil)
	check(api)
	require.NoError(t, java.Close())
	running = false

	began := time.Now()
	ours := harness.Start(t, harness.Config{Bootstrap: bootstrap, Group: group})
	ready := time.Since(began)
	check(harness.API{T: t, Base: ours.URL()})
	t.Logf("Tailrace had taken over %v after its start; it was ready after %v", time.Since(began).Round(time.Millisecond), ready.Round(time.Millisecond))
	// What is changed here is known there.
	harness.API{T: t, Base: ours.URL()}.Expect(200, "GET", "/connectors/source/offsets", nil)
	ours.Stop()

	again := env.ConnectWorker(t, options)
	back := harness.API{T: t, Base: again.URL()}
	check(back)
	back.Expect(202, "PUT", "/connectors/paused/resume", nil)
	back.AwaitStates(limit, "paused", "RUNNING", 1, "")
	back.Expect(202, "PUT", "/connectors/stopped/resume", nil)
	back.AwaitStates(limit, "stopped", "RUNNING", 1, "")
}

func withFile(source map[string]string, t *testing.T, topic string) map[string]string {
	other := maps.Clone(source)
	other["file"], other["topic"] = harness.WriteLines(t, 1), topic
	return other
}

func read(t *testing.T, path string) string {
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(text)
}

func requireSame(t *testing.T, input, output string) {
	t.Helper()
	if in, out := read(t, input), read(t, output); in != out {
		t.Fatalf("the sink's file has %d lines that are not the %d lines of the source: %s", strings.Count(out, "\n"), strings.Count(in, "\n"), firstDifference(in, out))
	}
}

func firstDifference(in, out string) string {
	a, b := strings.Split(in, "\n"), strings.Split(out, "\n")
	for i := range a {
		if i >= len(b) || a[i] != b[i] {
			got := "nothing"
			if i < len(b) {
				got = b[i]
			}
			return fmt.Sprintf("line %d is %.40q, want %.40q", i, got, a[i])
		}
	}
	return "there is more at the end"
}

// readTopic reads the first n values of a topic with one partition, and makes sure that there are no more.
func readTopic(t *testing.T, bootstrap, topic string, n int) []string {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(bootstrap), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	require.NoError(t, err)
	defer cl.Close()
	var values []string
	for len(values) < n {
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		fetches := cl.PollFetches(ctx)
		cancel()
		require.NoError(t, fetches.Err())
		fetches.EachRecord(func(r *kgo.Record) { values = append(values, string(r.Value)) })
	}
	require.Len(t, values, n, "records in the topic")
	return values
}
