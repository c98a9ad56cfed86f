package transform

import (
	"github.com/tailrace/tailrace/host/config"
	"github.com/tailrace/tailrace/sdk/go/data"
)

// side is what all transforms with the variants $Key and $Value share.
type side struct {
	key         bool
	replaceNull bool // replace.null.with.default
}

func newSide(key bool, v config.Values) side {
	return side{key: key, replaceNull: v.Bool(replaceNullKey)}
}

// cell is the part of the record that the transform works on.
func (s side) cell(r *Record) *Cell {
	if s.key {
		return &r.Key
	}
	return &r.Value
}

// isMap reports whether a value without a schema is a map.
func (c *Cell) isMap() bool {
	switch {
	case c.has&hasRow != 0:
		return true
	case c.has&hasValue != 0:
		_, ok := c.value.(*data.Map)
		return ok && !isNull(c.value)
	}
	if len(c.wire) == 0 {
		return false
	}
	branch, _, err := data.ReadLong(c.wire)
	return err == nil && (branch == data.AnyMap || branch == data.AnyPairs)
}

// requireMap splits a map without a schema. Null is refused too.
func (c *Cell) requireMap(purpose string) (row, error) {
	if !c.isMap() {
		v, err := c.Value()
		if err != nil {
			return row{}, err
		}
		return row{}, onlyMaps(purpose, v)
	}
	return c.mapRow()
}

// requireStruct splits a struct. Null is refused too.
func (c *Cell) requireStruct(purpose string) (row, error) {
	if c.schema.Type() != data.StructType || c.IsNull() {
		v, err := c.Value()
		if err != nil {
			return row{}, err
		}
		return row{}, onlyStructs(purpose, v)
	}
	return c.structRow()
}

// fieldsOf is Java's Schema.fields, which fails on what is not a struct.
func fieldsOf(s *data.Schema) ([]data.Field, error) {
	if s.Type() != data.StructType {
		return nil, notListable()
	}
	return s.Fields(), nil
}

// put sets an entry of a map row that is under construction, whose keys nobody shares yet.
func (r *row) put(name string, s slot) {
	if i := r.find(name); i >= 0 {
		r.slots[i] = s
		return
	}
	r.keys = append(r.keys, name)
	r.slots = append(r.slots, s)
}
