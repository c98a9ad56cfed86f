// Package jsonschema maps Kafka Connect schemas to JSON Schema and back, as
// io.confluent.connect.json.JsonSchemaConverter does (reference section 6.6;
// the mapping was checked against JsonSchemaData of Confluent's
// schema-registry and the everit library below it).
//
// Shapes: Write gives the text that is registered for a schema; Read takes the
// text of any JSON Schema (drafts 4 to 2020-12) with the documents that it
// refers to. Values are no concern of this package: package convert writes and
// reads them with the code of the JsonConverter, and lends that code for
// default values (Values).
//
// Java's hash maps decide the order of what has no other order there: the
// properties of a written schema and the fields of a foreign schema without
// connect.index. javaorder.go repeats it, so that texts and schemas are equal.
//
// Invariants:
//   - I-3: schema texts are not trusted; nesting, references and sizes are
//     bounded, and a schema that contains itself is refused.
//
// It imports host/convert/javaerr and sdk/go/data. It must not import
// host/convert, which uses it.
package jsonschema
