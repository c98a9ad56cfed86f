// Package expr evaluates expressions of the Common Expression Language (CEL) over
// values of the Connect data model.
//
// Shape: an [Env] declares the names that an expression may use; [Env.Compile] parses
// and type-checks one for the type that is wanted; [Program.Eval] gives a value of the
// data model, or an error that says what failed. Names are asked for when the
// expression gets to them, and fields of an [Object] too, so that what an expression
// does not touch is not decoded.
//
// How values look in an expression:
//
//	INT8 to INT64               int
//	FLOAT32, FLOAT64, Decimal   double
//	BOOLEAN, STRING, BYTES      bool, string, bytes
//	Date, Time, Timestamp       timestamp
//	ARRAY                       list
//	MAP, STRUCT                 map; a field is read as value.name or value["name"]
//	null                        null
//
// A program is bounded (I-3): expressions come from users, values from topics. What may
// cost more than the limit on parts of 10,000 characters or items, such as loops in loops, is
// counted while it runs, and ends with an error at the limit. The rest costs time in
// proportion to the record at most.
//
// It imports sdk/go/data only. The macros and functions are those of CEL, its strings,
// encoders, math and lists extensions, and json(text), which reads JSON.
package expr
