// Package client talks to the REST API of Kafka Connect: to Tailrace or to Kafka Connect itself (4.1; most of it works
// from 2.3 on).
//
// Every call waits at most [Options.Timeout] for one answer and is repeated, within [Options.RetryBudget], when the worker
// says that it is busy ("Retry-After", 409 of a rebalance, 429, 503). A change whose
// outcome is not known is never repeated. What fails is an [*Error] with the status and the worker's own words, or an
// [*UnreachableError] when no answer came.
//
// Invariants: answers are bounded in size; credentials stand in headers only and in no error (I-9).
//
// Neighbours: it imports nothing of the host. The wire types are its own, so that it reads what any worker sends.
package client
