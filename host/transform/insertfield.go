package transform

import (
	"github.com/tailrace/tailrace/host/config"
	"github.com/tailrace/tailrace/sdk/go/data"
)

// insertField adds fields about the record, or with a fixed value.
type insertField struct {
	side
	topic, partition, offset, timestamp, static *insertion
	value                                       string
	plans                                       perSchema[*insertPlan]
	shapes                                      [32]perShape[places]
	room                                        [5]insertedField
	temp                                        []slot
}

// insertPlan has the schema with the new fields; rows are for the old ones.
type insertPlan struct {
	schema *data.Schema
	rows   *rowPlan
}

// insertion is a field to insert.
type insertion struct {
	name     string
	optional bool
}

// parseInsertion reads a name with an optional ! (required) or ? (optional) behind it.
func parseInsertion(v config.Values, key string) *insertion {
	if v.IsNull(key) {
		return nil
	}
	name := v.Text(key)
	if n := len(name) - 1; n >= 0 {
		switch name[n] {
		case '?':
			return &insertion{name[:n], true}
		case '!':
			return &insertion{name[:n], false}
		}
	}
	return &insertion{name, true}
}

func newInsertField(key bool, v config.Values) (step, error) {
	t := &insertField{
		side:  newSide(key, v),
		topic: parseInsertion(v, "topic.field"), partition: parseInsertion(v, "partition.field"),
		offset: parseInsertion(v, "offset.field"), timestamp: parseInsertion(v, "timestamp.field"),
		static: parseInsertion(v, "static.field"), value: v.Text("static.value"),
	}
	if t.topic == nil && t.partition == nil && t.offset == nil && t.timestamp == nil && t.static == nil {
		return nil, configError("No field insertion configured")
	}
	if t.static != nil && v.IsNull("static.value") {
		return nil, invalid("static.value", nil, "No value specified for static field: "+t.static.name)
	}
	return t, nil
}

const insertionPurpose = "field insertion"

func (t *insertField) apply(r *Record) error {
	c := t.cell(r)
	if c.IsNull() {
		return nil
	}
	if c.schema == nil {
		return t.schemaless(r, c)
	}
	in, err := c.requireStruct(insertionPurpose)
	if err != nil {
		return err
	}
	plan, err := t.plans.get(c.schema, t.plan)
	if err != nil {
		return err
	}
	if err := plan.rows.prepare(c, in, t.replaceNull, nil); err != nil {
		return err
	}
	if t.offset != nil && r.kind != Sink {
		return notSink()
	}
	out := plan.rows.commit(c, in, true)
	at := len(out.slots)
	if n := len(plan.schema.Fields()); cap(out.slots) >= n {
		out.slots = out.slots[:n]
	} else {
		slots := c.arena.slots(n + spareSlots)[:n]
		copy(slots, out.slots)
		out.slots = slots
	}
	a, added := c.arena, plan.schema.Fields()
	for _, f := range t.inserted(r) {
		if f.present {
			dst, s := a.bytes(), added[at].Schema
			if s.Optional() {
				dst = data.AppendPresence(dst, s, true)
			}
			out.slots[at] = a.keep(f.append(dst))
		} else {
			out.slots[at] = slot{}
			out.unchecked = out.unchecked || !f.optional
		}
		at++
	}
	c.setRow(plan.schema, out)
	return nil
}

// insertedField is a field with its value for one record.
type insertedField struct {
	*insertion
	branch  int64 // of the schemaless union
	present bool
	text    string
	number  int64
}

// append writes the value without a union index.
func (f *insertedField) append(dst []byte) []byte {
	if f.branch == data.AnyString {
		return data.AppendString(dst, f.text)
	}
	return data.AppendLong(dst, f.number)
}

// inserted lists the configured fields in order.
func (t *insertField) inserted(r *Record) []insertedField {
	list := t.room[:0]
	if t.topic != nil {
		list = append(list, insertedField{t.topic, data.AnyString, true, r.Topic, 0})
	}
	if t.partition != nil {
		list = append(list, insertedField{t.partition, data.AnyInt32, r.Partition != NoPartition, "", int64(r.Partition)})
	}
	if t.offset != nil {
		list = append(list, insertedField{t.offset, data.AnyInt64, true, "", r.Offset})
	}
	if t.timestamp != nil {
		list = append(list, insertedField{t.timestamp, data.AnyInt64, r.Timestamp != NoTimestamp, "", r.Timestamp})
	}
	if t.static != nil {
		list = append(list, insertedField{t.static, data.AnyString, true, t.value, 0})
	}
	return list
}

func notSink() error {
	return dataError("Only SinkRecord supported for [%s], found: org.apache.kafka.connect.source.SourceRecord", insertionPurpose)
}

func (t *insertField) plan(s *data.Schema) (*insertPlan, error) {
	b := copyBasics(s, data.NewStruct())
	added := newFields(b)
	for _, f := range s.Fields() {
		added.add(f.Name, f.Schema)
	}
	for _, f := range []struct {
		*insertion
		required, optional *data.Schema
	}{
		{t.topic, data.StringSchema, data.OptionalStringSchema},
		{t.partition, data.Int32Schema, data.OptionalInt32Schema},
		{t.offset, data.Int64Schema, data.OptionalInt64Schema},
		{t.timestamp, data.TimestampSchema, data.OptionalTimestampSchema},
		{t.static, data.StringSchema, data.OptionalStringSchema},
	} {
		switch {
		case f.insertion == nil:
		case f.insertion.optional:
			added.add(f.name, f.optional)
		default:
			added.add(f.name, f.required)
		}
	}
	schema, err := added.build()
	if err != nil {
		return nil, err
	}
	return &insertPlan{schema, newRowPlan(s, s, nil, t.replaceNull, nil)}, nil
}

func (t *insertField) schemaless(r *Record, c *Cell) error {
	in, err := c.requireMap(insertionPurpose)
	if err != nil {
		return err
	}
	if t.offset != nil && r.kind != Sink {
		return notSink()
	}
	list := t.inserted(r)
	which := 0 // of the fields that may lack a value, which ones have it
	for i := range list {
		if list[i].present {
			which |= 1 << i
		}
	}
	p := t.shapes[which].get(in.keys, func(keys []any) places {
		var names []string
		for i := range list {
			if list[i].present {
				names = append(names, list[i].name)
			}
		}
		return findPlaces(keys, names)
	})
	t.temp = t.temp[:0]
	for i := range list {
		if f := &list[i]; f.present {
			t.temp = append(t.temp, c.arena.keep(f.append(data.AppendLong(c.arena.bytes(), f.branch))))
		}
	}
	c.setEntries(in, p, t.temp)
	return nil
}
