package protobuf

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/tailrace/tailrace/sdk/go/data"
	"github.com/tailrace/tailrace/test/draw"
)

// drawScalar draws a schema that is one field of a message.
func drawScalar(t *rapid.T) *data.Builder {
	switch kind := rapid.IntRange(0, 12).Draw(t, "scalar"); kind {
	case 9:
		return data.NewDecimal(rapid.Int32Range(0, 9).Draw(t, "scale"))
	case 10:
		return data.NewDate()
	case 11:
		return data.NewTime()
	case 12:
		return data.NewTimestamp()
	default:
		return data.NewPrimitive(data.Int8 + data.Type(kind))
	}
}

// drawMessage draws a schema whose values Protobuf can hold: lists and maps are never null and hold neither nulls
// nor lists.
func drawMessage(t *rapid.T, depth int) *data.Builder {
	b := data.NewStruct().Name("n.M" + rapid.StringMatching(`[a-z]{8}`).Draw(t, "name"))
	item := func() *data.Schema {
		if depth > 0 && rapid.Bool().Draw(t, "messages") {
			return drawMessage(t, depth-1).MustBuild()
		}
		return drawScalar(t).MustBuild()
	}
	for i := range rapid.IntRange(0, 6).Draw(t, "fields") {
		name := "f" + string(rune('a'+i))
		switch kind := rapid.IntRange(0, 5).Draw(t, "kind"); {
		case kind == 0:
			b.Field(name, data.NewArray(item()).MustBuild())
		case kind == 1:
			b.Field(name, data.NewMap(data.StringSchema, item()).MustBuild())
		case kind == 2 && depth > 0:
			b.Field(name, drawMessage(t, depth-1).SetOptional(rapid.Bool().Draw(t, "optional")).MustBuild())
		default:
			b.Field(name, drawScalar(t).SetOptional(rapid.Bool().Draw(t, "optional")).MustBuild())
		}
	}
	return b
}

func drawValue(t *rapid.T, s *data.Schema) any {
	return draw.Value(t, s, func(t *rapid.T, s *data.Schema) (any, bool) {
		switch { // years 1 to 9999, which google.type.Date and Timestamp have
		case s.IsDate():
			return data.FromDays(rapid.Int32Range(-719162, 2932896).Draw(t, "days")), true
		case s.IsTime():
			return data.FromMillis(rapid.Int64Range(0, 86399999).Draw(t, "time")), true
		case s.IsTimestamp():
			return time.UnixMilli(rapid.Int64Range(-62135596800000, 253402300799999).Draw(t, "millis")).UTC(), true
		}
		return nil, false
	})
}

// plainOf leaves the schemas of structs out, which have other names and parameters when they are read back.
func plainOf(t *rapid.T, v any) any {
	switch v := v.(type) {
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = plainOf(t, v[i])
		}
		return out
	case *data.Map:
		out := data.NewMapValue()
		for _, e := range v.Entries() {
			out.Put(e.Key, plainOf(t, e.Value))
		}
		return out
	case *data.Struct:
		out := data.NewMapValue()
		for _, f := range v.Schema().Fields() {
			part, err := v.GetWithoutDefault(f.Name)
			require.NoError(t, err)
			out.Put(f.Name, plainOf(t, part))
		}
		return out
	}
	return v
}

// I-7: any value of any schema that Protobuf can hold comes back as it left, null apart from zero.
func TestAnyValueSurvives(t *testing.T) {
	o := testOptions(t, map[string]string{"optional.for.nullables": "true", "strict.values": "true"})
	rapid.Check(t, func(t *rapid.T) {
		s := drawMessage(t, 2).MustBuild()
		v := drawValue(t, s)
		wire, err := data.AppendValue(nil, s, v)
		require.NoError(t, err)
		w, err := writeSchema(o, s)
		require.NoError(t, err)
		file, err := compile(w.text, nil)
		require.NoError(t, err, w.text)
		m, ok := findMessage(file, w.message)
		require.True(t, ok, w.text)
		e, err := planEncode(o, s, m, 0)
		require.NoError(t, err, w.text)
		out, rest, err := e.message(nil, wire)
		require.NoError(t, err)
		require.Empty(t, rest)
		r, err := readSchema(o, m, 0)
		require.NoError(t, err, w.text)
		back, err := (&decoder{}).message(nil, r.root, out)
		require.NoError(t, err)
		got, err := data.DecodeValue(r.schema, back)
		require.NoError(t, err)
		require.True(t, data.Equal(plainOf(t, v), plainOf(t, got)), "%v became %v with\n%s", v, got, w.text)
	})
}

// strict.values: what would come back as something else is refused.
func TestStrictValuesRefusesWhatProtobufWouldChange(t *testing.T) {
	union := data.NewStruct().Name(unionPrefix+"u").Optional().
		Field("a", data.OptionalInt64Schema).Field("b", data.OptionalStringSchema).MustBuild()
	for name, c := range map[string]struct {
		schema *data.Schema
		value  any
		want   string
	}{
		"null":  {data.OptionalInt32Schema, nil, "would be read back as a value"},
		"24:00": {data.NewTime().MustBuild(), data.FromMillis(86400000), "24:00 would be written as 00:00"},
		"year":  {data.NewDate().MustBuild(), data.FromDays(-800000), "a year before 1"},
		"union": {union, data.NewValue(union).Set("a", int64(1)).Set("b", "x").MustBuild(), "has more than one value"},
	} {
		t.Run(name, func(t *testing.T) {
			s := data.NewStruct().Name("n.R").Field("f", c.schema).MustBuild()
			b := data.NewValue(s)
			if c.value != nil {
				b.Set("f", c.value)
			}
			wire, err := data.AppendValue(nil, s, b.MustBuild())
			require.NoError(t, err)
			for _, strict := range []string{"false", "true"} {
				o := testOptions(t, map[string]string{"strict.values": strict})
				w, err := writeSchema(o, s)
				require.NoError(t, err)
				file, err := compile(w.text, nil)
				require.NoError(t, err)
				m, _ := findMessage(file, w.message)
				e, err := planEncode(o, s, m, 0)
				require.NoError(t, err)
				_, _, err = e.message(nil, wire)
				if strict == "true" {
					require.ErrorContains(t, err, "strict.values: ")
					require.ErrorContains(t, err, c.want)
				} else {
					require.NoError(t, err)
				}
			}
		})
	}
}
