package main

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tailrace/tailrace/plugins/jdbc-source/internal/dialect"
	connect "github.com/tailrace/tailrace/sdk/go"
	"github.com/tailrace/tailrace/sdk/go/connecttest"
	"github.com/tailrace/tailrace/sdk/go/data"
)

// Every key of the two connectors (Confluent's 10.9, Aiven's of March 2025) that may be set beside the others, with the default it has
// there or a usual value.
var (
	confluent = connect.Config{
		"connector.class": "io.confluent.connect.jdbc.JdbcSourceConnector", "connection.attempts": "3", "connection.backoff.ms": "10000",
		"jdbc.credentials.provider.class": "io.confluent.connect.jdbc.util.DefaultJdbcCredentialsProvider",
		"table.blacklist":                 "", "catalog.pattern": "%", "schema.pattern": "%", "numeric.precision.mapping": "false", "numeric.mapping": "BEST_FIT",
		"dialect.name": "", "mode": "incrementing", "incrementing.column.name": "id", "timestamp.column.name": "", "timestamp.initial": "-1",
		"validate.non.null": "false", "query": "", "query.suffix": "", "query.retry.attempts": "-1", "quote.sql.identifiers": "ALWAYS",
		"transaction.isolation.mode": "read_committed", "table.types": "table", "poll.interval.ms": "50", "batch.max.rows": "100",
		"table.poll.interval.ms": "60000", "table.monitoring.startup.polling.limit.ms": "10000", "topic.prefix": "t-",
		"timestamp.delay.interval.ms": "0", "db.timezone": "Europe/Berlin", "timestamp.granularity": "NANOS_LONG", "connection.oracle.use.defaults": "false",
		"max.buffer.size": "0", "poll.linger.ms": "5000", "date.calendar.system": "PROLEPTIC_GREGORIAN", "table.include.list": "", "table.exclude.list": "",
		"incrementing.column.mapping": "", "timestamp.columns.mapping": "", "table.whitelist": "",
		"tasks.max": "1", "errors.tolerance": "none", "transforms": "", "topic.creation.default.partitions": "1", "producer.override.acks": "all",
	}
	aiven = connect.Config{
		"connector.class": "io.aiven.connect.jdbc.JdbcSourceConnector", "connection.attempts": "3", "connection.backoff.ms": "10000",
		"table.blacklist": "", "catalog.pattern": "%", "schema.pattern": "%", "numeric.precision.mapping": "false", "numeric.mapping": "best_fit",
		"db.timezone": "UTC", "dialect.name": "", "sql.quote.identifiers": "true", "mode": "incrementing", "incrementing.column.name": "id",
		"timestamp.column.name": "", "validate.non.null": "false", "query": "", "timestamp.initial.ms": "0", "incrementing.initial": "0",
		"table.names.qualify": "false", "table.types": "TABLE", "poll.interval.ms": "50", "batch.max.rows": "100", "table.poll.interval.ms": "60000",
		"topic.prefix": "t-", "timestamp.delay.interval.ms": "0",
	}
)

func TestConfigurationsOfOtherConnectorsWorkUnchanged(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		db.exec(t, "CREATE TABLE r (id INTEGER PRIMARY KEY, name VARCHAR(50))")
		db.fill(t, "r", 1, 3)
		for name, cfg := range map[string]connect.Config{"confluent": confluent, "aiven": aiven} {
			full := cfg.Clone()
			for k, v := range db.cfg {
				full[k] = v
			}
			if db.kind == "sqlite" {
				full["transaction.isolation.mode"] = "DEFAULT"
			}
			require.Empty(t, (&connector{}).Validate(t.Context(), full), name)
			want := []string(nil)
			if name == "confluent" {
				want = []string{"max.buffer.size", "poll.linger.ms", "table.monitoring.startup.polling.limit.ms"}
			}
			told := definition().Unused(full, families...)
			require.Len(t, told, len(want), name)
			for i, key := range want {
				require.Contains(t, told[i], `the key "`+key+`" has no effect: `)
			}
			s := connecttest.RunSource(t, plugin(), full.With("task.tables", db.config(t, "bulk", []string{"r"})["task.tables"]))
			require.Equal(t, sequence(1, 3), ids(t, s.Next(3)), name)
			s.Drain()
		}
	})
}

func TestKeysThatAreNotKnownAreWarnedOf(t *testing.T) {
	require.Equal(t, []string{
		`the key "connection.colour" is not known to this connector and has no effect`,
		`the key "table.widelist" is not known to this connector and has no effect`,
	}, definition().Unused(aiven.With("table.widelist", "r", "connection.colour", "red"), families...))
}

func TestTheManualTellsOfEveryKeyOfTheOtherConnectors(t *testing.T) {
	manual, err := os.ReadFile("README.md")
	require.NoError(t, err)
	workers := []string{"connector.class", "tasks.max", "errors.tolerance", "transforms", "topic.creation.default.partitions", "producer.override.acks"}
	keys := []string{"connection.url", "connection.user", "connection.password", "query.masked", "incrementing.initial", "table.blacklist"}
	for _, cfg := range []connect.Config{confluent, aiven} {
		keys = slices.AppendSeq(keys, maps.Keys(cfg))
	}
	for _, key := range keys {
		if !slices.Contains(workers, key) {
			require.Contains(t, string(manual), "`"+key, key)
			require.True(t, slices.ContainsFunc(definition().Keys(), func(k connect.ConfigKey) bool { return k.Name == key }), "%s is not known", key)
		}
	}
}

func TestKeysThatCannotBeHonouredAreRefused(t *testing.T) {
	for key, value := range map[string]string{
		"jdbc.credentials.provider.class": "com.example.Provider", "query.parameters": "INCREMENTING_OFFSET", "incrementing.relaxed.monotonic": "true",
		"connection.oracle.use.defaults": "true", "table.split": "2", "transaction.isolation.mode": "SQL_SERVER_SNAPSHOT", "db.timezone": "Mars/Olympus",
		"date.calendar.system": "MAYAN", "mode": "backwards", "table.include.list": "(", "incrementing.column.mapping": "r", "numeric.mapping": "worst",
	} {
		cfg := connect.Config{"connection.url": "jdbc:sqlite:/x.db", "mode": "timestamp", "timestamp.column.name": "changed", "topic.prefix": "t"}.With(key, value)
		issues := definition().Validate(cfg)
		if len(issues) == 0 {
			issues = (&connector{}).Validate(t.Context(), cfg)
		}
		require.NotEmpty(t, issues, key)
		require.Equal(t, key, issues[0].Key)
		require.Contains(t, issues[0].Message, value)
	}
}

func TestNumericMappingsByPrecisionAndScale(t *testing.T) {
	decimal := func(scale int32) *data.Schema { return data.NewDecimal(scale).MustBuild() }
	columns := []struct {
		precision, scale int
		value            string
		want             map[string]*data.Schema // by mapping
	}{
		{2, 0, "12", map[string]*data.Schema{"none": decimal(0), "precision_only": data.Int8Schema, "best_fit": data.Int8Schema, "best_fit_eager_double": data.Int8Schema}},
		{4, 0, "1234", map[string]*data.Schema{"none": decimal(0), "precision_only": data.Int16Schema, "best_fit": data.Int16Schema, "best_fit_eager_double": data.Int16Schema}},
		{9, 0, "123456789", map[string]*data.Schema{"none": decimal(0), "precision_only": data.Int32Schema, "best_fit": data.Int32Schema, "best_fit_eager_double": data.Int32Schema}},
		{18, 0, "123456789012345678", map[string]*data.Schema{"none": decimal(0), "precision_only": data.Int64Schema, "best_fit": data.Int64Schema, "best_fit_eager_double": data.Int64Schema}},
		{19, 0, "1234567890123456789", map[string]*data.Schema{"none": decimal(0), "precision_only": decimal(0), "best_fit": decimal(0), "best_fit_eager_double": decimal(0)}},
		{9, 2, "1234567.25", map[string]*data.Schema{"none": decimal(2), "precision_only": decimal(2), "best_fit": data.Float64Schema, "best_fit_eager_double": data.Float64Schema}},
		{20, 2, "123456.25", map[string]*data.Schema{"none": decimal(2), "precision_only": decimal(2), "best_fit": decimal(2), "best_fit_eager_double": data.Float64Schema}},
	}
	onEach(t, func(t *testing.T, db database) {
		var defs, values []string
		for i, c := range columns {
			defs = append(defs, fmt.Sprintf("c%d DECIMAL(%d,%d) NOT NULL", i, c.precision, c.scale))
			values = append(values, c.value)
		}
		db.exec(t, "CREATE TABLE r (id INTEGER PRIMARY KEY, "+strings.Join(defs, ", ")+")", "INSERT INTO r VALUES (1, "+strings.Join(values, ", ")+")")
		for _, mapping := range []string{"none", "PRECISION_ONLY", "best_fit", "best_fit_eager_double"} {
			s := connecttest.RunSource(t, plugin(), db.config(t, "incrementing", []string{"r"}, "numeric.mapping", mapping))
			r := s.Next(1)[0]
			for i, c := range columns {
				f, _ := r.ValueSchema.Field(fmt.Sprint("c", i))
				want := c.want[strings.ToLower(mapping)]
				require.Equal(t, want.Type(), f.Schema.Type(), "%s DECIMAL(%d,%d): %s", mapping, c.precision, c.scale, f.Schema)
				require.Equal(t, c.value, fmt.Sprint(number(t, r, f.Name)), "%s %s", mapping, f.Name)
			}
			s.Drain()
		}
		s := connecttest.RunSource(t, plugin(), db.config(t, "incrementing", []string{"r"}, "numeric.precision.mapping", "true"))
		f, _ := s.Next(1)[0].ValueSchema.Field("c0")
		require.Equal(t, data.Int8, f.Schema.Type(), "the deprecated key")
	})
}

// number is a field's value in a form that prints plainly.
func number(t *testing.T, r connecttest.Record, name string) any {
	t.Helper()
	v, err := r.Value.(*data.Struct).Get(name)
	require.NoError(t, err)
	if f, ok := v.(float64); ok {
		return fmt.Sprintf("%.2f", f)
	}
	return v
}

func text(t *testing.T, r connecttest.Record, name string) string {
	t.Helper()
	v, err := r.Value.(*data.Struct).Get(name)
	require.NoError(t, err)
	return v.(string)
}

func TestColumnsAreFoundByTheMappingOfTheirTable(t *testing.T) {
	a, b := dialect.Table{Schema: "public", Name: "a1"}, dialect.Table{Schema: "public", Name: "b"}
	list := split(`public\.a.*:id , public\.b:[changed|created]`)
	got, err := columnsOf(list, "k", a)
	require.NoError(t, err)
	require.Equal(t, []string{"id"}, got)
	got, err = columnsOf(list, "k", b)
	require.NoError(t, err)
	require.Equal(t, []string{"changed", "created"}, got)
	_, err = columnsOf(list, "k", dialect.Table{Schema: "public", Name: "c"})
	require.ErrorContains(t, err, `table public.c matches nothing in the key "k"`)
	_, err = columnsOf(append(list, `.*:x`), "k", a)
	require.ErrorContains(t, err, "it should match one")

	db := newPostgres(t)
	db.exec(t, "CREATE TABLE a1 (num int NOT NULL, name text)", "INSERT INTO a1 VALUES (1, 'x'), (2, 'y')",
		"CREATE TABLE b (id int PRIMARY KEY, created timestamp NOT NULL, changed timestamp)", "INSERT INTO b VALUES (7, '2024-01-01', '2024-02-01'), (8, '2024-01-15', NULL)")
	s := connecttest.RunSource(t, plugin(), db.config(t, "incrementing", []string{"a1"}, "incrementing.column.mapping", `public\.a1:num,public\.b:id`))
	require.Equal(t, map[string]any{"incrementing": int64(2)}, s.Next(2)[1].SourceOffset)
	s = connecttest.RunSource(t, plugin(), db.config(t, "timestamp", []string{"b"}, "timestamp.columns.mapping", `public\.b:[changed|created]`))
	require.Equal(t, []int64{8, 7}, ids(t, s.Next(2)))
}

func TestAMaskedQueryIsReadAndNotShown(t *testing.T) {
	db := newPostgres(t)
	s := connecttest.RunSource(t, plugin(), db.config(t, "bulk", nil, "query.masked", "SELECT 5 AS id"))
	require.Equal(t, []int64{5}, ids(t, s.Next(1)))
	require.Equal(t, map[string]any{"query": "query"}, s.Next(1)[0].SourcePartition, "a bulk record names its source too")
}

// In mode timestamp the criteria are in db.timezone: a column without a zone is compared as its wall clock.
func TestTheTimeZoneCountsInQueries(t *testing.T) {
	for _, open := range []func(testing.TB) database{newPostgres, newMariaDB} {
		db := open(t)
		t.Run(db.kind, func(t *testing.T) {
			db.stamped(t)
			db.exec(t, "INSERT INTO r VALUES (1, 'x', '2024-07-01 12:00:00.250')")
			s := connecttest.RunSource(t, plugin(), db.config(t, "timestamp", []string{"r"}, "timestamp.column.name", "changed", "db.timezone", "Asia/Tokyo"))
			r := s.Next(1)[0]
			at := time.Date(2024, 7, 1, 3, 0, 0, 25e7, time.UTC)
			require.Equal(t, map[string]any{"timestamp": at.UnixMilli(), "timestamp_nanos": int64(25e7)}, r.SourceOffset)
			db.exec(t, "INSERT INTO r VALUES (2, 'old', '2024-07-01 11:59:59'), (3, 'new', '2024-07-01 12:00:00.251')")
			require.Equal(t, []int64{3}, ids(t, s.Next(1)))
			s.None(100 * time.Millisecond)
		})
	}
}
