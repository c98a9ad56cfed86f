package transform

import (
	"github.com/tailrace/tailrace/host/config"
	"github.com/tailrace/tailrace/sdk/go/data"
)

// flatten lifts the fields of nested structs and maps to the top, under their joined names.
type flatten struct {
	side
	delimiter string
	plans     perSchema[*flattenPlan]
}

type flattenPlan struct {
	schema *data.Schema
	fields []flatField // of the input, in order
}

// flatField is a field of the input struct: a leaf, or a struct with fields of its own.
type flatField struct {
	schema *data.Schema
	inside []flatField // nil for a leaf
	leaf   bool
}

func newFlatten(key bool, v config.Values) (step, error) {
	return &flatten{side: newSide(key, v), delimiter: v.Text("delimiter")}, nil
}

const flattening = "flattening"

func (t *flatten) apply(r *Record) error {
	c := t.cell(r)
	if c.IsNull() {
		return nil
	}
	if c.schema == nil {
		return t.schemaless(c)
	}
	in, err := c.requireStruct(flattening)
	if err != nil {
		return err
	}
	plan, err := t.plans.get(c.schema, t.plan)
	if err != nil {
		return err
	}
	out := flattener{target: plan.schema.Fields(), slots: c.arena.slots(len(plan.schema.Fields()))[:0]}
	for i := range in.slots {
		f := &plan.fields[i]
		if f.leaf {
			err = out.add(in.slots[i], f.schema)
		} else {
			var v any
			if v, err = in.slots[i].read(f.schema, true); err == nil {
				err = out.inside(v, f.inside)
			}
		}
		if err != nil {
			return err
		}
	}
	c.setRow(plan.schema, row{slots: out.slots})
	return nil
}

// flattener collects the slots of the new struct.
type flattener struct {
	target []data.Field
	slots  []slot
}

// add takes a leaf whose schema was from.
func (o *flattener) add(s slot, from *data.Schema) error {
	f := &o.target[len(o.slots)]
	if s.isNull(from) {
		def, ok := from.Default()
		if !ok && !f.Schema.Optional() {
			return nullRequired(f)
		}
		s = slot{v: def}
	} else if s.raw != nil && (from.Optional() != f.Schema.Optional() || from.Optional() && from.NullBranch() != f.Schema.NullBranch()) {
		// The union index before the value differs.
		v, err := s.value(from)
		if err != nil {
			return err
		}
		s = slot{v: v}
	}
	o.slots = append(o.slots, s)
	return nil
}

// inside takes the fields of a nested struct; those of a null one are left unset, that is null.
func (o *flattener) inside(v any, fields []flatField) error {
	st, _ := v.(*data.Struct)
	null := isNull(st)
	for i := range fields {
		f := &fields[i]
		var err error
		switch {
		case !f.leaf && null:
			err = o.inside(nil, f.inside)
		case !f.leaf:
			err = o.inside(st.At(i), f.inside)
		case null:
			o.slots = append(o.slots, slot{})
		default:
			err = o.add(slot{v: st.Values()[i]}, f.schema)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (t *flatten) plan(s *data.Schema) (*flattenPlan, error) {
	b := copyBasics(s, data.NewStruct())
	added := newFields(b)
	def, _ := s.Default()
	fields, err := t.planFields(s, "", added, s.Optional(), def)
	if err != nil {
		return nil, err
	}
	p := &flattenPlan{fields: fields}
	p.schema, err = added.build()
	return p, err
}

// planFields adds the fields of a struct; optional and def come from the structs around it.
func (t *flatten) planFields(s *data.Schema, prefix string, added *fieldAdder, optional bool, def any) ([]flatField, error) {
	parent, _ := def.(*data.Struct)
	out := make([]flatField, 0, len(s.Fields()))
	for i, f := range s.Fields() {
		name := t.join(prefix, f.Name)
		fieldOptional := optional || f.Schema.Optional()
		fieldDefault, ok := f.Schema.Default()
		if !ok && !isNull(parent) {
			fieldDefault = parent.At(i)
		}
		flat := flatField{schema: f.Schema, leaf: true}
		switch f.Schema.Type() {
		case data.StructType:
			inside, err := t.planFields(f.Schema, name, added, fieldOptional, fieldDefault)
			if err != nil {
				return nil, err
			}
			flat.leaf, flat.inside = false, inside
		case data.MapType:
			return nil, dataError("Flatten transformation does not support %s for record with schemas (for field %s).", f.Schema.Type(), name)
		default:
			leaf, err := flatSchema(f.Schema, fieldOptional, fieldDefault)
			if err != nil {
				return nil, err
			}
			added.add(name, leaf)
		}
		if added.err != nil {
			return nil, added.err
		}
		out = append(out, flat)
	}
	return out, nil
}

func flatSchema(s *data.Schema, optional bool, def any) (*data.Schema, error) {
	own, _ := s.Default()
	if s.Optional() == optional && data.Equal(own, def) {
		return s, nil // so that bytes pass as they are
	}
	var b *data.Builder
	if s.Type() == data.Array {
		b = data.NewArray(s.ValueSchema()).Schemaless()
	} else {
		b = data.NewPrimitive(s.Type())
	}
	return buildSchema(copyBasics(s, b).SetOptional(optional).Default(def))
}

func (t *flatten) join(prefix, name string) string {
	if prefix == "" {
		return name
	}
	return prefix + t.delimiter + name
}

func (t *flatten) schemaless(c *Cell) error {
	in, err := c.requireMap(flattening)
	if err != nil {
		return err
	}
	out := row{slots: c.arena.slots(len(in.slots))[:0], keys: make([]any, 0, len(in.slots))}
	for i := range in.slots {
		if err := t.flattenEntry(&out, "", in.keys[i], in.slots[i]); err != nil {
			return err
		}
	}
	c.setRow(nil, out)
	return nil
}

// flattenNull takes over the entry whose key is null: a name of its own, that stays null, but cannot stand before others.
func flattenNull(out *row, s slot) error {
	v, err := s.value(nil)
	if err != nil {
		return err
	}
	if m, ok := v.(*data.Map); ok && !isNull(m) {
		if m.Len() == 0 {
			return nil
		}
		return javaError(nullPointer, `Cannot invoke "String.isEmpty()" because "prefix" is null`)
	}
	if _, known := typeOf(v); !known && !isNull(v) {
		return notFlattened(v)
	}
	out.keys, out.slots = append(out.keys, nil), append(out.slots, s)
	return nil
}

func notFlattened(v any) error {
	return dataError("Flatten transformation was passed a value of type %s which is not supported by Connect's data API", classOf(v))
}

func (t *flatten) flattenEntry(out *row, prefix string, key any, s slot) error {
	text, ok := key.(string)
	if !ok {
		if !isNull(key) {
			return notString(key)
		}
		text = "null"
		if prefix == "" {
			return flattenNull(out, s)
		}
	}
	name := t.join(prefix, text)
	if s.raw != nil && s.raw[0]>>1 != data.AnyMap && s.raw[0]>>1 != data.AnyPairs && s.raw[0]>>1 != data.AnyDecimal && s.raw[0]>>1 != data.AnyTimestamp {
		out.put(name, s)
		return nil
	}
	v, err := s.value(nil)
	if err != nil {
		return err
	}
	if m, ok := v.(*data.Map); ok && !isNull(m) {
		for _, e := range m.Entries() {
			if err := t.flattenEntry(out, name, e.Key, slot{v: e.Value}); err != nil {
				return err
			}
		}
		return nil
	}
	if _, known := typeOf(v); !known && !isNull(v) {
		return notFlattened(v)
	}
	out.put(name, slot{v: v})
	return nil
}
