// Package corpustest reads the schemas and values of cases that were recorded from Kafka Connect, for tests. It imports sdk/go/data only.
package corpustest

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"regexp"
	"strconv"
	"strings"

	"github.com/tailrace/tailrace/sdk/go/data"
)

// Schema is a recorded schema.
type Schema struct {
	Type                   string
	Optional               bool
	Name, Doc              *string
	Version                *int32
	Parameters             map[string]string
	Default                *Value
	ValueSchema, KeySchema *Schema
	Fields                 []struct {
		Name   string
		Schema *Schema
	}
}

// Value is a recorded value.
type Value struct {
	T        string
	V        json.RawMessage
	Bits     string
	Unscaled string
	Scale    int32
	Millis   string
	Fields   [][2]json.RawMessage
	Schema   *Schema
}

var surrogate = regexp.MustCompile(`\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\\\|\\u[dD][89a-fA-F][0-9a-fA-F]{2}`)

// KeepSurrogates is to be called on a line before it is read: encoding/json would lose lone surrogates, so they are hidden behind a
// private character, and put back as the three bytes that stand for them here.
func KeepSurrogates(line []byte) []byte {
	return surrogate.ReplaceAllFunc(line, func(m []byte) []byte {
		if len(m) != 6 {
			return m
		}
		return append([]byte(`\uf8ff`), m[2:]...)
	})
}

func restoreSurrogates(s string) string {
	const mark = "\uf8ff"
	for {
		i := strings.Index(s, mark)
		if i < 0 {
			return s
		}
		n, err := strconv.ParseUint(s[i+3:i+7], 16, 16)
		if err != nil {
			return s
		}
		s = s[:i] + string([]byte{0xe0 | byte(n>>12), 0x80 | byte(n>>6)&0x3f, 0x80 | byte(n)&0x3f}) + s[i+7:]
	}
}

var corpusTypes = map[string]data.Type{
	"int8": data.Int8, "int16": data.Int16, "int32": data.Int32, "int64": data.Int64, "float32": data.Float32, "float64": data.Float64,
	"boolean": data.Boolean, "string": data.String, "bytes": data.Bytes,
}

// Build is the schema; nil for none.
func (c *Schema) Build() (*data.Schema, error) {
	if c == nil {
		return nil, nil
	}
	var b *data.Builder
	switch c.Type {
	case "array":
		v, err := c.ValueSchema.Build()
		if err != nil {
			return nil, err
		}
		b = data.NewArray(v).Schemaless()
	case "map":
		k, err := c.KeySchema.Build()
		if err != nil {
			return nil, err
		}
		v, err := c.ValueSchema.Build()
		if err != nil {
			return nil, err
		}
		b = data.NewMap(k, v).Schemaless()
	case "struct":
		b = data.NewStruct()
		for _, f := range c.Fields {
			s, err := f.Schema.Build()
			if err != nil {
				return nil, err
			}
			b.Field(restoreSurrogates(f.Name), s)
		}
	default:
		b = data.NewPrimitive(corpusTypes[c.Type])
	}
	b.SetOptional(c.Optional)
	if c.Name != nil {
		b.Name(restoreSurrogates(*c.Name))
	}
	if c.Version != nil {
		b.Version(*c.Version)
	}
	if c.Doc != nil {
		b.Doc(restoreSurrogates(*c.Doc))
	}
	for k, v := range c.Parameters {
		b.Param(restoreSurrogates(k), restoreSurrogates(v))
	}
	if c.Default != nil {
		s, err := b.Build()
		if err != nil {
			return nil, err
		}
		v, err := c.Default.In(s)
		if err != nil {
			return nil, err
		}
		b.Default(v)
	}
	return b.Build()
}

// In is the value under a schema.
func (c *Value) In(s *data.Schema) (any, error) {
	if c == nil {
		return nil, nil
	}
	var text string
	if len(c.V) > 0 && c.V[0] == '"' {
		if err := json.Unmarshal(c.V, &text); err != nil {
			return nil, err
		}
		text = restoreSurrogates(text)
	}
	switch c.T {
	case "int8", "int16", "int32", "int64":
		bits := map[string]int{"int8": 8, "int16": 16, "int32": 32, "int64": 64}[c.T]
		n, err := strconv.ParseInt(text, 10, bits)
		if err != nil {
			return nil, err
		}
		switch bits {
		case 8:
			return int8(n), nil
		case 16:
			return int16(n), nil
		case 32:
			return int32(n), nil
		}
		return n, nil
	case "float32":
		n, err := strconv.ParseUint(c.Bits, 16, 32)
		return math.Float32frombits(uint32(n)), err
	case "float64":
		n, err := strconv.ParseUint(c.Bits, 16, 64)
		return math.Float64frombits(n), err
	case "boolean":
		return string(c.V) == "true", nil
	case "string":
		return text, nil
	case "bytes":
		return base64.StdEncoding.DecodeString(text)
	case "decimal":
		n, ok := new(big.Int).SetString(c.Unscaled, 10)
		if !ok {
			return nil, errors.New("bad decimal")
		}
		return data.Decimal{Unscaled: n, Scale: c.Scale}, nil
	case "date":
		n, err := strconv.ParseInt(c.Millis, 10, 64)
		return data.FromMillis(n), err
	case "array":
		return c.list(s)
	case "map":
		return c.mapping(s)
	case "struct":
		return c.structure(s)
	}
	return nil, fmt.Errorf("no value of class %s", c.T)
}

func part(s *data.Schema, key bool) *data.Schema {
	switch {
	case s == nil:
		return nil
	case key:
		return s.KeySchema()
	}
	return s.ValueSchema()
}

func (c *Value) list(s *data.Schema) (any, error) {
	var raw []*Value
	if err := json.Unmarshal(c.V, &raw); err != nil {
		return nil, err
	}
	list := []any{}
	for _, r := range raw {
		v, err := r.In(part(s, false))
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, nil
}

func (c *Value) mapping(s *data.Schema) (any, error) {
	var raw [][2]*Value
	if err := json.Unmarshal(c.V, &raw); err != nil {
		return nil, err
	}
	m := data.NewMapValue()
	for _, r := range raw {
		k, err := r[0].In(part(s, true))
		if err != nil {
			return nil, err
		}
		v, err := r[1].In(part(s, false))
		if err != nil {
			return nil, err
		}
		m.Put(k, v)
	}
	return m, nil
}

func (c *Value) structure(s *data.Schema) (any, error) {
	if c.Schema != nil {
		var err error
		if s, err = c.Schema.Build(); err != nil {
			return nil, err
		}
	}
	st, err := data.NewStructValue(s)
	if err != nil {
		return nil, err
	}
	for _, f := range c.Fields {
		var name string
		var raw *Value
		if err := json.Unmarshal(f[0], &name); err != nil {
			return nil, err
		}
		if err := json.Unmarshal(f[1], &raw); err != nil {
			return nil, err
		}
		name = restoreSurrogates(name)
		field, ok := s.Field(name)
		if !ok {
			return nil, fmt.Errorf("no field %q", name)
		}
		v, err := raw.In(field.Schema)
		if err != nil {
			return nil, err
		}
		st.Values()[field.Index] = v
	}
	return st, nil
}
