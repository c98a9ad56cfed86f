package data

import (
	"bytes"
	"fmt"
	"hash/fnv"
	"math"
	"strconv"
	"time"

	"github.com/tailrace/tailrace/sdk/go/data/javadate"
)

// AppendJavaText appends the text that Java's toString gives for a value of the model, which is what Kafka Connect's
// StringConverter and FileStreamSink write: "null", 1.0E10, {k=v}, [1, 2], Struct{a=1}. For bytes Java writes an
// identity hash; a digest of the content stands in for it.
func AppendJavaText(dst []byte, v any) []byte {
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
		return AppendJavaFloat(dst, float64(v), 32)
	case float64:
		return AppendJavaFloat(dst, v, 64)
	case string:
		return append(dst, v...)
	case []byte:
		h := fnv.New32a()
		_, _ = h.Write(v)
		return fmt.Appendf(dst, "[B@%x", h.Sum32())
	case Decimal:
		return append(dst, v.String()...)
	case time.Time:
		return appendJavaDate(dst, v.UTC())
	case []any:
		return appendJavaList(dst, v)
	case *Map:
		return appendJavaMap(dst, v)
	case *Struct:
		return appendJavaStruct(dst, v)
	}
	return append(dst, "null"...)
}

// appendJavaDate appends Date.toString, with the year counted within its era.
func appendJavaDate(dst []byte, v time.Time) []byte {
	const secondsPerDay = 24 * 60 * 60
	year, month, day := javadate.Date(javadate.FloorDiv(v.Unix(), secondsPerDay))
	if year <= 0 {
		year = 1 - year
	}
	dst = append(append(v.AppendFormat(dst, "Mon "), time.Month(month).String()[:3]...), ' ', byte('0'+day/10), byte('0'+day%10))
	return strconv.AppendInt(v.AppendFormat(dst, " 15:04:05 UTC "), year, 10)
}

func appendJavaList(dst []byte, list []any) []byte {
	dst = append(dst, '[')
	for i, e := range list {
		if i > 0 {
			dst = append(dst, ", "...)
		}
		dst = AppendJavaText(dst, e)
	}
	return append(dst, ']')
}

func appendJavaMap(dst []byte, m *Map) []byte {
	if m == nil {
		return append(dst, "null"...)
	}
	dst = append(dst, '{')
	for i, e := range m.Entries() {
		if i > 0 {
			dst = append(dst, ", "...)
		}
		dst = append(AppendJavaText(dst, e.Key), '=')
		dst = AppendJavaText(dst, e.Value)
	}
	return append(dst, '}')
}

// appendJavaStruct leaves out the fields that are null, as Java's Struct does.
func appendJavaStruct(dst []byte, s *Struct) []byte {
	if isNull(s) {
		return append(dst, "null"...)
	}
	dst = append(dst, "Struct{"...)
	first := true
	for i, f := range s.Schema().Fields() {
		v := s.Values()[i]
		if isNull(v) {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(append(dst, f.Name...), '=')
		dst = AppendJavaText(dst, v)
	}
	return append(dst, '}')
}

// AppendJavaFloat appends Float.toString or Double.toString: at least one digit after the point, an exponent outside 1e-3
// up to 1e7. The digits are the fewest that give the number back, as since Java 19; older versions now and then write one
// more.
func AppendJavaFloat(dst []byte, f float64, bits int) []byte {
	switch {
	case math.IsNaN(f):
		return append(dst, "NaN"...)
	case math.IsInf(f, 1):
		return append(dst, "Infinity"...)
	case math.IsInf(f, -1):
		return append(dst, "-Infinity"...)
	}
	if a := math.Abs(f); a == 0 || a >= 1e-3 && a < 1e7 {
		if bits == 64 && a != 0 {
			if short, ok := appendShortFloat(dst, f, a); ok {
				return short
			}
		}
		start := len(dst)
		dst = strconv.AppendFloat(dst, f, 'f', -1, bits)
		if bytes.IndexByte(dst[start:], '.') < 0 {
			dst = append(dst, ".0"...)
		}
		return dst
	}
	var buf [32]byte
	text := strconv.AppendFloat(buf[:0], f, 'e', -1, bits)
	mantissa, exponent, _ := bytes.Cut(text, []byte{'e'})
	if bytes.IndexByte(mantissa, '.') < 0 {
		// One digit would do, but Java takes the two that are nearest (4.9E-324).
		text = strconv.AppendFloat(buf[:0], f, 'e', 1, bits)
		mantissa, exponent, _ = bytes.Cut(text, []byte{'e'})
	}
	dst = append(dst, mantissa...)
	if bytes.IndexByte(mantissa, '.') < 0 {
		dst = append(dst, ".0"...)
	}
	n, _ := strconv.Atoi(string(exponent)) // strconv's own output: it is a number
	return strconv.AppendInt(append(dst, 'E'), int64(n), 10)
}

// appendShortFloat appends a number of at most six decimals, such as most prices and measures are, with the digits that the general
// algorithm finds: two texts of at most 15 digits never stand for the same float64, so the first that gives the number back is the
// shortest. a is the absolute value: less than 1e7, not 0.
func appendShortFloat(dst []byte, f, a float64) ([]byte, bool) {
	n := uint64(a*1e6 + 0.5) // below 2^44: the nearest one
	if float64(n)/1e6 != a {
		return dst, false
	}
	if f < 0 {
		dst = append(dst, '-')
	}
	dst = strconv.AppendUint(dst, n/1e6, 10)
	fraction, digits := uint32(n%1e6), 6
	if fraction%1e4 == 0 {
		fraction, digits = fraction/1e4, 2
	}
	for digits > 1 && fraction%10 == 0 {
		fraction, digits = fraction/10, digits-1
	}
	dst = append(dst, ".000000"[:digits+1]...)
	for at := len(dst) - 1; fraction > 0; at-- {
		dst[at] = byte('0' + fraction%10)
		fraction /= 10
	}
	return dst, true
}
