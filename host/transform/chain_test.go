package transform

import (
	"bytes"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tailrace/tailrace/host/config"
	"github.com/tailrace/tailrace/host/convert"
	"github.com/tailrace/tailrace/sdk/go/data"
)

// chainOf builds a chain from connector options.
func chainOf(t testing.TB, transforms []config.Transform, predicates ...config.Predicate) *Chain {
	t.Helper()
	byAlias := map[string]config.Predicate{}
	for _, p := range predicates {
		byAlias[p.Alias] = p
	}
	c, err := FromConfig(transforms, byAlias, nil)
	require.NoError(t, err)
	return c
}

func addText(t testing.TB, b *Batch, topic, text string) *Record {
	t.Helper()
	r := b.Add()
	r.Topic = topic
	raw, err := data.AppendValue(nil, data.OptionalStringSchema, text)
	require.NoError(t, err)
	r.Value.SetWire(data.OptionalStringSchema, raw)
	return r
}

func TestChainKeepsOrderDropsAndFailsRecordByRecord(t *testing.T) {
	c := chainOf(t, []config.Transform{
		{Alias: "route", Class: "RegexRouter", Config: map[string]string{"regex": "in-(.*)", "replacement": "out-$1"}},
		{Alias: "drop", Class: "org.apache.kafka.connect.transforms.Filter", Predicate: "isB"},
		{Alias: "number", Class: "Cast$Value", Config: map[string]string{"spec": "int8"}},
		{Alias: "wrap", Class: "HoistField$Value", Config: map[string]string{"field": "n"}},
	}, config.Predicate{Alias: "isB", Class: "TopicNameMatches", Config: map[string]string{"pattern": "out-b"}})
	b := NewBatch(Source)
	for _, in := range [][2]string{{"in-a", "1"}, {"in-b", "2"}, {"in-c", "x"}, {"other", "4"}} {
		addText(t, b, in[0], in[1])
	}
	c.Apply(b)
	require.Equal(t, 4, b.Len())
	require.True(t, b.At(0).Live())
	require.Equal(t, "out-a", b.At(0).Topic)
	v, err := b.At(0).Value.Value()
	require.NoError(t, err)
	require.Equal(t, "Struct{n=1}", v.(*data.Struct).String())
	require.True(t, b.At(1).Dropped())
	require.Equal(t, "other", b.At(3).Topic)
	require.True(t, b.At(3).Live())

	f := b.At(2).Failure()
	require.NotNil(t, f)
	require.Equal(t, "number", f.Alias)
	require.Equal(t, "org.apache.kafka.connect.transforms.Cast$Value", f.Class)
	var java *convert.Error
	require.True(t, errors.As(f, &java))
	require.Equal(t, convert.DataException, java.Class)
	require.Equal(t, "Value (x) was out of range for requested data type", java.Message)
	// The record is as it was before the failing step, that is after the first.
	require.Equal(t, "out-c", b.At(2).Topic)
	require.False(t, b.At(2).Value.Changed())
}

func TestNegateTurnsAPredicateRound(t *testing.T) {
	for _, negate := range []bool{false, true} {
		c := chainOf(t, []config.Transform{{Alias: "d", Class: "Filter", Predicate: "p", Negate: negate}},
			config.Predicate{Alias: "p", Class: "HasHeaderKey", Config: map[string]string{"name": "h"}})
		b := NewBatch(Sink)
		require.NoError(t, addText(t, b, "with", "v").Headers.Add("h", nil, nil))
		addText(t, b, "without", "v")
		c.Apply(b)
		require.Equal(t, !negate, b.At(0).Dropped())
		require.Equal(t, negate, b.At(1).Dropped())
	}
}

// I-7: what no step looked at leaves as the bytes that came, at the same address.
func TestUntouchedBytesPass(t *testing.T) {
	c := chainOf(t, []config.Transform{
		{Alias: "r", Class: "TimestampRouter"},
		{Alias: "h", Class: "InsertHeader", Config: map[string]string{"header": "x", "value.literal": "1"}},
		{Alias: "k", Class: "ValueToKey", Config: map[string]string{"fields": "a"}},
	})
	schema := data.NewStruct().Field("a", data.Int64Schema).Field("b", data.StringSchema).MustBuild()
	raw, err := data.AppendValue(nil, schema, data.NewValue(schema).Set("a", 7).Set("b", "text").MustBuild())
	require.NoError(t, err)
	b := NewBatch(Source)
	r := b.Add()
	r.Topic, r.Timestamp = "t", 0
	r.Value.SetWire(schema, raw)
	c.Apply(b)
	require.True(t, r.Live())
	require.Equal(t, "t-19700101", r.Topic)
	out, after, err := r.Value.Wire(nil)
	require.NoError(t, err)
	require.Empty(t, after)
	require.Same(t, &raw[0], &out[0])
	key, _, err := r.Key.Wire(nil)
	require.NoError(t, err)
	require.True(t, bytes.Equal([]byte{14}, key))
}

// Equal schemas at different addresses (a stream that began anew) keep the output schema.
func TestOutputSchemaStaysForEqualInputSchemas(t *testing.T) {
	tr, err := New("Cast$Value", map[string]string{"spec": "a:string"})
	require.NoError(t, err)
	var first *data.Schema
	for range 3 {
		schema := data.NewStruct().Field("a", data.Int64Schema).MustBuild()
		b := NewBatch(Source)
		r := b.Add()
		r.Value.Set(schema, data.NewValue(schema).Set("a", 1).MustBuild())
		tr.Apply(b)
		require.True(t, r.Live())
		if first == nil {
			first = r.Value.Schema()
		}
		require.Same(t, first, r.Value.Schema())
	}
}

func TestUnknownClassesAreExplained(t *testing.T) {
	_, err := New("Cast", nil)
	require.EqualError(t, err, "There is no transform Cast; use Cast$Key or Cast$Value")
	_, err = New("com.acme.Mine", nil)
	require.EqualError(t, err, "There is no transform com.acme.Mine")
	_, err = NewPredicate("Cast$Key", nil)
	require.Error(t, err)
}

// Map keys arrive in any encoding that the wire allows.
func TestSchemalessMapForms(t *testing.T) {
	twice := data.AppendBlockStart(data.AppendLong(nil, data.AnyMap), 2)
	for _, v := range []int64{1, 2} {
		twice = data.AppendLong(data.AppendLong(data.AppendString(twice, "k"), data.AnyInt64), v)
	}
	twice = data.AppendBlockEnd(twice)
	blocks := data.AppendLong(nil, data.AnyMap)
	for _, k := range []string{"k", "l"} {
		blocks = data.AppendBlockStart(blocks, 1)
		blocks = data.AppendLong(data.AppendLong(data.AppendString(blocks, k), data.AnyInt64), 2)
	}
	blocks = data.AppendBlockEnd(blocks)
	pairs, err := data.AppendValue(nil, nil, data.NewMapValue(data.MapEntry{Key: "k", Value: int64(2)}, data.MapEntry{Key: int32(5), Value: nil}))
	require.NoError(t, err)
	for name, raw := range map[string][]byte{"a key twice": twice, "two blocks": blocks, "keys that are not strings": pairs} {
		want, err := data.DecodeValue(nil, raw)
		require.NoError(t, err, name)
		b := NewBatch(Source)
		r := b.Add()
		r.Value.SetWire(nil, raw)
		tr, err := New("InsertField$Value", map[string]string{"static.field": "new", "static.value": "x"})
		require.NoError(t, err)
		tr.Apply(b)
		require.True(t, r.Live(), name)
		want.(*data.Map).Put("new", "x")
		out, _, err := r.Value.Wire(nil)
		require.NoError(t, err, name)
		got, err := data.DecodeValue(nil, out)
		require.NoError(t, err, name)
		require.True(t, data.Equal(want, got), "%s: %v", name, got)
	}
}
