package convert

import (
	"bytes"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tailrace/tailrace/sdk/go/data"
	"github.com/tailrace/tailrace/test/env"
)

// plainOrder has what most records are made of.
func plainOrder(t testing.TB) (*data.Schema, []byte) {
	s := data.NewStruct().Name("com.acme.Order").
		Field("id", data.Int64Schema).Field("name", data.StringSchema).Field("email", data.OptionalStringSchema).
		Field("price", data.Float64Schema).Field("total", data.DecimalSchema(2)).Field("active", data.BooleanSchema).
		Field("at", data.TimestampSchema).Field("lines", data.NewArray(data.StringSchema).MustBuild()).
		Field("address", data.NewStruct().Name("com.acme.Address").Field("city", data.StringSchema).Field("zip", data.OptionalInt32Schema).MustBuild()).MustBuild()
	address := data.NewValue(s.Fields()[8].Schema).Set("city", "Köln").Set("zip", 50667).MustBuild()
	wire, err := data.AppendValue(nil, s, data.NewValue(s).Set("id", 123456789).Set("name", "A widget").Set("email", "someone@example.com").
		Set("price", 12.75).Set("total", data.NewDecimalValue(-12345, 2)).Set("active", true).Set("at", data.FromMillis(1700000000123)).
		Set("lines", []any{"one", "two"}).Set("address", address).MustBuild())
	require.NoError(t, err)
	return s, wire
}

// A record without transforms is transcoded: no value is built on the way, and nothing is allocated for it.
func TestARecordIsConvertedWithoutBuildingAValue(t *testing.T) {
	url := env.Registry(t)
	s, wire := plainOrder(t)
	text, err := data.AppendValue(nil, data.StringSchema, "some text")
	require.NoError(t, err)
	registry := map[string]string{"schema.registry.url": url}
	for _, x := range []struct {
		class  string
		props  map[string]string
		schema *data.Schema
		wire   []byte
	}{
		{"JsonConverter", map[string]string{"decimal.format": "NUMERIC"}, s, wire},
		{"JsonConverter", map[string]string{"schemas.enable": "false"}, s, wire},
		{"AvroConverter", registry, s, wire},
		{"JsonSchemaConverter", registry, s, wire},
		{"ProtobufConverter", registry, s, wire},
		{"StringConverter", nil, data.StringSchema, text},
		{"ByteArrayConverter", nil, data.BytesSchema, text},
	} {
		t.Run(x.class, func(t *testing.T) {
			c, err := New(x.class, x.props, false)
			require.NoError(t, err)
			topic := env.Name(t)
			record, _, err := c.FromConnect(nil, topic, x.schema, x.wire)
			require.NoError(t, err)
			record = bytes.Clone(record)
			dst := make([]byte, 0, 64<<10)
			require.Zero(t, fewestAllocations(func() {
				if _, _, err := c.FromConnect(dst, topic, x.schema, x.wire); err != nil {
					t.Error(err)
				}
			}), "written")
			require.Zero(t, fewestAllocations(func() {
				if _, _, err := c.ToConnect(dst, topic, record); err != nil {
					t.Error(err)
				}
			}), "read")
		})
	}
}

// fewestAllocations leaves out what other goroutines of the process allocate meanwhile.
func fewestAllocations(do func()) float64 {
	fewest := math.Inf(1)
	for range 5 {
		fewest = min(fewest, testing.AllocsPerRun(50, do))
	}
	return fewest
}

// Avro that comes in and goes out with the same schema is the same bytes, but for the schema's id.
func TestAvroInAndAvroOutIsACopy(t *testing.T) {
	s, wire := plainOrder(t)
	c, err := New("AvroConverter", map[string]string{"schema.registry.url": env.Registry(t)}, false)
	require.NoError(t, err)
	topic := env.Name(t)
	record, _, err := c.FromConnect(nil, topic, s, wire)
	require.NoError(t, err)
	const head = 5
	require.Equal(t, wire, record[head:], "out")
	schema, read, err := c.ToConnect(nil, topic, record)
	require.NoError(t, err)
	require.Equal(t, wire, read, "in")
	again, _, err := c.FromConnect(nil, topic+"-copy", schema, read)
	require.NoError(t, err)
	require.Equal(t, record[head:], again[head:], "in and out")
}
