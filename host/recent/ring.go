// Package recent keeps the last of what happens, for those who ask later or follow it.
//
// A Ring is bounded by items and bytes; the oldest go. Every item has a number that only grows, so a
// reader says which one it has seen, and sees by a gap what it was too slow for. Writers never wait
// for readers.
//
// Neighbours: host/loggers keeps log lines in it, host/observe events. It imports nothing of the host.
package recent

import (
	"context"
	"sync"
	"time"
)

// Item is a value with its number, from 1 on.
type Item[T any] struct {
	Seq   uint64
	Value T
	bytes int
}

// Ring is for any goroutine. Make one with [New].
type Ring[T any] struct {
	maxItems, maxBytes int

	mu      sync.Mutex
	items   []Item[T] // oldest first
	bytes   int
	last    uint64
	touched time.Time
	grown   chan struct{} // closed with the next Add; nil while nobody waits
}

// New makes an empty ring.
func New[T any](maxItems, maxBytes int) *Ring[T] {
	return &Ring[T]{maxItems: maxItems, maxBytes: maxBytes}
}

// Add keeps a value that takes about so many bytes.
func (r *Ring[T]) Add(value T, bytes int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last++
	r.items = append(r.items, Item[T]{r.last, value, bytes})
	r.bytes += bytes
	r.touched = time.Now()
	drop := 0
	for len(r.items)-drop > r.maxItems || r.bytes > r.maxBytes && len(r.items)-drop > 1 {
		r.bytes -= r.items[drop].bytes
		drop++
	}
	if drop > 0 {
		clear(r.items[:drop])
		r.items = r.items[drop:]
	}
	if r.grown != nil {
		close(r.grown)
		r.grown = nil
	}
}

// After gives at most limit items with numbers above seq, oldest first.
func (r *Ring[T]) After(seq uint64, limit int) []Item[T] {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Item[T]{}, r.after(seq, limit)...)
}

func (r *Ring[T]) after(seq uint64, limit int) []Item[T] {
	first := 0
	if n := len(r.items); n > 0 && seq >= r.items[0].Seq {
		first = int(min(seq-r.items[0].Seq+1, uint64(n)))
	}
	return r.items[first:min(len(r.items), first+limit)]
}

// Last gives at most n of the newest items, oldest first.
func (r *Ring[T]) Last(n int) []Item[T] {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Item[T]{}, r.items[max(0, len(r.items)-n):]...)
}

// Next waits for items with numbers above seq and gives at most limit of them; an error when ctx ends before.
func (r *Ring[T]) Next(ctx context.Context, seq uint64, limit int) ([]Item[T], error) {
	for {
		r.mu.Lock()
		if found := r.after(seq, limit); len(found) > 0 {
			out := append([]Item[T]{}, found...)
			r.mu.Unlock()
			return out, nil
		}
		if r.grown == nil {
			r.grown = make(chan struct{})
		}
		grown := r.grown
		r.mu.Unlock()
		select {
		case <-grown:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// Newest is the number of the last item, 0 when there was none.
func (r *Ring[T]) Newest() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last
}

// Touched is when the last item was added.
func (r *Ring[T]) Touched() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.touched
}
