package data

import (
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The texts were recorded from Kafka Connect 4.1.0's StringConverter on Java 17 in UTC.
func TestJavaText(t *testing.T) {
	schema := NewStruct().Field("a", Int32Schema).Field("b", OptionalStringSchema).Field("c", BooleanSchema).MustBuild()
	for want, v := range map[string]any{
		"null": nil, "5": int8(5), "300": int16(300), "70000": int32(70000), "-9223372036854775808": int64(math.MinInt64),
		"1.5": float32(1.5), "1.0E10": float32(1e10), "1.0E-5": float32(1e-5), "1.0E21": 1e21, "2.5": 2.5, "100.0": 100.0,
		"0.0": 0.0, "-0.0": math.Copysign(0, -1), "0.001": 0.001, "1.0E7": 1e7, "NaN": math.NaN(), "-Infinity": math.Inf(-1),
		"false": false, "te xt": "te xt", "1.50": NewDecimalValue(150, 2),
		"Tue Nov 14 22:13:20 UTC 2023": time.UnixMilli(1700000000123),
		`[a, b"c, null]`:               []any{"a", `b"c`, nil},
		"{k=1, l=[]}":                  NewMapValue(MapEntry{"k", int32(1)}, MapEntry{"l", []any{}}),
		"Struct{a=1,c=true}":           NewValue(schema).Set("a", 1).Set("c", true).MustBuild(),
	} {
		if got := string(AppendJavaText(nil, v)); got != want {
			t.Errorf("%T %v: got %q, want %q", v, v, got, want)
		}
	}
}

func TestShortFloatsHaveTheDigitsOfTheGeneralAlgorithm(t *testing.T) {
	check := func(f float64) {
		want := strconv.FormatFloat(f, 'f', -1, 64)
		if !strings.Contains(want, ".") {
			want += ".0"
		}
		if got := string(AppendJavaFloat(nil, f, 64)); got != want {
			t.Fatalf("%s: got %s", want, got)
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 50_000 {
		decimals := math.Pow10(random.IntN(9))
		for _, f := range []float64{
			float64(random.Int64N(9_999_999_000_000)) / 1e6, float64(random.IntN(9_999_999)+1) / decimals, random.Float64() * 9e6,
			math.Nextafter(float64(random.IntN(9_999_999)+1)/decimals, 1),
		} {
			if f >= 1e-3 && f < 1e7 {
				check(f)
				check(-f)
			}
		}
	}
}
