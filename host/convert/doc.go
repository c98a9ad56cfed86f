// Package convert turns values between the plugin protocol's wire form and the
// bytes of Kafka records, exactly as Kafka Connect's converters do.
//
// Shapes: FromConnect takes a schema and wire bytes (sdk/go/data explains
// them) and gives record bytes; ToConnect takes record bytes and gives a schema
// and wire bytes. Both transcode in one pass without building values, and
// append to a buffer of the caller; strings and bytes are handed through as a
// part of the input. Values are only built where Java's toString of a
// structure is asked for.
//
// Errors are *Error with the Java class and message that Kafka Connect shows,
// because users, dead-letter headers and tools match on them. The recorded
// behaviour (reference sections 6.2 to 6.4 and the golden corpora) decides;
// where the wire form cannot hold what Java can (a null in a required string),
// the converter refuses it with an error that says so.
//
// Invariants:
//   - I-7: int64, decimals, bytes, null against absent and NaN arrive as they
//     left, as far as the format can say them.
//   - I-3: record bytes and wire bytes are not trusted; nesting and lengths are
//     bounded and nothing panics.
//
// A converter is used by one goroutine at a time: it keeps caches.
//
// It imports sdk/go/data and the packages below it: javaerr (errors), avro (the
// Avro converter), protobuf (the Protobuf converter), jsonschema (the mapping of
// JSON Schema), registry, and evolution (schema.evolution). They do not import this package. It must not
// import host/kafka, host/task or the generated protocol.
package convert
