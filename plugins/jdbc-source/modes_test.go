package main

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	connect "github.com/tailrace/tailrace/sdk/go"
	"github.com/tailrace/tailrace/sdk/go/connecttest"
	"github.com/tailrace/tailrace/sdk/go/data"
)

// ids are the values of column id in the order of the records.
func ids(t *testing.T, records []connecttest.Record) (out []int64) {
	t.Helper()
	for _, r := range records {
		v, err := r.Value.(*data.Struct).Get("id")
		require.NoError(t, err)
		switch n := v.(type) {
		case int32:
			out = append(out, int64(n))
		case int64:
			out = append(out, n)
		default:
			t.Fatalf("id is %T", v)
		}
	}
	return out
}

func sequence(from, to int64) (out []int64) {
	for i := from; i <= to; i++ {
		out = append(out, i)
	}
	return out
}

// fill inserts rows with ids from … to into table r(id, name).
func (d database) fill(t testing.TB, table string, from, to int) {
	t.Helper()
	tx, err := d.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	for i := from; i <= to; i++ {
		_, err := tx.ExecContext(t.Context(), fmt.Sprintf("INSERT INTO %s (id, name) VALUES (%d, 'row %d')", table, i, i))
		require.NoError(t, err)
	}
	require.NoError(t, tx.Commit())
}

func TestIncrementingReadsEveryRowOnceInPagesAndOverARestart(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		db.exec(t, "CREATE TABLE r (id INTEGER PRIMARY KEY, name VARCHAR(50) NOT NULL)")
		db.fill(t, "r", -5, 100)
		s := connecttest.RunSource(t, plugin(), db.config(t, "incrementing", []string{"r"}, "query.page.rows", "7", "batch.max.rows", "3"))
		require.Equal(t, sequence(-5, 100), ids(t, s.Next(106)))
		db.fill(t, "r", 101, 110)
		require.Equal(t, sequence(101, 110), ids(t, s.Next(10)))
		s.Drain()
		db.fill(t, "r", 111, 120)
		s.Restart()
		got := s.Next(10)
		require.Equal(t, sequence(111, 120), ids(t, got))
		require.Equal(t, map[string]any{"incrementing": int64(120)}, got[9].SourceOffset)
		require.Equal(t, "t-r", got[0].Topic)
		s.None(100 * time.Millisecond)
	})
}

// stamp is a moment in the past as a database reads it.
func stamp(minute, second int) string {
	return fmt.Sprintf("'2024-05-01 10:%02d:%02d.500'", minute, second)
}

func (d database) stamped(t testing.TB) {
	kind := map[string]string{"postgresql": "timestamp(3)", "mariadb": "DATETIME(3)", "sqlite": "DATETIME"}[d.kind]
	d.exec(t, "CREATE TABLE r (id INTEGER PRIMARY KEY, name VARCHAR(50), changed "+kind+" NOT NULL)")
}

func TestTimestampAndIncrementingSeesUpdates(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		db.stamped(t)
		for i := range 20 {
			db.exec(t, fmt.Sprintf("INSERT INTO r VALUES (%d, 'x', %s)", i, stamp(i/4, 0)))
		}
		s := connecttest.RunSource(t, plugin(), db.config(t, "timestamp+incrementing", []string{"r"}, "timestamp.column.name", "changed", "incrementing.column.name", "id", "query.page.rows", "3"))
		got := s.Next(20)
		require.Equal(t, sequence(0, 19), ids(t, got))
		at := time.Date(2024, 5, 1, 10, 4, 0, 5e8, time.UTC)
		require.Equal(t, map[string]any{"incrementing": int64(19), "timestamp": at.UnixMilli(), "timestamp_nanos": int64(5e8)}, got[19].SourceOffset)
		db.exec(t, "UPDATE r SET name = 'y', changed = "+stamp(30, 0)+" WHERE id = 3")
		require.Equal(t, []int64{3}, ids(t, s.Next(1)))
		s.Drain()
		db.exec(t, "UPDATE r SET changed = "+stamp(31, 0)+" WHERE id = 1")
		s.Restart()
		require.Equal(t, []int64{1}, ids(t, s.Next(1)))
		s.None(100 * time.Millisecond)
	})
}

func TestTimestampStoresAMomentOnlyWhenItIsComplete(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		db.stamped(t)
		for i := range 12 {
			db.exec(t, fmt.Sprintf("INSERT INTO r VALUES (%d, 'x', %s)", i, stamp(i/4, 0)))
		}
		s := connecttest.RunSource(t, plugin(), db.config(t, "timestamp", []string{"r"}, "timestamp.column.name", "changed", "batch.max.rows", "1"))
		got := s.Next(12)
		require.ElementsMatch(t, sequence(0, 11), ids(t, got))
		for i, r := range got {
			millis, ok := connect.Offset(r.SourceOffset).Int64("timestamp")
			complete := (i+1)/4 - 1 // the last moment all of whose rows are out
			require.Equal(t, complete >= 0, ok, "row %d", i)
			if ok {
				require.Equal(t, time.Date(2024, 5, 1, 10, complete, 0, 5e8, time.UTC).UnixMilli(), millis, "row %d", i)
			}
		}
		db.exec(t, "UPDATE r SET changed = "+stamp(40, 0)+" WHERE id = 2")
		require.Equal(t, []int64{2}, ids(t, s.Next(1)))
		s.None(100 * time.Millisecond)
	})
}

func TestTimestampDelayLeavesYoungRowsForLater(t *testing.T) {
	const delay = time.Second
	onEach(t, func(t *testing.T, db database) {
		kind := map[string]string{"postgresql": "timestamptz", "mariadb": "TIMESTAMP(6)", "sqlite": "TIMESTAMP"}[db.kind]
		now := map[string]string{"postgresql": "clock_timestamp()", "mariadb": "NOW(6)", "sqlite": "strftime('%Y-%m-%d %H:%M:%f', 'now')"}[db.kind]
		db.exec(t, "CREATE TABLE r (id INT PRIMARY KEY, changed "+kind+" NOT NULL)", "INSERT INTO r VALUES (1, '2024-05-01 10:00:00')", "INSERT INTO r VALUES (2, "+now+")")
		inserted := time.Now() // a moment after the row's own
		s := connecttest.RunSource(t, plugin(), db.config(t, "timestamp", []string{"r"}, "timestamp.column.name", "changed", "timestamp.delay.interval.ms", fmt.Sprint(delay.Milliseconds())))
		require.Equal(t, []int64{1, 2}, ids(t, s.Next(2)))
		require.Greater(t, time.Since(inserted), delay-200*time.Millisecond, "the row was younger when it came")
	})
}

func TestBulkReadsTheTableAgainAndAgain(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		db.exec(t, "CREATE TABLE r (id INTEGER PRIMARY KEY, name VARCHAR(50))")
		db.fill(t, "r", 1, 10)
		s := connecttest.RunSource(t, plugin(), db.config(t, "bulk", []string{"r"}, "query.page.rows", "4"))
		got := s.Next(20)
		require.Equal(t, append(sequence(1, 10), sequence(1, 10)...), ids(t, got))
		require.Nil(t, got[0].SourceOffset)
	})
}

func TestAQueryIsReadAsASubquery(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		db.exec(t, "CREATE TABLE r (id INTEGER PRIMARY KEY, name VARCHAR(50))")
		db.fill(t, "r", 1, 10)
		s := connecttest.RunSource(t, plugin(), db.config(t, "incrementing", nil, "query", "SELECT id, name AS n FROM r WHERE id % 2 = 0;", "incrementing.column.name", "id"))
		got := s.Next(5)
		require.Equal(t, []int64{2, 4, 6, 8, 10}, ids(t, got))
		require.Equal(t, "t-", got[0].Topic)
		require.Equal(t, map[string]any{"query": "query"}, got[0].SourcePartition)
	})
}

func TestSharesOfASplitTableAreTheTable(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		db.exec(t, "CREATE TABLE r (id INTEGER PRIMARY KEY, name VARCHAR(50))")
		db.fill(t, "r", -30, 100)
		var all []int64
		for share := range int64(3) {
			cfg := db.config(t, "incrementing", []string{"r"}, "table.split", "3", "table.split.keys", "10", "task.split.index", fmt.Sprint(share))
			s := connecttest.RunSource(t, plugin(), cfg)
			want := 0
			for _, id := range sequence(-30, 100) {
				if ((id/10)%3+3)%3 == share {
					want++
				}
			}
			all = append(all, ids(t, s.Next(want))...)
			s.None(100 * time.Millisecond)
			s.Drain()
		}
		require.ElementsMatch(t, sequence(-30, 100), all)
	})
}

// Offsets as Confluent's connector stored them are gone on from, under the partition they were found under.
func TestAConnectorIsTakenOverFromKafkaConnect(t *testing.T) {
	db := newPostgres(t)
	db.exec(t, "CREATE TABLE r (id int PRIMARY KEY, name text)")
	db.fill(t, "r", 1, 10)
	var name string
	require.NoError(t, db.QueryRowContext(t.Context(), "SELECT current_database()").Scan(&name))
	for _, partition := range []map[string]any{
		{"protocol": "1", "table": "public.r"},
		{"protocol": "1", "table": name + ".public.r"},
		{"table": "r"},
	} {
		stored := connecttest.NewOffsets()
		stored.Set(partition, map[string]any{"incrementing": int64(7)})
		s := connecttest.RunSource(t, plugin(), db.config(t, "incrementing", []string{"r"}), connecttest.StoredOffsets(stored))
		got := s.Next(3)
		require.Equal(t, sequence(8, 10), ids(t, got))
		if partition["protocol"] != nil {
			require.Equal(t, partition, got[0].SourcePartition)
		}
		s.Drain()
	}
}

func TestANewColumnIsInTheNextRecords(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		db.exec(t, "CREATE TABLE r (id INTEGER PRIMARY KEY, name VARCHAR(50) NOT NULL)")
		db.fill(t, "r", 1, 3)
		s := connecttest.RunSource(t, plugin(), db.config(t, "incrementing", []string{"r"}))
		require.Len(t, s.Next(3)[0].ValueSchema.Fields(), 2)
		db.exec(t, "ALTER TABLE r ADD COLUMN more VARCHAR(10) DEFAULT 'm'")
		db.fill(t, "r", 4, 4)
		r := s.Next(1)[0]
		require.Len(t, r.ValueSchema.Fields(), 3)
		v, err := r.Value.(*data.Struct).Get("more")
		require.NoError(t, err)
		require.Equal(t, "m", v)
	})
}

func TestAColumnThatBecomesNullableIsReadAgain(t *testing.T) {
	db := newPostgres(t)
	db.exec(t, "CREATE TABLE r (id int PRIMARY KEY, name text NOT NULL)")
	db.fill(t, "r", 1, 3)
	s := connecttest.RunSource(t, plugin(), db.config(t, "incrementing", []string{"r"}))
	s.Next(3)
	db.exec(t, "ALTER TABLE r ALTER COLUMN name DROP NOT NULL", "INSERT INTO r VALUES (4, NULL)")
	r := s.Next(1)[0]
	field, _ := r.ValueSchema.Field("name")
	require.True(t, field.Schema.Optional())
}

func TestColumnsThatMayBeNullAreRefused(t *testing.T) {
	db := newPostgres(t)
	db.exec(t, "CREATE TABLE r (id int PRIMARY KEY, changed timestamp)")
	s := connecttest.RunSource(t, plugin(), db.config(t, "timestamp", []string{"r"}, "timestamp.column.name", "changed"), connecttest.WantFailure())
	require.Contains(t, s.Failure().Message, "may all be null")
}

func TestADroppedTableWaitsUntilItComesBack(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		db.exec(t, "CREATE TABLE r (id INTEGER PRIMARY KEY, name VARCHAR(50))")
		db.fill(t, "r", 1, 3)
		s := connecttest.RunSource(t, plugin(), db.config(t, "incrementing", []string{"r"}))
		s.Next(3)
		db.exec(t, "DROP TABLE r")
		s.Logs("the table is gone; it is read on when it comes back")
		db.exec(t, "CREATE TABLE r (id INTEGER PRIMARY KEY, name VARCHAR(50))")
		db.fill(t, "r", 4, 5)
		require.Equal(t, []int64{4, 5}, ids(t, s.Next(2)))
	})
}
