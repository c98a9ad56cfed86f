package transform

import (
	"slices"

	"github.com/tailrace/tailrace/host/config"
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
	schema *data.Schema
	from   []int // by field of the new schema
	err    error // of the field after the last of from, which a record meets when it gets there
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
	for _, from := range javaOrder(order, itself) {
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
	out := row{slots: c.arena.slots(len(plan.from))}
	fields := c.schema.Fields()
	for n, i := range plan.from {
		if out.slots[n], err = in.slots[i].pass(&fields[i], t.replaceNull); err != nil {
			return err
		}
	}
	if plan.err != nil {
		return plan.err
	}
	c.setRow(plan.schema, out)
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
	var err error
	if p.schema, err = added.build(); err != nil {
		return nil, err
	}
	for _, f := range p.schema.Fields() {
		name := f.Name
		if from, ok := t.back[name]; ok {
			name = from
		}
		from, ok := s.Field(name)
		if !ok {
			p.err = dataError("%s is not a valid field name", name)
			break
		}
		if from.Schema != f.Schema && !from.Schema.Equal(f.Schema) {
			p.err = dataError("Invalid Java object for schema with type %s: field \"%s\" would get the value of field \"%s\" of type %s", f.Schema.Type(), f.Name, name, from.Schema.Type())
			break
		}
		p.from = append(p.from, from.Index)
	}
	return p, nil
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
		name, ok := k.(string)
		if !ok {
			p.err = javaError(classCast, "class %s cannot be cast to class java.lang.String", className(k))
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
	name       *string
	version    *int32
	newSchemas perSchema[*data.Schema]
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
	schema, err := t.newSchemas.get(c.schema, t.plan)
	if err != nil {
		return err
	}
	if c.IsNull() {
		c.Set(schema, nil)
		return nil
	}
	in, err := c.structRow()
	if err != nil {
		return err
	}
	fields := c.schema.Fields()
	out := row{slots: c.arena.slots(len(in.slots))}
	for i := range in.slots {
		if out.slots[i], err = in.slots[i].pass(&fields[i], t.replaceNull); err != nil {
			return err
		}
	}
	c.setRow(schema, out)
	return nil
}

func (t *setSchemaMetadata) plan(s *data.Schema) (*data.Schema, error) {
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
	return buildSchema(b)
}

// valueToKey makes a new key of fields of the value.
type valueToKey struct {
	side
	fields []string
	keys   []any // of a schemaless key, in Java's hash order
	plans  perSchema[*keyPlan]
}

type keyPlan struct {
	schema *data.Schema
	from   []int
}

func newValueToKey(v config.Values) (step, error) {
	t := &valueToKey{side: newSide(false, v), fields: v.List("fields")}
	names := distinct(t.fields)
	capacity := 1
	for capacity < len(t.fields) { // Java sizes this map by the number of fields
		capacity *= 2
	}
	for _, name := range javaOrderFrom(capacity, names, itself) {
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
	fields := c.schema.Fields()
	out := row{slots: c.arena.slots(len(plan.from))}
	for n, i := range plan.from {
		if out.slots[n], err = in.slots[i].pass(&fields[i], t.replaceNull); err != nil {
			return err
		}
	}
	r.Key.setRow(plan.schema, out)
	return nil
}

func (t *valueToKey) plan(s *data.Schema) (*keyPlan, error) {
	p := &keyPlan{}
	added := newFields(data.NewStruct())
	for _, name := range t.fields {
		f, ok := s.Field(name)
		if !ok {
			return nil, dataError("Field does not exist: %s", name)
		}
		added.add(name, f.Schema)
		p.from = append(p.from, f.Index)
	}
	var err error
	p.schema, err = added.build()
	return p, err
}
