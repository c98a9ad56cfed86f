// Package dialect knows the databases: how to connect, which tables there are, how names are quoted, and above all how a
// value on the wire of a driver becomes the bytes of a Connect value. One file (or two) for each database.
//
// # Rules
//
//   - A value goes from the driver's bytes to Connect's bytes in one step, without a Go value between them where the
//     driver gives bytes (PostgreSQL) and without reflection (MySQL, SQLite).
//   - Nothing is lost in silence. A value that its Connect type cannot hold is an error that names the column. The only
//     stated loss is below the millisecond under timestamp.granularity=connect_logical.
//   - No error holds a password or a connection URL.
//
// # Neighbours
//
// It imports the drivers and sdk/go/data. It knows nothing of modes, offsets or tasks; package plan says which query to
// run, package read runs it.
package dialect
