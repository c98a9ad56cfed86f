// Package flow keeps several bulk requests on the way and the writes of one document in order.
//
// It has a fixed number of lanes. A lane has at most one request on the way and one batch that fills meanwhile, so memory is
// bounded (I-4), and it goes on to the next request only when each item of the one before is done, errant or given up. All writes
// of a document go through one lane: their order holds (I-6) with any number of lanes, with and without versions.
//
// The task's goroutine owns the open batches and calls all methods of [Flow]; each lane has a goroutine that sends.
// They meet under the lane's lock when a batch changes hands, and under the flow's when outcomes do: never for a
// single record. A failure ends the flow; nothing is sent after it.
//
// It imports package bulk only; who sends is behind [Sender].
package flow
