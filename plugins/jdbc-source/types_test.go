package main

import (
	"math"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tailrace/tailrace/sdk/go/connecttest"
	"github.com/tailrace/tailrace/sdk/go/data"
)

// typeCase is one value of one column type: what Connect must get.
type typeCase struct {
	column string // its type in the database
	value  string // the value in the database's own words
	schema *data.Schema
	want   any
	more   []string // configuration
}

func decimal(text string) data.Decimal {
	d, err := data.ParseDecimal(text)
	if err != nil {
		panic(err)
	}
	return d
}

func moment(text string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		panic(err)
	}
	return t
}

func optional(b *data.Builder) *data.Schema { return b.Optional().MustBuild() }

func array(s *data.Schema) *data.Schema { return optional(data.NewArray(s)) }

func checkTypes(t *testing.T, db database, cases []typeCase) {
	for _, c := range cases {
		t.Run(c.column+" "+c.value, func(t *testing.T) {
			db.exec(t, "DROP TABLE IF EXISTS v", "CREATE TABLE v (id INTEGER PRIMARY KEY, c "+c.column+")",
				"INSERT INTO v VALUES (1, "+c.value+")", "INSERT INTO v (id) VALUES (2)")
			s := connecttest.RunSource(t, plugin(), db.config(t, "incrementing", []string{"v"}, c.more...))
			got := s.Next(2)
			field, ok := got[0].ValueSchema.Field("c")
			require.True(t, ok)
			require.True(t, field.Schema.Equal(c.schema), "schema %s, want %s", field.Schema, c.schema)
			value, err := got[0].Value.(*data.Struct).Get("c")
			require.NoError(t, err)
			require.True(t, data.Equal(c.want, value), "value %#v, want %#v", value, c.want)
			null, err := got[1].Value.(*data.Struct).Get("c")
			require.NoError(t, err)
			if c.column != "TIMESTAMP(3)" { // MariaDB fills it by itself
				require.Nil(t, null)
			}
		})
	}
}

var proleptic = []string{"date.calendar.system", "PROLEPTIC_GREGORIAN"}

func TestPostgreSQLTypesValueByValue(t *testing.T) {
	db := newPostgres(t)
	db.exec(t, "CREATE TYPE mood AS ENUM ('sad', 'happy')", "CREATE DOMAIN positive AS int CHECK (VALUE > 0)", "CREATE TYPE pair AS (a int, b text)")
	checkTypes(t, db, postgresTypes())
}

func postgresTypes() []typeCase {
	micros := []string{"timestamp.granularity", "micros_long"}
	huge := "12345678901234567890123456789012345678.1234567890"
	nan := math.NaN()
	return []typeCase{
		{column: "boolean", value: "true", schema: data.OptionalBooleanSchema, want: true},
		{column: "smallint", value: "-32768", schema: data.OptionalInt16Schema, want: int16(-32768)},
		{column: "integer", value: "-2147483648", schema: data.OptionalInt32Schema, want: int32(math.MinInt32)},
		{column: "bigint", value: "9223372036854775807", schema: data.OptionalInt64Schema, want: int64(math.MaxInt64)},
		{column: "oid", value: "4294967295", schema: data.OptionalInt64Schema, want: int64(4294967295)},
		{column: "real", value: "'-0'", schema: data.OptionalFloat32Schema, want: float32(math.Copysign(0, -1))},
		{column: "real", value: "16777217.5", schema: data.OptionalFloat32Schema, want: float32(16777218)},
		{column: "double precision", value: "0.1", schema: data.OptionalFloat64Schema, want: 0.1},
		{column: "double precision", value: "'NaN'", schema: data.OptionalFloat64Schema, want: nan},
		{column: "double precision", value: "'-Infinity'", schema: data.OptionalFloat64Schema, want: math.Inf(-1)},
		{column: "numeric(10,2)", value: "-12345678.90", schema: data.OptionalDecimalSchema(2), want: decimal("-12345678.90")},
		{column: "numeric(10,2)", value: "0", schema: data.OptionalDecimalSchema(2), want: decimal("0.00")},
		{column: "numeric(20,0)", value: "18446744073709551615", schema: data.OptionalDecimalSchema(0), want: decimal("18446744073709551615")},
		{column: "numeric(48,10)", value: huge, schema: data.OptionalDecimalSchema(10), want: decimal(huge)},
		{column: "numeric(3,-2)", value: "12300", schema: data.OptionalDecimalSchema(-2), want: data.Decimal{Unscaled: big.NewInt(123), Scale: -2}},
		{column: "numeric", value: huge, schema: data.OptionalStringSchema, want: huge},
		{column: "numeric", value: "'NaN'", schema: data.OptionalStringSchema, want: "NaN"},
		{column: "numeric", value: "'Infinity'", schema: data.OptionalStringSchema, want: "Infinity"},
		{column: "numeric(4,0)", value: "-9999", schema: data.OptionalInt16Schema, want: int16(-9999), more: []string{"numeric.mapping", "precision_only"}},
		{column: "numeric(9,2)", value: "1234567.25", schema: data.OptionalFloat64Schema, want: 1234567.25, more: []string{"numeric.mapping", "best_fit"}},
		{column: "money", value: "'-12.34'", schema: data.OptionalDecimalSchema(2), want: decimal("-12.34")},
		{column: "text", value: "'zażółć 🦊'", schema: data.OptionalStringSchema, want: "zażółć 🦊"},
		{column: "varchar(10)", value: "''", schema: data.OptionalStringSchema, want: ""},
		{column: "char(4)", value: "'ab'", schema: data.OptionalStringSchema, want: "ab  "},
		{column: "bytea", value: `'\x00ff10'`, schema: data.OptionalBytesSchema, want: []byte{0, 255, 16}},
		{column: "json", value: `'{"a": 1.0}'`, schema: data.OptionalStringSchema, want: `{"a": 1.0}`},
		{column: "jsonb", value: `'{"b": [1, null]}'`, schema: data.OptionalStringSchema, want: `{"b": [1, null]}`},
		{column: "xml", value: "'<a>1</a>'", schema: data.OptionalStringSchema, want: "<a>1</a>"},
		{column: "uuid", value: "'A0EEBC99-9c0b-4ef8-bb6d-6bb9bd380a11'", schema: data.OptionalStringSchema, want: "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"},
		{column: "mood", value: "'happy'", schema: data.OptionalStringSchema, want: "happy"},
		{column: "positive", value: "5", schema: data.OptionalInt32Schema, want: int32(5)},
		{column: "bit(5)", value: "B'10110'", schema: data.OptionalStringSchema, want: "10110"},
		{column: "bit varying", value: "B'001'", schema: data.OptionalStringSchema, want: "001"},
		{column: "interval", value: "'1 year 2 mons -3 days 04:05:06.789'", schema: data.OptionalStringSchema, want: "P1Y2M-3DT4H5M6.789S"},
		{column: "date", value: "'1969-12-31'", schema: data.OptionalDateSchema, want: moment("1969-12-31T00:00:00Z")},
		{column: "date", value: "'0001-01-01'", schema: data.OptionalDateSchema, want: moment("0001-01-01T00:00:00Z").AddDate(0, 0, -2)},
		{column: "date", value: "'0001-01-01'", schema: data.OptionalDateSchema, want: moment("0001-01-01T00:00:00Z"), more: proleptic},
		{column: "date[]", value: "'{1500-01-01}'", schema: array(data.OptionalDateSchema), want: []any{moment("1500-01-10T00:00:00Z")}},
		{column: "date", value: "'infinity'", schema: data.OptionalDateSchema, want: data.FromDays(math.MaxInt32)},
		{column: "date", value: "'-infinity'", schema: data.OptionalDateSchema, want: data.FromDays(math.MinInt32)},
		{column: "time", value: "'23:59:59.999'", schema: data.OptionalTimeSchema, want: moment("1970-01-01T23:59:59.999Z")},
		{column: "time", value: "'24:00:00'", schema: data.OptionalInt64Schema, want: int64(86400e6), more: micros},
		{column: "timetz", value: "'10:11:12.5+02'", schema: data.OptionalStringSchema, want: "10:11:12.5+02"},
		{column: "timestamp", value: "'1960-02-29 12:34:56.789'", schema: data.OptionalTimestampSchema, want: moment("1960-02-29T12:34:56.789Z")},
		{column: "timestamp", value: "'2024-07-01 12:00:00'", schema: data.OptionalTimestampSchema, want: moment("2024-07-01T10:00:00Z"), more: []string{"db.timezone", "Europe/Berlin"}},
		{column: "timestamp", value: "'2024-07-01 12:00:00.123456'", schema: data.OptionalInt64Schema, want: int64(1719835200123456), more: micros},
		{column: "timestamp", value: "'1960-01-01 00:00:00.000001'", schema: data.OptionalInt64Schema, want: moment("1960-01-01T00:00:00.000001Z").UnixMicro(), more: micros},
		{column: "timestamp", value: "'2024-07-01 12:00:00.123456'", schema: data.OptionalStringSchema, want: "2024-07-01T12:00:00.123456Z", more: []string{"timestamp.granularity", "nanos_iso_datetime_string"}},
		{column: "timestamptz", value: "'2024-07-01 12:00:00+02'", schema: data.OptionalTimestampSchema, want: moment("2024-07-01T10:00:00Z"), more: []string{"db.timezone", "Asia/Tokyo"}},
		{column: "timestamp", value: "'1500-01-01 00:00:00.000001'", schema: data.OptionalStringSchema, want: "1500-01-10T00:00:00.000001Z", more: []string{"timestamp.granularity", "nanos_iso_datetime_string"}},
		{column: "timestamptz", value: "'1500-01-01 00:00:00+00'", schema: data.OptionalTimestampSchema, want: moment("1500-01-10T00:00:00Z")},
		{column: "timestamptz", value: "'1500-01-01 00:00:00+00'", schema: data.OptionalTimestampSchema, want: moment("1500-01-01T00:00:00Z"), more: proleptic},
		{column: "timestamptz", value: "'infinity'", schema: data.OptionalTimestampSchema, want: data.FromMillis(9223372036825200000)},
		{column: "timestamptz", value: "'-infinity'", schema: data.OptionalInt64Schema, want: int64(math.MinInt64), more: micros},
		{column: "inet", value: "'192.168.0.1/24'", schema: data.OptionalStringSchema, want: "192.168.0.1/24"},
		{column: "macaddr", value: "'08:00:2b:01:02:03'", schema: data.OptionalStringSchema, want: "08:00:2b:01:02:03"},
		{column: "point", value: "'(1.5,2)'", schema: data.OptionalStringSchema, want: "(1.5,2)"},
		{column: "int4range", value: "'[1,5)'", schema: data.OptionalStringSchema, want: "[1,5)"},
		{column: "tsvector", value: "'a:1 b:2'", schema: data.OptionalStringSchema, want: "'a':1 'b':2"},
		{column: "name", value: "'abc'", schema: data.OptionalStringSchema, want: "abc"},
		{column: `"char"`, value: "'x'", schema: data.OptionalStringSchema, want: "x"},
		{column: "cidr", value: "'10.0.0.0/8'", schema: data.OptionalStringSchema, want: "10.0.0.0/8"},
		{column: "macaddr8", value: "'08:00:2b:01:02:03:04:05'", schema: data.OptionalStringSchema, want: "08:00:2b:01:02:03:04:05"},
		{column: "line", value: "'{1,-1,0}'", schema: data.OptionalStringSchema, want: "{1,-1,0}"},
		{column: "lseg", value: "'[(0,0),(1,1)]'", schema: data.OptionalStringSchema, want: "[(0,0),(1,1)]"},
		{column: "box", value: "'(1,1),(0,0)'", schema: data.OptionalStringSchema, want: "(1,1),(0,0)"},
		{column: "path", value: "'[(0,0),(1,1)]'", schema: data.OptionalStringSchema, want: "[(0,0),(1,1)]"},
		{column: "polygon", value: "'((0,0),(1,1))'", schema: data.OptionalStringSchema, want: "((0,0),(1,1))"},
		{column: "circle", value: "'<(1,2),3>'", schema: data.OptionalStringSchema, want: "<(1,2),3>"},
		{column: "int8range", value: "'(,5)'", schema: data.OptionalStringSchema, want: "(,5)"},
		{column: "numrange", value: "'[1.5,2.5)'", schema: data.OptionalStringSchema, want: "[1.5,2.5)"},
		{column: "tsrange", value: "'[2024-01-01,2024-01-02)'", schema: data.OptionalStringSchema, want: `["2024-01-01 00:00:00","2024-01-02 00:00:00")`},
		{column: "tstzrange", value: "'[2024-01-01 00:00+02,2024-01-02 00:00+00)'", schema: data.OptionalStringSchema, want: `["2023-12-31 22:00:00+00","2024-01-02 00:00:00+00")`},
		{column: "daterange", value: "'[2024-01-01,2024-01-05)'", schema: data.OptionalStringSchema, want: "[2024-01-01,2024-01-05)"},
		{column: "int4multirange", value: "'{[1,3),[5,7)}'", schema: data.OptionalStringSchema, want: "{[1,3),[5,7)}"},
		{column: "tsquery", value: "'a & b'", schema: data.OptionalStringSchema, want: "'a' & 'b'"},
		{column: "pg_lsn", value: "'16/B374D848'", schema: data.OptionalStringSchema, want: "16/B374D848"},
		{column: "jsonpath", value: "'$.a'", schema: data.OptionalStringSchema, want: `$."a"`},
		{column: "xid", value: "'5'", schema: data.OptionalStringSchema, want: "5"},
		{column: "pair", value: "ROW(1, 'x y')", schema: data.OptionalStringSchema, want: `(1,"x y")`},
		{column: "int[]", value: "'{1,NULL,3}'", schema: array(data.OptionalInt32Schema), want: []any{int32(1), nil, int32(3)}},
		{column: "int[]", value: "'{}'", schema: array(data.OptionalInt32Schema), want: []any{}},
		{column: "int[][]", value: "'{{1,2},{3,4}}'", schema: array(data.NewArray(data.OptionalInt32Schema).MustBuild()), want: []any{[]any{int32(1), int32(2)}, []any{int32(3), int32(4)}}},
		{column: "text[]", value: `'{"a,b",""}'`, schema: array(data.OptionalStringSchema), want: []any{"a,b", ""}},
		{column: "numeric(6,2)[]", value: "'{1.5}'", schema: array(data.OptionalDecimalSchema(2)), want: []any{decimal("1.50")}},
		{column: "mood[]", value: "'{sad,happy}'", schema: array(data.OptionalStringSchema), want: []any{"sad", "happy"}},
		{column: "interval[]", value: "'{1 day}'", schema: data.OptionalStringSchema, want: "{P1D}"},
	}
}

func TestMariaDBTypesValueByValue(t *testing.T) {
	db := newMariaDB(t)
	checkTypes(t, db, mariadbTypes())
}

func mariadbTypes() []typeCase {
	micros := []string{"timestamp.granularity", "micros_long"}
	long := "12345678901234567890123456789012345.123456789012345678901234567890"
	return []typeCase{
		{column: "TINYINT", value: "-128", schema: data.OptionalInt8Schema, want: int8(-128)},
		{column: "TINYINT UNSIGNED", value: "255", schema: data.OptionalInt16Schema, want: int16(255)},
		{column: "BOOLEAN", value: "true", schema: data.OptionalInt8Schema, want: int8(1)},
		{column: "SMALLINT", value: "-32768", schema: data.OptionalInt16Schema, want: int16(-32768)},
		{column: "SMALLINT UNSIGNED", value: "65535", schema: data.OptionalInt32Schema, want: int32(65535)},
		{column: "MEDIUMINT UNSIGNED", value: "16777215", schema: data.OptionalInt32Schema, want: int32(16777215)},
		{column: "INT", value: "-2147483648", schema: data.OptionalInt32Schema, want: int32(math.MinInt32)},
		{column: "INT UNSIGNED", value: "4294967295", schema: data.OptionalInt64Schema, want: int64(4294967295)},
		{column: "BIGINT", value: "-9223372036854775808", schema: data.OptionalInt64Schema, want: int64(math.MinInt64)},
		{column: "BIGINT UNSIGNED", value: "18446744073709551615", schema: data.OptionalDecimalSchema(0), want: decimal("18446744073709551615")},
		{column: "FLOAT", value: "16777215", schema: data.OptionalFloat32Schema, want: float32(16777215)},
		{column: "DOUBLE", value: "0.1", schema: data.OptionalFloat64Schema, want: 0.1},
		{column: "DECIMAL(12,4)", value: "-12345678.9012", schema: data.OptionalDecimalSchema(4), want: decimal("-12345678.9012")},
		{column: "DECIMAL(65,30)", value: long, schema: data.OptionalDecimalSchema(30), want: decimal(long)},
		{column: "DECIMAL(9,0)", value: "999999999", schema: data.OptionalInt32Schema, want: int32(999999999), more: []string{"numeric.mapping", "best_fit"}},
		{column: "BIT(10)", value: "b'1000000001'", schema: data.OptionalBytesSchema, want: []byte{2, 1}},
		{column: "CHAR(4)", value: "'ab'", schema: data.OptionalStringSchema, want: "ab"},
		{column: "VARCHAR(20)", value: "'zażółć 🦊'", schema: data.OptionalStringSchema, want: "zażółć 🦊"},
		{column: "LONGTEXT", value: "''", schema: data.OptionalStringSchema, want: ""},
		{column: "BINARY(3)", value: "x'00ff'", schema: data.OptionalBytesSchema, want: []byte{0, 255, 0}},
		{column: "VARBINARY(3)", value: "x'00ff'", schema: data.OptionalBytesSchema, want: []byte{0, 255}},
		{column: "BLOB", value: "x'00ff10'", schema: data.OptionalBytesSchema, want: []byte{0, 255, 16}},
		{column: "ENUM('a','b')", value: "'b'", schema: data.OptionalStringSchema, want: "b"},
		{column: "SET('a','b','c')", value: "'a,c'", schema: data.OptionalStringSchema, want: "a,c"},
		{column: "JSON", value: `'{"a": 1.0}'`, schema: data.OptionalStringSchema, want: `{"a": 1.0}`},
		{column: "MEDIUMINT", value: "-8388608", schema: data.OptionalInt32Schema, want: int32(-8388608)},
		{column: "TINYTEXT", value: "'a'", schema: data.OptionalStringSchema, want: "a"},
		{column: "TEXT", value: "'a'", schema: data.OptionalStringSchema, want: "a"},
		{column: "MEDIUMTEXT", value: "'a'", schema: data.OptionalStringSchema, want: "a"},
		{column: "INET4", value: "'10.0.0.1'", schema: data.OptionalStringSchema, want: "10.0.0.1"},
		{column: "TINYBLOB", value: "x'00'", schema: data.OptionalBytesSchema, want: []byte{0}},
		{column: "MEDIUMBLOB", value: "x'00'", schema: data.OptionalBytesSchema, want: []byte{0}},
		{column: "LONGBLOB", value: "x''", schema: data.OptionalBytesSchema, want: []byte{}},
		{column: "UUID", value: "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", schema: data.OptionalStringSchema, want: "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"},
		{column: "INET6", value: "'::1'", schema: data.OptionalStringSchema, want: "::1"},
		{column: "YEAR", value: "2155", schema: data.OptionalInt32Schema, want: int32(2155)},
		{column: "DATE", value: "'1000-01-01'", schema: data.OptionalDateSchema, want: moment("1000-01-06T00:00:00Z")},
		{column: "DATE", value: "'1000-01-01'", schema: data.OptionalDateSchema, want: moment("1000-01-01T00:00:00Z"), more: proleptic},
		{column: "DATETIME", value: "'1582-10-04 23:59:59'", schema: data.OptionalTimestampSchema, want: moment("1582-10-14T23:59:59Z")},
		{column: "DATETIME", value: "'1582-10-04 23:59:59'", schema: data.OptionalTimestampSchema, want: moment("1582-10-04T23:59:59Z"), more: proleptic},
		{column: "TIME", value: "'23:59:59'", schema: data.OptionalTimeSchema, want: moment("1970-01-01T23:59:59Z")},
		{column: "TIME(6)", value: "'-838:59:58.999999'", schema: data.OptionalInt64Schema, want: -(int64(838*3600+59*60+58)*1e6 + 999999), more: micros},
		{column: "DATETIME(3)", value: "'1960-02-29 12:34:56.789'", schema: data.OptionalTimestampSchema, want: moment("1960-02-29T12:34:56.789Z")},
		{column: "DATETIME(6)", value: "'9999-12-31 23:59:59.999999'", schema: data.OptionalInt64Schema, want: moment("9999-12-31T23:59:59.999999Z").UnixMicro(), more: micros},
		{column: "DATETIME", value: "'2024-07-01 12:00:00'", schema: data.OptionalTimestampSchema, want: moment("2024-07-01T10:00:00Z"), more: []string{"db.timezone", "Europe/Berlin"}},
		{column: "TIMESTAMP(3) NULL", value: "'2024-07-01 12:00:00.123'", schema: data.OptionalTimestampSchema, want: moment("2024-07-01T12:00:00.123Z"), more: []string{"db.timezone", "Asia/Tokyo"}},
		{column: "POINT", value: "ST_GeomFromText('POINT(1 2)')", schema: data.OptionalBytesSchema, want: []byte("\x00\x00\x00\x00\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\xf0\x3f\x00\x00\x00\x00\x00\x00\x00\x40")},
	}
}

func TestSQLiteTypesValueByValue(t *testing.T) {
	db := newSQLite(t)
	checkTypes(t, db, sqliteTypes())
}

func sqliteTypes() []typeCase {
	return []typeCase{
		{column: "INTEGER", value: "-9223372036854775808", schema: data.OptionalInt64Schema, want: int64(math.MinInt64)},
		{column: "BIGINT", value: "9223372036854775807", schema: data.OptionalInt64Schema, want: int64(math.MaxInt64)},
		{column: "REAL", value: "0.1", schema: data.OptionalFloat64Schema, want: 0.1},
		{column: "TEXT", value: "'zażółć 🦊'", schema: data.OptionalStringSchema, want: "zażółć 🦊"},
		{column: "VARCHAR(5)", value: "'longer than that'", schema: data.OptionalStringSchema, want: "longer than that"},
		{column: "BLOB", value: "x'00ff10'", schema: data.OptionalBytesSchema, want: []byte{0, 255, 16}},
		{column: "BOOLEAN", value: "1", schema: data.OptionalBooleanSchema, want: true},
		{column: "DECIMAL(10,2)", value: "12345678.25", schema: data.OptionalDecimalSchema(2), want: decimal("12345678.25")},
		{column: "NUMERIC", value: "9007199254740993", schema: data.OptionalStringSchema, want: "9007199254740993"},
		{column: "DATE", value: "'2024-02-29'", schema: data.OptionalDateSchema, want: moment("2024-02-29T00:00:00Z")},
		{column: "DATE", value: "'1500-01-01'", schema: data.OptionalDateSchema, want: moment("1500-01-10T00:00:00Z")},
		{column: "DATETIME", value: "'1500-01-01 12:00:00'", schema: data.OptionalTimestampSchema, want: moment("1500-01-10T12:00:00Z")},
		{column: "DATETIME", value: "'1500-01-01 12:00:00'", schema: data.OptionalTimestampSchema, want: moment("1500-01-01T12:00:00Z"), more: proleptic},
		{column: "DATETIME", value: "'2024-02-29 12:34:56.789'", schema: data.OptionalTimestampSchema, want: moment("2024-02-29T12:34:56.789Z")},
		{column: "TIMESTAMP", value: "1709210096789", schema: data.OptionalTimestampSchema, want: moment("2024-02-29T12:34:56.789Z")},
		{column: "TINYINT", value: "7", schema: data.OptionalInt64Schema, want: int64(7)},
		{column: "FLOAT", value: "0.5", schema: data.OptionalFloat64Schema, want: 0.5},
		{column: "DOUBLE", value: "-1e300", schema: data.OptionalFloat64Schema, want: -1e300},
		{column: "CHAR(2)", value: "'x'", schema: data.OptionalStringSchema, want: "x"},
		{column: "CLOB", value: "'x'", schema: data.OptionalStringSchema, want: "x"},
		{column: "UUID", value: "'a0eebc99'", schema: data.OptionalStringSchema, want: "a0eebc99"},
		{column: "NUMERIC(10,3)", value: "1.125", schema: data.OptionalDecimalSchema(3), want: decimal("1.125")},
		{column: "JSON", value: `'{"a":1}'`, schema: data.OptionalStringSchema, want: `{"a":1}`},
		{column: "", value: "x'01'", schema: data.OptionalBytesSchema, want: []byte{1}},
	}
}

func TestAValueThatItsTypeCannotHoldFailsAndNamesTheColumn(t *testing.T) {
	for _, c := range []struct {
		open                 func(testing.TB) database
		column, value, wants string
	}{
		{newPostgres, "numeric(5,2)", "'NaN'", `column "c" (numeric): NaN`},
		{newPostgres, "int[]", "'{{1},{2}}'", `the array has 2 dimensions, the column is declared with 1`},
		{newMariaDB, "TIME", "'100:00:00'", `column "c" (TIME): the time 100h0m0s is outside of a day`},
		{newSQLite, "INTEGER", "'text'", `column "c" (INTEGER): want a whole number, not the text "text"`},
	} {
		t.Run(c.column, func(t *testing.T) {
			db := c.open(t)
			db.exec(t, "CREATE TABLE v (id INTEGER PRIMARY KEY, c "+c.column+")", "INSERT INTO v VALUES (1, "+c.value+")")
			s := connecttest.RunSource(t, plugin(), db.config(t, "incrementing", []string{"v"}), connecttest.WantFailure())
			f := s.Failure()
			require.Contains(t, f.Message, c.wants)
			require.False(t, f.Retriable)
		})
	}
}
