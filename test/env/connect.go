package env

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tailrace/tailrace/test/env/server"
)

// Java returns the newest Java runtime of this machine, 17 or newer.
func Java(t testing.TB) server.Java {
	t.Helper()
	java, err := server.FindJava()
	require.NoError(t, err)
	return java
}

// ConnectWorker starts a real Kafka Connect 4.1 worker without connectors, and ends it with the test. Standalone or
// distributed, and what else is in its configuration, is said by options.
func ConnectWorker(t testing.TB, options server.ConnectOptions) *server.Worker {
	t.Helper()
	worker, err := server.StartConnect(t.Context(), options)
	require.NoError(t, err)
	t.Cleanup(func() {
		keepLog(t, "Kafka Connect worker", worker.Log())
		require.NoError(t, worker.Close())
	})
	return worker
}
