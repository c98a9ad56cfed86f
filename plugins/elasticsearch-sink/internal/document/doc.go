// Package document turns records in wire form into what Elasticsearch takes: a JSON document, an id, the values of
// single fields. It goes from bytes to bytes; no tree of values is built.
//
// A [Plan] is a schema prepared for writing, made once for each schema and read by one goroutine at a time. All else is
// pure functions on bytes. What cannot be a document is told by an [*Error]: a value for the dead letters, never a
// reason to fail. Everything written is valid JSON in one line, because a line end would break the bulk request.
//
// It imports the data package and the standard library only.
package document
