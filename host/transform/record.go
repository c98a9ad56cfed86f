package transform

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/tailrace/tailrace/sdk/go/data"
	"github.com/tailrace/tailrace/sdk/go/wire"
)

// NoPartition and NoTimestamp stand for null. In Kafka Connect -1 is a timestamp
// like any other until the record is written, so null has a number of its own;
// the wire's -1, which means none, becomes NoTimestamp and back.
const (
	NoPartition = wire.NoPartition
	NoTimestamp = math.MinInt64
)

// Kind says on which side of Kafka a record is.
type Kind uint8

// The kinds of records.
const (
	Source Kind = iota
	Sink
)

// TimestampType is that of a sink record.
type TimestampType uint8

// The timestamp types of Kafka.
const (
	NoTimestampType TimestampType = iota
	CreateTime
	LogAppendTime
)

var timestampTypes = [...]string{NoTimestampType: "NoTimestampType", CreateTime: "CreateTime", LogAppendTime: "LogAppendTime"}

// Batch is a run of records in order. It is used again after Reset, by one
// goroutine.
type Batch struct {
	kind    Kind
	records []Record
	arena   arena
}

// NewBatch makes an empty batch of source or sink records.
func NewBatch(kind Kind) *Batch { return &Batch{kind: kind} }

// Reset empties the batch and lets go of what its records pointed at.
func (b *Batch) Reset() {
	for i := range b.records {
		b.records[i].clear()
	}
	b.records = b.records[:0]
	b.arena.reset()
}

// Len is the number of records, dropped and failed ones included.
func (b *Batch) Len() int { return len(b.records) }

// At is a record. The pointer is valid until the next Add or Reset.
func (b *Batch) At(i int) *Record { return &b.records[i] }

// Add appends a record without partition, timestamp, key, value and headers, to
// be filled in. The pointer is valid until the next Add or Reset.
func (b *Batch) Add() *Record {
	if len(b.records) < cap(b.records) {
		b.records = b.records[:len(b.records)+1]
	} else {
		b.records = append(b.records, Record{})
	}
	r := &b.records[len(b.records)-1]
	r.kind, r.Partition, r.Timestamp = b.kind, NoPartition, NoTimestamp
	r.Key.arena, r.Value.arena = &b.arena, &b.arena
	r.Key.SetWire(nil, nil)
	r.Value.SetWire(nil, nil)
	return r
}

// Record is one record. The exported fields are what came in before the chain
// ran, and what goes out after it.
type Record struct {
	Topic string
	// Partition is the Kafka partition, or NoPartition.
	Partition int32
	// Timestamp is in milliseconds since 1970, or NoTimestamp.
	Timestamp  int64
	Key, Value Cell
	Headers    Headers

	// Offset and TimestampType are those of a sink record.
	Offset        int64
	TimestampType TimestampType
	// OriginalTopic and OriginalPartition are those of a sink record as read from
	// Kafka. They occur in error messages only; "" means Topic and Partition.
	OriginalTopic     string
	OriginalPartition int32
	// Origin gives source partition and source offset of a source record, for error
	// messages only. It may be nil.
	Origin func() (partition, offset any)

	kind    Kind
	skip    bool // the step at hand does not apply
	dropped bool
	failure *Failure
}

// Dropped reports whether a step dropped the record.
func (r *Record) Dropped() bool { return r.dropped }

// Failure is why the chain stopped for this record, nil if it did not. The
// record is then as it was before the failing step.
func (r *Record) Failure() *Failure { return r.failure }

// Live reports whether the record is to be passed on: neither dropped nor failed.
func (r *Record) Live() bool { return !r.dropped && r.failure == nil }

// Drop takes the record out. It is for implementations of Transform.
func (r *Record) Drop() { r.dropped = true }

// Fail ends the chain for the record. It is for implementations of Transform,
// which must leave the record as it was. Class and alias are added by the chain.
func (r *Record) Fail(err error) { r.failure = &Failure{Err: err} }

// Recover takes Fail back, to try the step again. It is for implementations of Transform, on records that they failed.
func (r *Record) Recover() { r.failure = nil }

// Selected reports whether the step at hand applies to the record. It is for
// implementations of Transform: they leave other records alone.
func (r *Record) Selected() bool { return !r.skip && !r.dropped && r.failure == nil }

func (r *Record) clear() {
	headers := r.Headers.list[:0]
	clear(r.Headers.list)
	*r = Record{}
	r.Headers.list = headers
}

// Failure is a step that failed on a record. Kafka Connect's stage for it is
// TRANSFORMATION.
type Failure struct {
	// Alias is the name of the transform in the connector's configuration.
	Alias string
	// Class is the Java class name of the transform, or of its predicate if that failed.
	Class string
	// Err is the cause, a *convert.Error for all built-in transforms.
	Err error
}

// Error names the transform and the cause.
func (f *Failure) Error() string {
	return "transform " + f.Alias + " (" + f.Class + "): " + f.Err.Error()
}

// Unwrap is the cause.
func (f *Failure) Unwrap() error { return f.Err }

// Header is one header of a record.
type Header struct {
	Name  string
	Value Cell
}

// Headers are the headers of a record, in order. They are read from the wire
// form on the first look.
type Headers struct {
	raw     []byte
	schemas *wire.SchemaTable
	list    []Header
	parsed  bool
	changed bool
}

// SetWire sets the headers as they stand in a batch of the protocol. raw must
// stay as it is until the batch is reset.
func (h *Headers) SetWire(raw []byte, schemas *wire.SchemaTable) {
	h.raw, h.schemas, h.list, h.parsed, h.changed = raw, schemas, h.list[:0], len(raw) == 0, false
}

// Wire gives the bytes of SetWire when they are still right.
func (h *Headers) Wire() (raw []byte, ok bool) { return h.raw, !h.changed }

// All are the headers. Do not change the slice.
func (h *Headers) All() ([]Header, error) {
	if h.parsed {
		return h.list, nil
	}
	h.list = h.list[:0]
	for rest := h.raw; len(rest) > 0; {
		var w wire.Header
		var err error
		if w, rest, err = wire.ReadHeader(rest); err != nil {
			return nil, malformed(nil, err)
		}
		h.list = append(h.list, Header{Name: w.Name})
		h.list[len(h.list)-1].Value.SetWire(h.schemas.Get(w.Schema), w.Value)
	}
	h.parsed = true
	return h.list, nil
}

// Add appends a header whose value is in memory.
func (h *Headers) Add(name string, schema *data.Schema, value any) error {
	var c Cell
	c.Set(schema, value)
	return h.add(name, c)
}

// AddWire appends a header whose value is in wire form.
func (h *Headers) AddWire(name string, schema *data.Schema, raw []byte) error {
	var c Cell
	c.SetWire(schema, raw)
	return h.add(name, c)
}

func (h *Headers) add(name string, value Cell) error {
	if _, err := h.All(); err != nil {
		return err
	}
	h.list = append(h.list, Header{name, value})
	h.changed = true
	return nil
}

// remove drops the headers for which the function holds.
func (h *Headers) remove(drop func(name string) bool) error {
	list, err := h.All()
	if err != nil {
		return err
	}
	kept := list[:0]
	for i := range list {
		if !drop(list[i].Name) {
			kept = append(kept, list[i])
		}
	}
	if len(kept) < len(list) {
		clear(list[len(kept):])
		h.list, h.changed = kept, true
	}
	return nil
}

// JavaText is Java's toString of the record, as far as it is known: what Kafka
// Connect's log shows. It holds the record's data.
func (r *Record) JavaText() string {
	var b strings.Builder
	if r.kind == Sink {
		topic, partition := r.OriginalTopic, r.OriginalPartition
		if topic == "" {
			topic, partition = r.Topic, r.Partition
		}
		fmt.Fprintf(&b, "SinkRecord{kafkaOffset=%d, timestampType=%s, originalTopic=%s, originalKafkaPartition=%s, originalKafkaOffset=%d}",
			r.Offset, timestampTypes[r.TimestampType], topic, nullOr(partition, NoPartition), r.Offset)
	} else {
		var partition, offset any
		if r.Origin != nil {
			partition, offset = r.Origin()
		}
		fmt.Fprintf(&b, "SourceRecord{sourcePartition=%s, sourceOffset=%s}", javaText(partition), javaText(offset))
	}
	key, _ := r.Key.Value() // a value that cannot be read is shown as null
	value, _ := r.Value.Value()
	fmt.Fprintf(&b, " ConnectRecord{topic='%s', kafkaPartition=%s, key=%s, keySchema=%s, value=%s, valueSchema=%s, timestamp=%s, headers=ConnectHeaders(headers=",
		r.Topic, nullOr(r.Partition, NoPartition), javaText(key), r.Key.schema, javaText(value), r.Value.schema, nullOr(r.Timestamp, int64(NoTimestamp)))
	if list, err := r.Headers.All(); err == nil && len(list) > 0 {
		for i := range list {
			separator := ", "
			if i == 0 {
				separator = "["
			}
			v, _ := list[i].Value.Value()
			fmt.Fprintf(&b, "%sConnectHeader(key=%s, value=%s, schema=%s)", separator, list[i].Name, javaText(v), list[i].Value.schema)
		}
		b.WriteByte(']')
	}
	b.WriteString(")}")
	return b.String()
}

// nullOr prints a number, or null for the number that stands for it.
func nullOr[T int32 | int64](n, null T) string {
	if n == null {
		return "null"
	}
	return strconv.FormatInt(int64(n), 10)
}
