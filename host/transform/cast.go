package transform

import (
	"strconv"
	"strings"

	"github.com/tailrace/tailrace/host/config"
	"github.com/tailrace/tailrace/host/config/javamap"
	"github.com/tailrace/tailrace/host/convert"
	"github.com/tailrace/tailrace/sdk/go/data"
)

// cast changes the type of fields, or of the whole key or value.
type cast struct {
	side
	whole  data.Type // 0 when fields are cast
	fields []castField
	names  []string // of fields
	plans  perSchema[*castPlan]
	shapes perShape[places]
	temp   []slot
	number number
}

type castField struct {
	name string
	to   data.Type
}

// castPlan is the outcome for one input schema.
type castPlan struct {
	schema *data.Schema
	to     []data.Type // by field; 0 leaves it
	// inWire marks integers that become integers, and numbers that become text: no Go values are needed.
	inWire      []bool
	rows        *rowPlan
	replaceNull bool
	number      number
}

func newCast(key bool, v config.Values) (step, error) {
	t := &cast{side: newSide(key, v)}
	fields, err := parseCasts(v.List("spec"))
	if err != nil {
		return nil, err
	}
	for _, f := range fields {
		if f.name == "" && f.to != 0 && len(fields) == 1 && !strings.Contains(v.List("spec")[0], ":") {
			t.whole = f.to
		}
	}
	t.fields = javamap.OrderBy(javamap.DefaultCapacity, fields, func(f castField) string { return f.name })
	for _, f := range t.fields {
		t.names = append(t.names, f.name)
	}
	return t, nil
}

const (
	castInputs  = "[INT8, INT16, INT32, INT64, FLOAT32, FLOAT64, BOOLEAN, STRING, BYTES]"
	castOutputs = "[INT8, INT16, INT32, INT64, FLOAT32, FLOAT64, BOOLEAN, STRING]"
)

// parseCasts reads field:type pairs, or a single type. A field named twice keeps its last type.
func parseCasts(specs []string) ([]castField, error) {
	whole := false
	var fields []castField
	for _, spec := range specs {
		parts := splitColon(spec)
		if len(parts) == 0 { // nothing but colons
			return nil, javaError(arrayIndex, "Index 1 out of bounds for length 0")
		}
		if len(parts) > 2 {
			return nil, invalid("renames", specs, "Invalid rename mapping: "+spec)
		}
		var f castField
		typeName := javaTrim(parts[len(parts)-1])
		if len(parts) == 2 {
			f.name = javaTrim(parts[0])
		} else {
			whole = true
		}
		upper := strings.ToUpper(typeName)
		to, err := data.ParseType(upper)
		if err != nil {
			return nil, invalid("Invalid type found in casting spec: "+typeName,
				"java.lang.IllegalArgumentException: No enum constant org.apache.kafka.connect.data.Schema.Type."+upper, "")
		}
		if !to.Primitive() || to == data.Bytes {
			return nil, configError("Cast transformation does not support casting to %s; supported types are %s", to, castOutputs)
		}
		f.to = to
		fields = replaceOrAppend(fields, f)
	}
	if whole && len(specs) > 1 {
		return nil, configError("Cast transformations that specify a type to cast the entire value to may only specify a single cast in their spec")
	}
	return fields, nil
}

func replaceOrAppend(fields []castField, f castField) []castField {
	for i := range fields {
		if fields[i].name == f.name {
			fields[i] = f
			return fields
		}
	}
	return append(fields, f)
}

func (t *cast) apply(r *Record) error {
	c := t.cell(r)
	if c.IsNull() {
		return nil
	}
	if c.schema == nil {
		return t.schemaless(c)
	}
	plan, err := t.plans.get(c.schema, t.plan)
	if err != nil {
		return err
	}
	if t.whole != 0 {
		v, err := c.Value()
		if err != nil {
			return err
		}
		if v, err = castValue(c.schema, v, t.whole); err != nil {
			return err
		}
		c.Set(plan.schema, v)
		return nil
	}
	in, err := c.requireStruct("cast types")
	if err != nil {
		return err
	}
	return plan.rows.apply(c, in, t.replaceNull, plan)
}

func (p *castPlan) change(a *arena, at int, s *slot, f *data.Field) (slot, error) {
	if s.raw != nil && p.inWire[at] && !s.isNull(f.Schema) {
		return p.castNumber(a, s.raw, f.Schema, p.schema.Fields()[at].Schema)
	}
	v, err := s.read(f.Schema, p.replaceNull)
	if err == nil {
		v, err = castValue(f.Schema, v, p.to[at])
	}
	if err == nil && v == nil && !f.Schema.Optional() {
		err = nullRequired(f)
	}
	return slot{v: v}, err
}

func isInteger(t data.Type) bool { return t >= data.Int8 && t <= data.Int64 }

// castNumber casts in wire form.
func (p *castPlan) castNumber(a *arena, raw []byte, from, to *data.Schema) (slot, error) {
	_, raw, err := data.ReadPresence(from, raw)
	if err == nil {
		err = p.number.read(from.Type(), to.Type(), raw)
	}
	if err != nil {
		return slot{}, malformed(from, err)
	}
	dst := a.bytes()
	if to.Optional() {
		dst = data.AppendPresence(dst, to, true)
	}
	return a.keep(p.number.append(dst, to.Type())), nil
}

// number is one on its way to another type.
type number struct {
	n    int64  // of an integer
	text []byte // what Java prints
}

// read reads what append needs for a type.
func (x *number) read(from, to data.Type, raw []byte) (err error) {
	switch from {
	case data.Float32:
		var f float32
		f, _, err = data.ReadFloat(raw)
		x.text = data.AppendJavaText(x.text[:0], f)
	case data.Float64:
		var f float64
		f, _, err = data.ReadDouble(raw)
		x.text = data.AppendJavaText(x.text[:0], f)
	default:
		if x.n, _, err = data.ReadLong(raw); to == data.String {
			x.text = strconv.AppendInt(x.text[:0], x.n, 10)
		}
	}
	return err
}

func (x *number) append(dst []byte, to data.Type) []byte {
	switch to {
	case data.Int8:
		return data.AppendLong(dst, int64(int8(x.n)))
	case data.Int16:
		return data.AppendLong(dst, int64(int16(x.n)))
	case data.Int32:
		return data.AppendLong(dst, int64(int32(x.n)))
	case data.Int64:
		return data.AppendLong(dst, x.n)
	}
	return data.AppendBytes(dst, x.text)
}

// castsInWire reports whether castNumber can do it.
func castsInWire(from, to data.Type) bool {
	return from >= data.Int8 && from <= data.Float64 && (to == data.String || isInteger(from) && isInteger(to))
}

// anyTypes are the numbers among the branches of the schemaless union, by their byte.
var anyTypes = [...]data.Type{
	data.AnyInt8 << 1: data.Int8, data.AnyInt16 << 1: data.Int16, data.AnyInt32 << 1: data.Int32,
	data.AnyInt64 << 1: data.Int64, data.AnyFloat32 << 1: data.Float32, data.AnyFloat64 << 1: data.Float64,
}

func anyType(b byte) data.Type {
	if int(b) < len(anyTypes) {
		return anyTypes[b]
	}
	return 0
}

var anyBranches = [...]int64{
	data.Int8: data.AnyInt8, data.Int16: data.AnyInt16, data.Int32: data.AnyInt32, data.Int64: data.AnyInt64, data.String: data.AnyString,
}

// castEntry casts one entry of a map.
func (t *cast) castEntry(a *arena, s *slot, to data.Type) (slot, error) {
	if len(s.raw) > 0 && castsInWire(anyType(s.raw[0]), to) {
		if err := t.number.read(anyType(s.raw[0]), to, s.raw[1:]); err != nil {
			return slot{}, malformed(nil, err)
		}
		return a.keep(t.number.append(data.AppendLong(a.bytes(), anyBranches[to]), to)), nil
	}
	v, err := s.value(nil)
	if err == nil {
		v, err = castValue(nil, v, to)
	}
	return slot{v: v}, err
}

func (t *cast) schemaless(c *Cell) error {
	if t.whole != 0 {
		v, err := c.Value()
		if err != nil {
			return err
		}
		if v, err = castValue(nil, v, t.whole); err != nil {
			return err
		}
		c.Set(nil, v)
		return nil
	}
	in, err := c.requireMap("cast types")
	if err != nil {
		return err
	}
	p := t.shapes.get(in.keys, func(keys []any) places { return findPlaces(keys, t.names) })
	t.temp = t.temp[:0]
	for n, f := range t.fields {
		s, err := t.castEntry(c.arena, in.entry(p.at[n]), f.to)
		if err != nil {
			return err
		}
		t.temp = append(t.temp, s)
	}
	c.setEntries(in, p, t.temp)
	return nil
}

func (t *cast) plan(s *data.Schema) (*castPlan, error) {
	p := &castPlan{replaceNull: t.replaceNull}
	to := t.whole
	var b *data.Builder
	var added *fieldAdder
	if to != 0 {
		b = copyBasics(s, data.NewPrimitive(to))
	} else {
		to = data.StructType
		b = copyBasics(s, data.NewStruct())
		fields, err := fieldsOf(s)
		if err != nil {
			return nil, err
		}
		added = newFields(b)
		p.to, p.inWire = make([]data.Type, len(fields)), make([]bool, len(fields))
		for i, f := range fields {
			cs := f.Schema
			if p.to[i] = t.target(f.Name); p.to[i] != 0 {
				if cs, err = castFieldSchema(f.Schema, p.to[i]); err != nil {
					return nil, err
				}
				p.inWire[i] = !f.Schema.HasName() && castsInWire(f.Schema.Type(), p.to[i])
			}
			added.add(f.Name, cs)
		}
		if added.err != nil {
			return nil, added.err
		}
	}
	b.SetOptional(s.Optional())
	if def, ok := s.Default(); ok {
		v, err := castValue(s, def, to)
		if err != nil {
			return nil, err
		}
		if t.whole != 0 && s.HasName() && isLogicalName(s.Name()) { // the name stays, and asks for another class
			return nil, &convert.Error{Class: schemaBuilderException, Message: "Invalid default value", Cause: wrongClass(s, to, v, "value")}
		}
		b.Default(v)
	}
	var err error
	if p.schema, err = buildSchema(b); err == nil && t.whole == 0 {
		changes := make([]bool, len(p.to))
		for i, to := range p.to {
			changes[i] = to != 0
		}
		p.rows = newRowPlan(s, p.schema, nil, t.replaceNull, changes)
	}
	return p, err
}

func isLogicalName(name string) bool {
	return name == data.DecimalName || name == data.DateName || name == data.TimeName || name == data.TimestampName
}

func (t *cast) target(name string) data.Type {
	for i := range t.fields {
		if t.fields[i].name == name {
			return t.fields[i].to
		}
	}
	return 0
}

func castFieldSchema(s *data.Schema, to data.Type) (*data.Schema, error) {
	b := data.NewPrimitive(to).SetOptional(s.Optional())
	if def, ok := s.Default(); ok {
		v, err := castValue(s, def, to)
		if err != nil {
			return nil, err
		}
		b.Default(v)
	}
	return buildSchema(b)
}
