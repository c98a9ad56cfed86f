package data

import (
	"fmt"
	"strconv"
	"time"
)

// MaxSchemalessDepth is the deepest nesting of arrays and maps in a schemaless value.
const MaxSchemalessDepth = 64

// Validate checks that v is a value of the schema, as Java's ConnectSchema.validateValue does: the Go type must be
// exactly the schema's, null needs an optional schema (or, for a struct's field, a default), elements and entries are
// checked too, and a nested struct must carry an equal schema. Like Java it does not compare a Decimal's scale with the
// schema's; AppendValue does. With a nil schema any schemaless value is right. The error is an [*Error] with the path.
func Validate(s *Schema, v any) error { return validate(s, v, 0) }

func validate(s *Schema, v any, depth int) error {
	if s == nil {
		return validateSchemaless(v, depth)
	}
	if isNull(v) {
		if s.optional {
			return nil
		}
		return badValue(s, v, "null, but "+s.describe()+" is required")
	}
	switch s.typ {
	case Array:
		list, ok := v.([]any)
		if !ok {
			return wrongType(s, v)
		}
		for i, e := range list {
			if err := validate(s.value, e, depth); err != nil {
				return underIndex(err, i)
			}
		}
		return nil
	case MapType:
		m, ok := v.(*Map)
		if !ok {
			return wrongType(s, v)
		}
		for i, e := range m.entries {
			if err := validate(s.key, e.Key, depth); err != nil {
				return underIndex(err, i)
			}
			if err := validate(s.value, e.Value, depth); err != nil {
				return underKey(err, e.Key, i)
			}
		}
		return nil
	case StructType:
		st, ok := v.(*Struct)
		if !ok {
			return wrongType(s, v)
		}
		if !s.fits(st.schema) {
			return schemaMismatch(s, st)
		}
		return validateFields(st, depth)
	}
	if !isTypeOf(s, v) {
		return wrongType(s, v)
	}
	return nil
}

func validateFields(st *Struct, depth int) error {
	for i := range st.values {
		f := &st.schema.fields[i]
		if isNull(st.values[i]) && f.Schema.def != nil {
			continue
		}
		if err := validate(f.Schema, st.values[i], depth); err != nil {
			return under(err, f.Name)
		}
	}
	return nil
}

func validateSchemaless(v any, depth int) error {
	if isNull(v) {
		return nil
	}
	switch v := v.(type) {
	case bool, int8, int16, int32, int64, float32, float64, []byte, string, Decimal, time.Time:
		return nil
	case []any:
		if depth >= MaxSchemalessDepth {
			return tooDeep()
		}
		for i, e := range v {
			if err := validateSchemaless(e, depth+1); err != nil {
				return underIndex(err, i)
			}
		}
		return nil
	case *Map:
		if depth >= MaxSchemalessDepth {
			return tooDeep()
		}
		for i, e := range v.entries {
			if err := validateSchemaless(e.Key, depth+1); err != nil {
				return underIndex(err, i)
			}
			if err := validateSchemaless(e.Value, depth+1); err != nil {
				return underKey(err, e.Key, i)
			}
		}
		return nil
	}
	return notSchemaless(v)
}

// isTypeOf checks the Go type of a primitive or logical value.
func isTypeOf(s *Schema, v any) bool {
	ok := false
	switch {
	case s.logical == logicalDecimal:
		_, ok = v.(Decimal)
	case s.logical != logicalNone:
		_, ok = v.(time.Time)
	case s.typ == Int8:
		_, ok = v.(int8)
	case s.typ == Int16:
		_, ok = v.(int16)
	case s.typ == Int32:
		_, ok = v.(int32)
	case s.typ == Int64:
		_, ok = v.(int64)
	case s.typ == Float32:
		_, ok = v.(float32)
	case s.typ == Float64:
		_, ok = v.(float64)
	case s.typ == Boolean:
		_, ok = v.(bool)
	case s.typ == String:
		_, ok = v.(string)
	case s.typ == Bytes:
		_, ok = v.([]byte)
	}
	return ok
}

// goType is the Go type that a value of the schema has.
func (s *Schema) goType() string {
	switch {
	case s.logical == logicalDecimal:
		return "data.Decimal"
	case s.logical != logicalNone:
		return "time.Time"
	}
	return [...]string{
		Int8: "int8", Int16: "int16", Int32: "int32", Int64: "int64", Float32: "float32", Float64: "float64",
		Boolean: "bool", String: "string", Bytes: "[]byte", Array: "[]any", MapType: "*data.Map", StructType: "*data.Struct",
	}[s.typ]
}

// describe names the schema in an error: its type and, if it has one, its name.
func (s *Schema) describe() string {
	if s.hasName {
		return s.typ.String() + " " + strconv.Quote(s.name)
	}
	return s.typ.String()
}

func badValue(s *Schema, v any, reason string) error {
	return &Error{Offset: -1, Schema: s, Value: v, Reason: reason}
}

func wrongType(s *Schema, v any) error {
	return badValue(s, v, fmt.Sprintf("%s needs a Go %s, got %T", s.describe(), s.goType(), v))
}

func schemaMismatch(s *Schema, st *Struct) error {
	reason := fmt.Sprintf("the struct was made with another schema (%s) than the one wanted here (%s)", st.schema.describe(), s.describe())
	if st.schema.optional != s.optional {
		reason += ": one is optional and the other is not"
	}
	return badValue(s, st, reason)
}

func notSchemaless(v any) error {
	if _, ok := v.(*Struct); ok {
		return badValue(nil, v, "a struct cannot stand where there is no schema: give the value a schema, or use a *data.Map")
	}
	return badValue(nil, v, fmt.Sprintf("Go type %T is not a Connect value: see the table in package data, or use data.Convert", v))
}

func tooDeep() error {
	return badValue(nil, nil, fmt.Sprintf("arrays and maps without a schema are nested deeper than %d levels", MaxSchemalessDepth))
}

func underKey(err error, key any, i int) error {
	if text, ok := key.(string); ok {
		return under(err, "["+strconv.Quote(clip(text))+"]")
	}
	return underIndex(err, i)
}
