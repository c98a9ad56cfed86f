package config

import (
	"slices"
	"sync"
)

// StandaloneWorkerDef returns the keys of a standalone worker, Tailrace's own last.
var StandaloneWorkerDef = sync.OnceValue(func() *Def {
	return NewDef(slices.Concat(workerKeysBeforeTLS, tlsKeys, workerKeysAfterTLS, standaloneKeys, tailraceWorkerKeys, restKeys)...)
})

// DistributedWorkerDef returns the keys of a distributed worker, Tailrace's own last.
var DistributedWorkerDef = sync.OnceValue(func() *Def {
	return NewDef(slices.Concat(workerKeysBeforeTLS, tlsKeys, workerKeysAfterTLS,
		distributedKeysBeforeSASL, saslKeys, distributedKeysAfterSASL, tailraceWorkerKeys, restKeys, tailraceClusterKeys)...)
})

// commonConnectorDef returns the keys that sources and sinks share.
var commonConnectorDef = sync.OnceValue(func() *Def { return NewDef(connectorKeys...) })

// SourceConnectorDef returns the framework's keys of a source connector. Tailrace's
// own keys are not part of it; see [ProcessDef].
var SourceConnectorDef = sync.OnceValue(func() *Def {
	return NewDef(slices.Concat(connectorKeys, sourceKeys)...)
})

// SinkConnectorDef returns the framework's keys of a sink connector.
var SinkConnectorDef = sync.OnceValue(func() *Def {
	return NewDef(slices.Concat(connectorKeys, sinkKeys)...)
})

// ProcessDef returns Tailrace's own keys of a connector. They are kept apart from
// Kafka's so that a validate answer lists them only when a connector sets them,
// and stays equal to Kafka Connect's otherwise.
var ProcessDef = sync.OnceValue(func() *Def { return NewDef(processKeys...) })

// ExtensionDef are Tailrace's own keys of a kind of connector, beside those of its
// process. A validate answer lists those that are set.
func ExtensionDef(kind Kind) *Def {
	if kind == Source {
		return sourceExtensionDef()
	}
	return extensionDef()
}

var (
	extensionDef       = sync.OnceValue(func() *Def { return NewDef(extensionKeys...) })
	sourceExtensionDef = sync.OnceValue(func() *Def { return NewDef(slices.Concat(extensionKeys, sourceExtensionKeys)...) })
)
