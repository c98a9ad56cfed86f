package convert

import (
	"github.com/tailrace/tailrace/sdk/go/data"
)

// kind is what a value is at run time: Java's class of it, in effect.
type kind uint8

const (
	kindNull kind = iota
	kindBoolean
	kindInt8
	kindInt16
	kindInt32
	kindInt64
	kindFloat32
	kindFloat64
	kindBytes
	kindString
	kindArray
	kindMap
	kindPairs // a schemaless map whose keys are not all strings
	kindStruct
	kindDecimal
	kindDate
	kindTime
	kindTimestamp
)

var javaClasses = [...]string{
	kindNull: "null", kindBoolean: "java.lang.Boolean", kindInt8: "java.lang.Byte", kindInt16: "java.lang.Short",
	kindInt32: "java.lang.Integer", kindInt64: "java.lang.Long", kindFloat32: "java.lang.Float", kindFloat64: "java.lang.Double",
	kindBytes: "[B", kindString: "java.lang.String", kindArray: "java.util.ArrayList", kindMap: "java.util.HashMap",
	kindPairs: "java.util.HashMap", kindStruct: "org.apache.kafka.connect.data.Struct", kindDecimal: "java.math.BigDecimal",
	kindDate: "java.util.Date", kindTime: "java.util.Date", kindTimestamp: "java.util.Date",
}

// javaClass is the text of Java's getClass().
func (k kind) javaClass() string { return "class " + javaClasses[k] }

// anyKinds maps the branches of the schemaless union.
var anyKinds = [...]kind{
	data.AnyNull: kindNull, data.AnyBoolean: kindBoolean, data.AnyInt8: kindInt8, data.AnyInt16: kindInt16,
	data.AnyInt32: kindInt32, data.AnyInt64: kindInt64, data.AnyFloat32: kindFloat32, data.AnyFloat64: kindFloat64,
	data.AnyBytes: kindBytes, data.AnyString: kindString, data.AnyArray: kindArray, data.AnyMap: kindMap,
	data.AnyPairs: kindPairs, data.AnyDecimal: kindDecimal, data.AnyTimestamp: kindTimestamp,
}

var typeKinds = [...]kind{
	data.Int8: kindInt8, data.Int16: kindInt16, data.Int32: kindInt32, data.Int64: kindInt64, data.Float32: kindFloat32,
	data.Float64: kindFloat64, data.Boolean: kindBoolean, data.String: kindString, data.Bytes: kindBytes,
	data.Array: kindArray, data.MapType: kindMap, data.StructType: kindStruct,
}

// kindOf is the kind of a schema's values that are not null.
func kindOf(s *data.Schema) kind {
	switch {
	case s.IsTimestamp():
		return kindTimestamp
	case s.IsDate():
		return kindDate
	case s.IsTime():
		return kindTime
	case isDecimal(s):
		return kindDecimal
	}
	return typeKinds[s.Type()]
}

// open reads the union index of a value and tells its kind; body is what follows.
func open(s *data.Schema, wire []byte) (k kind, body []byte, err error) {
	if s == nil {
		if len(wire) == 0 {
			return kindNull, wire, nil
		}
		branch, rest, err := data.ReadLong(wire)
		if err != nil {
			return 0, nil, malformed(s, err)
		}
		if branch < 0 || branch >= int64(len(anyKinds)) {
			return 0, nil, malformed(s, &data.Error{Offset: 0, Reason: "unknown union index of a value without a schema"})
		}
		return anyKinds[branch], rest, nil
	}
	present, rest, err := data.ReadPresence(s, wire)
	if err != nil {
		return 0, nil, malformed(s, err)
	}
	if !present {
		return kindNull, rest, nil
	}
	return kindOf(s), rest, nil
}

// appendNull appends a null of an optional schema, or of none.
func appendNull(dst []byte, s *data.Schema) []byte {
	if s == nil {
		return data.AppendLong(dst, data.AnyNull)
	}
	return data.AppendPresence(dst, s, false)
}
