package data

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"
	"time"
)

// isNull reports whether v stands for null: nil, or a nil *Map or *Struct (or a Struct that was not made here and so has
// no schema).
func isNull(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case *Map:
		return v == nil
	case *Struct:
		return v == nil || v.schema == nil
	}
	return false
}

// Equal reports whether two values are the same, in type and content, as Java's equals does: NaN equals NaN and 0.0
// differs from -0.0; decimals must agree in scale; maps are compared without order; times to the millisecond, which is
// all that Connect keeps; structs must have equal schemas.
func Equal(a, b any) bool {
	if isNull(a) || isNull(b) {
		return isNull(a) && isNull(b)
	}
	switch a := a.(type) {
	case float32:
		b, ok := b.(float32)
		return ok && (math.Float32bits(a) == math.Float32bits(b) || a != a && b != b)
	case float64:
		b, ok := b.(float64)
		return ok && (math.Float64bits(a) == math.Float64bits(b) || a != a && b != b)
	case []byte:
		b, ok := b.([]byte)
		return ok && bytes.Equal(a, b)
	case Decimal:
		b, ok := b.(Decimal)
		return ok && a.Equal(b)
	case time.Time:
		b, ok := b.(time.Time)
		return ok && a.Unix() == b.Unix() && a.Nanosecond()/1e6 == b.Nanosecond()/1e6
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, Equal)
	case *Map:
		b, ok := b.(*Map)
		return ok && equalMaps(a, b)
	case *Struct:
		b, ok := b.(*Struct)
		return ok && (a == b || a.schema.Equal(b.schema) && slices.EqualFunc(a.values, b.values, Equal))
	case bool, int8, int16, int32, int64, string:
		return a == b
	}
	return false // not a type of the model
}

func equalMaps(a, b *Map) bool {
	if a == b {
		return true
	}
	if a.Len() != b.Len() {
		return false
	}
	for _, e := range a.entries {
		v, ok := b.Get(e.Key)
		if !ok || !Equal(e.Value, v) {
			return false
		}
	}
	return true
}

// identity is a string that two values share exactly when Equal holds for them.
func identity(v any) string {
	if s, ok := v.(string); ok { // the usual map key; the prefix keeps it apart from other types
		return "s" + s
	}
	return string(appendIdentity(nil, v))
}

func appendIdentity(dst []byte, v any) []byte {
	if isNull(v) {
		return append(dst, 'n')
	}
	number := func(tag byte, n uint64) []byte { return binary.BigEndian.AppendUint64(append(dst, tag), n) }
	switch v := v.(type) {
	case bool:
		if v {
			return append(dst, 'T')
		}
		return append(dst, 'F')
	case int8:
		return number('1', uint64(v))
	case int16:
		return number('2', uint64(v))
	case int32:
		return number('4', uint64(v))
	case int64:
		return number('8', uint64(v))
	case float32:
		if v != v {
			return append(dst, 'N')
		}
		return number('f', uint64(math.Float32bits(v)))
	case float64:
		if v != v {
			return append(dst, 'M')
		}
		return number('d', math.Float64bits(v))
	case string:
		// At the top level the length is not needed, and identity takes a short cut without it.
		if len(dst) == 0 {
			return append(append(dst, 's'), v...)
		}
		return append(number('s', uint64(len(v))), v...)
	case []byte:
		return append(number('b', uint64(len(v))), v...)
	case Decimal:
		dst = number('D', uint64(v.Scale))
		raw := appendTwosComplement(nil, v.unscaled())
		return append(binary.BigEndian.AppendUint64(dst, uint64(len(raw))), raw...)
	case time.Time:
		dst = number('t', uint64(v.Unix()))
		return binary.BigEndian.AppendUint16(dst, uint16(v.Nanosecond()/1e6))
	case []any:
		dst = number('a', uint64(len(v)))
		for _, e := range v {
			dst = appendIdentity(dst, e)
		}
		return dst
	case *Map:
		return appendMapIdentity(number('m', uint64(v.Len())), v)
	case *Struct:
		dst = number('S', v.schema.Hash())
		for _, e := range v.values {
			dst = appendIdentity(dst, e)
		}
		return dst
	}
	return append(dst, '?')
}

// appendMapIdentity sorts the entries, because maps are equal without regard to order.
func appendMapIdentity(dst []byte, m *Map) []byte {
	parts := make([][]byte, 0, m.Len())
	for _, e := range m.entries {
		part := appendIdentity([]byte{'k'}, e.Key)
		parts = append(parts, appendIdentity(part, e.Value))
	}
	slices.SortFunc(parts, bytes.Compare)
	for _, part := range parts {
		dst = append(dst, part...)
	}
	return dst
}
