package worker

import (
	"context"

	"github.com/tailrace/tailrace/host/config"
	"github.com/tailrace/tailrace/host/kafka"
	"github.com/tailrace/tailrace/host/store"
	"github.com/tailrace/tailrace/host/task"
)

// ExactlyOnce is what a cluster does for source tasks that write exactly once (KIP-618). Its methods are called from the
// goroutines of tasks.
type ExactlyOnce interface {
	// Fence returns when no task of an earlier set of the connector's tasks can write any more.
	Fence(ctx context.Context, connector string) error
	// Current returns why this worker must not run the task (any more) as it was given, or nil. It is asked when the
	// task's producer has fenced its predecessor: it reads the config topic to its end first.
	Current(ctx context.Context, id task.ID, taskProps map[string]string) error
}

// SourceOffsets is the store of a source connector's offsets.
type SourceOffsets interface {
	store.OffsetStore
	// Records are what stores the entries, for a transaction that holds the task's records too.
	Records(entries []store.OffsetEntry) []kafka.OutRecord
	// Committed is called when a transaction with the records of these entries is committed.
	Committed(ctx context.Context, entries []store.OffsetEntry)
	// Uses reports whether the store writes to a topic: a task must not produce to it.
	Uses(topic string) bool
}

// OffsetsOf opens the store of a connector's offsets; release gives it back.
type OffsetsOf func(ctx context.Context, c *config.Connector) (offsets SourceOffsets, release func(), err error)
