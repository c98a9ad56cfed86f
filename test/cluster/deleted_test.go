package cluster

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tailrace/tailrace/test/env"
	"github.com/tailrace/tailrace/test/harness"
)

// A connector whose tasks run on all workers is told once that it was deleted, after the last of them has stopped.
func TestADeletedConnectorIsToldWhenNothingRunsAnyMore(t *testing.T) {
	dir := t.TempDir()
	workers := harness.StartCluster(t, 2, harness.Config{Bootstrap: env.Kafka(t).Bootstrap, Group: env.Name(t), PluginPath: buildHolder(t)})
	w := workers[0]
	w.CreateOnly("c", map[string]string{"connector.class": "holder", "tasks.max": "3", "dir": dir})
	parts := w.AwaitRunningOn(limit, 3, []string{"c"}, workers...)
	require.Len(t, parts, 2, "both workers have tasks")
	status, body := w.REST("DELETE", "/connectors/c", nil)
	require.Equal(t, 204, status, body)
	harness.Eventually(t, limit, "it was told", func() (bool, string) {
		text, err := os.ReadFile(filepath.Join(dir, "deleted"))
		return err == nil && string(text) == "tasks that run: 0\n", fmt.Sprint(string(text), err)
	})
	for _, one := range workers {
		harness.Eventually(t, limit, "its status is gone", func() (bool, string) {
			status, text := one.REST("GET", "/connectors/c/status", nil)
			return status == 404, text
		})
	}
}
