package env

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tailrace/tailrace/test/env/server"
)

var sharedPostgres = sync.OnceValues(func() (*server.Postgres, error) { return server.StartPostgres(context.Background()) })

// Postgres returns a real PostgreSQL server, one for all tests of a package's run. Use a database or schema of your own. A test
// that stops it must start it again, and must not run beside others.
func Postgres(t testing.TB) *server.Postgres {
	t.Helper()
	p, err := sharedPostgres()
	require.NoError(t, err)
	t.Cleanup(func() { nameLog(t, "PostgreSQL server", p.Log()) })
	return p
}

// PostgresURL is the address of a database of the server, for PostgreSQL's own clients.
func PostgresURL(p *server.Postgres, database string) string {
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/%s?sslmode=disable", p.Port(), database)
}
