package connect

import (
	"fmt"

	"github.com/tailrace/tailrace/sdk/go/data"
)

// Record writes the parts of one record straight into its batch. It is valid until the
// next record begins. A mistake (a wrong order, a value that does not fit its schema) makes
// the Poll fail with an error that names the record.
//
// Slices are copied; they may be reused when the method returns.
type Record struct {
	b *Batch
}

// Seq is the record's number, the one that [Committer.Commit] speaks of.
func (r *Record) Seq() uint64 { return r.b.seq }

// Timestamp sets the record's time in milliseconds since 1970; without it the worker
// takes its clock.
func (r *Record) Timestamp(millis int64) {
	if r.b.stage != stageHead {
		r.b.fail(errOrder)
		return
	}
	if millis < 0 {
		r.b.fail(fmt.Errorf("the timestamp %d is before 1970, Kafka has no such time", millis))
		return
	}
	r.b.head.TimestampMillis = millis
}

// KafkaPartition sends the record to this partition instead of letting the
// worker's partitioner choose.
func (r *Record) KafkaPartition(partition int32) {
	if r.b.stage != stageHead {
		r.b.fail(errOrder)
		return
	}
	if partition < 0 {
		r.b.fail(fmt.Errorf("the Kafka partition %d is negative", partition))
		return
	}
	r.b.head.KafkaPartition = partition
}

// KeyString writes a key under the schema STRING, KeyBytes under BYTES.
func (r *Record) KeyString(text []byte) {
	if b := r.b; b.advance(stageKey) {
		b.builder.Block = data.AppendBytes(b.builder.Block, text)
		b.closePart(b.keyID(data.StringSchema))
	}
}

// KeyBytes writes a key under the schema BYTES.
func (r *Record) KeyBytes(raw []byte) {
	if b := r.b; b.advance(stageKey) {
		b.builder.Block = data.AppendBytes(b.builder.Block, raw)
		b.closePart(b.keyID(data.BytesSchema))
	}
}

// Key writes a Go value of the data model under a schema (nil: schemaless).
func (r *Record) Key(s *data.Schema, v any) {
	if b := r.b; b.advance(stageKey) {
		b.value("key", s, v)
		b.closePart(b.keyID(s))
	}
}

// KeyWire writes a key that is in wire form already.
func (r *Record) KeyWire(s *data.Schema, wire []byte) {
	if b := r.b; b.advance(stageKey) {
		b.builder.Block = append(b.builder.Block, wire...)
		b.closePart(b.keyID(s))
	}
}

// KeyStruct starts a key of a STRUCT schema; write all its fields, in order.
func (r *Record) KeyStruct(s *data.Schema) *FieldWriter {
	if !r.b.advance(stageKey) {
		return r.b.fields.dead(r.b)
	}
	return r.b.openStruct(s, r.b.keyID(s))
}

// ValueString writes a value under the schema STRING. The text should be UTF-8.
func (r *Record) ValueString(text []byte) { r.b.valueText(data.StringSchema, text) }

// ValueBytes writes a value under the schema BYTES.
func (r *Record) ValueBytes(raw []byte) { r.b.valueText(data.BytesSchema, raw) }

// Value writes a Go value of the data model under a schema (nil: schemaless).
func (r *Record) Value(s *data.Schema, v any) {
	if b := r.b; b.advance(stageValue) {
		b.value("value", s, v)
		b.closePart(b.valueID(s))
	}
}

// ValueWire writes a value that is in wire form already.
func (r *Record) ValueWire(s *data.Schema, wire []byte) {
	if b := r.b; b.advance(stageValue) {
		b.builder.Block = append(b.builder.Block, wire...)
		b.closePart(b.valueID(s))
	}
}

// ValueAppend lets write append the value's wire form (package data has the functions: AppendLong, AppendBytes, AppendPresence …) to
// the batch itself, where nothing is copied any more. When write fails, the record is dropped as if it had never begun, and the
// error comes back; the batch can be used on, the Record not.
func (r *Record) ValueAppend(s *data.Schema, write func(dst []byte) ([]byte, error)) error {
	b := r.b
	w := b.builder
	if b.stage == stageHead {
		w.Begin(b.head)
		b.begun = len(w.Block)
		w.EndKey(0)
	} else if !b.advance(stageValue) {
		return b.err
	}
	block, err := write(w.Block)
	if err != nil {
		w.Undo(b.begun)
		b.seq--
		b.appended--
		b.stage = stageNone
		return err
	}
	w.Block = block
	w.EndValue(b.valueID(s))
	b.stage = stageHeaders
	return nil
}

// ValueStruct starts a value of a STRUCT schema; write all its fields, in order.
func (r *Record) ValueStruct(s *data.Schema) *FieldWriter {
	if !r.b.advance(stageValue) {
		return r.b.fields.dead(r.b)
	}
	return r.b.openStruct(s, r.b.valueID(s))
}

// Header adds a header; may be called many times.
func (r *Record) Header(name string, s *data.Schema, v any) {
	b := r.b
	if !b.advance(stageHeaders) {
		return
	}
	raw, err := b.appendHeaders(b.builder.Block, []Header{{Name: name, Schema: s, Value: v}})
	if err != nil {
		b.fail(err)
		return
	}
	b.builder.Block = raw
}

// Offset starts the source offset under a STRUCT schema whose field names are
// the keys of the offset map; write all its fields, in order. Build the schema once. An
// offset says where to go on: the position behind this record.
func (r *Record) Offset(s *data.Schema) *FieldWriter {
	if !r.b.advance(stageOffset) {
		return r.b.fields.dead(r.b)
	}
	return r.b.openStruct(s, r.b.offsetID(s))
}

// OffsetLong writes a source offset of one INT64 field: Offset(s).Int64(v) in one step.
func (r *Record) OffsetLong(s *data.Schema, v int64) {
	b := r.b
	if b.stage != stageHeaders || s != b.offsetSchema || !b.offsetIsLong {
		r.Offset(s).Int64(v)
		b.offsetIsLong = isOneLong(s)
		return
	}
	w := b.builder
	w.EndHeaders()
	w.Block = data.AppendLong(w.Block, v)
	w.EndOffset(b.offsetSchemaID)
	b.stage = stageDone
}

// isOneLong recognises the schema of an offset that OffsetLong need not look at again.
func isOneLong(s *data.Schema) bool {
	return s != nil && s.Type() == data.StructType && !s.Optional() && len(s.Fields()) == 1 &&
		s.Fields()[0].Schema.Type() == data.Int64 && !s.Fields()[0].Schema.Optional()
}

// OffsetMap writes the source offset as a map; it is slower than Offset.
func (r *Record) OffsetMap(o Offset) {
	b := r.b
	if !b.advance(stageOffset) {
		return
	}
	raw, err := appendOffset(b.builder.Block, o)
	if err != nil {
		b.fail(err)
	}
	b.builder.Block = raw
	b.closePart(0)
}

// valueText writes a value that is a text or bytes. The usual case, a record without a key,
// goes straight through.
func (b *Batch) valueText(s *data.Schema, text []byte) {
	w := b.builder
	if b.stage == stageHead {
		w.Begin(b.head)
		b.begun = len(w.Block)
		w.EndKey(0)
	} else if !b.advance(stageValue) {
		return
	}
	w.Block = data.AppendBytes(w.Block, text)
	w.EndValue(b.valueID(s))
	b.stage = stageHeaders
}

// value appends a Go value to the block.
func (b *Batch) value(part string, s *data.Schema, v any) {
	raw, err := appendConverted(b.builder.Block, s, v)
	if err != nil {
		b.fail(fmt.Errorf("%s: %w", part, err))
		return
	}
	b.builder.Block = raw
}

// The …ID methods look up a schema's id, the last one by its pointer.

func (b *Batch) keyID(s *data.Schema) uint32 {
	if s != b.keySchema {
		b.keySchema, b.keySchemaID = s, b.schemaID(s)
	}
	return b.keySchemaID
}

func (b *Batch) valueID(s *data.Schema) uint32 {
	if s != b.valueSchema {
		b.valueSchema, b.valueSchemaID = s, b.schemaID(s)
	}
	return b.valueSchemaID
}

func (b *Batch) offsetID(s *data.Schema) uint32 {
	if s != b.offsetSchema {
		b.offsetSchema, b.offsetSchemaID, b.offsetIsLong = s, b.schemaID(s), false
	}
	return b.offsetSchemaID
}

func (b *Batch) schemaID(s *data.Schema) uint32 {
	id, err := b.schemas.ID(s)
	if err != nil {
		b.fail(err)
	}
	return id
}
