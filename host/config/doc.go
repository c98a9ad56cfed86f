// Package config knows every setting of Tailrace: which keys exist, how their
// text is read, what is wrong with a value, and what the settings of a worker
// and of a connector mean together.
//
// It has five parts, each a set of pure functions on values:
//
//   - definitions: [Def] and [Key] model Kafka's ConfigDef; [StandaloneWorkerDef],
//     [DistributedWorkerDef], [SourceConnectorDef] and [SinkConnectorDef] are the
//     keys of Kafka Connect 4.1 with Tailrace's own added;
//   - files: [ReadProperties] reads Java .properties text, [ReadConnectorFile]
//     the connector files of a standalone worker;
//   - typed views: [ParseWorker] and [ParseConnector] turn texts into structs;
//   - secrets: [Providers] resolves ${provider:path:key}, [Masker] keeps what came
//     out of it, and every PASSWORD, away from readers (I-9);
//   - validation: [ValidateConnector] and [Merge] build the answer of
//     PUT /connector-plugins/{p}/config/validate.
//
// Invariants: nothing here waits or talks to the network; only the file readers and
// the providers touch the file system. The one goroutine is the clock of the regular
// expression library, which ends by itself some time after the last bounded match. Definitions are shared
// and never changed after package initialisation. Error texts of definitions are
// Kafka's, letter for letter, because clients match on them.
//
// Neighbours: the package imports nothing else of the host and nothing of the
// SDK. The plugin package translates what a plugin describes into a [Def]; the
// kafka package reads the client properties composed here.
package config
