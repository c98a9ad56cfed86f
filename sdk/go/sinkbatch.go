package connect

import (
	"fmt"
	"iter"
	"time"

	pluginv1 "github.com/tailrace/tailrace/gen/tailrace/plugin/v1"
	"github.com/tailrace/tailrace/sdk/go/data"
	"github.com/tailrace/tailrace/sdk/go/wire"
)

// SinkBatch is the records of one Put.
type SinkBatch struct {
	parts []sinkPart
	count int
	rec   SinkRecord
	done  uint64 // by Done
	from  uint64 // records up to here are left out: an earlier try has done them
}

// sinkPart is a run of records of one Kafka partition.
type sinkPart struct {
	batch    *wire.SinkBatch
	tp       TopicPartition
	firstSeq uint64
}

// Done says that rec and all records before it were taken. When Put then returns an error made with [Retriable], the next try gets the
// records behind rec only, and reports of those before it are kept. For tasks that hand records on while they walk.
func (b *SinkBatch) Done(rec *SinkRecord) { b.done = max(b.done, rec.seq) }

// again prepares the next try.
func (b *SinkBatch) again() {
	b.from, b.count = b.done, 0
	for i := range b.parts {
		p := &b.parts[i]
		last := p.firstSeq + uint64(p.batch.Len()) - 1
		b.count += int(last - min(max(b.from, p.firstSeq-1), last))
	}
}

// Len is the number of records.
func (b *SinkBatch) Len() int { return b.count }

// Records walks the records, in order. The record is reused: its fields are those
// of the next one after the next turn of the loop, while slices taken from it stay.
// A batch can be walked many times, by one goroutine at a time.
//
//	for rec := range records.Records() {
//		line, _ := rec.ValueBytes()
//		…
//	}
func (b *SinkBatch) Records() iter.Seq[*SinkRecord] {
	return func(yield func(*SinkRecord) bool) {
		for i := range b.parts {
			if !b.parts[i].walk(&b.rec, b.from, yield) {
				return
			}
		}
	}
}

// Partitions walks the runs of records of one Kafka partition each; a partition may come more than once.
func (b *SinkBatch) Partitions() iter.Seq2[TopicPartition, iter.Seq[*SinkRecord]] {
	return func(yield func(TopicPartition, iter.Seq[*SinkRecord]) bool) {
		for i := range b.parts {
			part := &b.parts[i]
			records := func(yield func(*SinkRecord) bool) { part.walk(&b.rec, b.from, yield) }
			if !yield(part.tp, records) {
				return
			}
		}
	}
}

func (p *sinkPart) walk(rec *SinkRecord, from uint64, yield func(*SinkRecord) bool) bool {
	rec.part, rec.seq = p, p.firstSeq-1
	for c := p.batch.Cursor(); c.Next(&rec.r); {
		if rec.seq++; rec.seq <= from {
			continue
		}
		if !yield(rec) {
			return false
		}
	}
	return true
}

// SinkRecord is a record from Kafka.
type SinkRecord struct {
	r    wire.SinkRecord
	part *sinkPart
	seq  uint64
}

// Topic is the topic that transforms gave to the record, usually that of Origin.
func (r *SinkRecord) Topic() string {
	if r.r.Topic != "" {
		return r.r.Topic
	}
	return r.part.tp.Topic
}

// Origin is the topic and partition that the record was read from; offsets belong to it.
func (r *SinkRecord) Origin() TopicPartition { return r.part.tp }

// KafkaPartition is the number of the partition that the record was read from.
func (r *SinkRecord) KafkaPartition() int32 { return r.part.tp.Partition }

// Offset is the record's Kafka offset.
func (r *SinkRecord) Offset() int64 { return r.r.Offset }

// Seq numbers the records of a task from 1; see [RecordError].
func (r *SinkRecord) Seq() uint64 { return r.seq }

// TimestampMillis is the record's time in milliseconds since 1970, -1 when it has none.
func (r *SinkRecord) TimestampMillis() int64 { return r.r.TimestampMillis }

// Timestamp is the record's time; zero when it has none.
func (r *SinkRecord) Timestamp() time.Time {
	if r.r.TimestampMillis == wire.NoTimestamp {
		return time.Time{}
	}
	return time.UnixMilli(r.r.TimestampMillis).UTC()
}

// LogAppendTime tells that the timestamp is the broker's, not the producer's.
func (r *SinkRecord) LogAppendTime() bool {
	return r.part.batch.TimestampType() == pluginv1.TimestampType_TIMESTAMP_TYPE_LOG_APPEND_TIME
}

// KeySchema is the schema of the key, nil when schemaless.
func (r *SinkRecord) KeySchema() *data.Schema { return r.part.batch.Schemas().Get(r.r.KeySchema) }

// ValueSchema is the schema of the value, nil when schemaless.
func (r *SinkRecord) ValueSchema() *data.Schema { return r.part.batch.Schemas().Get(r.r.ValueSchema) }

// KeyWire is the key in wire form, for code that reads positions itself. Do not change it.
func (r *SinkRecord) KeyWire() []byte { return r.r.Key }

// ValueWire is the value in wire form, for code that reads positions itself. Do not change it.
func (r *SinkRecord) ValueWire() []byte { return r.r.Value }

// KeyBytes is the content of a key that is a string or bytes, without copying it; do
// not change it. nil and true stand for null; false for a key of another type.
func (r *SinkRecord) KeyBytes() ([]byte, bool) {
	return textOf(r.KeySchema(), r.r.Key)
}

// ValueBytes is the content of a value that is a string or bytes, without copying it; do not
// change it. nil and true stand for null; false for a value of another type.
func (r *SinkRecord) ValueBytes() ([]byte, bool) {
	return textOf(r.ValueSchema(), r.r.Value)
}

func textOf(s *data.Schema, wire []byte) ([]byte, bool) {
	if s == nil {
		return schemalessText(wire)
	}
	if t := s.Type(); t != data.String && t != data.Bytes {
		return nil, false
	}
	if s.Optional() {
		present, rest, err := data.ReadPresence(s, wire)
		if err != nil || !present {
			return nil, err == nil
		}
		wire = rest
	}
	text, _, err := data.ReadBytes(wire)
	return text, err == nil
}

func schemalessText(wire []byte) ([]byte, bool) {
	if len(wire) == 0 {
		return nil, true
	}
	branch, rest, err := data.ReadLong(wire)
	if err != nil {
		return nil, false
	}
	switch branch {
	case data.AnyNull:
		return nil, true
	case data.AnyString, data.AnyBytes:
		text, _, err := data.ReadBytes(rest)
		return text, err == nil
	}
	return nil, false
}

// Key decodes the key into a value of the data model.
func (r *SinkRecord) Key() (any, error) { return r.decode("key", r.KeySchema(), r.r.Key) }

// Value decodes the value into a value of the data model: a string, a *data.Struct and so on.
func (r *SinkRecord) Value() (any, error) { return r.decode("value", r.ValueSchema(), r.r.Value) }

func (r *SinkRecord) decode(part string, s *data.Schema, wire []byte) (any, error) {
	if len(wire) == 0 && s == nil {
		return nil, nil //nolint:nilnil // null
	}
	v, err := data.DecodeValue(s, wire)
	if err != nil {
		return nil, r.errorf(part, err)
	}
	return v, nil
}

// Headers decodes the headers.
func (r *SinkRecord) Headers() ([]Header, error) {
	if len(r.r.Headers) == 0 {
		return nil, nil
	}
	var out []Header
	for b := r.r.Headers; len(b) > 0; {
		h, rest, err := wire.ReadHeader(b)
		if err != nil {
			return nil, r.errorf("headers", err)
		}
		s := r.part.batch.Schemas().Get(h.Schema)
		v, err := r.decode("header "+h.Name, s, h.Value)
		if err != nil {
			return nil, err
		}
		out = append(out, Header{Name: h.Name, Schema: s, Value: v})
		b = rest
	}
	return out, nil
}

func (r *SinkRecord) errorf(part string, err error) error {
	return fmt.Errorf("record %s-%d offset %d: %s: %w", r.part.tp.Topic, r.part.tp.Partition, r.r.Offset, part, err)
}
