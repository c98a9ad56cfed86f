package draw

import (
	"pgregory.net/rapid"

	"github.com/tailrace/tailrace/sdk/go/data"
)

// Special draws the values of schemas that a format treats differently: points in time within its years, floats without
// -0.0. It says false for schemas whose values it leaves to Value; it is never asked for a null.
type Special func(t *rapid.T, s *data.Schema) (v any, drawn bool)

// Value draws a value of a schema, nil now and then where the schema is optional.
func Value(t *rapid.T, s *data.Schema, special Special) any {
	if s.Optional() && rapid.IntRange(0, 3).Draw(t, "null") == 0 {
		return nil
	}
	if v, drawn := special(t, s); drawn {
		return v
	}
	if scale, ok, _ := s.IsDecimal(); ok {
		return data.NewDecimalValue(rapid.Int64().Draw(t, "n"), scale)
	}
	switch s.Type() {
	case data.Int8:
		return rapid.Int8().Draw(t, "v")
	case data.Int16:
		return rapid.Int16().Draw(t, "v")
	case data.Int32:
		return rapid.Int32().Draw(t, "v")
	case data.Int64:
		return rapid.Int64().Draw(t, "v")
	case data.Float32:
		return rapid.Float32().Draw(t, "v")
	case data.Float64:
		return rapid.Float64().Draw(t, "v")
	case data.Boolean:
		return rapid.Bool().Draw(t, "v")
	case data.String:
		return rapid.String().Draw(t, "v")
	case data.Bytes:
		return rapid.SliceOf(rapid.Byte()).Draw(t, "v")
	case data.Array:
		list := make([]any, rapid.IntRange(0, 3).Draw(t, "items"))
		for i := range list {
			list[i] = Value(t, s.ValueSchema(), special)
		}
		return list
	case data.MapType:
		m := data.NewMapValue()
		for range rapid.IntRange(0, 3).Draw(t, "entries") {
			m.Put(Value(t, s.KeySchema(), special), Value(t, s.ValueSchema(), special))
		}
		return m
	}
	v := data.NewValue(s)
	for _, f := range s.Fields() {
		if part := Value(t, f.Schema, special); part != nil {
			v.Set(f.Name, part)
		}
	}
	return v.MustBuild()
}
