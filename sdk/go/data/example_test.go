package data_test

import (
	"fmt"
	"time"

	"github.com/tailrace/tailrace/sdk/go/data"
)

// A schema is built once and shared; a value is built per record.
func Example() {
	schema := data.NewStruct().Name("com.example.Order").Version(1).
		Field("id", data.Int64Schema).
		Field("customer", data.StringSchema).
		Field("note", data.OptionalStringSchema).
		MustBuild()

	order, err := data.NewValue(schema).Set("id", 42).Set("customer", "Åsa").Build()
	if err != nil {
		fmt.Println(err)
		return
	}
	wire, err := data.AppendValue(nil, schema, order)
	if err != nil {
		fmt.Println(err)
		return
	}
	back, err := data.DecodeValue(schema, wire)
	fmt.Println(len(wire), back, err)
	// Output: 7 Struct{id=42,customer=Åsa} <nil>
}

func ExampleNewStruct() {
	address := data.NewStruct().Name("Address").Optional().
		Field("street", data.StringSchema).
		Field("country", data.NewPrimitive(data.String).Default("SE").MustBuild()).
		MustBuild()
	person := data.NewStruct().Name("Person").Version(2).Doc("someone we deliver to").
		Field("name", data.StringSchema).
		Field("address", address).
		Field("tags", data.NewArray(data.StringSchema).MustBuild()).
		Field("scores", data.NewMap(data.StringSchema, data.Float64Schema).MustBuild()).
		MustBuild()
	for _, f := range person.Fields() {
		fmt.Println(f.Index, f.Name, f.Schema.Type(), f.Schema.Optional())
	}
	// Output:
	// 0 name STRING false
	// 1 address STRUCT true
	// 2 tags ARRAY false
	// 3 scores MAP false
}

// A mistake in a schema is told by Build, for schemas that are made from data (a table's columns, say).
func ExampleBuilder_Build() {
	_, err := data.NewStruct().Name("t").Field("id", data.Int64Schema).Field("id", data.StringSchema).Build()
	fmt.Println(err)
	// Output: schema "t": field name "id" is used twice
}

// All mistakes in a value are told together, with the fields' names.
func ExampleValueBuilder() {
	schema := data.NewStruct().Field("id", data.Int64Schema).Field("name", data.StringSchema).MustBuild()
	_, err := data.NewValue(schema).Set("id", "forty-two").Set("nam", "Bob").Build()
	fmt.Println(err)
	// Output:
	// field "id": INT64 needs a Go int64, got string
	// "nam" is not a field of Schema{STRUCT}; its fields are id, name
}

// A null field with a default gives the default; GetWithoutDefault tells them apart.
func ExampleStruct_Get() {
	schema := data.NewStruct().
		Field("color", data.NewPrimitive(data.String).Optional().Default("red").MustBuild()).
		MustBuild()
	st := data.NewValue(schema).MustBuild()
	with, _ := st.Get("color")
	without, _ := st.GetWithoutDefault("color")
	fmt.Println(with, without)
	// Output: red <nil>
}

func ExampleDecimal() {
	price, err := data.ParseDecimal("1999.00")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(price, price.Unscaled, price.Scale)

	// The scale belongs to the schema; a value of another scale is refused rather than rounded.
	_, err = data.AppendValue(nil, data.DecimalSchema(3), price)
	fmt.Println(err)
	// Output:
	// 1999.00 199900 2
	// value: the decimal has scale 2, but its schema has scale 3
}

// Date, Time and Timestamp are time.Time in UTC.
func ExampleTimestampSchema() {
	at := time.Date(2026, 3, 1, 12, 30, 0, 0, time.UTC)
	wire, err := data.AppendValue(nil, data.TimestampSchema, at)
	if err != nil {
		fmt.Println(err)
		return
	}
	back, err := data.DecodeValue(data.TimestampSchema, wire)
	fmt.Println(back, err)
	// Output: 2026-03-01 12:30:00 +0000 UTC <nil>
}

// A map keeps the order of its entries and takes keys of any type.
func ExampleMap() {
	m := &data.Map{}
	m.Put("b", int64(2))
	m.Put("a", int64(1))
	m.Put("b", int64(3))
	v, ok := m.Get("b")
	fmt.Println(m, m.Len(), v, ok)
	// Output: {b=3, a=1} 2 3 true
}

// Without a schema a value describes itself: source partitions, offsets and JSON-like records.
func ExampleConvert_schemaless() {
	v, err := data.Convert(nil, map[string]any{"file": "/var/log/syslog", "position": 1024, "tags": []string{"a"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	wire, err := data.AppendValue(nil, nil, v)
	if err != nil {
		fmt.Println(err)
		return
	}
	back, err := data.DecodeValue(nil, wire)
	fmt.Println(back, err)
	// Output: {file=/var/log/syslog, position=1024, tags=[a]} <nil>
}

func ExampleValidate() {
	line := data.NewStruct().
		Field("points", data.NewArray(data.NewStruct().Field("x", data.Int32Schema).MustBuild()).MustBuild()).
		MustBuild()
	_, err := data.DecodeValue(line, []byte{4, 2}) // two points are declared, one is there
	fmt.Println(err)
	fmt.Println(data.Validate(data.Int32Schema, int64(1)))
	// Output:
	// field "points" at byte 0: 2 items of at least 1 bytes are declared, but only 1 bytes are left
	// value: INT32 needs a Go int32, got int64
}

// Code that knows its schema writes the positions directly, without building values.
func ExampleAppendLong() {
	note := data.OptionalStringSchema
	schema := data.NewStruct().Field("id", data.Int64Schema).Field("note", note).
		Field("tags", data.NewArray(data.StringSchema).MustBuild()).MustBuild()

	wire := data.AppendLong(nil, 42)
	wire = data.AppendPresence(wire, note, true)
	wire = data.AppendString(wire, "fragile")
	wire = data.AppendBlockStart(wire, 2)
	wire = data.AppendString(wire, "new")
	wire = data.AppendString(wire, "vip")
	wire = data.AppendBlockEnd(wire)

	v, err := data.DecodeValue(schema, wire)
	fmt.Println(v, err)
	// Output: Struct{id=42,note=fragile,tags=[new, vip]} <nil>
}

// The host reads the same bytes without building values.
func ExampleReadBlock() {
	wire := []byte{2, 2, 'x', 2, 2, 'y', 0} // two blocks of one string each
	for rest := wire; ; {
		n, r, err := data.ReadBlock(rest, 1)
		if err != nil || n == 0 {
			fmt.Println(err)
			return
		}
		for range n {
			var text string
			if text, r, err = data.ReadString(r); err != nil {
				fmt.Println(err)
				return
			}
			fmt.Println(text)
		}
		rest = r
	}
	// Output:
	// x
	// y
	// <nil>
}
