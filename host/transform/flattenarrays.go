package transform

import (
	"slices"
	"strconv"
	"strings"

	"github.com/tailrace/tailrace/host/config"
	"github.com/tailrace/tailrace/host/convert"
	"github.com/tailrace/tailrace/sdk/go/data"
)

// The forms of FlattenArrays.
const (
	arraysIndex = "index"
	arraysJoin  = "join"
	arraysJSON  = "json"
)

// flattenArrays turns the arrays among the fields of a struct or map into plain
// fields: one field for each item, or one text. Systems with columns take these.
type flattenArrays struct {
	side
	fields    []string // none means all arrays
	form      string
	delimiter string
	separator string
	maxItems  int
	json      convert.Converter
	plans     perSchema[*arraysPlan]
}

func newFlattenArrays(key bool, v config.Values) (step, error) {
	t := &flattenArrays{
		side: newSide(key, v), fields: v.List("fields"), form: v.Text("form"), delimiter: v.Text("delimiter"),
		separator: v.Text("separator"), maxItems: int(v.Int("max.items")),
	}
	var err error
	t.json, err = convert.New("JsonConverter", map[string]string{"schemas.enable": "false", "decimal.format": "NUMERIC"}, false)
	return t, err
}

func (t *flattenArrays) wanted(name string) bool {
	return len(t.fields) == 0 || slices.Contains(t.fields, name)
}

// arraysPlan is what the structs of one schema become.
type arraysPlan struct {
	schema *data.Schema
	fields []arraysField // by old field
}

type arraysField struct {
	array bool
	first int // place of the first new field
}

func (t *flattenArrays) apply(r *Record) error {
	c := t.cell(r)
	switch {
	case c.IsNull():
		return nil
	case c.schema == nil:
		return t.applyMap(c)
	}
	in, err := c.requireStruct("flattening arrays")
	if err != nil {
		return err
	}
	plan, err := t.plans.get(c.schema, t.plan)
	if err != nil || plan.schema == c.schema {
		return err
	}
	out := row{slots: c.arena.slots(len(plan.schema.Fields()) + spareSlots)[:len(plan.schema.Fields())], unchecked: in.unchecked}
	for i, f := range c.schema.Fields() {
		to := plan.fields[i]
		if !to.array {
			out.slots[to.first] = in.slots[i]
			continue
		}
		v, err := in.slots[i].value(f.Schema)
		if err == nil {
			err = t.fill(out.slots[to.first:], f, v)
		}
		if err != nil {
			return inField(f.Name, err)
		}
	}
	c.setRow(plan.schema, out)
	return nil
}

// fill writes the new fields of one array. Those behind its last item are null.
func (t *flattenArrays) fill(slots []slot, f data.Field, v any) error {
	list, _ := v.([]any)
	if t.form != arraysIndex {
		s, err := t.text(f.Schema, v, list)
		slots[0] = s
		return err
	}
	if len(list) > t.maxItems {
		return t.tooMany(len(list))
	}
	for i := range t.maxItems {
		slots[i] = slot{}
		if i < len(list) {
			slots[i].v = list[i]
		}
	}
	return nil
}

func (t *flattenArrays) tooMany(n int) error {
	return dataError("The array has %d items, and max.items is %d; raise it, or use form=%s", n, t.maxItems, arraysJSON)
}

// text joins the items, or writes JSON; null stays null.
func (t *flattenArrays) text(schema *data.Schema, v any, list []any) (slot, error) {
	if isNull(v) || list == nil {
		return slot{}, nil
	}
	if t.form == arraysJSON {
		raw, err := data.AppendValue(nil, schema, v)
		if err != nil {
			return slot{}, dataError("%s", err.Error())
		}
		out, _, err := t.json.FromConnect(nil, "", schema, raw)
		return slot{v: string(out)}, err
	}
	texts := make([]string, len(list))
	for i, item := range list {
		texts[i] = javaText(item)
	}
	return slot{v: strings.Join(texts, t.separator)}, nil
}

func (t *flattenArrays) plan(s *data.Schema) (*arraysPlan, error) {
	p := &arraysPlan{schema: s}
	fields := newFields(copyBasics(s, data.NewStruct().SetOptional(s.Optional())))
	next, changed := 0, false
	for _, f := range s.Fields() {
		to := arraysField{first: next}
		switch {
		case f.Schema.Type() != data.Array || !t.wanted(f.Name):
			fields.add(f.Name, f.Schema)
			next++
		case t.form == arraysIndex:
			to.array, changed = true, true
			item := f.Schema.ValueSchema()
			if item == nil {
				return nil, dataError("The items of the array %q have no schema; use form=%s", f.Name, arraysJSON)
			}
			optional, err := buildSchema(item.ToBuilder().Optional())
			if err != nil {
				return nil, err
			}
			for i := range t.maxItems {
				fields.add(f.Name+t.delimiter+strconv.Itoa(i), optional)
			}
			next += t.maxItems
		default:
			to.array, changed = true, true
			text := data.StringSchema
			if f.Schema.Optional() {
				text = data.OptionalStringSchema
			}
			fields.add(f.Name, text)
			next++
		}
		p.fields = append(p.fields, to)
	}
	if !changed {
		return p, nil
	}
	var err error
	p.schema, err = fields.build()
	return p, err
}

func (t *flattenArrays) applyMap(c *Cell) error {
	in, err := c.requireMap("flattening arrays")
	if err != nil {
		return err
	}
	out := row{}
	changed := false
	for i, k := range in.keys {
		name, isText := k.(string)
		if !isText || !t.wanted(name) || !in.slots[i].maybeArray() {
			out.keys, out.slots = append(out.keys, k), append(out.slots, in.slots[i])
			continue
		}
		v, err := in.slots[i].value(nil)
		if err != nil {
			return inField(name, err)
		}
		list, isList := v.([]any)
		if !isList {
			out.keys, out.slots = append(out.keys, k), append(out.slots, in.slots[i])
			continue
		}
		changed = true
		if t.form != arraysIndex {
			s, err := t.text(nil, v, list)
			if err != nil {
				return inField(name, err)
			}
			out.keys, out.slots = append(out.keys, k), append(out.slots, s)
			continue
		}
		if len(list) > t.maxItems {
			return inField(name, t.tooMany(len(list)))
		}
		for j, item := range list {
			out.keys, out.slots = append(out.keys, any(name+t.delimiter+strconv.Itoa(j))), append(out.slots, slot{v: item})
		}
	}
	if changed {
		c.setRow(nil, out)
	}
	return nil
}

// maybeArray reports whether a slot without a schema may hold an array, without decoding it.
func (s *slot) maybeArray() bool {
	if s.raw == nil {
		_, ok := s.v.([]any)
		return ok
	}
	branch, _, err := data.ReadLong(s.raw)
	return err == nil && branch == data.AnyArray
}
