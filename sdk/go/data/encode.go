package data

import (
	"fmt"
	"math/big"
	"math/bits"
	"time"
)

// The encoding of a value against its schema is Apache Avro binary, by position:
//
//   - INT8, INT16, INT32, INT64: zigzag varint. FLOAT32, FLOAT64: IEEE bits, little-endian. BOOLEAN: a byte 0 or 1.
//     STRING, BYTES: length as a varint, then the bytes.
//   - STRUCT: its fields in order, nothing between them.
//   - An optional schema puts the index of a union before the value: [null, T], but [T, null] if the schema has a
//     default. So 0x00 is null and 0x02 a value, or the other way round.
//   - ARRAY: blocks of a count and that many items, ended by a count of 0. This package writes one block; readers
//     must take several, and a negative count, which is followed by the block's size in bytes.
//   - MAP with required STRING keys: blocks as above of key and value. Any other MAP: the same bytes, seen by Avro as an
//     array of records (key, value).
//   - Decimal: BYTES with the unscaled number, big-endian two's complement, at least one byte, written minimal.
//     Date, Time, Timestamp: their INT32 or INT64.
//   - Where there is no schema: the index of a branch of the union "any" as a varint, then its content (AnyNull…).
//
// A required value that is null is written as its schema's default, if there is one.

// The branches of the union that stands where there is no schema. Index 15 is reserved for typed structs.
const (
	AnyNull      = 0  // nothing
	AnyBoolean   = 1  // BOOLEAN
	AnyInt8      = 2  // INT8
	AnyInt16     = 3  // INT16
	AnyInt32     = 4  // INT32
	AnyInt64     = 5  // INT64
	AnyFloat32   = 6  // FLOAT32
	AnyFloat64   = 7  // FLOAT64
	AnyBytes     = 8  // BYTES
	AnyString    = 9  // STRING
	AnyArray     = 10 // blocks of any
	AnyMap       = 11 // blocks of (string, any); every key is a string
	AnyPairs     = 12 // blocks of (any, any); for maps with other keys
	AnyDecimal   = 13 // INT32 scale, BYTES unscaled
	AnyTimestamp = 14 // INT64 milliseconds since 1970-01-01T00:00:00Z
)

// MaxEmptyStructs is how many structs that take no bytes one value may hold. Without a limit, a few bytes could declare
// billions of them.
const MaxEmptyStructs = 1 << 16

// AppendValue appends the wire form of v, which must be a value of s (see Validate); s is nil for a schemaless value. On
// error it returns dst as it was, and an [*Error] with the field's path.
func AppendValue(dst []byte, s *Schema, v any) ([]byte, error) {
	e := encoder{b: dst}
	if err := e.value(s, v); err != nil {
		return dst, err
	}
	return e.b, nil
}

// AppendDefault appends the schema's default as a value of the schema's required form, that is without a union index.
// It reports whether there is a default. Builder.WireDefault is the inverse.
func (s *Schema) AppendDefault(dst []byte) ([]byte, bool) {
	if s.def == nil {
		return dst, false
	}
	e := encoder{b: dst}
	if err := e.body(s, s.def); err != nil { // cannot be: Build has encoded it once
		return dst, false
	}
	return e.b, true
}

// checkDefault makes sure that a default is a value of the schema and can be encoded.
func checkDefault(s *Schema, def any) error {
	if err := Validate(s, def); err != nil {
		return err
	}
	e := encoder{}
	return e.body(s, def)
}

type encoder struct {
	b       []byte
	empties int
}

func (e *encoder) value(s *Schema, v any) error {
	if s == nil {
		return e.any(v, 0)
	}
	if v == nil || isNull(v) {
		switch {
		case s.optional:
			e.b = append(e.b, s.branch(false))
			return nil
		case s.def != nil:
			return e.body(s, s.def)
		}
		return badValue(s, v, "null, but "+s.describe()+" is required")
	}
	if s.optional {
		e.b = append(e.b, s.branch(true))
	}
	return e.body(s, v)
}

// body encodes a value that is not null, without the union index.
func (e *encoder) body(s *Schema, v any) error {
	if s.logical != logicalNone {
		return e.logical(s, v)
	}
	ok := false
	switch s.typ {
	case Int8:
		var n int8
		if n, ok = v.(int8); ok {
			e.b = AppendLong(e.b, int64(n))
		}
	case Int16:
		var n int16
		if n, ok = v.(int16); ok {
			e.b = AppendLong(e.b, int64(n))
		}
	case Int32:
		var n int32
		if n, ok = v.(int32); ok {
			e.b = AppendLong(e.b, int64(n))
		}
	case Int64:
		var n int64
		if n, ok = v.(int64); ok {
			e.b = AppendLong(e.b, n)
		}
	case Float32:
		var n float32
		if n, ok = v.(float32); ok {
			e.b = AppendFloat(e.b, n)
		}
	case Float64:
		var n float64
		if n, ok = v.(float64); ok {
			e.b = AppendDouble(e.b, n)
		}
	case Boolean:
		var t bool
		if t, ok = v.(bool); ok {
			e.b = AppendBool(e.b, t)
		}
	case String:
		var t string
		if t, ok = v.(string); ok {
			e.b = AppendString(e.b, t)
		}
	case Bytes:
		var t []byte
		if t, ok = v.([]byte); ok {
			e.b = AppendBytes(e.b, t)
		}
	case Array:
		var list []any
		if list, ok = v.([]any); ok {
			return e.array(s, list)
		}
	case MapType:
		var m *Map
		if m, ok = v.(*Map); ok {
			return e.mapping(s, m)
		}
	case StructType:
		var st *Struct
		if st, ok = v.(*Struct); ok {
			return e.structure(s, st)
		}
	}
	if !ok {
		return wrongType(s, v)
	}
	return nil
}

func (e *encoder) logical(s *Schema, v any) error {
	if s.logical == logicalDecimal {
		d, ok := v.(Decimal)
		switch {
		case !ok:
			return wrongType(s, v)
		case s.scaleErr != "":
			return badValue(s, v, s.scaleErr)
		case d.Scale != s.scale:
			return badValue(s, v, fmt.Sprintf("the decimal has scale %d, but its schema has scale %d", d.Scale, s.scale))
		}
		e.b = AppendUnscaled(e.b, d.unscaled())
		return nil
	}
	t, ok := v.(time.Time)
	if !ok {
		return wrongType(s, v)
	}
	n, err := int64(0), error(nil)
	switch s.logical {
	case logicalDate:
		var days int32
		days, err = ToDays(t)
		n = int64(days)
	case logicalTime:
		var millis int32
		millis, err = ToTimeMillis(t)
		n = int64(millis)
	default:
		n, err = ToMillis(t)
	}
	if err != nil {
		return &Error{Offset: -1, Schema: s, Value: v, Reason: err.Error(), Err: err}
	}
	e.b = AppendLong(e.b, n)
	return nil
}

func (e *encoder) array(s *Schema, list []any) error {
	e.b = AppendBlockStart(e.b, len(list))
	for i, item := range list {
		if err := e.value(s.value, item); err != nil {
			return underIndex(err, i)
		}
	}
	e.b = AppendBlockEnd(e.b)
	return nil
}

// mapping needs no case for string keys: a pair is written like an entry.
func (e *encoder) mapping(s *Schema, m *Map) error {
	e.b = AppendBlockStart(e.b, len(m.entries))
	for i := range m.entries {
		entry := &m.entries[i]
		if err := e.value(s.key, entry.Key); err != nil {
			return underIndex(err, i)
		}
		if err := e.value(s.value, entry.Value); err != nil {
			return underKey(err, entry.Key, i)
		}
	}
	e.b = AppendBlockEnd(e.b)
	return nil
}

func (e *encoder) structure(s *Schema, st *Struct) error {
	if !s.fits(st.schema) {
		return schemaMismatch(s, st)
	}
	if s.minSize == 0 {
		if e.empties++; e.empties > MaxEmptyStructs {
			return badValue(s, nil, tooManyEmpty)
		}
	}
	for i := range s.fields {
		if err := e.value(s.fields[i].Schema, st.values[i]); err != nil {
			return under(err, s.fields[i].Name)
		}
	}
	return nil
}

var tooManyEmpty = fmt.Sprintf("more than %d structs without any content in one value", MaxEmptyStructs)

func (e *encoder) any(v any, depth int) error {
	if isNull(v) {
		e.branch(AnyNull)
		return nil
	}
	switch v := v.(type) {
	case bool:
		e.branch(AnyBoolean)
		e.b = AppendBool(e.b, v)
	case int8:
		e.branch(AnyInt8)
		e.b = AppendLong(e.b, int64(v))
	case int16:
		e.branch(AnyInt16)
		e.b = AppendLong(e.b, int64(v))
	case int32:
		e.branch(AnyInt32)
		e.b = AppendLong(e.b, int64(v))
	case int64:
		e.branch(AnyInt64)
		e.b = AppendLong(e.b, v)
	case float32:
		e.branch(AnyFloat32)
		e.b = AppendFloat(e.b, v)
	case float64:
		e.branch(AnyFloat64)
		e.b = AppendDouble(e.b, v)
	case []byte:
		e.branch(AnyBytes)
		e.b = AppendBytes(e.b, v)
	case string:
		e.branch(AnyString)
		e.b = AppendString(e.b, v)
	case Decimal:
		e.branch(AnyDecimal)
		e.b = AppendUnscaled(AppendInt(e.b, v.Scale), v.unscaled())
	case time.Time:
		millis, err := ToMillis(v)
		if err != nil {
			return &Error{Offset: -1, Value: v, Reason: err.Error(), Err: err}
		}
		e.branch(AnyTimestamp)
		e.b = AppendLong(e.b, millis)
	case []any:
		return e.anyArray(v, depth)
	case *Map:
		return e.anyMap(v, depth)
	default:
		return notSchemaless(v)
	}
	return nil
}

func (e *encoder) branch(i byte) { e.b = append(e.b, i<<1) }

func (e *encoder) anyArray(list []any, depth int) error {
	if depth >= MaxSchemalessDepth {
		return tooDeep()
	}
	e.branch(AnyArray)
	e.b = AppendBlockStart(e.b, len(list))
	for i, item := range list {
		if err := e.any(item, depth+1); err != nil {
			return underIndex(err, i)
		}
	}
	e.b = AppendBlockEnd(e.b)
	return nil
}

func (e *encoder) anyMap(m *Map, depth int) error {
	if depth >= MaxSchemalessDepth {
		return tooDeep()
	}
	stringKeys := m.allStringKeys()
	if stringKeys {
		e.branch(AnyMap)
	} else {
		e.branch(AnyPairs)
	}
	e.b = AppendBlockStart(e.b, len(m.entries))
	for i := range m.entries {
		entry := &m.entries[i]
		if stringKeys {
			e.b = AppendString(e.b, entry.Key.(string))
		} else if err := e.any(entry.Key, depth+1); err != nil {
			return underIndex(err, i)
		}
		if err := e.any(entry.Value, depth+1); err != nil {
			return underKey(err, entry.Key, i)
		}
	}
	e.b = AppendBlockEnd(e.b)
	return nil
}

// AppendUnscaled writes the unscaled number of a Decimal as its BYTES.
func AppendUnscaled(dst []byte, v *big.Int) []byte {
	if !v.IsInt64() {
		return appendTwosComplement(AppendLong(dst, int64(twosComplementLen(v))), v)
	}
	// The usual case, without touching the heap.
	n := v.Int64()
	size := bits.Len64(uint64(n^(n>>63)))/8 + 1
	dst = AppendLong(dst, int64(size))
	for shift := 8 * (size - 1); shift >= 0; shift -= 8 {
		dst = append(dst, byte(n>>shift))
	}
	return dst
}
