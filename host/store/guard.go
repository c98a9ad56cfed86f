package store

import (
	"context"
	"fmt"
)

// Guard returns a store that asks before each write whether this worker may write: one that was suspended for longer
// than its session must not put an offset over that of its successor (I-5). allowed returns nil or why not.
func Guard(s OffsetStore, allowed func() error) OffsetStore { return &guarded{s, allowed} }

type guarded struct {
	OffsetStore
	allowed func() error
}

// Put implements OffsetStore.
func (g *guarded) Put(ctx context.Context, entries []OffsetEntry) error {
	if err := g.allowed(); err != nil {
		return fmt.Errorf("cannot write source offsets: %w", err)
	}
	return g.OffsetStore.Put(ctx, entries)
}
