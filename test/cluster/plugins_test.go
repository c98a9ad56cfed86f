package cluster

import (
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tailrace/tailrace/test/env"
	"github.com/tailrace/tailrace/test/harness"
)

// A worker that lacks the plugin of a connector, or of one of its transforms, gets nothing of it while another worker has it. When
// nobody has it, the status says so; when a worker with the plugin comes, it takes over by itself.
func TestWorkGoesWhereItsPluginIs(t *testing.T) {
	config := harness.Config{Bootstrap: env.Kafka(t).Bootstrap, Group: env.Name(t), Props: map[string]string{
		"session.timeout.ms": "6000", "heartbeat.interval.ms": "1000",
	}}
	topic := env.Name(t)
	one := config
	one.PluginPath = pluginsFolder(t, "file-source", "file-sink")
	harness.BuildPlugin(t, one.PluginPath, "./test/e2e/testdata/picky")
	rich := harness.Start(t, one) // leads, and therefore checks the configurations
	rich.AwaitJoined()
	two := config
	two.PluginPath = pluginsFolder(t, "file-source")
	poor := harness.Start(t, two)
	poor.AwaitJoined()
	var sources, shouting, sinks []string
	for i := range 3 {
		sources, sinks = append(sources, fmt.Sprintf("source%d", i)), append(sinks, fmt.Sprintf("sink%d", i))
		shouting = append(shouting, fmt.Sprintf("shouting%d", i))
		props := map[string]string{
			"connector.class": harness.SourceClass, "topic": topic, "file": harness.WriteLines(t, 100), "tasks.max": "1",
			"topic.creation.default.partitions": "1", "topic.creation.default.replication.factor": "1",
		}
		rich.CreateOnly(sources[i], props)
		maps.Copy(props, map[string]string{"transforms": "shout", "transforms.shout.type": "picky-shout"})
		rich.CreateOnly(shouting[i], props)
	}
	for i, name := range sinks {
		rich.CreateOnly(name, map[string]string{
			"connector.class": harness.SinkClass, "topics": topic, "file": filepath.Join(t.TempDir(), fmt.Sprint(i)), "tasks.max": "1",
		})
	}
	poor.AwaitRunningOn(limit, 1, sinks, rich)
	poor.AwaitRunningOn(limit, 1, shouting, rich)
	parts := poor.AwaitRunningOn(limit, 1, sources, poor, rich)
	harness.Eventually(t, limit, "the one without the plugin has most sources", func() (bool, string) {
		parts = poor.AwaitRunningOn(limit, 1, sources, poor, rich)
		return parts[poor.WorkerID()] > parts[rich.WorkerID()], fmt.Sprint(parts)
	})
	require.NotContains(t, poor.Log(), "FAILED")

	rich.Stop()
	poor.AwaitRunningOn(limit, 1, sources, poor)
	harness.Eventually(t, limit, "the sinks are FAILED, and it says why", func() (bool, string) {
		for _, name := range sinks {
			s, text := poor.Status(name)
			ok := s.Connector.State == "FAILED" && strings.Contains(s.Connector.Trace, "no plugin offers the connector class "+harness.SinkClass)
			for _, task := range s.Tasks {
				ok = ok && task.State == "FAILED" && strings.Contains(task.Trace, "no plugin offers the connector class "+harness.SinkClass)
			}
			if !ok || len(s.Tasks) != 1 {
				return false, text
			}
		}
		return true, ""
	})

	rich.Start()
	rich.AwaitJoined()
	poor.AwaitRunningOn(limit, 1, sinks, rich)
	poor.AwaitRunningOn(limit, 1, sources, poor, rich)
}

// pluginsFolder is a plugin.path with some of the built plugins.
func pluginsFolder(t *testing.T, names ...string) string {
	t.Helper()
	folder := t.TempDir()
	for _, name := range names {
		in, err := os.Open(filepath.Join(harness.Binaries(t), "plugins", name))
		require.NoError(t, err)
		out, err := os.OpenFile(filepath.Join(folder, name), os.O_CREATE|os.O_WRONLY, 0o700)
		require.NoError(t, err)
		_, err = io.Copy(out, in)
		require.NoError(t, err)
		require.NoError(t, in.Close())
		require.NoError(t, out.Close())
	}
	return folder
}
