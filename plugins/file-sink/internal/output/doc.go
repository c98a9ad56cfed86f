// Package output writes lines to one file so that a failure at any moment loses none and, if asked, doubles none.
//
// A [File] takes the lines of one round (Begin, Append …, End). A round that fails is taken back: the file is cut to
// where it was before, so the same lines can be given again. Flush makes everything written so far as safe as the
// fsync policy says.
//
// # Exactly once
//
// With Config.Exact a sidecar, a small JSON file beside the output, says how long the file was at the last flush and
// which Kafka offset follows what is in it. It is replaced as a whole, after the data is safe. Opening the file cuts off
// what lies behind that length; the caller goes on reading Kafka from those offsets. So each record is in the file once,
// whatever died in between, and wherever the consumer group's own offsets stand.
//
// A rotation is: flush, rename the file, note length 0 in the sidecar, create a new file. If the process dies in
// between, the file is missing or empty on opening, and that means: it was renamed.
//
// A third file, FILE.lock, is locked while the file is open, so that of two tasks only one writes.
//
// # Invariants
//
//   - I-2: what Flush has returned for is in the file; with the policy "flush" it is on the disk.
//   - Only whole lines are written, except by a write that fails half way on a file that other programs append to at the
//     same time: such a file cannot be cut.
//
// A File belongs to one goroutine. The package knows nothing of the SDK.
package output
