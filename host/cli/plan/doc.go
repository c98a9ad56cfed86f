// Package plan compares connector configurations: what a file wants with what a worker has. It is pure: values in, values
// out.
//
// Invariants: no secret leaves it in readable form but through the values that are to be sent (I-9): [Change] is for
// people and hides them.
//
// Neighbours: it imports nothing of the host.
package plan
