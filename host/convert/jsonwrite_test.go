package convert

import (
	"encoding/json"
	"fmt"
	"math/big"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/tailrace/tailrace/sdk/go/data"
)

// A JSON parser that knows nothing of this package reads every text back, wherever its special characters stand.
func TestJSONTextsAreReadBackByAnotherParser(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOf(rapid.OneOf(rapid.RuneFrom([]rune("abcdefgh ~!#[]")), rapid.RuneFrom([]rune("\"\\\x00\x1f\x7f\u0080ż√🦊\n")))).Draw(t, "text")
		quoted := appendJSONString([]byte("x"), []byte(text))[1:]
		var got string
		require.NoError(t, json.Unmarshal(quoted, &got), "%q", quoted)
		require.Equal(t, text, got)
	})
}

func TestEightPlainBytesAreWhatTheTableSays(t *testing.T) {
	for c := range 256 {
		for at := range 8 {
			x := uint64(0x6161616161616161)
			x = x&^(0xff<<(8*at)) | uint64(c)<<(8*at)
			require.Equal(t, plainJSON[c], eightPlain(x), "byte %#x at %d", c, at)
		}
	}
}

// mixedRow is a row of 20 mixed columns, as a table has them.
func mixedRow(tb testing.TB) (*data.Schema, []byte) {
	b := data.NewStruct().Name("items").Field("id", data.Int64Schema)
	values := []any{int64(123_456)}
	for i, c := range []struct {
		schema *data.Schema
		value  any
	}{
		{data.TimestampSchema, time.UnixMilli(1_700_000_000_123)},
		{data.OptionalBooleanSchema, true},
		{data.OptionalInt16Schema, int16(-321)},
		{data.Int32Schema, int32(123_456_789)},
		{data.OptionalInt64Schema, int64(1_234_567_890_123_456)},
		{data.OptionalFloat32Schema, float32(17636.57)},
		{data.OptionalFloat64Schema, 41152.0 / 3},
		{data.OptionalDecimalSchema(2), data.NewDecimalValue(16_913_472, 2)},
		{data.OptionalDecimalSchema(10), data.Decimal{Unscaled: new(big.Int).Exp(big.NewInt(31), big.NewInt(23), nil), Scale: 10}},
		{data.OptionalStringSchema, "17636.571428571428571"},
		{data.StringSchema, `row 123456 żółw 🦊 "quoted" \`},
		{data.OptionalStringSchema, nil},
		{data.OptionalStringSchema, "1e240   "},
		{data.OptionalBytesSchema, []byte("0123456789abcdef")},
		{data.OptionalStringSchema, "e10adc39-49ba-59ab-be56-e057f20f883e"},
		{data.OptionalStringSchema, `{"a": [123456, null], "i": 123456}`},
		{data.OptionalDateSchema, time.UnixMilli(86_400_000 * 5000)},
		{data.OptionalTimestampSchema, time.UnixMilli(-500_000_000_123)},
		{data.NewArray(data.OptionalInt32Schema).Optional().MustBuild(), []any{int32(56), nil, int32(5)}},
	} {
		b.Field(fmt.Sprintf("column%d", i), c.schema)
		values = append(values, c.value)
	}
	schema := b.MustBuild()
	row, err := data.NewStructValue(schema)
	require.NoError(tb, err)
	for i, f := range schema.Fields() {
		require.NoError(tb, row.Put(f.Name, values[i]))
	}
	wire, err := data.AppendValue(nil, schema, row)
	require.NoError(tb, err)
	return schema, wire
}

func TestARowIsWrittenWithAndWithoutItsSchema(t *testing.T) {
	schema, wire := mixedRow(t)
	plain, _, err := jsonFor(t, false).FromConnect(nil, "t", schema, wire)
	require.NoError(t, err)
	var row map[string]any
	require.NoError(t, json.Unmarshal(plain, &row))
	require.Len(t, row, 20)
	require.Equal(t, `row 123456 żółw 🦊 "quoted" \`, row["column10"])
	full, _, err := jsonFor(t, true).FromConnect(nil, "t", schema, wire)
	require.NoError(t, err)
	var envelope struct{ Schema, Payload json.RawMessage }
	require.NoError(t, json.Unmarshal(full, &envelope))
	require.Equal(t, string(plain), string(envelope.Payload))
	// Cut anywhere it is an error, and nothing is read beyond the end.
	for n := range wire {
		_, after, err := jsonFor(t, false).FromConnect([]byte("kept"), "t", schema, wire[:n:n])
		require.Error(t, err)
		require.Equal(t, "kept", string(after))
	}
}

func jsonFor(tb testing.TB, schemas bool) Converter {
	c, err := New("JsonConverter", map[string]string{"schemas.enable": strconv.FormatBool(schemas), "decimal.format": "NUMERIC"}, false)
	require.NoError(tb, err)
	return c
}

func BenchmarkJSONRow(b *testing.B) {
	schema, wire := mixedRow(b)
	for _, schemas := range []bool{false, true} {
		b.Run(fmt.Sprintf("schemas=%t", schemas), func(b *testing.B) {
			c := jsonFor(b, schemas)
			var dst []byte
			b.ReportAllocs()
			for b.Loop() {
				var err error
				if _, dst, err = c.FromConnect(dst[:0], "t", schema, wire); err != nil {
					b.Fatal(err)
				}
			}
			b.SetBytes(int64(len(dst)))
		})
	}
}
