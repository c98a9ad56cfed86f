package index

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tailrace/tailrace/sdk/go/data"
)

func TestIndexNames(t *testing.T) {
	for _, c := range []struct{ format, pattern, topic, want string }{
		{"${topic}", "yyyy", "Orders", "orders"},
		{"${topic}", "yyyy", "_internal", "internal"},
		{"logs-${topic}-${timestamp}", "yyyy.MM.dd", "a", "logs-a-2026.11.21"},
		{"${topic}-${timestamp}", "yyMMdd_HHmm", "a", "a-261121_0007"},
		{"fixed", "yyyy", "a", "fixed"},
		{"${topic}", "yyyy", strings.Repeat("x", 300), strings.Repeat("x", 255)},
	} {
		f, err := NewFormat(c.format, c.pattern)
		require.NoError(t, err)
		got, err := f.Name(c.topic, f.Period(1795219620000)) // 2026-11-21T00:07:00Z
		require.NoError(t, err)
		require.Equal(t, c.want, got)
	}
	for _, bad := range [][2]string{{"${other}", "yyyy"}, {"${topic}", "eee"}, {"${topic}", "yyy"}} {
		_, err := NewFormat(bad[0], bad[1])
		require.Error(t, err, bad)
	}
	for _, bad := range []string{"", ".", "..", "-", "a b", "a,b", "a*", `a"b`} {
		_, err := Clean(bad)
		require.ErrorContains(t, err, "cannot be the name of an index", bad)
	}
	name, err := StreamName("LOGS", "app", "${topic}", "Orders")
	require.NoError(t, err)
	require.Equal(t, "logs-app-orders", name)
}

func TestTheTypeOfEachField(t *testing.T) {
	text := `{"fields":{"keyword":{"ignore_above":256,"type":"keyword"}},"type":"text"}`
	nested := data.NewStruct().Field("x", data.Int16Schema).MustBuild()
	for want, s := range map[string]*data.Schema{
		`{"type":"byte"}`: data.Int8Schema, `{"type":"short"}`: data.Int16Schema, `{"type":"integer"}`: data.Int32Schema,
		`{"type":"long"}`: data.Int64Schema, `{"type":"float"}`: data.Float32Schema, `{"type":"double"}`: data.DecimalSchema(2),
		`{"type":"boolean"}`: data.BooleanSchema, `{"type":"binary"}`: data.BytesSchema, text: data.StringSchema,
		`{"type":"date"}`: data.TimestampSchema, `{"properties":{"x":{"type":"short"}}}`: nested,
		`{"type":"object"}`:              data.NewMap(data.StringSchema, data.Int8Schema).MustBuild(),
		`{"null_value":5,"type":"long"}`: data.NewPrimitive(data.Int64).Optional().Default(int64(5)).MustBuild(),
		`{"properties":{"key":{"type":"long"},"value":{"type":"byte"}}}`: data.NewMap(data.Int64Schema, data.Int8Schema).MustBuild(),
	} {
		for _, field := range []*data.Schema{s, data.NewArray(s).MustBuild()} {
			got, err := Mapping(data.NewStruct().Field("f", field).MustBuild(), true)
			require.NoError(t, err)
			require.JSONEq(t, `{"properties":{"f":`+want+`}}`, string(got))
		}
	}
	_, err := Mapping(nil, true)
	require.ErrorContains(t, err, "schema.ignore=true")
	_, err = Mapping(data.StringSchema, true)
	require.ErrorContains(t, err, "schema.ignore=true")
}
