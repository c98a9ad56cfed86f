package transform

import (
	"slices"

	"github.com/tailrace/tailrace/host/config"
	"github.com/tailrace/tailrace/sdk/go/data"
)

// hoistField wraps the whole key or value in a struct or map of one field.
type hoistField struct {
	side
	field string
	plans perSchema[*data.Schema]
}

func newHoistField(key bool, v config.Values) (step, error) {
	return &hoistField{side: newSide(key, v), field: v.Text("field")}, nil
}

func (t *hoistField) apply(r *Record) error {
	c := t.cell(r)
	s := slot{raw: c.wire}
	if c.has&hasWire == 0 || len(c.wire) == 0 {
		v, err := c.Value()
		if err != nil {
			return err
		}
		s = slot{v: v}
	}
	out := row{slots: c.arena.slots(1)}
	out.slots[0] = s
	if c.schema == nil {
		out.keys = []any{t.field}
		c.setRow(nil, out)
		return nil
	}
	schema, err := t.plans.get(c.schema, func(s *data.Schema) (*data.Schema, error) {
		b := data.NewStruct()
		f := newFields(b)
		f.add(t.field, s)
		return f.build()
	})
	if err != nil {
		return err
	}
	if !c.schema.Optional() && c.IsNull() {
		return nullRequired(&schema.Fields()[0])
	}
	c.setRow(schema, out)
	return nil
}

// maskField replaces fields by an empty value of their type, or by a given one.
type maskField struct {
	side
	fields      []string
	replacement string
	custom      bool
	plans       perSchema[[]bool]
}

func newMaskField(key bool, v config.Values) (step, error) {
	return &maskField{
		side: newSide(key, v), fields: javaOrder(distinct(v.List("fields")), itself),
		replacement: v.Text("replacement"), custom: !v.IsNull("replacement"),
	}, nil
}

func (t *maskField) apply(r *Record) error {
	c := t.cell(r)
	if c.schema == nil {
		return t.schemaless(c)
	}
	in, err := c.requireStruct("mask fields")
	if err != nil {
		return err
	}
	masked, err := t.plans.get(c.schema, func(s *data.Schema) ([]bool, error) {
		masked := make([]bool, len(s.Fields()))
		for i, f := range s.Fields() {
			masked[i] = slices.Contains(t.fields, f.Name)
		}
		return masked, nil
	})
	if err != nil {
		return err
	}
	out := row{slots: c.arena.slots(len(in.slots))}
	fields := c.schema.Fields()
	for i := range in.slots {
		f := &fields[i]
		if !masked[i] {
			out.slots[i], err = in.slots[i].pass(f, t.replaceNull)
		} else {
			out.slots[i], err = t.maskSlot(&in.slots[i], f)
		}
		if err != nil {
			return err
		}
	}
	c.setRow(c.schema, out)
	return nil
}

func (t *maskField) maskSlot(s *slot, f *data.Field) (slot, error) {
	if s.isNull(f.Schema) { // null stays null, a default is masked
		def, has := f.Schema.Default()
		if !has || !t.replaceNull {
			return s.pass(f, false)
		}
		v, err := t.mask(def)
		return slot{v: v}, err
	}
	v, err := s.value(f.Schema)
	if err == nil {
		v, err = t.mask(v)
	}
	return slot{v: v}, err
}

func (t *maskField) schemaless(c *Cell) error {
	in, err := c.requireMap("mask fields")
	if err != nil {
		return err
	}
	out := c.copyOf(in, len(t.fields))
	for _, name := range t.fields {
		v, err := in.get(name)
		if err == nil {
			v, err = t.mask(v)
		}
		if err != nil {
			return err
		}
		out.put(name, slot{v: v})
	}
	c.setRow(nil, out)
	return nil
}

// extractField makes one field, perhaps a nested one, the whole key or value.
type extractField struct {
	side
	original string
	path     fieldPath
	plans    perSchema[*extractPlan]
}

// extractPlan is where the field lies in one schema.
type extractPlan struct {
	index  []int // by step
	schema *data.Schema
}

func newExtractField(key bool, v config.Values) (step, error) {
	path, err := parseFieldPath(v.Text("field"), v.Text(fieldSyntaxKey))
	if err != nil {
		return nil, err
	}
	return &extractField{side: newSide(key, v), original: v.Text("field"), path: path}, nil
}

const extraction = "field extraction"

// errNoPath is what Java's List.subList says to a path without names.
var errNoPath = javaError(illegalArgument, "fromIndex(0) > toIndex(-1)")

func (t *extractField) apply(r *Record) error {
	c := t.cell(r)
	if c.schema == nil {
		return t.schemaless(c)
	}
	null := c.IsNull()
	if !null && c.schema.Type() != data.StructType {
		_, err := c.requireStruct(extraction)
		return err
	}
	plan, err := t.plans.get(c.schema, t.plan)
	if err != nil {
		return err
	}
	if null {
		c.Set(plan.schema, nil)
		return nil
	}
	in, err := c.structRow()
	if err != nil {
		return err
	}
	field := c.schema.Fields()[plan.index[0]]
	s := &in.slots[plan.index[0]]
	if len(plan.index) == 1 {
		if t.replaceNull && s.isNull(field.Schema) {
			if def, ok := field.Schema.Default(); ok {
				c.Set(plan.schema, def)
				return nil
			}
		}
		c.setSlot(plan.schema, s)
		return nil
	}
	v, err := s.read(field.Schema, t.replaceNull)
	if err != nil {
		return err
	}
	for _, i := range plan.index[1:] {
		st, _ := v.(*data.Struct)
		if isNull(st) {
			v = nil
			break
		}
		if v = st.Values()[i]; t.replaceNull {
			v = st.At(i)
		}
	}
	c.Set(plan.schema, v)
	return nil
}

func (t *extractField) plan(s *data.Schema) (*extractPlan, error) {
	p := &extractPlan{schema: s}
	if len(t.path) == 0 {
		return nil, errNoPath
	}
	for _, step := range t.path {
		if p.schema.Type() != data.StructType {
			return nil, dataError("Cannot look up fields on non-struct type")
		}
		f, ok := p.schema.Field(step)
		if !ok {
			return nil, javaError(illegalArgument, "Unknown field: %s", t.original)
		}
		p.index = append(p.index, f.Index)
		p.schema = f.Schema
	}
	return p, nil
}

func (t *extractField) schemaless(c *Cell) error {
	if c.IsNull() {
		c.Set(nil, nil)
		return nil
	}
	in, err := c.requireMap(extraction)
	if err != nil {
		return err
	}
	if len(t.path) == 0 {
		return errNoPath
	}
	i := in.find(t.path[0])
	if i < 0 {
		c.Set(nil, nil)
		return nil
	}
	if len(t.path) == 1 {
		c.setSlot(nil, &in.slots[i])
		return nil
	}
	v, err := in.slots[i].value(nil)
	if err != nil {
		return err
	}
	for _, step := range t.path[1:] {
		if isNull(v) {
			break
		}
		m, ok := v.(*data.Map)
		if !ok {
			return onlyMaps("nested field access", v)
		}
		v, _ = m.Get(step)
	}
	c.Set(nil, v)
	return nil
}
