// Package connecttest runs connectors in tests. It plays the worker: real
// frames of the plugin protocol over a gRPC connection, in memory for a
// [connect.Plugin] and over its socket for a program in any language, so that what
// passes here passes in the worker.
//
//   - [RunSource] and [RunSink] run one task of a Go connector for a unit test.
//   - [Conformance] holds a plugin against the protocol.
//
// Both check every frame they receive: order of numbers, credit, limits,
// definitions before use. A breach fails the test.
//
// It imports connect, wire, data and the generated protocol, and is imported by
// tests only.
package connecttest
