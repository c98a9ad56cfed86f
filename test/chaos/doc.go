// Package chaos breaks a cluster of three workers on a real broker at random and then looks whether anything was
// lost: `make test` runs it for some seconds, `make chaos` for ten minutes.
//
//	plan.go     what happens when, made from a seed before anything starts: the same seed gives the same plan
//	network.go  a network namespace for each worker, so that its cable can be pulled (root only)
//	node.go     a worker's process, started again when it ends, as a supervisor would
//	load.go     ten connectors: files that grow, topics, files that must become the same
//	check.go    the verdict: every line in the order of first appearances, offsets that never go back
//	run.go      carries the plan out and shows progress
//
// A run that fails is repeated with its seed: go test ./test/chaos -v -args -duration 10m -seed N. The faults come at the same
// moments and hit the same workers; how the processes interleave is the machine's choice.
package chaos
