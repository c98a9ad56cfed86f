// Package deadletter reads dead letters, and sends them where they belong.
//
// Shape: [Read] goes through a topic of dead letters and hands over each [Letter], with
// what its headers tell; a [Filter] chooses; [Replay] writes the chosen ones to their topics.
//
// A letter is replayed once: its record and the note that it was replayed, in a topic
// beside the dead letters, are written in one transaction. A replay that was interrupted,
// however, goes on behind its last transaction, and a second one that runs at the same
// time is fenced.
//
// It imports host/kafka, host/convert, host/transform and host/config; the command line
// reaches it through host/app.
package deadletter
