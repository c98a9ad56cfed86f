// Package roundtrip takes records through the converters of a schema registry and
// through another implementation, Confluent's Python client, in both directions.
package roundtrip
