package convert

import (
	"bytes"
	"encoding/json"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/sr/srfake"

	"github.com/tailrace/tailrace/host/convert/jsonschema"
	"github.com/tailrace/tailrace/sdk/go/data"
	"github.com/tailrace/tailrace/test/bounded"
	"github.com/tailrace/tailrace/test/env"
)

func everything() *data.Schema {
	inner := data.NewStruct().Name("n.In").Field("x", data.OptionalInt32Schema)
	return data.NewStruct().Name("n.All").Version(3).Doc("all of it").
		Field("i8", data.Int8Schema).Field("i16", data.OptionalInt16Schema).Field("i32", data.Int32Schema).Field("i64", data.OptionalInt64Schema).
		Field("f32", data.Float32Schema).Field("f64", data.OptionalFloat64Schema).Field("b", data.BooleanSchema).
		Field("s", data.OptionalStringSchema).Field("y", data.BytesSchema).Field("dec", data.DecimalSchema(2)).
		Field("date", data.DateSchema).Field("time", data.NewTime().Optional().MustBuild()).Field("ts", data.TimestampSchema).
		Field("list", data.NewArray(data.OptionalInt64Schema).MustBuild()).
		Field("map", data.NewMap(data.StringSchema, inner.MustBuild()).MustBuild()).
		Field("pairs", data.NewMap(data.Int32Schema, data.OptionalStringSchema).MustBuild()).
		Field("in", inner.Clone().Optional().MustBuild()).
		Field("def", data.NewPrimitive(data.String).Optional().Default("x").MustBuild()).
		Field("enum", data.NewPrimitive(data.String).Param("io.confluent.connect.json.Enum", "").Param("io.confluent.connect.json.Enum.A", "A").
			Param("io.confluent.connect.json.Enum.B", "B").MustBuild()).
		Field("u", data.NewStruct().Name(jsonschema.UnionName).Optional().
			Field(jsonschema.UnionName+".field.0", data.OptionalInt64Schema).
			Field(jsonschema.UnionName+".field.1", data.OptionalStringSchema).
			Field(jsonschema.UnionName+".field.2", inner.Clone().Optional().MustBuild()).MustBuild()).
		MustBuild()
}

func everyValue(t testing.TB, s *data.Schema) []byte {
	t.Helper()
	text := `{"i8":-8,"i16":null,"i32":32,"i64":9223372036854775807,"f32":1.5,"f64":null,"b":true,"s":"grüße","y":"AP8=","dec":"AQ==",` +
		`"date":1,"time":null,"ts":5,"list":[1,null],"map":{"k":{"x":1}},"pairs":[{"key":1,"value":"a"}],"in":null,"def":"d","enum":"B","u":{"x":7}}`
	r := jsonReader{c: &jsonConverter{byRegistry: true, nullTakesDefault: true}, b: jsonText(text)}
	wire, err := r.value(nil, s, 0)
	require.NoError(t, err)
	return wire
}

// The texts are what Confluent's JsonSchemaData makes of the schemas, by its source and that of the everit library.
func TestJSONSchemasAreWrittenAsConfluentWritesThem(t *testing.T) {
	for _, c := range []struct {
		name   string
		schema *data.Schema
		text   string
	}{
		{"int8", data.Int8Schema, `{"type":"integer","connect.type":"int8"}`},
		{"double", data.Float64Schema, `{"type":"number","connect.type":"float64"}`},
		{"boolean", data.NewPrimitive(data.Boolean).Name("n").MustBuild(), `{"title":"n","type":"boolean"}`},
		{"optional", data.OptionalStringSchema, `{"oneOf":[{"type":"null"},{"type":"string"}]}`},
		{
			"decimal", data.DecimalSchema(2),
			`{"type":"string","title":"org.apache.kafka.connect.data.Decimal","connect.version":1,"connect.parameters":{"scale":"2"},"connect.type":"bytes"}`,
		},
		{
			"struct", data.NewStruct().Name("a.B").Field("i", data.OptionalInt64Schema).Field("s", data.NewPrimitive(data.Int32).Default(int32(3)).MustBuild()).MustBuild(),
			`{"type":"object","title":"a.B","properties":{"s":{"type":"integer","default":3,"connect.index":1,"connect.type":"int32"},"i":{"connect.index":0,"oneOf":[{"type":"null"},{"type":"integer","connect.type":"int64"}]}}}`,
		},
		{"map", data.NewMap(data.StringSchema, data.BooleanSchema).MustBuild(), `{"type":"object","connect.type":"map","additionalProperties":{"type":"boolean"}}`},
		{"array", data.NewArray(data.StringSchema).MustBuild(), `{"type":"array","items":{"type":"string"}}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := &jsonschema.Options{AdditionalProperties: true}
			text, err := jsonschema.Write(o, c.schema, jsonDefaults{&jsonConverter{byRegistry: true}})
			require.NoError(t, err)
			require.True(t, json.Valid([]byte(text)), text)
			require.JSONEq(t, c.text, text)
			require.Len(t, text, len(c.text), text)
			back, err := jsonschema.Read(o, text, nil, 0, false, jsonDefaults{&jsonConverter{byRegistry: true}})
			require.NoError(t, err)
			require.Truef(t, c.schema.Equal(back), "%#v", back)
		})
	}
}

func jsonSchemaConverterOf(t testing.TB, url string, props map[string]string) Converter {
	t.Helper()
	all := map[string]string{"schema.registry.url": url}
	for k, v := range props {
		all[k] = v
	}
	c, err := New(jsonschema.Class, all, false)
	require.NoError(t, err)
	return c
}

func TestJSONSchemaRecordsComeBackEqual(t *testing.T) {
	url := env.Registry(t)
	for name, props := range map[string]map[string]string{
		"usual": nil, "numeric": {"decimal.format": "NUMERIC"}, "closed and checked": {"object.additional.properties": "false", "json.fail.invalid.schema": "true"},
	} {
		t.Run(name, func(t *testing.T) {
			topic := env.Name(t)
			s := everything()
			wire := everyValue(t, s)
			out, _, err := jsonSchemaConverterOf(t, url, props).FromConnect(nil, topic, s, wire)
			require.NoError(t, err)
			schema, back, err := jsonSchemaConverterOf(t, url, props).ToConnect(nil, topic, out)
			require.NoError(t, err)
			require.Equal(t, wire, back, string(out[5:]))
			require.True(t, s.Equal(schema))
		})
	}
}

func TestForeignJSONSchemas(t *testing.T) {
	for _, c := range []struct {
		name, schema, value, error string
		relaxed                    bool
		want                       func(b *data.Builder) *data.Builder
		got                        string
	}{
		{
			name: "no connect properties", schema: `{"type":"object","title":"P","required":["a"],"properties":{"a":{"type":"integer"},"b":{"type":["string","null"]},"c":{"type":"number"}}}`,
			value: `{"a":1,"b":null,"c":2.5}`,
			want: func(b *data.Builder) *data.Builder {
				return b.Name("P").Field("a", data.Int64Schema).Field("b", data.OptionalStringSchema).Field("c", data.Float64Schema)
			},
		},
		{
			name: "what is not required may be missing", schema: `{"type":"object","required":["a"],"properties":{"a":{"type":"integer"},"b":{"type":"string"}}}`,
			value: `{"a":1}`, relaxed: true,
			want: func(b *data.Builder) *data.Builder {
				return b.Field("a", data.Int64Schema).Field("b", data.OptionalStringSchema)
			},
		},
		{
			name: "references and enums", schema: `{"type":"object","properties":{"a":{"$ref":"#/definitions/E"}},"definitions":{"E":{"type":"string","enum":["X","Y"]}}}`,
			value: `{"a":"X"}`,
			want: func(b *data.Builder) *data.Builder {
				return b.Field("a", data.NewPrimitive(data.String).Param("io.confluent.connect.json.Enum", "").
					Param("io.confluent.connect.json.Enum.X", "X").Param("io.confluent.connect.json.Enum.Y", "Y").MustBuild())
			},
		},
		{
			name: "allOf", schema: `{"allOf":[{"type":"object","properties":{"a":{"type":"boolean"}}},{"$ref":"#/definitions/R"}],"definitions":{"R":{"type":"object","properties":{"b":{"type":"integer"}}}}}`,
			value: `{"a":true,"b":1}`,
			want: func(b *data.Builder) *data.Builder {
				return b.Field("a", data.BooleanSchema).Field("b", data.Int64Schema)
			},
		},
		{
			name: "a schema that contains itself", schema: `{"type":"object","properties":{"a":{"$ref":"#"}}}`, error: "contains itself",
		},
		{name: "a reference that is not there", schema: `{"type":"object","properties":{"a":{"$ref":"other.json"}}}`, error: "not among its references"},
		{name: "anything", schema: `{"type":"object","properties":{"a":{}}}`, error: "EmptySchema"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := &jsonschema.Options{AdditionalProperties: true, FlattenSingleton: true}
			j := &jsonConverter{byRegistry: true, nullTakesDefault: true}
			s, err := jsonschema.Read(o, c.schema, nil, 0, c.relaxed, jsonDefaults{j})
			if c.error != "" {
				require.ErrorContains(t, err, c.error)
				return
			}
			require.NoError(t, err)
			want := c.want(data.NewStruct()).MustBuild()
			require.Truef(t, want.Equal(s), "%+v", s.Fields())
			r := jsonReader{c: j, b: jsonText(c.value)}
			_, err = r.value(nil, s, 0)
			require.NoError(t, err)
		})
	}
}

func TestJSONSchemasAreRefusedByField(t *testing.T) {
	url := env.Registry(t)
	topic := env.Name(t)
	c := jsonSchemaConverterOf(t, url, nil)
	write := func(s *data.Schema, v any) error {
		wire, err := data.AppendValue(nil, s, data.NewValue(s).Set("id", v).MustBuild())
		require.NoError(t, err)
		_, _, err = c.FromConnect(nil, topic, s, wire)
		return err
	}
	one := data.NewStruct().Name("n.R").Field("id", data.Int64Schema).MustBuild()
	bad := data.NewStruct().Name("n.R").Field("id", data.StringSchema).MustBuild()
	require.NoError(t, write(one, 1))

	err := write(bad, "a")

	require.ErrorContains(t, err, `subject "`+topic+`-value" against version 1`)
	require.ErrorContains(t, err, `field "id" is integer in the older schema and string in the newer`)
}

func TestANullOfAnOptionalJSONSchemaIsNoTombstone(t *testing.T) {
	// Apicurio does not take a schema of nothing but oneOf for JSON Schema.
	fake := srfake.New()
	t.Cleanup(fake.Close)
	topic := env.Name(t)
	c := jsonSchemaConverterOf(t, fake.URL(), nil)
	s := data.NewStruct().Name("n.O").Version(1).Field("a", data.StringSchema).Optional().MustBuild()
	out, _, err := c.FromConnect(nil, topic, s, data.AppendPresence(nil, s, false))
	require.NoError(t, err)
	require.Equal(t, "null", string(out[5:]))
	schema, wire, err := c.ToConnect(nil, topic, out)
	require.NoError(t, err)
	require.Equal(t, data.AppendPresence(nil, s, false), wire)
	require.True(t, s.Equal(schema))
	out, _, err = c.FromConnect(nil, topic, nil, nil)
	require.NoError(t, err)
	require.Nil(t, out)
}

// Payloads of JsonSchemaConverter and of JsonConverter with one schema that has every type.
func FuzzJSONPayload(f *testing.F) {
	s := everything()
	f.Add([]byte(`{"i8":-8,"i16":null,"u":{"x":7},"pairs":[{"key":1,"value":"a"}],"map":{"k":{"x":1}},"list":[1,null]}`), true)
	f.Add([]byte(`{"u":[1],"y":"AP8=","dec":1.5e2,"date":1,"time":86400000,"ts":-1}`), false)
	f.Fuzz(func(t *testing.T, text []byte, byRegistry bool) {
		b := jsonText(toUTF8(text))
		at := b.space(0)
		if _, err := b.value(at, 0); err != nil {
			return
		}
		c := &jsonConverter{byRegistry: byRegistry, nullTakesDefault: true}
		var wire []byte
		var err error
		bounded.Allocation(t, len(text), func() {
			r := jsonReader{c: c, b: b}
			wire, err = r.value(nil, s, at)
		})
		p := c.passOver(b)
		plan := c.newPassPlan(s)
		bounded.Allocation(t, len(text), func() {
			if passed, end := p.value(nil, plan, at, 0); end != gaveUp && (err != nil || string(passed) != string(wire)) {
				t.Fatalf("%q is %x in a single pass and %x, %v", text, passed, wire, err)
			}
		})
		if err != nil {
			return
		}
		if rest, err := data.SkipValue(s, wire); err != nil || len(rest) > 0 {
			t.Fatalf("%q became wire bytes that are no value: %v, %d left", text, err, len(rest))
		}
		if _, _, err := c.FromConnect(nil, "t", s, wire); err != nil {
			_ = err.Error() // a union without a value
		}
	})
}

// Schema texts of a registry, and values of whatever they say.
func FuzzJSONSchema(f *testing.F) {
	f.Add([]byte(`{"type":"object","title":"P","required":["a"],"properties":{"a":{"type":"integer","connect.index":1},"b":{"$ref":"#/definitions/E"}},"definitions":{"E":{"enum":["X",null,1]}}}`), []byte(`{"a":1,"b":"X"}`))
	f.Add([]byte(`{"allOf":[{"oneOf":[{"type":"null"},{"type":["string","integer"]}]},{"$id":"x","properties":{"a":true}}]}`), []byte(`null`))
	f.Add([]byte(`{"type":"array","items":{"type":"object","properties":{"key":{"type":"integer"},"value":{"default":[1]}}},"connect.type":"map"}`), []byte(`[]`))
	f.Fuzz(func(t *testing.T, schema, text []byte) {
		c := &jsonConverter{byRegistry: true, nullTakesDefault: true}
		o := &jsonschema.Options{AdditionalProperties: true, FlattenSingleton: true}
		s, err := jsonschema.Read(o, string(schema), nil, 1, false, jsonDefaults{c})
		if err != nil {
			_ = err.Error()
			return
		}
		if again, err := jsonschema.Write(o, s, jsonDefaults{c}); err == nil && !json.Valid([]byte(again)) {
			t.Fatalf("%s was written as %s", schema, again)
		}
		b := jsonText(toUTF8(text))
		at := b.space(0)
		if _, err := b.value(at, 0); err != nil {
			return
		}
		r := jsonReader{c: c, b: b}
		wire, err := r.value(nil, s, at)
		p := c.passOver(b)
		plan := c.newPassPlan(s)
		bounded.Allocation(t, len(text), func() {
			if passed, end := p.value(nil, plan, at, 0); end != gaveUp && (err != nil || string(passed) != string(wire)) {
				t.Fatalf("%q is %x in a single pass and %x, %v", text, passed, wire, err)
			}
		})
		if err != nil {
			return
		}
		if rest, err := data.SkipValue(s, wire); err != nil || len(rest) > 0 {
			t.Fatalf("%q became wire bytes that are no value: %v, %d left", text, err, len(rest))
		}
	})
}

// The same cases as of JsonConverter; this converter writes with the registry's schema.
func TestStrictValuesOfJSONSchemaRefuseWhatWouldBeDamaged(t *testing.T) {
	url := env.Registry(t)
	topic := env.Name(t)
	strict, lax := map[string]string{"strict.values": "true"}, map[string]string(nil)
	s := data.NewStruct().Name("n.R").Field("n", data.Int32Schema).Field("f", data.Float64Schema).MustBuild()
	value := func(f float64) []byte {
		wire, err := data.AppendValue(nil, s, data.NewValue(s).Set("n", int32(1)).Set("f", f).MustBuild())
		require.NoError(t, err)
		return wire
	}
	out, _, err := jsonSchemaConverterOf(t, url, strict).FromConnect(nil, topic, s, value(1.5))
	require.NoError(t, err)
	_, _, err = jsonSchemaConverterOf(t, url, lax).FromConnect(nil, topic, s, value(math.NaN()))
	require.NoError(t, err)
	_, _, err = jsonSchemaConverterOf(t, url, strict).FromConnect(nil, topic, s, value(math.NaN()))
	require.ErrorContains(t, err, "strict.values: ")
	for _, text := range []string{`{"n":99999999999,"f":1}`, `{"n":5.7,"f":1}`, `{"n":"5","f":1}`, `{"n":1,"f":1e400}`, `{"n":1,"f":1} more`} {
		record := append(bytes.Clone(out[:framedHead]), text...)
		_, _, err = jsonSchemaConverterOf(t, url, lax).ToConnect(nil, topic, record)
		require.NoError(t, err, text)
		_, _, err = jsonSchemaConverterOf(t, url, strict).ToConnect(nil, topic, record)
		require.ErrorContains(t, err, "strict.values: ", text)
	}
}
