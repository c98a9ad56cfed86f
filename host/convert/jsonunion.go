package convert

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/tailrace/tailrace/host/convert/jsonschema"
	"github.com/tailrace/tailrace/sdk/go/data"
)

// This file is what the JSON of a schema registry reads that JsonConverter's does not have.

// errMissing is a property that the Connect schema requires and a record does not have.
var errMissing = errors.New("")

// missing is the error for a field that is not there.
func missing(f data.Field) error {
	return fmt.Errorf("%w%w", errMissing, dataError("the property %q is not there, but required", f.Name))
}

// union finds the field that a value is for: the first simple one whose type fits, otherwise
// the struct that shares the most names with the value.
func (r *jsonReader) union(dst []byte, s *data.Schema, i int) (_ []byte, err error) {
	best, most := -1, 0
	for n, f := range s.Fields() {
		if r.fits(f.Schema, i) {
			best = n
			break
		}
		if shared := r.sharedNames(f.Schema, i); shared > most {
			best, most = n, shared
		}
	}
	if best < 0 {
		return dst, dataError("Did not find matching oneof field for data")
	}
	for n, f := range s.Fields() {
		if n == best {
			dst, err = r.value(dst, f.Schema, i)
		} else {
			dst, err = r.absent(dst, f.Schema)
		}
		if err != nil {
			return dst, err
		}
	}
	return dst, nil
}

// absent writes a union's field that has no value. Its default would be a second value.
func (r *jsonReader) absent(dst []byte, s *data.Schema) ([]byte, error) {
	if !s.Optional() {
		return dst, dataError("the field of a union is required")
	}
	return data.AppendPresence(dst, s, false), nil
}

// fits tells that a value at i is one of a schema that is no struct.
func (r *jsonReader) fits(s *data.Schema, i int) bool {
	switch s.Type() {
	case data.Int8, data.Int16, data.Int32, data.Int64:
		return r.isIntegral(i)
	case data.Float32, data.Float64:
		return r.isNumber(i)
	case data.Boolean:
		return r.b[i] == 't' || r.b[i] == 'f'
	case data.String:
		return r.b[i] == '"'
	case data.Bytes: // as in Java, where text is not taken for bytes here
		return r.isNumber(i) && !r.isIntegral(i)
	case data.Array:
		return r.b[i] == '['
	case data.MapType:
		return r.b[i] == '{' || r.b[i] == '['
	}
	return false
}

// sharedNames counts the fields of a struct that a JSON object has, with those below them.
func (r *jsonReader) sharedNames(s *data.Schema, i int) int {
	if s.Type() != data.StructType || jsonschema.IsUnion(s) || r.b[i] != '{' {
		return 0
	}
	n := 0
	for _, m := range r.members(i) {
		if f, ok := s.Field(string(m.name)); ok {
			n += 1 + r.sharedNames(f.Schema, m.at)
		}
	}
	return n
}

// entry reads one pair of a map whose keys are not strings.
func (r *jsonReader) entry(dst []byte, s *data.Schema, i int) (_ []byte, err error) {
	if r.b[i] != '{' {
		return dst, dataError("Found invalid map entry instead of object: %s", r.nodeType(i))
	}
	list := r.members(i)
	if len(list) != 2 {
		return dst, dataError("Found invalid map entry, expected length 2 but found :%d", len(list))
	}
	for _, part := range []struct {
		name   string
		schema *data.Schema
	}{{jsonschema.KeyField, s.KeySchema()}, {jsonschema.ValueField, s.ValueSchema()}} {
		at := -1
		for _, m := range list {
			if bytes.Equal(m.name, []byte(part.name)) {
				at = m.at
			}
		}
		if at < 0 {
			dst, err = r.null(dst, part.schema)
		} else {
			dst, err = r.value(dst, part.schema, at)
		}
		if err != nil {
			return dst, err
		}
	}
	return dst, nil
}
