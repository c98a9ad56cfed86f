package env

import (
	"context"
	"os"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tailrace/tailrace/test/env/server"
)

// RegistryVariable is the environment variable with the URL of a schema registry to use.
const RegistryVariable = "TAILRACE_TEST_REGISTRY"

// sharedRegistry is the registry of this test process; the guard of package server ends it.
var sharedRegistry = sync.OnceValues(func() (*server.Registry, error) {
	return server.StartRegistry(context.Background())
})

// Registry returns the URL of a Confluent-compatible schema registry that all tests of the process share: use subjects
// of your own. Its compatibility level is BACKWARD.
func Registry(t testing.TB) (url string) {
	t.Helper()
	if url := os.Getenv(RegistryVariable); url != "" {
		return url
	}
	registry, err := sharedRegistry()
	require.NoError(t, err)
	t.Cleanup(func() { nameLog(t, "schema registry", registry.Log()) })
	return registry.URL()
}
