// Package transform holds the single message transforms and predicates of Kafka
// Connect 4.1 and the chain that applies them.
//
// # Shape
//
// The unit of work is a [Batch] of records. A [Chain] applies each of its steps
// to all records of the batch, then the next step (a program takes each record through
// several); because a record only ever depends on itself, that is the same as Kafka
// Connect's order, record by record. A step may change a record, drop it, or fail it; the caller reads the
// outcome of each record and applies errors.tolerance.
//
// A [Record] comes and goes in the wire form of package data. What a transform
// does not look at is not decoded: a struct or a schemaless map is split into
// the wire bytes of its fields, and only the fields that a step reads or writes
// become Go values. A record that no step changed leaves as the bytes that came.
//
// Steps that follow each other and whose outcome a schema (or the keys of a map) tells
// beforehand are one walk over the bytes of a value: a [Chain] compiles them into a
// program per schema, and the steps themselves only see what that does not provide for.
//
// What follows from a schema alone (the new schema, which field goes where) is
// worked out once per schema and found again by the identity of the schema.
//
// # Invariants
//
//   - A step that fails leaves the record as it was before that step, so that
//     a dead letter shows what the step was given.
//   - Class names, aliases, options, results, error classes and error messages
//     are Kafka Connect's; reference section 7 and the golden corpora decide.
//   - I-3: values come from plugins and topics and are not trusted. No value and
//     no configuration makes a transform panic.
//   - I-7: a field that a step does not touch leaves as the bytes that came.
//
// Transforms keep caches, so a chain is for one goroutine.
//
// # Neighbours
//
// It imports sdk/go/data, sdk/go/wire, host/config for option definitions, and
// host/convert for the literals of InsertHeader and the type of Java errors. It
// must not import host/kafka, host/task or the generated protocol.
package transform
