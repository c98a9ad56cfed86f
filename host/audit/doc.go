// Package audit writes down who did what over the REST API: one line per request
// that changes something or that was refused, and per request that reads when that is wanted.
//
// Lines go to the worker's log (logger audit), or as JSON to a file of their own
// that log rotation may rename at any time.
//
// Invariants: a line holds no body, no query and no header, so no secret (I-9). Its
// texts are bounded. A file that cannot be written is told in the worker's log, and stops no request.
//
// Neighbours: host/rest writes events, host/app opens the log.
package audit
