// Package read streams the rows of one table or query into batches: it asks package plan what to run next, runs it on a
// connection of package dialect, and hands each row's bytes and position on.
//
// # Invariants
//
//   - Memory is bounded by two rows and what the driver buffers: a result is read as it is asked for, never collected.
//   - The position handed on with a row says where to go on when everything up to this row is safe. In mode timestamp,
//     where rows may share a moment, that is the moment before as long as another row of the same moment may follow.
//   - After an error nothing is assumed of the connection or the running query. The next Fill begins a new query behind the
//     last row that was handed on.
//
// # Neighbours
//
// It imports dialect and plan. Topics, batches and the SDK's task are the plugin's.
package read
