// Package lab shows what a chain of transforms does to records, for people who write
// one: each record before and after, with its schemas, and errors where they happen.
//
// In: lines of JSON, each a value, or a whole record ([Options.Records]). A value, key or
// header of the form {"schema":…,"payload":…} is one with a schema, as
// JsonConverter writes it; anything else has none. Out: one [Result] for each line.
//
// It imports host/transform and host/convert.
package lab
