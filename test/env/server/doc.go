// Package server starts real servers for tests and benchmarks: an Apache Kafka 4.1 broker in KRaft mode and a Kafka
// Connect 4.1 worker, both from their Maven artifacts.
//
// The artifacts are fetched once into .cache/kafka-4.1.0 at the root of the project (needs mvn, found through the
// JDK's own package manager or the system's). Servers listen on 127.0.0.1, keep their data in a temporary folder, and
// end with the process that started them, however it ends: a guard process waits at the other end of a pipe and
// kills the server's process group when the pipe closes.
//
// Everything is safe to call from any goroutine, except that one Broker or Connect value is used by one goroutine at
// a time. Nothing here knows package testing (that is package env) or anything of Tailrace.
package server
