package transform

import (
	"slices"

	"github.com/tailrace/tailrace/host/config"
	"github.com/tailrace/tailrace/host/config/javamap"
	"github.com/tailrace/tailrace/sdk/go/data"
)

// replaceField drops and renames fields.
type replaceField struct {
	side
	exclude, include []string
	renames, back    map[string]string
	plans            perSchema[*replacePlan]
	shapes           perShape[*keysPlan]
}

type replacePlan struct {
	rows *rowPlan
	err  error // of the field after the last of rows, which a record meets when it gets there

	// For fields that would get values of another schema; rows is not set then.
	odd    bool
	schema *data.Schema
	from   []int
}

func newReplaceField(key bool, v config.Values) (step, error) {
	t := &replaceField{
		side: newSide(key, v), exclude: v.List("exclude"), include: v.List("include"),
		renames: map[string]string{}, back: map[string]string{},
	}
	var order []string
	for _, pair := range v.List("renames") {
		parts := splitColon(pair)
		if len(parts) != 2 {
			return nil, invalidRename(v.List("renames"), pair)
		}
		if _, twice := t.renames[parts[0]]; !twice {
			order = append(order, parts[0])
		}
		t.renames[parts[0]] = parts[1]
	}
	// When two fields get the same name, Java's map of the names back to the fields keeps the one that its hash order has last.
	for _, from := range javamap.Order(order) {
		t.back[t.renames[from]] = from
	}
	return t, nil
}

func invalidRename(all []string, pair string) error {
	return invalid("renames", all, "Invalid rename mapping: "+pair)
}

func (t *replaceField) keeps(name string) bool {
	return !slices.Contains(t.exclude, name) && (len(t.include) == 0 || slices.Contains(t.include, name))
}

func (t *replaceField) renamed(name string) string {
	if to, ok := t.renames[name]; ok {
		return to
	}
	return name
}

const replacement = "field replacement"

func (t *replaceField) apply(r *Record) error {
	c := t.cell(r)
	if c.IsNull() {
		return nil
	}
	if c.schema == nil {
		return t.schemaless(c)
	}
	in, err := c.requireStruct(replacement)
	if err != nil {
		return err
	}
	plan, err := t.plans.get(c.schema, t.plan)
	if err != nil {
		return err
	}
	if plan.odd {
		return plan.mixed(c, in, t.replaceNull)
	}
	if err := plan.rows.prepare(c, in, t.replaceNull, nil); err != nil {
		return err
	}
	if plan.err != nil {
		return plan.err
	}
	c.setRow(plan.rows.schema, plan.rows.commit(c, in, true))
	return nil
}

func (t *replaceField) plan(s *data.Schema) (*replacePlan, error) {
	b := copyBasics(s, data.NewStruct())
	added := newFields(b)
	p := &replacePlan{}
	for _, f := range s.Fields() {
		if t.keeps(f.Name) {
			added.add(t.renamed(f.Name), f.Schema)
		}
	}
	schema, err := added.build()
	if err != nil {
		return nil, err
	}
	old := []int{}
	for _, f := range schema.Fields() {
		name := f.Name
		if from, ok := t.back[name]; ok {
			name = from
		}
		from, ok := s.Field(name)
		if !ok {
			p.err = dataError("%s is not a valid field name", name)
			break
		}
		p.odd = p.odd || from.Schema != f.Schema && !from.Schema.Equal(f.Schema)
		old = append(old, from.Index)
	}
	if p.odd {
		p.schema, p.from = schema, old
		return p, nil
	}
	p.rows = newRowPlan(s, schema, old, t.replaceNull, nil)
	return p, nil
}

// mixed moves values into fields of other schemas, which some of them may fit. That happens when a field gets the new
// name of another one: Java looks the values up by name.
func (p *replacePlan) mixed(c *Cell, in row, replaceNull bool) error {
	out := c.arena.slots(len(p.schema.Fields()))[:0]
	for n, i := range p.from {
		f := &p.schema.Fields()[n]
		v, err := in.slots[i].read(c.schema.Fields()[i].Schema, replaceNull)
		switch {
		case err != nil:
			return err
		case isNull(v) && !f.Schema.Optional():
			return nullRequired(f)
		case !isNull(v) && data.Validate(f.Schema, v) != nil:
			return wrongClass(f.Schema, f.Schema.Type(), v, `field: "`+f.Name+`"`)
		}
		out = append(out, slot{v: v})
	}
	if p.err != nil {
		return p.err
	}
	c.setRow(p.schema, row{slots: out})
	return nil
}

func (t *replaceField) schemaless(c *Cell) error {
	in, err := c.requireMap(replacement)
	if err != nil {
		return err
	}
	plan := t.shapes.get(in.keys, t.shape)
	if plan.err != nil {
		return plan.err
	}
	out := row{slots: c.arena.slots(len(plan.from)), keys: plan.keys}
	for n, i := range plan.from {
		out.slots[n] = in.slots[i]
	}
	c.setRow(nil, out)
	return nil
}

// keysPlan is what replacePlan is, for maps with the same keys.
type keysPlan struct {
	keys []any
	from []int
	err  error
}

func (t *replaceField) shape(keys []any) *keysPlan {
	p := &keysPlan{keys: []any{}}
	for i, k := range keys {
		if k == nil { // Java takes null for a name like any other; no setting can say it
			if len(t.include) == 0 {
				p.keys, p.from = append(p.keys, nil), append(p.from, i)
			}
			continue
		}
		name, ok := k.(string)
		if !ok {
			p.err = notString(k)
			return p
		}
		if !t.keeps(name) {
			continue
		}
		out := row{keys: p.keys}
		if at := out.find(t.renamed(name)); at >= 0 { // the later entry wins
			p.from[at] = i
			continue
		}
		p.keys, p.from = append(p.keys, t.renamed(name)), append(p.from, i)
	}
	return p
}

// setSchemaMetadata gives a struct schema a name or a version.
type setSchemaMetadata struct {
	side
	name    *string
	version *int32
	plans   perSchema[*rowPlan]
}

func newSetSchemaMetadata(key bool, v config.Values) (step, error) {
	t := &setSchemaMetadata{side: newSide(key, v)}
	if !v.IsNull("schema.name") {
		name := v.Text("schema.name")
		t.name = &name
	}
	if !v.IsNull("schema.version") {
		version := int32(v.Int("schema.version"))
		t.version = &version
	}
	if t.name == nil && t.version == nil {
		return nil, configError("Neither schema name nor version configured")
	}
	return t, nil
}

func (t *setSchemaMetadata) apply(r *Record) error {
	c := t.cell(r)
	if c.schema == nil {
		if c.IsNull() {
			return nil
		}
		return dataError("Schema required for [updating schema metadata]")
	}
	plan, err := t.plans.get(c.schema, t.plan)
	if err != nil {
		return err
	}
	if c.IsNull() {
		c.Set(plan.schema, nil)
		return nil
	}
	in, err := c.structRow()
	if err != nil {
		return err
	}
	return plan.apply(c, in, t.replaceNull, nil)
}

func (t *setSchemaMetadata) plan(s *data.Schema) (*rowPlan, error) {
	if _, err := fieldsOf(s); err != nil {
		return nil, err
	}
	b := s.ToBuilder()
	if t.name != nil {
		b.Name(*t.name)
	}
	if t.version != nil {
		b.Version(*t.version)
	}
	schema, err := buildSchema(b)
	if err != nil {
		return nil, err
	}
	return newRowPlan(s, schema, nil, t.replaceNull, nil), nil
}

// valueToKey makes a new key of fields of the value.
type valueToKey struct {
	side
	fields []string
	keys   []any // of a schemaless key, in Java's hash order
	plans  perSchema[*rowPlan]
}

func newValueToKey(v config.Values) (step, error) {
	t := &valueToKey{side: newSide(false, v), fields: v.List("fields")}
	names := distinct(t.fields)
	capacity := 1
	for capacity < len(t.fields) { // Java sizes this map by the number of fields
		capacity *= 2
	}
	for _, name := range javamap.OrderBy(capacity, names, func(name string) string { return name }) {
		t.keys = append(t.keys, name)
	}
	return t, nil
}

const copying = "copying fields from value to key"

func (t *valueToKey) apply(r *Record) error {
	c := &r.Value
	if c.schema == nil {
		in, err := c.requireMap(copying)
		if err != nil {
			return err
		}
		out := row{slots: c.arena.slots(len(t.keys)), keys: t.keys}
		for n, k := range t.keys {
			name, _ := k.(string)
			if i := in.find(name); i >= 0 {
				out.slots[n] = in.slots[i]
			}
		}
		r.Key.setRow(nil, out)
		return nil
	}
	in, err := c.requireStruct(copying)
	if err != nil {
		return err
	}
	plan, err := t.plans.get(c.schema, t.plan)
	if err != nil {
		return err
	}
	if err := plan.prepare(c, in, t.replaceNull, nil); err != nil {
		return err
	}
	r.Key.setRow(plan.schema, plan.commit(c, in, false))
	return nil
}

func (t *valueToKey) plan(s *data.Schema) (*rowPlan, error) {
	from := []int{}
	added := newFields(data.NewStruct())
	for _, name := range t.fields {
		f, ok := s.Field(name)
		if !ok {
			if added.err != nil { // of a field before it
				return nil, added.err
			}
			return nil, dataError("Field does not exist: %s", name)
		}
		added.add(name, f.Schema)
		from = append(from, f.Index)
	}
	schema, err := added.build()
	if err != nil {
		return nil, err
	}
	return newRowPlan(s, schema, from, t.replaceNull, nil), nil
}
