// Package cli tests the built `tailrace` as a client, as a user types it: against a real worker of Tailrace, and against
// Kafka Connect 4.1 itself.
package cli
