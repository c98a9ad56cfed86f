package data_test

import (
	"bytes"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tailrace/tailrace/sdk/go/data"
)

// schemaFromBytes makes a schema of any bytes, so that the fuzzer explores schemas too. It returns what it did not use.
func schemaFromBytes(b []byte, depth int) (*data.Schema, []byte) {
	if len(b) == 0 || b[0] == 0xff {
		return data.Int32Schema, b[min(len(b), 1):]
	}
	op, b := b[0], b[1:]
	optional, kind := op&0x80 != 0, op&0x1f%18
	var builder *data.Builder
	switch {
	case kind < 9:
		builder = data.NewPrimitive(data.Type(kind + 1))
	case kind == 9:
		builder = data.NewDecimal(int32(op>>5) - 1)
	case kind == 10:
		builder = data.NewDate()
	case kind == 11:
		builder = data.NewTime()
	case kind == 12:
		builder = data.NewTimestamp()
	case kind == 13:
		builder = data.NewArray(nil).Schemaless()
	case depth == 0:
		builder = data.NewStruct()
	case kind == 14:
		var e *data.Schema
		e, b = schemaFromBytes(b, depth-1)
		builder = data.NewArray(e)
	case kind == 15:
		var k, v *data.Schema
		k, b = schemaFromBytes(b, depth-1)
		v, b = schemaFromBytes(b, depth-1)
		builder = data.NewMap(k, v)
	default:
		builder = data.NewStruct()
		for i := range int(op >> 5 & 3) {
			var f *data.Schema
			f, b = schemaFromBytes(b, depth-1)
			builder.Field(strings.Repeat("f", i), f)
		}
	}
	return builder.SetOptional(optional).MustBuild(), b
}

// I-3: no input, however made, harms the reader.
func FuzzReadValue(f *testing.F) {
	for _, v := range vectors() {
		if wire, err := data.AppendValue(nil, v.schema, v.value); err == nil && v.schema == nil {
			f.Add([]byte{}, wire)
		}
	}
	f.Add([]byte{14, 0x31, 7, 2, 0x83}, []byte("\x04\x02a\x02\x02\x00\x00\x00"))
	f.Add([]byte{15, 2, 14, 5}, []byte("\x02\x02\x02\x00\x00\x80\x3f\x00\x00"))
	f.Fuzz(func(t *testing.T, schemaBytes, wire []byte) {
		var s *data.Schema
		if len(schemaBytes) > 0 {
			s, _ = schemaFromBytes(schemaBytes, 5)
		}
		v, rest, err := data.ReadValue(s, wire)
		skipped, skipErr := data.SkipValue(s, wire)
		require.Equal(t, err == nil, skipErr == nil, "read: %v, skip: %v", err, skipErr)
		if err != nil {
			_ = err.Error()
			return
		}
		require.Equal(t, len(rest), len(skipped))
		once, err := data.AppendValue(nil, s, v)
		require.NoError(t, err)
		again, err := data.DecodeValue(s, once)
		require.NoError(t, err)
		require.True(t, data.Equal(v, again))
		twice, err := data.AppendValue(nil, s, again)
		require.NoError(t, err)
		require.True(t, bytes.Equal(once, twice))
	})
}

func FuzzParseDecimal(f *testing.F) {
	for _, text := range []string{"0", "-1.50", "+1e10", ".5", "5.", "1E-400", "1e99999999999"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := data.ParseDecimal(text)
		if err != nil {
			return
		}
		back, err := data.ParseDecimal(d.String())
		require.NoError(t, err)
		require.True(t, d.Equal(back), "%q became %s and then %s", text, d, back)
	})
}

// Hostile input may not make the reader allocate more than a fixed multiple of its own length.
func TestAllocationIsBoundedByTheInput(t *testing.T) {
	one := data.NewStruct().Field("b", data.BooleanSchema).MustBuild()
	empty := data.NewStruct().MustBuild()
	wideEmpty := empty
	for range 6 { // 8^6 empty structs in no bytes at all
		b := data.NewStruct()
		for i := range 8 {
			b.Field(strings.Repeat("f", i), wideEmpty)
		}
		wideEmpty = b.MustBuild()
	}
	const size = 1 << 18
	count := func(n int) []byte { return data.AppendLong(nil, int64(n)) }
	cases := map[string]struct {
		schema *data.Schema
		wire   []byte
	}{
		"huge string":                   {data.StringSchema, count(1 << 40)},
		"huge array":                    {data.NewArray(data.Int32Schema).MustBuild(), count(1 << 40)},
		"array as long as the input":    {data.NewArray(data.BooleanSchema).MustBuild(), append(count(size), bytes.Repeat([]byte{0xff}, size)...)},
		"array full of nulls":           {nil, append(append([]byte{20}, count(size)...), make([]byte, size+1)...)},
		"array of small structs":        {data.NewArray(one).MustBuild(), append(count(size), make([]byte, size+1)...)},
		"many blocks of empty structs":  {data.NewArray(empty).MustBuild(), bytes.Repeat(count(60000), size/3)},
		"empty structs by their schema": {wideEmpty, nil},
		"array of those":                {data.NewArray(wideEmpty).MustBuild(), count(60000)},
		"map of one key again and again": {
			data.NewMap(data.StringSchema, data.BooleanSchema).MustBuild(),
			append(count(size/2), make([]byte, size+1)...),
		},
		"nested arrays": {nil, bytes.Repeat([]byte{20, 2}, size/2)},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, _, readErr := data.ReadValue(c.schema, c.wire)
			runtime.ReadMemStats(&after)
			limit := uint64(160*len(c.wire) + 8<<20)
			require.Less(t, after.TotalAlloc-before.TotalAlloc, limit)
			_, skipErr := data.SkipValue(c.schema, c.wire)
			require.Equal(t, readErr == nil, skipErr == nil)
		})
	}
}
