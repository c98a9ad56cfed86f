package task

import "github.com/tailrace/tailrace/sdk/go/data"

// sourceOffset is an offset in wire form; schema is nil for a map without one.
type sourceOffset struct {
	schema *data.Schema
	wire   []byte
}

// partitionOffset is the last offset of a source partition in a batch.
type partitionOffset struct {
	partition uint32 // id on the stream
	offset    sourceOffset
}

// ticket names a batch in the ledger.
type ticket uint64

// ledger is the account of a source task: which batches were taken over, which
// of them Kafka has, and up to where everything before is safe. It is a value
// for one goroutine.
//
// A batch is acknowledged as a whole, in any order. Committable is the longest
// prefix of acknowledged batches: its last sequence number and the last offset of
// each source partition in it. I-1, I-6: nothing behind a hole is committable.
type ledger struct {
	entries []ledgerEntry // from the first batch that is not part of the prefix
	base    ticket        // ticket of entries[0]
	// inFlight counts batches whose fate is open.
	inFlight int
	// through is the last sequence number of the prefix.
	through uint64
	// pending are the offsets of the prefix that nobody has taken to store.
	pending map[uint32]sourceOffset
	// storing are those that were taken, with the prefix that they belong to.
	storing        map[uint32]sourceOffset
	storingThrough uint64
	// stored is the prefix whose offsets are durable.
	stored uint64
}

type ledgerEntry struct {
	through uint64
	offsets []partitionOffset
	acked   bool
}

// submit books a batch that ends with sequence number through.
func (l *ledger) submit(through uint64, offsets []partitionOffset) ticket {
	l.entries = append(l.entries, ledgerEntry{through: through, offsets: offsets})
	l.inFlight++
	return l.base + ticket(len(l.entries)-1)
}

// ack books that Kafka has all records of a batch (or that they were skipped as
// configured). It reports whether the prefix grew.
func (l *ledger) ack(t ticket) bool {
	l.entries[t-l.base].acked = true
	l.inFlight--
	n := 0
	for n < len(l.entries) && l.entries[n].acked {
		e := &l.entries[n]
		l.through = e.through
		if l.pending == nil && len(e.offsets) > 0 {
			l.pending = make(map[uint32]sourceOffset)
		}
		for _, o := range e.offsets {
			l.pending[o.partition] = o.offset
		}
		n++
	}
	if n == 0 {
		return false
	}
	l.base += ticket(n)
	l.entries = append(l.entries[:0], l.entries[n:]...)
	return true
}

// lose books that a batch will never be acknowledged: the prefix ends before it.
func (l *ledger) lose() { l.inFlight-- }

// waiting is the number of batches that the prefix does not cover.
func (l *ledger) waiting() int { return len(l.entries) }

// unstored reports whether the prefix is ahead of what is durable.
func (l *ledger) unstored() bool { return l.through > l.stored }

// take hands out what is to be stored now; one at a time.
func (l *ledger) take() (offsets map[uint32]sourceOffset, through uint64) {
	l.storing, l.storingThrough = l.pending, l.through
	l.pending = nil
	return l.storing, l.storingThrough
}

// done books the end of storing what take gave. After a failure the offsets
// count as pending again, under newer ones of the same partition.
func (l *ledger) done(ok bool) {
	if ok {
		l.stored = l.storingThrough
	} else {
		for partition, offset := range l.storing {
			if l.pending == nil {
				l.pending = make(map[uint32]sourceOffset)
			}
			if _, newer := l.pending[partition]; !newer {
				l.pending[partition] = offset
			}
		}
	}
	l.storing = nil
}

// credit decides when bytes are granted to the task again. It is a value for one
// goroutine. I-4: granted and not given back never exceeds limit, beyond the
// one batch that may pass it.
type credit struct {
	limit int64
	held  int64 // cost of batches that are not finished
	owed  int64 // finished, not granted again yet
}

// maxWaitingBatches bounds the ledger behind a batch that Kafka does not
// acknowledge while later ones go through: credit stays back then (I-4).
const maxWaitingBatches = 1024

func (c *credit) take(cost int64) { c.held += cost }

func (c *credit) release(cost int64) { c.held -= cost; c.owed += cost }

// grant is what to grant now, 0 for nothing yet. Small amounts are kept until
// they are worth a frame or nothing else is under way.
func (c *credit) grant(waitingBatches int) int64 {
	if c.owed == 0 || waitingBatches >= maxWaitingBatches {
		return 0
	}
	if c.owed < c.limit/8 && c.held > 0 {
		return 0
	}
	n := c.owed
	c.owed = 0
	return n
}
