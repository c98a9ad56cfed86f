// Package rest serves Kafka Connect's REST API (reference section 1) on top of
// a [herder.Herder], and Tailrace's own below /v1.
//
// One file per resource; routes.go has the table of all. The shape of
// every exchange is settled in one place each: which path and method (routes.go),
// content types and OPTIONS (negotiate.go), reading bodies (body.go), errors (answer.go),
// limits on size, rate and time (server.go, limits.go), who may do what (permissions.go) and how that is
// enforced and written down (guard.go).
//
// Requests that another worker of the cluster must carry out are passed on (forward.go).
//
// Invariants: bodies, headers and times are bounded; a slow client holds a
// connection, never the worker (I-3). A change is answered after the herder has it (I-8).
//
// Deliberate differences from Kafka Connect: a malformed body is 400 with the
// place of the fault, not 500; connectors whose names have slashes, backslashes or percent signs can be reached;
// conflicts and timeouts carry Retry-After.
//
// Neighbours: it knows host/herder, and host/loggers, host/access and host/audit, which know nothing of the herder; nothing deeper.
package rest
