package data

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
)

// The functions of this file are the Avro primitives, for code that writes or reads positions of a struct directly
// instead of building values. Append functions add to dst and return it, as append does. Read functions take from the
// front of b and return the rest; their errors count bytes from the start of b.

// AppendLong writes an int8, int16, int32 or int64, a length, a count or a union index: zigzag varint.
func AppendLong(dst []byte, v int64) []byte {
	u := uint64(v)<<1 ^ uint64(v>>63)
	if u < 0x80 {
		return append(dst, byte(u))
	}
	return binary.AppendUvarint(dst, u)
}

// AppendInt is AppendLong for an int32; Avro's int and long have one form.
func AppendInt(dst []byte, v int32) []byte { return AppendLong(dst, int64(v)) }

// AppendBool writes one byte, 0 or 1.
func AppendBool(dst []byte, v bool) []byte {
	if v {
		return append(dst, 1)
	}
	return append(dst, 0)
}

// AppendFloat writes a float32: four bytes, little-endian. A NaN keeps its bits.
func AppendFloat(dst []byte, v float32) []byte {
	return binary.LittleEndian.AppendUint32(dst, math.Float32bits(v))
}

// AppendDouble writes a float64: eight bytes, little-endian. A NaN keeps its bits.
func AppendDouble(dst []byte, v float64) []byte {
	return binary.LittleEndian.AppendUint64(dst, math.Float64bits(v))
}

// AppendString writes a string: its length in bytes, then the bytes as they are, even if they are not UTF-8.
func AppendString(dst []byte, v string) []byte { return append(AppendLong(dst, int64(len(v))), v...) }

// AppendBytes writes bytes: their number, then the bytes.
func AppendBytes(dst []byte, v []byte) []byte { return append(AppendLong(dst, int64(len(v))), v...) }

// AppendPresence writes the union index that goes before a value of an optional schema; for a required schema it writes
// nothing. When present is false nothing else may follow for this value.
func AppendPresence(dst []byte, s *Schema, present bool) []byte {
	if !s.optional {
		return dst
	}
	return append(dst, s.branch(present))
}

// branch is the union index as its one wire byte: 0x00 for index 0, 0x02 for index 1.
func (s *Schema) branch(present bool) byte {
	if present == s.nullFirst {
		return 2
	}
	return 0
}

// AppendBlockStart goes before the n items of an array or map, all of which must follow. AppendBlockEnd closes the array
// or map; an empty one is the end alone.
func AppendBlockStart(dst []byte, n int) []byte {
	if n == 0 {
		return dst
	}
	return AppendLong(dst, int64(n))
}

// AppendBlockEnd ends an array or map.
func AppendBlockEnd(dst []byte) []byte { return append(dst, 0) }

// ReadLong reads what AppendLong wrote.
func ReadLong(b []byte) (v int64, rest []byte, err error) {
	if len(b) > 0 && b[0] < 0x80 {
		u := b[0]
		return int64(u>>1) ^ -int64(u&1), b[1:], nil
	}
	v, n := varint(b)
	if n <= 0 {
		return 0, b, varintError(n)
	}
	return v, b[n:], nil
}

// varint returns the bytes used, 0 if b ends too early, -1 if it does not fit 64 bits.
func varint(b []byte) (int64, int) {
	if len(b) >= 8 {
		// Ids and timestamps take five to seven bytes; gathering their 7-bit groups together is several times faster than
		// byte by byte. The first byte below 0x80 is the last one.
		x := binary.LittleEndian.Uint64(b)
		if end := ^x & 0x8080808080808080; end != 0 {
			n := bits.TrailingZeros64(end)/8 + 1
			x &= ^uint64(0) >> (64 - 8*n)
			x = x&0x007f007f007f007f | x&0x7f007f007f007f00>>1
			x = x&0x00003fff00003fff | x&0x3fff00003fff0000>>2
			x = x&0x000000000fffffff | x&0x0fffffff00000000>>4
			return int64(x>>1) ^ -int64(x&1), n
		}
	}
	u, n := binary.Uvarint(b)
	if n < 0 {
		return 0, -1
	}
	return int64(u>>1) ^ -int64(u&1), n
}

func varintError(n int) error {
	if n < 0 {
		return &Error{Reason: "the varint does not fit 64 bits"}
	}
	return short("a varint")
}

func short(what string) *Error {
	return &Error{Reason: "the input ends inside " + what, Err: ErrShort}
}

// ReadInt reads an Avro int: at most five bytes, and the value must fit an int32.
func ReadInt(b []byte) (v int32, rest []byte, err error) {
	long, rest, err := ReadLong(b)
	if err != nil {
		return 0, b, err
	}
	if long < math.MinInt32 || long > math.MaxInt32 || len(b)-len(rest) > maxIntBytes {
		return 0, b, outOfRange("INT32")
	}
	return int32(long), rest, nil
}

// maxIntBytes is the longest varint that Avro readers accept as an int; Java's refuses more, so bytes that are passed on
// unchanged must not have more.
const maxIntBytes = 5

func outOfRange(typ string) *Error { return &Error{Reason: "the number does not fit " + typ} }

// ReadBool reads one byte, which must be 0 or 1.
func ReadBool(b []byte) (v bool, rest []byte, err error) {
	if len(b) == 0 {
		return false, b, short("a boolean")
	}
	if b[0] > 1 {
		return false, b, &Error{Reason: fmt.Sprintf("a boolean is 0 or 1, not %d", b[0])}
	}
	return b[0] == 1, b[1:], nil
}

// ReadFloat reads a float32 with its bits.
func ReadFloat(b []byte) (v float32, rest []byte, err error) {
	if len(b) < 4 {
		return 0, b, short("a float")
	}
	return math.Float32frombits(binary.LittleEndian.Uint32(b)), b[4:], nil
}

// ReadDouble reads a float64 with its bits.
func ReadDouble(b []byte) (v float64, rest []byte, err error) {
	if len(b) < 8 {
		return 0, b, short("a double")
	}
	return math.Float64frombits(binary.LittleEndian.Uint64(b)), b[8:], nil
}

// ReadBytes reads bytes or a string without copying: v is a part of b.
func ReadBytes(b []byte) (v, rest []byte, err error) {
	n, rest, err := ReadLong(b)
	if err != nil {
		return nil, b, err
	}
	if n < 0 || n > int64(len(rest)) {
		return nil, b, badLength(n, len(rest))
	}
	return rest[:n:n], rest[n:], nil
}

func badLength(n int64, left int) *Error {
	if n < 0 {
		return &Error{Reason: fmt.Sprintf("the length %d is negative", n)}
	}
	return &Error{Reason: fmt.Sprintf("the length is %d, but only %d bytes are left", n, left), Err: ErrShort}
}

// ReadString reads a string; it is a copy.
func ReadString(b []byte) (v string, rest []byte, err error) {
	raw, rest, err := ReadBytes(b)
	return string(raw), rest, err
}

// ReadPresence reads the union index of an optional schema and tells whether a value follows. For a required schema it
// reads nothing and a value always follows.
func ReadPresence(s *Schema, b []byte) (present bool, rest []byte, err error) {
	if !s.optional {
		return true, b, nil
	}
	i, rest, err := ReadLong(b)
	if err != nil {
		return false, b, err
	}
	if i != 0 && i != 1 {
		return false, b, badBranch(i)
	}
	return int(i) != s.NullBranch(), rest, nil
}

func badBranch(i int64) *Error {
	return &Error{Reason: fmt.Sprintf("the union index of an optional value is 0 or 1, not %d", i)}
}

// ReadBlock reads the head of a block of an array or map: how many items follow. Zero is the end of the array or map;
// after n items comes another block. A block that states its size in bytes is accepted, and the size is not checked
// here. minItemSize is the fewest bytes that an item takes (see MinSize; for a map key and value together): a count that
// the input cannot hold is an error, so n is safe for sizing. Items of no bytes are limited to MaxEmptyStructs.
func ReadBlock(b []byte, minItemSize int) (n int, rest []byte, err error) {
	d := decoder{b: b}
	n, _, err = d.block(minItemSize)
	if err != nil {
		return 0, b, err
	}
	return n, b[d.pos:], nil
}
