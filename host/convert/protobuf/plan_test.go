package protobuf

import (
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/tailrace/tailrace/sdk/go/data"
)

func testOptions(t testing.TB, props map[string]string) *options {
	t.Helper()
	o, err := parseOptions(props)
	require.NoError(t, err)
	return o
}

func everything() *data.Schema {
	in := data.NewStruct().Name("n.In").Field("x", data.OptionalInt32Schema)
	return data.NewStruct().Name("a.b.All").
		Field("i8", data.Int8Schema).Field("i16", data.OptionalInt16Schema).Field("i32", data.Int32Schema).Field("i64", data.OptionalInt64Schema).
		Field("f32", data.Float32Schema).Field("f64", data.OptionalFloat64Schema).Field("b", data.BooleanSchema).
		Field("s", data.OptionalStringSchema).Field("y", data.BytesSchema).Field("dec", data.DecimalSchema(2)).
		Field("date", data.OptionalDateSchema).Field("time", data.NewTime().MustBuild()).Field("ts", data.NewTimestamp().Optional().MustBuild()).
		Field("list", data.NewArray(data.Int64Schema).MustBuild()).Field("texts", data.NewArray(data.StringSchema).MustBuild()).
		Field("m", data.NewMap(data.StringSchema, in.MustBuild()).Name("m").MustBuild()).
		Field("in", in.Clone().Optional().MustBuild()).
		Field("e", data.NewPrimitive(data.String).Name("E").Param(enumParam, "E").Param(enumParam+".NONE", "0").Param(enumParam+".ONE", "1").MustBuild()).
		Field("u", data.NewStruct().Name(unionPrefix+"u").Optional().
			Field("u1", data.NewPrimitive(data.Int64).Optional().Param(tagParam, "30").MustBuild()).
			Field("u2", data.NewPrimitive(data.String).Optional().Param(tagParam, "31").MustBuild()).MustBuild()).
		MustBuild()
}

func everyValue(t testing.TB, s *data.Schema) []byte {
	t.Helper()
	m, _ := s.Field("m")
	in, _ := s.Field("in")
	u, _ := s.Field("u")
	v := data.NewValue(s).Set("i8", int8(-8)).Set("i16", int16(300)).Set("i32", int32(-32)).Set("i64", int64(1)<<62).
		Set("f32", float32(1.5)).Set("f64", -0.1).Set("b", true).Set("s", "grüße").Set("y", []byte{0, 255}).
		Set("dec", data.NewDecimalValue(-12345, 2)).Set("date", data.FromDays(20000)).Set("time", data.FromMillis(86399999)).
		Set("ts", data.FromMillis(-1)).Set("list", []any{int64(1), int64(0), int64(-3)}).Set("texts", []any{"", "b"}).
		Set("m", data.NewMapValue(data.MapEntry{Key: "k", Value: data.NewValue(m.Schema.ValueSchema()).Set("x", int32(7)).MustBuild()})).
		Set("in", data.NewValue(in.Schema).Set("x", int32(0)).MustBuild()).Set("e", "ONE").
		Set("u", data.NewValue(u.Schema).Set("u2", "").MustBuild()).MustBuild()
	wire, err := data.AppendValue(nil, s, v)
	require.NoError(t, err)
	return wire
}

func TestSchemasAreWrittenAsText(t *testing.T) {
	s := data.NewStruct().Name("a.C").Field("i", data.OptionalInt16Schema).Field("d", data.DecimalSchema(2)).
		Field("l", data.NewArray(data.StringSchema).MustBuild()).
		Field("in", data.NewStruct().Field("x", data.OptionalStringSchema).MustBuild()).MustBuild()
	w, err := writeSchema(testOptions(t, map[string]string{"optional.for.nullables": "true"}), s)
	require.NoError(t, err)
	require.Equal(t, "a.C", w.message)
	require.Equal(t, `syntax = "proto3";
package a;

import "confluent/meta.proto";
import "confluent/type/decimal.proto";

message C {
  optional int32 i = 1 [(confluent.field_meta) = {
    params: [
      {
        key: "connect.type",
        value: "int16"
      }
    ]
  }];
  confluent.type.Decimal d = 2 [(confluent.field_meta) = {
    params: [
      {
        key: "scale",
        value: "2"
      }
    ]
  }];
  repeated string l = 3;
  ConnectDefault1 in = 4;

  message ConnectDefault1 {
    optional string x = 1;
  }
}
`, w.text)
	_, err = compile(w.text, nil)
	require.NoError(t, err)
}

// The library's own messages are the other implementation here.
func TestMessagesAreThoseOfTheLibrary(t *testing.T) {
	for name, props := range map[string]map[string]string{
		"usual": nil, "optional": {"optional.for.nullables": "true"}, "wrappers": {"wrapper.for.nullables": "true"},
	} {
		t.Run(name, func(t *testing.T) {
			o := testOptions(t, props)
			s := everything()
			w, err := writeSchema(o, s)
			require.NoError(t, err)
			file, err := compile(w.text, nil)
			require.NoError(t, err, w.text)
			m, ok := findMessage(file, w.message)
			require.True(t, ok)
			e, err := planEncode(o, s, m, 0)
			require.NoError(t, err)
			out, rest, err := e.message(nil, everyValue(t, s))
			require.NoError(t, err)
			require.Empty(t, rest)

			msg := dynamicpb.NewMessage(m)
			require.NoError(t, proto.Unmarshal(out, msg))
			require.Empty(t, msg.GetUnknown())
			text, err := protojson.Marshal(msg)
			require.NoError(t, err)
			require.Contains(t, string(text), `"i8":-8`)
			again, err := proto.MarshalOptions{Deterministic: true}.Marshal(msg)
			require.NoError(t, err)
			require.Len(t, again, len(out))

			r, err := readSchema(o, m, 0)
			require.NoError(t, err)
			d := &decoder{}
			for _, b := range [][]byte{out, again} {
				wire, err := d.message(nil, r.root, b)
				require.NoError(t, err)
				v, err := data.DecodeValue(r.schema, wire)
				require.NoError(t, err)
				st := v.(*data.Struct)
				get := func(name string) any {
					v, err := st.GetWithoutDefault(name)
					require.NoError(t, err)
					return v
				}
				require.EqualValues(t, -8, get("i8"))
				require.EqualValues(t, int64(1)<<62, get("i64"))
				require.Equal(t, "-123.45", get("dec").(data.Decimal).String())
				require.Equal(t, data.FromDays(20000), get("date"))
				require.Equal(t, data.FromMillis(86399999), get("time"))
				require.Equal(t, data.FromMillis(-1), get("ts"))
				require.Equal(t, []any{int64(1), int64(0), int64(-3)}, get("list"))
				require.Equal(t, []any{"", "b"}, get("texts"))
				require.Equal(t, "ONE", get("e"))
				u := get("u_0").(*data.Struct)
				text, err := u.GetWithoutDefault("u2")
				require.NoError(t, err)
				require.Empty(t, text)
				require.NotNil(t, text)
			}
		})
	}
}

func TestDatesAreThoseOfJava(t *testing.T) {
	for days, want := range map[int64][3]int64{
		0: {1970, 1, 1}, 20000: {2024, 10, 4}, -1: {1969, 12, 31}, gregorianStart: {1582, 10, 15}, gregorianStart - 1: {1582, 10, 4},
		-719164: {1, 1, 1}, 2932896: {9999, 12, 31}, 11016: {2000, 2, 29},
	} {
		y, m, d := civil(days)
		require.Equal(t, want, [3]int64{y, m, d}, days)
		require.Equal(t, days, daysOf(y, m, d))
	}
}

func TestNamesOfMaps(t *testing.T) {
	require.Equal(t, "FooBarEntry", mapEntry("foo_bar"))
	require.Equal(t, "fooEntry", mapEntry("foo"))
	require.Equal(t, "a.foo_bar", mapField("a.FooBarEntry"))
	require.Equal(t, "connect_default2", mapField("ConnectDefault2Entry"))
	o := &options{scrub: true}
	require.Equal(t, "x1_a", o.scrubbed("1 a")) // Java's encoder makes '+' of a space
	require.Equal(t, "a_C3_A4", o.scrubbed("aä"))
}
