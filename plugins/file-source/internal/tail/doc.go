// Package tail follows one file (or one stream) and returns what is new in it as chunks of whole lines.
//
// A [Follower] owns one path. It resumes where an [Offset] says, waits for a file that is not there yet, notices when
// the file is renamed away, replaced, truncated, rewritten or deleted, and reads gzip files as if they were plain. A
// [Stream] does the same for standard input and pipes, which have no offsets. Both put the bytes through a [Scanner],
// which holds the unfinished line between reads and applies the rule for lines that are too long.
//
// # Where to go on
//
// A position alone says where Kafka's FileStreamSource stopped, but not in which file: after a rotation the name stands
// for another one. So an Offset can also hold the inode and a fingerprint of the bytes just before the position. The
// decisions are pure functions (plan.go) on what was seen in the folder (look.go):
//
//   - the file whose bytes before the position have the fingerprint is the right one, wherever it is now: under its
//     name, renamed, copied aside and truncated, or compressed; of several, the one with the inode;
//   - a file that was rotated away is read to its end before the next younger one is opened;
//   - if it is gone, reading starts at the beginning of the file that has the name now. Doubt is settled in favour of
//     reading twice.
//
// # Invariants
//
//   - I-6: lines come in the order of the file, and the files of a rotation in the order of their age.
//   - I-7: every byte between two line ends is returned as it is; the limits on length are the one stated exception.
//   - Memory is bounded by the block size plus the longest line allowed (I-4).
//   - No method blocks on anything but the disk, and the time is given by the caller: the loop that waits is the caller's.
//
// A Follower, Stream or Scanner belongs to one goroutine. This package imports package lines, nothing else of the plugin.
package tail
