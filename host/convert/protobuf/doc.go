// Package protobuf is the Protobuf converter: a stand-in for
// io.confluent.connect.protobuf.ProtobufConverter (reference section 6.6; the
// mapping was checked against ProtobufData of Confluent's schema-registry).
//
// Shapes: record bytes are a zero byte, the schema's id (four bytes, big
// endian), the place of the message in its file (zigzag varints; a single zero
// for the first), and the message. A schema is planned once and values go in
// one pass between the wire form and protobuf bytes, without building messages:
// encoder writes by a descriptor's fields in the order of the wire form,
// decoder notes where each field stands and then writes in the order of the
// schema.
//
// protocompile reads the .proto texts, both the registry's and those made
// here, so that one code plans what this converter wrote and what others did.
//
// Invariants:
//   - I-7: what protobuf can say arrives as it left. It has no null beside its
//     own: a null of a plain field is read as zero, unless
//     optional.for.nullables or wrapper.for.nullables is set; strict.values
//     refuses to write it.
//   - I-3: neither side is trusted; lengths are checked before they are used,
//     and messages that contain themselves are refused.
//
// It imports host/convert/javaerr, host/convert/registry and sdk/go/data. It
// must not import host/convert, which builds it.
package protobuf
