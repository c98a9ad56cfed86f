package evolution_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/tailrace/tailrace/host/convert/evolution"
	"github.com/tailrace/tailrace/sdk/go/data"
	"github.com/tailrace/tailrace/test/draw"
)

func order(change func(*data.Builder)) *data.Schema {
	address := data.NewStruct().Name("n.Address").Field("zip", data.Int32Schema).Optional().MustBuild()
	b := data.NewStruct().Name("n.Order").
		Field("id", data.Int64Schema).
		Field("note", data.OptionalStringSchema).
		Field("state", data.NewPrimitive(data.String).Default("new").MustBuild()).
		Field("address", address).
		Field("tags", data.NewArray(data.StringSchema).MustBuild())
	if change != nil {
		change(b)
	}
	return b.MustBuild()
}

// without takes a field out, or puts another schema in its place.
func without(name string, instead *data.Schema) *data.Schema {
	old := order(nil)
	b := data.NewStruct().Name("n.Order")
	for _, f := range old.Fields() {
		switch {
		case f.Name != name:
			b.Field(f.Name, f.Schema)
		case instead != nil:
			b.Field(f.Name, instead)
		}
	}
	return b.MustBuild()
}

func TestPoliciesDecideByWhatChanged(t *testing.T) {
	address := func(zip *data.Schema) *data.Schema {
		return data.NewStruct().Name("n.Address").Field("zip", zip).Field("city", data.StringSchema).Optional().MustBuild()
	}
	cases := []struct {
		name    string
		next    *data.Schema
		change  string // "" for none
		ignored bool   // whether ignore can take it out
		refused string // what ignore says, if it is something else
	}{
		{"nothing", order(nil), "", true, ""},
		{"documentation and versions", order(func(b *data.Builder) { b.Doc("orders").Version(7) }), "", true, ""},
		{"a new field", order(func(b *data.Builder) { b.Field("price", data.OptionalInt32Schema) }), `field "price" is new (optional INT32)`, true, ""},
		{"an optional field is gone", without("note", nil), `field "note" is gone (optional STRING)`, true, ""},
		{"a field with a default is gone", without("state", nil), `field "state" is gone (STRING)`, true, ""},
		{"a required field is gone", without("id", nil), `field "id" is gone (INT64)`, false, `field "id" is gone (INT64), and may not be`},
		{"a type", without("id", data.StringSchema), `field "id" is STRING, and was INT64`, false, ""},
		{"a wider type", without("id", data.Float64Schema), `field "id" is FLOAT64, and was INT64`, false, ""},
		{"a narrower type", without("id", data.Int16Schema), `field "id" is INT16, and was INT64`, true, ""},
		{"a logical type", without("id", data.NewTimestamp().MustBuild()), `field "id" is INT64 (org.apache.kafka.connect.data.Timestamp), and was INT64`, false, ""},
		{"may be null", without("id", data.OptionalInt64Schema), `field "id" may be null now`, true, ""},
		{"may be null no more", without("note", data.StringSchema), `field "note" may be null no more`, true, ""},
		{"a default", without("state", data.NewPrimitive(data.String).Default("open").MustBuild()), `field "state" has the default open, and had new`, true, ""},
		{"deeper", without("address", address(data.Int64Schema)), `field "address.zip" is INT64, and was INT32; field "address.city" is new (STRING)`, false, `field "address.zip" is INT64, and was INT32`},
		{"deeper and new", without("address", address(data.Int32Schema)), `field "address.city" is new (STRING)`, true, ""},
		{"items", without("tags", data.NewArray(data.OptionalStringSchema).MustBuild()), `field "tags[]" may be null now`, true, ""},
		{"not a struct", data.StringSchema, "it is STRING, and was STRUCT (n.Order)", false, ""},
		{"a name", data.NewStruct().Name("n.Other").Field("id", data.Int64Schema).MustBuild(), "it is STRUCT (n.Other), and was STRUCT (n.Order); " +
			`field "note" is gone (optional STRING); field "state" is gone (STRING); field "address" is gone (optional STRUCT (n.Address)); field "tags" is gone (ARRAY)`, false, `field "tags" is gone (ARRAY), and may not be`},
		{"no schema", nil, "it has no schema, and had STRUCT (n.Order)", false, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			known := order(nil)
			require.Equal(t, evolution.Verdict{}, evolution.Decide(evolution.Evolve, known, c.next, c.next))
			require.Equal(t, evolution.Verdict{}, evolution.Decide(evolution.Strict, nil, c.next, c.next), "nothing is known yet")
			strict := evolution.Decide(evolution.Strict, known, c.next, c.next)
			require.Equal(t, c.change, evolution.Text(strict.Refused))
			require.Nil(t, strict.Projection)
			ignore := evolution.Decide(evolution.Ignore, known, c.next, c.next)
			switch {
			case c.change == "":
				require.Equal(t, evolution.Verdict{}, ignore)
			case c.ignored:
				require.Empty(t, ignore.Refused)
				require.Equal(t, c.change, evolution.Text(ignore.Ignored))
				require.True(t, known.Equal(ignore.Projection.Schema))
			default:
				want := c.refused
				if want == "" {
					want = c.change
				}
				require.Equal(t, want, evolution.Text(ignore.Refused))
				require.Nil(t, ignore.Projection)
			}
		})
	}
}

func TestNullUnderAKnownRequiredFieldIsRefusedForItsRecordOnly(t *testing.T) {
	known := order(nil)
	next := without("id", data.OptionalInt64Schema)
	p := evolution.Decide(evolution.Ignore, known, next, next).Projection
	value := func(id any) []byte {
		v, err := data.NewStructValue(next)
		require.NoError(t, err)
		require.NoError(t, v.Put("id", id))
		require.NoError(t, v.Put("tags", []any{"a"}))
		wire, err := data.AppendValue(nil, next, v)
		require.NoError(t, err)
		return wire
	}
	_, err := p.Append(nil, value(nil))
	require.EqualError(t, err, `field "id" is null, and may not be null in the known schema`)
	out, err := p.Append(nil, value(int64(7)))
	require.NoError(t, err)
	got, err := data.DecodeValue(known, out)
	require.NoError(t, err)
	id, err := got.(*data.Struct).GetWithoutDefault("id")
	require.NoError(t, err)
	require.EqualValues(t, 7, id)
}

// drawSchema draws a schema; extra adds fields to structs that the known schema does not have.
func drawSchema(t *rapid.T, depth int) *data.Schema {
	kind := rapid.IntRange(0, 13).Draw(t, "kind")
	if depth == 0 {
		kind %= 10
	}
	var b *data.Builder
	switch kind {
	case 9:
		b = data.NewDecimal(2)
	case 10:
		b = data.NewArray(drawSchema(t, depth-1))
	case 11:
		b = data.NewMap(data.StringSchema, drawSchema(t, depth-1))
	case 12:
		b = data.NewMap(data.Int32Schema, drawSchema(t, depth-1))
	case 13:
		b = data.NewStruct().Name("n.S")
		for i := range rapid.IntRange(0, 5).Draw(t, "fields") {
			b.Field("f"+string(rune('a'+i)), drawSchema(t, depth-1))
		}
	default:
		b = data.NewPrimitive(data.Int8 + data.Type(kind))
	}
	return b.SetOptional(rapid.Bool().Draw(t, "optional")).MustBuild()
}

// grown is the schema with new fields in some of its structs.
func grown(t *rapid.T, s *data.Schema) *data.Schema {
	var b *data.Builder
	switch s.Type() {
	case data.Array:
		b = data.NewArray(grown(t, s.ValueSchema()))
	case data.MapType:
		b = data.NewMap(s.KeySchema(), grown(t, s.ValueSchema()))
	case data.StructType:
		b = data.NewStruct().Name(s.Name())
		before := rapid.Bool().Draw(t, "before")
		if before {
			b.Field("new", drawSchema(t, 1))
		}
		for _, f := range s.Fields() {
			b.Field(f.Name, grown(t, f.Schema))
		}
		if !before && rapid.Bool().Draw(t, "behind") {
			b.Field("new", drawSchema(t, 1))
		}
	default:
		return s
	}
	return b.SetOptional(s.Optional()).MustBuild()
}

func drawValue(t *rapid.T, s *data.Schema) any {
	return draw.Value(t, s, func(*rapid.T, *data.Schema) (any, bool) { return nil, false })
}

// restricted is what ignore is to leave of a value, worked out on values in memory.
func restricted(t *rapid.T, known *data.Schema, v any) any {
	switch v := v.(type) {
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = restricted(t, known.ValueSchema(), v[i])
		}
		return out
	case *data.Map:
		out := data.NewMapValue()
		for _, e := range v.Entries() {
			out.Put(e.Key, restricted(t, known.ValueSchema(), e.Value))
		}
		return out
	case *data.Struct:
		out := data.NewValue(known)
		for _, f := range known.Fields() {
			part, err := v.GetWithoutDefault(f.Name)
			require.NoError(t, err)
			if part != nil {
				out.Set(f.Name, restricted(t, f.Schema, part))
			}
		}
		return out.MustBuild()
	}
	return v
}

// I-7: whatever fields are new, and wherever, ignore leaves the known ones as they were.
func TestIgnoreLeavesTheKnownPartOfAnyValue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		known := drawSchema(t, 3)
		next := grown(t, known)
		value := drawValue(t, next)
		wire, err := data.AppendValue(nil, next, value)
		require.NoError(t, err)
		verdict := evolution.Decide(evolution.Ignore, known, next, next)
		require.Empty(t, verdict.Refused)
		require.Equal(t, known.Equal(next), verdict.Projection == nil)
		require.Equal(t, known.Equal(next), len(evolution.Compare(known, next)) == 0)
		if verdict.Projection == nil {
			return
		}
		require.True(t, known.Equal(verdict.Projection.Schema))
		out, err := verdict.Projection.Append([]byte("before"), wire)
		require.NoError(t, err)
		got, err := data.DecodeValue(known, out[len("before"):])
		require.NoError(t, err)
		require.True(t, data.Equal(restricted(t, known, value), got), "%v became %v", value, got)
	})
}

// I-3: whatever schemas meet and whatever bytes come, a projection gives a value of its schema or an error.
func TestAnyBytesGiveAValueOfTheKnownSchemaOrAnError(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		known := drawSchema(t, 3)
		next := grown(t, known)
		if rapid.Bool().Draw(t, "unrelated") {
			next = drawSchema(t, 3)
		}
		require.Equal(t, len(evolution.Compare(known, next)) > 0, len(evolution.Decide(evolution.Strict, known, next, next).Refused) > 0)
		verdict := evolution.Decide(evolution.Ignore, known, next, next)
		if verdict.Projection == nil {
			return
		}
		wire := rapid.SliceOfN(rapid.Byte(), 0, 64).Draw(t, "wire")
		if rapid.Bool().Draw(t, "valid") {
			var err error
			wire, err = data.AppendValue(nil, next, drawValue(t, next))
			require.NoError(t, err)
			if len(wire) > 0 {
				wire[rapid.IntRange(0, len(wire)-1).Draw(t, "at")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
			}
		}
		out, err := verdict.Projection.Append(nil, wire)
		if err != nil {
			require.Empty(t, out)
			return
		}
		_, err = data.DecodeValue(verdict.Projection.Schema, out)
		require.NoError(t, err)
	})
}
