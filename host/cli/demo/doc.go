// Package demo runs a small pipeline for a newcomer, through the REST API
// alone: a file into a topic and out again into another file. It shows the
// progress and compares the two files byte for byte.
//
// Neighbours: `tailrace dev --demo` uses it. It imports nothing of the host:
// whatever it does, any client of the REST API can do.
package demo
