package transform

import (
	"github.com/tailrace/tailrace/sdk/go/data"
)

// maxSchemas bounds how many schemas a transform remembers. Kafka Connect keeps
// 16; a topic rarely has more than a few at a time.
const maxSchemas = 64

// perSchema remembers what a transform worked out for each input schema. The same
// schema is found by its pointer; an equal schema at another address (after a
// reconnect, say) gets the same answer, so that output schemas stay the same too.
type perSchema[T any] struct {
	last  *data.Schema
	plan  T
	plans map[*data.Schema]T
}

// get gives the plan of a schema, and makes it when it is not known. Failures are
// not remembered: they hold for records, which are rare then.
func (p *perSchema[T]) get(s *data.Schema, build func(*data.Schema) (T, error)) (T, error) {
	if s == p.last {
		return p.plan, nil
	}
	plan, ok := p.plans[s]
	if !ok {
		equal := false
		for known, knownPlan := range p.plans {
			if known.Equal(s) {
				plan, equal = knownPlan, true
				break
			}
		}
		if !equal {
			var err error
			if plan, err = build(s); err != nil {
				return plan, err
			}
		}
		if p.plans == nil || len(p.plans) >= maxSchemas {
			p.plans = make(map[*data.Schema]T)
		}
		p.plans[s] = plan
	}
	p.last, p.plan = s, plan
	return plan, nil
}

// copyBasics copies what SchemaUtil.copySchemaBasics copies: name, version, doc
// and parameters.
func copyBasics(from *data.Schema, to *data.Builder) *data.Builder {
	if from.HasName() {
		to.Name(from.Name())
	}
	if v, ok := from.Version(); ok {
		to.Version(v)
	}
	if from.HasDoc() {
		to.Doc(from.Doc())
	}
	for _, p := range from.Parameters() {
		to.Param(p.Key, p.Value)
	}
	return to
}

// fieldAdder adds fields to a struct schema with the errors of Java's SchemaBuilder.
type fieldAdder struct {
	b    *data.Builder
	seen map[string]struct{}
	err  error
}

func newFields(b *data.Builder) *fieldAdder {
	return &fieldAdder{b: b, seen: map[string]struct{}{}}
}

func (f *fieldAdder) add(name string, s *data.Schema) {
	if f.err != nil {
		return
	}
	if name == "" {
		f.err = javaError(schemaBuilderException, "fieldName cannot be null.")
		return
	}
	if _, twice := f.seen[name]; twice {
		f.err = javaError(schemaBuilderException, "Cannot create field because of field name duplication %s", name)
		return
	}
	f.seen[name] = struct{}{}
	f.b.Field(name, s)
}

func (f *fieldAdder) build() (*data.Schema, error) {
	if f.err != nil {
		return nil, f.err
	}
	return buildSchema(f.b)
}

func buildSchema(b *data.Builder) (*data.Schema, error) {
	s, err := b.Build()
	if err != nil {
		return nil, javaError(schemaBuilderException, "%s", err.Error())
	}
	return s, nil
}

// read is what Java's getFieldValue gives: the value of a slot, or the default
// for null if wanted.
func (s *slot) read(schema *data.Schema, replaceNull bool) (any, error) {
	v, err := s.value(schema)
	if err == nil && replaceNull && isNull(v) {
		v, _ = schema.Default()
	}
	return v, err
}

// pass is a slot on its way, unchanged, into a field of the same schema of a new struct. Null becomes
// the default if wanted; null in a required field is refused, as Java's Struct.put does.
func (s *slot) pass(f *data.Field, replaceNull bool) (slot, error) {
	if s.raw != nil && (!replaceNull || !f.Schema.Optional()) {
		return *s, nil
	}
	def, has := f.Schema.Default()
	if s.raw != nil && !has || !s.isNull(f.Schema) {
		return *s, nil
	}
	if replaceNull && has {
		return slot{v: def}, nil
	}
	if !f.Schema.Optional() {
		return slot{}, nullRequired(f)
	}
	return *s, nil
}

// perShape is perSchema for maps without a schema: records whose maps have the
// same keys share the slice of them, and with it what was worked out for them.
type perShape[T any] struct {
	keys []any
	plan T
}

func (p *perShape[T]) get(keys []any, build func([]any) T) T {
	if len(keys) > 0 && len(keys) == len(p.keys) && &keys[0] == &p.keys[0] {
		return p.plan
	}
	plan := build(keys)
	p.keys, p.plan = keys, plan
	return plan
}

// places is where some entries of a map are, or are to be added.
type places struct {
	keys []any // with those that were missing
	at   []int // by name
}

// findPlaces looks up names, and adds those that are missing.
func findPlaces(keys []any, names []string) places {
	p := places{keys: keys[:len(keys):len(keys)], at: make([]int, len(names))}
	for n, name := range names {
		r := row{keys: p.keys}
		if p.at[n] = r.find(name); p.at[n] < 0 {
			p.at[n] = len(p.keys)
			p.keys = append(p.keys, name)
		}
	}
	return p
}

// entry is the slot of an entry, that of null when the map lacks it.
func (r *row) entry(i int) *slot {
	if i < len(r.slots) {
		return &r.slots[i]
	}
	return &nullSlot
}

var nullSlot slot
