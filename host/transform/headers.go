package transform

import (
	"slices"

	"github.com/tailrace/tailrace/host/config"
	"github.com/tailrace/tailrace/host/convert"
	"github.com/tailrace/tailrace/sdk/go/data"
)

// dropHeaders removes headers by name.
type dropHeaders struct{ names []string }

func newDropHeaders(v config.Values) (step, error) {
	return &dropHeaders{v.List("headers")}, nil
}

func (t *dropHeaders) apply(r *Record) error {
	return r.Headers.remove(func(name string) bool { return slices.Contains(t.names, name) })
}

// insertHeader appends a header with a fixed value.
type insertHeader struct {
	name   string
	schema *data.Schema
	raw    []byte
}

func newInsertHeader(v config.Values) (step, error) {
	// SimpleHeaderConverter reads a literal exactly as Java's Values.parseString does.
	parser, err := convert.NewHeader("SimpleHeaderConverter", nil)
	if err != nil {
		return nil, err
	}
	t := &insertHeader{name: v.Text("header")}
	t.schema, t.raw, err = parser.ToHeader(nil, "", t.name, []byte(v.Text("value.literal")))
	return t, err
}

func (t *insertHeader) apply(r *Record) error { return r.Headers.AddWire(t.name, t.schema, t.raw) }

// headerFrom copies or moves fields into headers.
type headerFrom struct {
	side
	fields, headers []string
	operation       string
	plans           perSchema[*headerPlan]
}

// headerPlan is where the fields lie in one schema, and what is left of it after a move.
type headerPlan struct {
	index  []int // by configured field, -1 for one that is not there
	schema *data.Schema
	rows   *rowPlan // of a move
}

func newHeaderFrom(key bool, v config.Values) (step, error) {
	t := &headerFrom{side: newSide(key, v), fields: v.List("fields"), headers: v.List("headers"), operation: v.Text("operation")}
	if len(t.fields) != len(t.headers) {
		return nil, configError("'fields' config must have the same number of elements as 'headers' config.")
	}
	return t, nil
}

func (t *headerFrom) apply(r *Record) error {
	c := t.cell(r)
	if c.schema == nil {
		return t.schemaless(r, c)
	}
	in, err := c.requireStruct("header " + t.operation)
	if err != nil {
		return err
	}
	plan, err := t.plans.get(c.schema, t.plan)
	if err != nil {
		return err
	}
	fields := c.schema.Fields()
	if plan.rows != nil {
		if err := plan.rows.prepare(c, in, t.replaceNull, nil); err != nil {
			return err
		}
	}
	headers := make([]Header, 0, 4)
	for n, i := range plan.index {
		if i < 0 {
			return javaError(nullPointer, `Cannot invoke "org.apache.kafka.connect.data.Field.schema()" because the return value of "org.apache.kafka.connect.data.Schema.field(String)" is null`)
		}
		v, err := in.slots[i].read(fields[i].Schema, t.replaceNull)
		if err == nil {
			err = checkHeader(fields[i].Schema, v)
		}
		if err != nil {
			return err
		}
		h := Header{Name: t.headers[n]}
		h.Value.Set(fields[i].Schema, v)
		headers = append(headers, h)
	}
	if err := t.addTo(r, headers); err != nil {
		return err
	}
	if plan.rows != nil {
		c.setRow(plan.schema, plan.rows.commit(c, in, true))
	}
	return nil
}

// addTo appends the headers. Nothing can fail after it.
func (t *headerFrom) addTo(r *Record, headers []Header) error {
	if _, err := r.Headers.All(); err != nil {
		return err
	}
	r.Headers.list = append(r.Headers.list, headers...)
	r.Headers.changed = true
	return nil
}

func (t *headerFrom) plan(s *data.Schema) (*headerPlan, error) {
	p := &headerPlan{schema: s}
	for _, name := range t.fields {
		i := -1
		if f, ok := s.Field(name); ok {
			i = f.Index
		}
		p.index = append(p.index, i)
	}
	if t.operation != "move" {
		return p, nil
	}
	b := copyBasics(s, data.NewStruct())
	left := newFields(b)
	kept := []int{}
	for i, f := range s.Fields() {
		if !slices.Contains(t.fields, f.Name) {
			left.add(f.Name, f.Schema)
			kept = append(kept, i)
		}
	}
	var err error
	if p.schema, err = left.build(); err == nil {
		p.rows = newRowPlan(s, p.schema, kept, t.replaceNull, nil)
	}
	return p, err
}

func (t *headerFrom) schemaless(r *Record, c *Cell) error {
	in, err := c.requireMap("header " + t.operation)
	if err != nil {
		return err
	}
	headers := make([]Header, 0, 4)
	for n, name := range t.fields {
		h := Header{Name: t.headers[n]}
		h.Value.Set(nil, nil)
		if i := in.find(name); i >= 0 {
			h.Value.setSlot(nil, &in.slots[i])
		}
		headers = append(headers, h)
	}
	if err := t.addTo(r, headers); err != nil || t.operation != "move" {
		return err
	}
	out := row{slots: c.arena.slots(len(in.slots))[:0], keys: make([]any, 0, len(in.keys))}
	for i, k := range in.keys {
		if name, ok := k.(string); !ok || !slices.Contains(t.fields, name) {
			out.keys, out.slots = append(out.keys, k), append(out.slots, in.slots[i])
		}
	}
	c.setRow(nil, out)
	return nil
}

// checkHeader is the check of Java's ConnectHeaders.add.
func checkHeader(s *data.Schema, v any) error {
	if isNull(v) && !s.Optional() {
		return dataError("A null value requires an optional schema but was %s", s)
	}
	return nil
}
