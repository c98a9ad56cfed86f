package data_test

import (
	"encoding/hex"
	"fmt"
	"math"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tailrace/tailrace/sdk/go/data"
)

func TestTypeNamesAreConnects(t *testing.T) {
	names := "INT8 INT16 INT32 INT64 FLOAT32 FLOAT64 BOOLEAN STRING BYTES ARRAY MAP STRUCT"
	for i, name := range strings.Fields(names) {
		require.Equal(t, name, data.Type(i+1).String())
	}
	for typ := data.Int8; typ <= data.StructType; typ++ {
		for _, name := range []string{typ.String(), strings.ToLower(typ.String())} {
			got, err := data.ParseType(name)
			require.NoError(t, err)
			require.Equal(t, typ, got)
		}
	}
	_, err := data.ParseType("INT128")
	require.ErrorContains(t, err, `unknown Connect type "INT128"`)
	require.Equal(t, "Type(0)", data.Type(0).String())
}

func TestBuildRefusesMistakes(t *testing.T) {
	deep := data.Int8Schema
	for range data.MaxSchemaDepth - 1 {
		deep = data.NewArray(deep).MustBuild()
	}
	cases := map[string]struct {
		builder *data.Builder
		want    string
	}{
		"duplicate field":        {data.NewStruct().Name("x").Field("a", data.Int8Schema).Field("a", data.Int8Schema), `schema "x": field name "a" is used twice`},
		"nil field":              {data.NewStruct().Field("a", nil), `field "a" has a nil schema`},
		"nil element":            {data.NewArray(nil), "the element schema is nil"},
		"nil key":                {data.NewMap(nil, data.Int8Schema), "the key schema is nil"},
		"nil value":              {data.NewMap(data.StringSchema, nil), "the value schema is nil"},
		"field of a primitive":   {data.NewPrimitive(data.Int8).Field("a", data.Int8Schema), "only STRUCT has fields"},
		"not primitive":          {data.NewPrimitive(data.Array), "ARRAY is not a primitive type"},
		"no type":                {data.NewPrimitive(0), "not a primitive type"},
		"default of wrong type":  {data.NewPrimitive(data.Int32).Default("5"), "default value: value: INT32 needs a Go int32, got string"},
		"default of wrong scale": {data.NewDecimal(2).Default(decimal("1", 3)), "scale 3"},
		"bad wire default":       {data.NewPrimitive(data.Int32).WireDefault([]byte{0x80}), "input ends inside a varint"},
		"long wire default":      {data.NewPrimitive(data.Int32).WireDefault([]byte{2, 2}), "1 bytes are left"},
		"too deep":               {data.NewArray(deep), "nested 513 levels deep; the limit is 512"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := c.builder.Build()
			require.ErrorContains(t, err, c.want)
			require.Panics(t, func() { c.builder.MustBuild() })
		})
	}
}

func TestASchemaDoesNotChangeAfterBuild(t *testing.T) {
	b := data.NewStruct().Field("a", data.Int8Schema).Param("p", "1")
	first := b.MustBuild()
	variant := first.ToBuilder()
	b.Field("b", data.Int8Schema).Param("p", "2").Name("n")
	variant.Field("c", data.Int16Schema).Param("q", "3")
	require.Len(t, first.Fields(), 1)
	require.Equal(t, []data.Parameter{{Key: "p", Value: "1"}}, first.Parameters())
	require.False(t, first.HasName())
	require.Equal(t, "b", b.MustBuild().Fields()[1].Name)
	require.Equal(t, "c", variant.MustBuild().Fields()[1].Name)
}

func TestSchemaAccessors(t *testing.T) {
	s := data.NewStruct().Name("n").Version(-1).Doc("d").Param("b", "2").Param("a", "1").Optional().
		Field("x", data.Int8Schema).Field("y", data.NewMap(data.StringSchema, data.Int16Schema).MustBuild()).MustBuild()
	v, ok := s.Version()
	require.True(t, ok)
	require.EqualValues(t, -1, v)
	require.Equal(t, "Schema{n:STRUCT}", s.String())
	require.Equal(t, "Schema{INT8}", data.Int8Schema.String())
	require.Equal(t, "null", (*data.Schema)(nil).String())
	f, ok := s.Field("y")
	require.True(t, ok)
	require.Equal(t, 1, f.Index)
	require.True(t, f.Schema.IsStringKey())
	require.Same(t, data.StringSchema, f.Schema.KeySchema())
	_, ok = s.Field("z")
	require.False(t, ok)
	p, ok := s.Parameter("b")
	require.True(t, ok)
	require.Equal(t, "2", p)
	_, ok = s.Parameter("c")
	require.False(t, ok)
	require.False(t, data.NewMap(data.OptionalStringSchema, data.Int8Schema).MustBuild().IsStringKey())
	require.False(t, data.NewMap(data.Int8Schema, data.Int8Schema).MustBuild().IsStringKey())
}

// Java's ConnectSchema.equals compares every attribute.
func TestEqualSchemasAgreeInEveryAttribute(t *testing.T) {
	base := func() *data.Builder {
		return data.NewStruct().Name("n").Version(1).Doc("d").Param("k", "v").Field("a", data.Int8Schema).Field("b", data.StringSchema)
	}
	s := base().MustBuild()
	require.True(t, s.Equal(base().MustBuild()))
	require.False(t, s.Equal(nil))
	require.False(t, (*data.Schema)(nil).Equal(s))
	require.True(t, (*data.Schema)(nil).Equal(nil))
	for name, other := range map[string]*data.Schema{
		"optional":    base().Optional().MustBuild(),
		"name":        base().Name("m").MustBuild(),
		"version":     base().Version(2).MustBuild(),
		"doc":         base().Doc("").MustBuild(),
		"parameter":   base().Param("k", "w").MustBuild(),
		"parameters":  base().Param("l", "v").MustBuild(),
		"more fields": base().Field("c", data.Int8Schema).MustBuild(),
		"field order": data.NewStruct().Name("n").Version(1).Doc("d").Param("k", "v").Field("b", data.StringSchema).Field("a", data.Int8Schema).MustBuild(),
		"field type":  data.NewStruct().Name("n").Version(1).Doc("d").Param("k", "v").Field("a", data.Int16Schema).Field("b", data.StringSchema).MustBuild(),
		"default":     base().Default(mustStruct(s, int8(1), "x")).MustBuild(),
	} {
		require.False(t, s.Equal(other), name)
	}
	one := data.NewPrimitive(data.Float64).Default(1.0).MustBuild()
	require.False(t, one.Equal(data.NewPrimitive(data.Float64).Default(2.0).MustBuild()))
	require.False(t, one.Equal(data.Float64Schema))
	require.False(t, data.NewPrimitive(data.String).Name("").MustBuild().Equal(data.StringSchema))
	require.False(t, data.NewArray(data.Int8Schema).MustBuild().Equal(data.NewArray(data.Int16Schema).MustBuild()))
}

// The hash may be stored or sent, so it is pinned.
func TestHashIsStable(t *testing.T) {
	require.Equal(t, "b9a1b875ebc992b1", fmt.Sprintf("%016x", data.Int64Schema.Hash()))
	require.Equal(t, "bf9ca0539beae93b", fmt.Sprintf("%016x", vectorOrder.Hash()))
}

func TestEqualValues(t *testing.T) {
	nan1, nan2 := math.Float64frombits(0x7ff8000000000001), math.Float64frombits(0xfff8000000000002)
	now := time.UnixMilli(1700000000123)
	equal := [][2]any{
		{nil, (*data.Map)(nil)},
		{nil, (*data.Struct)(nil)},
		{nil, &data.Struct{}},
		{nan1, nan2},
		{float32(math.NaN()), float32(math.NaN())},
		{[]byte{}, []byte(nil)},
		{decimal("0", 0), data.Decimal{}},
		{now.UTC(), now.Add(5 * time.Microsecond).In(time.FixedZone("x", 3600))},
		{entries("a", int8(1), "b", nil), entries("b", nil, "a", int8(1))},
		{entries([]byte{1}, "x"), entries([]byte{1}, "x")},
	}
	for i, c := range equal {
		require.True(t, data.Equal(c[0], c[1]), "%d: %v %v", i, c[0], c[1])
		require.True(t, data.Equal(c[1], c[0]))
	}
	different := [][2]any{
		{nil, []any{}},
		{0.0, math.Copysign(0, -1)},
		{int32(1), int64(1)},
		{"a", []byte("a")},
		{decimal("10", 1), decimal("100", 2)},
		{[]any{int8(1)}, []any{int8(1), nil}},
		{entries("a", nil), entries("b", nil)},
		{entries("a", nil), entries()},
		{now, now.Add(time.Millisecond)},
		{5, 5},
		{1.0, float32(1)},
		{mustStruct(vectorPoint, int32(1), nil), mustStruct(vectorPoint, int32(2), nil)},
		{mustStruct(vectorPoint, int32(1), nil), mustStruct(vectorPoint.ToBuilder().Optional().MustBuild(), int32(1), nil)},
	}
	for i, c := range different {
		require.False(t, data.Equal(c[0], c[1]), "%d: %v %v", i, c[0], c[1])
		require.False(t, data.Equal(c[1], c[0]))
	}
}

func TestStructDefaults(t *testing.T) {
	s := data.NewStruct().
		Field("color", data.NewPrimitive(data.String).Default("red").MustBuild()).
		Field("size", data.NewPrimitive(data.Int32).Default(int32(3)).Optional().MustBuild()).
		Field("id", data.Int64Schema).MustBuild()
	st, err := data.NewStructValue(s)
	require.NoError(t, err)
	v, err := st.Get("color")
	require.NoError(t, err)
	require.Equal(t, "red", v)
	v, err = st.GetWithoutDefault("size")
	require.NoError(t, err)
	require.Nil(t, v)
	require.ErrorContains(t, st.Validate(), `field "id": null, but INT64 is required`)
	require.ErrorContains(t, st.Put("id", int32(1)), `field "id": INT64 needs a Go int64, got int32`)
	require.ErrorContains(t, st.Put("nope", int32(1)), `"nope" is not a field of Schema{STRUCT}; its fields are color, size, id`)
	require.ErrorContains(t, st.Put("id", nil), "null")
	_, err = st.Get("nope")
	require.Error(t, err)
	_, err = st.GetWithoutDefault("nope")
	require.Error(t, err)
	require.NoError(t, st.Put("id", int64(1)))
	require.NoError(t, st.Put("color", nil))
	require.NoError(t, st.Validate())
	require.Equal(t, "Struct{id=1}", st.String())
	_, err = data.NewStructValue(data.Int8Schema)
	require.ErrorContains(t, err, "not a struct schema")

	// On the wire a required null becomes the default, an optional null stays null.
	wire, err := data.AppendValue(nil, s, st)
	require.NoError(t, err)
	got, err := data.DecodeValue(s, wire)
	require.NoError(t, err)
	require.Equal(t, []any{"red", nil, int64(1)}, got.(*data.Struct).Values())
}

func TestStructsAsDefaults(t *testing.T) {
	make2 := func() *data.Schema {
		return vectorPoint.ToBuilder().Default(mustStruct(vectorPoint, int32(7), nil)).MustBuild()
	}
	point := make2()
	require.True(t, point.Equal(make2()))
	require.False(t, point.Equal(vectorPoint))
	require.False(t, point.Equal(vectorPoint.ToBuilder().Default(mustStruct(vectorPoint, int32(8), nil)).MustBuild()))
	wire, ok := point.AppendDefault(nil)
	require.True(t, ok)
	require.True(t, point.Equal(vectorPoint.ToBuilder().WireDefault(wire).MustBuild()))
	require.True(t, point.ToBuilder().Optional().Name("other").MustBuild().Optional(), "variants keep the default")

	outer := data.NewStruct().Field("p", point).MustBuild()
	st := mustStruct(outer, nil)
	require.NoError(t, st.Validate())
	def, err := st.Get("p")
	require.NoError(t, err)
	require.NoError(t, st.Put("p", def))
	for _, v := range []*data.Struct{st, mustStruct(outer, nil)} {
		wire, err = data.AppendValue(nil, outer, v)
		require.NoError(t, err)
		require.Equal(t, "0e00", hex.EncodeToString(wire))
	}
}

func TestErrorsNameThePath(t *testing.T) {
	line := data.NewStruct().Field("via", data.NewArray(vectorPoint).MustBuild()).
		Field("named", data.NewMap(data.StringSchema, vectorPoint).MustBuild()).MustBuild()
	good := mustStruct(vectorPoint, int32(1), nil)
	bad := mustStruct(vectorPoint, int32(1), "2")
	for path, v := range map[string]any{
		"via[1].y":       mustStruct(line, []any{good, bad}, entries()),
		`named["k"].y`:   mustStruct(line, []any{}, entries("k", bad)),
		"named[0]":       mustStruct(line, []any{}, entries(int8(1), bad)),
		"via":            mustStruct(line, nil, entries()),
		`named["a"]`:     mustStruct(line, []any{}, entries("a", nil)),
		`named["b"]`:     mustStruct(line, []any{}, entries("a", good, "b", "not a struct")),
		"via[0]":         mustStruct(line, []any{mustStruct(line)}, entries()),
		"value anywhere": "not a struct",
	} {
		validateErr := data.Validate(line, v)
		_, appendErr := data.AppendValue(nil, line, v)
		for _, err := range []error{validateErr, appendErr} {
			var e *data.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, -1, e.Offset)
			require.NotNil(t, e.Schema)
			if path != "value anywhere" {
				require.Equal(t, path, e.Path)
			}
		}
	}
	var e *data.Error
	require.ErrorAs(t, data.Validate(nil, []any{entries("a", 5)}), &e)
	require.Equal(t, `[0]["a"]`, e.Path)
	require.Contains(t, e.Error(), "Go type int is not a Connect value")
	require.ErrorContains(t, data.Validate(nil, good), "a struct cannot stand where there is no schema")
	_, err := data.AppendValue(nil, nil, good)
	require.ErrorContains(t, err, "a struct cannot stand where there is no schema")

	// {via: [{x: 1, y: null}, {x: 1, y: branch 2}]}: the bad branch is byte 4.
	_, err = data.DecodeValue(line, unhex("04"+"0200"+"0204"+"00"))
	require.EqualError(t, err, `field "via[1].y" at byte 4: the union index of an optional value is 0 or 1, not 2`)
}

// I-9: the text of an error does not hold the value.
func TestErrorsHoldNoValues(t *testing.T) {
	for _, s := range []*data.Schema{data.Int32Schema, data.DecimalSchema(1), data.BytesSchema, vectorPoint, data.DateSchema} {
		_, err := data.AppendValue(nil, s, "hunter2")
		require.Error(t, err)
		require.NotContains(t, err.Error(), "hunter2")
	}
}

// The texts are those of Java's BigDecimal.
func TestDecimalText(t *testing.T) {
	for _, c := range []struct {
		unscaled string
		scale    int32
		text     string
		plain    string
	}{
		{"123", 0, "123", "123"},
		{"-123", 0, "-123", "-123"},
		{"123", -1, "1.23E+3", "1230"},
		{"123", -3, "1.23E+5", "123000"},
		{"123", 1, "12.3", "12.3"},
		{"123", 5, "0.00123", "0.00123"},
		{"123", 10, "1.23E-8", "0.0000000123"},
		{"-123", 12, "-1.23E-10", "-0.000000000123"},
		{"0", 0, "0", "0"},
		{"0", 2, "0.00", "0.00"},
		{"0", -2, "0E+2", "0"},
		{"0", 7, "0E-7", "0.0000000"},
		{"1", -2, "1E+2", "100"},
		{"1230", 2, "12.30", "12.30"},
		{"1", 6, "0.000001", "0.000001"},
	} {
		d := decimal(c.unscaled, c.scale)
		require.Equal(t, c.text, d.String())
		plain, err := d.Plain(100)
		require.NoError(t, err)
		require.Equal(t, c.plain, plain)
		back, err := data.ParseDecimal(c.text)
		require.NoError(t, err)
		require.True(t, d.Equal(back), c.text)
	}
	for text, want := range map[string]data.Decimal{"+1.50": decimal("150", 2), ".5": decimal("5", 1), "5.": decimal("5", 0), "-1e3": decimal("-1", -3), "1E+2": decimal("1", -2), "00": decimal("0", 0)} {
		d, err := data.ParseDecimal(text)
		require.NoError(t, err)
		require.True(t, want.Equal(d), "%s: %s", text, d)
	}
	for _, text := range []string{"", "-", ".", "e5", "1e", "1e1.5", "1,5", " 1", "1 ", "--1", "+-1", "0x10", "NaN", "1_000", "1e99999999999", "1e-2147483648000", "1e9999999999999999999"} {
		_, err := data.ParseDecimal(text)
		require.Error(t, err, text)
	}
	_, err := decimal("1", math.MaxInt32).Plain(1000)
	require.ErrorContains(t, err, "the limit is 1000")
	_, err = decimal("1", math.MinInt32).Plain(1000)
	require.Error(t, err)
	require.Equal(t, "0", data.Decimal{}.String())
	require.Equal(t, -1, data.NewDecimalValue(-5, 1).Sign())
}

func TestTimesOutsideTheWireAreRefused(t *testing.T) {
	for _, sec := range []int64{math.MaxInt64/1000 + 1, math.MinInt64/1000 - 2, 1 << 60, -(1 << 60)} {
		_, err := data.ToMillis(time.Unix(sec, 0))
		require.Error(t, err, sec)
	}
	_, err := data.ToDays(time.Unix((1<<31)*86400, 0))
	require.Error(t, err)
	millis, err := data.ToMillis(time.Unix(-1, 999_999_999))
	require.NoError(t, err)
	require.EqualValues(t, -1, millis, "cut towards the past")
}

func TestConvert(t *testing.T) {
	type id int64
	five := 5
	for _, c := range []struct {
		schema *data.Schema
		in     any
		want   any
	}{
		{data.Int64Schema, 5, int64(5)},
		{data.Int8Schema, 5, int8(5)},
		{data.Int64Schema, id(7), int64(7)},
		{data.Int64Schema, uint8(7), int64(7)},
		{data.Int32Schema, int64(7), int32(7)},
		{data.Float64Schema, 5, 5.0},
		{data.Float32Schema, 1.5, float32(1.5)},
		{data.Float64Schema, float32(1.5), 1.5},
		{data.OptionalInt32Schema, &five, int32(5)},
		{data.OptionalInt32Schema, (*int)(nil), nil},
		{nil, 5, int64(5)},
		{nil, uint16(5), int32(5)},
		{nil, float32(2), float32(2)},
		{nil, map[string]int{"b": 2, "a": 1}, entries("a", int64(1), "b", int64(2))},
		{nil, map[string]any{"a": []string{"x"}}, entries("a", []any{"x"})},
		{data.NewArray(data.StringSchema).MustBuild(), []string{"a"}, []any{"a"}},
		{data.NewMap(data.Int32Schema, data.StringSchema).MustBuild(), map[int]string{2: "b", -1: "a"}, entries(int32(-1), "a", int32(2), "b")},
		{data.BytesSchema, []byte{1}, []byte{1}},
		{data.TimestampSchema, time.UnixMilli(5), time.UnixMilli(5)},
		{data.StringSchema, "s", "s"},
	} {
		got, err := data.Convert(c.schema, c.in)
		require.NoError(t, err)
		require.True(t, data.Equal(c.want, got), "%v became %v", c.in, got)
		require.NoError(t, data.Validate(c.schema, got))
	}
	cyclic := make([]any, 1)
	cyclic[0] = cyclic
	for _, c := range []struct {
		schema *data.Schema
		in     any
	}{
		{data.Int8Schema, 128},
		{data.Int64Schema, uint64(math.MaxUint64)},
		{data.Int32Schema, int64(math.MaxInt64)},
		{data.Int32Schema, 1.5},
		{data.Float32Schema, 0.1},
		{data.Float64Schema, int64(1<<53 + 1)},
		{data.StringSchema, 5},
		{data.TimestampSchema, 5},
		{data.Int32Schema, []int{1}},
		{data.Int32Schema, map[string]int{}},
		{nil, struct{}{}},
		{nil, big.NewInt(5)},
		{nil, cyclic},
		{nil, make(chan int)},
	} {
		_, err := data.Convert(c.schema, c.in)
		require.Error(t, err, "%T", c.in)
	}
	require.Error(t, data.Validate(nil, cyclic))
	_, err := data.AppendValue(nil, nil, cyclic)
	require.Error(t, err)
}

func TestValueBuilderTellsAllMistakes(t *testing.T) {
	_, err := data.NewValue(vectorPoint).Set("x", "one").Set("z", 1).Build()
	require.ErrorContains(t, err, `field "x": INT32 "Point" needs`[:9])
	require.ErrorContains(t, err, `"z" is not a field`)
	_, err = data.NewValue(vectorPoint).Build()
	require.ErrorContains(t, err, `field "x": null`)
	_, err = data.NewValue(data.Int8Schema).Set("x", 1).Build()
	require.ErrorContains(t, err, "not a struct schema")
	require.Panics(t, func() { data.NewValue(vectorPoint).MustBuild() })
	st := data.NewValue(vectorPoint).Set("x", 1).MustBuild()
	require.Equal(t, []any{int32(1), nil}, st.Values())
}

func TestWideStructs(t *testing.T) {
	for _, n := range []int{0, 1, 4, 5, 8, 9, 16, 17, 300} {
		b := data.NewStruct()
		for i := range n {
			b.Field(fmt.Sprint("f", i), data.Int32Schema)
		}
		s := b.MustBuild()
		v := data.NewValue(s)
		for i := range n {
			v.Set(fmt.Sprint("f", i), i)
		}
		st := v.MustBuild()
		wire, err := data.AppendValue(nil, s, st)
		require.NoError(t, err)
		got, err := data.DecodeValue(s, wire)
		require.NoError(t, err)
		require.True(t, data.Equal(st, got))
		_, err = got.(*data.Struct).Get("missing")
		require.Error(t, err)
	}
}

// A Struct that was not made by this package has no schema: it is null everywhere rather than a panic.
func TestAStructWithoutSchemaIsNull(t *testing.T) {
	st := &data.Struct{}
	require.Equal(t, "null", st.String())
	require.NoError(t, data.Validate(nil, st))
	require.ErrorContains(t, data.Validate(vectorPoint, st), "null")
	wire, err := data.AppendValue(nil, vectorPoint.ToBuilder().Optional().Default(st).MustBuild(), st)
	require.NoError(t, err)
	require.Equal(t, []byte{0}, wire)
	require.True(t, (&data.Map{}).String() == "{}" && (*data.Map)(nil).String() == "null")
}
