package data_test

import (
	"encoding/hex"
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tailrace/tailrace/sdk/go/data"
)

// Byte for byte, worked out by hand from the Avro specification rather than by this package.
func TestWireFormByHand(t *testing.T) {
	for _, c := range []struct {
		name   string
		schema *data.Schema
		value  any
		want   string
	}{
		{"zigzag 64", data.Int64Schema, int64(64), "8001"},
		{"zigzag -64", data.Int64Schema, int64(-64), "7f"},
		{"least int64", data.Int64Schema, int64(math.MinInt64), "ffffffffffffffffff01"},
		{"float", data.Float32Schema, float32(1), "0000803f"},
		{"double -0", data.Float64Schema, math.Copysign(0, -1), "0000000000000080"},
		{"string", data.StringSchema, "foo", "06666f6f"},
		{"null first", data.OptionalInt32Schema, nil, "00"},
		{"value second", data.OptionalInt32Schema, int32(-1), "0201"},
		{"null second", data.NewPrimitive(data.Int32).Optional().Default(int32(1)).MustBuild(), nil, "02"},
		{"value first", data.NewPrimitive(data.Int32).Optional().Default(int32(1)).MustBuild(), int32(3), "0006"},
		{"array", data.NewArray(data.Int64Schema).MustBuild(), []any{int64(3), int64(27)}, "04063600"},
		{"empty array", data.NewArray(data.Int64Schema).MustBuild(), []any{}, "00"},
		{"record", data.NewStruct().Field("a", data.Int64Schema).Field("b", data.StringSchema).MustBuild(), nil, "3606666f6f"},
		{"decimal -129", data.DecimalSchema(0), decimal("-129", 0), "04ff7f"},
		{"decimal 128", data.DecimalSchema(0), decimal("128", 0), "040080"},
		{"decimal -128", data.DecimalSchema(0), decimal("-128", 0), "0280"},
		{"schemaless", nil, entries("a", int8(1)), "16" + "02" + "0261" + "0402" + "00"},
		{"schemaless pairs", nil, entries(true, nil), "18" + "02" + "0201" + "00" + "00"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.name == "record" {
				c.value = mustStruct(c.schema, int64(27), "foo")
			}
			got, err := data.AppendValue(nil, c.schema, c.value)
			require.NoError(t, err)
			require.Equal(t, c.want, hex.EncodeToString(got))
		})
	}
}

func TestAValueKeepsNothingOfTheInput(t *testing.T) {
	s := data.NewStruct().Field("s", data.StringSchema).Field("b", data.BytesSchema).Field("d", data.DecimalSchema(0)).MustBuild()
	want := mustStruct(s, "text", []byte("bytes"), decimal("123456", 0))
	wire, err := data.AppendValue(nil, s, want)
	require.NoError(t, err)
	got, err := data.DecodeValue(s, wire)
	require.NoError(t, err)
	for i := range wire {
		wire[i] = 0xee
	}
	require.True(t, data.Equal(want, got))
}

// box makes interface values by hand; they must behave like the compiler's, through garbage collections too.
func TestBoxedStrings(t *testing.T) {
	b := data.NewStruct().Field("inner", data.NewStruct().Field("p", data.StringSchema).Field("q", data.StringSchema).MustBuild())
	for i := range 30 {
		b.Field(fmt.Sprint("s", i), data.StringSchema)
	}
	s := b.MustBuild()
	values := []any{mustStruct(s.Fields()[0].Schema, "inner p", "inner q")}
	for i := range 30 {
		values = append(values, strings.Repeat("x", i))
	}
	want := mustStruct(s, values...)
	wire, err := data.AppendValue(nil, s, want)
	require.NoError(t, err)
	kept := []any{}
	for range 200 {
		got, err := data.DecodeValue(s, wire)
		require.NoError(t, err)
		require.True(t, data.Equal(want, got))
		kept = append(kept, got.(*data.Struct).Values()[17])
		runtime.GC()
	}
	for _, v := range kept {
		text, ok := v.(string)
		require.True(t, ok)
		require.Equal(t, values[17], text)
		require.Equal(t, values[17], v)
		require.Equal(t, 1, map[any]int{v: 1}[values[17]])
	}
}

func TestLowLevelReads(t *testing.T) {
	b := data.AppendBool(data.AppendDouble(data.AppendFloat(data.AppendInt(data.AppendLong(nil, -5), 7), 1.5), 2.5), true)
	b = data.AppendBytes(data.AppendString(b, "text"), []byte{9})
	b = data.AppendBlockEnd(data.AppendLong(data.AppendBlockStart(b, 1), 4))
	long, b, err := data.ReadLong(b)
	require.NoError(t, err)
	require.EqualValues(t, -5, long)
	i, b, err := data.ReadInt(b)
	require.NoError(t, err)
	require.EqualValues(t, 7, i)
	f, b, err := data.ReadFloat(b)
	require.NoError(t, err)
	require.EqualValues(t, 1.5, f)
	d, b, err := data.ReadDouble(b)
	require.NoError(t, err)
	require.EqualValues(t, 2.5, d)
	yes, b, err := data.ReadBool(b)
	require.NoError(t, err)
	require.True(t, yes)
	text, b, err := data.ReadString(b)
	require.NoError(t, err)
	require.Equal(t, "text", text)
	raw, b, err := data.ReadBytes(b)
	require.NoError(t, err)
	require.Equal(t, []byte{9}, raw)
	require.Equal(t, 1, cap(raw), "appending to an alias must not write into the input")
	n, b, err := data.ReadBlock(b, 1)
	require.NoError(t, err)
	require.Equal(t, 1, n)
	_, b, err = data.ReadLong(b)
	require.NoError(t, err)
	n, b, err = data.ReadBlock(b, 1)
	require.NoError(t, err)
	require.Zero(t, n)
	require.Empty(t, b)
	for _, v := range []int64{0, 1, -1, 63, 64, 8191, 8192, 1 << 20, 1 << 27, 1 << 34, 1 << 41, 1 << 48, 1<<55 - 1, 1 << 55, 1 << 62, math.MaxInt64, math.MinInt64} {
		for _, tail := range []string{"", "x", strings.Repeat("\xff", 16)} {
			for _, v := range []int64{v, -v, v - 1} {
				got, rest, err := data.ReadLong(append(data.AppendLong(nil, v), tail...))
				require.NoError(t, err)
				require.Equal(t, v, got)
				require.Equal(t, tail, string(rest))
			}
		}
	}
}

func TestPresence(t *testing.T) {
	last := data.NewPrimitive(data.Int8).Optional().Default(int8(1)).MustBuild()
	for _, c := range []struct {
		schema  *data.Schema
		present bool
		want    string
	}{
		{data.Int8Schema, true, ""},
		{data.OptionalInt8Schema, true, "02"},
		{data.OptionalInt8Schema, false, "00"},
		{last, true, "00"},
		{last, false, "02"},
	} {
		got := data.AppendPresence(nil, c.schema, c.present)
		require.Equal(t, c.want, hex.EncodeToString(got))
		present, rest, err := data.ReadPresence(c.schema, got)
		require.NoError(t, err)
		require.Equal(t, c.present, present)
		require.Empty(t, rest)
	}
	require.Equal(t, 0, data.OptionalInt8Schema.NullBranch())
	require.Equal(t, 1, last.NullBranch())
}
