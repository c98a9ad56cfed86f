package avro

import (
	"math"
	"math/big"
	"testing"

	library "github.com/hamba/avro/v2"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/tailrace/tailrace/sdk/go/data"
	"github.com/tailrace/tailrace/test/bounded"
	"github.com/tailrace/tailrace/test/draw"
)

func testOptions(t require.TestingT, props map[string]string) *options {
	o, err := parseOptions(props)
	require.NoError(t, err)
	return o
}

// The texts are those that Kafka Connect with Confluent's converter registers for the same schemas.
func TestSchemasAreWrittenAsConfluentWritesThem(t *testing.T) {
	for _, c := range []struct {
		name   string
		schema *data.Schema
		text   string
		same   bool
	}{
		{"string", data.StringSchema, `"string"`, true},
		{"optional string", data.OptionalStringSchema, `["null","string"]`, true},
		{"int8", data.Int8Schema, `{"type":"int","connect.type":"int8"}`, true},
		{"date", data.DateSchema, `{"type":"int","connect.version":1,"connect.name":"org.apache.kafka.connect.data.Date","logicalType":"date"}`, true},
		{
			"decimal", data.DecimalSchema(2),
			`{"type":"bytes","scale":2,"precision":64,"connect.version":1,"connect.parameters":{"scale":"2"},"connect.name":"org.apache.kafka.connect.data.Decimal","logicalType":"decimal"}`, true,
		},
		{
			"default", data.NewPrimitive(data.String).Optional().Default("x").MustBuild(),
			`[{"type":"string","connect.default":"x"},"null"]`, true,
		},
		{
			"struct", data.NewStruct().Name("a.b.C").Field("i", data.OptionalInt64Schema).Field("s", data.NewPrimitive(data.Int32).Default(int32(3)).MustBuild()).MustBuild(),
			`{"type":"record","name":"C","namespace":"a.b","fields":[{"name":"i","type":["null","long"],"default":null},{"name":"s","type":{"type":"int","connect.default":3},"default":3}],"connect.name":"a.b.C"}`, true,
		},
		{
			"map of ints", data.NewMap(data.Int32Schema, data.StringSchema).MustBuild(),
			`{"type":"array","items":{"type":"record","name":"MapEntry","namespace":"io.confluent.connect.avro","fields":[{"name":"key","type":"int"},{"name":"value","type":"string"}]}}`, true,
		},
		{"map", data.NewMap(data.StringSchema, data.OptionalInt32Schema).MustBuild(), `{"type":"map","values":["null","int"]}`, true},
		{
			"unnamed struct", data.NewStruct().Field("a", data.BooleanSchema).MustBuild(),
			`{"type":"record","name":"ConnectDefault","namespace":"io.confluent.connect.avro","fields":[{"name":"a","type":"boolean"}]}`, true,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := planWrite(testOptions(t, nil), c.schema)
			require.NoError(t, err)
			require.Equal(t, c.text, p.text)
			require.Equal(t, c.same, p.root.same, "copied")
		})
	}
}

func TestASchemaUsedTwiceIsNamedTheSecondTime(t *testing.T) {
	inner := data.NewStruct().Name("n.In").Field("x", data.Int32Schema)
	s := data.NewStruct().Name("n.Out").Field("a", inner.MustBuild()).Field("b", inner.Clone().Optional().MustBuild()).MustBuild()

	p, err := planWrite(testOptions(t, nil), s)

	require.NoError(t, err)
	require.Contains(t, p.text, `{"name":"b","type":["null","In"],"default":null}`)
	_, err = library.Parse(p.text)
	require.NoError(t, err)
	other := data.NewStruct().Name("n.In").Field("y", data.Int32Schema).MustBuild()
	_, err = planWrite(testOptions(t, nil), data.NewStruct().Name("n.Out").Field("a", inner.MustBuild()).Field("b", other).MustBuild())
	require.ErrorContains(t, err, "Can't redefine: n.In")
}

func TestNamesAreScrubbedOnlyWhenAsked(t *testing.T) {
	s := data.NewStruct().Name("my-space.1st").Field("a b", data.Int32Schema).MustBuild()

	_, err := planWrite(testOptions(t, nil), s)
	require.ErrorContains(t, err, "scrub.invalid.names=true")

	p, err := planWrite(testOptions(t, map[string]string{"scrub.invalid.names": "true"}), s)
	require.NoError(t, err)
	require.Contains(t, p.text, `"name":"x1st","namespace":"my_space"`)
	require.Contains(t, p.text, `{"name":"a_b","type":"int"}`)
}

func drawValue(t *rapid.T, s *data.Schema) any {
	return draw.Value(t, s, func(t *rapid.T, s *data.Schema) (any, bool) {
		if scale, ok, _ := s.IsDecimal(); ok {
			return data.Decimal{Unscaled: new(big.Int).Mul(big.NewInt(rapid.Int64().Draw(t, "n")), big.NewInt(rapid.Int64().Draw(t, "m"))), Scale: scale}, true
		}
		switch {
		case s.IsDate():
			return data.FromDays(rapid.Int32().Draw(t, "days")), true
		case s.IsTime():
			return data.FromMillis(rapid.Int64Range(0, 86399999).Draw(t, "time")), true
		case s.IsTimestamp():
			return data.FromMillis(rapid.Int64Range(math.MinInt64/4, math.MaxInt64/4).Draw(t, "millis")), true
		case s.Type() == data.Float32: // any bits, every NaN among them
			return math.Float32frombits(rapid.Uint32().Draw(t, "v")), true
		case s.Type() == data.Float64:
			return math.Float64frombits(rapid.Uint64().Draw(t, "v")), true
		}
		return nil, false
	})
}

// I-7: any value of any schema comes back, and the bytes between are the wire's own where the plan says so.
func TestAnyValueSurvives(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := draw.Schema(t, 8)
		v := drawValue(t, s)
		wire, err := data.AppendValue(nil, s, v)
		require.NoError(t, err)
		o := testOptions(t, nil)
		w, err := planWrite(o, s)
		require.NoError(t, err)
		_, err = library.ParseBytesWithCache([]byte(w.text), "", &library.SchemaCache{})
		require.NoError(t, err, w.text)

		avro, rest, err := w.root.encode(nil, wire)
		require.NoError(t, err)
		require.Empty(t, rest)
		require.True(t, w.root.same)
		require.Equal(t, wire, avro, "a copy")
		r, err := planRead(o, []string{w.text}, 0)
		require.NoError(t, err, w.text)
		require.True(t, r.schema.Equal(s), "%s\n%s", w.text, r.schema)
		require.True(t, r.root.same)
		back, rest, err := r.root.decode(nil, avro)
		require.NoError(t, err)
		require.Empty(t, rest)
		require.Equal(t, wire, back)
	})
}

func TestWhatDiffersInWireFormIsTranscoded(t *testing.T) {
	o := testOptions(t, map[string]string{"enhanced.avro.schema.support": "true"})
	text := `{"type":"record","name":"T","namespace":"n","fields":[
		{"name":"e","type":{"type":"enum","name":"E","symbols":["A","B"]}},
		{"name":"oe","type":["null","E"]},
		{"name":"f","type":{"type":"fixed","name":"F","size":2}},
		{"name":"u","type":["null","string","long",{"type":"record","name":"In","fields":[{"name":"x","type":"int"}]}]},
		{"name":"second","type":["string","null"]},
		{"name":"list","type":{"type":"array","items":["null","E"]}}]}`
	r, err := planRead(o, []string{text}, 7)
	require.NoError(t, err)
	version, _ := r.schema.Version()
	require.EqualValues(t, 7, version)
	require.False(t, r.root.same)
	avro := []byte{2, 2, 0, 9, 8, 6, 10, 2, 4, 2, 2, 0, 0}

	wire, rest, err := r.root.decode(nil, avro)

	require.NoError(t, err)
	require.Empty(t, rest)
	v, err := data.DecodeValue(r.schema, wire)
	require.NoError(t, err)
	st := v.(*data.Struct)
	require.Equal(t, "B", st.At(0))
	require.Equal(t, "A", st.At(1))
	require.Equal(t, []byte{9, 8}, st.At(2))
	u := st.At(3).(*data.Struct)
	in, err := u.Get("n.In")
	require.NoError(t, err)
	require.EqualValues(t, 5, in.(*data.Struct).At(0))
	require.Nil(t, st.At(4))
	require.Equal(t, []any{"B", nil}, st.At(5))
	back, rest, err := r.root.encode(nil, wire)
	require.NoError(t, err)
	require.Empty(t, rest)
	require.Equal(t, avro, back)
}

func TestValuesWithoutASchemaSurvive(t *testing.T) {
	o := testOptions(t, nil)
	w, err := planWrite(o, nil)
	require.NoError(t, err)
	_, err = library.ParseBytesWithCache([]byte(w.text), "", &library.SchemaCache{})
	require.NoError(t, err)
	r, err := planRead(o, []string{w.text}, 0)
	require.NoError(t, err)
	require.Nil(t, r.schema)
	for _, v := range []any{
		true, int64(5), "x",
		[]byte{1},
		1.5, float32(2),
		[]any{"a", int64(1), nil},
		data.NewMapValue(data.MapEntry{Key: int64(1), Value: []any{}}, data.MapEntry{Key: "k", Value: "v"}),
		data.NewMapValue(data.MapEntry{Key: "k", Value: nil}),
	} {
		wire, err := data.AppendValue(nil, nil, v)
		require.NoError(t, err)
		avro, rest, err := w.root.encode(nil, wire)
		require.NoError(t, err)
		require.Empty(t, rest)
		back, rest, err := r.root.decode(nil, avro)
		require.NoError(t, err)
		require.Empty(t, rest)
		got, err := data.DecodeValue(nil, back)
		require.NoError(t, err)
		if m, ok := v.(*data.Map); ok { // the record has one form for all maps
			v = data.NewMapValue(m.Entries()...)
		}
		require.True(t, data.Equal(v, got), "%v %v", v, got)
	}
}

// I-3: no bytes and no schema text make the reader panic or allocate without bound.
func FuzzDecode(f *testing.F) {
	text := `{"type":"record","name":"T","fields":[{"name":"e","type":{"type":"enum","name":"E","symbols":["A"]}},
		{"name":"u","type":["null","string","long"]},{"name":"l","type":{"type":"array","items":["string","null"]}},
		{"name":"m","type":{"type":"map","values":{"type":"fixed","name":"F","size":3}}}]}`
	o, err := parseOptions(nil)
	if err != nil {
		f.Fatal(err)
	}
	r, err := planRead(o, []string{text}, 0)
	if err != nil {
		f.Fatal(err)
	}
	anyPlan, err := planWrite(o, nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte{0, 0, 0, 0}, `"string"`)
	f.Add(make([]byte, 12), text)
	f.Fuzz(func(t *testing.T, b []byte, schema string) {
		bounded.Allocation(t, len(b), func() {
			_, _, _ = r.root.decode(nil, b)
			_, _, _ = anyPlan.root.decode(nil, b)
			_, _, _ = anyPlan.root.encode(nil, b)
		})
		if wire, _, err := r.root.decode(nil, b); err == nil {
			if _, _, err := r.root.encode(nil, wire); err != nil {
				t.Fatalf("a decoded value does not encode: %v", err)
			}
		}
		if p, err := planRead(o, []string{schema}, 0); err == nil {
			_, _, _ = p.root.decode(nil, b)
		}
	})
}
