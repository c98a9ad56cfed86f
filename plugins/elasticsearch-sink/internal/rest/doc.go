// Package rest speaks HTTP with Elasticsearch 7 to 9 and OpenSearch 1 to 3: one bulk request, and the few calls that make
// an index, a mapping or a data stream. What an answer means for a document is not decided here but in package bulk.
//
// The client is elastic-transport-go: connections to several nodes, which of them is dead, authentication, gzip. It speaks to any
// server, where the typed clients refuse each other's (docs/adr/0040-search-transport.md). Its own retries are off, because
// only the caller knows which items are left to try.
//
// A [Client] may be used from any goroutine.
package rest
