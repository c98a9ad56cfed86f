// Package openapi is the description of the REST API as an OpenAPI 3.1 document: Kafka Connect's
// part and Tailrace's own. openapi.yaml is its source, and is written by hand, because the API is Kafka
// Connect's and not ours to derive; tests compare its paths with the routes, and every answer that a test
// gets with its schemas (test/openapitest).
//
// Neighbours: host/rest serves it at /openapi.json. It imports nothing of the host.
package openapi
