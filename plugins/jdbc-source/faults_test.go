package main

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	connect "github.com/tailrace/tailrace/sdk/go"
	"github.com/tailrace/tailrace/sdk/go/connecttest"
	"github.com/tailrace/tailrace/test/env"
	"github.com/tailrace/tailrace/test/env/server"
)

// session is a connection of its own, for what must stay in one.
func (d database) session(t testing.TB, statements ...string) *sql.Conn {
	t.Helper()
	c, err := d.Conn(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	run(t, c, statements...)
	return c
}

func run(t testing.TB, c *sql.Conn, statements ...string) {
	t.Helper()
	for _, s := range statements {
		_, err := c.ExecContext(t.Context(), s)
		require.NoError(t, err, s)
	}
}

// A reader takes locks only when the query says so; then it may be the victim of a deadlock.
func TestADeadlockIsTriedAgain(t *testing.T) {
	for _, c := range []struct {
		open func(testing.TB) database
		wait string // what makes the other session wait longer than the reader
		want string
	}{
		{newPostgres, "SET deadlock_timeout = '1min'", "deadlock detected"},
		{newMariaDB, "SET innodb_lock_wait_timeout = 60", "Deadlock found"},
	} {
		db := c.open(t)
		t.Run(db.kind, func(t *testing.T) {
			db.exec(t, "CREATE TABLE r (id INTEGER PRIMARY KEY, name VARCHAR(50))")
			db.fill(t, "r", 1, 10)
			other := db.session(t, c.wait, "BEGIN", "UPDATE r SET name = 'changed' WHERE id = 10")
			s := connecttest.RunSource(t, plugin(), db.config(t, "incrementing", []string{"r"}, "query.suffix", "FOR UPDATE"))
			// The reader holds 1 to 9 and waits for 10; now the other session wants 1.
			db.awaitLockWait(t)
			run(t, other, "UPDATE r SET name = 'changed' WHERE id = 1")
			require.Contains(t, s.RetryErrors(1)[0].Message, c.want)
			run(t, other, "COMMIT")
			require.Equal(t, sequence(1, 10), ids(t, s.Next(10)))
			s.None(100 * time.Millisecond)
		})
	}
}

// awaitLockWait waits until somebody waits for a lock of the database.
func (d database) awaitLockWait(t testing.TB) {
	t.Helper()
	query := map[string]string{
		"postgresql": "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()",
		"mariadb":    "SELECT count(*) FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'",
	}[d.kind]
	// InnoDB shows what it last looked at until nobody has asked for 100 ms.
	require.Eventually(t, func() bool {
		n := 0
		require.NoError(t, d.QueryRowContext(t.Context(), query).Scan(&n))
		return n > 0
	}, time.Minute, 300*time.Millisecond)
}

func TestAStatementTimeoutIsTriedAgain(t *testing.T) {
	for _, c := range []struct {
		open               func(testing.TB) database
		parameter          string
		lock, unlock, want string
	}{
		{newPostgres, "&options=-c%20statement_timeout%3D200", "LOCK TABLE r IN ACCESS EXCLUSIVE MODE", "COMMIT", "statement timeout"},
		{newMariaDB, "?sessionVariables=max_statement_time=0.2", "LOCK TABLES r WRITE", "UNLOCK TABLES", "max_statement_time"},
		{newMariaDB, "?sessionVariables=lock_wait_timeout=1", "LOCK TABLES r WRITE", "UNLOCK TABLES", "Lock wait timeout"},
	} {
		db := c.open(t)
		t.Run(db.kind+c.parameter, func(t *testing.T) {
			db.exec(t, "CREATE TABLE r (id INTEGER PRIMARY KEY, name VARCHAR(50))")
			db.fill(t, "r", 1, 3)
			cfg := db.config(t, "incrementing", []string{"r"})
			other := db.session(t, "BEGIN", c.lock)
			s := connecttest.RunSource(t, plugin(), cfg.With("connection.url", db.url+c.parameter))
			require.Contains(t, s.RetryErrors(1)[0].Message, c.want)
			run(t, other, c.unlock)
			require.Equal(t, sequence(1, 3), ids(t, s.Next(3)))
		})
	}
}

func TestALockedSQLiteFileIsTriedAgain(t *testing.T) {
	db := newSQLite(t)
	db.exec(t, "PRAGMA journal_mode = DELETE", "CREATE TABLE r (id INTEGER PRIMARY KEY, name VARCHAR(50))")
	db.fill(t, "r", 1, 3)
	cfg := db.config(t, "incrementing", []string{"r"})
	other := db.session(t, "BEGIN EXCLUSIVE")
	s := connecttest.RunSource(t, plugin(), cfg.With("connection.url", db.url+"?busy_timeout=50"))
	require.Contains(t, s.RetryErrors(1)[0].Message, "locked")
	run(t, other, "COMMIT")
	require.Equal(t, sequence(1, 3), ids(t, s.Next(3)))
}

func TestASQLiteFileThatIsMovedAwayIsFoundAgain(t *testing.T) {
	db := newSQLite(t)
	db.exec(t, "PRAGMA journal_mode = DELETE", "CREATE TABLE r (id INTEGER PRIMARY KEY, name VARCHAR(50))")
	db.fill(t, "r", 1, 3)
	cfg := db.config(t, "incrementing", []string{"r"})
	file := strings.TrimPrefix(db.url, "jdbc:sqlite:")
	require.NoError(t, os.Rename(file, file+".away"))
	s := connecttest.RunSource(t, plugin(), cfg)
	require.Contains(t, s.RetryErrors(2)[0].Message, "unable to open database file")
	require.NoFileExists(t, file, "no empty database is made")
	require.NoError(t, os.Rename(file+".away", file))
	require.Equal(t, sequence(1, 3), ids(t, s.Next(3)))
}

func TestTooManyConnectionsAreTriedAgain(t *testing.T) {
	db := newPostgres(t)
	db.exec(t, "CREATE TABLE r (id INTEGER PRIMARY KEY, name VARCHAR(50))", "CREATE ROLE crowded LOGIN CONNECTION LIMIT 1", "GRANT SELECT ON r TO crowded")
	t.Cleanup(func() { _, _ = db.ExecContext(context.Background(), "DROP OWNED BY crowded; DROP ROLE crowded") })
	db.fill(t, "r", 1, 3)
	cfg := db.config(t, "incrementing", []string{"r"}).With("connection.user", "crowded")
	first := connecttest.RunSource(t, plugin(), cfg)
	first.Next(3)
	second := connecttest.RunSource(t, plugin(), cfg)
	require.Contains(t, second.RetryErrors(1)[0].Message, "too many connections")
	first.Drain()
	require.Equal(t, sequence(1, 3), ids(t, second.Next(3)))
	second.Drain()
}

// The second host is what a replica is after its promotion: it has all that the first had, and goes on.
func TestTheNextHostIsUsedWhenTheFirstIsGone(t *testing.T) {
	fill := func(t *testing.T, db *sql.DB, to int) {
		t.Helper()
		defer db.Close()
		d := database{DB: db}
		d.exec(t, "CREATE TABLE r (id INTEGER PRIMARY KEY, name VARCHAR(50) NOT NULL)")
		d.fill(t, "r", 1, to)
	}
	check := func(t *testing.T, cfg connect.Config, stopFirst func() error) {
		t.Helper()
		s := connecttest.RunSource(t, plugin(), cfg.With("mode", "incrementing", "incrementing.column.name", "id", "query", "SELECT * FROM r",
			"topic.prefix", "t", "poll.interval.ms", "20", "connection.backoff.ms", "50"))
		require.Equal(t, sequence(1, 5), ids(t, s.Next(5)))
		require.NoError(t, stopFirst())
		require.Equal(t, sequence(6, 9), ids(t, s.Next(4)))
		s.None(100 * time.Millisecond)
	}
	t.Run("postgresql", func(t *testing.T) {
		var ports []any
		var servers []*server.Postgres
		for i := range 2 {
			p, err := server.StartPostgres(t.Context())
			require.NoError(t, err)
			t.Cleanup(func() { _ = p.Close() })
			db, err := sql.Open("pgx", env.PostgresURL(p, "postgres"))
			require.NoError(t, err)
			fill(t, db, 5+4*i)
			ports, servers = append(ports, p.Port()), append(servers, p)
		}
		check(t, connect.Config{
			"connection.url":  fmt.Sprintf("jdbc:postgresql://127.0.0.1:%d,127.0.0.1:%d/postgres?sslmode=disable&targetServerType=primary", ports...),
			"connection.user": "postgres",
		}, servers[0].Stop)
	})
	t.Run("mariadb", func(t *testing.T) {
		var ports []any
		var servers []*server.MariaDB
		for i := range 2 {
			m, err := server.StartMariaDB(t.Context())
			require.NoError(t, err)
			t.Cleanup(func() { _ = m.Close() })
			db, err := sql.Open("mysql", env.MariaDBSource(m, "test"))
			require.NoError(t, err)
			fill(t, db, 5+4*i)
			ports, servers = append(ports, m.Port()), append(servers, m)
		}
		check(t, connect.Config{
			"connection.url":  fmt.Sprintf("jdbc:mariadb://127.0.0.1:%d,127.0.0.1:%d/test", ports...),
			"connection.user": "tailrace", "connection.password": "tailrace",
		}, servers[0].Stop)
	})
}

func TestConnectingGivesUpAfterTheAttemptsAllowed(t *testing.T) {
	s := connecttest.RunSource(t, plugin(), connect.Config{
		"connection.url": "jdbc:postgresql://127.0.0.1:1/x?sslmode=disable", "connection.user": "u", "connection.attempts": "2", "connection.backoff.ms": "1",
		"mode": "bulk", "query": "SELECT 1", "topic.prefix": "t",
	}, connecttest.WantFailure())
	f := s.Failure()
	require.Contains(t, f.Message, "after 2 attempts: connect to PostgreSQL at 127.0.0.1")
	require.Equal(t, 1, s.Retries(1))
}

// Whatever goes wrong, neither an error nor a log line tells the password, wherever it stands.
func TestNoErrorAndNoLogShowsThePassword(t *testing.T) {
	const secret = "s3cr3t-w0rd"
	db := newMariaDB(t)
	address := strings.TrimPrefix(db.url, "jdbc:mariadb://")
	base := connect.Config{"mode": "bulk", "query": "SELECT 1", "topic.prefix": "t", "connection.attempts": "0"}
	for name, more := range map[string][]string{
		"refused, key":         {"connection.url", db.url, "connection.user", "tailrace", "connection.password", secret},
		"refused, parameter":   {"connection.url", db.url + "?user=tailrace&password=" + secret},
		"refused, in front":    {"connection.url", "jdbc:mariadb://tailrace:" + secret + "@" + address},
		"refused, native":      {"connection.url", "tailrace:" + secret + "@tcp(" + strings.Replace(address, "/", ")/", 1)},
		"unreachable":          {"connection.url", "jdbc:postgresql://u:" + secret + "@127.0.0.1:1/x?sslmode=disable"},
		"unreachable, native":  {"connection.url", "postgres://u:" + secret + "@127.0.0.1:1/x?sslmode=disable"},
		"no address":           {"connection.url", "jdbc:postgresql://u:" + secret + "@[::1/x"},
		"no port":              {"connection.url", "postgres://u:" + secret + "@host:port/x"},
		"bad percent":          {"connection.url", "jdbc:postgresql://u:" + secret + "%zz@host/x?password=" + secret + "%zz"},
		"bad native":           {"connection.url", "u:" + secret + "@tcp(host/db", "dialect.name", "mysql"},
		"bad words":            {"connection.url", "host=h password=" + secret + " port=x"},
		"unsupported":          {"connection.url", "jdbc:oracle:thin:u/" + secret + "@host"},
		"unsupported in guard": {"connection.url", "jdbc:mysql://u:" + secret + "@host/x?trustCertificateKeyStorePassword=" + secret},
		"masked query":         {"connection.url", "jdbc:sqlite:/none.db", "query", "", "query.masked", "SELECT '" + secret + "' FROM nothing"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := base.With(more...)
			for _, issue := range (&connector{}).Validate(t.Context(), cfg) {
				require.NotContains(t, issue.Message, secret)
			}
			s := connecttest.RunSource(t, plugin(), cfg, connecttest.WantFailure())
			f := s.Failure()
			require.NotContains(t, f.Message+f.Trace, secret)
			require.NotEmpty(t, f.Message)
			require.NotContains(t, s.AllLogs(), secret)
		})
	}
}

func TestIsolationIsThatOfTheKey(t *testing.T) {
	for _, c := range []struct {
		open        func(testing.TB) database
		query, want string
	}{
		{newPostgres, "SELECT current_setting('transaction_isolation') AS level", "serializable"},
		{newMariaDB, "SELECT @@tx_isolation AS level", "SERIALIZABLE"},
	} {
		db := c.open(t)
		s := connecttest.RunSource(t, plugin(), db.config(t, "bulk", nil, "query", c.query, "transaction.isolation.mode", "serializable"))
		require.Equal(t, c.want, text(t, s.Next(1)[0], "level"))
	}
}

func TestAnIncrementingColumnMayBeNullWhenTheKeySaysSo(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		db.exec(t, "CREATE TABLE r (id INTEGER, name VARCHAR(50))", "INSERT INTO r VALUES (1, 'a'), (NULL, 'none'), (2, 'b')")
		cfg := db.config(t, "incrementing", []string{"r"}, "incrementing.column.name", "id")
		if db.kind != "sqlite" {
			s := connecttest.RunSource(t, plugin(), cfg, connecttest.WantFailure())
			require.Contains(t, s.Failure().Message, "may be null")
		}
		s := connecttest.RunSource(t, plugin(), cfg.With("validate.non.null", "false"))
		require.Equal(t, []int64{1, 2}, ids(t, s.Next(2)))
		s.None(100 * time.Millisecond)
	})
}
