package transform

import (
	"errors"
	"math"
	"time"

	"github.com/tailrace/tailrace/host/config"
	"github.com/tailrace/tailrace/host/convert"
	"github.com/tailrace/tailrace/sdk/go/data"
	"github.com/tailrace/tailrace/sdk/go/data/javadate"
)

// The forms of a time that TimestampConverter knows.
const (
	formString    = "string"
	formUnix      = "unix"
	formDate      = "Date"
	formTime      = "Time"
	formTimestamp = "Timestamp"
)

// timestampConverter changes the form of a time, in a field or as the whole key or value.
type timestampConverter struct {
	side
	field     string // "" for the whole
	target    string
	format    *dateFormat // nil if none is given
	precision string
	plans     perSchema[*timePlan]
	shapes    perShape[places]
	now       func() time.Time
}

// timePlan is the outcome for one input schema.
type timePlan struct {
	t      *timestampConverter
	rows   *rowPlan
	schema *data.Schema
	index  int // of the field, -1 if it is not there
	form   string
	err    error // of the field's form, which matters once there is a value
}

func newTimestampConverter(key bool, v config.Values) (step, error) {
	t := &timestampConverter{
		side: newSide(key, v), field: v.Text("field"), target: v.Text("target.type"), precision: v.Text("unix.precision"), now: time.Now,
	}
	pattern := v.Text("format")
	if t.target == formString && isBlank(pattern) {
		return nil, configError("TimestampConverter requires format option to be specified when using string timestamps")
	}
	if !isBlank(pattern) {
		var err error
		if t.format, err = compileDateFormat(pattern); err != nil {
			var java *convert.Error
			errors.As(err, &java)
			return nil, invalid("TimestampConverter requires a SimpleDateFormat-compatible pattern for string timestamps: "+pattern, java.Class+": "+java.Message, "")
		}
	}
	return t, nil
}

const converting = "converting timestamp formats"

func (t *timestampConverter) apply(r *Record) error {
	c := t.cell(r)
	if c.schema == nil {
		return t.schemaless(c)
	}
	if t.field == "" {
		return t.wholeWithSchema(c)
	}
	null := c.IsNull()
	if !null && c.schema.Type() != data.StructType {
		_, err := c.requireStruct(converting)
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
	return plan.rows.apply(c, in, t.replaceNull, plan)
}

func (p *timePlan) change(_ *arena, at int, s *slot, f *data.Field) (slot, error) {
	v, err := s.read(f.Schema, p.t.replaceNull)
	if err == nil {
		err = p.err
	}
	if err == nil {
		v, err = p.t.convert(v, p.form)
	}
	if err == nil && v == nil && !f.Schema.Optional() {
		err = nullRequired(&p.schema.Fields()[at])
	}
	return slot{v: v}, err
}

func (t *timestampConverter) wholeWithSchema(c *Cell) error {
	v, err := c.Value()
	if err != nil {
		return err
	}
	form, err := formOf(c.schema)
	if err != nil {
		return err
	}
	if v, err = t.convert(v, form); err != nil {
		return err
	}
	c.Set(t.schema(c.schema.Optional()), v)
	return nil
}

func (t *timestampConverter) schemaless(c *Cell) error {
	if t.field == "" || c.IsNull() {
		v, err := c.Value()
		if err == nil {
			v, err = t.convertAny(v)
		}
		if err != nil {
			return err
		}
		c.Set(nil, v)
		return nil
	}
	in, err := c.requireMap(converting)
	if err != nil {
		return err
	}
	p := t.shapes.get(in.keys, func(keys []any) places { return findPlaces(keys, []string{t.field}) })
	v, err := in.entry(p.at[0]).value(nil)
	if err == nil {
		v, err = t.convertAny(v)
	}
	if err != nil {
		return err
	}
	c.setEntries(in, p, []slot{{v: v}})
	return nil
}

func (t *timestampConverter) plan(s *data.Schema) (*timePlan, error) {
	fields, err := fieldsOf(s)
	if err != nil {
		return nil, err
	}
	p := &timePlan{t: t, index: -1}
	b := copyBasics(s, data.NewStruct())
	added := newFields(b)
	for i, f := range fields {
		if f.Name != t.field {
			added.add(f.Name, f.Schema)
			continue
		}
		p.index = i
		p.form, p.err = formOf(f.Schema)
		added.add(f.Name, t.schema(f.Schema.Optional()))
	}
	if added.err != nil {
		return nil, added.err
	}
	b.SetOptional(s.Optional())
	if def, ok := s.Default(); ok {
		st, _ := def.(*data.Struct)
		if p.err != nil {
			return nil, p.err
		}
		if def, err = t.defaultOf(b, st, p); err != nil {
			return nil, err
		}
		b.Default(def)
	}
	if p.schema, err = buildSchema(b); err != nil {
		return nil, err
	}
	changes := make([]bool, len(fields))
	if p.index >= 0 {
		changes[p.index] = true
	}
	p.rows = newRowPlan(s, p.schema, nil, t.replaceNull, changes)
	return p, nil
}

// defaultOf is the default of the struct with its field converted.
func (t *timestampConverter) defaultOf(b *data.Builder, def *data.Struct, p *timePlan) (any, error) {
	bare, err := buildSchema(b)
	if err != nil {
		return nil, err
	}
	out, err := data.NewStructValue(bare)
	if err != nil {
		return nil, err
	}
	for i := range def.Values() {
		v := def.At(i)
		if i == p.index {
			if v, err = t.convert(v, p.form); err != nil {
				return nil, err
			}
		}
		out.Values()[i] = v
	}
	return out, nil
}

// schema is that of the target form. A struct's field is optional if it was.
func (t *timestampConverter) schema(optional bool) *data.Schema {
	pair := map[string][2]*data.Schema{
		formString:    {data.StringSchema, data.OptionalStringSchema},
		formUnix:      {data.Int64Schema, data.OptionalInt64Schema},
		formDate:      {data.DateSchema, data.OptionalDateSchema},
		formTime:      {data.TimeSchema, data.OptionalTimeSchema},
		formTimestamp: {data.TimestampSchema, data.OptionalTimestampSchema},
	}[t.target]
	if optional {
		return pair[1]
	}
	return pair[0]
}

// formOf is the form of the times of a schema.
func formOf(s *data.Schema) (string, error) {
	switch s.Name() {
	case data.TimestampName:
		return formTimestamp, nil
	case data.DateName:
		return formDate, nil
	case data.TimeName:
		return formTime, nil
	}
	switch s.Type() {
	case data.String:
		return formString, nil
	case data.Int64:
		return formUnix, nil
	}
	return "", javaError(connectException, "Schema %s does not correspond to a known timestamp type format", s)
}

// convertAny converts a time whose form its type tells.
func (t *timestampConverter) convertAny(v any) (any, error) {
	switch v.(type) {
	case nil:
		return nil, nil
	case time.Time:
		return t.convert(v, formTimestamp)
	case int64:
		return t.convert(v, formUnix)
	case string:
		return t.convert(v, formString)
	}
	return nil, dataError("TimestampConverter does not support %s objects as timestamps", classOf(v))
}

// convert gives the value in the target form.
func (t *timestampConverter) convert(v any, form string) (any, error) {
	if isNull(v) {
		return nil, nil
	}
	millis, err := t.read(v, form)
	if err != nil {
		return nil, err
	}
	switch t.target {
	case formString:
		return t.format.format(millis), nil
	case formUnix:
		return t.toUnix(millis), nil
	case formDate:
		return time.UnixMilli(javadate.FloorDiv(millis, millisPerDay) * millisPerDay).UTC(), nil
	case formTime:
		return time.UnixMilli(javadate.FloorMod(millis, millisPerDay)).UTC(), nil
	}
	return time.UnixMilli(millis).UTC(), nil
}

// read gives the time in milliseconds.
func (t *timestampConverter) read(v any, form string) (int64, error) {
	switch form {
	case formString:
		text, ok := v.(string)
		if !ok {
			return 0, dataError("Expected string timestamp to be a String, but found %s", classOf(v))
		}
		if t.format == nil {
			return 0, javaError(nullPointer, `Cannot invoke "java.text.SimpleDateFormat.parse(String)" because "config.format" is null`)
		}
		millis, err := t.format.parse(text, t.now())
		if err != nil {
			return 0, &convert.Error{Class: dataException, Message: "Could not parse timestamp: value (" + text + ") does not match pattern (" + t.format.pattern + ")", Cause: err}
		}
		return millis, nil
	case formUnix:
		n, ok := v.(int64)
		if !ok {
			return 0, dataError("Expected Unix timestamp to be a Long, but found %s", classOf(v))
		}
		return t.fromUnix(n), nil
	}
	tm, ok := v.(time.Time)
	if !ok {
		return 0, dataError("Expected %s to be a java.util.Date, but found %s", form, classOf(v))
	}
	return tm.UnixMilli(), nil
}

// fromUnix and toUnix convert as Java's TimeUnit does: towards zero, and to the
// largest or smallest number instead of wrapping.
func (t *timestampConverter) fromUnix(n int64) int64 {
	switch t.precision {
	case "seconds":
		return scaled(n, 1000)
	case "microseconds":
		return n / 1000
	case "nanoseconds":
		return n / 1000000
	}
	return n
}

func (t *timestampConverter) toUnix(millis int64) int64 {
	switch t.precision {
	case "seconds":
		return millis / 1000
	case "microseconds":
		return scaled(millis, 1000)
	case "nanoseconds":
		return scaled(millis, 1000000)
	}
	return millis
}

func scaled(n, factor int64) int64 {
	switch {
	case n > math.MaxInt64/factor:
		return math.MaxInt64
	case n < math.MinInt64/factor:
		return math.MinInt64
	}
	return n * factor
}

func isBlank(s string) bool {
	for _, r := range s {
		if r > ' ' {
			return false
		}
	}
	return true
}
