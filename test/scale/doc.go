// Package scale fills a cluster of built workers on a real Kafka with many connectors and tasks, lets workers come and
// go, and measures how long that takes, how quickly the REST API answers meanwhile, and what it costs. When
// something runs is read from the status topic: asking the workers for thousands of statuses would take from what is
// measured. At the end every worker must tell the same over REST.
//
// In `make test` it runs in a short form; `make scale` is the long one, which writes docs/benchmarks.md.
package scale
