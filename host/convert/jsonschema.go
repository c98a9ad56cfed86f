package convert

import (
	"github.com/tailrace/tailrace/sdk/go/data"
)

var jsonPrimitives = map[string]data.Type{
	"boolean": data.Boolean, "int8": data.Int8, "int16": data.Int16, "int32": data.Int32, "int64": data.Int64,
	"float": data.Float32, "double": data.Float64, "bytes": data.Bytes, "string": data.String,
}

// schema reads Kafka Connect's JSON of a schema at i.
func (r *jsonReader) schema(i int) (*data.Schema, error) {
	if r.b[i] == 'n' {
		return nil, nil //nolint:nilnil // no schema
	}
	parts := map[string]int{}
	if r.b[i] == '{' {
		for _, m := range r.members(i) {
			parts[string(m.name)] = m.at
		}
	}
	at, ok := parts["type"]
	if !ok || r.b[at] != '"' {
		return nil, dataError("Schema must contain 'type' field")
	}
	typ, _ := r.b.unquote(at)
	b, err := r.schemaBuilder(string(typ), parts)
	if err != nil {
		return nil, err
	}
	if at, ok := parts["optional"]; ok && r.b[at] == 't' {
		b.Optional()
	}
	if at, ok := parts["name"]; ok && r.b[at] == '"' {
		name, _ := r.b.unquote(at)
		b.Name(string(name))
	}
	if at, ok := parts["version"]; ok && r.isIntegral(at) {
		b.Version(int32(r.integer(at)))
	}
	if at, ok := parts["doc"]; ok && r.b[at] == '"' {
		doc, _ := r.b.unquote(at)
		b.Doc(string(doc))
	}
	if at, ok := parts["parameters"]; ok && r.b[at] == '{' {
		for _, m := range r.members(at) {
			if r.b[m.at] != '"' {
				return nil, dataError("Schema parameters must have string values.")
			}
			value, _ := r.b.unquote(m.at)
			b.Param(string(m.name), string(value))
		}
	}
	return r.schemaDefault(b, parts)
}

func (r *jsonReader) schemaBuilder(typ string, parts map[string]int) (*data.Builder, error) {
	if t, ok := jsonPrimitives[typ]; ok {
		return data.NewPrimitive(t), nil
	}
	switch typ {
	case "array":
		at, ok := parts["items"]
		if !ok || r.b[at] == 'n' {
			return nil, dataError("Array schema did not specify the element type")
		}
		items, err := r.schema(at)
		if err != nil {
			return nil, err
		}
		return data.NewArray(items), nil
	case "map":
		keysAt, ok := parts["keys"]
		if !ok {
			return nil, dataError("Map schema did not specify the key type")
		}
		valuesAt, ok := parts["values"]
		if !ok {
			return nil, dataError("Map schema did not specify the value type")
		}
		keys, err := r.schema(keysAt)
		if err != nil {
			return nil, err
		}
		values, err := r.schema(valuesAt)
		if err != nil {
			return nil, err
		}
		return data.NewMap(keys, values).Schemaless(), nil
	case "struct":
		return r.structBuilder(parts)
	}
	return nil, dataError("Unknown schema type: %s", typ)
}

func (r *jsonReader) structBuilder(parts map[string]int) (*data.Builder, error) {
	i, ok := parts["fields"]
	if !ok || r.b[i] != '[' {
		return nil, dataError("Struct schema's \"fields\" argument is not an array.")
	}
	b, seen := data.NewStruct(), map[string]bool{}
	for i = r.b.space(i + 1); r.b[i] != ']'; {
		name, ok := "", false
		if r.b[i] == '{' {
			for _, m := range r.members(i) {
				if string(m.name) == "field" && r.b[m.at] == '"' {
					text, _ := r.b.unquote(m.at)
					name, ok = string(text), true
				}
			}
		}
		if !ok {
			return nil, dataError("Struct schema's field name not specified properly")
		}
		s, err := r.schema(i)
		if err != nil {
			return nil, err
		}
		if name == "" {
			return nil, schemaBuilderError("fieldName cannot be null.")
		}
		if seen[name] {
			return nil, schemaBuilderError("Cannot create field because of field name duplication " + name)
		}
		seen[name] = true
		b.Field(name, s)
		if i = r.b.space(r.b.end(i)); r.b[i] == ',' {
			i = r.b.space(i + 1)
		}
	}
	return b, nil
}

// schemaDefault finishes the schema, with its default if it has one.
func (r *jsonReader) schemaDefault(b *data.Builder, parts map[string]int) (*data.Schema, error) {
	s, err := b.Build()
	if err != nil {
		return nil, schemaBuilderError(err.Error())
	}
	at, ok := parts["default"]
	if !ok || r.b[at] == 'n' && s.Optional() {
		return s, nil
	}
	required, err := b.Clone().SetOptional(false).Build()
	if err != nil {
		return nil, err
	}
	reader := jsonReader{c: r.c, b: r.b}
	wire, err := reader.value(nil, required, at)
	if err != nil {
		return nil, err
	}
	if s.Optional() && reader.lost != nil && r.isNullText(s, at) {
		return s, nil // the default is null
	}
	if reader.lost != nil || s.Type() == data.StructType { // Java compares a struct's schema with its builder: never equal
		return nil, schemaBuilderError(invalidDefault)
	}
	if s, err = b.WireDefault(wire).Build(); err != nil {
		return nil, &Error{Class: schemaBuilderException, Message: invalidDefault, Cause: err}
	}
	return s, nil
}

const (
	schemaBuilderException = "org.apache.kafka.connect.errors.SchemaBuilderException"
	invalidDefault         = "Invalid default value"
)

func schemaBuilderError(message string) error {
	return &Error{Class: schemaBuilderException, Message: message}
}
