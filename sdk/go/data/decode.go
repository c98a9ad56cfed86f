package data

import (
	"encoding/binary"
	"fmt"
	"math"
)

// ReadValue reads one value of the schema from the front of b; s is nil for a schemaless value. Strings, bytes and
// numbers are copied, so b may be used again. A schemaless value of no bytes at all is null. Errors are [*Error], with
// the field's path and the byte counted from the start of b. What it allocates is bounded by a small multiple of len(b),
// however large the counts that the input declares.
func ReadValue(s *Schema, b []byte) (v any, rest []byte, err error) {
	if s == nil && len(b) == 0 {
		return nil, b, nil
	}
	d := decoder{b: b}
	v, err = d.value(s)
	if err != nil {
		return nil, b, err
	}
	return v, b[d.pos:], nil
}

// DecodeValue is ReadValue for input that must be used up.
func DecodeValue(s *Schema, b []byte) (any, error) {
	v, rest, err := ReadValue(s, b)
	if err != nil {
		return nil, err
	}
	if len(rest) > 0 {
		return nil, &Error{Offset: len(b) - len(rest), Schema: s, Reason: fmt.Sprintf("%d bytes are left after the value", len(rest))}
	}
	return v, nil
}

// decodeDefault is the inverse of AppendDefault; s has no default yet.
func decodeDefault(s *Schema, b []byte) (any, error) {
	d := decoder{b: b}
	v, err := d.body(s)
	if err != nil {
		return nil, err
	}
	if d.pos < len(b) {
		return nil, &Error{Offset: d.pos, Schema: s, Reason: fmt.Sprintf("%d bytes are left after the value", len(b)-d.pos)}
	}
	return v, nil
}

// decoder reads from b at pos. A method that fails may leave pos anywhere; its error has the byte.
type decoder struct {
	b       []byte
	pos     int
	empties int
	// shared is a copy of b from sharedAt on, made when the first string is read from a short input.
	shared   string
	sharedAt int
	boxes    []string // room for the strings of the struct being read, see box
}

// shareLimit is the longest input whose strings are parts of one copy. That saves an allocation for each, and a string
// that is kept holds at most this much memory.
const shareLimit = 1024

// text reads a string.
func (d *decoder) text(s *Schema) (string, error) {
	raw, err := d.bytes(s)
	if err != nil || len(raw) == 0 {
		return "", err
	}
	start := d.pos - len(raw)
	if d.shared == "" {
		if len(d.b)-start > shareLimit {
			return string(raw), nil
		}
		d.shared, d.sharedAt = string(d.b[start:]), start
	}
	return d.shared[start-d.sharedAt : d.pos-d.sharedAt], nil
}

// firstItems bounds what is allocated for a declared count before items have been seen.
const firstItems = 256

func (d *decoder) value(s *Schema) (any, error) {
	if s == nil {
		return d.any(0)
	}
	if s.optional {
		present, err := d.presence(s)
		if err != nil || !present {
			return nil, err
		}
	}
	return d.body(s)
}

// body reads a value that is not null, without the union index.
func (d *decoder) body(s *Schema) (any, error) {
	if s.logical != logicalNone {
		return d.logical(s)
	}
	switch s.typ {
	case Int8:
		n, err := d.ranged(s, math.MinInt8, math.MaxInt8)
		return int8(n), err
	case Int16:
		n, err := d.ranged(s, math.MinInt16, math.MaxInt16)
		return int16(n), err
	case Int32:
		n, err := d.ranged(s, math.MinInt32, math.MaxInt32)
		return int32(n), err
	case Int64:
		n, err := d.long(s)
		return n, err
	case Float32:
		raw, err := d.take(s, 4)
		if err != nil {
			return nil, err
		}
		return math.Float32frombits(binary.LittleEndian.Uint32(raw)), nil
	case Float64:
		raw, err := d.take(s, 8)
		if err != nil {
			return nil, err
		}
		return math.Float64frombits(binary.LittleEndian.Uint64(raw)), nil
	case Boolean:
		t, err := d.boolean(s)
		return t, err
	case String:
		text, err := d.text(s)
		if err != nil {
			return nil, err
		}
		return d.box(text), nil
	case Bytes:
		raw, err := d.bytes(s)
		if err != nil {
			return nil, err
		}
		return append(make([]byte, 0, len(raw)), raw...), nil
	case Array:
		return d.array(s)
	case MapType:
		return d.mapping(s)
	default:
		return d.structure(s)
	}
}

func (d *decoder) logical(s *Schema) (any, error) {
	switch s.logical {
	case logicalDecimal:
		raw, err := d.unscaled(s)
		if err != nil {
			return nil, err
		}
		return Decimal{Unscaled: fromTwosComplement(raw), Scale: s.scale}, nil
	case logicalDate:
		n, err := d.ranged(s, math.MinInt32, math.MaxInt32)
		if err != nil {
			return nil, err
		}
		return FromDays(int32(n)), nil
	case logicalTime:
		n, err := d.timeOfDay(s)
		if err != nil {
			return nil, err
		}
		return FromMillis(n), nil
	default:
		n, err := d.long(s)
		if err != nil {
			return nil, err
		}
		return FromMillis(n), nil
	}
}

func (d *decoder) structure(s *Schema) (any, error) {
	if err := d.enter(s); err != nil {
		return nil, err
	}
	st := newStruct(s)
	if s.strings > 1 && s.strings <= len(d.b)-d.pos { // a string takes a byte at least
		d.boxes = make([]string, s.strings)
	}
	for i := range s.fields {
		f := &s.fields[i]
		v, err := d.value(f.Schema)
		if err != nil {
			return nil, under(err, f.Name)
		}
		st.values[i] = v
	}
	return st, nil
}

func (d *decoder) array(s *Schema) (any, error) {
	list := []any{}
	for {
		n, end, err := d.block(s.value.MinSize())
		if err != nil {
			return nil, d.in(err, s)
		}
		if n == 0 {
			return list, nil
		}
		if len(list) == 0 {
			list = make([]any, 0, min(n, firstItems))
		}
		for range n {
			v, err := d.value(s.value)
			if err != nil {
				return nil, underIndex(err, len(list))
			}
			list = append(list, v)
		}
		if err := d.blockEnd(s, end); err != nil {
			return nil, err
		}
	}
}

func (d *decoder) mapping(s *Schema) (any, error) {
	m := &Map{}
	minItem := s.key.MinSize() + s.value.MinSize()
	for {
		n, end, err := d.block(minItem)
		if err != nil {
			return nil, d.in(err, s)
		}
		if n == 0 {
			return m, nil
		}
		if m.entries == nil {
			m.entries = make([]MapEntry, 0, min(n, firstItems))
		}
		for i := range n {
			key, err := d.value(s.key)
			if err != nil {
				return nil, underIndex(err, i)
			}
			v, err := d.value(s.value)
			if err != nil {
				return nil, underKey(err, key, i)
			}
			m.Put(key, v)
		}
		if err := d.blockEnd(s, end); err != nil {
			return nil, err
		}
	}
}

func (d *decoder) any(depth int) (any, error) {
	branch, err := d.anyBranch()
	if err != nil {
		return nil, err
	}
	switch branch {
	case AnyNull:
		return nil, nil
	case AnyArray:
		return d.anyArray(depth)
	case AnyMap, AnyPairs:
		return d.anyMap(branch == AnyMap, depth)
	case AnyDecimal:
		scale, err := d.ranged(anyPrimitive[AnyInt32], math.MinInt32, math.MaxInt32)
		if err != nil {
			return nil, err
		}
		raw, err := d.unscaled(nil)
		if err != nil {
			return nil, err
		}
		return Decimal{Unscaled: fromTwosComplement(raw), Scale: int32(scale)}, nil
	case AnyTimestamp:
		n, err := d.long(nil)
		if err != nil {
			return nil, err
		}
		return FromMillis(n), nil
	}
	return d.body(anyPrimitive[branch])
}

// anyPrimitive has the schema of each branch that is a primitive. It is not made of the ready-made schemas, because
// building those refers to this file.
var anyPrimitive = [...]*Schema{
	AnyBoolean: plain(Boolean), AnyInt8: plain(Int8), AnyInt16: plain(Int16), AnyInt32: plain(Int32), AnyInt64: plain(Int64),
	AnyFloat32: plain(Float32), AnyFloat64: plain(Float64), AnyBytes: plain(Bytes), AnyString: plain(String),
}

func plain(t Type) *Schema {
	s := &Schema{typ: t}
	s.finish()
	return s
}

func (d *decoder) anyArray(depth int) (any, error) {
	if depth >= MaxSchemalessDepth {
		return nil, d.in(tooDeep(), nil)
	}
	list := []any{}
	for {
		n, end, err := d.block(1)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			return list, nil
		}
		if len(list) == 0 {
			list = make([]any, 0, min(n, firstItems))
		}
		for range n {
			v, err := d.any(depth + 1)
			if err != nil {
				return nil, underIndex(err, len(list))
			}
			list = append(list, v)
		}
		if err := d.blockEnd(nil, end); err != nil {
			return nil, err
		}
	}
}

func (d *decoder) anyMap(stringKeys bool, depth int) (any, error) {
	if depth >= MaxSchemalessDepth {
		return nil, d.in(tooDeep(), nil)
	}
	m := &Map{}
	for {
		n, end, err := d.block(2)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			return m, nil
		}
		if m.entries == nil {
			m.entries = make([]MapEntry, 0, min(n, firstItems))
		}
		for i := range n {
			var key any
			if stringKeys {
				key, err = d.body(anyPrimitive[AnyString])
			} else {
				key, err = d.any(depth + 1)
			}
			if err != nil {
				return nil, underIndex(err, i)
			}
			v, err := d.any(depth + 1)
			if err != nil {
				return nil, underKey(err, key, i)
			}
			m.Put(key, v)
		}
		if err := d.blockEnd(nil, end); err != nil {
			return nil, err
		}
	}
}
