// Package index decides which index a record goes to and what its mapping is. It is pure.
//
// It imports the data package and the standard library only.
package index
