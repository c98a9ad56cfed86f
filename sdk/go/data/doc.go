// Package data is the Kafka Connect data model and its wire value codec.
//
// # Model
//
// A [Schema] describes a value: its [Type], whether it is optional, name, version, doc, parameters, default, and for
// structs, arrays and maps its parts. A schema is immutable once built and is used by pointer. A nil *Schema means
// "schemaless": the value describes itself.
//
// A value is one of the Go types below, carried as `any`. The type must match the schema exactly, as in Kafka Connect:
// an int32 is not a valid value of an INT64 schema.
//
//	INT8 INT16 INT32 INT64   int8 int16 int32 int64
//	FLOAT32 FLOAT64          float32 float64
//	BOOLEAN STRING BYTES     bool string []byte
//	ARRAY                    []any
//	MAP                      *Map
//	STRUCT                   *Struct
//	null                     nil (a nil *Map or *Struct is null too; a nil slice is an empty value)
//
// Four logical types are known by schema name and underlying type; any other schema name is only a label:
//
//	org.apache.kafka.connect.data.Decimal    BYTES, parameter "scale"   Decimal
//	org.apache.kafka.connect.data.Date       INT32, days                time.Time at midnight UTC
//	org.apache.kafka.connect.data.Time       INT32, milliseconds        time.Time on 1970-01-01 UTC
//	org.apache.kafka.connect.data.Timestamp  INT64, milliseconds        time.Time
//
// # Wire form
//
// A value travels in Apache Avro binary form, by position, without names (see encode.go for the complete rules and
// proto/tailrace/plugin/v1/testdata for vectors). Reading is safe against hostile input: nothing is allocated before
// the input is known to be long enough, nesting is bounded, and each error names the byte and the field path.
//
// # Invariants
//
//   - I-7: a value arrives as it left. NaN payloads, -0.0, every int64, null against absent and strings that are not
//     valid UTF-8 survive. The one stated loss is time below a millisecond, which Connect's types cannot hold.
//   - A built schema never changes, so it may be shared between goroutines and compared by pointer first.
//   - SkipValue accepts exactly the inputs that ReadValue accepts, and allocates nothing.
//
// # Neighbours
//
// Connector authors and the host both import this package. It imports the standard library only.
package data
