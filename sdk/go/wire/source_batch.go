package wire

import (
	"errors"
	"fmt"
	"time"

	pluginv1 "github.com/tailrace/tailrace/gen/tailrace/plugin/v1"
)

// NoPartition and NoTimestamp are the defaults of their columns.
const (
	NoPartition = int32(-1)
	NoTimestamp = int64(-1)
)

// RecordHead is what a source record has beside its bytes.
type RecordHead struct {
	// Topic is an index that TopicIndex gave.
	Topic uint32
	// KafkaPartition, or NoPartition.
	KafkaPartition int32
	// TimestampMillis, or NoTimestamp.
	TimestampMillis int64
	// SourcePartition is the id of a PartitionDef, 0 for none.
	SourcePartition uint32
}

// SourceBatchBuilder writes source records into one batch. The order of calls
// for each record is Begin, then the bytes of key, value, headers and offset
// appended to Block (each part closed by its End method, parts without bytes
// included):
//
//	b.Begin(head)
//	b.EndKey(0)
//	b.Block = data.AppendBytes(b.Block, line)
//	b.EndValue(id)
//	b.EndHeaders()
//	b.Block = data.AppendLong(b.Block, position)
//	b.EndOffset(offsetID)
//
// A builder is used by one goroutine and reused after Reset; the message that
// Message returns is valid until then.
type SourceBatchBuilder struct {
	block

	count      int
	topics     []string
	topic      column[uint32]
	partition  column[int32]
	timestamp  column[int64]
	keySchema  column[uint32]
	valSchema  column[uint32]
	keyLen     column[uint32]
	valLen     column[uint32]
	headerLen  column[uint32]
	offsetLen  column[uint32]
	source     column[uint32]
	offsetSch  column[uint32]
	msg        pluginv1.SourceBatch
	offsetOver bool
}

// TopicIndex returns the index of a topic in this batch.
func (b *SourceBatchBuilder) TopicIndex(topic string) uint32 {
	for i, t := range b.topics {
		if t == topic {
			return uint32(i)
		}
	}
	b.topics = append(b.topics, topic)
	return uint32(len(b.topics) - 1)
}

// Begin starts a record.
func (b *SourceBatchBuilder) Begin(h RecordHead) {
	b.mark = len(b.Block)
	b.topic.push(h.Topic)
	b.partition.push(h.KafkaPartition)
	b.timestamp.push(h.TimestampMillis)
	b.source.push(h.SourcePartition)
}

// EndKey closes the key, under a schema id.
func (b *SourceBatchBuilder) EndKey(schema uint32) {
	b.keyLen.push(b.part())
	b.keySchema.push(schema)
}

// EndValue closes the value, under a schema id.
func (b *SourceBatchBuilder) EndValue(schema uint32) {
	b.valLen.push(b.part())
	b.valSchema.push(schema)
}

// EndHeaders closes the headers.
func (b *SourceBatchBuilder) EndHeaders() { b.headerLen.push(b.part()) }

// EndOffset closes the offset and the record.
func (b *SourceBatchBuilder) EndOffset(schema uint32) {
	n := b.part()
	b.offsetOver = b.offsetOver || n > MaxOffsetBytes
	b.offsetLen.push(n)
	b.offsetSch.push(schema)
	b.count++
}

// Undo drops the record under construction, whose bytes begin at start.
func (b *SourceBatchBuilder) Undo(start int) {
	b.Block, b.mark = b.Block[:start], start
	b.topic.cut(b.count)
	b.partition.cut(b.count)
	b.timestamp.cut(b.count)
	for _, c := range b.numbers() {
		c.cut(b.count)
	}
}

func (b *SourceBatchBuilder) numbers() [8]*column[uint32] {
	return [...]*column[uint32]{&b.keySchema, &b.valSchema, &b.keyLen, &b.valLen, &b.headerLen, &b.offsetLen, &b.source, &b.offsetSch}
}

// Len is the number of finished records.
func (b *SourceBatchBuilder) Len() int { return b.count }

// Cost is what the batch takes from the credit.
func (b *SourceBatchBuilder) Cost() int64 { return BatchCost(len(b.Block), b.count) }

// Message closes the batch. It fails when the batch passes the limits.
func (b *SourceBatchBuilder) Message(firstSeq uint64) (*pluginv1.SourceBatch, error) {
	if len(b.Block) > MaxFrameBytes {
		return nil, fmt.Errorf("batch of %d records takes %d bytes, the limit of a frame is %d; a single record this large cannot be sent", b.count, len(b.Block), MaxFrameBytes)
	}
	if b.offsetOver {
		return nil, fmt.Errorf("a source offset takes more than %d bytes", MaxOffsetBytes)
	}
	m := &b.msg
	m.FirstSeq, m.Count, m.Block, m.Topics = firstSeq, uint32(b.count), b.Block, b.topics
	m.Topic = b.topic.wire(0)
	m.KafkaPartition = b.partition.wire(NoPartition)
	m.TimestampMs = b.timestamp.wire(NoTimestamp)
	m.KeySchema, m.ValueSchema = b.keySchema.wire(0), b.valSchema.wire(0)
	m.KeyLength, m.ValueLength = b.keyLen.wire(0), b.valLen.wire(0)
	m.HeaderLength, m.OffsetLength = b.headerLen.wire(0), b.offsetLen.wire(0)
	m.SourcePartition, m.OffsetSchema = b.source.wire(0), b.offsetSch.wire(0)
	return m, nil
}

// Reset empties the builder and keeps its memory.
func (b *SourceBatchBuilder) Reset() {
	b.Block, b.topics, b.count, b.mark, b.offsetOver = b.Block[:0], b.topics[:0], 0, 0, false
	b.topic.reset()
	b.partition.reset()
	b.timestamp.reset()
	for _, c := range b.numbers() {
		c.reset()
	}
}

// SourceRecord is one record of a received batch. Its slices alias the batch.
type SourceRecord struct {
	RecordHead
	KeySchema, ValueSchema, OffsetSchema uint32
	Key, Value, Headers, Offset          []byte
}

// SourceBatch is a received and checked batch.
type SourceBatch struct {
	msg     *pluginv1.SourceBatch
	schemas *SchemaTable
}

// Poll tells when the poll that made the batch began, by the plugin's clock, and how long it took until the batch was
// full; a zero time when the plugin does not tell.
func (b *SourceBatch) Poll() (began time.Time, took time.Duration) {
	return ReadCallTime(b.msg.GetPoll())
}

// ReadSourceBatch checks a batch against the dictionaries of its stream.
// partitions is the number of source partitions defined so far.
func ReadSourceBatch(m *pluginv1.SourceBatch, schemas *SchemaTable, partitions int) (*SourceBatch, error) {
	if err := checkSourceBatch(m, schemas, partitions); err != nil {
		return nil, fmt.Errorf("batch from record %d: %w", m.GetFirstSeq(), err)
	}
	return &SourceBatch{msg: m, schemas: schemas}, nil
}

func checkSourceBatch(m *pluginv1.SourceBatch, schemas *SchemaTable, partitions int) error {
	count := int(m.Count)
	if count == 0 {
		return errors.New("it has no records")
	}
	if m.FirstSeq == 0 {
		return errors.New("records are numbered from 1")
	}
	// A record without a byte costs 64 of credit, so count is bounded by it;
	// this bound only keeps the sums below within an int64.
	if count > MaxFrameBytes || len(m.Block) > MaxFrameBytes {
		return fmt.Errorf("it has %d records and %d bytes, the limit of a frame is %d bytes", count, len(m.Block), MaxFrameBytes)
	}
	if len(m.Topics) == 0 {
		return errors.New("it names no topic")
	}
	for _, err := range []error{
		checkColumn("topic", m.Topic, count), checkIDs("topic", m.Topic, len(m.Topics)),
		checkColumn("kafka_partition", m.KafkaPartition, count),
		checkColumn("timestamp_ms", m.TimestampMs, count),
		checkColumn("key_schema", m.KeySchema, count), checkIDs("key_schema", m.KeySchema, schemas.limit()),
		checkColumn("value_schema", m.ValueSchema, count), checkIDs("value_schema", m.ValueSchema, schemas.limit()),
		checkColumn("key_length", m.KeyLength, count),
		checkColumn("value_length", m.ValueLength, count),
		checkColumn("header_length", m.HeaderLength, count),
		checkColumn("offset_length", m.OffsetLength, count),
		checkColumn("source_partition", m.SourcePartition, count), checkIDs("source_partition", m.SourcePartition, partitions+1),
		checkColumn("offset_schema", m.OffsetSchema, count), checkIDs("offset_schema", m.OffsetSchema, schemas.limit()),
	} {
		if err != nil {
			return err
		}
	}
	sum := sumColumn(m.KeyLength, count) + sumColumn(m.ValueLength, count) + sumColumn(m.HeaderLength, count) + sumColumn(m.OffsetLength, count)
	if sum != int64(len(m.Block)) {
		return fmt.Errorf("its lengths add up to %d bytes, the block has %d", sum, len(m.Block))
	}
	if len(m.HeaderLength) > 0 {
		var r SourceRecord
		for c := (SourceCursor{m: m}); c.Next(&r); {
			if err := checkHeaders(r.Headers, schemas); err != nil {
				return fmt.Errorf("record %d: %w", c.Seq(), err)
			}
		}
	}
	return nil
}

// Len is the number of records.
func (b *SourceBatch) Len() int { return int(b.msg.Count) }

// FirstSeq is the sequence number of the first record, LastSeq of the last.
func (b *SourceBatch) FirstSeq() uint64 { return b.msg.FirstSeq }

// LastSeq is the sequence number of the last record.
func (b *SourceBatch) LastSeq() uint64 { return b.msg.FirstSeq + uint64(b.msg.Count) - 1 }

// Cost is what the batch took from the credit.
func (b *SourceBatch) Cost() int64 { return BatchCost(len(b.msg.Block), int(b.msg.Count)) }

// Topics are the topics that records name by index.
func (b *SourceBatch) Topics() []string { return b.msg.Topics }

// Schemas is the dictionary that the records' schema ids refer to.
func (b *SourceBatch) Schemas() *SchemaTable { return b.schemas }

// ConstantValueSchema tells whether every value has the same schema, and its
// id: then a converter can be chosen once for the batch.
func (b *SourceBatch) ConstantValueSchema() (uint32, bool) {
	return at(b.msg.ValueSchema, 0, 0), len(b.msg.ValueSchema) < 2
}

// Cursor walks the records.
func (b *SourceBatch) Cursor() SourceCursor { return SourceCursor{m: b.msg} }

// SourceCursor walks the records of a checked batch.
type SourceCursor struct {
	m   *pluginv1.SourceBatch
	i   int
	pos int
}

// Next fills r with the next record; false at the end.
func (c *SourceCursor) Next(r *SourceRecord) bool {
	m, i := c.m, c.i
	if i >= int(m.Count) {
		return false
	}
	r.Topic = at(m.Topic, i, 0)
	r.KafkaPartition = at(m.KafkaPartition, i, NoPartition)
	r.TimestampMillis = at(m.TimestampMs, i, NoTimestamp)
	r.SourcePartition = at(m.SourcePartition, i, 0)
	r.KeySchema, r.ValueSchema, r.OffsetSchema = at(m.KeySchema, i, 0), at(m.ValueSchema, i, 0), at(m.OffsetSchema, i, 0)
	r.Key = c.take(at(m.KeyLength, i, 0))
	r.Value = c.take(at(m.ValueLength, i, 0))
	r.Headers = c.take(at(m.HeaderLength, i, 0))
	r.Offset = c.take(at(m.OffsetLength, i, 0))
	c.i++
	return true
}

func (c *SourceCursor) take(n uint32) []byte {
	from := c.pos
	c.pos += int(n)
	return c.m.Block[from:c.pos:c.pos]
}

// Seq is the sequence number of the record that Next gave last.
func (c *SourceCursor) Seq() uint64 { return c.m.FirstSeq + uint64(c.i) - 1 }
