package wire

import (
	"bytes"
	"testing"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	pluginv1 "github.com/tailrace/tailrace/gen/tailrace/plugin/v1"
	"github.com/tailrace/tailrace/sdk/go/data"
)

// part is one part of a record as a test draws it.
var part = rapid.SliceOfN(rapid.Byte(), 0, 40)

type sourceModel struct {
	head                         RecordHead
	keySchema, valSchema, offSch uint32
	key, value, headers, offset  []byte
}

func drawHeaders(t *rapid.T, schemas int) []byte {
	var b []byte
	for range rapid.IntRange(0, 3).Draw(t, "headers") {
		b = AppendHeader(b, rapid.String().Draw(t, "name"), uint32(rapid.IntRange(0, schemas).Draw(t, "id")), part.Draw(t, "header"))
	}
	return b
}

func schemaTable(t testing.TB, n int) *SchemaTable {
	t.Helper()
	table := &SchemaTable{}
	for id := range n {
		p, err := SchemaToProto(data.NewPrimitive(data.Int64).Version(int32(id)).MustBuild())
		if err != nil {
			t.Fatal(err)
		}
		if err := table.Define(&pluginv1.SchemaDef{Id: uint32(id + 1), Schema: p}); err != nil {
			t.Fatal(err)
		}
	}
	return table
}

// I-7: what a plugin appended is what the host reads, through the real codec.
func TestSourceBatchArrivesAsItLeft(t *testing.T) {
	const schemas, partitions = 3, 4
	table := schemaTable(t, schemas)
	var b SourceBatchBuilder // one builder for all draws: reuse must leave nothing behind
	rapid.Check(t, func(t *rapid.T) {
		b.Reset()
		constant := rapid.Bool().Draw(t, "constant")
		var want []sourceModel
		for range rapid.IntRange(1, 30).Draw(t, "records") {
			m := sourceModel{}
			if constant && len(want) > 0 {
				m = want[0]
			} else {
				m.head = RecordHead{
					KafkaPartition:  rapid.Int32Range(-1, 5).Draw(t, "kafka partition"),
					TimestampMillis: rapid.Int64Range(-1, 1<<45).Draw(t, "timestamp"),
					SourcePartition: uint32(rapid.IntRange(0, partitions).Draw(t, "source partition")),
				}
				m.keySchema = uint32(rapid.IntRange(0, schemas).Draw(t, "key schema"))
				m.valSchema = uint32(rapid.IntRange(0, schemas).Draw(t, "value schema"))
				m.offSch = uint32(rapid.IntRange(0, schemas).Draw(t, "offset schema"))
				m.key, m.value, m.offset = part.Draw(t, "key"), part.Draw(t, "value"), part.Draw(t, "offset")
				m.headers = drawHeaders(t, schemas)
			}
			m.head.Topic = b.TopicIndex(rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "topic"))
			want = append(want, m)
			b.Begin(m.head)
			b.Block = append(b.Block, m.key...)
			b.EndKey(m.keySchema)
			b.Block = append(b.Block, m.value...)
			b.EndValue(m.valSchema)
			b.Block = append(b.Block, m.headers...)
			b.EndHeaders()
			b.Block = append(b.Block, m.offset...)
			b.EndOffset(m.offSch)
		}
		msg, err := b.Message(7)
		if err != nil {
			t.Fatal(err)
		}
		var got pluginv1.SourceBatch
		throughCodec(t, msg, &got)
		batch, err := ReadSourceBatch(&got, table, partitions)
		if err != nil {
			t.Fatal(err)
		}
		if batch.Len() != len(want) || batch.FirstSeq() != 7 || batch.LastSeq() != 7+uint64(len(want))-1 {
			t.Fatalf("batch of %d records numbered %d to %d", batch.Len(), batch.FirstSeq(), batch.LastSeq())
		}
		var r SourceRecord
		c := batch.Cursor()
		for i, w := range want {
			if !c.Next(&r) {
				t.Fatalf("the cursor ended before record %d", i)
			}
			if r.RecordHead != w.head || r.KeySchema != w.keySchema || r.ValueSchema != w.valSchema || r.OffsetSchema != w.offSch ||
				!bytes.Equal(r.Key, w.key) || !bytes.Equal(r.Value, w.value) || !bytes.Equal(r.Headers, w.headers) || !bytes.Equal(r.Offset, w.offset) {
				t.Fatalf("record %d: got %+v, want %+v", i, r, w)
			}
			if c.Seq() != 7+uint64(i) {
				t.Fatalf("record %d has number %d", i, c.Seq())
			}
		}
		if c.Next(&r) {
			t.Fatal("the cursor went on behind the last record")
		}
	})
}

// I-7: the same in the other direction, with gaps in the offsets.
func TestSinkBatchArrivesAsItLeft(t *testing.T) {
	const schemas = 3
	table := schemaTable(t, schemas)
	var b SinkBatchBuilder
	rapid.Check(t, func(t *rapid.T) {
		b.Reset()
		b.Start(5, pluginv1.TimestampType_TIMESTAMP_TYPE_LOG_APPEND_TIME)
		gaps, topics := rapid.Bool().Draw(t, "gaps"), rapid.Bool().Draw(t, "topics")
		offset := rapid.Int64Range(0, 1<<50).Draw(t, "first offset")
		var want []SinkRecord
		for range rapid.IntRange(1, 30).Draw(t, "records") {
			r := SinkRecord{
				Offset: offset, TimestampMillis: rapid.Int64Range(-1, 3).Draw(t, "timestamp"),
				KeySchema: uint32(rapid.IntRange(0, schemas).Draw(t, "key schema")), ValueSchema: uint32(rapid.IntRange(0, schemas).Draw(t, "value schema")),
				Key: part.Draw(t, "key"), Value: part.Draw(t, "value"), Headers: drawHeaders(t, schemas),
			}
			b.Begin(r.Offset, r.TimestampMillis)
			if topics {
				r.Topic = rapid.SampledFrom([]string{"x", "y"}).Draw(t, "topic")
				b.SetTopic(r.Topic)
			}
			b.Block = append(b.Block, r.Key...)
			b.EndKey(r.KeySchema)
			b.Block = append(b.Block, r.Value...)
			b.EndValue(r.ValueSchema)
			b.Block = append(b.Block, r.Headers...)
			b.EndHeaders()
			want = append(want, r)
			offset++
			if gaps {
				offset += rapid.Int64Range(0, 3).Draw(t, "gap")
			}
		}
		msg, err := b.Message()
		if err != nil {
			t.Fatal(err)
		}
		var got pluginv1.SinkBatch
		throughCodec(t, msg, &got)
		batch, err := ReadSinkBatch(&got, table)
		if err != nil {
			t.Fatal(err)
		}
		if batch.Partition() != 5 || batch.LastOffset() != want[len(want)-1].Offset {
			t.Fatalf("partition id %d, last offset %d", batch.Partition(), batch.LastOffset())
		}
		var r SinkRecord
		c := batch.Cursor()
		for i, w := range want {
			if !c.Next(&r) {
				t.Fatalf("the cursor ended before record %d", i)
			}
			if r.Offset != w.Offset || r.TimestampMillis != w.TimestampMillis || r.KeySchema != w.KeySchema || r.ValueSchema != w.ValueSchema || r.Topic != w.Topic ||
				!bytes.Equal(r.Key, w.Key) || !bytes.Equal(r.Value, w.Value) || !bytes.Equal(r.Headers, w.Headers) {
				t.Fatalf("record %d: got %+v, want %+v", i, r, w)
			}
		}
		if c.Next(&r) {
			t.Fatal("the cursor went on behind the last record")
		}
	})
}

func throughCodec(t interface{ Fatal(...any) }, in, out any) {
	bufs, err := Codec{}.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	// As gRPC hands it over: in pieces.
	flat := bufs.Materialize()
	bufs.Free()
	half := len(flat) / 2
	if err := (Codec{}).Unmarshal(mem.BufferSlice{mem.SliceBuffer(flat[:half]), mem.SliceBuffer(flat[half:])}, out); err != nil {
		t.Fatal(err)
	}
}

func TestABatchThatLiesIsRefused(t *testing.T) {
	table := schemaTable(t, 1)
	good := func() *pluginv1.SourceBatch {
		return &pluginv1.SourceBatch{FirstSeq: 1, Count: 2, Topics: []string{"t"}, Block: []byte("aabb"), ValueLength: []uint32{2}}
	}
	cases := map[string]func(*pluginv1.SourceBatch){
		"its lengths add up to 6 bytes":         func(m *pluginv1.SourceBatch) { m.ValueLength = []uint32{3} },
		"it has no records":                     func(m *pluginv1.SourceBatch) { m.Count = 0 },
		"records are numbered from 1":           func(m *pluginv1.SourceBatch) { m.FirstSeq = 0 },
		"it names no topic":                     func(m *pluginv1.SourceBatch) { m.Topics = nil },
		"column topic names id 1":               func(m *pluginv1.SourceBatch) { m.Topic = []uint32{1} },
		"column value_schema names id 2":        func(m *pluginv1.SourceBatch) { m.ValueSchema = []uint32{2} },
		"column source_partition names id 1":    func(m *pluginv1.SourceBatch) { m.SourcePartition = []uint32{1} },
		"column key_length has 3 elements":      func(m *pluginv1.SourceBatch) { m.KeyLength = []uint32{0, 0, 0} },
		"it has 2147483647 records and 4 bytes": func(m *pluginv1.SourceBatch) { m.Count = 1<<31 - 1 },
		"header name":                           func(m *pluginv1.SourceBatch) { m.ValueLength, m.HeaderLength = []uint32{0}, []uint32{2} },
	}
	for want, spoil := range cases {
		m := good()
		spoil(m)
		if _, err := ReadSourceBatch(m, table, 0); err == nil || !bytes.Contains([]byte(err.Error()), []byte(want)) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
	if _, err := ReadSourceBatch(good(), table, 0); err != nil {
		t.Errorf("the good batch is refused: %v", err)
	}
}

// I-3: whatever bytes a plugin sends as a batch, the host reads it without a panic.
func FuzzReadSourceBatch(f *testing.F) {
	var b SourceBatchBuilder
	b.Begin(RecordHead{Topic: b.TopicIndex("t"), KafkaPartition: NoPartition, TimestampMillis: NoTimestamp})
	b.EndKey(0)
	b.Block = data.AppendString(b.Block, "line")
	b.EndValue(1)
	b.Block = AppendHeader(b.Block, "h", 0, nil)
	b.EndHeaders()
	b.EndOffset(0)
	msg, err := b.Message(1)
	if err != nil {
		f.Fatal(err)
	}
	seed, err := proto.Marshal(msg)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	table := schemaTable(f, 2)
	f.Fuzz(func(_ *testing.T, raw []byte) {
		var m pluginv1.SourceBatch
		if m.UnmarshalVTUnsafe(raw) != nil {
			return
		}
		batch, err := ReadSourceBatch(&m, table, 2)
		if err != nil {
			return
		}
		var r SourceRecord
		for c := batch.Cursor(); c.Next(&r); {
			for h := r.Headers; len(h) > 0; {
				if _, h, err = ReadHeader(h); err != nil {
					panic("checked headers cannot be read: " + err.Error())
				}
			}
		}
	})
}

func TestSchemaArrivesAsItLeft(t *testing.T) {
	inner := data.NewStruct().Name("inner").Field("d", data.DecimalSchema(3)).Optional().MustBuild()
	schemas := []*data.Schema{
		data.NewPrimitive(data.String).Optional().Default("x").MustBuild(),
		data.NewPrimitive(data.Bytes).Default([]byte{}).MustBuild(),
		data.NewPrimitive(data.Int8).Name("").Version(0).Doc("").MustBuild(),
		data.NewMap(data.NewPrimitive(data.Int32).MustBuild(), inner).MustBuild(),
		data.NewArray(inner).Param("a", "b").Param("", "").MustBuild(),
		data.NewStruct().Name("outer").Version(7).Doc("doc").Field("", inner).Field("t", data.NewTimestamp().MustBuild()).MustBuild(),
	}
	var w SchemaWriter
	var table SchemaTable
	for i, s := range schemas {
		id, err := w.ID(s)
		if err != nil || id != uint32(i+1) {
			t.Fatalf("schema %d has id %d, error %v", i, id, err)
		}
		if again, _ := w.ID(s.ToBuilder().MustBuild()); again != id {
			t.Fatalf("an equal schema got id %d, want %d", again, id)
		}
	}
	for _, def := range w.Pending() {
		var got pluginv1.SchemaDef
		throughCodec(t, def, &got)
		if err := table.Define(&got); err != nil {
			t.Fatal(err)
		}
		if s := schemas[def.GetId()-1]; !s.Equal(table.Get(def.GetId())) {
			t.Errorf("schema %d: got %v, want %v", def.GetId(), table.Get(def.GetId()), s)
		}
	}
	if len(w.Pending()) != 0 {
		t.Error("definitions are pending twice")
	}
	if err := table.Define(&pluginv1.SchemaDef{Id: 3, Schema: &pluginv1.Schema{}}); err == nil {
		t.Error("an id out of order was taken")
	}
}

// A schema may nest itself only so deep, else a hostile one ends the stack.
func TestASchemaThatIsTooDeepIsRefused(t *testing.T) {
	p := &pluginv1.Schema{Type: pluginv1.SchemaType_SCHEMA_TYPE_STRING}
	for range 1000 {
		p = &pluginv1.Schema{Type: pluginv1.SchemaType_SCHEMA_TYPE_ARRAY, ValueSchema: p}
	}
	if _, err := SchemaFromProto(p); err == nil {
		t.Error("a schema of 1000 levels was taken")
	}
}

func BenchmarkAppendLine(b *testing.B) {
	var builder SourceBatchBuilder
	line := bytes.Repeat([]byte("x"), 100)
	b.ReportAllocs()
	for i := range b.N {
		if builder.Full() {
			builder.Reset()
		}
		builder.Begin(RecordHead{KafkaPartition: NoPartition, TimestampMillis: NoTimestamp, SourcePartition: 1})
		builder.EndKey(0)
		builder.Block = data.AppendBytes(builder.Block, line)
		builder.EndValue(1)
		builder.EndHeaders()
		builder.Block = data.AppendLong(builder.Block, int64(i))
		builder.EndOffset(2)
	}
}

func BenchmarkReadLines(b *testing.B) {
	var builder SourceBatchBuilder
	builder.TopicIndex("t")
	line := bytes.Repeat([]byte("x"), 100)
	for i := range 10_000 {
		builder.Begin(RecordHead{KafkaPartition: NoPartition, TimestampMillis: NoTimestamp})
		builder.EndKey(0)
		builder.Block = data.AppendBytes(builder.Block, line[:90+i%10])
		builder.EndValue(0)
		builder.EndHeaders()
		builder.EndOffset(0)
	}
	msg, err := builder.Message(1)
	if err != nil {
		b.Fatal(err)
	}
	table := &SchemaTable{}
	b.ResetTimer()
	b.ReportAllocs()
	for n := 0; n < b.N; {
		batch, err := ReadSourceBatch(msg, table, 0)
		if err != nil {
			b.Fatal(err)
		}
		var r SourceRecord
		for c := batch.Cursor(); c.Next(&r); {
			n++
		}
	}
}
