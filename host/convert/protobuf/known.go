package protobuf

// known are the files that every Confluent registry and client has without being told.
// Those of google/protobuf come with protocompile.
var known = map[string]string{
	metaFile: `syntax = "proto3";
package confluent;

import "google/protobuf/descriptor.proto";

message Meta {
  string doc = 1;
  map<string, string> params = 2;
  repeated string tags = 3;
  repeated Rule rules = 4;
}
message Rule {
  string name = 1;
  string doc = 2;
  string expr = 3;
  string sql = 4;
}

extend google.protobuf.FileOptions {
  Meta file_meta = 1088;
}
extend google.protobuf.MessageOptions {
  Meta message_meta = 1088;
}
extend google.protobuf.FieldOptions {
  Meta field_meta = 1088;
}
extend google.protobuf.EnumOptions {
  Meta enum_meta = 1088;
}
extend google.protobuf.EnumValueOptions {
  Meta enum_value_meta = 1088;
}
`,
	decimalFile: `syntax = "proto3";
package confluent.type;

message Decimal {
  bytes value = 1;
  uint32 precision = 2;
  int32 scale = 3;
}
`,
	dateFile: `syntax = "proto3";
package google.type;

message Date {
  int32 year = 1;
  int32 month = 2;
  int32 day = 3;
}
`,
	timeFile: `syntax = "proto3";
package google.type;

message TimeOfDay {
  int32 hours = 1;
  int32 minutes = 2;
  int32 seconds = 3;
  int32 nanos = 4;
}
`,
	"google/type/latlng.proto": `syntax = "proto3";
package google.type;

message LatLng {
  double latitude = 1;
  double longitude = 2;
}
`,
	"google/type/money.proto": `syntax = "proto3";
package google.type;

message Money {
  string currency_code = 1;
  int64 units = 2;
  int32 nanos = 3;
}
`,
	"google/type/decimal.proto": `syntax = "proto3";
package google.type;

message Decimal {
  string value = 1;
}
`,
}

// wrapperOf has the wrapper message of each field type.
var wrapperOf = map[string]string{
	"double": "DoubleValue", "float": "FloatValue", "int64": "Int64Value", "sint64": "Int64Value", "sfixed64": "Int64Value",
	"uint64": "UInt64Value", "fixed64": "UInt64Value", "int32": "Int32Value", "sint32": "Int32Value", "sfixed32": "Int32Value",
	"uint32": "UInt32Value", "fixed32": "UInt32Value", "bool": "BoolValue", "string": "StringValue", "bytes": "BytesValue",
}

// wrapperText is google/protobuf/wrappers.proto, the schema of a value that is no struct.
const wrapperText = `syntax = "proto3";
package google.protobuf;

option cc_enable_arenas = true;
option csharp_namespace = "Google.Protobuf.WellKnownTypes";
option go_package = "google.golang.org/protobuf/types/known/wrapperspb";
option java_multiple_files = true;
option java_outer_classname = "WrappersProto";
option java_package = "com.google.protobuf";
option objc_class_prefix = "GPB";

message DoubleValue {
  double value = 1;
}
message FloatValue {
  float value = 1;
}
message Int64Value {
  int64 value = 1;
}
message UInt64Value {
  uint64 value = 1;
}
message Int32Value {
  int32 value = 1;
}
message UInt32Value {
  uint32 value = 1;
}
message BoolValue {
  bool value = 1;
}
message StringValue {
  string value = 1;
}
message BytesValue {
  bytes value = 1;
}
`
