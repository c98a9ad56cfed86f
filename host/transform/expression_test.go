package transform

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/tailrace/tailrace/host/config"
	"github.com/tailrace/tailrace/host/convert"
	"github.com/tailrace/tailrace/sdk/go/data"
)

func orderRecord(t testing.TB, kind Kind, schemaless bool) (*Batch, *Record) {
	t.Helper()
	schema, v := order(schemaless)
	raw, err := data.AppendValue(nil, schema, v)
	require.NoError(t, err)
	b := NewBatch(kind)
	r := b.Add()
	r.Topic = "orders"
	r.Value.SetWire(schema, raw)
	return b, r
}

// What an expression does not change leaves as the bytes that came.
func TestAnExpressionThatOnlyReadsLeavesTheBytes(t *testing.T) {
	for _, schemaless := range []bool{false, true} {
		b, r := orderRecord(t, Sink, schemaless)
		before, _, err := r.Value.Wire(nil)
		require.NoError(t, err)
		chainOf(t, []config.Transform{{Alias: "x", Class: "Expression", Config: map[string]string{"filter": "value.quantity == 3", "topic": "topic + '-' + string(value.quantity)"}}}).Apply(b)
		require.Nil(t, r.Failure())
		require.Equal(t, "orders-3", r.Topic)
		require.False(t, r.Value.Changed()) // I-7
		after, _, err := r.Value.Wire(nil)
		require.NoError(t, err)
		require.Equal(t, before, after)
		require.Zero(t, r.Value.has&hasValue, "the value was decoded as a whole")
	}
}

// A step that fails leaves the record as it was, whatever part of it fails.
func TestAFailingExpressionLeavesTheRecordAsItWas(t *testing.T) {
	for name, options := range map[string]map[string]string{
		"late header":      {"topic": "'new'", "set": "{'name': 'x'}", "headers": "{'h': value.nothing}"},
		"out of range":     {"topic": "'new'", "set": "{'quantity': 3000000000}"},
		"null in required": {"topic": "'new'", "set": "{'name': null}"},
		"empty topic":      {"set": "{'name': 'x'}", "topic": "''"},
		"old timestamp":    {"set": "{'name': 'x'}", "timestamp": "timestamp('1960-01-01T00:00:00Z')"},
		"mixed list":       {"set": "{'name': 'x', 'list': [1, 'a']}"},
		"source offset":    {"set": "{'name': string(offset)}"},
	} {
		b, r := orderRecord(t, Source, false)
		chainOf(t, []config.Transform{{Alias: "x", Class: "Expression", Config: options}}).Apply(b)
		f := r.Failure()
		require.NotNil(t, f, name)
		require.Equal(t, "tailrace.transforms.Expression", f.Class)
		var java *convert.Error
		require.ErrorAs(t, f, &java, name)
		require.Equal(t, convert.DataException, java.Class, name)
		require.Equal(t, "orders", r.Topic, name)
		require.EqualValues(t, NoTimestamp, r.Timestamp, name)
		require.False(t, r.Value.Changed(), name)
		list, err := r.Headers.All()
		require.NoError(t, err)
		require.Empty(t, list, name)
	}
}

// Equal results have one schema, by identity, so that nothing behind works it out again.
func TestEqualResultsOfExpressionsShareOneSchema(t *testing.T) {
	c := chainOf(t, []config.Transform{{Alias: "x", Class: "Expression", Config: map[string]string{"set": "{'more': {'a': value.quantity, 'b': [1, 2]}}", "key": "{'id': value.id}"}}})
	var key, value *data.Schema
	for range 3 {
		b, r := orderRecord(t, Source, false)
		c.Apply(b)
		require.Nil(t, r.Failure())
		_, _, err := r.Value.Wire(nil)
		require.NoError(t, err)
		if key != nil {
			require.Same(t, key, r.Key.Schema())
			require.Same(t, value, r.Value.Schema())
		}
		key, value = r.Key.Schema(), r.Value.Schema()
	}
	require.Equal(t, "com.acme.Order", value.Name())
}

func TestWrongExpressionsAreRefusedWhenTheChainIsBuilt(t *testing.T) {
	for _, c := range []struct{ key, text, says string }{
		{"filter", "value.x +", "Invalid value value.x + for configuration filter: the expression \"value.x +\" cannot be used: at 1:10"},
		{"filter", "topic", "it gives a string, and a bool is needed"},
		{"topic", "tpoic", "the names are headers, key, offset, partition, timestamp, topic, value"},
		{"set", "[1]", "it gives a list(int)"},
		{"cost.limit", "0", "cost.limit"},
	} {
		_, err := New("Expression", map[string]string{c.key: c.text})
		require.ErrorContains(t, err, c.says)
	}
	_, err := New("Expression", nil)
	require.ErrorContains(t, err, "No expression configured")
	_, err = New("Expression", map[string]string{"set": "{}", "value": "1"})
	require.ErrorContains(t, err, "exclude each other")
	_, err = NewPredicate("Expression", nil)
	require.ErrorContains(t, err, "condition")
}

// I-3: no record makes the transforms panic, and what leaves has a wire form or an error.
func TestNoRecordMakesExpressionsOrArraysPanic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.SampledFrom([]string{
			`{"set": "{'a': value.a, 'b': value.?b.orValue(1)}"}`, `{"value": "value.a"}`, `{"key": "value"}`, `{"headers": "value"}`,
		}).Draw(t, "options")
		v, err := convertJSON(text)
		if err != nil {
			t.Fatal(err)
		}
		own, err := New("Expression", v)
		if err != nil {
			t.Fatal(err)
		}
		form := rapid.SampledFrom([]string{"index", "join", "json"}).Draw(t, "form")
		arrays, err := New("FlattenArrays$Value", map[string]string{"form": form, "max.items": "3"})
		if err != nil {
			t.Fatal(err)
		}
		b := NewBatch(Source)
		r := b.Add()
		r.Topic = "t"
		r.Value.SetWire(nil, rapid.SliceOfN(rapid.ByteRange(0, 24), 0, 20).Draw(t, "wire"))
		NewChain(Step{Alias: "e", Transform: own}, Step{Alias: "a", Transform: arrays}).Apply(b)
		if r.Live() {
			_, _, _ = r.Value.Wire(nil)
			_, _, _ = r.Key.Wire(nil)
		}
	})
}

func convertJSON(text string) (options map[string]string, err error) {
	return options, json.Unmarshal([]byte(text), &options)
}
