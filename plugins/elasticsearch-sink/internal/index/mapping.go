package index

import (
	"encoding/json"
	"errors"

	"github.com/tailrace/tailrace/sdk/go/data"
)

// Mapping is the mapping of a value's schema, {"properties":…}, as JSON. The types are those that Confluent's connector
// gives; compactMaps says how maps are written (see package document).
func Mapping(s *data.Schema, compactMaps bool) ([]byte, error) {
	if s == nil {
		return nil, errors.New("a mapping cannot be made without a schema: the value is schemaless; set schema.ignore=true")
	}
	if s.Type() != data.StructType && s.Type() != data.MapType {
		return nil, errors.New("a mapping cannot be made of a value of " + s.String() + "; set schema.ignore=true")
	}
	m := property(s, compactMaps)
	delete(m, "type")
	return json.Marshal(m)
}

func property(s *data.Schema, compactMaps bool) map[string]any {
	if s == nil {
		return map[string]any{"type": "object"}
	}
	m := map[string]any{}
	if _, decimal, _ := s.IsDecimal(); decimal {
		m["type"] = "double"
		return m
	}
	if s.IsDate() || s.IsTime() || s.IsTimestamp() {
		m["type"] = "date"
		return m
	}
	switch s.Type() {
	case data.StructType:
		fields := map[string]any{}
		for _, f := range s.Fields() {
			if p := property(f.Schema, compactMaps); p != nil {
				fields[f.Name] = p
			}
		}
		m["properties"] = fields
	case data.MapType:
		if key := s.KeySchema(); compactMaps && (key == nil || key.Type() == data.String) {
			m["type"] = "object"
			return m
		}
		m["properties"] = map[string]any{"key": property(s.KeySchema(), compactMaps), "value": property(s.ValueSchema(), compactMaps)}
	case data.Array:
		if s.ValueSchema() == nil {
			return nil // of any type: left to the server
		}
		return property(s.ValueSchema(), compactMaps)
	case data.String:
		m["type"] = "text"
		m["fields"] = map[string]any{"keyword": map[string]any{"type": "keyword", "ignore_above": 256}}
	default:
		m["type"] = types[s.Type()]
	}
	if v, ok := s.Default(); ok && scalarDefault[s.Type()] {
		m["null_value"] = v
	}
	return m
}

var types = map[data.Type]string{
	data.Int8: "byte", data.Int16: "short", data.Int32: "integer", data.Int64: "long",
	data.Float32: "float", data.Float64: "double", data.Boolean: "boolean", data.Bytes: "binary",
}

var scalarDefault = map[data.Type]bool{
	data.Int8: true, data.Int16: true, data.Int32: true, data.Int64: true,
	data.Float32: true, data.Float64: true, data.Boolean: true,
}
