// Package e2e runs the built worker with the built plugins, as a user does, and
// looks at the outcome from outside: files, topics, REST answers and the
// process table. Every pipeline test runs twice, on the embedded broker and
// on a real Apache Kafka, from one table (brokers).
package e2e
