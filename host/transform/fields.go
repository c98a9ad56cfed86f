package transform

import (
	"slices"

	"github.com/tailrace/tailrace/host/config"
	"github.com/tailrace/tailrace/host/config/javamap"
	"github.com/tailrace/tailrace/sdk/go/data"
)

// hoistField wraps the whole key or value in a struct or map of one field.
type hoistField struct {
	side
	field string
	keys  []any
	plans perSchema[*data.Schema]
}

func newHoistField(key bool, v config.Values) (step, error) {
	return &hoistField{side: newSide(key, v), field: v.Text("field"), keys: []any{v.Text("field")}}, nil
}

func (t *hoistField) apply(r *Record) error {
	c := t.cell(r)
	s := slot{raw: c.wire}
	if c.has&hasWire != 0 && len(c.wire) > 0 { // what is behind the value would end up behind the field
		if rest, err := data.SkipValue(c.schema, c.wire); err != nil {
			return malformed(c.schema, err)
		} else if len(rest) > 0 {
			return malformed(c.schema, errTrailing)
		}
	} else {
		v, err := c.Value()
		if err != nil {
			return err
		}
		if err := lackingRequired(v); err != nil {
			return err
		}
		s = slot{v: v}
	}
	out := row{slots: c.arena.slots(1)}
	out.slots[0] = s
	if c.schema == nil {
		out.keys = t.keys
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

// lackingRequired is what Java says when it puts a struct into another that has null in a required field: a step before may have left
// one there.
func lackingRequired(v any) error {
	st, ok := v.(*data.Struct)
	if !ok || isNull(st) {
		return nil
	}
	for i, e := range st.Values() {
		if f := &st.Schema().Fields()[i]; isNull(e) && !f.Schema.Optional() {
			if _, has := f.Schema.Default(); !has {
				return nullRequired(f)
			}
		}
	}
	return nil
}

// maskField replaces fields by an empty value of their type, or by a given one.
type maskField struct {
	side
	fields      []string
	replacement string
	custom      bool
	plans       perSchema[*maskPlan]
	shapes      perShape[places]
	temp        []slot
	any         map[byte]slot // by union index: what is masked in wire form
}

// maskPlan says for the fields of one schema how to mask them.
type maskPlan struct {
	t     *maskField
	ready []slot // the masked value, where it does not depend on the old one
	rows  *rowPlan
}

func newMaskField(key bool, v config.Values) (step, error) {
	t := &maskField{
		side: newSide(key, v), fields: javamap.Order(distinct(v.List("fields"))),
		replacement: v.Text("replacement"), custom: !v.IsNull("replacement"), any: map[byte]slot{},
	}
	for _, sample := range []any{false, int8(0), int16(0), int32(0), int64(0), float32(0), float64(0), ""} {
		raw, err := data.AppendValue(nil, nil, sample)
		if ready := t.ready(nil, sample); err == nil && ready.raw != nil {
			t.any[raw[0]] = ready
		}
	}
	return t, nil
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
	plan, err := t.plans.get(c.schema, t.plan)
	if err != nil {
		return err
	}
	return plan.rows.apply(c, in, t.replaceNull, plan)
}

func (t *maskField) plan(s *data.Schema) (*maskPlan, error) {
	p := &maskPlan{t: t, ready: make([]slot, len(s.Fields()))}
	masked := make([]bool, len(s.Fields()))
	for i, f := range s.Fields() {
		if masked[i] = slices.Contains(t.fields, f.Name); masked[i] {
			if sample := sampleOf(f.Schema); sample != nil {
				p.ready[i] = t.ready(f.Schema, sample)
			}
		}
	}
	p.rows = newRowPlan(s, s, nil, t.replaceNull, masked)
	return p, nil
}

// ready is the masked form of all values of the sample's type. It is empty
// where that is an error, to be found when a record needs it.
func (t *maskField) ready(s *data.Schema, sample any) slot {
	v, err := t.mask(sample)
	if err != nil {
		return slot{}
	}
	raw, err := data.AppendValue(nil, s, v)
	if err != nil {
		return slot{}
	}
	return slot{raw: raw}
}

// sampleOf is a value of a type without parts and logical meaning, else nil.
func sampleOf(s *data.Schema) any {
	if s.HasName() {
		return nil
	}
	return map[data.Type]any{
		data.Int8: int8(0), data.Int16: int16(0), data.Int32: int32(0), data.Int64: int64(0),
		data.Float32: float32(0), data.Float64: float64(0), data.Boolean: false, data.String: "",
	}[s.Type()]
}

func (p *maskPlan) change(_ *arena, at int, s *slot, f *data.Field) (slot, error) {
	t := p.t
	null := s.isNull(f.Schema)
	if p.ready[at].raw != nil && !null {
		return p.ready[at], nil
	}
	if null { // null stays null, a default is masked
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
	p := t.shapes.get(in.keys, func(keys []any) places { return findPlaces(keys, t.fields) })
	t.temp = t.temp[:0]
	for _, at := range p.at {
		s := in.entry(at)
		if len(s.raw) > 0 {
			if ready, ok := t.any[s.raw[0]]; ok {
				t.temp = append(t.temp, ready)
				continue
			}
		}
		v, err := s.value(nil)
		if err == nil {
			v, err = t.mask(v)
		}
		if err != nil {
			return err
		}
		t.temp = append(t.temp, slot{v: v})
	}
	c.setEntries(in, p, t.temp)
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
