// Command bench compares Tailrace with Kafka Connect 4.1 on one Kafka broker: `make bench`.
//
// Both sides run the same connectors from the same keys, standalone, with StringConverter and batch.size 2000: a file
// into a topic and a topic into a file, lines of 100 bytes and of 1 KiB. Kafka Connect runs with a heap of 1 GiB and
// the JVM options of its own start script. The sides take turns (A B A B), so that the spread of each side against
// itself stands beside the difference between the sides. The short lines go into a topic once more by distributed workers
// with exactly.once.source.support=enabled, where a line has arrived when its transaction is committed. A bare franz-go loop that does the same work, file lines to a
// topic and back, is the floor.
//
// What is counted, and how:
//   - Records arrive at the far end: the topic's end offset or the file's size must reach what was put in. After the
//     clock has stopped, the whole output is read and compared with the input, in order. A difference fails the run.
//   - The clock runs from the request that creates the connector until the last record has arrived. The worker is
//     ready by then; its start is measured by itself.
//   - Processor time is that of all processes of a side (worker, plugins; the JVM), user and system, ended children
//     included. The broker's and the bench's own are not in it.
//   - Peak memory is the highest sum, over processes alive together, of each one's highest resident memory.
//
// The table goes to standard output and between the bench marks of docs/benchmarks.md, all figures to a JSON file.
package main
