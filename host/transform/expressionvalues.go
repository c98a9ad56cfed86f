package transform

import (
	"time"

	"github.com/tailrace/tailrace/sdk/go/data"
)

// typedValue is a value with its schema, nil for none.
type typedValue struct {
	schema *data.Schema
	v      any
}

// typedValues gives schemas to what expressions make. Equal schemas are one, so that
// the steps and converters behind find what they worked out.
type typedValues struct {
	known map[uint64]*data.Schema
}

// maxKnownSchemas bounds what is remembered.
const maxKnownSchemas = 1024

func (t *typedValues) intern(s *data.Schema) *data.Schema {
	if same, ok := t.known[s.Hash()]; ok && same.Equal(s) {
		return same
	}
	if t.known == nil || len(t.known) >= maxKnownSchemas {
		t.known = make(map[uint64]*data.Schema)
	}
	t.known[s.Hash()] = s
	return s
}

// whole makes a key, value or header of what an expression gives.
func (t *typedValues) whole(v any, typed bool) (typedValue, error) {
	if !typed || isNull(v) {
		if st, ok := v.(*data.Struct); ok && !isNull(v) {
			return typedValue{st.Schema(), v}, nil
		}
		return typedValue{nil, v}, nil
	}
	return t.infer(v, false)
}

// The schemas of plain values, required and optional.
var inferred = [2]struct{ boolean, integer, double, text, bytes, time *data.Schema }{
	{data.BooleanSchema, data.Int64Schema, data.Float64Schema, data.StringSchema, data.BytesSchema, data.NewTimestamp().MustBuild()},
	{data.OptionalBooleanSchema, data.OptionalInt64Schema, data.OptionalFloat64Schema, data.OptionalStringSchema, data.OptionalBytesSchema, data.NewTimestamp().Optional().MustBuild()},
}

// infer gives a value the schema that it shows: INT64, FLOAT64, STRING, BOOLEAN,
// BYTES, Timestamp, an ARRAY of one of them, and a STRUCT of optional fields for a map.
func (t *typedValues) infer(v any, optional bool) (typedValue, error) {
	which := &inferred[0]
	if optional {
		which = &inferred[1]
	}
	switch v := v.(type) {
	case bool:
		return typedValue{which.boolean, v}, nil
	case int64:
		return typedValue{which.integer, v}, nil
	case int8, int16, int32: // of a record's list or map
		n, err := data.Convert(data.Int64Schema, v)
		return typedValue{which.integer, n}, err
	case float64:
		return typedValue{which.double, v}, nil
	case float32:
		return typedValue{which.double, float64(v)}, nil
	case string:
		return typedValue{which.text, v}, nil
	case []byte:
		return typedValue{which.bytes, v}, nil
	case time.Time:
		return typedValue{which.time, v}, nil
	case data.Decimal:
		return typedValue{t.intern(data.NewDecimal(v.Scale).SetOptional(optional).MustBuild()), v}, nil
	case []any:
		return t.inferList(v, optional)
	case *data.Struct:
		return typedValue{v.Schema(), v}, nil
	case *data.Map:
		return t.inferMap(v, optional)
	}
	return typedValue{}, dataError("a value of type %s has no schema", className(v))
}

func (t *typedValues) inferList(list []any, optional bool) (typedValue, error) {
	item := data.OptionalStringSchema
	out := make([]any, len(list))
	first := true
	for i, v := range list {
		if isNull(v) {
			continue
		}
		typed, err := t.infer(v, true)
		if err != nil {
			return typedValue{}, err
		}
		if !first && typed.schema != item {
			return typedValue{}, dataError("the items of a list must have one type for a schema; there are %s and %s", item, typed.schema)
		}
		item, out[i], first = typed.schema, typed.v, false
	}
	s, err := data.NewArray(item).SetOptional(optional).Build()
	if err != nil {
		return typedValue{}, dataError("%s", err.Error())
	}
	return typedValue{t.intern(s), out}, nil
}

// inferMap leaves null entries out: they tell no type.
func (t *typedValues) inferMap(m *data.Map, optional bool) (typedValue, error) {
	b := data.NewStruct().SetOptional(optional)
	fields := newFields(b)
	var values []any
	for _, e := range m.Entries() {
		if isNull(e.Value) {
			continue
		}
		name, ok := e.Key.(string)
		if !ok {
			return typedValue{}, dataError("a map with a key that is no text (%v) cannot become a STRUCT", e.Key)
		}
		typed, err := t.infer(e.Value, true)
		if err != nil {
			return typedValue{}, inField(name, err)
		}
		fields.add(name, typed.schema)
		values = append(values, typed.v)
	}
	s, err := fields.build()
	if err != nil {
		return typedValue{}, err
	}
	s = t.intern(s)
	st, err := data.NewStructValue(s)
	if err != nil {
		return typedValue{}, dataError("%s", err.Error())
	}
	copy(st.Values(), values)
	return typedValue{s, st}, nil
}

// fieldSetter sets fields of a struct or map.
type fieldSetter struct {
	typed *typedValues
	plans map[*data.Schema][]*setPlan
}

// setPlan is what a schema becomes when fields of certain schemas are set.
type setPlan struct {
	names   []string
	schemas []*data.Schema
	at      []int // places in the new schema
	schema  *data.Schema
}

// setFields is the new row of a value.
type setFields struct {
	schema *data.Schema
	row    row
}

// maxSetPlans bounds the plans of one schema: a field whose type changes from record to record has one for each.
const maxSetPlans = 16

func (s *fieldSetter) prepare(c *Cell, entries *data.Map) (*setFields, error) {
	if c.schema == nil {
		return setMapFields(c, entries)
	}
	in, err := c.requireStruct("setting fields")
	if err != nil {
		return nil, err
	}
	names, values := make([]string, 0, entries.Len()), make([]typedValue, 0, entries.Len())
	for _, e := range entries.Entries() {
		name, ok := e.Key.(string)
		if !ok {
			return nil, dataError("the expression for set gives a name that is no text: %v", e.Key)
		}
		v, known, err := s.field(c.schema, name, e.Value)
		if err != nil {
			return nil, inField(name, err)
		}
		if known {
			names, values = append(names, name), append(values, v)
		}
	}
	plan, err := s.plan(c.schema, names, values)
	if err != nil {
		return nil, err
	}
	n := len(plan.schema.Fields())
	out := row{slots: c.arena.slots(n + spareSlots)[:n], unchecked: in.unchecked}
	copy(out.slots, in.slots)
	for i, at := range plan.at {
		out.slots[at] = slot{v: values[i].v}
	}
	return &setFields{plan.schema, out}, nil
}

// field fits a value to the field of that name. One of the field's own kind keeps the
// schema; another one changes it. A null for a field that is not there sets nothing: it
// tells no type.
func (s *fieldSetter) field(schema *data.Schema, name string, v any) (typed typedValue, known bool, err error) {
	f, exists := schema.Field(name)
	switch {
	case isNull(v) && !exists:
		return typedValue{}, false, nil
	case isNull(v) && !f.Schema.Optional():
		return typedValue{}, false, nullRequired(&f)
	case isNull(v):
		return typedValue{f.Schema, nil}, true, nil
	case exists && sameKind(f.Schema, v):
		fitted, err := data.Convert(f.Schema, v)
		if err != nil {
			return typedValue{}, false, dataError("%s", err.Error())
		}
		return typedValue{f.Schema, fitted}, true, nil
	}
	typed, err = s.typed.infer(v, true)
	return typed, true, err
}

// sameKind reports whether a value that an expression gives is of the schema's kind.
func sameKind(s *data.Schema, v any) bool {
	timely := s.IsTimestamp() || s.IsDate() || s.IsTime()
	_, decimal, _ := s.IsDecimal()
	switch v := v.(type) {
	case bool:
		return s.Type() == data.Boolean
	case int64:
		return s.Type() >= data.Int8 && s.Type() <= data.Int64 && !timely
	case float64:
		return s.Type() == data.Float32 || s.Type() == data.Float64
	case string:
		return s.Type() == data.String
	case []byte:
		return s.Type() == data.Bytes && !decimal
	case time.Time:
		return timely
	case *data.Struct:
		return s.Equal(v.Schema())
	}
	return false
}

func (s *fieldSetter) plan(old *data.Schema, names []string, values []typedValue) (*setPlan, error) {
next:
	for _, p := range s.plans[old] {
		if len(p.names) != len(names) {
			continue
		}
		for i := range names {
			if p.names[i] != names[i] || p.schemas[i] != values[i].schema {
				continue next
			}
		}
		return p, nil
	}
	p, err := newSetPlan(old, names, values)
	if err != nil {
		return nil, err
	}
	p.schema = s.typed.intern(p.schema)
	if s.plans == nil || len(s.plans) > maxSchemas {
		s.plans = map[*data.Schema][]*setPlan{}
	}
	if len(s.plans[old]) >= maxSetPlans {
		s.plans[old] = nil
	}
	s.plans[old] = append(s.plans[old], p)
	return p, nil
}

func newSetPlan(old *data.Schema, names []string, values []typedValue) (*setPlan, error) {
	p := &setPlan{names: names, at: make([]int, len(names))}
	changed := map[string]*data.Schema{}
	for i, v := range values {
		p.schemas = append(p.schemas, v.schema)
		changed[names[i]] = v.schema
	}
	b := copyBasics(old, data.NewStruct().SetOptional(old.Optional()))
	fields := newFields(b)
	same := true
	for _, f := range old.Fields() {
		s := f.Schema
		if to, ok := changed[f.Name]; ok {
			same = same && to == s
			s = to
		}
		fields.add(f.Name, s)
	}
	next := len(old.Fields())
	for i, name := range names {
		if f, ok := old.Field(name); ok {
			p.at[i] = f.Index
			continue
		}
		p.at[i], same = next, false
		next++
		fields.add(name, values[i].schema)
	}
	var err error
	if p.schema = old; !same {
		p.schema, err = fields.build()
	}
	return p, err
}

// setMapFields sets entries of a map without a schema.
func setMapFields(c *Cell, entries *data.Map) (*setFields, error) {
	in, err := c.requireMap("setting fields")
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, entries.Len())
	for _, e := range entries.Entries() {
		name, ok := e.Key.(string)
		if !ok {
			return nil, dataError("the expression for set gives a name that is no text: %v", e.Key)
		}
		names = append(names, name)
	}
	p := findPlaces(in.keys, names)
	out := row{slots: c.arena.slots(len(p.keys) + spareSlots)[:len(p.keys)], keys: p.keys}
	copy(out.slots, in.slots)
	for n, e := range entries.Entries() {
		out.slots[p.at[n]] = slot{v: e.Value}
	}
	return &setFields{nil, out}, nil
}
