// Package tlsconfig turns Kafka's ssl.* settings into Go's TLS: stores of type PEM,
// PKCS12 and JKS (KIP-651 and reference section 2.1), versions, cipher suites,
// verification of the other side.
//
//   - [Parse] checks the settings; it reads no file.
//   - [Open] reads the stores, and reads them again when their files change.
//   - [Identity.Server] and [Identity.Client] are the two ends of a connection.
//
// Invariants: no error and no log line holds a password or key (I-9). A store that
// cannot be read after a rotation leaves the one before in use.
//
// Neighbours: host/reload. REST listeners, the forwarding of requests between
// workers, Kafka clients and registry clients use it.
package tlsconfig
