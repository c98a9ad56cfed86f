package transform

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/tailrace/tailrace/host/config"
	"github.com/tailrace/tailrace/sdk/go/data"
	"github.com/tailrace/tailrace/test/bounded"
)

// TestProgramsDoWhatTheirStepsDo takes the same records through a chain with programs and through its steps one by one.
func TestProgramsDoWhatTheirStepsDo(t *testing.T) {
	made, all := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		kind := Kind(rapid.IntRange(0, 1).Draw(t, "record kind"))
		var transforms []config.Transform
		for range rapid.IntRange(1, 4).Draw(t, "steps") {
			class := rapid.SampledFrom([]string{"InsertField", "ReplaceField", "Cast", "MaskField", "SetSchemaMetadata"}).Draw(t, "class")
			c, _ := Lookup(config.TransformPlugin, class+rapid.SampledFrom([]string{"$Value", "$Value", "$Key"}).Draw(t, "side"))
			transforms = append(transforms, config.Transform{Alias: class, Class: c.Name, Config: usualConfig(t, &c)})
		}
		c, err := FromConfig(transforms, nil, nil)
		if err != nil {
			return
		}
		reference, err := FromConfig(transforms, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		reference.units = nil
		for i := range reference.steps {
			reference.units = append(reference.units, &reference.steps[i])
		}

		got, want := NewBatch(kind), NewBatch(kind)
		var s *data.Schema
		if rapid.Bool().Draw(t, "with schema") {
			s = usualStruct(t)
		}
		for range 3 {
			topic, timestamp := rapid.SampledFrom([]string{"t", "u"}).Draw(t, "topic"), rapid.SampledFrom([]int64{NoTimestamp, 5}).Draw(t, "timestamp")
			var parts [2][]byte
			for side := range parts {
				v := usualMap(t)
				if s != nil {
					v = anyOf(t, s, true)
				}
				if parts[side], err = data.AppendValue(nil, s, v); err != nil {
					t.Fatal(err)
				}
			}
			for _, b := range []*Batch{got, want} {
				r := b.Add()
				r.Topic, r.Timestamp, r.Offset = topic, timestamp, 7
				r.Key.SetWire(s, parts[0])
				r.Value.SetWire(s, parts[1])
			}
		}
		c.Apply(got)
		reference.Apply(want)
		for i := range got.Len() {
			g, w := got.At(i), want.At(i)
			all++
			if g.Value.has&madeWire != 0 {
				made++
			}
			if g.Live() != w.Live() || g.Topic != w.Topic || !g.Live() && (g.failure.Error() != w.failure.Error() || g.failure.Class != w.failure.Class) {
				t.Fatalf("%v: %v and one by one %v", transforms, g.failure, w.failure)
			}
			for _, pair := range [][2]*Cell{{&g.Key, &w.Key}, {&g.Value, &w.Value}} {
				same(t, pair[0], pair[1])
			}
		}
	})
	require.Greater(t, made, all/10, "programs are hardly tested")
}

func same(t testingT, got, want *Cell) {
	v, errV := got.Value()
	w, errW := want.Value()
	if errV != nil || errW != nil {
		t.Fatal(errV, errW)
	}
	if (got.Schema() == nil) != (want.Schema() == nil) || got.Schema() != nil && !got.Schema().Equal(want.Schema()) || !data.Equal(v, w) {
		t.Fatalf("%s of %s, and one by one %s of %s", javaText(v), got.Schema(), javaText(w), want.Schema())
	}
	a, _, errA := got.Wire(nil)
	b, _, errB := want.Wire(nil)
	if (errA == nil) != (errB == nil) || string(a) != string(b) {
		t.Fatalf("wire forms: %x (%v), and one by one %x (%v)", a, errA, b, errB)
	}
}

// testingT is a *testing.T or a *rapid.T.
type testingT interface {
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// usualConfig are options for the names of usualStruct and usualMap.
func usualConfig(t *rapid.T, c *Class) map[string]string {
	props := map[string]string{}
	for _, k := range c.Def.Keys() {
		if !k.Default.IsRequired() && rapid.Bool().Draw(t, "leave "+k.Name) {
			continue
		}
		choice := []string{"a", "b", "new", "new?", "new!", "other", "last"}
		switch k.Name {
		case "spec":
			choice = []string{"a:int16,b:string", "b:int64", "c:string", "a:string,c:int8", "d:string", "e:int64", "d:float32", "new:string"}
		case "renames":
			choice = []string{"a:x", "b:a,a:b", "c:e", "x:y"}
		case "fields", "exclude", "include":
			choice = []string{"a", "b", "c,e", "d", "a,b,c,d", "new", "nope"}
		case "replacement":
			choice = []string{"7", "x"}
		case "schema.version":
			choice = []string{"3"}
		case replaceNullKey:
			choice = []string{"true", "false"}
		}
		props[k.Name] = rapid.SampledFrom(choice).Draw(t, k.Name)
	}
	return props
}

var usualTypes = []data.Type{data.Int8, data.Int16, data.Int32, data.Int64, data.Float32, data.Float64, data.Boolean, data.String, data.Bytes}

func usualStruct(t *rapid.T) *data.Schema {
	b := data.NewStruct().SetOptional(rapid.IntRange(0, 3).Draw(t, "optional struct") == 0)
	for _, n := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b", "c", "d", "e"}), 0, 5, rapid.ID[string]).Draw(t, "names") {
		if rapid.IntRange(0, 9).Draw(t, "odd") == 0 {
			b.Field(n, anySchema(t, 1))
			continue
		}
		p := data.NewPrimitive(rapid.SampledFrom(usualTypes).Draw(t, "type"))
		b.Field(n, p.SetOptional(rapid.Bool().Draw(t, "optional")).MustBuild())
	}
	return b.MustBuild()
}

func usualMap(t *rapid.T) any {
	m := data.NewMapValue()
	for _, k := range rapid.SampledFrom([][]string{{"a", "b", "c", "d", "e"}, {"b", "a"}, {"c", "a", "x"}, {}}).Draw(t, "keys") {
		m.Put(k, anySchemaless(t, 1))
	}
	return m
}

// Bytes that are no value must not pass: a program leaves them to the steps, which refuse them. (I-3)
func TestProgramsTakeNoBrokenBytes(t *testing.T) {
	s := data.NewStruct().Field("a", data.Int8Schema).Field("b", data.OptionalStringSchema).Field("c", data.Float64Schema).
		Field("d", data.BooleanSchema).Field("e", data.DecimalSchema(2)).Field("f", data.TimeSchema).Field("g", data.Int64Schema).MustBuild()
	whole, err := data.AppendValue(nil, s, data.NewValue(s).Set("a", int8(-100)).Set("b", "text").Set("c", 1.5).Set("d", true).
		Set("e", data.NewDecimalValue(5, 2)).Set("f", data.FromMillis(5)).Set("g", int64(-1)).MustBuild())
	require.NoError(t, err)
	m := data.NewMapValue(data.MapEntry{Key: "a", Value: int64(300)}, data.MapEntry{Key: "b", Value: "x"}, data.MapEntry{Key: "c", Value: []any{true}})
	schemaless, err := data.AppendValue(nil, nil, m)
	require.NoError(t, err)
	c := chainOf(t, []config.Transform{{Alias: "i", Class: "InsertField$Value", Config: map[string]string{"static.field": "s", "static.value": "v"}}})
	for _, in := range []struct {
		schema *data.Schema
		raw    []byte
	}{{s, whole}, {nil, schemaless}} {
		apply := func(raw []byte) *Record {
			b := NewBatch(Sink)
			r := b.Add()
			r.Topic = "t"
			r.Value.SetWire(in.schema, raw)
			c.Apply(b)
			return b.At(0)
		}
		require.NotZero(t, apply(in.raw).Value.has&madeWire, "a program")
		for n := range in.raw {
			require.False(t, n > 0 && apply(in.raw[:n]).Live(), "cut off at byte %d", n)
			for _, x := range []byte{0x01, 0x7f, 0x80, 0xff} {
				broken := append([]byte(nil), in.raw...)
				broken[n] ^= x
				rest, err := data.SkipValue(in.schema, broken)
				if fine := err == nil && len(rest) == 0; !fine {
					require.False(t, apply(broken).Live(), "byte %d of %x", n, broken)
				}
			}
		}
		require.False(t, apply(append(in.raw[:len(in.raw):len(in.raw)], 0)).Live(), "a byte behind the value")
	}
}

// FuzzPrograms: bytes that claim to be a struct or a map go through the chain with programs as through the steps one by one. (I-3)
func FuzzPrograms(f *testing.F) {
	s := data.NewStruct().Field("a", data.Int64Schema).Field("b", data.OptionalStringSchema).Field("c", data.OptionalFloat64Schema).
		Field("d", data.BooleanSchema).Field("e", data.DecimalSchema(2)).Field("f", data.OptionalInt16Schema).MustBuild()
	raw, err := data.AppendValue(nil, s, data.NewValue(s).Set("a", int64(-300)).Set("b", "text").Set("c", 1.25).Set("d", true).
		Set("e", data.NewDecimalValue(5, 2)).Set("f", int16(300)).MustBuild())
	require.NoError(f, err)
	f.Add(raw, raw, true)
	m := data.NewMapValue(data.MapEntry{Key: "a", Value: int64(300)}, data.MapEntry{Key: "b", Value: "x"}, data.MapEntry{Key: "c", Value: []any{1.5}})
	if raw, err = data.AppendValue(nil, nil, m); err != nil {
		f.Fatal(err)
	}
	f.Add(raw, raw, false)
	transforms := []config.Transform{
		{Alias: "i", Class: "InsertField$Value", Config: map[string]string{"static.field": "s", "static.value": "v", "timestamp.field": "at"}},
		{Alias: "r", Class: "ReplaceField$Value", Config: map[string]string{"exclude": "d", "renames": "b:x"}},
		{Alias: "c", Class: "Cast$Value", Config: map[string]string{"spec": "a:int32,c:string,f:string"}},
		{Alias: "m", Class: "MaskField$Value", Config: map[string]string{"fields": "x"}},
	}
	chain, reference := chainOf(f, transforms), chainOf(f, transforms)
	reference.units = nil
	for i := range reference.steps {
		reference.units = append(reference.units, &reference.steps[i])
	}
	f.Fuzz(func(t *testing.T, first, second []byte, withSchema bool) {
		got, want := NewBatch(Sink), NewBatch(Sink)
		fill := func(b *Batch) {
			for _, raw := range [][]byte{first, second} {
				r := b.Add()
				if r.Timestamp = 5; withSchema {
					r.Value.SetWire(s, raw)
				} else {
					r.Value.SetWire(nil, raw)
				}
			}
		}
		fill(want)
		reference.Apply(want)
		bounded.Allocation(t, len(first)+len(second)+programMemory, func() {
			got.Reset()
			fill(got)
			chain.Apply(got)
		})
		for i := range got.Len() {
			g, w := got.At(i), want.At(i)
			if g.Live() != w.Live() {
				t.Fatalf("%x: %v, and one by one %v", [][]byte{first, second}[i], g.Failure(), w.Failure())
			}
			if g.Live() {
				same(t, &g.Value, &w.Value)
			}
		}
	})
}

// A field that is left out can have the new name of one that is kept, which then gets its value as Kafka Connect gives it, although
// that has another schema. No program can do this.
func TestAValueThatGoesIntoAFieldOfAnotherSchemaIsLeftToTheStep(t *testing.T) {
	chain := chainOf(t, []config.Transform{{Alias: "r", Class: "ReplaceField$Value", Config: map[string]string{"exclude": "c", "renames": "c:e"}}})
	s := data.NewStruct().Field("c", data.Int32Schema).Field("e", data.OptionalInt32Schema).MustBuild()
	raw, err := data.AppendValue(nil, s, data.NewValue(s).Set("c", 7).MustBuild())
	require.NoError(t, err)
	b := NewBatch(Sink)
	r := b.Add()
	r.Value.SetWire(s, raw)
	chain.Apply(b)
	require.True(t, r.Live(), "%v", r.Failure())
	v, err := r.Value.Value()
	require.NoError(t, err)
	require.Equal(t, "Struct{e=7}", v.(*data.Struct).String())
}

// programMemory is what the blocks of a batch and the programs for two sets of keys may take, as so much input.
const programMemory = 64 << 10

// Only what the transforms touch is decoded: neither a chain with a program nor a step that needs Go values allocates for a list
// that nobody looks at.
func TestWhatNoTransformTouchesIsNotDecoded(t *testing.T) {
	s := data.NewStruct().Field("quantity", data.Int32Schema).Field("at", data.Int64Schema).
		Field("lines", data.NewArray(data.StringSchema).MustBuild()).MustBuild()
	lines := make([]any, 1000)
	for i := range lines {
		lines[i] = "a line of text"
	}
	v := data.NewValue(s).Set("quantity", 3).Set("at", int64(5)).Set("lines", lines).MustBuild()
	withSchema, err := data.AppendValue(nil, s, v)
	require.NoError(t, err)
	m := data.NewMapValue(data.MapEntry{Key: "quantity", Value: int64(3)}, data.MapEntry{Key: "at", Value: int64(5)}, data.MapEntry{Key: "lines", Value: lines})
	schemaless, err := data.AppendValue(nil, nil, m)
	require.NoError(t, err)
	time := config.Transform{Alias: "time", Class: "TimestampConverter$Value", Config: map[string]string{"field": "at", "target.type": "Timestamp"}}
	cast := config.Transform{Alias: "cast", Class: "Cast$Value", Config: map[string]string{"spec": "quantity:string"}}
	for name, x := range map[string]struct {
		chain *Chain
		limit float64
	}{
		"a program":             {chainOf(t, []config.Transform{cast}), 0},
		"a step with Go values": {chainOf(t, []config.Transform{time}), 10},
	} {
		for form, in := range map[string]struct {
			schema *data.Schema
			raw    []byte
		}{"struct": {s, withSchema}, "map": {nil, schemaless}} {
			b := NewBatch(Sink)
			dst := make([]byte, 0, 64<<10)
			got := testing.AllocsPerRun(100, func() {
				b.Reset()
				r := b.Add()
				r.Value.SetWire(in.schema, in.raw)
				x.chain.Apply(b)
				if _, _, err := r.Value.Wire(dst); err != nil || !r.Live() {
					t.Error(err, r.Failure())
				}
			})
			require.LessOrEqual(t, got, x.limit, "%s, %s", name, form)
		}
	}
}
