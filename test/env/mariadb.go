package env

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tailrace/tailrace/test/env/server"
)

var sharedMariaDB = sync.OnceValues(func() (*server.MariaDB, error) { return server.StartMariaDB(context.Background()) })

// MariaDB returns a real MariaDB server, one for all tests of a package's run. Use a database of your own. A test that stops
// it must start it again, and must not run beside others.
func MariaDB(t testing.TB) *server.MariaDB {
	t.Helper()
	m, err := sharedMariaDB()
	require.NoError(t, err)
	t.Cleanup(func() { nameLog(t, "MariaDB server", m.Log()) })
	return m
}

// MariaDBSource is the data source name of a database of the server, for Go's driver.
func MariaDBSource(m *server.MariaDB, database string) string {
	return fmt.Sprintf("tailrace:tailrace@tcp(127.0.0.1:%d)/%s", m.Port(), database)
}
