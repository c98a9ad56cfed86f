// Package wire is the border between the plugin protocol and Go: the gRPC
// codec, the schema dictionary of a stream, and the builders and readers of
// record batches. It is used by both ends, the SDK and the host, so that there
// is one writer and one reader of every column.
//
// Shapes:
//   - SourceBatchBuilder (plugin) -> pluginv1.SourceBatch -> SourceBatch (host)
//   - SinkBatchBuilder (host) -> pluginv1.SinkBatch -> SinkBatch (plugin)
//   - SchemaWriter (id for a schema, SchemaDef to send first) -> SchemaTable
//
// A builder appends value bytes straight into one block and keeps the rest in
// columns that collapse while every record has the same value; a reader
// walks the block with a cursor and allocates nothing per record. Readers
// check a whole batch when it arrives (lengths, counts, ids), so that the
// loops behind them need no checks and hostile bytes end as one error (I-3).
//
// It imports the generated protocol, sdk/go/data and grpc's codec
// interfaces; neither the SDK nor the host.
package wire
