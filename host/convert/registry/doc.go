// Package registry talks to a Confluent-compatible schema registry: it finds
// schemas by id, registers and looks up schemas of a subject, and derives the
// subject from topic and record name.
//
// All calls are made by the goroutine of a task, once per schema and not once
// per record: answers that cannot change (the schema of an id, the id of a
// schema) are cached, bounded by max.schemas.per.subject. Every call has a
// deadline, is tried again with back-off where the failure may pass, and goes
// to the next URL when one does not answer.
//
// Invariants:
//   - I-3: answers are limited in size and time.
//   - I-9: credentials are in no error; user information is cut from URLs.
//
// It is the border to franz-go's package sr, which no other package of the
// host imports. It imports host/convert/javaerr, host/config (login modules) and host/tlsconfig.
package registry
