package connect

import (
	"testing"

	pluginv1 "github.com/tailrace/tailrace/gen/tailrace/plugin/v1"
	"github.com/tailrace/tailrace/sdk/go/data"
	"github.com/tailrace/tailrace/sdk/go/wire"
)

// discard takes batches and gives the same builder again.
type discard struct{ b *wire.SourceBatchBuilder }

func (d *discard) deliver(u *unit) error {
	if _, err := batchMessages(u.builder); err != nil {
		return err
	}
	u.builder.Reset()
	d.b = u.builder
	return nil
}

func (d *discard) newBuilder() (*wire.SourceBatchBuilder, error) {
	if d.b == nil {
		d.b = &wire.SourceBatchBuilder{}
	}
	return d.b, nil
}

var benchOffset = data.NewStruct().Field("position", data.Int64Schema).MustBuild()

// BenchmarkSourceLine is the fast path of a source: one line of 100 bytes with its
// source offset. Wanted: below 60 ns, no allocation.
func BenchmarkSourceLine(b *testing.B) {
	batch := newBatch(&discard{}, false)
	partition := &Partition{id: 1}
	line := make([]byte, 100)
	b.SetBytes(100)
	b.ReportAllocs()
	position := int64(0)
	for b.Loop() {
		position += 101
		rec := batch.Record("lines", partition)
		rec.ValueString(line)
		rec.OffsetLong(benchOffset, position)
	}
	if batch.err != nil {
		b.Fatal(batch.err)
	}
}

// BenchmarkSourceStruct is a record of eight fields.
func BenchmarkSourceStruct(b *testing.B) {
	schema := data.NewStruct().Field("id", data.Int64Schema).Field("name", data.StringSchema).Field("city", data.OptionalStringSchema).
		Field("age", data.Int32Schema).Field("score", data.Float64Schema).Field("ok", data.BooleanSchema).
		Field("note", data.StringSchema).Field("at", data.TimestampSchema).MustBuild()
	batch := newBatch(&discard{}, false)
	partition := &Partition{id: 1}
	note := "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
	b.ReportAllocs()
	n := int64(0)
	for b.Loop() {
		n++
		rec := batch.Record("rows", partition)
		rec.ValueStruct(schema).Int64(n).String("a name").String("a city").Int32(42).Float64(1.5).Bool(true).String(note).Int64(n)
		rec.Offset(benchOffset).Int64(n)
	}
	if batch.err != nil {
		b.Fatal(batch.err)
	}
}

// BenchmarkSourceAppend is the pleasant way with the same line.
func BenchmarkSourceAppend(b *testing.B) {
	batch := newBatch(&discard{}, false)
	partition := &Partition{id: 1}
	line := string(make([]byte, 100))
	b.ReportAllocs()
	n := int64(0)
	for b.Loop() {
		n++
		err := batch.Append(SourceRecord{
			Topic: "lines", Value: line, ValueSchema: data.StringSchema, Partition: partition, Offset: Offset{"position": n},
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSinkCursor is walking records of 100 bytes and looking at their text.
func BenchmarkSinkCursor(b *testing.B) {
	var builder wire.SinkBatchBuilder
	var writer wire.SchemaWriter
	var table wire.SchemaTable
	id, err := writer.ID(data.StringSchema)
	if err != nil {
		b.Fatal(err)
	}
	for _, def := range writer.Pending() {
		if err := table.Define(def); err != nil {
			b.Fatal(err)
		}
	}
	const count = 1000
	builder.Start(1, pluginv1.TimestampType_TIMESTAMP_TYPE_CREATE_TIME)
	for i := range count {
		builder.Begin(int64(i), 1_700_000_000_000+int64(i))
		builder.EndKey(0)
		builder.Block = data.AppendBytes(builder.Block, make([]byte, 100))
		builder.EndValue(id)
		builder.EndHeaders()
	}
	m, err := builder.Message()
	if err != nil {
		b.Fatal(err)
	}
	read, err := wire.ReadSinkBatch(m, &table)
	if err != nil {
		b.Fatal(err)
	}
	batch := &SinkBatch{parts: []sinkPart{{batch: read, firstSeq: 1}}, count: count}
	b.ReportAllocs()
	sum := 0
	for b.Loop() {
		for rec := range batch.Records() {
			text, ok := rec.ValueBytes()
			if !ok {
				b.Fatal("no text")
			}
			sum += len(text) + int(rec.Offset()&1)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/count, "ns/record")
	_ = sum
}
