package protobuf

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tailrace/tailrace/host/convert/javaerr"
	"github.com/tailrace/tailrace/sdk/go/data"
	"github.com/tailrace/tailrace/test/env"
)

func converter(t testing.TB, url string, props map[string]string) *Converter {
	t.Helper()
	all := map[string]string{"schema.registry.url": url}
	for k, v := range props {
		all[k] = v
	}
	c, err := New(all, false)
	require.NoError(t, err)
	return c
}

func TestRecordsComeBack(t *testing.T) {
	url := env.Registry(t)
	for name, props := range map[string]map[string]string{
		"usual": nil, "optional": {"optional.for.nullables": "true"}, "wrappers": {"wrapper.for.nullables": "true"},
		"references": {"skip.known.types": "false"},
	} {
		t.Run(name, func(t *testing.T) {
			topic := env.Name(t)
			s := everything()
			wire := everyValue(t, s)
			out, _, err := converter(t, url, props).FromConnect(nil, topic, s, wire)
			require.NoError(t, err)
			c := converter(t, url, props)
			schema, back, err := c.ToConnect(nil, topic, out)
			require.NoError(t, err)
			v, err := data.DecodeValue(schema, back)
			require.NoError(t, err)
			require.NotNil(t, v)
			// What was read is written again as it was, with numbers from the parameters.
			again, _, err := c.FromConnect(nil, topic+"-again", schema, back)
			require.NoError(t, err)
			if name == "wrappers" { // items of lists are optional when they are read, so they come in wrappers then
				_, twice, err := converter(t, url, props).ToConnect(nil, topic+"-again", again)
				require.NoError(t, err)
				require.Equal(t, back, twice)
				return
			}
			require.Equal(t, out[5:], again[5:])
		})
	}
}

func TestPlainValuesComeBack(t *testing.T) {
	url := env.Registry(t)
	topic := env.Name(t)
	for _, c := range []struct {
		schema *data.Schema
		value  any
	}{
		{data.Int64Schema, int64(-5)},
		{data.StringSchema, "grüße"},
		{data.OptionalBooleanSchema, true},
		{data.Float64Schema, 1.5},
		{data.BytesSchema, []byte{0}},
		{data.Int32Schema, int32(0)},
		{data.Float32Schema, float32(-0.5)},
	} {
		wire, err := data.AppendValue(nil, c.schema, c.value)
		require.NoError(t, err)
		out, _, err := converter(t, url, nil).FromConnect(nil, topic, c.schema, wire)
		require.NoError(t, err)
		schema, back, err := converter(t, url, nil).ToConnect(nil, topic, out)
		require.NoError(t, err)
		v, err := data.DecodeValue(schema, back)
		require.NoError(t, err)
		require.Equal(t, c.value, v)
	}
}

func TestSchemasAreRefusedByField(t *testing.T) {
	url := env.Registry(t)
	topic := env.Name(t)
	write := func(c *Converter, s *data.Schema, v any) error {
		wire, err := data.AppendValue(nil, s, data.NewValue(s).Set("id", v).MustBuild())
		require.NoError(t, err)
		_, _, err = c.FromConnect(nil, topic, s, wire)
		return err
	}
	c := converter(t, url, nil)
	one := data.NewStruct().Name("n.R").Field("id", data.Int64Schema).MustBuild()
	two := data.NewStruct().Name("n.R").Field("id", data.Int64Schema).Field("x", data.OptionalStringSchema).MustBuild()
	bad := data.NewStruct().Name("n.R").Field("id", data.Float64Schema).MustBuild()
	require.NoError(t, write(c, one, 1))
	require.NoError(t, write(c, two, 1))

	err := write(c, bad, 1.5)

	require.ErrorContains(t, err, `subject "`+topic+`-value" against version 2`)
	require.ErrorContains(t, err, `field "id" (number 1) is int64 in the older schema and double in the newer`)
	var java *javaerr.Error
	require.ErrorAs(t, err, &java)
	require.Equal(t, javaerr.DataException, java.Class)

	latest := converter(t, url, map[string]string{"auto.register.schemas": "false", "use.latest.version": "true"})
	require.NoError(t, write(latest, one, 1)) // the message of version 2 has all its fields
	require.ErrorContains(t, write(latest, bad, 1.5), "version 2 of subject")
}
