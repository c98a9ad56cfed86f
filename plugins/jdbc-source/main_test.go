package main

import (
	"database/sql"
	"fmt"
	"os"
	"testing"

	"github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	connect "github.com/tailrace/tailrace/sdk/go"
	"github.com/tailrace/tailrace/test/env"
)

func TestMain(m *testing.M) {
	_ = stdlib.GetDefaultDriver() // the independent client of the tests: database/sql
	code := m.Run()
	if code == 0 {
		if err := goleak.Find(goleak.IgnoreTopFunction("database/sql.(*DB).connectionOpener")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// database is a database of one test, with a client that knows nothing of the connector.
type database struct {
	*sql.DB
	kind string
	url  string // for the key connection.url
	cfg  connect.Config
}

// onEach runs a test on a database of each kind.
func onEach(t *testing.T, test func(t *testing.T, db database)) {
	t.Run("postgresql", func(t *testing.T) { test(t, newPostgres(t)) })
	t.Run("mariadb", func(t *testing.T) { test(t, newMariaDB(t)) })
	t.Run("sqlite", func(t *testing.T) { test(t, newSQLite(t)) })
}

var databases int

func newPostgres(t testing.TB) database {
	t.Helper()
	server := env.Postgres(t)
	databases++
	name := fmt.Sprintf("test%d", databases)
	admin, err := sql.Open("pgx", env.PostgresURL(server, "postgres"))
	require.NoError(t, err)
	defer admin.Close()
	_, err = admin.ExecContext(t.Context(), "CREATE DATABASE "+name)
	require.NoError(t, err)
	return opened(t, "postgresql", "pgx", env.PostgresURL(server, name), connect.Config{
		"connection.url": fmt.Sprintf("jdbc:postgresql://127.0.0.1:%d/%s?sslmode=disable", server.Port(), name), "connection.user": "postgres",
	})
}

func newMariaDB(t testing.TB) database {
	t.Helper()
	server := env.MariaDB(t)
	databases++
	name := fmt.Sprintf("test%d", databases)
	admin, err := sql.Open("mysql", env.MariaDBSource(server, "test"))
	require.NoError(t, err)
	defer admin.Close()
	_, err = admin.ExecContext(t.Context(), "CREATE DATABASE "+name)
	require.NoError(t, err)
	return opened(t, "mariadb", "mysql", env.MariaDBSource(server, name), connect.Config{
		"connection.url":  fmt.Sprintf("jdbc:mariadb://127.0.0.1:%d/%s", server.Port(), name),
		"connection.user": "tailrace", "connection.password": "tailrace",
	})
}

func newSQLite(t testing.TB) database {
	t.Helper()
	file := t.TempDir() + "/test.db"
	return opened(t, "sqlite", "sqlite", "file:"+file+"?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)", connect.Config{"connection.url": "jdbc:sqlite:" + file})
}

func opened(t testing.TB, kind, driver, source string, cfg connect.Config) database {
	t.Helper()
	db, err := sql.Open(driver, source)
	require.NoError(t, err)
	require.NoError(t, db.PingContext(t.Context()))
	t.Cleanup(func() { _ = db.Close() })
	return database{DB: db, kind: kind, url: cfg["connection.url"], cfg: cfg}
}

func (d database) exec(t testing.TB, statements ...string) {
	t.Helper()
	for _, s := range statements {
		_, err := d.ExecContext(t.Context(), s)
		require.NoError(t, err, s)
	}
}

// config is a task's configuration for tables of this database.
func (d database) config(t testing.TB, mode string, tables []string, more ...string) connect.Config {
	t.Helper()
	cfg := d.cfg.With("mode", mode, "topic.prefix", "t-", "poll.interval.ms", "20", "connection.backoff.ms", "100").With(more...)
	if len(tables) == 0 {
		return cfg
	}
	var c config
	require.NoError(t, connect.BindWith(definition(), cfg, &c))
	db, _, err := c.database()
	require.NoError(t, err)
	conn, err := db.Connect(t.Context())
	require.NoError(t, err)
	defer conn.Close()
	all, err := conn.Tables(t.Context(), []string{"TABLE", "VIEW"})
	require.NoError(t, err)
	chosen, err := (&chooser{cfg: &config{Whitelist: tables}}).choose(all)
	require.NoError(t, err)
	require.Len(t, chosen, len(tables), "tables of the database: %v", all)
	text, err := encodeTables(chosen)
	require.NoError(t, err)
	return cfg.With("task.tables", text)
}
