package data_test

import (
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"

	"github.com/tailrace/tailrace/sdk/go/data"
)

func drawText(t *rapid.T, label string) string {
	return rapid.OneOf(rapid.StringN(0, 12, -1), rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 12), func(b []byte) string { return string(b) })).Draw(t, label)
}

func drawSchema(t *rapid.T, depth int) *data.Schema {
	var b *data.Builder
	kinds := 13
	if depth > 0 {
		kinds = 18
	}
	switch kind := rapid.IntRange(0, kinds-1).Draw(t, "kind"); kind {
	case 9:
		b = data.NewDecimal(rapid.Int32Range(-3, 5).Draw(t, "scale"))
	case 10:
		b = data.NewDate()
	case 11:
		b = data.NewTime()
	case 12:
		b = data.NewTimestamp()
	case 13:
		b = data.NewArray(drawSchema(t, depth-1))
	case 14:
		b = data.NewMap(data.StringSchema, drawSchema(t, depth-1))
	case 15:
		b = data.NewMap(drawSchema(t, depth-1), drawSchema(t, depth-1))
	case 16:
		b = data.NewStruct()
		names := rapid.SliceOfNDistinct(rapid.StringN(0, 4, -1), 0, 12, rapid.ID[string]).Draw(t, "fields")
		for _, name := range names {
			b.Field(name, drawSchema(t, depth-1))
		}
	case 17:
		b = data.NewArray(nil).Schemaless()
	default:
		b = data.NewPrimitive(data.Type(kind + 1))
		if rapid.Bool().Draw(t, "named") {
			b.Name(drawText(t, "name"))
		}
	}
	b.SetOptional(rapid.Bool().Draw(t, "optional"))
	if rapid.IntRange(0, 3).Draw(t, "attributes") == 0 {
		b.Doc(drawText(t, "doc")).Version(rapid.Int32().Draw(t, "version")).Param(drawText(t, "key"), drawText(t, "value"))
		if plain := b.Clone().MustBuild(); true {
			b.Default(drawValue(t, plain)) // nil means none
		}
	}
	return b.MustBuild()
}

func drawValue(t *rapid.T, s *data.Schema) any {
	if s == nil {
		return drawAny(t, 3)
	}
	if s.Optional() && rapid.IntRange(0, 2).Draw(t, "null") == 0 {
		return nil
	}
	switch scale, isDecimal, _ := s.IsDecimal(); {
	case isDecimal:
		return drawDecimal(t, scale)
	case s.IsDate():
		return data.FromDays(rapid.Int32().Draw(t, "days"))
	case s.IsTime():
		return data.FromMillis(rapid.Int64Range(0, 86400000).Draw(t, "time"))
	case s.IsTimestamp():
		return data.FromMillis(rapid.Int64().Draw(t, "millis"))
	}
	switch s.Type() {
	case data.Array:
		list := []any{}
		for range rapid.IntRange(0, 5).Draw(t, "items") {
			list = append(list, drawValue(t, s.ValueSchema()))
		}
		return list
	case data.MapType:
		m := &data.Map{}
		for range rapid.IntRange(0, 20).Draw(t, "entries") {
			m.Put(drawValue(t, s.KeySchema()), drawValue(t, s.ValueSchema()))
		}
		return m
	case data.StructType:
		st, err := data.NewStructValue(s)
		if err != nil {
			t.Fatal(err)
		}
		for i, f := range s.Fields() {
			if err := st.PutAt(i, drawValue(t, f.Schema)); err != nil {
				t.Fatal(err)
			}
		}
		return st
	}
	return drawPrimitive(t, s.Type())
}

func drawPrimitive(t *rapid.T, typ data.Type) any {
	switch typ {
	case data.Int8:
		return rapid.Int8().Draw(t, "int8")
	case data.Int16:
		return rapid.Int16().Draw(t, "int16")
	case data.Int32:
		return rapid.Int32().Draw(t, "int32")
	case data.Int64:
		return rapid.Int64().Draw(t, "int64")
	case data.Float32:
		return math.Float32frombits(rapid.Uint32().Draw(t, "float32"))
	case data.Float64:
		return math.Float64frombits(rapid.Uint64().Draw(t, "float64"))
	case data.Boolean:
		return rapid.Bool().Draw(t, "boolean")
	case data.String:
		return drawText(t, "string")
	}
	return rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(t, "bytes")
}

func drawDecimal(t *rapid.T, scale int32) data.Decimal {
	raw := rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(t, "unscaled")
	n := new(big.Int).SetBytes(raw)
	if rapid.Bool().Draw(t, "negative") {
		n.Neg(n)
	}
	return data.Decimal{Unscaled: n, Scale: scale}
}

func drawAny(t *rapid.T, depth int) any {
	kinds := 12
	if depth > 0 {
		kinds = 14
	}
	switch kind := rapid.IntRange(0, kinds-1).Draw(t, "any"); kind {
	case 0:
		return nil
	case 10:
		return drawDecimal(t, rapid.Int32().Draw(t, "scale"))
	case 11:
		return data.FromMillis(rapid.Int64().Draw(t, "millis"))
	case 12:
		list := []any{}
		for range rapid.IntRange(0, 4).Draw(t, "items") {
			list = append(list, drawAny(t, depth-1))
		}
		return list
	case 13:
		m := &data.Map{}
		for range rapid.IntRange(0, 4).Draw(t, "entries") {
			if rapid.Bool().Draw(t, "string key") {
				m.Put(drawText(t, "key"), drawAny(t, depth-1))
			} else {
				m.Put(drawAny(t, depth-1), drawAny(t, depth-1))
			}
		}
		return m
	default:
		return drawPrimitive(t, data.Type(kind))
	}
}

// I-7: any value of any schema comes back as it was, NaN bits included (the second encoding is compared byte for byte).
func TestAnyValueOfAnySchemaRoundTrips(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSchema(t, 3)
		if rapid.IntRange(0, 4).Draw(t, "schemaless") == 0 {
			s = nil
		}
		v := drawValue(t, s)
		if err := data.Validate(s, v); err != nil {
			t.Fatal(err)
		}
		wire, err := data.AppendValue(nil, s, v)
		if err != nil {
			t.Fatal(err)
		}
		if s != nil && len(wire) < s.MinSize() {
			t.Fatalf("%d bytes, but MinSize is %d", len(wire), s.MinSize())
		}
		got, rest, err := data.ReadValue(s, append(wire[:len(wire):len(wire)], 0xaa))
		if err != nil || len(rest) != 1 {
			t.Fatalf("%v, %d bytes left", err, len(rest))
		}
		if !data.Equal(v, got) {
			t.Fatalf("got %v, want %v", got, v)
		}
		again, err := data.AppendValue(nil, s, got)
		if err != nil || string(again) != string(wire) {
			t.Fatalf("%v: %x became %x", err, wire, again)
		}
		if rest, err := data.SkipValue(s, append(wire[:len(wire):len(wire)], 0xaa)); err != nil || len(rest) != 1 {
			t.Fatalf("skip: %v, %d bytes left", err, len(rest))
		}
		damage(t, s, wire)
	})
}

// damage changes one byte and checks that reading and skipping still agree.
func damage(t *rapid.T, s *data.Schema, wire []byte) {
	if len(wire) == 0 {
		return
	}
	bad := append([]byte(nil), wire...)
	bad[rapid.IntRange(0, len(bad)-1).Draw(t, "at")] = rapid.Byte().Draw(t, "byte")
	_, rest, err := data.ReadValue(s, bad)
	skipped, skipErr := data.SkipValue(s, bad)
	if (err == nil) != (skipErr == nil) || err == nil && len(rest) != len(skipped) {
		t.Fatalf("read: %v (%d left), skip: %v (%d left)", err, len(rest), skipErr, len(skipped))
	}
}

func TestRebuiltSchemasAreEqual(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSchema(t, 3)
		again := s.ToBuilder().MustBuild()
		if !s.Equal(again) || s.Hash() != again.Hash() {
			t.Fatal("a rebuilt schema is not equal")
		}
		if wire, ok := s.AppendDefault(nil); ok {
			back := s.ToBuilder().WireDefault(wire).MustBuild()
			if !s.Equal(back) {
				t.Fatal("the default changed on the wire")
			}
		}
		if s.Equal(s.ToBuilder().SetOptional(!s.Optional()).MustBuild()) || s.Equal(s.ToBuilder().Doc(s.Doc()+"x").MustBuild()) {
			t.Fatal("different schemas are equal")
		}
	})
}

func TestMapAgreesWithAModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, model := &data.Map{}, []data.MapEntry{}
		at := func(key any) int {
			for i := range model {
				if data.Equal(model[i].Key, key) {
					return i
				}
			}
			return -1
		}
		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			var key any = int64(rapid.IntRange(0, 25).Draw(t, "key"))
			switch rapid.IntRange(0, 4).Draw(t, "kind") {
			case 0:
				key = []byte{byte(key.(int64))}
			case 1:
				key = []any{key, "x"}
			case 2:
				key = string(rune('a' + key.(int64)))
			}
			i := at(key)
			if rapid.IntRange(0, 3).Draw(t, "op") == 0 {
				if m.Delete(key) != (i >= 0) {
					t.Fatal("Delete")
				}
				if i >= 0 {
					model = append(model[:i], model[i+1:]...)
				}
				continue
			}
			v := rapid.Int64().Draw(t, "value")
			m.Put(key, v)
			if i >= 0 {
				model[i].Value = v
			} else {
				model = append(model, data.MapEntry{Key: key, Value: v})
			}
		}
		if m.Len() != len(model) {
			t.Fatalf("%d entries, want %d", m.Len(), len(model))
		}
		for i, e := range m.Entries() {
			v, ok := m.Get(model[i].Key)
			if !ok || !data.Equal(e.Key, model[i].Key) || !data.Equal(v, model[i].Value) {
				t.Fatalf("entry %d differs", i)
			}
		}
	})
}
