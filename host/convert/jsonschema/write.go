package jsonschema

import (
	"strconv"
	"strings"

	"github.com/tailrace/tailrace/host/convert/javaerr"
	"github.com/tailrace/tailrace/sdk/go/data"
)

// Write gives the JSON Schema of a schema, in the text that Confluent's converter registers.
func Write(o *Options, s *data.Schema, values Values) (string, error) {
	w := &schemaWriter{o: o, values: values}
	text, err := w.schema(nil, s, noIndex, false, 0)
	return string(text), err
}

type schemaWriter struct {
	o      *Options
	values Values
}

// noIndex is a schema that is not a field.
const noIndex = -1

// schema writes a schema. index is its place in a struct or noIndex; required
// leaves out that it is optional.
func (w *schemaWriter) schema(dst []byte, s *data.Schema, index int, required bool, depth int) ([]byte, error) {
	if s == nil {
		return nil, javaerr.Data("a JSON Schema cannot be made for a part without a schema")
	}
	if depth > maxDepth {
		return nil, javaerr.Data("the schema is nested more than %d deep", maxDepth)
	}
	switch {
	case IsUnion(s):
		return w.union(dst, s, index, depth)
	case s.Optional() && !required:
		dst, err := w.schema(append(w.oneOf(dst, index), `{"type":"null"},`...), s, noIndex, true, depth)
		return append(dst, "]}"...), err
	}
	return w.plain(dst, s, index, depth)
}

// oneOf begins a combined schema.
func (w *schemaWriter) oneOf(dst []byte, index int) []byte {
	dst = append(dst, '{')
	if index != noIndex {
		dst = append(strconv.AppendInt(append(dst, `"connect.index":`...), int64(index), 10), ',')
	}
	return append(dst, `"oneOf":[`...)
}

func (w *schemaWriter) union(dst []byte, s *data.Schema, index, depth int) (_ []byte, err error) {
	dst = w.oneOf(dst, index)
	if s.Optional() {
		dst = append(dst, `{"type":"null"}`...)
	}
	for i, f := range s.Fields() {
		if i > 0 || s.Optional() {
			dst = append(dst, ',')
		}
		if dst, err = w.schema(dst, f.Schema, i, true, depth+1); err != nil {
			return nil, err
		}
	}
	return append(dst, "]}"...), nil
}

// plain writes a schema that is neither optional nor a union: its type, what all
// schemas have, and then its parts, in the order of the everit library.
func (w *schemaWriter) plain(dst []byte, s *data.Schema, index, depth int) (_ []byte, err error) {
	props := map[string][]byte{}
	if index != noIndex {
		props[propIndex] = strconv.AppendInt(nil, int64(index), 10)
	}
	if name, ok := connectNames[s.Type()]; ok {
		props[propType] = appendText(nil, name)
	}
	dst = append(dst, '{')
	switch s.Type() {
	case data.Int8, data.Int16, data.Int32, data.Int64:
		dst = append(dst, `"type":"integer",`...)
	case data.Float32, data.Float64:
		dst = append(dst, `"type":"number",`...)
	case data.String:
		if symbols, ok := w.symbols(s); ok {
			dst = append(append(dst, symbols...), ',')
		} else {
			dst = append(dst, `"type":"string",`...)
		}
	case data.Bytes:
		if _, decimal, _ := s.IsDecimal(); (decimal || s.Name() == data.DecimalName) && w.o.NumericDecimals {
			dst = append(dst, `"type":"number",`...)
		} else {
			dst = append(dst, `"type":"string",`...)
		}
	case data.Array:
		dst = append(dst, `"type":"array",`...)
	case data.MapType:
		props[propType] = appendText(nil, connectMap)
		if s.IsStringKey() {
			dst = append(dst, `"type":"object",`...)
		} else {
			dst = append(dst, `"type":"array",`...)
		}
	case data.StructType:
		dst = append(dst, `"type":"object",`...)
		if !w.o.AdditionalProperties {
			dst = append(dst, `"additionalProperties":false,`...)
		}
	}
	if dst, err = w.attributes(dst, s, props); err != nil {
		return nil, err
	}
	if dst, err = w.parts(dst, s, depth); err != nil {
		return nil, err
	}
	if dst[len(dst)-1] == ',' {
		dst = dst[:len(dst)-1]
	}
	return append(dst, '}'), nil
}

// attributes writes what every schema may have; each ends with a comma.
func (w *schemaWriter) attributes(dst []byte, s *data.Schema, props map[string][]byte) ([]byte, error) {
	if s.HasName() {
		dst = append(appendText(append(dst, `"title":`...), s.Name()), ',')
	}
	if s.HasDoc() {
		dst = append(appendText(append(dst, `"description":`...), s.Doc()), ',')
	}
	if _, ok := s.Default(); ok {
		raw, err := w.values.DefaultJSON(s)
		if err != nil {
			return nil, err
		}
		v, err := parseJSON(raw)
		if err != nil {
			return nil, javaerr.Data("Invalid default value: %s", err)
		}
		dst = append(appendJSON(append(dst, `"default":`...), v), ',')
	}
	if v, ok := s.Version(); ok {
		props[propVersion] = strconv.AppendInt(nil, int64(v), 10)
	}
	params := &object{values: map[string]any{}}
	for _, p := range s.Parameters() {
		if !strings.HasPrefix(p.Key, namespace) {
			params.names = append(params.names, p.Key)
			params.values[p.Key] = p.Value
		}
	}
	if len(params.names) > 0 {
		props[propParams] = appendJSON(nil, &object{names: objectOrder(params.names), values: params.values})
	}
	names := make([]string, 0, len(props))
	for _, name := range []string{propType, propVersion, propParams, propIndex} {
		if _, ok := props[name]; ok {
			names = append(names, name)
		}
	}
	for _, name := range copyOrder(names) {
		dst = append(append(append(appendText(dst, name), ':'), props[name]...), ',')
	}
	return dst, nil
}

// parts writes what is below a schema.
func (w *schemaWriter) parts(dst []byte, s *data.Schema, depth int) (_ []byte, err error) {
	switch s.Type() {
	case data.Boolean:
		return append(dst, `"type":"boolean"`...), nil
	case data.Array:
		return w.schema(append(dst, `"items":`...), s.ValueSchema(), noIndex, false, depth+1)
	case data.MapType:
		if s.IsStringKey() {
			return w.schema(append(dst, `"additionalProperties":`...), s.ValueSchema(), noIndex, false, depth+1)
		}
		return w.entries(dst, s, depth)
	case data.StructType:
		if len(s.Fields()) == 0 {
			return dst, nil
		}
		names := make([]string, len(s.Fields()))
		for i, f := range s.Fields() {
			names[i] = f.Name
		}
		dst = append(dst, `"properties":{`...)
		for i, name := range hashOrder(names) {
			if i > 0 {
				dst = append(dst, ',')
			}
			f, _ := s.Field(name)
			if dst, err = w.schema(append(appendText(dst, name), ':'), f.Schema, f.Index, false, depth+1); err != nil {
				return nil, err
			}
		}
		return append(dst, '}'), nil
	}
	return dst, nil
}

// entries writes the schema of the {key, value} objects of a map.
func (w *schemaWriter) entries(dst []byte, s *data.Schema, depth int) (_ []byte, err error) {
	dst = append(dst, `"items":{"type":"object","properties":{`...)
	for i, name := range hashOrder([]string{KeyField, ValueField}) {
		if i > 0 {
			dst = append(dst, ',')
		}
		part, index := s.KeySchema(), 0
		if name == ValueField {
			part, index = s.ValueSchema(), 1
		}
		if dst, err = w.schema(append(appendText(dst, name), ':'), part, index, false, depth+1); err != nil {
			return nil, err
		}
	}
	return append(dst, "}}"...), nil
}

// symbols is the enum of a string that has one.
func (w *schemaWriter) symbols(s *data.Schema) ([]byte, bool) {
	_, general := s.Parameter(sumEnum)
	_, own := s.Parameter(enumParam)
	if !general && !own {
		return nil, false
	}
	prefix := enumParam + "."
	if w.o.GeneralizedSumTypes {
		prefix = sumEnum + "."
	}
	var names []string
	null := false
	for _, p := range s.Parameters() {
		if symbol, ok := strings.CutPrefix(p.Key, prefix); ok && symbol != nullMarker {
			names = append(names, symbol)
		} else if ok {
			null = true
		}
	}
	dst := []byte(`"enum":[`)
	if null { // a null is in the first bucket of Java's set
		dst = append(dst, "null,"...)
	}
	for _, name := range hashOrder(names) {
		dst = append(appendText(dst, name), ',')
	}
	if dst[len(dst)-1] == ',' {
		dst = dst[:len(dst)-1]
	}
	return append(dst, ']'), true
}
