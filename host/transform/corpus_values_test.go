package transform

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/tailrace/tailrace/sdk/go/data"
)

type corpusSchema struct {
	Type        string            `json:"type"`
	Optional    bool              `json:"optional"`
	Name        *string           `json:"name"`
	Version     *int32            `json:"version"`
	Doc         *string           `json:"doc"`
	Parameters  map[string]string `json:"parameters"`
	Default     json.RawMessage   `json:"default"`
	ValueSchema json.RawMessage   `json:"valueSchema"`
	KeySchema   json.RawMessage   `json:"keySchema"`
	Fields      []struct {
		Name   string          `json:"name"`
		Schema json.RawMessage `json:"schema"`
	} `json:"fields"`
}

type corpusValue struct {
	T        string              `json:"t"`
	V        json.RawMessage     `json:"v"`
	Bits     string              `json:"bits"`
	Unscaled string              `json:"unscaled"`
	Scale    int32               `json:"scale"`
	Millis   int64               `json:"millis,string"`
	Fields   [][]json.RawMessage `json:"fields"`
	Schema   json.RawMessage     `json:"schema"`
}

// schemaCache gives equal texts the same schema, as a stream does.
type schemaCache map[string]*data.Schema

func (c schemaCache) parse(raw json.RawMessage) (*data.Schema, error) {
	if isJSONNull(raw) {
		return nil, nil
	}
	if s, ok := c[string(raw)]; ok {
		return s, nil
	}
	s, err := c.build(raw)
	c[string(raw)] = s
	return s, err
}

func (c schemaCache) build(raw json.RawMessage) (*data.Schema, error) {
	var in corpusSchema
	if err := json.Unmarshal(raw, &in); err != nil {
		return nil, err
	}
	t, err := data.ParseType(in.Type)
	if err != nil {
		return nil, err
	}
	var b *data.Builder
	switch t {
	case data.Array:
		element, err := c.parse(in.ValueSchema)
		if err != nil {
			return nil, err
		}
		b = data.NewArray(element).Schemaless()
	case data.MapType:
		key, err := c.parse(in.KeySchema)
		if err != nil {
			return nil, err
		}
		value, err := c.parse(in.ValueSchema)
		if err != nil {
			return nil, err
		}
		b = data.NewMap(key, value).Schemaless()
	case data.StructType:
		b = data.NewStruct()
		for _, f := range in.Fields {
			fs, err := c.parse(f.Schema)
			if err != nil {
				return nil, err
			}
			b.Field(f.Name, fs)
		}
	default:
		b = data.NewPrimitive(t)
	}
	b.SetOptional(in.Optional)
	if in.Name != nil {
		b.Name(*in.Name)
	}
	if in.Version != nil {
		b.Version(*in.Version)
	}
	if in.Doc != nil {
		b.Doc(*in.Doc)
	}
	for k, v := range in.Parameters {
		b.Param(k, v)
	}
	if !isJSONNull(in.Default) {
		bare, err := b.Build()
		if err != nil {
			return nil, err
		}
		def, err := c.value(bare, in.Default)
		if err != nil {
			return nil, err
		}
		b.Default(def)
	}
	return b.Build()
}

func (c schemaCache) value(s *data.Schema, raw json.RawMessage) (any, error) {
	if isJSONNull(raw) {
		return nil, nil
	}
	var in corpusValue
	if err := json.Unmarshal(raw, &in); err != nil {
		return nil, err
	}
	text := ""
	if strings.HasPrefix(string(in.V), `"`) {
		if err := json.Unmarshal(in.V, &text); err != nil {
			return nil, err
		}
	}
	number := func(bits int) int64 { n, _ := strconv.ParseInt(text, 10, bits); return n }
	switch in.T {
	case "int8":
		return int8(number(8)), nil
	case "int16":
		return int16(number(16)), nil
	case "int32":
		return int32(number(32)), nil
	case "int64":
		return number(64), nil
	case "float32":
		bits, err := strconv.ParseUint(in.Bits, 16, 32)
		return math.Float32frombits(uint32(bits)), err
	case "float64":
		bits, err := strconv.ParseUint(in.Bits, 16, 64)
		return math.Float64frombits(bits), err
	case "boolean":
		return string(in.V) == "true", nil
	case "string":
		return text, nil
	case "bytes":
		return base64.StdEncoding.DecodeString(text)
	case "decimal":
		n, _ := new(big.Int).SetString(in.Unscaled, 10)
		return data.Decimal{Unscaled: n, Scale: in.Scale}, nil
	case "date":
		return time.UnixMilli(in.Millis).UTC(), nil
	case "array":
		return c.array(s, in.V)
	case "map":
		return c.mapping(s, in.V)
	case "struct":
		if !isJSONNull(in.Schema) {
			var err error
			if s, err = c.parse(in.Schema); err != nil {
				return nil, err
			}
		}
		st, err := data.NewStructValue(s)
		if err != nil {
			return nil, err
		}
		for i, f := range in.Fields {
			if st.Values()[i], err = c.value(s.Fields()[i].Schema, f[1]); err != nil {
				return nil, err
			}
		}
		return st, nil
	}
	return nil, fmt.Errorf("the model has no value of kind %q", in.T)
}

func (c schemaCache) array(s *data.Schema, raw json.RawMessage) (any, error) {
	var items []json.RawMessage
	if err := json.Unmarshal(raw, &items); err != nil {
		return nil, err
	}
	var element *data.Schema
	if s != nil && s.Type() == data.Array {
		element = s.ValueSchema()
	}
	list := []any{}
	for _, item := range items {
		v, err := c.value(element, item)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, nil
}

func (c schemaCache) mapping(s *data.Schema, raw json.RawMessage) (any, error) {
	var entries [][2]json.RawMessage
	if err := json.Unmarshal(raw, &entries); err != nil {
		return nil, err
	}
	var key, value *data.Schema
	if s != nil && s.Type() == data.MapType {
		key, value = s.KeySchema(), s.ValueSchema()
	}
	m := data.NewMapValue()
	for _, e := range entries {
		k, err := c.value(key, e[0])
		if err != nil {
			return nil, err
		}
		v, err := c.value(value, e[1])
		if err != nil {
			return nil, err
		}
		m.Put(k, v)
	}
	return m, nil
}
