package dialect

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/tailrace/tailrace/plugins/jdbc-source/internal/plan"
)

func openTestSQLite(t *testing.T, statements ...string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+t.TempDir()+"/test.db")
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() })
	for _, s := range statements {
		_, err := db.ExecContext(t.Context(), s)
		require.NoError(t, err, s)
	}
	return db
}

// A poll of a table that has an index on its timestamp columns looks at the rows behind the position only.
func TestAPollOfSQLiteUsesTheIndexOfTheTimestampColumns(t *testing.T) {
	at := time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)
	for _, declared := range []string{"TIMESTAMP", "DATETIME NOT NULL", "DATE"} {
		db := openTestSQLite(t, "CREATE TABLE t (id INTEGER PRIMARY KEY, changed "+declared+", created "+declared+", name TEXT)",
			"CREATE INDEX t_changed ON t (changed, id)", "CREATE INDEX t_created ON t (created)")
		for _, times := range [][]string{{`"changed"`}, {`"changed"`, `"created"`}} {
			for _, mode := range []plan.Mode{plan.Timestamp, plan.TimestampIncrementing} {
				spec := plan.Spec{Mode: mode, From: `"t"`, Times: times}
				if mode.HasInc() {
					spec.Inc = `"id"`
				}
				q := plan.Next(spec, plan.Position{HasTime: true, Time: at, HasInc: mode.HasInc(), Inc: 5}, at.Add(time.Hour), &sqliteDB{})
				steps := queryPlan(t, db, q.SQL)
				require.NotContains(t, steps, "SCAN t", q.SQL)
				for _, c := range times {
					require.Contains(t, steps, "USING INDEX t_"+strings.Trim(c, `"`), q.SQL)
				}
			}
		}
	}
}

func queryPlan(t *testing.T, db *sql.DB, query string) string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+query)
	require.NoError(t, err)
	defer rows.Close()
	var steps []string
	for rows.Next() {
		var id, parent, unused int
		var step string
		require.NoError(t, rows.Scan(&id, &parent, &unused, &step))
		steps = append(steps, step)
	}
	require.NoError(t, rows.Err())
	return strings.Join(steps, "\n")
}

// The condition for the index leaves no row out that the moments themselves choose, in whatever form they are stored.
func TestTheConditionForTheIndexLeavesNothingOut(t *testing.T) {
	db := openTestSQLite(t, "CREATE TABLE t (id INTEGER PRIMARY KEY, a TIMESTAMP, b DATETIME)", "CREATE INDEX t_a ON t (a)", "CREATE INDEX t_b ON t (b)")
	from := time.Date(2024, 2, 29, 23, 30, 0, 0, time.UTC)
	near := func(t *rapid.T) time.Time {
		return from.Add(time.Duration(rapid.Int64Range(-3*86400_000, 3*86400_000).Draw(t, "offset")) * time.Millisecond)
	}
	value := func(t *rapid.T) string {
		at := near(t)
		if rapid.Bool().Draw(t, "at the bound") {
			at = from.Add(time.Duration(rapid.IntRange(-1500, 1500).Draw(t, "micros")) * time.Microsecond)
		}
		zone := time.FixedZone("", rapid.IntRange(-14*60, 14*60).Draw(t, "zone")*60)
		switch rapid.IntRange(0, 8).Draw(t, "form") {
		case 0:
			return "NULL"
		case 1:
			return fmt.Sprint(at.UnixMilli())
		case 2:
			return fmt.Sprintf("%.9f", float64(at.UnixMilli())/86_400_000+2440587.5)
		case 3:
			return "'" + at.Format("2006-01-02 15:04:05.999999") + "'"
		case 4:
			return "'" + at.In(zone).Format("2006-01-02T15:04:05.999-07:00") + "'"
		case 5:
			return "'" + at.In(zone).Format("2006-01-02 15:04-07:00") + "'"
		case 6:
			return "'" + at.Format(time.DateOnly) + "'"
		case 7:
			return "x'" + fmt.Sprintf("%x", at.Format("2006-01-02 15:04:05.999")) + "'"
		default:
			return "'" + at.Format("2006-01-02T15:04:05.999999999Z") + "'"
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		run := func(query string) (ids []int) {
			rows, err := db.Query(query) //nolint:noctx // a property test has no context
			require.NoError(t, err)
			defer rows.Close()
			for rows.Next() {
				var id int
				require.NoError(t, rows.Scan(&id))
				ids = append(ids, id)
			}
			require.NoError(t, rows.Err())
			return ids
		}
		_, err := db.Exec("DELETE FROM t") //nolint:noctx // as above
		require.NoError(t, err)
		for i := range rapid.IntRange(1, 20).Draw(t, "rows") {
			_, err := db.Exec(fmt.Sprintf("INSERT INTO t VALUES (%d, %s, %s)", i, value(t), value(t))) //nolint:noctx // as above
			require.NoError(t, err)
		}
		to := from.Add(time.Duration(rapid.Int64Range(0, 3*86400).Draw(t, "seconds")) * time.Second)
		s := &sqliteDB{}
		for _, columns := range [][]string{{"a"}, {"a", "b"}} {
			expr := s.TimeExpr(columns)
			exact := "SELECT id FROM t WHERE " + expr + " >= " + s.TimeLiteral(from, true) + " AND " + expr + " < " + s.TimeLiteral(to, true)
			if got, want := run(exact+" AND "+s.TimeHint(columns, from, to)+" ORDER BY id"), run(exact+" ORDER BY id"); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Fatalf("%v to %v by %v: with the condition %v, without %v", from, to, columns, got, want)
			}
		}
	})
}
