package connect

import (
	"errors"
	"fmt"
	"iter"
	"time"

	pluginv1 "github.com/tailrace/tailrace/gen/tailrace/plugin/v1"
	"github.com/tailrace/tailrace/sdk/go/data"
	"github.com/tailrace/tailrace/sdk/go/wire"
)

// TransformBatch is the records of one Apply. It and its records are valid until Apply returns, for one goroutine.
type TransformBatch struct {
	records []TransformRecord
	schemas *wire.SchemaTable
	arena   []byte // what setters encode
}

// Len is the number of records.
func (b *TransformBatch) Len() int { return len(b.records) }

// At is a record, from 0.
func (b *TransformBatch) At(i int) *TransformRecord { return &b.records[i] }

// Records walks the records in order.
func (b *TransformBatch) Records() iter.Seq[*TransformRecord] {
	return func(yield func(*TransformRecord) bool) {
		for i := range b.records {
			if !yield(&b.records[i]) {
				return
			}
		}
	}
}

// fill takes over a received batch.
func (b *TransformBatch) fill(in *wire.SourceBatch) {
	b.schemas, b.arena = in.Schemas(), b.arena[:0]
	b.records = b.records[:0]
	topics := in.Topics()
	var r wire.SourceRecord
	for c := in.Cursor(); c.Next(&r); {
		b.records = append(b.records, TransformRecord{r: r, topic: topics[r.Topic]})
	}
	for i := range b.records {
		b.records[i].batch = b
		b.records[i].received = b.records[i].r
		b.records[i].receivedTopic = b.records[i].topic
	}
}

// alone is a batch of one record as it was received.
func (b *TransformBatch) alone(i int) *TransformBatch {
	r := &b.records[i]
	*r = TransformRecord{batch: b, r: r.received, topic: r.receivedTopic, received: r.received, receivedTopic: r.receivedTopic}
	return &TransformBatch{records: b.records[i : i+1 : i+1], schemas: b.schemas}
}

// TransformRecord is one record of a batch. Its getters show what was set before.
type TransformRecord struct {
	batch   *TransformBatch
	r       wire.SourceRecord
	topic   string
	outcome pluginv1.Outcome
	err     error

	key, value changedPart
	headers    []Header
	newHeaders bool

	received      wire.SourceRecord
	receivedTopic string
}

// changedPart is a key or value that was set, in wire form.
type changedPart struct {
	set    bool
	schema *data.Schema
	wire   []byte
}

// Topic is the topic that the record is for, or was read from.
func (r *TransformRecord) Topic() string { return r.topic }

// SetTopic sends the record to another topic; of a sink, it is what the connector sees.
func (r *TransformRecord) SetTopic(topic string) {
	r.topic = topic
	r.change()
}

// KafkaPartition is the Kafka partition that a source asks for or that a sink's record was read from, -1 for none.
func (r *TransformRecord) KafkaPartition() int32 { return r.r.KafkaPartition }

// SetKafkaPartition asks for a Kafka partition, -1 for none. It has no effect for sinks.
func (r *TransformRecord) SetKafkaPartition(partition int32) {
	r.r.KafkaPartition = max(partition, wire.NoPartition)
	r.change()
}

// Timestamp is the record's time; zero when it has none.
func (r *TransformRecord) Timestamp() time.Time {
	if r.r.TimestampMillis == wire.NoTimestamp {
		return time.Time{}
	}
	return time.UnixMilli(r.r.TimestampMillis).UTC()
}

// SetTimestamp sets the record's time; zero takes it away.
func (r *TransformRecord) SetTimestamp(t time.Time) {
	r.r.TimestampMillis = wire.NoTimestamp
	if !t.IsZero() {
		r.r.TimestampMillis = t.UnixMilli()
	}
	r.change()
}

// KeySchema is the schema of the key, nil when schemaless.
func (r *TransformRecord) KeySchema() *data.Schema { return r.schema(&r.key, r.r.KeySchema) }

// ValueSchema is the schema of the value, nil when schemaless.
func (r *TransformRecord) ValueSchema() *data.Schema { return r.schema(&r.value, r.r.ValueSchema) }

func (r *TransformRecord) schema(p *changedPart, id uint32) *data.Schema {
	if p.set {
		return p.schema
	}
	return r.batch.schemas.Get(id)
}

// KeyWire is the key in wire form, for code that reads positions itself. Do not change it.
func (r *TransformRecord) KeyWire() []byte { return wireOf(&r.key, r.r.Key) }

// ValueWire is the value in wire form, for code that reads positions itself. Do not change it.
func (r *TransformRecord) ValueWire() []byte { return wireOf(&r.value, r.r.Value) }

func wireOf(p *changedPart, received []byte) []byte {
	if p.set {
		return p.wire
	}
	return received
}

// KeyBytes is the content of a key that is a string or bytes, without copying it; do not
// change it. nil and true stand for null; false for a key of another type.
func (r *TransformRecord) KeyBytes() ([]byte, bool) { return textOf(r.KeySchema(), r.KeyWire()) }

// ValueBytes is the content of a value that is a string or bytes, without copying it; do not
// change it. nil and true stand for null; false for a value of another type.
func (r *TransformRecord) ValueBytes() ([]byte, bool) { return textOf(r.ValueSchema(), r.ValueWire()) }

// Key decodes the key into a value of the data model.
func (r *TransformRecord) Key() (any, error) { return decodePart("key", r.KeySchema(), r.KeyWire()) }

// Value decodes the value into a value of the data model: a string, a *data.Struct and so on.
func (r *TransformRecord) Value() (any, error) {
	return decodePart("value", r.ValueSchema(), r.ValueWire())
}

func decodePart(part string, s *data.Schema, raw []byte) (any, error) {
	if len(raw) == 0 && s == nil {
		return nil, nil //nolint:nilnil // null
	}
	v, err := data.DecodeValue(s, raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", part, err)
	}
	return v, nil
}

// SetKey writes a Go value of the data model under a schema (nil: schemaless). On an error the key stays as it was.
func (r *TransformRecord) SetKey(s *data.Schema, v any) error { return r.set("key", &r.key, s, v) }

// SetValue writes a Go value of the data model under a schema (nil: schemaless). Build a schema once, not for each record. On
// an error the value stays as it was.
func (r *TransformRecord) SetValue(s *data.Schema, v any) error {
	return r.set("value", &r.value, s, v)
}

func (r *TransformRecord) set(part string, p *changedPart, s *data.Schema, v any) error {
	b := r.batch
	start := len(b.arena)
	arena, err := appendConverted(b.arena, s, v)
	if err != nil {
		return fmt.Errorf("%s: %w", part, err)
	}
	b.arena = arena
	*p = changedPart{true, s, arena[start:len(arena):len(arena)]}
	r.change()
	return nil
}

// SetKeyWire and SetValueWire set what is in wire form already; wire is not copied.
func (r *TransformRecord) SetKeyWire(s *data.Schema, wire []byte) {
	r.key = changedPart{true, s, wire}
	r.change()
}

// SetValueWire sets a value that is in wire form already; wire is not copied.
func (r *TransformRecord) SetValueWire(s *data.Schema, wire []byte) {
	r.value = changedPart{true, s, wire}
	r.change()
}

// Headers decodes the headers.
func (r *TransformRecord) Headers() ([]Header, error) {
	if r.newHeaders {
		return r.headers, nil
	}
	var out []Header
	for rest := r.r.Headers; len(rest) > 0; {
		var h wire.Header
		var err error
		if h, rest, err = wire.ReadHeader(rest); err != nil {
			return nil, fmt.Errorf("headers: %w", err)
		}
		s := r.batch.schemas.Get(h.Schema)
		v, err := decodePart("header "+h.Name, s, h.Value)
		if err != nil {
			return nil, err
		}
		out = append(out, Header{Name: h.Name, Schema: s, Value: v})
	}
	return out, nil
}

// SetHeaders puts other headers in the place of all.
func (r *TransformRecord) SetHeaders(headers []Header) {
	r.headers, r.newHeaders = headers, true
	r.change()
}

// Drop takes the record out.
func (r *TransformRecord) Drop() { r.outcome = pluginv1.Outcome_OUTCOME_DROPPED }

// Fail makes the record errant; it is told as it was before this step.
func (r *TransformRecord) Fail(err error) {
	if err == nil {
		err = errors.New("the transform failed the record without saying why")
	}
	r.outcome, r.err = pluginv1.Outcome_OUTCOME_FAILED, err
}

func (r *TransformRecord) change() {
	if r.outcome == pluginv1.Outcome_OUTCOME_UNSPECIFIED {
		r.outcome = pluginv1.Outcome_OUTCOME_REPLACED
	}
}
