package convert

import (
	"strconv"

	"github.com/tailrace/tailrace/host/convert/jsonschema"
	"github.com/tailrace/tailrace/sdk/go/data"
)

// jsonPlan is a schema prepared for writing, made once: the names are quoted,
// the kinds decided.
type jsonPlan struct {
	schema   *data.Schema
	kind     kind
	scale    int32
	optional bool
	// null is what a null becomes: "null", or the default's JSON.
	null []byte
	// objectMode: the map is a JSON object; otherwise an array of pairs.
	objectMode bool
	// union: the struct stands for its only field with a value; entries: the pairs of a map are
	// objects with a key and a value. Both only with a schema registry.
	union, entries bool
	key, value     *jsonPlan // nil where there is no schema
	fields         []jsonField
	envelope       []byte // of the top: {"schema":…,"payload":
}

// jsonField is a field of a struct with what its usual values need, side by side.
type jsonField struct {
	name            []byte // `"name":` with the comma before it
	kind            kind
	scalar          bool // neither array, map nor struct
	optional        bool
	present, absent byte // the presence of an optional value
	scale           int32
	plan            *jsonPlan
}

func newJSONPlan(s *data.Schema) *jsonPlan {
	if s == nil {
		return nil
	}
	p := &jsonPlan{schema: s, kind: kindOf(s), optional: s.Optional()}
	p.scale, _, _ = s.IsDecimal()
	switch p.kind {
	case kindArray:
		p.value = newJSONPlan(s.ValueSchema())
	case kindMap:
		p.objectMode = s.KeySchema() == nil || s.KeySchema().Type() == data.String
		p.key, p.value = newJSONPlan(s.KeySchema()), newJSONPlan(s.ValueSchema())
	case kindStruct:
		for i, f := range s.Fields() {
			var name []byte
			if i > 0 {
				name = append(name, ',')
			}
			plan := newJSONPlan(f.Schema)
			field := jsonField{
				name: append(appendJSONString(name, []byte(f.Name)), ':'), plan: plan,
				kind: plan.kind, scale: plan.scale, optional: plan.optional,
				scalar: plan.kind != kindArray && plan.kind != kindMap && plan.kind != kindStruct,
			}
			if plan.optional {
				field.present = data.AppendPresence(nil, f.Schema, true)[0]
				field.absent = data.AppendPresence(nil, f.Schema, false)[0]
			}
			p.fields = append(p.fields, field)
		}
	}
	return p
}

// planDefaults decides what nulls become, from the inside out.
func (c *jsonConverter) planDefaults(p *jsonPlan) error {
	if p == nil {
		return nil
	}
	for _, part := range []*jsonPlan{p.key, p.value} {
		if err := c.planDefaults(part); err != nil {
			return err
		}
	}
	for i := range p.fields {
		if err := c.planDefaults(p.fields[i].plan); err != nil {
			return err
		}
	}
	if c.byRegistry {
		p.union, p.entries = jsonschema.IsUnion(p.schema), true
		p.objectMode = p.schema.IsStringKey()
	}
	if !p.optional {
		return nil
	}
	p.null = []byte("null")
	if !c.nullTakesDefault {
		return nil
	}
	text, ok, err := c.appendDefault(nil, p)
	if err != nil || !ok {
		return err
	}
	p.null = text
	return nil
}

// appendDefault writes the default of a schema as JSON, if there is one.
func (c *jsonConverter) appendDefault(dst []byte, p *jsonPlan) ([]byte, bool, error) {
	wire, ok := p.schema.AppendDefault(nil)
	if !ok {
		return dst, false, nil
	}
	w := jsonWriter{c: c, b: wire, keys: c.keys}
	dst, err := w.body(dst, p)
	return dst, true, err
}

// appendSchema writes Kafka Connect's JSON of a schema; field is the name of the
// struct field it describes, nil for none.
func (c *jsonConverter) appendSchema(dst []byte, s *data.Schema, field *string) (_ []byte, err error) {
	if s == nil {
		return append(dst, "null"...), nil
	}
	dst = append(append(append(dst, `{"type":"`...), jsonTypes[s.Type()]...), '"')
	switch s.Type() {
	case data.Array:
		if dst, err = c.appendSchema(append(dst, `,"items":`...), s.ValueSchema(), nil); err != nil {
			return nil, err
		}
	case data.MapType:
		if dst, err = c.appendSchema(append(dst, `,"keys":`...), s.KeySchema(), nil); err != nil {
			return nil, err
		}
		if dst, err = c.appendSchema(append(dst, `,"values":`...), s.ValueSchema(), nil); err != nil {
			return nil, err
		}
	case data.StructType:
		dst = append(dst, `,"fields":[`...)
		for i, f := range s.Fields() {
			if i > 0 {
				dst = append(dst, ',')
			}
			if dst, err = c.appendSchema(dst, f.Schema, &f.Name); err != nil {
				return nil, err
			}
		}
		dst = append(dst, ']')
	}
	dst = strconv.AppendBool(append(dst, `,"optional":`...), s.Optional())
	if s.HasName() {
		dst = appendJSONString(append(dst, `,"name":`...), []byte(s.Name()))
	}
	if v, ok := s.Version(); ok {
		dst = strconv.AppendInt(append(dst, `,"version":`...), int64(v), 10)
	}
	if s.HasDoc() {
		dst = appendJSONString(append(dst, `,"doc":`...), []byte(s.Doc()))
	}
	for i, kv := range s.Parameters() {
		lead := `,"parameters":{`
		if i > 0 {
			lead = ","
		}
		dst = append(appendJSONString(append(dst, lead...), []byte(kv.Key)), ':')
		dst = appendJSONString(dst, []byte(kv.Value))
	}
	if len(s.Parameters()) > 0 {
		dst = append(dst, '}')
	}
	if _, ok := s.Default(); ok {
		p := newJSONPlan(s)
		if err := c.planDefaults(p); err != nil {
			return nil, err
		}
		if dst, _, err = c.appendDefault(append(dst, `,"default":`...), p); err != nil {
			return nil, err
		}
	}
	if field != nil {
		dst = appendJSONString(append(dst, `,"field":`...), []byte(*field))
	}
	return append(dst, '}'), nil
}

var jsonTypes = [...]string{
	data.Int8: "int8", data.Int16: "int16", data.Int32: "int32", data.Int64: "int64", data.Float32: "float", data.Float64: "double",
	data.Boolean: "boolean", data.String: "string", data.Bytes: "bytes", data.Array: "array", data.MapType: "map", data.StructType: "struct",
}
