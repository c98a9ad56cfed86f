package jdbc

import (
	"database/sql"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/tailrace/tailrace/test/env"
	"github.com/tailrace/tailrace/test/harness"
)

// column is one of the table's columns: its type, a value for row i (in the database's words), and its canonical text as the
// database itself writes it, to compare with the JSON in the topic.
type column struct{ name, kind, value, text string }

// database is a table of 20 mixed columns somewhere.
type database struct {
	*sql.DB
	columns []column
	series  string // FROM clause that yields numbers i of %d … %d
	now     string
	config  map[string]string
	away    func(t *testing.T, w *harness.Worker) // it cannot be reached for a while, and comes back
}

func (d *database) create(t testing.TB, table string) {
	t.Helper()
	var defs []string
	for _, c := range d.columns {
		defs = append(defs, c.name+" "+c.kind)
	}
	d.exec(t, "CREATE TABLE "+table+" ("+strings.Join(defs, ", ")+")")
	d.exec(t, "CREATE INDEX "+table+"_changed ON "+table+" (changed, id)")
}

// insert adds rows from … to, with %d rows at most a statement.
func (d *database) insert(t testing.TB, table string, from, to int) {
	t.Helper()
	var names, values []string
	for _, c := range d.columns {
		names, values = append(names, c.name), append(values, c.value)
	}
	const step = 20_000
	for at := from; at <= to; at += step {
		d.exec(t, "INSERT INTO "+table+" ("+strings.Join(names, ", ")+") SELECT "+strings.Join(values, ", ")+" FROM "+
			fmt.Sprintf(d.series, at, min(to, at+step-1)))
	}
}

func (d *database) exec(t testing.TB, statement string) {
	t.Helper()
	_, err := d.ExecContext(t.Context(), statement)
	require.NoError(t, err, statement)
}

func postgres(t testing.TB) *database {
	server := env.Postgres(t)
	db, err := sql.Open("pgx", env.PostgresURL(server, "postgres"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() })
	db.SetMaxIdleConns(-1) // a connection from before a restart is of no use after it
	millis := func(c string) string { return "floor(extract(epoch from " + c + ") * 1000)::bigint::text" }
	return &database{
		DB: db, series: "generate_series(%d::bigint, %d::bigint) AS i", now: "clock_timestamp()",
		columns: []column{
			{"id", "bigint PRIMARY KEY", "i", "id::text"},
			{"changed", "timestamptz NOT NULL", "clock_timestamp()", millis("changed")},
			{"c_bool", "boolean", "i % 3 = 0", "c_bool::text"},
			{"c_small", "smallint", "(i % 65536 - 32768)", "c_small::text"},
			{"c_int", "integer NOT NULL", "(i * 7919) % 2147483647 * (1 - i % 2 * 2)", "c_int::text"},
			{"c_big", "bigint", "i * 1234567890123", "c_big::text"},
			{"c_real", "real", "i / 7.0", "c_real::text"},
			{"c_double", "double precision", "i / 3.0", "c_double::text"},
			{"c_dec", "numeric(12,2)", "i * 1.37 * (1 - i % 2 * 2)", "c_dec::text"},
			{"c_huge", "numeric(38,10)", "i * 12345678901234567.1234567891", "c_huge::text"},
			{"c_free", "numeric", "i / 7.0", "c_free::text"},
			{"c_text", "text NOT NULL", "'row ' || i || ' żółw 🦊 \"quoted\" \\'", "c_text"},
			{"c_null", "varchar(40)", "CASE WHEN i % 2 = 0 THEN 'even ' || i END", "c_null"},
			{"c_char", "char(8)", "to_hex(i)", "c_char::bpchar"},
			{"c_bytes", "bytea", "decode(md5(i::text), 'hex')", "encode(c_bytes, 'base64')"},
			{"c_uuid", "uuid", "md5(i::text)::uuid", "c_uuid::text"},
			{"c_json", "jsonb", "jsonb_build_object('i', i, 'a', jsonb_build_array(i, null))", "c_json::text"},
			{"c_date", "date", "date '1960-01-01' + (i % 40000)::int", "(c_date - date '1970-01-01')::text"},
			{"c_stamp", "timestamp(3)", "timestamp '1950-01-01' + i * interval '1234.567 seconds'", millis("c_stamp")},
			{"c_array", "int[]", "ARRAY[i % 100, NULL, 5]", "replace(to_json(c_array)::text, ' ', '')"},
		},
		config: map[string]string{
			"connection.url": fmt.Sprintf("jdbc:postgresql://127.0.0.1:%d/postgres?sslmode=disable", server.Port()), "connection.user": "postgres",
		},
		away: func(t *testing.T, _ *harness.Worker) {
			require.NoError(t, server.Stop())
			require.NoError(t, server.Start(t.Context()))
		},
	}
}

func mariadb(t testing.TB) *database {
	server := env.MariaDB(t)
	db, err := sql.Open("mysql", env.MariaDBSource(server, "test")+"?time_zone=%27%2B00%3A00%27")
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() })
	db.SetMaxIdleConns(-1) // a connection from before a restart is of no use after it
	millis := func(c string) string {
		return "CAST(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', " + c + ") DIV 1000 AS CHAR)"
	}
	return &database{
		DB: db, series: "(SELECT CAST(seq AS SIGNED) AS i FROM seq_1_to_100000000 WHERE seq BETWEEN %d AND %d) s", now: "NOW(6)",
		columns: []column{
			{"id", "BIGINT PRIMARY KEY", "i", "CAST(id AS CHAR)"},
			{"changed", "TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6)", "NOW(6)", millis("changed")},
			{"c_tiny", "TINYINT", "i % 256 - 128", "CAST(c_tiny AS CHAR)"},
			{"c_utiny", "TINYINT UNSIGNED", "i % 256", "CAST(c_utiny AS CHAR)"},
			{"c_int", "INT NOT NULL", "(i * 7919) % 2147483647", "CAST(c_int AS CHAR)"},
			{"c_uint", "INT UNSIGNED", "(i * 7919) % 4294967295", "CAST(c_uint AS CHAR)"},
			{"c_ubig", "BIGINT UNSIGNED", "18446744073709551615 - CAST(i AS UNSIGNED)", "CAST(c_ubig AS CHAR)"},
			{"c_float", "FLOAT", "i / 7", "CAST(CAST(c_float AS DOUBLE) AS CHAR)"},
			{"c_double", "DOUBLE", "i / 3", "CAST(c_double AS CHAR)"},
			{"c_dec", "DECIMAL(12,2)", "i * 1.37 * IF(i % 2, 1, -1)", "CAST(c_dec AS CHAR)"},
			{"c_huge", "DECIMAL(38,10)", "i * 12345678901234567.1234567891", "CAST(c_huge AS CHAR)"},
			{"c_text", "TEXT NOT NULL", "CONCAT('row ', i, ' żółw 🦊 \"quoted\" ')", "c_text"},
			{"c_null", "VARCHAR(40)", "IF(i % 2 = 0, CONCAT('even ', i), NULL)", "c_null"},
			{"c_blob", "BLOB", "UNHEX(MD5(i))", "TO_BASE64(c_blob)"},
			{"c_enum", "ENUM('a','b','c')", "ELT(i % 3 + 1, 'a', 'b', 'c')", "c_enum"},
			{"c_json", "JSON", "JSON_OBJECT('i', i)", "c_json"},
			{"c_date", "DATE", "DATE_ADD('1960-01-01', INTERVAL i % 40000 DAY)", "CAST(DATEDIFF(c_date, '1970-01-01') AS CHAR)"},
			{"c_time", "TIME", "SEC_TO_TIME(i % 86400)", "CAST(TIME_TO_SEC(c_time) * 1000 AS CHAR)"},
			{"c_stamp", "DATETIME(3)", "TIMESTAMPADD(SECOND, i * 100, '1971-01-01 00:00:00.250')", millis("c_stamp")},
			{"c_year", "YEAR", "1970 + i % 100", "CAST(c_year AS CHAR)"},
		},
		config: map[string]string{
			"connection.url":  fmt.Sprintf("jdbc:mariadb://127.0.0.1:%d/test", server.Port()),
			"connection.user": "tailrace", "connection.password": "tailrace",
		},
		away: func(t *testing.T, _ *harness.Worker) {
			require.NoError(t, server.Stop())
			require.NoError(t, server.Start(t.Context()))
		},
	}
}

func sqlite(t testing.TB) *database {
	file := t.TempDir() + "/test.db"
	db, err := sql.Open("sqlite", "file:"+file+"?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(0)")
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() })
	return &database{
		DB: db, series: "(WITH RECURSIVE n(i) AS (SELECT %d UNION ALL SELECT i + 1 FROM n WHERE i < %d) SELECT i FROM n)",
		now: sqliteNow,
		columns: []column{
			{"id", "INTEGER PRIMARY KEY", "i", "CAST(id AS TEXT)"},
			{"changed", "TIMESTAMP NOT NULL", sqliteNow, "CAST(changed AS TEXT)"},
			{"c_bool", "BOOLEAN", "i % 3 = 0", "CASE c_bool WHEN 1 THEN 'true' ELSE 'false' END"},
			{"c_int", "INT NOT NULL", "(i * 7919) % 2147483647", "CAST(c_int AS TEXT)"},
			{"c_big", "BIGINT", "i * 1234567890123", "CAST(c_big AS TEXT)"},
			{"c_real", "REAL", "i / 8.0", "printf('%!.17g', c_real)"},
			{"c_double", "DOUBLE", "i / 64.0", "printf('%!.17g', c_double)"},
			{"c_dec", "DECIMAL(12,2)", "i || '.25'", "CAST(c_dec AS TEXT)"},
			{"c_num", "NUMERIC", "i", "CAST(c_num AS TEXT)"},
			{"c_text", "TEXT NOT NULL", "'row ' || i || ' żółw 🦊 \"quoted\" '", "c_text"},
			{"c_null", "VARCHAR(40)", "CASE WHEN i % 2 = 0 THEN 'even ' || i END", "c_null"},
			{"c_char", "CHAR(8)", "printf('%x', i)", "c_char"},
			{"c_clob", "CLOB", "printf('%0100d', i)", "c_clob"},
			{"c_blob", "BLOB", "CASE i % 2 WHEN 0 THEN x'00ff10' ELSE x'' END", "CASE hex(c_blob) WHEN '00FF10' THEN 'AP8Q' ELSE '' END"},
			{"c_date", "DATE", "date('1960-01-01', (i % 40000) || ' days')", "CAST(CAST(julianday(c_date) - 2440587.5 AS INTEGER) AS TEXT)"},
			{"c_stamp", "DATETIME", "datetime('1980-01-01', i || ' seconds')", "CAST(CAST(strftime('%s', c_stamp) AS INTEGER) * 1000 AS TEXT)"},
			{"c_json", "JSON", "json_object('i', i)", "c_json"},
			{"c_small", "SMALLINT", "i % 100", "CAST(c_small AS TEXT)"},
			{"c_tiny", "TINYINT", "i % 10", "CAST(c_tiny AS TEXT)"},
			{"c_uuid", "UUID", "printf('a%031x', i)", "c_uuid"},
		},
		config: map[string]string{"connection.url": "jdbc:sqlite:" + file},
		// A server restarts; a file is moved away. The plugin has it open, so it is killed to find it gone.
		away: func(t *testing.T, w *harness.Worker) {
			move := func(from, to string) {
				for _, part := range []string{"", "-wal", "-shm"} {
					if err := os.Rename(from+part, to+part); err != nil {
						require.ErrorIs(t, err, os.ErrNotExist)
					}
				}
			}
			move(file, file+".moved")
			for _, pid := range w.Plugins("jdbc-source") {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
			w.SaysInLog("unable to open database file")
			move(file+".moved", file)
		},
	}
}

// sqliteNow is the time in milliseconds, as SQLite's JDBC driver stores it.
const sqliteNow = "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"
