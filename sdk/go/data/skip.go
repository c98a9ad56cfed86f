package data

import "math"

// SkipValue passes over one value of the schema and returns what follows. It checks everything that ReadValue checks and
// accepts the same inputs, without allocating. So input that was skipped once may be transcoded without fear.
func SkipValue(s *Schema, b []byte) (rest []byte, err error) {
	if s == nil && len(b) == 0 {
		return b, nil
	}
	d := decoder{b: b}
	if err := d.skip(s); err != nil {
		return b, err
	}
	return b[d.pos:], nil
}

func (d *decoder) skip(s *Schema) error {
	if s == nil {
		return d.skipAny(0)
	}
	if s.optional {
		present, err := d.presence(s)
		if err != nil || !present {
			return err
		}
	}
	return d.skipBody(s)
}

func (d *decoder) skipBody(s *Schema) (err error) {
	switch s.typ {
	case Int8:
		_, err = d.ranged(s, math.MinInt8, math.MaxInt8)
	case Int16:
		_, err = d.ranged(s, math.MinInt16, math.MaxInt16)
	case Int32:
		if s.logical == logicalTime {
			_, err = d.timeOfDay(s)
		} else {
			_, err = d.ranged(s, math.MinInt32, math.MaxInt32)
		}
	case Int64:
		_, err = d.long(s)
	case Float32:
		_, err = d.take(s, 4)
	case Float64:
		_, err = d.take(s, 8)
	case Boolean:
		_, err = d.boolean(s)
	case String:
		_, err = d.bytes(s)
	case Bytes:
		if s.logical == logicalDecimal {
			_, err = d.unscaled(s)
		} else {
			_, err = d.bytes(s)
		}
	case Array:
		err = d.skipArray(s)
	case MapType:
		err = d.skipMap(s)
	default:
		err = d.skipStruct(s)
	}
	return err
}

func (d *decoder) skipStruct(s *Schema) error {
	if err := d.enter(s); err != nil {
		return err
	}
	for i := range s.fields {
		if err := d.skip(s.fields[i].Schema); err != nil {
			return under(err, s.fields[i].Name)
		}
	}
	return nil
}

func (d *decoder) skipArray(s *Schema) error {
	done := 0
	for {
		n, end, err := d.block(s.value.MinSize())
		if err != nil {
			return d.in(err, s)
		}
		if n == 0 {
			return nil
		}
		for range n {
			if err := d.skip(s.value); err != nil {
				return underIndex(err, done)
			}
			done++
		}
		if err := d.blockEnd(s, end); err != nil {
			return err
		}
	}
}

func (d *decoder) skipMap(s *Schema) error {
	minItem := s.key.MinSize() + s.value.MinSize()
	for {
		n, end, err := d.block(minItem)
		if err != nil {
			return d.in(err, s)
		}
		if n == 0 {
			return nil
		}
		for i := range n {
			if err := d.skip(s.key); err != nil {
				return underIndex(err, i)
			}
			if err := d.skip(s.value); err != nil {
				return underIndex(err, i)
			}
		}
		if err := d.blockEnd(s, end); err != nil {
			return err
		}
	}
}

func (d *decoder) skipAny(depth int) error {
	branch, err := d.anyBranch()
	if err != nil {
		return err
	}
	switch branch {
	case AnyNull:
		return nil
	case AnyArray, AnyMap, AnyPairs:
		return d.skipAnyItems(branch, depth)
	case AnyDecimal:
		if _, err := d.ranged(anyPrimitive[AnyInt32], math.MinInt32, math.MaxInt32); err != nil {
			return err
		}
		_, err = d.unscaled(nil)
		return err
	case AnyTimestamp:
		_, err = d.long(nil)
		return err
	}
	return d.skipBody(anyPrimitive[branch])
}

func (d *decoder) skipAnyItems(branch byte, depth int) error {
	if depth >= MaxSchemalessDepth {
		return d.in(tooDeep(), nil)
	}
	minItem := 2
	if branch == AnyArray {
		minItem = 1
	}
	for {
		n, end, err := d.block(minItem)
		if err != nil {
			return err
		}
		if n == 0 {
			return nil
		}
		for i := range n {
			switch branch {
			case AnyMap:
				_, err = d.bytes(anyPrimitive[AnyString])
			case AnyPairs:
				err = d.skipAny(depth + 1)
			}
			if err == nil {
				err = d.skipAny(depth + 1)
			}
			if err != nil {
				return underIndex(err, i)
			}
		}
		if err := d.blockEnd(nil, end); err != nil {
			return err
		}
	}
}
