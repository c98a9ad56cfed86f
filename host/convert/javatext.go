package convert

import (
	"bytes"
	"fmt"
	"hash/fnv"
	"math"
	"strconv"
	"time"

	"github.com/tailrace/tailrace/sdk/go/data"
)

// appendJavaText writes Java's toString of a value.
func appendJavaText(dst []byte, v any) []byte {
	switch v := v.(type) {
	case bool:
		return strconv.AppendBool(dst, v)
	case int8:
		return strconv.AppendInt(dst, int64(v), 10)
	case int16:
		return strconv.AppendInt(dst, int64(v), 10)
	case int32:
		return strconv.AppendInt(dst, int64(v), 10)
	case int64:
		return strconv.AppendInt(dst, v, 10)
	case float32:
		return appendJavaFloat(dst, float64(v), 32)
	case float64:
		return appendJavaFloat(dst, v, 64)
	case string:
		return append(dst, v...)
	case []byte:
		// Java writes an identity hash; a digest of the content stands in for it.
		h := fnv.New32a()
		_, _ = h.Write(v)
		return fmt.Appendf(dst, "[B@%x", h.Sum32())
	case data.Decimal:
		return append(dst, v.String()...)
	case time.Time:
		return v.UTC().AppendFormat(dst, "Mon Jan 02 15:04:05 UTC 2006")
	case []any:
		dst = append(dst, '[')
		for i, e := range v {
			if i > 0 {
				dst = append(dst, ", "...)
			}
			dst = appendJavaText(dst, e)
		}
		return append(dst, ']')
	case *data.Map:
		dst = append(dst, '{')
		for i, e := range v.Entries() {
			if i > 0 {
				dst = append(dst, ", "...)
			}
			dst = appendJavaText(dst, e.Key)
			dst = append(dst, '=')
			dst = appendJavaText(dst, e.Value)
		}
		return append(dst, '}')
	case *data.Struct:
		return appendJavaStruct(dst, v)
	}
	return append(dst, "null"...)
}

// appendJavaStruct writes Struct{a=1,b=x}; fields that are null are left out.
func appendJavaStruct(dst []byte, s *data.Struct) []byte {
	dst = append(dst, "Struct{"...)
	first := true
	for i, f := range s.Schema().Fields() {
		v := s.Values()[i]
		if v == nil {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(append(dst, f.Name...), '=')
		dst = appendJavaText(dst, v)
	}
	return append(dst, '}')
}

// appendJavaFloat writes Java's Float.toString or Double.toString: at least one
// digit after the point, an exponent outside 1e-3 up to 1e7. The digits are the
// fewest that give the number back, as since Java 19; older versions now and
// then write one more.
func appendJavaFloat(dst []byte, f float64, bits int) []byte {
	switch {
	case math.IsNaN(f):
		return append(dst, "NaN"...)
	case math.IsInf(f, 1):
		return append(dst, "Infinity"...)
	case math.IsInf(f, -1):
		return append(dst, "-Infinity"...)
	case f == 0:
		if math.Signbit(f) {
			dst = append(dst, '-')
		}
		return append(dst, "0.0"...)
	}
	if a := math.Abs(f); a >= 1e-3 && a < 1e7 {
		start := len(dst)
		dst = strconv.AppendFloat(dst, f, 'f', -1, bits)
		if bytes.IndexByte(dst[start:], '.') < 0 {
			dst = append(dst, ".0"...)
		}
		return dst
	}
	var buf [32]byte
	text := strconv.AppendFloat(buf[:0], f, 'e', -1, bits) // d.ddde±dd
	e := len(text) - 1
	for text[e] != 'e' {
		e--
	}
	mantissa, exponent := text[:e], text[e+1:]
	if bytes.IndexByte(mantissa, '.') < 0 {
		// One digit would do, Java takes the two that are nearest (4.9E-324).
		text = strconv.AppendFloat(buf[:0], f, 'e', 1, bits)
		e = bytes.IndexByte(text, 'e')
		mantissa, exponent = text[:e], text[e+1:]
	}
	dst = append(dst, mantissa...)
	dst = append(dst, 'E')
	if exponent[0] == '-' {
		dst = append(dst, '-')
	}
	exponent = exponent[1:]
	for len(exponent) > 1 && exponent[0] == '0' {
		exponent = exponent[1:]
	}
	return append(dst, exponent...)
}
