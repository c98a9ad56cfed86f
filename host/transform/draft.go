package transform

import (
	"slices"

	"github.com/tailrace/tailrace/sdk/go/data"
)

// draft says what the values of one schema, or the maps of the same keys, become on their way through some steps: for each
// field of the outcome where it comes from. It is worked out once; a program made of it takes values through all the
// steps in one walk over their bytes.
type draft struct {
	kind   Kind
	schema *data.Schema // of the outcome; nil for a map
	keys   []any        // of a map: strings
	terms  []term       // by field
}

// drafter is a step that knows what it makes of a value before it sees one, but for exceptions. draft changes d as the step
// changes values; it returns false when the outcome depends on more than a term can say. What a program
// meets that the draft does not provide for (nulls that take defaults, types that cannot be cast in wire form, anything that fails) goes
// through the steps one by one, so a draft only has to be right for what terms describe.
type drafter interface {
	step
	draft(d *draft) bool
	// ofKey tells whether the step works on the key.
	ofKey() bool
}

// term is where a field comes from.
type term struct {
	how  how
	from int          // the field of the input
	in   *data.Schema // of that field; nil in a map
	to   data.Type    // of a cast
	// fixed is the field, or what goes before a value that the record gives. absent is a null field; nil where there is none.
	fixed, absent []byte
	any           map[byte]slot // of termMaskedAny, by union index
}

type how uint8

const (
	termAsIs      how = iota // the bytes of the input
	termFixed                // fixed
	termTopic                // of the record, behind fixed; also the next three
	termPartition            // absent if the record has none
	termOffset
	termTimestamp // absent if the record has none
	termCast      // a number in another type
	termMasked    // fixed, absent for null
	termCastAny   // the same two without a schema
	termMaskedAny
)

// newDraft is that of values which nothing has changed yet.
func newDraft(kind Kind, s *data.Schema, keys []any) *draft {
	d := &draft{kind: kind, schema: s, keys: keys}
	if s == nil {
		for i := range keys {
			d.terms = append(d.terms, term{from: i})
		}
		return d
	}
	for i, f := range s.Fields() {
		d.terms = append(d.terms, term{from: i, in: f.Schema})
	}
	return d
}

// permute makes the fields of the places the fields of the outcome. It refuses to lose a field on which the program may give up.
func (d *draft) permute(from []int) bool {
	for i := range d.terms {
		if d.terms[i].mayFail() && !slices.Contains(from, i) {
			return false
		}
	}
	terms := make([]term, len(from))
	for n, i := range from {
		terms[n] = d.terms[i]
	}
	d.terms = terms
	return true
}

// mayFail reports whether some records make the program give up on the term.
func (t *term) mayFail() bool {
	switch t.how {
	case termCastAny, termMaskedAny:
		return true
	case termPartition, termTimestamp:
		return t.absent == nil
	}
	return false
}

// place finds an entry of a map, or adds it with null.
func (d *draft) place(name string) *term {
	r := row{keys: d.keys}
	at := r.find(name)
	if at < 0 {
		at = len(d.keys)
		d.keys = append(d.keys[:at:at], name)
		d.terms = append(d.terms, term{how: termFixed, fixed: nullWire})
	}
	return &d.terms[at]
}

var nullWire = data.AppendLong(nil, data.AnyNull)

// isNull tells of a term in a map that it is null.
func (t *term) isNull() bool { return t.how == termFixed && t.fixed[0] == data.AnyNull }

// takesDefaults reports whether a null of the struct may become a default.
func takesDefaults(s *data.Schema, replaceNull bool) bool {
	if !replaceNull {
		return false
	}
	for _, f := range s.Fields() {
		if _, has := f.Schema.Default(); has && f.Schema.Optional() {
			return true
		}
	}
	return false
}

func (s side) ofKey() bool { return s.key }

func (t *insertField) draft(d *draft) bool {
	if t.offset != nil && d.kind != Sink {
		return false
	}
	list := t.inserted(&Record{})
	if d.schema == nil {
		for i := range list {
			at := d.place(list[i].name)
			if at.mayFail() {
				return false
			}
			*at = t.term(&list[i], data.AppendLong(nil, list[i].branch), nil)
		}
		return true
	}
	plan, err := t.plans.get(d.schema, t.plan)
	if err != nil || takesDefaults(d.schema, t.replaceNull) {
		return false
	}
	for i := range list {
		var before, absent []byte
		if s := plan.schema.Fields()[len(d.terms)].Schema; s.Optional() {
			before, absent = data.AppendPresence(nil, s, true), data.AppendPresence(nil, s, false)
		}
		d.terms = append(d.terms, t.term(&list[i], before, absent))
	}
	d.schema = plan.schema
	return true
}

// term is an inserted field; before goes before its value.
func (t *insertField) term(f *insertedField, before, absent []byte) term {
	switch f.insertion {
	case t.topic:
		return term{how: termTopic, fixed: before}
	case t.partition:
		return term{how: termPartition, fixed: before, absent: absent}
	case t.offset:
		return term{how: termOffset, fixed: before}
	case t.timestamp:
		return term{how: termTimestamp, fixed: before, absent: absent}
	}
	return term{how: termFixed, fixed: data.AppendString(before, f.text)}
}

func (t *replaceField) draft(d *draft) bool {
	if d.schema == nil {
		plan := t.shape(d.keys)
		if plan.err != nil {
			return false
		}
		d.keys = plan.keys
		return d.permute(plan.from)
	}
	plan, err := t.plans.get(d.schema, t.plan)
	if err != nil || plan.err != nil || plan.odd || takesDefaults(d.schema, t.replaceNull) {
		return false
	}
	d.schema = plan.rows.schema
	return d.permute(plan.rows.from)
}

func (t *setSchemaMetadata) draft(d *draft) bool {
	if d.schema == nil {
		return false
	}
	plan, err := t.plans.get(d.schema, t.plan)
	if err != nil || takesDefaults(d.schema, t.replaceNull) {
		return false
	}
	d.schema = plan.schema
	return true
}

func (t *cast) draft(d *draft) bool {
	if t.whole != 0 {
		return false
	}
	if d.schema == nil {
		for _, f := range t.fields {
			at := d.place(f.name)
			switch {
			case at.isNull():
			case at.how == termAsIs && (isInteger(f.to) || f.to == data.String):
				at.how, at.to = termCastAny, f.to
			default:
				return false
			}
		}
		return true
	}
	plan, err := t.plans.get(d.schema, t.plan)
	if err != nil || takesDefaults(d.schema, t.replaceNull) {
		return false
	}
	for i := range d.terms {
		if plan.to[i] == 0 {
			continue
		}
		at, s := &d.terms[i], plan.schema.Fields()[i].Schema
		if at.how != termAsIs || !plan.inWire[i] {
			return false
		}
		at.how, at.to = termCast, plan.to[i]
		if s.Optional() {
			at.fixed, at.absent = data.AppendPresence(nil, s, true), data.AppendPresence(nil, s, false)
		}
	}
	d.schema = plan.schema
	return true
}

func (t *maskField) draft(d *draft) bool {
	if d.schema == nil {
		for _, name := range t.fields {
			at := d.place(name)
			switch {
			case at.isNull():
			case at.how == termAsIs:
				at.how, at.any = termMaskedAny, t.any
			case at.how == termFixed && t.any[at.fixed[0]].raw != nil:
				at.fixed = t.any[at.fixed[0]].raw
			default:
				return false
			}
		}
		return true
	}
	plan, err := t.plans.get(d.schema, t.plan)
	if err != nil || takesDefaults(d.schema, t.replaceNull) {
		return false
	}
	for i := range d.terms {
		if !plan.rows.changes[i] {
			continue
		}
		at, s := &d.terms[i], d.schema.Fields()[i].Schema
		if plan.ready[i].raw == nil {
			return false
		}
		switch at.how {
		case termFixed:
		case termAsIs, termCast:
			at.how = termMasked
			if s.Optional() {
				at.absent = data.AppendPresence(nil, s, false)
			}
		default:
			return false
		}
		at.fixed = plan.ready[i].raw
	}
	return true
}
