// Package kafka holds every Kafka client of the worker: producer, consumer,
// admin and the embedded development broker. It is the only package of the
// product that imports franz-go, and no franz-go type appears in its API, so a
// change of client library stays inside this directory.
//
// Configuration comes in as the Java client's property names and values
// (ParseClientConfig), because that is what Kafka Connect users have in their
// files. Data goes in and out in batches (Batch, Fetch); there is no
// per-record call through an interface.
//
// Invariants upheld here (docs/INVARIANTS.md):
//
//   - I-1: a Batch is reported as done only after the broker has acknowledged
//     or finally refused each of its records.
//   - I-2: Consumer.Commit refuses partitions that this member does not own.
//   - I-4: the producer's buffer (buffer.memory) and the consumer's buffered
//     fetches (fetch.max.bytes) are bounded in bytes.
//   - I-6: order within a Kafka partition holds through retries, because the
//     producer is idempotent by default and otherwise has one request in flight.
//   - I-9: values of ssl.* and sasl.* properties never appear in errors, and no
//     record key or value does.
//
// security*.go hold TLS and SASL: the transport, the login of each mechanism and
// the tokens of OAUTHBEARER. Key stores are read by host/tlsconfig, the text of
// sasl.jaas.config by host/config.
//
// Neighbours: host/task, host/store, host/herder and host/app use it. Of the project it imports
// host/config and host/tlsconfig.
package kafka
