package connect

import (
	"math"

	pluginv1 "github.com/tailrace/tailrace/gen/tailrace/plugin/v1"
	"github.com/tailrace/tailrace/sdk/go/wire"
)

// sendLedger is the credit and the numbering of one source stream: what source.proto
// says, as values. It belongs to the writer of the stream.
type sendLedger struct {
	credit  int64  // bytes that may still be sent; at or below zero nothing may
	lastSeq uint64 // number of the record sent last
}

// grant adds credit; it stays at the greatest number rather than wrap.
func (l *sendLedger) grant(n uint64) {
	if n > math.MaxInt64/2 {
		n = math.MaxInt64 / 2
	}
	if l.credit > math.MaxInt64/2 {
		return
	}
	l.credit += int64(n)
}

// open says that one batch may be sent, whatever it costs: a record larger than the
// credit gets through (I-4: one batch beyond the credit, never two).
func (l *sendLedger) open() bool { return l.credit > 0 }

// take pays for a batch and numbers its records; it gives the first number.
func (l *sendLedger) take(cost int64, count int) uint64 {
	l.credit -= cost
	first := l.lastSeq + 1
	l.lastSeq += uint64(count)
	return first
}

// batchMessages closes a builder into the messages to send: one, or two when the last
// record took the block beyond the limit of a frame and has to go alone.
func batchMessages(b *wire.SourceBatchBuilder) ([]*pluginv1.SourceBatch, error) {
	block := b.Block
	if len(block) <= wire.MaxFrameBytes || b.Len() < 2 {
		m, err := b.Message(1)
		if err != nil {
			return nil, err
		}
		return []*pluginv1.SourceBatch{m}, nil
	}
	b.Block = block[:0] // the limit is checked for the parts below
	m, err := b.Message(1)
	b.Block = block
	if err != nil {
		return nil, err
	}
	n := int(m.Count) - 1
	last := 0
	for _, col := range [][]uint32{m.KeyLength, m.ValueLength, m.HeaderLength, m.OffsetLength} {
		last += int(columnAt(col, n, 0))
	}
	head, tail := splitColumns(m, n)
	head.Block, tail.Block = block[:len(block)-last], block[len(block)-last:]
	return []*pluginv1.SourceBatch{head, tail}, nil
}

// splitColumns splits a batch without its block behind n records.
func splitColumns(m *pluginv1.SourceBatch, n int) (head, tail *pluginv1.SourceBatch) {
	head = &pluginv1.SourceBatch{Count: uint32(n), Topics: m.Topics}
	tail = &pluginv1.SourceBatch{Count: m.Count - uint32(n), Topics: m.Topics}
	head.Topic, tail.Topic = splitColumn(m.Topic, n)
	head.KafkaPartition, tail.KafkaPartition = splitColumn(m.KafkaPartition, n)
	head.TimestampMs, tail.TimestampMs = splitColumn(m.TimestampMs, n)
	head.KeySchema, tail.KeySchema = splitColumn(m.KeySchema, n)
	head.ValueSchema, tail.ValueSchema = splitColumn(m.ValueSchema, n)
	head.KeyLength, tail.KeyLength = splitColumn(m.KeyLength, n)
	head.ValueLength, tail.ValueLength = splitColumn(m.ValueLength, n)
	head.HeaderLength, tail.HeaderLength = splitColumn(m.HeaderLength, n)
	head.OffsetLength, tail.OffsetLength = splitColumn(m.OffsetLength, n)
	head.SourcePartition, tail.SourcePartition = splitColumn(m.SourcePartition, n)
	head.OffsetSchema, tail.OffsetSchema = splitColumn(m.OffsetSchema, n)
	return head, tail
}

func splitColumn[T any](col []T, n int) (head, tail []T) {
	if len(col) < 2 {
		return col, col // the same for every record, or the default
	}
	return col[:n], col[n:]
}

func columnAt(col []uint32, i int, def uint32) uint32 {
	switch len(col) {
	case 0:
		return def
	case 1:
		return col[0]
	}
	return col[i]
}
