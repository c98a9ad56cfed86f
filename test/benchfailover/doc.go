// Command benchfailover measures how long the work of a worker stands still when the worker is killed or stopped: three
// Tailrace workers, and Kafka Connect 4.1 with its defaults in groups of its own beside them. It updates docs/benchmarks.md.
//
//	main.go      what is measured, in which order
//	cluster.go   a group of workers: start, strike one, wait until all runs elsewhere
//	load.go      connectors: files that grow, topics, files that must grow too
//	report.go    the table
package main
