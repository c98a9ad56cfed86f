package store

import (
	"context"
	"fmt"
)

// Guard returns a store that asks before each write whether this worker may write: one that was suspended for longer
// than its session must not put an offset over that of its successor (I-5). allowed returns nil or why not. What goes in a
// transaction is not asked for: there the successor has fenced the producer.
func Guard(s ClusterOffsets, allowed func() error) ClusterOffsets { return &guarded{s, allowed} }

type guarded struct {
	ClusterOffsets
	allowed func() error
}

// Put implements OffsetStore.
func (g *guarded) Put(ctx context.Context, entries []OffsetEntry) error {
	if err := g.allowed(); err != nil {
		return fmt.Errorf("cannot write source offsets: %w", err)
	}
	return g.ClusterOffsets.Put(ctx, entries)
}

// Committed implements ClusterOffsets. The offsets are stored; only what would follow them is left out.
func (g *guarded) Committed(ctx context.Context, entries []OffsetEntry) {
	if g.allowed() == nil {
		g.ClusterOffsets.Committed(ctx, entries)
	}
}
