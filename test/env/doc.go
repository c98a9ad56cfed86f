// Package env gives Go tests real servers: an Apache Kafka broker and a Kafka Connect worker. It also makes Python
// environments, for plugins written without an SDK.
//
//	func TestSomething(t *testing.T) {
//		broker := env.Kafka(t)              // shared by every test of the run
//		topic := broker.Topic(t, 1)         // new, empty, removed with the test
//		client := broker.Client(t, kgo.ConsumeTopics(topic))
//		…
//	}
//
// One broker serves a whole `make test` run: the wrapper test/env/cmd/testenv starts it and hands its address down in
// TAILRACE_TEST_KAFKA. Without the variable (a plain `go test`), the first test of a package that asks starts one for
// that package's run. Tests that stop, pause or fill a broker take one of their own with PrivateKafka.
//
// A server that cannot be started fails the test; it is never skipped. When a test fails, the path of the server's log
// is in its output. Servers end with the test process, however it ends, and need no goroutine while they run, so
// leak checks pass. The server code is in package server; this package only fits it to package testing.
package env
