// Package edge tests the REST API of a built worker from outside: clients that
// others wrote, random and hostile requests, and how long answers take.
//
// `make test` runs the fuzz for some seconds, `make fuzz-api` for ten minutes. Both
// print the seed; TAILRACE_FUZZ_SEED repeats one.
package edge
