package transform

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tailrace/tailrace/host/convert"
	"github.com/tailrace/tailrace/sdk/go/data"
)

// className is the name of the Java class that a value has in Kafka Connect,
// "null" for null. Lists and maps are named as JsonConverter makes them.
func className(v any) string {
	if isNull(v) {
		return "null"
	}
	switch v.(type) {
	case bool:
		return "java.lang.Boolean"
	case int8:
		return "java.lang.Byte"
	case int16:
		return "java.lang.Short"
	case int32:
		return "java.lang.Integer"
	case int64:
		return "java.lang.Long"
	case float32:
		return "java.lang.Float"
	case float64:
		return "java.lang.Double"
	case string:
		return "java.lang.String"
	case []byte:
		return "[B"
	case data.Decimal:
		return "java.math.BigDecimal"
	case time.Time:
		return "java.util.Date"
	case []any:
		return "java.util.ArrayList"
	case *data.Map:
		return "java.util.HashMap"
	case *data.Struct:
		return "org.apache.kafka.connect.data.Struct"
	}
	return fmt.Sprintf("%T", v)
}

// classOf is the text of Java's getClass().
func classOf(v any) string { return "class " + className(v) }

// typeOf is the Connect type of a schemaless value that is not null; logical
// values have none, as in ConnectSchema.schemaType.
func typeOf(v any) (data.Type, bool) {
	switch v.(type) {
	case bool:
		return data.Boolean, true
	case int8:
		return data.Int8, true
	case int16:
		return data.Int16, true
	case int32:
		return data.Int32, true
	case int64:
		return data.Int64, true
	case float32:
		return data.Float32, true
	case float64:
		return data.Float64, true
	case string:
		return data.String, true
	case []byte:
		return data.Bytes, true
	case []any:
		return data.Array, true
	case *data.Map:
		return data.MapType, true
	case *data.Struct:
		return data.StructType, true
	}
	return 0, false
}

// javaText is Java's toString.
func javaText(v any) string { return string(data.AppendJavaText(nil, v)) }

// javaLong is Number.longValue; ok is false for what is not a number. Java
// saturates floating point numbers, turns NaN to 0 and keeps the low bits of a
// BigDecimal.
func javaLong(v any) (n int64, ok bool) {
	switch v := v.(type) {
	case int8:
		return int64(v), true
	case int16:
		return int64(v), true
	case int32:
		return int64(v), true
	case int64:
		return v, true
	case float32:
		return saturate(float64(v), math.MinInt64, math.MaxInt64), true
	case float64:
		return saturate(v, math.MinInt64, math.MaxInt64), true
	case data.Decimal:
		return decimalLong(v), true
	}
	return 0, false
}

// javaInt is Number.intValue.
func javaInt(v any) (n int32, ok bool) {
	switch v := v.(type) {
	case float32:
		return int32(saturate(float64(v), math.MinInt32, math.MaxInt32)), true
	case float64:
		return int32(saturate(v, math.MinInt32, math.MaxInt32)), true
	}
	long, ok := javaLong(v)
	return int32(long), ok
}

// javaDouble is Number.doubleValue.
func javaDouble(v any) (f float64, ok bool) {
	switch v := v.(type) {
	case float32:
		return float64(v), true
	case float64:
		return v, true
	case data.Decimal:
		f, _ := strconv.ParseFloat(v.String(), 64) // out of range is infinity, as in Java
		return f, true
	}
	long, ok := javaLong(v)
	return float64(long), ok
}

// javaFloat is Number.floatValue.
func javaFloat(v any) (f float32, ok bool) {
	switch v := v.(type) {
	case float32:
		return v, true
	case float64:
		return float32(v), true
	case data.Decimal:
		f, _ := strconv.ParseFloat(v.String(), 32)
		return float32(f), true
	}
	long, ok := javaLong(v)
	return float32(long), ok
}

func saturate(f float64, low, high int64) int64 {
	switch {
	case f != f:
		return 0
	case f <= float64(low):
		return low
	case f >= float64(high):
		return high
	}
	return int64(f)
}

// decimalLong drops the fraction and keeps the low 64 bits.
func decimalLong(d data.Decimal) int64 {
	n := new(big.Int)
	if d.Unscaled != nil {
		n.Set(d.Unscaled)
	}
	switch {
	case n.Sign() == 0:
		return 0
	case d.Scale > 0:
		if int(d.Scale) > n.BitLen() { // 10^scale has more bits than the number
			return 0
		}
		n.Quo(n, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(d.Scale)), nil))
	case d.Scale <= -64: // 10^64 is a multiple of 2^64
		return 0
	case d.Scale < 0:
		n.Mul(n, new(big.Int).Exp(big.NewInt(10), big.NewInt(-int64(d.Scale)), nil))
	}
	low := new(big.Int).And(n, new(big.Int).SetUint64(math.MaxUint64)) // two's complement, also of negative numbers
	return int64(low.Uint64())
}

// parseInteger is Byte.parseByte up to Long.parseLong.
func parseInteger(text string, bits int) (int64, error) {
	bad := func() (int64, error) {
		return 0, javaError(numberFormat, "For input string: \"%s\"", text)
	}
	digits := strings.TrimPrefix(text, "-")
	if digits == text {
		digits = strings.TrimPrefix(text, "+")
	}
	if digits == "" {
		return bad()
	}
	ascii := make([]byte, 0, len(digits))
	if len(digits) < len(text) {
		ascii = append(ascii, text[0])
	}
	for _, r := range digits {
		d := digitValue(r)
		if d < 0 {
			return bad()
		}
		ascii = append(ascii, byte('0'+d))
	}
	if bits < 32 { // Java parses an int first
		n, err := strconv.ParseInt(string(ascii), 10, 32)
		if err != nil {
			return bad()
		}
		if n < -1<<(bits-1) || n >= 1<<(bits-1) {
			return 0, javaError(numberFormat, "Value out of range. Value:\"%s\" Radix:10", text)
		}
		return n, nil
	}
	n, err := strconv.ParseInt(string(ascii), 10, bits)
	if err != nil {
		return bad()
	}
	return n, nil
}

// javaNaN is Java's, whose bits are not those of math.NaN.
var javaNaN = math.Float64frombits(0x7ff8_0000_0000_0000)

// parseFloating is Float.parseFloat and Double.parseDouble.
func parseFloating(text string, bits int) (float64, error) {
	s := strings.TrimFunc(text, func(r rune) bool { return r <= ' ' })
	if s == "" {
		return 0, javaError(numberFormat, "empty String")
	}
	bad := func() (float64, error) { return 0, javaError(numberFormat, "For input string: \"%s\"", s) }
	unsigned := s
	if s[0] == '+' || s[0] == '-' {
		unsigned = s[1:]
	}
	if unsigned == "NaN" || unsigned == "Infinity" {
		f, err := strconv.ParseFloat(s, bits)
		if unsigned == "NaN" {
			return javaNaN, nil
		}
		if err != nil {
			return bad()
		}
		return f, nil
	}
	hex := len(unsigned) > 1 && unsigned[0] == '0' && (unsigned[1] == 'x' || unsigned[1] == 'X')
	if hex && !strings.ContainsAny(unsigned, "pP") {
		return bad()
	}
	number := s
	if last := s[len(s)-1]; strings.IndexByte("dDfF", last) >= 0 && (!hex || strings.ContainsAny(unsigned, "pP")) {
		number = s[:len(s)-1]
	}
	for i := range len(number) {
		c := number[i]
		digit := c >= '0' && c <= '9' || strings.IndexByte("+-.eE", c) >= 0
		if !digit && (!hex || strings.IndexByte("abcdfABCDFxXpP", c) < 0) {
			return bad()
		}
	}
	f, err := strconv.ParseFloat(number, bits)
	if err != nil && !math.IsInf(f, 0) && f != 0 || err != nil && isSyntax(err) {
		return bad()
	}
	return f, nil
}

func isSyntax(err error) bool { return strings.Contains(err.Error(), "invalid syntax") }

// parseBigDecimal is Java's new BigDecimal(text), with its message for the usual mistake.
func parseBigDecimal(text string) (data.Decimal, error) {
	ascii := make([]byte, 0, len(text))
	for _, r := range text {
		if d := digitValue(r); d >= 0 {
			ascii = append(ascii, byte('0'+d))
		} else if r < 0x80 {
			ascii = append(ascii, byte(r))
		} else {
			ascii = append(ascii, '?')
		}
	}
	d, err := data.ParseDecimal(string(ascii))
	if err == nil {
		return d, nil
	}
	return data.Decimal{}, notBigDecimal([]rune(text))
}

// notBigDecimal finds what Java complains about. Up to 18 characters it reads in one way, more in another.
func notBigDecimal(text []rune) *convert.Error {
	all := len(text)
	bad := func(message string) *convert.Error { return javaError(numberFormat, "%s", message) }
	end := func() *convert.Error {
		e := bad(`Character array is missing "exponent" mark 'e' or 'E'.`)
		e.Cause = javaError(arrayIndex, "Index %d out of bounds for length %d", all, all)
		return e
	}
	if all == 0 {
		return end()
	}
	if text[0] == '-' || text[0] == '+' {
		text = text[1:]
	}
	short, point, digits := len(text) <= 18, false, false
	for i, r := range text {
		switch {
		case digitValue(r) >= 0:
			digits = true
		case r == '.' && point:
			return bad("Character array contains more than one decimal point.")
		case r == '.':
			point = true
		case r == 'e' || r == 'E':
			if why := badExponent(text[i+1:]); why != "" {
				return bad(why)
			} else if rest := text[i+1:]; len(rest) == 0 || len(rest) == 1 && (rest[0] == '+' || rest[0] == '-') {
				return end()
			}
			if !digits {
				return bad("No digits found.")
			}
			return bad("Scale out of range.")
		case short:
			if r > 0xffff { // Java shows the half of it that it has read
				r = utf8.RuneError
			}
			return bad(fmt.Sprintf("Character %c is neither a decimal digit number, decimal point, nor \"e\" notation exponential mark.", r))
		default:
			return bad("Character array is missing \"e\" notation exponential mark.")
		}
	}
	return bad("No digits found.")
}

// badExponent tells what is wrong with the text behind an e, "" if nothing is.
func badExponent(text []rune) string {
	if len(text) > 0 && (text[0] == '+' || text[0] == '-') {
		text = text[1:]
	}
	for len(text) > 10 && digitValue(text[0]) == 0 {
		text = text[1:]
	}
	if len(text) > 10 {
		return "Too many nonzero exponent digits."
	}
	value := int64(0)
	for _, r := range text {
		if digitValue(r) < 0 {
			return "Not a digit."
		}
		value = value*10 + int64(digitValue(r))
	}
	if value > math.MaxInt32 {
		return "Exponent overflow."
	}
	return ""
}
