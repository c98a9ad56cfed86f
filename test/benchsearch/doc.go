// Command benchsearch measures elasticsearch-sink beside bare loops of the same clients: `make bench-search`.
//
// All sides move the same topics of one Kafka broker into a fresh index of one OpenSearch node each, and take turns
// (A B A B), so that the spread of each side against itself stands beside the differences. Same for all: partitions,
// documents in a request, the HTTP client, no gzip, the part of the answer that is asked for, external versions.
//
// The bare loops are what one would write in Go without a framework, and have no retries, no commits and no errors:
//   - passed on: franz-go gives records, the value goes into the body of a bulk request as it is. It trusts the topic: one value that
//     is no JSON spoils a request. No client can do less; this is the floor.
//   - checked: the same with encoding/json's Valid on each value.
//   - decoded: encoding/json reads the value into a map and writes it again, as a program does that looks at documents.
//   - payload taken out: for records with a schema, encoding/json reads the envelope and gives the payload's bytes.
//
// What is counted: processor time, user and system, of all processes of a side, between the moment when the server has the first
// documents (for a bare loop: its first line) and the moment when it has every document. What a connector takes before, to start a
// process and to join a group, stands below the table. Afterwards the
// number of documents and the sum of a field are compared with what was produced; a difference fails the run. Kafka's and the
// server's own time belongs to neither side.
package main
