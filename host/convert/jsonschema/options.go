package jsonschema

import (
	"github.com/tailrace/tailrace/host/convert/javaerr"
	"github.com/tailrace/tailrace/sdk/go/data"
)

// Class is the Java class that the converter stands in for.
const Class = "io.confluent.connect.json.JsonSchemaConverter"

// Options are those of the mapping, under the converter's names.
type Options struct {
	AdditionalProperties bool // object.additional.properties
	OptionalNonRequired  bool // use.optional.for.nonrequired
	NumericDecimals      bool // decimal.format=NUMERIC
	GeneralizedSumTypes  bool // generalized.sum.type.support
	FlattenSingleton     bool // flatten.singleton.unions
}

// Values writes and reads default values; package convert has the code.
type Values interface {
	// DefaultJSON is the JSON of the default of a schema that has one.
	DefaultJSON(s *data.Schema) ([]byte, error)
	// ReadDefault is the wire form, without a union index, of a JSON text as a value of a required schema.
	ReadDefault(s *data.Schema, text []byte) ([]byte, error)
}

const (
	namespace = "io.confluent.connect.json"
	// UnionName is the schema name of a struct that stands for oneOf or anyOf.
	UnionName = namespace + ".OneOf"
	enumParam = namespace + ".Enum"

	// With generalized.sum.type.support, unions and enums are marked by these parameters of Kafka Connect.
	sumUnion  = "org.apache.kafka.connect.data.Union"
	sumEnum   = "org.apache.kafka.connect.data.Enum"
	sumPrefix = "connect_union_"
	sumField  = sumPrefix + "field_"

	nullMarker = "<NULL>"

	propType, propVersion, propParams, propIndex = "connect.type", "connect.version", "connect.parameters", "connect.index"
	connectBytes, connectMap                     = "bytes", "map"

	// KeyField is the name of the key in the objects that make up a map whose keys are not strings.
	KeyField = "key"
	// ValueField is the name of the value beside it.
	ValueField = "value"
)

// maxDepth bounds the nesting of a schema (I-3).
const maxDepth = 200

// IsUnion tells that a struct's only field with a value stands for the struct.
func IsUnion(s *data.Schema) bool {
	if s == nil || s.Type() != data.StructType {
		return false
	}
	if s.Name() == UnionName {
		return true
	}
	_, ok := s.Parameter(sumUnion)
	return ok
}

var connectTypes = map[string]data.Type{
	"int8": data.Int8, "int16": data.Int16, "int32": data.Int32, "int64": data.Int64,
	"float32": data.Float32, "float64": data.Float64, connectBytes: data.Bytes,
}

var connectNames = func() map[data.Type]string {
	m := map[data.Type]string{}
	for name, t := range connectTypes {
		m[t] = name
	}
	return m
}()

func bad(format string, args ...any) error {
	return &javaerr.Error{Class: javaerr.SerializationException, Message: javaerr.Data(format, args...).Message}
}
