package transform

import (
	"github.com/tailrace/tailrace/sdk/go/data"
)

// Cell is a key, a value or the value of a header, with its schema. It holds the
// value in one or more forms that mean the same: the wire form it came in, a
// row of its fields, and the whole value in memory. Each is made on first use;
// a change leaves only the changed form.
type Cell struct {
	schema *data.Schema
	wire   []byte
	row    row
	value  any
	has    form
	arena  *arena
}

// form is a set of forms.
type form uint8

const (
	hasWire form = 1 << iota
	hasRow
	hasValue
	madeWire // the wire form is what a program made, not what came
)

// SetWire sets the value in wire form; schema is nil for a value without one, and
// no bytes at all are null then. raw must stay as it is until the batch is reset.
func (c *Cell) SetWire(schema *data.Schema, raw []byte) {
	c.schema, c.wire, c.row, c.value, c.has = schema, raw, row{}, nil, hasWire
}

// setMade sets the value in a wire form that the batch's arena holds.
func (c *Cell) setMade(schema *data.Schema, raw []byte) {
	c.SetWire(schema, raw)
	c.has |= madeWire
}

// Set sets the value. It must not be changed afterwards.
func (c *Cell) Set(schema *data.Schema, value any) {
	c.schema, c.wire, c.row, c.value, c.has = schema, nil, row{}, value, hasValue
}

func (c *Cell) setRow(schema *data.Schema, r row) {
	c.schema, c.wire, c.row, c.value, c.has = schema, nil, r, nil, hasRow
}

// setSlot makes a field of a row the whole value.
func (c *Cell) setSlot(schema *data.Schema, s *slot) {
	if s.raw != nil {
		c.SetWire(schema, s.raw)
	} else {
		c.Set(schema, s.v)
	}
}

// Schema is nil for a value without a schema.
func (c *Cell) Schema() *data.Schema { return c.schema }

// Changed reports whether the value is no longer the bytes given to SetWire.
func (c *Cell) Changed() bool { return c.has&(hasWire|madeWire) != hasWire }

// IsNull reports whether the value is null, without decoding it.
func (c *Cell) IsNull() bool {
	switch {
	case c.has&hasRow != 0:
		return false
	case c.has&hasValue != 0:
		return isNull(c.value)
	}
	return rawIsNull(c.schema, c.wire)
}

func rawIsNull(s *data.Schema, raw []byte) bool {
	if s == nil {
		return len(raw) == 0 || raw[0] == data.AnyNull
	}
	if !s.Optional() {
		return false
	}
	if len(raw) > 0 && raw[0] <= 2 { // a minimal union index, as nearly always
		return raw[0] == byte(s.NullBranch()<<1)
	}
	present, _, err := data.ReadPresence(s, raw)
	return err == nil && !present
}

func isNull(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case *data.Map:
		return v == nil
	case *data.Struct:
		return v == nil || v.Schema() == nil
	}
	return false
}

// Value is the whole value in memory. Do not change it.
func (c *Cell) Value() (any, error) {
	switch {
	case c.has&hasValue != 0:
		return c.value, nil
	case c.has&hasWire != 0:
		v, err := decode(c.schema, c.wire)
		if err != nil {
			return nil, err
		}
		c.value = v
	case c.schema != nil:
		st, err := data.NewStructValue(c.schema)
		if err != nil {
			return nil, malformed(c.schema, err)
		}
		for i := range c.row.slots {
			if st.Values()[i], err = c.row.slots[i].value(c.schema.Fields()[i].Schema); err != nil {
				return nil, err
			}
		}
		c.value = st
	default:
		m := data.NewMapValue()
		for i := range c.row.slots {
			v, err := c.row.slots[i].value(nil)
			if err != nil {
				return nil, err
			}
			m.Put(c.row.keys[i], v)
		}
		c.value = m
	}
	c.has |= hasValue
	return c.value, nil
}

func decode(s *data.Schema, raw []byte) (any, error) {
	if s == nil && len(raw) == 0 {
		return nil, nil
	}
	v, err := data.DecodeValue(s, raw)
	if err != nil {
		return nil, malformed(s, err)
	}
	return v, nil
}

// Wire gives the wire form: the bytes that came, if the value is unchanged, else
// bytes appended to dst. It fails, with dst as it was, on a value that its schema
// does not allow, such as null in a required field; Kafka Connect finds
// that in the converter, so the error belongs to the converter's stage.
func (c *Cell) Wire(dst []byte) (out, dstAfter []byte, err error) {
	if c.has&hasWire != 0 {
		return c.wire, dst, nil
	}
	start := len(dst)
	after := dst
	if c.has&hasRow != 0 {
		after, err = c.row.append(after, c.schema)
	} else {
		after, err = data.AppendValue(after, c.schema, c.value)
	}
	if err != nil {
		return nil, dst, dataError("%s", err.Error())
	}
	return after[start:len(after):len(after)], after, nil
}
