package convert

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tailrace/tailrace/sdk/go/data"
	"github.com/tailrace/tailrace/test/bounded"
)

func mustNew(t testing.TB, class string, props map[string]string) Converter {
	t.Helper()
	c, err := New(class, props, false)
	require.NoError(t, err)
	return c
}

func TestConvertersGoByClassNameAndAlias(t *testing.T) {
	for _, class := range []string{
		"org.apache.kafka.connect.json.JsonConverter", "JsonConverter", "Json", "String", "ByteArray",
		"org.apache.kafka.connect.storage.StringConverter", "org.apache.kafka.connect.converters.ByteArrayConverter", "Long",
	} {
		_, err := New(class, nil, true)
		require.NoError(t, err, class)
		_, err = NewHeader(class, nil)
		require.NoError(t, err, class)
	}
	_, err := NewHeader("Simple"+"HeaderConverter", nil)
	require.NoError(t, err)
	_, err = New("com.acme.JsonConverter", nil, true)
	require.ErrorContains(t, err, "key converter: there is no converter com.acme.JsonConverter")
	_, err = New("SimpleHeaderConverter", nil, false)
	require.ErrorContains(t, err, "headers only")
	require.Len(t, Names(), 13)
}

func TestStringsAndBytesArePartsOfTheInput(t *testing.T) {
	text := data.AppendString(nil, "hello")
	out, dst, err := mustNew(t, "StringConverter", nil).FromConnect(nil, "t", data.StringSchema, text)
	require.NoError(t, err)
	require.Nil(t, dst)
	require.Equal(t, "hello", string(out))
	require.Same(t, &text[1], &out[0])
	out, _, err = mustNew(t, "ByteArrayConverter", nil).FromConnect(nil, "t", data.BytesSchema, text)
	require.NoError(t, err)
	require.Same(t, &text[1], &out[0])
	for class, schema := range map[string]*data.Schema{"StringConverter": data.StringSchema, "ByteArrayConverter": data.BytesSchema} {
		require.Equal(t, FormBody, FormOf(mustNew(t, class, nil), schema))
		require.Equal(t, FormCall, FormOf(mustNew(t, class, nil), nil))
	}
	require.Equal(t, FormCall, FormOf(mustNew(t, "StringConverter", nil), data.Int32Schema))
	require.Equal(t, FormCall, FormOf(mustNew(t, "ByteArrayConverter", nil), data.DecimalSchema(2)))
}

func TestConvertersRefuseBrokenWireBytesWithAnError(t *testing.T) {
	for _, class := range []string{"StringConverter", "ByteArrayConverter", "JsonConverter", "LongConverter"} {
		for _, wire := range [][]byte{{20, 'x'}, {0xff, 0xff}, {}} {
			for _, schema := range []*data.Schema{data.StringSchema, data.BytesSchema, data.Int64Schema} {
				before := []byte("before")
				_, dst, err := mustNew(t, class, nil).FromConnect(before, "t", schema, wire)
				if err == nil {
					continue // these bytes are a value of that schema
				}
				require.Equal(t, "before", string(dst)) // on error dst is as it was
			}
		}
	}
}

var order = data.NewStruct().Name("order").
	Field("id", data.Int64Schema).Field("name", data.OptionalStringSchema).
	Field("price", data.DecimalSchema(2)).Field("tags", data.NewArray(data.StringSchema).MustBuild()).
	Field("attrs", data.NewMap(data.StringSchema, data.Int32Schema).MustBuild()).
	Field("at", data.TimestampSchema).MustBuild()

func orderWire(t testing.TB) []byte {
	t.Helper()
	v := data.NewValue(order).Set("id", 9007199254740993).Set("name", "Zoë \"x\"").Set("price", data.NewDecimalValue(1234, 2)).
		Set("tags", []any{"a", "b"}).Set("attrs", data.NewMapValue(data.MapEntry{Key: "k", Value: int32(1)})).
		Set("at", data.FromMillis(1700000000123)).MustBuild()
	wire, err := data.AppendValue(nil, order, v)
	require.NoError(t, err)
	return wire
}

func TestJsonGoesThereAndBackAndRemembersSchemas(t *testing.T) {
	wire := orderWire(t)
	c := mustNew(t, "JsonConverter", nil)
	out, _, err := c.FromConnect(nil, "t", order, wire)
	require.NoError(t, err)
	require.True(t, json.Valid(out))
	schema, back, err := c.ToConnect(nil, "t", out)
	require.NoError(t, err)
	require.True(t, schema.Equal(order))
	require.Equal(t, wire, back) // I-7
	again, _, err := c.ToConnect(nil, "t", out)
	require.NoError(t, err)
	require.Same(t, schema, again)
	// The members of the payload in another order, and one that the schema does not have.
	text := string(out)
	i := strings.Index(text, `"payload":{"id":9007199254740993,`)
	require.Positive(t, i)
	moved := strings.TrimSuffix(text[:i]+`"payload":{"more":[{"x":1}],`+text[i+len(`"payload":{"id":9007199254740993,`):], "}}") + `,"id":9007199254740993}}`
	_, back, err = c.ToConnect(nil, "t", []byte(moved))
	require.NoError(t, err)
	require.Equal(t, wire, back)
}

func TestJsonKeepsItsSchemaCachesBounded(t *testing.T) {
	c, err := newJSON(map[string]string{"schemas.cache.size": "3"})
	require.NoError(t, err)
	j, _ := c.(*jsonConverter)
	for i := range 50 {
		s := data.NewPrimitive(data.Int32).Version(int32(i)).MustBuild()
		out, _, err := j.FromConnect(nil, "t", s, []byte{2})
		require.NoError(t, err)
		_, _, err = j.ToConnect(nil, "t", out)
		require.NoError(t, err)
		require.LessOrEqual(t, len(j.plans), 3)
		require.LessOrEqual(t, len(j.parsed), 3)
	}
}

// FuzzJsonToConnect: whatever the record holds, the answer is an error or a value
// of the schema that comes with it (I-3).
func FuzzJsonToConnect(f *testing.F) {
	f.Add([]byte(`{"schema":{"type":"struct","fields":[{"type":"map","keys":{"type":"int32"},"values":{"type":"string","optional":true},"field":"a"}]},"payload":{"a":[[1,"x"],[2,null]]}}`), true)
	f.Add([]byte(`{"a":[1,2.5,"\ud83d\u0000",{"b":null,"b":1}]}`), false)
	f.Add([]byte("\xff\xfe{\x00}\x00"), false)
	f.Add([]byte(`{"schema":{"type":"bytes","name":"org.apache.kafka.connect.data.Decimal","parameters":{"scale":"2"}},"payload":1e2}`), true)
	f.Fuzz(func(t *testing.T, record []byte, schemas bool) {
		c, err := newJSON(map[string]string{"schemas.enable": map[bool]string{true: "true", false: "false"}[schemas]})
		if err != nil {
			t.Fatal(err)
		}
		var schema *data.Schema
		var wire []byte
		convert := func() { schema, wire, err = c.ToConnect(nil, "t", record) }
		if convert(); !schemas { // a schema in a record is built once and kept; that takes more
			bounded.Allocation(t, len(record), convert)
		}
		if err != nil {
			return
		}
		if len(wire) == 0 && schema == nil {
			return
		}
		if rest, err := data.SkipValue(schema, wire); err != nil || len(rest) > 0 {
			t.Fatalf("%q became wire bytes that are not a value of %s: %v, %d left", record, schema, err, len(rest))
		}
		if _, _, err := c.FromConnect(nil, "t", schema, wire); err != nil {
			t.Fatalf("%q cannot be written again: %v", record, err)
		}
	})
}

// FuzzSimpleHeader: any bytes become a value.
func FuzzSimpleHeader(f *testing.F) {
	for _, seed := range []string{`[1,{"a":2.5}]`, "12:34:56.789Z", `{"x":"\"","y":null}`, "1e999", "[[[[", "\xe2\x28"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, header []byte) {
		var schema *data.Schema
		var wire []byte
		var err error
		bounded.Allocation(t, len(header), func() {
			schema, wire, err = (&simpleHeaderConverter{}).ToHeader(nil, "t", "h", header)
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(wire) == 0 {
			return
		}
		if _, err := data.DecodeValue(schema, wire); err != nil {
			t.Fatalf("%q: %v", header, err)
		}
	})
}

func BenchmarkJson(b *testing.B) {
	wire := orderWire(b)
	for name, enabled := range map[string]string{"plain": "false", "envelope": "true"} {
		c := mustNew(b, "JsonConverter", map[string]string{"schemas.enable": enabled})
		record, _, err := c.FromConnect(nil, "t", order, wire)
		if err != nil {
			b.Fatal(err)
		}
		record = bytes.Clone(record)
		b.Run("write-"+name, func(b *testing.B) {
			b.ReportAllocs()
			var dst []byte
			for b.Loop() {
				_, dst, _ = c.FromConnect(dst[:0], "t", order, wire)
			}
		})
		b.Run("read-"+name, func(b *testing.B) {
			b.ReportAllocs()
			var dst []byte
			for b.Loop() {
				_, dst, _ = c.ToConnect(dst[:0], "t", record)
			}
		})
	}
}
