package data

import (
	"errors"
	"fmt"
	"math"
)

// This file is what reading and skipping share, so that both accept the same input. Every length and count is checked
// against the bytes that are left before anything is done with it.

// in gives an error of a primitive its place and schema.
func (d *decoder) in(err error, s *Schema) error {
	var e *Error
	if errors.As(err, &e) {
		e.Offset, e.Schema = d.pos, s
	}
	return err
}

func (d *decoder) long(s *Schema) (int64, error) {
	if d.pos < len(d.b) {
		if u := d.b[d.pos]; u < 0x80 {
			d.pos++
			return int64(u>>1) ^ -int64(u&1), nil
		}
	}
	v, n := varint(d.b[d.pos:])
	if n <= 0 {
		return 0, d.in(varintError(n), s)
	}
	d.pos += n
	return v, nil
}

// ranged reads an Avro int and checks its range.
func (d *decoder) ranged(s *Schema, low, high int64) (int64, error) {
	start := d.pos
	v, err := d.long(s)
	if err != nil {
		return 0, err
	}
	if v < low || v > high || d.pos-start > maxIntBytes {
		d.pos = start
		return 0, d.in(outOfRange(s.typ.String()), s)
	}
	return v, nil
}

func (d *decoder) timeOfDay(s *Schema) (int64, error) {
	start := d.pos
	v, err := d.ranged(s, math.MinInt32, math.MaxInt32)
	if err != nil {
		return 0, err
	}
	if v < 0 || v > millisPerDay { // both ends included, as in Kafka Connect
		d.pos = start
		return 0, d.in(&Error{Reason: fmt.Sprintf("a Time is 0 to %d milliseconds, not %d", millisPerDay, v)}, s)
	}
	return v, nil
}

func (d *decoder) take(s *Schema, n int) ([]byte, error) {
	if len(d.b)-d.pos < n {
		return nil, d.in(short("a "+s.typ.String()), s)
	}
	raw := d.b[d.pos : d.pos+n]
	d.pos += n
	return raw, nil
}

func (d *decoder) boolean(s *Schema) (bool, error) {
	v, _, err := ReadBool(d.b[d.pos:])
	if err != nil {
		return false, d.in(err, s)
	}
	d.pos++
	return v, nil
}

func (d *decoder) bytes(s *Schema) ([]byte, error) {
	start := d.pos
	n, err := d.long(s)
	if err != nil {
		return nil, err
	}
	if n < 0 || n > int64(len(d.b)-d.pos) {
		left := len(d.b) - d.pos
		d.pos = start
		return nil, d.in(badLength(n, left), s)
	}
	raw := d.b[d.pos : d.pos+int(n)]
	d.pos += int(n)
	return raw, nil
}

// unscaled reads the bytes of a decimal; s is nil in a schemaless value.
func (d *decoder) unscaled(s *Schema) ([]byte, error) {
	if s != nil && s.scaleErr != "" {
		return nil, d.in(&Error{Reason: s.scaleErr}, s)
	}
	start := d.pos
	raw, err := d.bytes(s)
	if err != nil {
		return nil, err
	}
	if len(raw) == 0 {
		d.pos = start
		return nil, d.in(&Error{Reason: "a Decimal takes at least one byte"}, s)
	}
	return raw, nil
}

func (d *decoder) presence(s *Schema) (bool, error) {
	start := d.pos
	i, err := d.long(s)
	if err != nil {
		return false, err
	}
	if i != 0 && i != 1 {
		d.pos = start
		return false, d.in(badBranch(i), s)
	}
	return (i == 1) == s.nullFirst, nil
}

func (d *decoder) anyBranch() (byte, error) {
	start := d.pos
	i, err := d.long(nil)
	if err != nil {
		return 0, err
	}
	if i < AnyNull || i > AnyTimestamp {
		d.pos = start
		return 0, d.in(&Error{Reason: fmt.Sprintf("the union index of a schemaless value is %d to %d, not %d", AnyNull, AnyTimestamp, i)}, nil)
	}
	return byte(i), nil
}

// enter counts the structs that take no input.
func (d *decoder) enter(s *Schema) error {
	if s.minSize > 0 {
		return nil
	}
	if d.empties++; d.empties > MaxEmptyStructs {
		return d.in(&Error{Reason: tooManyEmpty}, s)
	}
	return nil
}

// block reads the head of a block: n items follow, and if end is not negative they must end there. n == 0 ends the array
// or map.
func (d *decoder) block(minItem int) (n, end int, err error) {
	start := d.pos
	fail := func(format string, args ...any) (int, int, error) {
		d.pos = start
		return 0, -1, d.in(&Error{Reason: fmt.Sprintf(format, args...)}, nil)
	}
	count, err := d.long(nil)
	if err != nil {
		return 0, -1, err
	}
	end = -1
	if count < 0 {
		if count == math.MinInt64 {
			return fail("the item count %d is out of range", count)
		}
		count = -count
		size, err := d.long(nil)
		if err != nil {
			return 0, -1, err
		}
		if size < 0 || size > int64(len(d.b)-d.pos) {
			return fail("the block size is %d, but %d bytes are left", size, len(d.b)-d.pos)
		}
		end = d.pos + int(size)
	}
	left := int64(len(d.b) - d.pos)
	if minItem > 0 && count > left/int64(minItem) {
		return fail("%d items of at least %d bytes are declared, but only %d bytes are left", count, minItem, left)
	}
	if minItem == 0 && count > MaxEmptyStructs {
		return fail("%d items are declared: %s", count, tooManyEmpty)
	}
	return int(count), end, nil
}

// blockEnd checks the size that a block declared, so that whoever jumps by it ends where the items do.
func (d *decoder) blockEnd(s *Schema, end int) error {
	if end >= 0 && d.pos != end {
		return d.in(&Error{Reason: fmt.Sprintf("the items of a block end here, but its declared size ends at byte %d", end)}, s)
	}
	return nil
}
