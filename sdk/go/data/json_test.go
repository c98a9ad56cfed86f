package data_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tailrace/tailrace/sdk/go/data"
)

// The JSON forms of schemas and values in the vectors; their README describes them.

type schemaForm struct {
	Type        string            `json:"type"`
	Optional    bool              `json:"optional"`
	Name        *string           `json:"name,omitempty"`
	Version     *int32            `json:"version,omitempty"`
	Doc         *string           `json:"doc,omitempty"`
	Parameters  map[string]string `json:"parameters,omitempty"`
	Default     *valueForm        `json:"default,omitempty"`
	KeySchema   *schemaForm       `json:"keySchema,omitempty"`
	ValueSchema *schemaForm       `json:"valueSchema,omitempty"`
	Fields      []fieldForm       `json:"fields,omitempty"`
}

type fieldForm struct {
	Name   string      `json:"name"`
	Schema *schemaForm `json:"schema"`
}

type valueForm struct {
	T        string          `json:"t"`
	V        json.RawMessage `json:"v,omitempty"`
	Bits     string          `json:"bits,omitempty"`
	Hex      *string         `json:"hex,omitempty"`
	Unscaled string          `json:"unscaled,omitempty"`
	Scale    *int32          `json:"scale,omitempty"`
	Millis   *int64          `json:"millis,omitempty"`
	Fields   [][2]any        `json:"fields,omitempty"`
}

func toSchemaForm(s *data.Schema) *schemaForm {
	if s == nil {
		return nil
	}
	f := &schemaForm{Type: strings.ToLower(s.Type().String()), Optional: s.Optional(), KeySchema: toSchemaForm(s.KeySchema()), ValueSchema: toSchemaForm(s.ValueSchema())}
	if s.HasName() {
		name := s.Name()
		f.Name = &name
	}
	if v, ok := s.Version(); ok {
		f.Version = &v
	}
	if s.HasDoc() {
		doc := s.Doc()
		f.Doc = &doc
	}
	for _, p := range s.Parameters() {
		if f.Parameters == nil {
			f.Parameters = map[string]string{}
		}
		f.Parameters[p.Key] = p.Value
	}
	if d, ok := s.Default(); ok {
		f.Default = toValueForm(d)
	}
	for _, field := range s.Fields() {
		f.Fields = append(f.Fields, fieldForm{field.Name, toSchemaForm(field.Schema)})
	}
	return f
}

func fromSchemaForm(f *schemaForm) (*data.Schema, error) {
	if f == nil {
		return nil, nil
	}
	t, err := data.ParseType(f.Type)
	if err != nil {
		return nil, err
	}
	b, err := builderOf(t, f)
	if err != nil {
		return nil, err
	}
	b.SetOptional(f.Optional)
	if f.Name != nil {
		b.Name(*f.Name)
	}
	if f.Version != nil {
		b.Version(*f.Version)
	}
	if f.Doc != nil {
		b.Doc(*f.Doc)
	}
	for k, v := range f.Parameters {
		b.Param(k, v)
	}
	if f.Default != nil {
		s, err := b.Build()
		if err != nil {
			return nil, err
		}
		v, err := fromValueForm(s, f.Default)
		if err != nil {
			return nil, err
		}
		b.Default(v)
	}
	return b.Build()
}

func builderOf(t data.Type, f *schemaForm) (*data.Builder, error) {
	value, err := fromSchemaForm(f.ValueSchema)
	if err != nil {
		return nil, err
	}
	switch t {
	case data.Array:
		return data.NewArray(value).Schemaless(), nil
	case data.MapType:
		key, err := fromSchemaForm(f.KeySchema)
		return data.NewMap(key, value).Schemaless(), err
	case data.StructType:
		b := data.NewStruct()
		for _, field := range f.Fields {
			s, err := fromSchemaForm(field.Schema)
			if err != nil {
				return nil, err
			}
			b.Field(field.Name, s)
		}
		return b, nil
	}
	return data.NewPrimitive(t), nil
}

func toValueForm(v any) *valueForm {
	text := func(t, v string) *valueForm { return &valueForm{T: t, V: mustJSON(v)} }
	switch v := v.(type) {
	case nil:
		return nil
	case int8, int16, int32, int64:
		return text(fmt.Sprintf("%T", v), fmt.Sprint(v))
	case float32:
		f := text("float32", javaFloat(float64(v), 32))
		f.Bits = fmt.Sprintf("%08x", math.Float32bits(v))
		return f
	case float64:
		f := text("float64", javaFloat(v, 64))
		f.Bits = fmt.Sprintf("%016x", math.Float64bits(v))
		return f
	case bool:
		return &valueForm{T: "boolean", V: mustJSON(v)}
	case string:
		if !utf8.ValidString(v) {
			raw := hex.EncodeToString([]byte(v))
			return &valueForm{T: "string", Hex: &raw}
		}
		return text("string", v)
	case []byte:
		return text("bytes", base64.StdEncoding.EncodeToString(v))
	case data.Decimal:
		return &valueForm{T: "decimal", Unscaled: v.Unscaled.String(), Scale: &v.Scale}
	case interface{ UnixMilli() int64 }:
		millis := v.UnixMilli()
		return &valueForm{T: "date", Millis: &millis}
	case []any:
		items := make([]*valueForm, len(v))
		for i := range v {
			items[i] = toValueForm(v[i])
		}
		return &valueForm{T: "array", V: mustJSON(items)}
	case *data.Map:
		items := make([][2]*valueForm, 0, v.Len())
		for _, e := range v.Entries() {
			items = append(items, [2]*valueForm{toValueForm(e.Key), toValueForm(e.Value)})
		}
		return &valueForm{T: "map", V: mustJSON(items)}
	case *data.Struct:
		f := &valueForm{T: "struct", Fields: [][2]any{}}
		for i, value := range v.Values() {
			f.Fields = append(f.Fields, [2]any{v.Schema().Fields()[i].Name, toValueForm(value)})
		}
		return f
	}
	panic(fmt.Sprintf("no form for %T", v))
}

func fromValueForm(s *data.Schema, f *valueForm) (any, error) {
	if f == nil {
		return nil, nil
	}
	var text string
	if len(f.V) > 0 && f.V[0] == '"' {
		if err := json.Unmarshal(f.V, &text); err != nil {
			return nil, err
		}
	}
	switch f.T {
	case "int8":
		n, err := strconv.ParseInt(text, 10, 8)
		return int8(n), err
	case "int16":
		n, err := strconv.ParseInt(text, 10, 16)
		return int16(n), err
	case "int32":
		n, err := strconv.ParseInt(text, 10, 32)
		return int32(n), err
	case "int64":
		n, err := strconv.ParseInt(text, 10, 64)
		return n, err
	case "float32":
		n, err := strconv.ParseUint(f.Bits, 16, 32)
		return math.Float32frombits(uint32(n)), err
	case "float64":
		n, err := strconv.ParseUint(f.Bits, 16, 64)
		return math.Float64frombits(n), err
	case "boolean":
		return string(f.V) == "true", nil
	case "string":
		if f.Hex != nil {
			raw, err := hex.DecodeString(*f.Hex)
			return string(raw), err
		}
		return text, nil
	case "bytes":
		raw, err := base64.StdEncoding.DecodeString(text)
		return raw, err
	case "decimal":
		n, ok := new(big.Int).SetString(f.Unscaled, 10)
		if !ok {
			return nil, fmt.Errorf("bad unscaled %q", f.Unscaled)
		}
		return data.Decimal{Unscaled: n, Scale: *f.Scale}, nil
	case "date":
		return data.FromMillis(*f.Millis), nil
	}
	return partsFromForm(s, f)
}

func partsFromForm(s *data.Schema, f *valueForm) (any, error) {
	var key, value *data.Schema
	if s != nil {
		key, value = s.KeySchema(), s.ValueSchema()
	}
	switch f.T {
	case "array":
		var items []*valueForm
		if err := json.Unmarshal(f.V, &items); err != nil {
			return nil, err
		}
		list := make([]any, len(items))
		for i := range items {
			v, err := fromValueForm(value, items[i])
			if err != nil {
				return nil, err
			}
			list[i] = v
		}
		return list, nil
	case "map":
		var items [][2]*valueForm
		if err := json.Unmarshal(f.V, &items); err != nil {
			return nil, err
		}
		m := &data.Map{}
		for _, item := range items {
			k, err := fromValueForm(key, item[0])
			if err != nil {
				return nil, err
			}
			v, err := fromValueForm(value, item[1])
			if err != nil {
				return nil, err
			}
			m.Put(k, v)
		}
		return m, nil
	case "struct":
		st, err := data.NewStructValue(s)
		if err != nil {
			return nil, err
		}
		for i, pair := range f.Fields {
			raw := mustJSON(pair[1])
			var form *valueForm
			if err := json.Unmarshal(raw, &form); err != nil {
				return nil, err
			}
			v, err := fromValueForm(s.Fields()[i].Schema, form)
			if err != nil {
				return nil, err
			}
			st.Values()[i] = v
		}
		return st, nil
	}
	return nil, fmt.Errorf("unknown value form %q", f.T)
}

func mustJSON(v any) json.RawMessage {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return raw
}

// javaFloat is Java's Double.toString or Float.toString.
func javaFloat(v float64, bits int) string {
	switch {
	case v != v:
		return "NaN"
	case math.IsInf(v, 1):
		return "Infinity"
	case math.IsInf(v, -1):
		return "-Infinity"
	}
	if abs := math.Abs(v); abs == 0 || abs >= 1e-3 && abs < 1e7 {
		text := strconv.FormatFloat(v, 'f', -1, bits)
		if !strings.Contains(text, ".") {
			text += ".0"
		}
		return text
	}
	mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(v, 'e', -1, bits), "e")
	if !strings.Contains(mantissa, ".") {
		mantissa += ".0"
	}
	n, _ := strconv.Atoi(exponent)
	return mantissa + "E" + strconv.Itoa(n)
}
