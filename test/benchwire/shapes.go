package main

import (
	"fmt"
	"strconv"

	"google.golang.org/protobuf/types/known/structpb"

	pluginv1 "github.com/tailrace/tailrace/gen/tailrace/plugin/v1"
	"github.com/tailrace/tailrace/sdk/go/data"
	"github.com/tailrace/tailrace/sdk/go/wire"
)

// record is the 8-field record of about 170 bytes that every shape carries.
type record struct {
	id      int64
	name    string
	email   string
	age     int32
	active  bool
	balance float64
	created int64
	comment string
}

var recordSchema = data.NewStruct().Name("bench.Record").
	Field("id", data.NewPrimitive(data.Int64).MustBuild()).
	Field("name", data.NewPrimitive(data.String).MustBuild()).
	Field("email", data.NewPrimitive(data.String).MustBuild()).
	Field("age", data.NewPrimitive(data.Int32).MustBuild()).
	Field("active", data.NewPrimitive(data.Boolean).MustBuild()).
	Field("balance", data.NewPrimitive(data.Float64).MustBuild()).
	Field("created", data.NewTimestamp().MustBuild()).
	Field("comment", data.NewPrimitive(data.String).MustBuild()).
	MustBuild()

const comment = "the quick brown fox jumps over the lazy dog and then it sleeps until the morning comes"

func makeRecord(i int) record {
	n := strconv.Itoa(i)
	return record{
		id: int64(i), name: "customer-" + n, email: "customer-" + n + "@example.org", age: int32(i % 90),
		active: i%2 == 0, balance: float64(i) * 1.25, created: 1_700_000_000_000 + int64(i), comment: comment,
	}
}

// appendBlock adds the record to a batch, by position.
func appendBlock(b *wire.SourceBatchBuilder, schema uint32, r *record) {
	b.Begin(wire.RecordHead{KafkaPartition: wire.NoPartition, TimestampMillis: wire.NoTimestamp})
	b.EndKey(0)
	v := data.AppendLong(b.Block, r.id)
	v = data.AppendString(v, r.name)
	v = data.AppendString(v, r.email)
	v = data.AppendInt(v, r.age)
	v = data.AppendBool(v, r.active)
	v = data.AppendDouble(v, r.balance)
	v = data.AppendLong(v, r.created)
	b.Block = data.AppendString(v, r.comment)
	b.EndValue(schema)
	b.EndHeaders()
	b.EndOffset(0)
}

// sum is what the receiver computes of all fields, so that no decoding can be skipped.
type sum struct {
	records, ints, bytes int64
	floats               float64
}

func (s *sum) add(id, age, created int64, active bool, balance float64, bytes int) {
	s.records++
	s.ints += id + age + created
	if active {
		s.ints++
	}
	s.floats += balance
	s.bytes += int64(bytes)
}

// readBlock reads every field of every record, strings without copying.
func readBlock(m *pluginv1.SourceBatch, schemas *wire.SchemaTable, s *sum) error {
	batch, err := wire.ReadSourceBatch(m, schemas, 0)
	if err != nil {
		return err
	}
	var r wire.SourceRecord
	for c := batch.Cursor(); c.Next(&r); {
		f := fields{b: r.Value}
		id, name, email, age := f.long(), f.bytes(), f.bytes(), f.long()
		active, balance, created, text := f.bool(), f.double(), f.long(), f.bytes()
		if f.err != nil {
			return f.err
		}
		s.add(id, age, created, active, balance, len(name)+len(email)+len(text))
	}
	return nil
}

// fields reads values by position and remembers the first error.
type fields struct {
	b   []byte
	err error
}

func (f *fields) long() (v int64) {
	if f.err == nil {
		v, f.b, f.err = data.ReadLong(f.b)
	}
	return v
}

func (f *fields) bytes() (v []byte) {
	if f.err == nil {
		v, f.b, f.err = data.ReadBytes(f.b)
	}
	return v
}

func (f *fields) bool() (v bool) {
	if f.err == nil {
		v, f.b, f.err = data.ReadBool(f.b)
	}
	return v
}

func (f *fields) double() (v float64) {
	if f.err == nil {
		v, f.b, f.err = data.ReadDouble(f.b)
	}
	return v
}

func valueMessages(r *record) *structpb.Value {
	return structpb.NewListValue(&structpb.ListValue{Values: []*structpb.Value{
		structpb.NewNumberValue(float64(r.id)), structpb.NewStringValue(r.name), structpb.NewStringValue(r.email),
		structpb.NewNumberValue(float64(r.age)), structpb.NewBoolValue(r.active), structpb.NewNumberValue(r.balance),
		structpb.NewNumberValue(float64(r.created)), structpb.NewStringValue(r.comment),
	}})
}

func readValueMessages(list *structpb.ListValue, s *sum) error {
	for _, row := range list.GetValues() {
		v := row.GetListValue().GetValues()
		if len(v) != 8 {
			return fmt.Errorf("a row has %d values", len(v))
		}
		s.add(int64(v[0].GetNumberValue()), int64(v[3].GetNumberValue()), int64(v[6].GetNumberValue()), v[4].GetBoolValue(), v[5].GetNumberValue(),
			len(v[1].GetStringValue())+len(v[2].GetStringValue())+len(v[7].GetStringValue()))
	}
	return nil
}

func structMessage(r *record) *structpb.Value {
	return structpb.NewStructValue(&structpb.Struct{Fields: map[string]*structpb.Value{
		"id": structpb.NewNumberValue(float64(r.id)), "name": structpb.NewStringValue(r.name), "email": structpb.NewStringValue(r.email),
		"age": structpb.NewNumberValue(float64(r.age)), "active": structpb.NewBoolValue(r.active), "balance": structpb.NewNumberValue(r.balance),
		"created": structpb.NewNumberValue(float64(r.created)), "comment": structpb.NewStringValue(r.comment),
	}})
}

func readStructMessages(list *structpb.ListValue, s *sum) error {
	for _, row := range list.GetValues() {
		v := row.GetStructValue().GetFields()
		if len(v) != 8 {
			return fmt.Errorf("a record has %d fields", len(v))
		}
		s.add(int64(v["id"].GetNumberValue()), int64(v["age"].GetNumberValue()), int64(v["created"].GetNumberValue()), v["active"].GetBoolValue(), v["balance"].GetNumberValue(),
			len(v["name"].GetStringValue())+len(v["email"].GetStringValue())+len(v["comment"].GetStringValue()))
	}
	return nil
}
