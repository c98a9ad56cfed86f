package connect

import (
	"errors"
	"fmt"
	"time"

	pluginv1 "github.com/tailrace/tailrace/gen/tailrace/plugin/v1"
	"github.com/tailrace/tailrace/sdk/go/data"
	"github.com/tailrace/tailrace/sdk/go/wire"
)

// Batch takes the records of a Poll. It belongs to Poll: use it in the goroutine that Poll
// was called in, and not after Poll returned.
//
// There are two ways to add a record. [Batch.Append] takes Go values.
// [Batch.Record] writes the parts straight into the bytes that leave for the
// worker, without allocating; use it where millions of records pass:
//
//	rec := out.Record("lines", partition)
//	rec.ValueString(line)
//	rec.Offset(offsetSchema).Int64(position)
type Batch struct {
	sink    batchSink
	defines bool // transactions end where the task says
	schemas wire.SchemaWriter

	builder *wire.SourceBatchBuilder
	rec     Record
	stage   stage
	head    wire.RecordHead
	fields  FieldWriter
	open    bool   // fields writes the part of this stage
	openID  uint32 // its schema
	begun   int    // where the record starts in the block
	seq     uint64 // of the record last begun
	err     error

	// The last topic, schemas and their ids: a task nearly always uses the same.
	topic                                      string
	topicIndex                                 uint32
	topicSet                                   bool
	keySchema, valueSchema, offsetSchema       *data.Schema
	keySchemaID, valueSchemaID, offsetSchemaID uint32

	offsetIsLong bool // a struct of one INT64

	scratch   []byte
	appended  int
	pollAfter time.Duration
	endTx     []*pluginv1.Transaction

	timed bool // the worker wants to know how long polls take
	began time.Time
}

// batchSink is where finished batches go and empty builders come from.
type batchSink interface {
	// deliver takes a finished batch; it blocks while the worker is slower.
	deliver(*unit) error
	// builder gives an empty builder; it blocks while all are on their way.
	newBuilder() (*wire.SourceBatchBuilder, error)
}

// unit is what leaves together: definitions, then the batch that needs them, then the end of
// its transaction.
type unit struct {
	schemas []*pluginv1.SchemaDef
	builder *wire.SourceBatchBuilder // nil: no batch
	endTx   []*pluginv1.Transaction
	poll    *pluginv1.CallTime // nil unless the worker records traces
}

// stage is the part of the record under construction that comes next.
type stage uint8

const (
	stageNone    stage = iota
	stageHead          // head may still change, no byte written
	stageKey           // begun; the key may be written
	stageValue         // the value may be written
	stageHeaders       // headers may be written
	stageOffset        // the offset may be written
	stageDone          // complete
)

// Record begins a record for a topic, read from a source partition (nil for none: the
// record then moves no offset). The record ends when the next one begins or Poll
// returns. Set its parts in this order, each at most once: Timestamp and KafkaPartition,
// key, value, headers, offset. Parts left out are null or absent.
func (b *Batch) Record(topic string, p *Partition) *Record {
	if b.stage != stageNone {
		b.finish()
	}
	if b.builder == nil || b.builder.Full() {
		b.next()
	}
	b.seq++
	b.appended++
	if !b.topicSet || topic != b.topic {
		b.topic, b.topicIndex, b.topicSet = topic, b.builder.TopicIndex(topic), true
		if topic == "" {
			b.fail(errors.New("the topic is empty"))
		}
	}
	b.head = wire.RecordHead{Topic: b.topicIndex, KafkaPartition: wire.NoPartition, TimestampMillis: wire.NoTimestamp}
	if p != nil {
		b.head.SourcePartition = p.id
	}
	b.stage = stageHead
	return &b.rec
}

// Len is the number of records appended in this Poll.
func (b *Batch) Len() int { return b.appended }

// Full says that the batch has reached its size and Poll should return.
func (b *Batch) Full() bool { return b.builder != nil && b.builder.Full() }

// LastSeq is the sequence number of the record appended last, 0 before the first of the task.
func (b *Batch) LastSeq() uint64 { return b.seq }

// PollAgainAfter sets how long to wait before the next Poll when this one appends
// nothing. A drain or pause ends the wait.
func (b *Batch) PollAgainAfter(d time.Duration) { b.pollAfter = max(d, 0) }

// CommitTransaction ends the current transaction behind the record appended last.
// It does nothing unless [SourceContext.DefinesTransactions].
func (b *Batch) CommitTransaction() {
	b.endTransaction(pluginv1.TransactionAction_TRANSACTION_ACTION_COMMIT)
}

// AbortTransaction drops the records of the current transaction, which ends
// behind the record appended last; their offsets are stored all the same.
func (b *Batch) AbortTransaction() {
	b.endTransaction(pluginv1.TransactionAction_TRANSACTION_ACTION_ABORT)
}

func (b *Batch) endTransaction(action pluginv1.TransactionAction) {
	b.finish()
	if b.seq == 0 || !b.defines {
		return
	}
	b.endTx = append(b.endTx, &pluginv1.Transaction{Action: action, Seq: b.seq})
	b.flush() // a batch holds records of one transaction only
}

// Append adds a record of Go values. Values must be of the data package's model
// (int32 for an INT32 schema and so on); other common Go types are converted where
// nothing is lost. On an error the record is not added, and the batch can be used on.
func (b *Batch) Append(r SourceRecord) error {
	var err error
	s := b.scratch[:0]
	fail := func(part string, err error) error {
		b.scratch = s[:0]
		return fmt.Errorf("record for topic %q: %s: %w", r.Topic, part, err)
	}
	if r.Topic == "" {
		return errors.New("record: the topic is empty")
	}
	if !r.Timestamp.IsZero() && r.Timestamp.UnixMilli() < 0 {
		return fail("timestamp", fmt.Errorf("%s is before 1970, Kafka has no such time", r.Timestamp.Format(time.RFC3339)))
	}
	// Everything is encoded aside first, so that a bad record leaves no trace.
	if s, err = appendConverted(s, r.KeySchema, r.Key); err != nil {
		return fail("key", err)
	}
	keyEnd := len(s)
	if s, err = appendConverted(s, r.ValueSchema, r.Value); err != nil {
		return fail("value", err)
	}
	valueEnd := len(s)
	if s, err = b.appendHeaders(s, r.Headers); err != nil {
		return fail("headers", err)
	}
	headersEnd := len(s)
	if r.Offset != nil {
		if s, err = appendOffset(s, r.Offset); err != nil {
			return fail("offset", err)
		}
	}
	if n := len(s) - headersEnd; n > wire.MaxOffsetBytes {
		return fail("offset", fmt.Errorf("it takes %d bytes, the limit is %d", n, wire.MaxOffsetBytes))
	}
	if len(s) > wire.MaxFrameBytes {
		return fail("size", fmt.Errorf("it takes %d bytes, the limit of one record is %d", len(s), wire.MaxFrameBytes))
	}
	b.scratch = s
	rec := b.Record(r.Topic, r.Partition)
	if !r.Timestamp.IsZero() {
		rec.Timestamp(r.Timestamp.UnixMilli())
	}
	if r.SetKafkaPartition {
		rec.KafkaPartition(r.KafkaPartition)
	}
	rec.KeyWire(r.KeySchema, s[:keyEnd])
	rec.ValueWire(r.ValueSchema, s[keyEnd:valueEnd])
	if b.advance(stageHeaders) {
		b.builder.Block = append(b.builder.Block, s[valueEnd:headersEnd]...)
	}
	if b.advance(stageOffset) {
		b.builder.Block = append(b.builder.Block, s[headersEnd:]...)
		b.closePart(0)
	}
	return b.err
}

func appendConverted(dst []byte, s *data.Schema, v any) ([]byte, error) {
	if s == nil && v == nil {
		return dst, nil // no bytes are null, and cost nothing
	}
	v, err := data.Convert(s, v)
	if err != nil {
		return dst, err
	}
	return data.AppendValue(dst, s, v)
}

func (b *Batch) appendHeaders(dst []byte, headers []Header) ([]byte, error) {
	return appendHeaders(&b.schemas, dst, headers)
}

func appendHeaders(schemas *wire.SchemaWriter, dst []byte, headers []Header) ([]byte, error) {
	if len(headers) > wire.MaxHeaders {
		return dst, fmt.Errorf("%d headers, the limit is %d", len(headers), wire.MaxHeaders)
	}
	for _, h := range headers {
		id, err := schemas.ID(h.Schema)
		if err != nil {
			return dst, fmt.Errorf("header %q: %w", h.Name, err)
		}
		value, err := appendConverted(nil, h.Schema, h.Value)
		if err != nil {
			return dst, fmt.Errorf("header %q: %w", h.Name, err)
		}
		dst = wire.AppendHeader(dst, h.Name, id, value)
	}
	return dst, nil
}

// advance closes the parts before the wanted one and leaves it open. It reports whether the
// part may be written.
func (b *Batch) advance(want stage) bool {
	if b.open {
		b.closeOpen()
	}
	if b.stage > want || b.stage == stageNone {
		b.fail(errOrder)
		return false
	}
	switch b.stage {
	case stageHead:
		b.builder.Begin(b.head)
		b.begun = len(b.builder.Block)
		if b.stage = stageKey; want == stageKey {
			return true
		}
		fallthrough
	case stageKey:
		b.builder.EndKey(0)
		if b.stage = stageValue; want == stageValue {
			return true
		}
		fallthrough
	case stageValue:
		if want == stageValue {
			return true
		}
		b.builder.EndValue(0)
		if b.stage = stageHeaders; want == stageHeaders {
			return true
		}
		fallthrough
	case stageHeaders:
		if want == stageHeaders {
			return true
		}
		b.builder.EndHeaders()
		b.stage = stageOffset
	}
	return true
}

var errOrder = errors.New("a part was set twice or too late; the order is timestamp and Kafka partition, key, value, headers, offset, and a record is closed when the next one begins")

// closePart ends the open part under a schema id.
func (b *Batch) closePart(id uint32) {
	switch b.stage {
	case stageKey:
		b.builder.EndKey(id)
		b.stage = stageValue
	case stageValue:
		b.builder.EndValue(id)
		b.stage = stageHeaders
	case stageOffset:
		b.builder.EndOffset(id)
		b.stage = stageDone
	}
}

// openStruct starts a struct that the author writes field by field; it is closed by what
// comes next.
func (b *Batch) openStruct(s *data.Schema, id uint32) *FieldWriter {
	b.open, b.openID = true, id
	b.fields.start(b, s)
	return &b.fields
}

func (b *Batch) closeOpen() {
	b.open = false
	if b.fields.next != len(b.fields.fields) {
		b.fail(b.fields.unfinished())
	}
	b.closePart(b.openID)
}

// finish ends the record under construction.
func (b *Batch) finish() {
	if b.stage == stageNone {
		return
	}
	if b.stage != stageDone {
		b.close()
	}
	b.stage = stageNone
	if n := len(b.builder.Block) - b.begun; n > wire.MaxFrameBytes {
		b.fail(fmt.Errorf("it takes %d bytes, the limit of one record is %d", n, wire.MaxFrameBytes))
	}
}

// close ends the parts that the author left out.
func (b *Batch) close() {
	if b.open {
		b.closeOpen()
	}
	if b.stage != stageDone && b.advance(stageOffset) {
		b.closePart(0)
	}
}

// fail remembers the first mistake; Poll's result becomes an error with it.
func (b *Batch) fail(err error) {
	if b.err == nil {
		b.err = fmt.Errorf("record %d for topic %q: %w", b.seq, b.topic, err)
	}
}

// next makes sure that there is a builder with room.
func (b *Batch) next() {
	b.flush()
	if b.builder == nil {
		builder, err := b.sink.newBuilder()
		if err != nil {
			// The stream is gone: write into a builder that goes nowhere, so that the
			// author's loop runs on to its next look at ctx.
			b.fail(err)
			builder = &wire.SourceBatchBuilder{}
		}
		b.builder, b.topicSet = builder, false
	}
}

// flush delivers what is finished.
func (b *Batch) flush() {
	b.finish()
	if b.err != nil || (b.builder == nil || b.builder.Len() == 0) && len(b.endTx) == 0 {
		return
	}
	u := &unit{schemas: b.schemas.Pending(), endTx: b.endTx}
	b.endTx = nil
	if b.builder != nil && b.builder.Len() > 0 {
		u.builder, b.builder, b.topicSet = b.builder, nil, false
		if b.timed {
			u.poll = callTime(b.began)
		}
	}
	if err := b.sink.deliver(u); err != nil {
		b.fail(err)
	}
}

func newBatch(sink batchSink, definesTransactions bool) *Batch {
	b := &Batch{sink: sink, defines: definesTransactions}
	b.rec.b, b.fields.b = b, b
	return b
}

// begin prepares the batch for a Poll.
func (b *Batch) begin() {
	b.appended, b.pollAfter, b.err, b.stage = 0, -1, nil, stageNone
	if b.timed {
		b.began = time.Now()
	}
}
