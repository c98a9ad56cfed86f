package data

import (
	"math/big"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// unscaledGen draws numbers around the borders of bytes, words and 127 bits.
func unscaledGen(t *rapid.T) *big.Int {
	v := new(big.Int).Lsh(big.NewInt(1), uint(rapid.IntRange(0, 140).Draw(t, "bits")))
	v.Add(v, big.NewInt(rapid.Int64Range(-2, 2).Draw(t, "near")))
	if rapid.Bool().Draw(t, "digits") {
		v.SetString(rapid.StringMatching(`[0-9]{1,45}`).Draw(t, "text"), 10)
	}
	if rapid.Bool().Draw(t, "negative") {
		v.Neg(v)
	}
	return v
}

func TestDecimalsWithoutBigNumbersAreThoseOfBigNumbers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v, scale := unscaledGen(t), int32(rapid.IntRange(-12, 50).Draw(t, "scale"))
		d := Decimal{Unscaled: v, Scale: scale}
		want := AppendUnscaled(nil, v)
		unscaled, _, err := ReadBytes(want)
		require.NoError(t, err)
		require.Equal(t, d.String(), string(AppendDecimalString(nil, unscaled, scale)))
		if v.IsInt64() {
			require.Equal(t, want, AppendUnscaledLong(nil, v.Int64()))
		}
		if scale < 0 {
			return
		}
		plain, err := d.Plain(1000)
		require.NoError(t, err)
		got, err := AppendDecimalText(nil, []byte(plain), scale)
		require.NoError(t, err)
		require.Equal(t, want, got)
		// With more decimals than the text has, and with zeros behind.
		more := int32(rapid.IntRange(0, 30).Draw(t, "more"))
		got, err = AppendDecimalText(nil, []byte(plain), scale+more)
		require.NoError(t, err)
		wide, err := d.AppendScaled(nil, scale+more)
		require.NoError(t, err)
		require.Equal(t, wide, got)
	})
}

func TestDecimalTextsThatDoNotFitAreRefused(t *testing.T) {
	for text, wants := range map[string]string{
		"": "no decimal number", "-": "no decimal number", ".": "no decimal number", "1.2.3": "no decimal number", "1e5": "no decimal number",
		"NaN": "no decimal number", "1.005": "more than 2 decimals",
		"123456789012345678901234567890123456789012345.001": "more than 2 decimals",
	} {
		_, err := AppendDecimalText(nil, []byte(text), 2)
		require.ErrorContains(t, err, wants, text)
	}
	got, err := AppendDecimalText(nil, []byte("+1.50000"), 2)
	require.NoError(t, err)
	require.Equal(t, AppendUnscaledLong(nil, 150), got)
	_, err = Decimal{Unscaled: big.NewInt(1), Scale: -2_000_000_000}.AppendScaled(nil, 2)
	require.ErrorContains(t, err, "out of the reach")
}

func BenchmarkDecimal(b *testing.B) {
	text := []byte("12345678901234567890123.1234567891")
	var wire, out []byte
	b.ReportAllocs()
	for b.Loop() {
		wire, _ = AppendDecimalText(wire[:0], text, 10)
		unscaled, _, _ := ReadBytes(wire)
		out = AppendDecimalString(out[:0], unscaled, 10)
	}
}
