// Package harness starts the built worker with the built plugins, as a user does, for tests
// that look at it from outside: a Worker with its REST API and its processes, a
// Pipeline that takes a file through a topic into another file, and waiting
// for conditions. The programs are built once for each test package; Main removes them.
//
// It is used by tests only and imports nothing of the host but the embedded broker.
package harness
