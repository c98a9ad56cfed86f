// Command benchwire measures what a record costs on its way between two
// processes: `make bench-wire`. It starts itself a second time as the plugin
// side; both talk over gRPC on a unix socket, as a worker and a plugin do. CPU
// is that of both processes together, because on one machine a plugin's cycles
// are the worker's too.
//
// Three shapes carry the same 8-field record:
//   - block: the protocol's own, one block of positional values a batch;
//   - value messages: one protobuf message (google.protobuf.Value) per value, by position;
//   - struct messages: google.protobuf.Struct, a map by field name per record.
//
// In each the receiver ends with the typed fields of every record.
package main
