// Package draw draws schemas and values for the property tests of the converters: any value of any schema, as often as one
// likes. It knows no converter. Neighbours: host/convert, its formats and host/convert/evolution test with it; what a
// format cannot hold is left out by the Special function that its test gives.
package draw
