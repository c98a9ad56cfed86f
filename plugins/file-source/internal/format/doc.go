// Package format gives lines a meaning: rows of CSV and lines of JSON become values of the Connect data model.
//
// Everything in it is a pure function on bytes and values. Plain lines need nothing from here. It imports the data
// package of the SDK and nothing else of the plugin.
package format
