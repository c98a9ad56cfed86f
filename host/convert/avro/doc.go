// Package avro is the Avro converter: a stand-in for
// io.confluent.connect.avro.AvroConverter (reference section 6.5; the mapping
// was checked against AvroData of Confluent's schema-registry).
//
// Shapes: record bytes are a zero byte, the schema's id (four bytes, big
// endian) and Avro binary. The wire form of values is Avro binary too, with
// the union order of the same mapping, so most schemas need no work: a schema
// is planned once (a tree of nodes with the Avro schema's text), and where the
// plan says "same" the value's bytes are checked and copied. What differs (enum,
// fixed, unions of several types, values without a schema, optional fields
// whose null is second) is transcoded in one pass, without building values.
//
// Invariants:
//   - I-7: bytes that are copied are the bytes that came.
//   - I-3: neither side is trusted; every value is walked once by
//     data.SkipValue or by the transcoder, nesting and counts are bounded.
//
// The schema's JSON is read and written here and not by a library, because a
// property that a library drops or reorders would be another schema to the
// registry. hamba/avro judges compatibility, to name the field when a registry
// refuses.
//
// It imports host/convert/javaerr, host/convert/registry and sdk/go/data. It
// must not import host/convert, which builds it.
package avro
