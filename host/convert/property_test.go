package convert

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/tailrace/tailrace/host/convert/jsonschema"
	"github.com/tailrace/tailrace/sdk/go/data"
	"github.com/tailrace/tailrace/test/draw"
)

func drawValue(t *rapid.T, s *data.Schema) any {
	return draw.Value(t, s, func(t *rapid.T, s *data.Schema) (any, bool) {
		switch {
		case s.IsDate():
			return data.FromDays(rapid.Int32().Draw(t, "days")), true
		case s.IsTime():
			return data.FromMillis(rapid.Int64Range(0, 86399999).Draw(t, "time")), true
		case s.IsTimestamp():
			return time.UnixMilli(rapid.Int64Range(math.MinInt64/4, math.MaxInt64/4).Draw(t, "millis")).UTC(), true
		case s.Type() == data.Float32:
			return rapid.Float32().Draw(t, "v") + 0, true // JSON has no -0.0 here
		case s.Type() == data.Float64:
			return rapid.Float64().Draw(t, "v") + 0, true
		}
		return nil, false
	})
}

// I-7: any value of any schema that JSON can hold comes back as it left, with its schema.
func TestAnyValueSurvivesJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := draw.Schema(t, 20)
		wire, err := data.AppendValue(nil, s, drawValue(t, s))
		require.NoError(t, err)
		c, err := New("JsonConverter", map[string]string{
			"decimal.format": rapid.SampledFrom([]string{"BASE64", "NUMERIC"}).Draw(t, "format"), "strict.values": rapid.SampledFrom([]string{"true", "false"}).Draw(t, "strict"),
		}, false)
		require.NoError(t, err)
		out, _, err := c.FromConnect(nil, "t", s, wire)
		require.NoError(t, err)
		schema, back, err := c.ToConnect(nil, "t", out)
		require.NoError(t, err)
		require.True(t, s.Equal(schema))
		require.Equal(t, wire, back, string(out))
	})
}

func TestAnyValueSurvivesJSONSchema(t *testing.T) {
	passed := 0
	rapid.Check(t, func(t *rapid.T) {
		s := draw.Schema(t, 20)
		wire, err := data.AppendValue(nil, s, drawValue(t, s))
		require.NoError(t, err)
		numeric := rapid.Bool().Draw(t, "numeric")
		c := &jsonConverter{byRegistry: true, nullTakesDefault: true, numeric: numeric}
		o := &jsonschema.Options{AdditionalProperties: true, FlattenSingleton: true, NumericDecimals: numeric}
		text, err := jsonschema.Write(o, s, jsonDefaults{c})
		require.NoError(t, err)
		schema, err := jsonschema.Read(o, text, nil, 0, false, jsonDefaults{c})
		require.NoError(t, err)
		require.True(t, s.Equal(schema), text)
		out, _, err := c.FromConnect(nil, "t", s, wire)
		require.NoError(t, err)
		r := jsonReader{c: c, b: jsonText(out)}
		back, err := r.value(nil, schema, 0)
		require.NoError(t, err)
		require.Equal(t, wire, back, string(out))

		// The single pass reads the same, also from a text that is no longer right.
		for _, spoil := range []string{"", rapid.SampledFrom([]string{"", ",", "n", "\"", "}", "null", "1.5", "0", "=", " "}).Draw(t, "spoil")} {
			text := string(out)
			if at := rapid.IntRange(0, len(text)-1).Draw(t, "at"); spoil != "" {
				text = text[:at] + spoil + text[at+1:]
			}
			p := c.passOver(jsonText(text))
			got, end := p.value(nil, c.newPassPlan(schema), 0, 0)
			if end == gaveUp || !jsonText(text).ends(0, end) {
				continue
			}
			passed++
			checked, err := jsonText(text).value(0, 0)
			require.NoError(t, err, text)
			require.Equal(t, checked, end, text)
			r := jsonReader{c: c, b: jsonText(text)}
			careful, err := r.checked(nil, schema, 0)
			require.NoError(t, err, text)
			require.Equal(t, careful, got, text)
		}
	})
	require.Positive(t, passed)
}
