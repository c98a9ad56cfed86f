package document

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/tailrace/tailrace/sdk/go/data"
)

func wire(t require.TestingT, s *data.Schema, v any) []byte {
	b, err := data.AppendValue(nil, s, v)
	require.NoError(t, err)
	return b
}

func write(t require.TestingT, s *data.Schema, v any, o Options, timestamp int64) (string, error) {
	p, err := NewPlan(s, o)
	require.NoError(t, err)
	out, err := p.Append([]byte("before"), wire(t, s, v), timestamp)
	require.True(t, strings.HasPrefix(string(out), "before"))
	return string(out[len("before"):]), err
}

var compact = Options{CompactMaps: true}

func TestHowEachTypeIsWritten(t *testing.T) {
	day := time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)
	inner := data.NewStruct().Field("x", data.Int8Schema).Field("y", data.OptionalStringSchema).MustBuild()
	intMap := data.NewMap(data.Int64Schema, data.StringSchema).MustBuild()
	stringMap := data.NewMap(data.StringSchema, data.OptionalInt8Schema).MustBuild()
	mixed := data.NewArray(nil).Schemaless().MustBuild()
	for _, c := range []struct {
		name   string
		schema *data.Schema
		value  any
		want   string
	}{
		{"int8", data.Int8Schema, int8(-5), `-5`},
		{"int64", data.Int64Schema, int64(math.MinInt64), `-9223372036854775808`},
		{"float32", data.Float32Schema, float32(0.1), `0.1`},
		{"float64", data.Float64Schema, 1e300, `1e+300`},
		{"boolean", data.BooleanSchema, true, `true`},
		{"string", data.StringSchema, "a\"\\\n\r\t\x01é\xff", `"a\"\\\n\r\t\u0001é` + "\ufffd" + `"`},
		{"bytes", data.BytesSchema, []byte{1, 2, 255}, `"AQL/"`},
		{"decimal", data.DecimalSchema(2), data.NewDecimalValue(-12345, 2), `-123.45`},
		{"decimal of many digits", data.DecimalSchema(0), must(data.ParseDecimal("123456789012345678901234567890")), `123456789012345678901234567890`},
		{"date", data.DateSchema, day, `"2026-11-21"`},
		{"time", data.TimeSchema, time.UnixMilli(3_600_000).UTC(), `3600000`},
		{"timestamp", data.TimestampSchema, day, `1795219200000`},
		{"null", data.OptionalStringSchema, nil, `null`},
		{"null with default", data.NewPrimitive(data.Int64).Optional().Default(int64(7)).MustBuild(), nil, `7`},
		{"array", data.NewArray(data.Int8Schema).MustBuild(), []any{int8(1), int8(2)}, `[1,2]`},
		{"empty array", data.NewArray(data.Int8Schema).MustBuild(), []any{}, `[]`},
		{"map", stringMap, data.NewMapValue(data.MapEntry{Key: "k", Value: int8(1)}, data.MapEntry{Key: "l", Value: nil}), `{"k":1,"l":null}`},
		{"map of other keys", intMap, data.NewMapValue(data.MapEntry{Key: int64(1), Value: "v"}), `[{"key":1,"value":"v"}]`},
		{"struct", inner, data.NewValue(inner).Set("x", 1).MustBuild(), `{"x":1,"y":null}`},
		{"schemaless parts", mixed, []any{nil, true, int64(5), 2.5, "s", []byte("b"), []any{int8(1)}, data.NewMapValue(data.MapEntry{Key: "k", Value: "v"})}, `[null,true,5,2.5,"s","Yg==",[1],{"k":"v"}]`},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := data.NewStruct().Field("f", c.schema).MustBuild()
			v, err := data.NewStructValue(s)
			require.NoError(t, err)
			require.NoError(t, v.Put("f", c.value))
			got, err := write(t, s, v, compact, -1)
			require.NoError(t, err)
			require.Equal(t, `{"f":`+c.want+`}`, got)
		})
	}
}

func must(d data.Decimal, err error) data.Decimal {
	if err != nil {
		panic(err)
	}
	return d
}

func TestTextThatIsAnObjectIsPassedOnInOneLine(t *testing.T) {
	for in, want := range map[string]string{
		` {"a": 1.50} `: `{"a": 1.50}`, "{\"a\":\n1}": `{"a":1}`, `{}`: `{}`,
	} {
		for _, s := range []*data.Schema{data.StringSchema, data.OptionalStringSchema, nil} {
			got, err := write(t, s, in, compact, -1)
			require.NoError(t, err)
			require.Equal(t, want, got)
		}
	}
	for _, bad := range []string{``, `5`, `[1]`, `{"a":}`, `{} {}`, `text`} {
		_, err := write(t, data.StringSchema, bad, compact, -1)
		require.ErrorContains(t, err, "not a JSON object", bad)
	}
}

func TestMapsAndTimestamps(t *testing.T) {
	m := data.NewMapValue(data.MapEntry{Key: "k", Value: "v"})
	got, err := write(t, nil, m, compact, 5)
	require.NoError(t, err)
	require.Equal(t, `{"k":"v","@timestamp":5}`, got)
	got, err = write(t, data.StringSchema, `{}`, compact, 5)
	require.NoError(t, err)
	require.Equal(t, `{"@timestamp":5}`, got)
	got, err = write(t, data.StringSchema, `{"@timestamp":"x"}`, compact, 5)
	require.NoError(t, err)
	require.Equal(t, `{"@timestamp":"x"}`, got)
	got, err = write(t, data.StringSchema, `{"a":{"@timestamp":"x"}}`, compact, 5)
	require.NoError(t, err)
	require.Equal(t, `{"a":{"@timestamp":"x"},"@timestamp":5}`, got)
	s := data.NewStruct().Field("m", data.NewMap(data.StringSchema, data.StringSchema).MustBuild()).MustBuild()
	got, err = write(t, s, data.NewValue(s).Set("m", m).MustBuild(), Options{}, -1)
	require.NoError(t, err)
	require.Equal(t, `{"m":[{"key":"k","value":"v"}]}`, got)
}

func TestWhatCannotBeADocument(t *testing.T) {
	nan := data.NewStruct().Field("f", data.Float64Schema).MustBuild()
	for _, c := range []struct {
		schema *data.Schema
		value  any
		want   string
	}{
		{data.Int64Schema, int64(5), "must be a JSON object"},
		{nil, int64(5), "must be a JSON object"},
		{nil, []any{int8(1)}, "must be a JSON object"},
		{nan, data.NewValue(nan).Set("f", math.NaN()).MustBuild(), "JSON cannot say"},
	} {
		_, err := write(t, c.schema, c.value, compact, -1)
		var bad *Error
		require.ErrorAs(t, err, &bad)
		require.ErrorContains(t, err, c.want)
	}
}

func TestIDsFromKeys(t *testing.T) {
	for _, c := range []struct {
		schema *data.Schema
		key    any
		want   string
	}{
		{data.StringSchema, "a", "a"},
		{data.OptionalStringSchema, "a", "a"},
		{nil, "a", "a"},
		{nil, int64(-7), "-7"},
		{data.Int8Schema, int8(3), "3"},
		{data.Int64Schema, int64(1 << 60), "1152921504606846976"},
		{data.BytesSchema, []byte("b"), "b"},
	} {
		got, err := AppendID(nil, c.schema, wire(t, c.schema, c.key))
		require.NoError(t, err)
		require.Equal(t, c.want, string(got))
	}
	s := data.NewStruct().Field("id", data.Int64Schema).MustBuild()
	for want, k := range map[string]struct {
		schema *data.Schema
		key    any
	}{
		"not a string or integer": {nil, nil}, "is of Schema{STRUCT}": {s, data.NewValue(s).Set("id", 1).MustBuild()},
		"the key is empty": {data.StringSchema, ""}, "may have 512": {data.StringSchema, strings.Repeat("x", 513)},
		"not UTF-8": {data.BytesSchema, []byte{0xff}},
	} {
		_, err := AppendID(nil, k.schema, wire(t, k.schema, k.key))
		require.ErrorContains(t, err, want)
	}
}

func TestFieldsAreFoundByTheirPath(t *testing.T) {
	inner := data.NewStruct().Field("a", data.StringSchema).Field("id", data.OptionalInt64Schema).MustBuild()
	s := data.NewStruct().Field("x", data.NewMap(data.StringSchema, data.StringSchema).MustBuild()).Field("c", inner).MustBuild()
	v := data.NewValue(s).Set("x", data.NewMapValue(data.MapEntry{Key: "j", Value: "no"}, data.MapEntry{Key: "k", Value: "yes"})).
		Set("c", data.NewValue(inner).Set("a", "b").Set("id", 5).MustBuild()).MustBuild()
	loose := data.NewMapValue(data.MapEntry{Key: "a", Value: []any{int8(1)}}, data.MapEntry{Key: "c", Value: data.NewMapValue(data.MapEntry{Key: "id", Value: int64(9)})})
	for _, c := range []struct {
		schema *data.Schema
		value  any
		path   string
		want   string
		ok     bool
	}{
		{s, v, "c.id", "5", true},
		{s, v, "x.k", "yes", true},
		{s, v, "c", "", false},
		{s, v, "c.none", "", false},
		{s, v, "x.none", "", false},
		{nil, loose, "c.id", "9", true},
		{nil, loose, "a.id", "", false},
		{nil, loose, "z", "", false},
	} {
		got, ok, err := AppendField(nil, c.schema, wire(t, c.schema, c.value), strings.Split(c.path, "."))
		require.NoError(t, err)
		require.Equal(t, c.ok, ok, c.path)
		require.Equal(t, c.want, string(got), c.path)
	}
}

// Numbers are written as strconv writes them, with or without the short way.
func TestAnyFloatIsItsShortestText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cents := float64(rapid.Int64Range(-1e16, 1e16).Draw(t, "cents")) / 100
		v := rapid.OneOf(rapid.Float64(), rapid.Just(cents), rapid.Just(math.Nextafter(cents, 1e300)), rapid.Just(math.Copysign(0, -1))).Draw(t, "v")
		got, err := appendFloat(nil, v, 64)
		if math.IsInf(v, 0) || math.IsNaN(v) {
			require.Error(t, err)
			return
		}
		want, err := json.Marshal(v)
		require.NoError(t, err)
		require.Equal(t, strings.Replace(string(want), "e-0", "e-", 1), strings.Replace(string(got), "e-0", "e-", 1))
	})
}

// Whatever a string holds, the document is one line of valid JSON that says it.
func TestAnyStringIsValidJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := rapid.OneOf(rapid.String(), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) })).Draw(t, "text")
		got := AppendString(nil, []byte(in))
		require.NotContains(t, string(got), "\n")
		var back string
		require.NoError(t, json.Unmarshal(got, &back))
		require.Equal(t, string([]rune(in)), back)
	})
}

// Text is taken exactly when the standard library takes it.
func FuzzText(f *testing.F) {
	for _, s := range []string{
		`{}`, ` { "a" : [ 1 , -0.5e+7 , true , false , null ] } `, `{"a":"\\u00e9\\n\\""}`, `{"a":01}`, `{"a":1.}`, `{"a":-}`, `{"a":1e}`,
		`{"a":"\\x"}`, `{"a":"\\u12g4"}`, "{\"a\":\"\x01\"}", "{\"a\":\"\xff\"}", `{"a" 1}`, `{"a":1,}`, `{,}`, `{"a":[1,]}`, `{"a":tru}`, `{}x`, `{"a":"`, `{"`, `[`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		text := strings.TrimLeft(string(b), " \t\r\n")
		want := json.Valid(b) && strings.HasPrefix(text, "{")
		if got := object(b); got != want && strings.Count(text, "[")+strings.Count(text, "{") < maxTextDepth {
			t.Fatalf("%q: %v, want %v", b, got, want)
		}
	})
}

// Bytes that are no value of the schema are an error, never a panic or a line that is not JSON.
func FuzzValues(f *testing.F) {
	inner := data.NewMap(data.Int64Schema, data.OptionalStringSchema).MustBuild()
	s := data.NewStruct().Field("a", data.OptionalFloat64Schema).Field("m", inner).Field("d", data.DecimalSchema(3)).
		Field("l", data.NewArray(data.DateSchema).MustBuild()).Field("any", data.NewMap(data.StringSchema, nil).Schemaless().MustBuild()).MustBuild()
	withSchema, err := NewPlan(s, compact)
	require.NoError(f, err)
	without, err := NewPlan(nil, compact)
	require.NoError(f, err)
	f.Add([]byte{0, 0, 2, 1, 0, 0})
	f.Add([]byte{22, 2, 2, 'a', 2, 1, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, p := range []*Plan{withSchema, without} {
			out, err := p.Append(nil, b, 5)
			if err == nil && (!json.Valid(out) || strings.Contains(string(out), "\n")) {
				t.Fatalf("%q is not one line of JSON", out)
			}
		}
	})
}
