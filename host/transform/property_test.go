package transform

import (
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tailrace/tailrace/host/config"
	"github.com/tailrace/tailrace/sdk/go/data"
)

var names = []string{"a", "b", "c.d", "é", "", "ts"}

func anyName() *rapid.Generator[string] { return rapid.SampledFrom(names) }

// anySchema generates schemas of limited depth.
func anySchema(t *rapid.T, depth int) *data.Schema {
	types := []data.Type{data.Int8, data.Int16, data.Int32, data.Int64, data.Float32, data.Float64, data.Boolean, data.String, data.Bytes, data.Array, data.MapType, data.StructType, data.StructType}
	if depth == 0 {
		types = types[:9]
	}
	var b *data.Builder
	switch typ := rapid.SampledFrom(types).Draw(t, "type"); typ {
	case data.Array:
		b = data.NewArray(anySchema(t, depth-1))
	case data.MapType:
		b = data.NewMap(data.StringSchema, anySchema(t, depth-1))
	case data.StructType:
		b = data.NewStruct()
		for _, n := range rapid.SliceOfNDistinct(anyName(), 0, 5, rapid.ID[string]).Draw(t, "names") {
			b.Field(n, anySchema(t, depth-1))
		}
	default:
		b = data.NewPrimitive(typ)
		switch rapid.IntRange(0, 5).Draw(t, "logical") {
		case 0:
			b = data.NewTimestamp()
		case 1:
			b = data.NewDecimal(2)
		case 2:
			b.Name("org.apache.kafka.connect.data.Date") // often a name on the wrong type
		}
	}
	b.SetOptional(rapid.Bool().Draw(t, "optional"))
	s := b.MustBuild()
	if s.Type().Primitive() && rapid.IntRange(0, 3).Draw(t, "default") == 0 {
		s = s.ToBuilder().Default(anyOf(t, s, false)).MustBuild()
	}
	return s
}

// anyOf generates a value of a schema.
func anyOf(t *rapid.T, s *data.Schema, nulls bool) any {
	if nulls && s.Optional() && rapid.IntRange(0, 3).Draw(t, "null") == 0 {
		return nil
	}
	if _, decimal, _ := s.IsDecimal(); decimal {
		return data.NewDecimalValue(rapid.Int64().Draw(t, "unscaled"), 2)
	}
	switch {
	case s.IsDate():
		return data.FromDays(rapid.Int32Range(-100000, 100000).Draw(t, "days"))
	case s.IsTimestamp():
		return time.UnixMilli(rapid.Int64Range(math.MinInt64/2000, math.MaxInt64/2000).Draw(t, "millis")).UTC()
	}
	switch s.Type() {
	case data.Int8:
		return rapid.Int8().Draw(t, "int8")
	case data.Int16:
		return rapid.Int16().Draw(t, "int16")
	case data.Int32:
		return rapid.Int32().Draw(t, "int32")
	case data.Int64:
		return rapid.Int64().Draw(t, "int64")
	case data.Float32:
		return rapid.Float32().Draw(t, "float32")
	case data.Float64:
		return rapid.Float64().Draw(t, "float64")
	case data.Boolean:
		return rapid.Bool().Draw(t, "boolean")
	case data.String:
		return rapid.OneOf(rapid.String(), rapid.StringMatching(`[-+0-9eE.:TZ ]{0,12}`)).Draw(t, "string")
	case data.Bytes:
		return rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")
	case data.Array:
		list := []any{}
		for range rapid.IntRange(0, 3).Draw(t, "n") {
			list = append(list, anyOf(t, s.ValueSchema(), true))
		}
		return list
	case data.MapType:
		m := data.NewMapValue()
		for _, k := range rapid.SliceOfN(anyName(), 0, 3).Draw(t, "keys") {
			m.Put(k, anyOf(t, s.ValueSchema(), true))
		}
		return m
	}
	st, err := data.NewStructValue(s)
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range s.Fields() {
		st.Values()[i] = anyOf(t, f.Schema, true)
	}
	return st
}

// anySchemaless generates values without a schema.
func anySchemaless(t *rapid.T, depth int) any {
	switch kind := rapid.IntRange(0, 8).Draw(t, "kind"); {
	case kind == 0:
		return nil
	case kind <= 2 && depth > 0:
		m := data.NewMapValue()
		for _, k := range rapid.SliceOfN(anyName(), 0, 5).Draw(t, "keys") {
			m.Put(k, anySchemaless(t, depth-1))
		}
		if rapid.IntRange(0, 9).Draw(t, "odd") == 0 {
			m.Put(int32(1), "x")
		}
		return m
	case kind == 3 && depth > 0:
		return []any{anySchemaless(t, depth-1)}
	}
	s := anySchema(t, 0)
	return anyOf(t, s, true)
}

// anyConfig generates options for a class, mostly valid ones.
func anyConfig(t *rapid.T, c *Class) map[string]string {
	props := map[string]string{}
	for _, k := range c.Def.Keys() {
		if !k.Default.IsRequired() && rapid.Bool().Draw(t, "leave "+k.Name) {
			continue
		}
		switch k.Type {
		case config.Boolean:
			props[k.Name] = rapid.SampledFrom([]string{"true", "false"}).Draw(t, k.Name)
		case config.Int:
			props[k.Name] = "3"
		default:
			props[k.Name] = rapid.SampledFrom(candidates(k.Name)).Draw(t, k.Name)
		}
	}
	return props
}

func candidates(option string) []string {
	switch option {
	case "spec":
		return []string{"int8", "string", "a:int16,b:string", "ts:float32", "é:boolean,c.d:int64", "boolean", "float64", "x:string"}
	case "operation":
		return []string{"move", "copy"}
	case "target.type":
		return []string{"string", "unix", "Date", "Time", "Timestamp"}
	case "unix.precision":
		return []string{"seconds", "milliseconds", "microseconds", "nanoseconds"}
	case "format", "timestamp.format":
		return []string{"yyyy-MM-dd", "HH:mm:ss.SSSX", "MMMddyyHHa", "YYYY-'W'ww-u", "zzzz G D F", "S", "yyyyMMddHHmmssSSS", "'"}
	case "regex", "pattern":
		return []string{".*", "(.*)-(.*)", "(a|t)(?<n>.*)", "[a-z&&[^t]]*+", "\\w+", "(t)\\1", "("}
	case "replacement":
		return []string{"$1", "${n}", "x", "7", "1e5", "$", "\\", "1.5"}
	case "renames":
		return []string{"a:b", "b:a,a:x", "ts:c.d"}
	case fieldSyntaxKey:
		return []string{"V1", "v2"}
	case "topic.format":
		return []string{"${topic}-${timestamp}", "${timestamp}"}
	case "value.literal":
		return []string{"1", "text", "[1,2]", ""}
	}
	return []string{"a", "b", "c.d", "é", "a,b", "ts", "a.b", "`c.d`", "a.b.ts", "", "nope", "new?", "new!"}
}

// TestNoTransformPanics drives every class with any configuration over any value: nothing panics, and the record is
// as it was when the step fails. (I-3)
func TestNoTransformPanics(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := &classes[rapid.IntRange(0, len(classes)-1).Draw(t, "class")]
		props := anyConfig(t, c)
		b := NewBatch(Kind(rapid.IntRange(0, 1).Draw(t, "record kind")))
		r := b.Add()
		r.Topic = rapid.SampledFrom([]string{"t", "t-1", "a-b", ""}).Draw(t, "topic")
		if rapid.Bool().Draw(t, "has timestamp") {
			r.Timestamp = rapid.Int64().Draw(t, "timestamp")
		}
		fillCell(t, &r.Key)
		fillCell(t, &r.Value)
		if c.Kind == config.PredicatePlugin {
			if p, err := NewPredicate(c.Name, props); err == nil {
				p.Test(b, func(int, bool) {})
			}
			return
		}
		tr, err := New(c.Alias, props)
		if err != nil {
			return
		}
		key, value := snapshot(t, &r.Key), snapshot(t, &r.Value)
		topic := r.Topic
		tr.Apply(b)
		if r.Failure() != nil && (key != snapshot(t, &r.Key) || value != snapshot(t, &r.Value) || topic != r.Topic) {
			t.Fatalf("%s %v failed with %v and changed the record", c.Name, props, r.Failure())
		}
		// What came out goes to the wire and back.
		for _, cell := range []*Cell{&r.Key, &r.Value} {
			v, err := cell.Value()
			if err != nil {
				t.Fatal(err)
			}
			if out, _, err := cell.Wire(nil); err == nil {
				back, err := data.DecodeValue(cell.Schema(), out)
				if err != nil {
					t.Fatalf("%s %v wrote bytes that do not fit the schema: %v", c.Name, props, err)
				}
				if want, err := data.AppendValue(nil, cell.Schema(), v); err != nil || !data.Equal(mustDecode(t, cell.Schema(), want), back) {
					t.Fatalf("%s %v: wire form and value differ (%v)", c.Name, props, err)
				}
			}
		}
	})
}

func mustDecode(t *rapid.T, s *data.Schema, raw []byte) any {
	v, err := data.DecodeValue(s, raw)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func fillCell(t *rapid.T, c *Cell) {
	var s *data.Schema
	var v any
	if rapid.Bool().Draw(t, "with schema") {
		s = anySchema(t, 2)
		v = anyOf(t, s, true)
	} else {
		v = anySchemaless(t, 2)
	}
	if rapid.Bool().Draw(t, "as wire") {
		if raw, err := data.AppendValue(nil, s, v); err == nil {
			c.SetWire(s, raw)
			return
		}
	}
	c.Set(s, v)
}

func snapshot(t *rapid.T, c *Cell) string {
	v, err := c.Value()
	if err != nil {
		t.Fatal(err)
	}
	return c.Schema().String() + strings.Join([]string{javaText(v)}, "")
}

// TestNegateIsNegation: a record passes a transform with a predicate exactly when it does not pass the negated one.
func TestNegateIsNegation(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		predicates := []string{"HasHeaderKey", "RecordIsTombstone", "TopicNameMatches"}
		p := config.Predicate{Alias: "p", Class: rapid.SampledFrom(predicates).Draw(t, "class"), Config: map[string]string{"name": "h", "pattern": "t.*"}}
		dropped := [2]bool{}
		seed := rapid.Bool().Draw(t, "header")
		topic := rapid.SampledFrom([]string{"t", "x"}).Draw(t, "topic")
		v := anySchemaless(t, 1)
		for i, negate := range []bool{false, true} {
			c, err := FromConfig([]config.Transform{{Alias: "f", Class: "Filter", Predicate: "p", Negate: negate}}, map[string]config.Predicate{"p": p}, nil)
			if err != nil {
				t.Fatal(err)
			}
			b := NewBatch(Sink)
			r := b.Add()
			r.Topic = topic
			r.Value.Set(nil, v)
			if seed {
				if err := r.Headers.Add("h", nil, "x"); err != nil {
					t.Fatal(err)
				}
			}
			c.Apply(b)
			dropped[i] = r.Dropped()
		}
		if dropped[0] == dropped[1] {
			t.Fatalf("%s: dropped %v, negated %v", p.Class, dropped[0], dropped[1])
		}
	})
}

// FuzzJavaRegex: the translator neither panics nor hangs.
func FuzzJavaRegex(f *testing.F) {
	for _, seed := range []string{"(a|b)*+", "[a&&[^b-d]]", `\Qx\E\p{Alpha}`, "(?<n>.)\\k<n>", "(?x) a # b", "[", "a{2,", "(?i:x)$"} {
		f.Add(seed, "some-topic", "$1")
	}
	f.Fuzz(func(_ *testing.T, pattern, text, replacement string) {
		if re, err := compileJavaRegex(pattern); err == nil {
			_, _ = re.matches(text)
			_, _ = re.replaceFirst(text, replacement)
		}
	})
}

// FuzzDateFormat: any pattern formats and parses anything without a panic.
func FuzzDateFormat(f *testing.F) {
	f.Add("yyyy-MM-dd'T'HH:mm:ss.SSSX", "2024-02-29T12:34:56.789Z", int64(1))
	f.Add("GYywWDdFEuaHkKhmsSzZXL", "x", int64(math.MinInt64))
	f.Fuzz(func(_ *testing.T, pattern, text string, millis int64) {
		if df, err := compileDateFormat(pattern); err == nil {
			_ = df.format(millis)
			_, _ = df.parse(text, recordedNow)
		}
	})
}
