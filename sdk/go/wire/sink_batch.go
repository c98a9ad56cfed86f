package wire

import (
	"errors"
	"fmt"

	pluginv1 "github.com/tailrace/tailrace/gen/tailrace/plugin/v1"
)

// SinkBatchBuilder writes the records of one Kafka partition into a batch. The
// order of calls for each record is Begin, then key, value and headers
// appended to Block, each closed by its End method. One goroutine; reused
// after Reset.
type SinkBatchBuilder struct {
	block

	partition   uint32
	tsType      pluginv1.TimestampType
	count       int
	firstOffset int64
	gap         bool
	deltas      []uint64
	timestamp   column[int64]
	keySchema   column[uint32]
	valSchema   column[uint32]
	keyLen      column[uint32]
	valLen      column[uint32]
	headerLen   column[uint32]
	topics      []string
	topic       column[uint32]
}

// Start begins a batch for a partition id.
func (b *SinkBatchBuilder) Start(partition uint32, ts pluginv1.TimestampType) {
	b.partition, b.tsType = partition, ts
}

// Begin starts the record with this Kafka offset (greater than the last one's).
func (b *SinkBatchBuilder) Begin(offset, timestampMillis int64) {
	b.mark = len(b.Block)
	if b.count == 0 {
		b.firstOffset = offset
	}
	delta := uint64(offset - b.firstOffset)
	if !b.gap && delta != uint64(b.count) {
		b.gap = true
		for i := range b.count {
			b.deltas = append(b.deltas, uint64(i))
		}
	}
	if b.gap {
		b.deltas = append(b.deltas, delta)
	}
	b.timestamp.push(timestampMillis)
}

// SetTopic gives the record under construction a topic other than the
// partition's. Call it for every record of the batch or for none.
func (b *SinkBatchBuilder) SetTopic(topic string) {
	for i, t := range b.topics {
		if t == topic {
			b.topic.push(uint32(i))
			return
		}
	}
	b.topics = append(b.topics, topic)
	b.topic.push(uint32(len(b.topics) - 1))
}

// EndKey closes the key, under a schema id.
func (b *SinkBatchBuilder) EndKey(schema uint32) {
	b.keyLen.push(b.part())
	b.keySchema.push(schema)
}

// EndValue closes the value, under a schema id.
func (b *SinkBatchBuilder) EndValue(schema uint32) {
	b.valLen.push(b.part())
	b.valSchema.push(schema)
}

// EndHeaders closes the headers and the record.
func (b *SinkBatchBuilder) EndHeaders() {
	b.headerLen.push(b.part())
	b.count++
}

// Len is the number of finished records, Cost what they take from the credit.
func (b *SinkBatchBuilder) Len() int { return b.count }

// Cost is what the batch takes from the credit.
func (b *SinkBatchBuilder) Cost() int64 { return BatchCost(len(b.Block), b.count) }

// Message closes the batch; the message is valid until Reset.
func (b *SinkBatchBuilder) Message() (*pluginv1.SinkBatch, error) {
	if len(b.Block) > MaxFrameBytes {
		return nil, fmt.Errorf("batch of %d records from offset %d takes %d bytes, the limit of a frame is %d", b.count, b.firstOffset, len(b.Block), MaxFrameBytes)
	}
	m := &pluginv1.SinkBatch{
		Partition: b.partition, Count: uint32(b.count), Block: b.Block,
		FirstOffset: b.firstOffset, OffsetDelta: b.deltas,
		TimestampMs: b.timestamp.wire(NoTimestamp), TimestampType: b.tsType,
		KeySchema: b.keySchema.wire(0), ValueSchema: b.valSchema.wire(0),
		KeyLength: b.keyLen.wire(0), ValueLength: b.valLen.wire(0), HeaderLength: b.headerLen.wire(0),
		Topics: b.topics, Topic: b.topic.wire(0),
	}
	return m, nil
}

// Reset empties the builder and keeps its memory.
func (b *SinkBatchBuilder) Reset() {
	b.Block, b.count, b.mark, b.gap, b.deltas, b.topics = b.Block[:0], 0, 0, false, b.deltas[:0], b.topics[:0]
	b.timestamp.reset()
	for _, c := range []*column[uint32]{&b.keySchema, &b.valSchema, &b.keyLen, &b.valLen, &b.headerLen, &b.topic} {
		c.reset()
	}
}

// SinkRecord is one record of a received batch. Its slices alias the batch.
type SinkRecord struct {
	Offset                 int64
	TimestampMillis        int64
	KeySchema, ValueSchema uint32
	Key, Value, Headers    []byte
	// Topic is empty when it is the partition's own.
	Topic string
}

// SinkBatch is a received and checked batch.
type SinkBatch struct {
	msg     *pluginv1.SinkBatch
	schemas *SchemaTable
}

// ReadSinkBatch checks a batch against the dictionary of its stream.
func ReadSinkBatch(m *pluginv1.SinkBatch, schemas *SchemaTable) (*SinkBatch, error) {
	if err := checkSinkBatch(m, schemas); err != nil {
		return nil, fmt.Errorf("batch of partition id %d from offset %d: %w", m.GetPartition(), m.GetFirstOffset(), err)
	}
	return &SinkBatch{msg: m, schemas: schemas}, nil
}

func checkSinkBatch(m *pluginv1.SinkBatch, schemas *SchemaTable) error {
	count := int(m.Count)
	if count == 0 {
		return errors.New("it has no records")
	}
	if count > MaxFrameBytes || len(m.Block) > MaxFrameBytes {
		return fmt.Errorf("it has %d records and %d bytes, the limit of a frame is %d bytes", count, len(m.Block), MaxFrameBytes)
	}
	if len(m.OffsetDelta) != 0 && len(m.OffsetDelta) != count {
		return fmt.Errorf("column offset_delta has %d elements for %d records: want none or all", len(m.OffsetDelta), count)
	}
	if len(m.Topic) > 0 && len(m.Topics) == 0 {
		return errors.New("it has topic indexes and no topics")
	}
	for _, err := range []error{
		checkColumn("timestamp_ms", m.TimestampMs, count),
		checkColumn("key_schema", m.KeySchema, count), checkIDs("key_schema", m.KeySchema, schemas.limit()),
		checkColumn("value_schema", m.ValueSchema, count), checkIDs("value_schema", m.ValueSchema, schemas.limit()),
		checkColumn("key_length", m.KeyLength, count),
		checkColumn("value_length", m.ValueLength, count),
		checkColumn("header_length", m.HeaderLength, count),
		checkColumn("topic", m.Topic, count), checkIDs("topic", m.Topic, max(len(m.Topics), 1)),
	} {
		if err != nil {
			return err
		}
	}
	if sum := sumColumn(m.KeyLength, count) + sumColumn(m.ValueLength, count) + sumColumn(m.HeaderLength, count); sum != int64(len(m.Block)) {
		return fmt.Errorf("its lengths add up to %d bytes, the block has %d", sum, len(m.Block))
	}
	if len(m.HeaderLength) > 0 {
		var r SinkRecord
		for c := (SinkCursor{m: m}); c.Next(&r); {
			if err := checkHeaders(r.Headers, schemas); err != nil {
				return fmt.Errorf("offset %d: %w", r.Offset, err)
			}
		}
	}
	return nil
}

// Len is the number of records.
func (b *SinkBatch) Len() int { return int(b.msg.Count) }

// Partition is the id that Assign gave.
func (b *SinkBatch) Partition() uint32 { return b.msg.Partition }

// TimestampType tells whose clock the timestamps are of.
func (b *SinkBatch) TimestampType() pluginv1.TimestampType { return b.msg.TimestampType }

// Schemas is the dictionary that the records' schema ids refer to.
func (b *SinkBatch) Schemas() *SchemaTable { return b.schemas }

// LastOffset is the Kafka offset of the last record.
func (b *SinkBatch) LastOffset() int64 {
	if n := len(b.msg.OffsetDelta); n > 0 {
		return b.msg.FirstOffset + int64(b.msg.OffsetDelta[n-1])
	}
	return b.msg.FirstOffset + int64(b.msg.Count) - 1
}

// Cursor walks the records.
func (b *SinkBatch) Cursor() SinkCursor { return SinkCursor{m: b.msg} }

// SinkCursor walks the records of a checked batch.
type SinkCursor struct {
	m   *pluginv1.SinkBatch
	i   int
	pos int
}

// Next fills r with the next record; false at the end.
func (c *SinkCursor) Next(r *SinkRecord) bool {
	m, i := c.m, c.i
	if i >= int(m.Count) {
		return false
	}
	if len(m.OffsetDelta) == 0 {
		r.Offset = m.FirstOffset + int64(i)
	} else {
		r.Offset = m.FirstOffset + int64(m.OffsetDelta[i])
	}
	r.TimestampMillis = at(m.TimestampMs, i, NoTimestamp)
	r.KeySchema, r.ValueSchema = at(m.KeySchema, i, 0), at(m.ValueSchema, i, 0)
	r.Key = c.take(at(m.KeyLength, i, 0))
	r.Value = c.take(at(m.ValueLength, i, 0))
	r.Headers = c.take(at(m.HeaderLength, i, 0))
	r.Topic = ""
	if len(m.Topics) > 0 {
		r.Topic = m.Topics[at(m.Topic, i, 0)]
	}
	c.i++
	return true
}

func (c *SinkCursor) take(n uint32) []byte {
	from := c.pos
	c.pos += int(n)
	return c.m.Block[from:c.pos:c.pos]
}
