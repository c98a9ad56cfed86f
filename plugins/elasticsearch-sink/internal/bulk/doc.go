// Package bulk is the language of the bulk endpoint: it writes the lines of a request and decides what becomes of each
// line of the answer. All of it is pure.
//
// An item is always in one of four states after an answer: Done (kept, gone, or overtaken by a newer version), Retry
// (the server was busy), Errant (this document can never be kept; the others go on) or Fatal (nothing can be kept: the
// rights are missing, the index is closed). [Classify] is the one table that says so.
//
// It imports the standard library only.
package bulk
