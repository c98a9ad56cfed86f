// Package plan decides which query reads a table next, and what a position is as a source offset. All of it is pure
// functions on values: no connection, no clock, no goroutine.
//
// # Invariants
//
//   - A query gives exactly the rows behind a position, in an order in which the position only grows. So what was read
//     before a lost connection is not read again, and nothing between is left out.
//   - In the modes with a timestamp, a query ends before a time that the database itself told. Rows of that very moment
//     may still be written, so they belong to the next query.
//   - An offset is in the form of Kafka Connect's JDBC source: keys timestamp (milliseconds), timestamp_nanos and
//     incrementing.
//
// # Neighbours
//
// It imports the standard library only. Package dialect renders what differs between databases (interface Renderer);
// package read runs the queries.
package plan
