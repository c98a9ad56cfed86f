package task

import "sync"

// convertedBytes are the buffers that a batch's keys, values and headers are converted into. A record lies in one buffer. They go back
// to the pools when Kafka has the batch.
//
// A batch may convert into many times its own size, when each record gets its schema in front. So it takes one buffer after another:
// a single one that grows would copy all records before, and be too large to be found free again soon.
type convertedBytes struct {
	buffers []*[]byte
	largest int // what the largest record has taken
}

const (
	// smallBufferBytes is what a batch of a few short records converts into, largeBufferBytes what all others fill one after another.
	smallBufferBytes = 1 << 10
	largeBufferBytes = 256 << 10
)

// smallBuffers and largeBuffers are reused between batches.
var smallBuffers, largeBuffers sync.Pool

// room gives a buffer with room for a record like the largest so far: dst, the one in use, or another that stands for it from now on. A
// larger record makes its buffer grow, and a small buffer grows until it is a large one. The first is no larger than a batch of this
// cost asks for, because thousands of tasks may hold one at the same time (docs/benchmarks.md).
func (c *convertedBytes) room(dst []byte, cost int64) []byte {
	if len(c.buffers) > 0 && (cap(dst) < largeBufferBytes || cap(dst)-len(dst) >= c.largest) {
		return dst
	}
	if c.keep(dst); len(c.buffers) > 0 {
		cost = largeBufferBytes
	}
	b := takeBuffer(cost)
	c.buffers = append(c.buffers, b)
	return (*b)[:0]
}

// takeBuffer gives an empty buffer for a batch of this cost. It may be too small.
func takeBuffer(cost int64) *[]byte {
	pool, size := &largeBuffers, largeBufferBytes
	if cost < largeBufferBytes {
		pool, size = &smallBuffers, max(int(cost), smallBufferBytes)
	}
	if b, ok := pool.Get().(*[]byte); ok {
		return b
	}
	b := make([]byte, 0, size)
	return &b
}

// note remembers what a record took.
func (c *convertedBytes) note(bytes int) { c.largest = max(c.largest, bytes) }

// keep takes the buffer in use back, which may have grown.
func (c *convertedBytes) keep(dst []byte) {
	if n := len(c.buffers); n > 0 {
		*c.buffers[n-1] = dst[:0]
	}
}

// release gives the buffers back.
func (c *convertedBytes) release() {
	for _, b := range c.buffers {
		if cap(*b) < largeBufferBytes {
			smallBuffers.Put(b)
		} else {
			largeBuffers.Put(b)
		}
	}
	c.buffers = nil
}
