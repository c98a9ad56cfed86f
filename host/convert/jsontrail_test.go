package convert

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/tailrace/tailrace/sdk/go/data"
)

// fewNames draws an object whose names are often those of other objects, in the same places, and often there twice.
func fewNames(t *rapid.T, depth int) string {
	var members []string
	for range rapid.IntRange(0, 4).Draw(t, "members") {
		name := rapid.SampledFrom([]string{"a", "b", "c", `\u0061`, "long" + strings.Repeat("x", maxTrailText)}).Draw(t, "name")
		colon := rapid.SampledFrom([]string{":", ":", ": "}).Draw(t, "colon")
		value := rapid.SampledFrom([]string{"1", `"x"`, "[]"}).Draw(t, "value")
		if depth > 0 && rapid.Bool().Draw(t, "nested") {
			value = fewNames(t, depth-1)
		}
		members = append(members, `"`+name+`"`+colon+value)
	}
	return "{" + strings.Join(members, ",") + "}"
}

// TestNamesOfRecordsBeforeChangeNothing reads and writes runs of records with one converter, which remembers names.
func TestNamesOfRecordsBeforeChangeNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, w := &jsonConverter{cacheSize: 10}, &jsonConverter{cacheSize: 10}
		for range rapid.IntRange(1, 6).Draw(t, "records") {
			text := fewNames(t, 2)
			samePass(t, c, text)
			_, wire, err := (&jsonConverter{cacheSize: 10}).carefully(nil, jsonText(text))
			require.NoError(t, err)
			got, _, err := w.FromConnect(nil, "t", nil, wire)
			require.NoError(t, err)
			want, _, err := (&jsonConverter{cacheSize: 10}).FromConnect(nil, "t", nil, wire)
			require.NoError(t, err)
			require.Equal(t, string(want), string(got))
		}
	})
}

func TestManyNamesAreNotRemembered(t *testing.T) {
	c := &jsonConverter{cacheSize: 10}
	list := "[" + strings.Repeat(`{"a":1,"b":2},`, maxTrail) + `{"a":3}]`
	for range 3 {
		require.True(t, samePass(t, c, list))
	}
	require.Len(t, c.pass.trail, maxTrail)
	m := make([]any, 0, maxTrail)
	for range maxTrail {
		m = append(m, data.NewMapValue(data.MapEntry{Key: "a", Value: true}, data.MapEntry{Key: "b", Value: nil}))
	}
	wire, err := data.AppendValue(nil, nil, m)
	require.NoError(t, err)
	for range 3 {
		out, _, err := c.FromConnect(nil, "t", nil, wire)
		require.NoError(t, err)
		require.Equal(t, "["+strings.Repeat(`{"a":true,"b":null},`, maxTrail-1)+`{"a":true,"b":null}]`, string(out))
	}
	require.Len(t, c.keys, maxTrail)
}

func TestNumbersAreWrittenAndReadDigitByDigit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.OneOf(rapid.Int64(), rapid.Int64Range(0, 1e16), rapid.Int64Range(0, 1e9), rapid.SampledFrom([]int64{0, 9, 10, 99999999, 100000000, 100000001, 9999999999999999, 10000000000000000})).Draw(t, "v")
		wire, err := data.AppendValue(nil, nil, []any{v})
		require.NoError(t, err)
		c := &jsonConverter{cacheSize: 10}
		out, _, err := c.FromConnect(nil, "t", nil, wire)
		require.NoError(t, err)
		require.Equal(t, string(strconvInts(v)), string(out))
		_, back, err := c.ToConnect(nil, "t", out)
		require.NoError(t, err)
		require.Equal(t, wire, back)
		digits := rapid.StringMatching(`-?[0-9]{1,20}(\.[0-9]{1,20})?`).Draw(t, "digits")
		samePass(t, c, "["+digits+"]")
		samePass(t, c, "["+digits+"x]")
	})
}

func strconvInts(v int64) []byte { return append(strconv.AppendInt([]byte{'['}, v, 10), ']') }
