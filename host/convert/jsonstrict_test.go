package convert

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tailrace/tailrace/sdk/go/data"
)

func TestStrictValuesRefuseWhatWouldBeDamaged(t *testing.T) {
	for text, damaged := range map[string]bool{
		`{"schema":{"type":"int8"},"payload":300}`:                              true,
		`{"schema":{"type":"int8"},"payload":-128}`:                             false,
		`{"schema":{"type":"int32"},"payload":99999999999}`:                     true,
		`{"schema":{"type":"int32"},"payload":5.7}`:                             true,
		`{"schema":{"type":"int32"},"payload":5.0}`:                             false,
		`{"schema":{"type":"int32"},"payload":"5"}`:                             true,
		`{"schema":{"type":"int64"},"payload":9223372036854775808}`:             true,
		`{"schema":{"type":"int64"},"payload":-9223372036854775808}`:            false,
		`{"schema":{"type":"double"},"payload":"NaN"}`:                          true,
		`{"schema":{"type":"double"},"payload":1e400}`:                          true,
		`{"schema":{"type":"float"},"payload":1e39}`:                            true,
		`{"schema":{"type":"double"},"payload":-0.0}`:                           true,
		`{"schema":{"type":"double"},"payload":1}`:                              false,
		`{"schema":{"type":"boolean"},"payload":1}`:                             true,
		`{"schema":{"type":"string","optional":true},"payload":1}`:              true,
		`{"schema":{"type":"string"},"payload":"1"}`:                            false,
		`{"schema":{"type":"bytes","optional":true},"payload":true}`:            true,
		`{"schema":{"type":"string"},"payload":"1"} trailing`:                   true,
		`{"schema":null,"payload":{"a":9223372036854775808}}`:                   true,
		`{"schema":null,"payload":[1e400]}`:                                     true,
		`{"schema":null,"payload":{"a":[1,2.5,"x",null]}}`:                      false,
		`{"schema":{"type":"array","items":{"type":"int8"}},"payload":{"a":1}}`: true,
	} {
		t.Run(text, func(t *testing.T) {
			_, _, err := mustNew(t, "JsonConverter", map[string]string{"strict.values": "true"}).ToConnect(nil, "t", []byte(text))
			if damaged {
				require.ErrorContains(t, err, "strict.values: ")
			} else {
				require.NoError(t, err)
			}
			_, _, err = mustNew(t, "JsonConverter", nil).ToConnect(nil, "t", []byte(text))
			require.NoError(t, err, "Kafka Connect takes it")
		})
	}
	for name, c := range map[string]struct {
		schema *data.Schema
		value  any
	}{
		"NaN": {data.Float64Schema, math.NaN()}, "infinite": {data.Float32Schema, float32(math.Inf(1))}, "no UTF-8": {data.StringSchema, "\xff"},
	} {
		t.Run(name, func(t *testing.T) {
			wire, err := data.AppendValue(nil, c.schema, c.value)
			require.NoError(t, err)
			_, _, err = mustNew(t, "JsonConverter", map[string]string{"strict.values": "true"}).FromConnect(nil, "t", c.schema, wire)
			require.ErrorContains(t, err, "strict.values: ")
			_, _, err = mustNew(t, "JsonConverter", nil).FromConnect(nil, "t", c.schema, wire)
			require.NoError(t, err)
		})
	}
}

func TestLargeNumbersOfHeadersKeepTheirScale(t *testing.T) {
	schema, wire, err := (&simpleHeaderConverter{}).ToHeader(nil, "t", "h", []byte("1e400"))
	require.NoError(t, err)
	v, err := data.DecodeValue(schema, wire)
	require.NoError(t, err)
	require.Equal(t, int32(-400), v.(data.Decimal).Scale)
}
