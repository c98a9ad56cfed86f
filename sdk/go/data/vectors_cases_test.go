package data_test

import (
	"encoding/hex"
	"math"
	"math/big"
	"strings"

	"github.com/tailrace/tailrace/sdk/go/data"
)

// A vector is written and read, unless only says "read" or "write". Wire is filled in by the encoder, or given for
// forms that this package reads but does not write.
type vector struct {
	name   string
	schema *data.Schema
	value  any
	only   string
	wire   string
}

type badVector struct {
	name   string
	schema *data.Schema
	wire   string
	reason string
}

type refusedVector struct {
	name   string
	schema *data.Schema
	value  any
	reason string
}

func big10(text string) *big.Int {
	n, ok := new(big.Int).SetString(text, 10)
	if !ok {
		panic(text)
	}
	return n
}

func decimal(unscaled string, scale int32) data.Decimal {
	return data.Decimal{Unscaled: big10(unscaled), Scale: scale}
}

func entries(kv ...any) *data.Map {
	m := &data.Map{}
	for i := 0; i < len(kv); i += 2 {
		m.Put(kv[i], kv[i+1])
	}
	return m
}

func mustStruct(s *data.Schema, values ...any) *data.Struct {
	st, err := data.NewStructValue(s)
	if err != nil {
		panic(err)
	}
	copy(st.Values(), values)
	return st
}

func ready(t data.Type, optional bool) *data.Schema {
	return data.NewPrimitive(t).SetOptional(optional).MustBuild()
}

// primitives are the interesting values of each type.
var primitives = map[data.Type][]any{
	data.Int8:    {int8(0), int8(1), int8(-1), int8(63), int8(64), int8(-64), int8(-65), int8(math.MaxInt8), int8(math.MinInt8)},
	data.Int16:   {int16(0), int16(300), int16(8191), int16(8192), int16(-8193), int16(math.MaxInt16), int16(math.MinInt16)},
	data.Int32:   {int32(0), int32(-2), int32(1048575), int32(1048576), int32(math.MaxInt32), int32(math.MinInt32)},
	data.Int64:   {int64(0), int64(9007199254740993), int64(1) << 62, int64(math.MaxInt64), int64(math.MinInt64)},
	data.Float32: {float32(0), float32(math.Copysign(0, -1)), float32(1.5), float32(0.1), float32(-1e10), float32(math.MaxFloat32), float32(math.SmallestNonzeroFloat32), float32(math.Inf(1)), float32(math.Inf(-1)), math.Float32frombits(0x7fc00000), math.Float32frombits(0xffc12345), math.Float32frombits(0x7f800001)},
	data.Float64: {0.0, math.Copysign(0, -1), 1.5, 0.1, 1e21, -1e-7, math.MaxFloat64, math.SmallestNonzeroFloat64, math.Inf(1), math.Inf(-1), math.Float64frombits(0x7ff8000000000000), math.Float64frombits(0xfff8000000abcdef), math.Float64frombits(0x7ff0000000000001)},
	data.Boolean: {true, false},
	data.String:  {"", "a", "grüße, 世界 😀", "nul\x00inside", "\" \\ / \n \t", strings.Repeat("x", 63), strings.Repeat("x", 64), strings.Repeat("long ", 1700), "\xff\xfe invalid", "\xed\xa0\xbd lone surrogate"},
	data.Bytes:   {[]byte{}, []byte{0}, []byte{0xff, 0x00, 0x80}, []byte(strings.Repeat("\x01", 64))},
}

var primitiveTypes = []data.Type{data.Int8, data.Int16, data.Int32, data.Int64, data.Float32, data.Float64, data.Boolean, data.String, data.Bytes}

func vectors() []vector {
	var all []vector
	add := func(name string, s *data.Schema, v any) { all = append(all, vector{name: name, schema: s, value: v}) }
	for _, t := range primitiveTypes {
		lower := strings.ToLower(t.String())
		for _, v := range primitives[t] {
			add(lower, ready(t, false), v)
			add(lower+" optional", ready(t, true), v)
			add(lower+" schemaless", nil, v)
		}
		last := primitives[t][len(primitives[t])-1]
		withDefault := data.NewPrimitive(t).Optional().Default(primitives[t][0]).MustBuild()
		add(lower+" optional null", ready(t, true), nil)
		add(lower+" optional with default: null", withDefault, nil)
		add(lower+" optional with default: value", withDefault, last)
		add(lower+" required with default: value", data.NewPrimitive(t).Default(primitives[t][0]).MustBuild(), last)
		all = append(all, vector{
			name: lower + " required with default: null is written as the default", only: "write",
			schema: data.NewPrimitive(t).Default(last).MustBuild(),
		})
	}
	add("schema with every attribute", data.NewPrimitive(data.String).Name("com.example.Text").Version(7).Doc("a text").
		Param("z", "last").Param("a", "first").Param("", "empty key").Optional().Default("d").MustBuild(), "v")
	add("empty name and doc are not absent", data.NewPrimitive(data.Int32).Name("").Doc("").MustBuild(), int32(1))
	add("a logical name on another type is a label", data.NewPrimitive(data.String).Name(data.DecimalName).MustBuild(), "1.5")
	logicalVectors(add)
	containerVectors(add)
	structVectors(add)
	schemalessVectors(add)
	return append(all, readOnlyVectors()...)
}

func logicalVectors(add func(string, *data.Schema, any)) {
	for _, text := range []string{
		"0", "1", "-1", "127", "128", "-128", "-129", "255", "256", "32767", "32768", "-32768", "-32769", "9223372036854775807",
		"-9223372036854775808", "9223372036854775808", "-9223372036854775809", "340282366920938463463374607431768211455",
		"-340282366920938463463374607431768211456", "170141183460469231731687303715884105728", "-170141183460469231731687303715884105728",
	} {
		add("decimal scale 2: "+text, data.DecimalSchema(2), decimal(text, 2))
	}
	add("decimal negative scale", data.DecimalSchema(-3), decimal("12", -3))
	add("decimal greatest scale", data.DecimalSchema(math.MaxInt32), decimal("1", math.MaxInt32))
	add("decimal optional", data.OptionalDecimalSchema(0), decimal("7", 0))
	add("decimal optional null", data.OptionalDecimalSchema(0), nil)
	add("decimal with default: null", data.NewDecimal(1).Optional().Default(decimal("15", 1)).MustBuild(), nil)
	add("decimal with default: value", data.NewDecimal(1).Optional().Default(decimal("15", 1)).MustBuild(), decimal("-15", 1))
	for _, days := range []int32{0, 1, -1, 19000, math.MaxInt32, math.MinInt32} {
		add("date", data.DateSchema, data.FromDays(days))
	}
	for _, millis := range []int64{0, 1, 86399999, 86400000} {
		add("time", data.TimeSchema, data.FromMillis(millis))
	}
	for _, millis := range []int64{0, 1, -1, 1700000000123, -62135596800000, math.MaxInt64, math.MinInt64} {
		add("timestamp", data.TimestampSchema, data.FromMillis(millis))
		add("timestamp schemaless", nil, data.FromMillis(millis))
	}
	add("date optional", data.OptionalDateSchema, data.FromDays(3))
	add("date optional null", data.OptionalDateSchema, nil)
	add("time optional", data.OptionalTimeSchema, data.FromMillis(3))
	add("time optional null", data.OptionalTimeSchema, nil)
	add("timestamp optional", data.OptionalTimestampSchema, data.FromMillis(3))
	add("timestamp optional null", data.OptionalTimestampSchema, nil)
	add("timestamp with default: null", data.NewTimestamp().Optional().Default(data.FromMillis(5)).MustBuild(), nil)
	add("date required with default: value", data.NewDate().Default(data.FromDays(5)).MustBuild(), data.FromDays(6))
}

func containerVectors(add func(string, *data.Schema, any)) {
	ints := data.NewArray(data.Int32Schema).MustBuild()
	add("array empty", ints, []any{})
	add("array", ints, []any{int32(1), int32(-1), int32(300)})
	many := make([]any, 70)
	for i := range many {
		many[i] = int32(i)
	}
	add("array of 70 (the count takes two bytes)", ints, many)
	add("array of optional", data.NewArray(data.OptionalStringSchema).MustBuild(), []any{"a", nil, ""})
	add("array of arrays", data.NewArray(ints).MustBuild(), []any{[]any{}, []any{int32(5)}})
	optional := data.NewArray(data.Float64Schema).Optional().MustBuild()
	add("array optional null", optional, nil)
	add("array optional empty is not null", optional, []any{})
	defaulted := data.NewArray(data.Int32Schema).Optional().Default([]any{int32(1)}).MustBuild()
	add("array with default: null", defaulted, nil)
	add("array with default: empty", defaulted, []any{})
	add("array of decimals", data.NewArray(data.DecimalSchema(2)).MustBuild(), []any{decimal("100", 2), decimal("-1", 2)})
	add("array without element schema", data.NewArray(nil).Schemaless().MustBuild(), []any{int8(1), "a", nil, []any{true}})

	counts := data.NewMap(data.StringSchema, data.Int64Schema).MustBuild()
	add("map empty", counts, entries())
	add("map", counts, entries("b", int64(2), "a", int64(-1), "", int64(0)))
	add("map of optional", data.NewMap(data.StringSchema, data.OptionalInt32Schema).MustBuild(), entries("null", nil, "one", int32(1)))
	add("map optional null", data.NewMap(data.StringSchema, data.Int64Schema).Optional().MustBuild(), nil)
	add("map optional empty is not null", data.NewMap(data.StringSchema, data.Int64Schema).Optional().MustBuild(), entries())
	add("map with int32 keys", data.NewMap(data.Int32Schema, data.StringSchema).MustBuild(), entries(int32(-1), "minus", int32(2), "two"))
	add("map with optional string keys", data.NewMap(data.OptionalStringSchema, data.Int8Schema).MustBuild(), entries(nil, int8(1), "k", int8(2)))
	add("map with bytes keys", data.NewMap(data.BytesSchema, data.BooleanSchema).MustBuild(), entries([]byte{1, 2}, true))
	add("map with timestamp keys", data.NewMap(data.TimestampSchema, data.Int32Schema).MustBuild(), entries(data.FromMillis(1), int32(1)))
	add("map with array keys", data.NewMap(ints, data.Int32Schema).MustBuild(), entries([]any{int32(1)}, int32(2)))
	add("map empty with int32 keys", data.NewMap(data.Int32Schema, data.StringSchema).MustBuild(), entries())
	add("map of maps", data.NewMap(data.StringSchema, counts).MustBuild(), entries("m", entries("n", int64(1))))
	add("map without key and value schema", data.NewMap(nil, nil).Schemaless().MustBuild(), entries("a", int8(1), int32(2), nil))
	add("map with named string keys", data.NewMap(data.NewPrimitive(data.String).Name("Key").MustBuild(), data.Int8Schema).MustBuild(), entries("k", int8(1)))
	wide := &data.Map{}
	for i := range 40 {
		wide.Put(string(rune('a'+i)), int64(i))
	}
	add("map of 40", counts, wide)
}

var (
	vectorPoint = data.NewStruct().Name("Point").Field("x", data.Int32Schema).Field("y", data.OptionalInt32Schema).MustBuild()
	vectorOrder = data.NewStruct().Name("com.example.Order").Version(3).Doc("an order").
			Field("id", data.Int64Schema).
			Field("customer", data.StringSchema).
			Field("amount", data.DecimalSchema(2)).
			Field("placed", data.TimestampSchema).
			Field("paid", data.BooleanSchema).
			Field("note", data.OptionalStringSchema).
			Field("tags", data.NewArray(data.StringSchema).MustBuild()).
			Field("weight", data.OptionalFloat64Schema).
			MustBuild()
	vectorEmpty = data.NewStruct().MustBuild()
)

func structVectors(add func(string, *data.Schema, any)) {
	add("struct without fields", vectorEmpty, mustStruct(vectorEmpty))
	add("struct", vectorPoint, mustStruct(vectorPoint, int32(1), int32(-2)))
	add("struct with null field", vectorPoint, mustStruct(vectorPoint, int32(1), nil))
	optionalPoint := vectorPoint.ToBuilder().Optional().MustBuild()
	add("struct optional", optionalPoint, mustStruct(optionalPoint, int32(1), nil))
	add("struct optional null", optionalPoint, nil)
	defaultPoint := optionalPoint.ToBuilder().Default(mustStruct(vectorPoint, int32(7), nil)).MustBuild()
	add("struct with default: null", defaultPoint, nil)
	add("struct with default: value", defaultPoint, mustStruct(defaultPoint, int32(1), int32(2)))
	inner := data.NewStruct().Field("p", vectorPoint.ToBuilder().Default(mustStruct(vectorPoint, int32(7), nil)).MustBuild()).MustBuild()
	add("struct with a field whose default is a struct", inner, mustStruct(inner, mustStruct(inner.Fields()[0].Schema, int32(1), nil)))
	add("struct of 8 fields", vectorOrder, mustStruct(vectorOrder, int64(1234567890123), "Åsa", decimal("199900", 2), data.FromMillis(1700000000123), true, nil, []any{"new", "vip"}, 1.25))
	line := data.NewStruct().Name("Line").Field("from", vectorPoint).Field("to", optionalPoint).
		Field("via", data.NewArray(vectorPoint).MustBuild()).Field("named", data.NewMap(data.StringSchema, vectorPoint).MustBuild()).MustBuild()
	add("struct nested", line, mustStruct(line, mustStruct(vectorPoint, int32(1), int32(2)), mustStruct(optionalPoint, int32(3), nil),
		[]any{mustStruct(vectorPoint, int32(4), nil)}, entries("p", mustStruct(vectorPoint, int32(5), int32(6)))))
	add("struct nested, optional parts null or empty", line, mustStruct(line, mustStruct(vectorPoint, int32(0), nil), nil, []any{}, entries()))
	add("array of structs without content", data.NewArray(vectorEmpty).MustBuild(), []any{mustStruct(vectorEmpty), mustStruct(vectorEmpty)})
	odd := data.NewStruct().Name("odd names")
	names := []string{"", " ", "a.b", "a b", "naïve", "世界", "😀", "\"quoted\"", "back\\slash", "__proto__", "0", "class", "new\nline", "A", "a", "constructor", "${x}", "[0]"}
	values := make([]any, len(names))
	for i, name := range names {
		odd.Field(name, data.Int8Schema)
		values[i] = int8(i)
	}
	add("struct with odd field names", odd.MustBuild(), mustStruct(odd.MustBuild(), values...))
	defaults := data.NewStruct().
		Field("required", data.NewPrimitive(data.Int32).Default(int32(5)).MustBuild()).
		Field("optional", data.NewPrimitive(data.Int32).Default(int32(6)).Optional().MustBuild()).
		Field("plain", data.OptionalInt32Schema).MustBuild()
	add("struct with defaults: all set", defaults, mustStruct(defaults, int32(1), int32(2), int32(3)))
	add("struct with defaults: null is kept where optional", defaults, mustStruct(defaults, int32(5), nil, nil))
	deep, deepValue := data.OptionalInt32Schema, any(int32(1))
	for range 20 {
		deep = data.NewStruct().Field("in", deep).MustBuild()
		deepValue = mustStruct(deep, deepValue)
	}
	add("struct 20 levels deep", deep, deepValue)
}

func schemalessVectors(add func(string, *data.Schema, any)) {
	add("schemaless null", nil, nil)
	add("schemaless decimal", nil, decimal("-12345678901234567890", 5))
	add("schemaless decimal of negative scale", nil, decimal("1", -2))
	add("schemaless array empty", nil, []any{})
	add("schemaless array", nil, []any{nil, true, int8(1), int16(1), int32(1), int64(1), float32(1), 1.0, "s", []byte{1}, decimal("1", 0), data.FromMillis(1)})
	add("schemaless map empty", nil, entries())
	add("schemaless map", nil, entries("name", "Bob", "age", int64(42), "tags", []any{"a"}, "none", nil, "", entries()))
	add("schemaless map with other keys", nil, entries("s", int8(1), int64(2), "two", nil, "null", []byte{9}, "bytes"))
	deep := any("leaf")
	for i := range data.MaxSchemalessDepth {
		if i%2 == 0 {
			deep = []any{deep}
		} else {
			deep = entries("k", deep)
		}
	}
	add("schemaless 64 levels deep", nil, deep)
}

func readOnlyVectors() []vector {
	ints := data.NewArray(data.Int32Schema).MustBuild()
	counts := data.NewMap(data.StringSchema, data.Int64Schema).MustBuild()
	pairs := data.NewMap(data.Int32Schema, data.Int8Schema).MustBuild()
	return []vector{
		{name: "schemaless null of no bytes (top level only)", only: "read", wire: ""},
		{name: "varint longer than needed", only: "read", schema: data.Int64Schema, value: int64(1), wire: "8200"},
		{name: "array in two blocks", only: "read", schema: ints, value: []any{int32(1), int32(2), int32(3)}, wire: "0202" + "040406" + "00"},
		{name: "array block with its size", only: "read", schema: ints, value: []any{int32(1), int32(2)}, wire: "0304" + "0204" + "00"},
		{name: "array in blocks with and without size", only: "read", schema: ints, value: []any{int32(1), int32(64)}, wire: "0102" + "02" + "02" + "8001" + "00"},
		{name: "map in two blocks, one with its size", only: "read", schema: counts, value: entries("a", int64(1), "b", int64(2)), wire: "0106" + "026102" + "02" + "026204" + "00"},
		{name: "map key twice: the last value counts, at the first place", only: "read", schema: counts, value: entries("a", int64(3), "b", int64(2)), wire: "06" + "026102" + "026204" + "026106" + "00"},
		{name: "pairs in two blocks", only: "read", schema: pairs, value: entries(int32(1), int8(1), int32(2), int8(2)), wire: "02" + "0202" + "02" + "0404" + "00"},
		{name: "decimal longer than needed", only: "read", schema: data.DecimalSchema(0), value: decimal("-1", 0), wire: "06ffffff"},
		{name: "schemaless pairs with string keys only", only: "read", value: entries("a", nil), wire: "18" + "02" + "120261" + "00" + "00"},
		{name: "schemaless array in two blocks", only: "read", value: []any{nil, true}, wire: "14" + "0200" + "0104" + "0201" + "00"},
	}
}

func badVectors() []badVector {
	ints := data.NewArray(data.Int32Schema).MustBuild()
	counts := data.NewMap(data.StringSchema, data.Int64Schema).MustBuild()
	pairs := data.NewMap(data.Int32Schema, data.Int8Schema).MustBuild()
	deepArray := strings.Repeat("1402", data.MaxSchemalessDepth) + "1400" + strings.Repeat("00", data.MaxSchemalessDepth)
	return []badVector{
		{"no bytes", data.Int32Schema, "", "input ends too early"},
		{"no bytes for an optional value", data.OptionalInt32Schema, "", "input ends too early"},
		{"no bytes for a struct with a field", vectorPoint, "", "input ends too early"},
		{"bytes after the value", data.Int32Schema, "0200", "bytes are left"},
		{"bytes after a null", data.OptionalInt32Schema, "0000", "bytes are left"},
		{"bytes after an empty struct", vectorEmpty, "00", "bytes are left"},
		{"int8 too large", data.Int8Schema, "8002", "128 does not fit int8"},
		{"int8 too small", data.Int8Schema, "8102", "-129 does not fit int8"},
		{"int16 too large", data.Int16Schema, "808004", "32768 does not fit int16"},
		{"int16 too small", data.Int16Schema, "818004", "-32769 does not fit int16"},
		{"int32 too large", data.Int32Schema, "8080808010", "2147483648 does not fit int32"},
		{"int32 too small", data.Int32Schema, "8180808010", "-2147483649 does not fit int32"},
		{"int32 of six bytes", data.Int32Schema, "828080808000", "an Avro int has at most five bytes"},
		{"int64 beyond 64 bits", data.Int64Schema, "ffffffffffffffffff02", "does not fit 64 bits"},
		{"int64 of eleven bytes", data.Int64Schema, "8080808080808080808001", "does not fit 64 bits"},
		{"varint cut off", data.Int64Schema, "80", "input ends too early"},
		{"float32 cut off", data.Float32Schema, "000000", "input ends too early"},
		{"float64 cut off", data.Float64Schema, "00000000000000", "input ends too early"},
		{"boolean 2", data.BooleanSchema, "02", "a boolean is 0 or 1"},
		{"boolean 255", data.BooleanSchema, "ff", "a boolean is 0 or 1"},
		{"string cut off", data.StringSchema, "066162", "length beyond the input"},
		{"string of negative length", data.StringSchema, "01", "negative length"},
		{"string of huge length", data.StringSchema, "feffffffffffffffff01", "length beyond the input"},
		{"bytes of huge length", data.BytesSchema, "feffffffffffffffff0100", "length beyond the input"},
		{"union index 2", data.OptionalInt32Schema, "0402", "union index is 0 or 1"},
		{"union index -1", data.OptionalInt32Schema, "0102", "union index is 0 or 1"},
		{"optional value missing", data.OptionalInt32Schema, "02", "input ends too early"},
		{"struct cut off", vectorPoint, "02", "input ends too early"},
		{"array without end", ints, "0202", "input ends too early"},
		{"array of huge count", ints, "feffffffffffffffff0100", "count beyond the input"},
		{"array of huge count with size", ints, "ffffffffffffffffff01020200", "count out of range"},
		{"array of more items than bytes", ints, "080202", "count beyond the input"},
		{"array block size too large", ints, "010a0200", "block size beyond the input"},
		{"array block size negative", ints, "01010200", "block size beyond the input"},
		{"array block size too small for its items", ints, "0302020400", "items do not end at the block size"},
		{"array block size larger than its items", ints, "0104020000", "items do not end at the block size"},
		{"array of too many structs without content", data.NewArray(vectorEmpty).MustBuild(), "feffffff0f00", "too many empty structs"},
		{"map without end", counts, "02026102", "input ends too early"},
		{"map of huge count", counts, "feffffffffffffffff01", "count beyond the input"},
		{"map key cut off", counts, "0204", "count beyond the input"},
		{"map block size wrong", counts, "010802610200", "items do not end at the block size"},
		{"pairs cut off", pairs, "0202", "count beyond the input"},
		{"pairs value out of range", pairs, "0202800200", "128 does not fit int8"},
		{"decimal of no bytes", data.DecimalSchema(2), "00", "a decimal has at least one byte"},
		{"decimal schema without scale", data.NewPrimitive(data.Bytes).Name(data.DecimalName).MustBuild(), "0201", "no scale"},
		{"decimal schema with bad scale", data.NewPrimitive(data.Bytes).Name(data.DecimalName).Param("scale", "two").MustBuild(), "0201", "scale is no number"},
		{"date beyond int32", data.DateSchema, "8080808010", "does not fit int32"},
		{"time negative", data.TimeSchema, "01", "a time is 0 to 86400000"},
		{"time after the day", data.TimeSchema, "82f0b252", "a time is 0 to 86400000"},
		{"schemaless union index 15 (reserved)", nil, "1e00", "unknown union index"},
		{"schemaless union index 16", nil, "20", "unknown union index"},
		{"schemaless union index -1", nil, "01", "unknown union index"},
		{"schemaless nested without bytes", nil, "1402", "count beyond the input"},
		{"schemaless boolean 3", nil, "0203", "a boolean is 0 or 1"},
		{"schemaless int8 too large", nil, "048002", "128 does not fit int8"},
		{"schemaless int16 too large", nil, "06808004", "32768 does not fit int16"},
		{"schemaless int32 too large", nil, "088080808010", "2147483648 does not fit int32"},
		{"schemaless decimal of no bytes", nil, "1a0000", "a decimal has at least one byte"},
		{"schemaless decimal scale too large", nil, "1a80808080100201", "does not fit int32"},
		{"schemaless array count too large", nil, "1480808001", "count beyond the input"},
		{"schemaless 65 levels deep", nil, deepArray, "nested deeper than 64"},
		{"schemaless bytes after the value", nil, "0000", "bytes are left"},
	}
}

func refusedVectors() []refusedVector {
	list := any([]any{})
	for range data.MaxSchemalessDepth {
		list = []any{list}
	}
	return []refusedVector{
		{"null for a required schema", data.Int32Schema, nil, "null for a required value"},
		{"null in a required field", vectorPoint, mustStruct(vectorPoint, nil, nil), "null for a required value"},
		{"null element of required", data.NewArray(data.Int32Schema).MustBuild(), []any{nil}, "null for a required value"},
		{"int64 for int32", data.Int32Schema, int64(1), "wrong type"},
		{"int32 for int64", data.Int64Schema, int32(1), "wrong type"},
		{"float64 for float32", data.Float32Schema, 1.5, "wrong type"},
		{"string for bytes", data.BytesSchema, "a", "wrong type"},
		{"bytes for string", data.StringSchema, []byte("a"), "wrong type"},
		{"bytes for decimal", data.DecimalSchema(2), []byte{1}, "wrong type"},
		{"decimal for bytes", data.BytesSchema, decimal("1", 0), "wrong type"},
		{"int64 for timestamp", data.TimestampSchema, int64(1), "wrong type"},
		{"decimal of another scale", data.DecimalSchema(2), decimal("1", 3), "scale differs"},
		{"date with a time of day", data.DateSchema, data.FromMillis(86400001), "not midnight"},
		{"time on another day", data.TimeSchema, data.FromMillis(86400001), "not on 1970-01-01"},
		{"time before the day", data.TimeSchema, data.FromMillis(-1), "not on 1970-01-01"},
		{"map for array", data.NewArray(data.Int32Schema).MustBuild(), entries(), "wrong type"},
		{"map key of another type", data.NewMap(data.StringSchema, data.Int8Schema).MustBuild(), entries(int32(1), int8(1)), "wrong type"},
		{"schemaless 65 levels deep", nil, list, "nested deeper than 64"},
	}
}

func unhex(text string) []byte {
	raw, err := hex.DecodeString(text)
	if err != nil {
		panic(text)
	}
	return raw
}
