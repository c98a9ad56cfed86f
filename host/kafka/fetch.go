package kafka

import (
	"bytes"
	"cmp"
	"slices"
	"strconv"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

// TopicPartition names one partition of a topic.
type TopicPartition struct {
	Topic     string
	Partition int32
}

func (tp TopicPartition) String() string {
	return tp.Topic + "-" + strconv.Itoa(int(tp.Partition))
}

// TimestampType says who stamped a record.
type TimestampType int8

// Kafka's timestamp types.
const (
	NoTimestamp   TimestampType = -1 // record format before Kafka 0.10
	CreateTime    TimestampType = 0
	LogAppendTime TimestampType = 1
)

func (t TimestampType) String() string {
	switch t {
	case CreateTime:
		return "CreateTime"
	case LogAppendTime:
		return "LogAppendTime"
	case NoTimestamp:
	}
	return "NoTimestampType"
}

// Fetch is what one Poll returned. Nothing is copied out of the network buffers:
// every slice is valid until Release.
type Fetch struct {
	runs    []Run
	records int
}

// Runs lists the records by partition; each partition appears at most once and
// its records are in offset order. Empty runs do not occur.
func (f *Fetch) Runs() []Run { return f.runs }

// Len is the number of records in all runs.
func (f *Fetch) Len() int { return f.records }

// Bytes is the size of all keys and values. It looks at every record.
func (f *Fetch) Bytes() int64 {
	var n int64
	for i := range f.runs {
		for _, r := range f.runs[i].records {
			n += int64(len(r.Key) + len(r.Value))
		}
	}
	return n
}

// Release says that no slice of this fetch is used any more. Forgetting it costs
// memory only.
func (f *Fetch) Release() {
	for i := range f.runs {
		for _, r := range f.runs[i].records {
			r.Recycle()
		}
	}
	*f = Fetch{}
}

// recordPool lends the slabs that fetched records are decoded into. The bytes of
// keys and values are not pooled.
type recordPool struct{ slabs sync.Pool }

// GetRecords implements the client library's pool.
func (p *recordPool) GetRecords(n int) []kgo.Record {
	if s, ok := p.slabs.Get().(*[]kgo.Record); ok && cap(*s) >= n {
		return (*s)[:0]
	}
	return make([]kgo.Record, 0, n)
}

// PutRecords implements the client library's pool.
func (p *recordPool) PutRecords(s []kgo.Record) {
	if cap(s) <= maxPooledRecords {
		p.slabs.Put(&s)
	}
}

// Run is a sequence of records of one partition, with increasing offsets (gaps
// come from compaction and transactions).
type Run struct {
	Topic     string
	Partition int32

	records       []*kgo.Record
	highWatermark int64
}

// HighWatermark is the offset behind the partition's last record, as of this fetch.
func (r *Run) HighWatermark() int64 { return r.highWatermark }

// Len is the number of records.
func (r *Run) Len() int { return len(r.records) }

// IndexOf finds the record at an offset; ok is false when the run has none there.
func (r *Run) IndexOf(offset int64) (i int, ok bool) {
	return slices.BinarySearchFunc(r.records, offset, func(r *kgo.Record, offset int64) int { return cmp.Compare(r.Offset, offset) })
}

// Key is the i-th key; nil is Kafka's null.
func (r *Run) Key(i int) []byte { return r.records[i].Key }

// Value is the i-th value; nil is Kafka's null, a tombstone.
func (r *Run) Value(i int) []byte { return r.records[i].Value }

// Offset is the i-th record's offset.
func (r *Run) Offset(i int) int64 { return r.records[i].Offset }

// TimestampMillis is the i-th record's time since 1970 (UTC), -1 when it has none.
func (r *Run) TimestampMillis(i int) int64 { return r.records[i].Timestamp.UnixMilli() }

// TimestampType says who set the i-th timestamp.
func (r *Run) TimestampType(i int) TimestampType {
	return TimestampType(r.records[i].Attrs.TimestampType())
}

// Headers gives the i-th record's headers, in their order on the wire.
func (r *Run) Headers(i int) Headers { return Headers{r.records[i].Headers} }

// NextOffset is the offset to commit once the whole run has been handled.
func (r *Run) NextOffset() int64 { return r.records[len(r.records)-1].Offset + 1 }

// Headers is a view on a record's headers. Names may repeat.
type Headers struct{ list []kgo.RecordHeader }

// Add appends a header. value is not copied.
func (h *Headers) Add(name string, value []byte) {
	h.list = append(h.list, kgo.RecordHeader{Key: name, Value: value})
}

// Clone copies names and values.
func (h Headers) Clone() Headers {
	list := make([]kgo.RecordHeader, len(h.list))
	for i, x := range h.list {
		list[i] = kgo.RecordHeader{Key: x.Key, Value: bytes.Clone(x.Value)}
	}
	return Headers{list}
}

// Len is the number of headers.
func (h Headers) Len() int { return len(h.list) }

// At is the j-th header; a nil value is Kafka's null.
func (h Headers) At(j int) (name string, value []byte) { return h.list[j].Key, h.list[j].Value }
