package data

import (
	"fmt"
	"strings"
)

// Type is a Connect type. The zero Type is not valid.
type Type uint8

// The Connect types. MapType and StructType carry a suffix because [Map] and [Struct] are the Go types of their values.
const (
	Int8 Type = iota + 1
	Int16
	Int32
	Int64
	Float32
	Float64
	Boolean
	String
	Bytes
	Array
	MapType
	StructType
)

var typeNames = [...]string{
	Int8: "INT8", Int16: "INT16", Int32: "INT32", Int64: "INT64", Float32: "FLOAT32", Float64: "FLOAT64",
	Boolean: "BOOLEAN", String: "STRING", Bytes: "BYTES", Array: "ARRAY", MapType: "MAP", StructType: "STRUCT",
}

// String is the name as Kafka Connect's Schema.Type prints it, for example "INT8".
func (t Type) String() string {
	if !t.Valid() {
		return fmt.Sprintf("Type(%d)", uint8(t))
	}
	return typeNames[t]
}

// Valid reports whether t is one of the constants.
func (t Type) Valid() bool { return t >= Int8 && t <= StructType }

// Primitive reports whether t has no parts: everything except ARRAY, MAP and STRUCT.
func (t Type) Primitive() bool { return t >= Int8 && t <= Bytes }

// ParseType is the inverse of String. It takes any letter case, so Schema.Type.getName() ("int8") is read too.
func ParseType(name string) (Type, error) {
	upper := strings.ToUpper(name)
	for t := Int8; t <= StructType; t++ {
		if typeNames[t] == upper {
			return t, nil
		}
	}
	return 0, fmt.Errorf("unknown Connect type %q: want one of %s", name, strings.Join(typeNames[Int8:], ", "))
}
