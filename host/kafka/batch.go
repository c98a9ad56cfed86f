package kafka

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// PartitionAny lets the partitioner choose: by the key, or sticky without one.
const PartitionAny int32 = -1

// TimestampNow stamps a record with the time of Produce.
const TimestampNow int64 = -1

// Batch collects records for one Produce call. It is owned by one goroutine
// until Produce, then by the producer; it goes back to the producer's pool when
// the done function returns, and may not be used after that.
type Batch struct {
	p       *Producer
	records []kgo.Record
	headers []kgo.RecordHeader
	first   int   // where the last record's headers start
	bytes   int64 // keys, values and headers

	// Set by Produce.
	done    func(BatchResult)
	promise func(*kgo.Record, error) // b.finish, bound once
	pending int                      // only touched by the library's promise goroutine after Produce
	failed  []RecordError
	cursor  int // where the last failed record stood
}

// NewBatch returns an empty batch with room for n records; it grows as needed.
// Any goroutine may call it.
func (p *Producer) NewBatch(n int) *Batch {
	b, _ := p.batches.Get().(*Batch)
	if b == nil {
		b = &Batch{p: p}
		b.promise = b.finish
	}
	if cap(b.records) < n {
		b.records = make([]kgo.Record, 0, n)
	}
	return b
}

// NewDetachedBatch returns a batch that belongs to no producer, for those who only look at it.
func NewDetachedBatch(n int) *Batch { return &Batch{records: make([]kgo.Record, 0, n)} }

// BatchRecord is a record of a batch, as it would be sent. Its slices are those of the batch.
type BatchRecord struct {
	Topic           string
	Partition       int32 // PartitionAny when the producer chooses
	TimestampMillis int64 // TimestampNow when the producer stamps it
	Key, Value      []byte
	Headers         Headers
}

// At is the i-th record.
func (b *Batch) At(i int) BatchRecord {
	r := &b.records[i]
	out := BatchRecord{r.Topic, r.Partition, TimestampNow, r.Key, r.Value, Headers{r.Headers}}
	if !r.Timestamp.IsZero() {
		out.TimestampMillis = r.Timestamp.UnixMilli()
	}
	return out
}

// Append adds a record. key and value are not copied: they must stay unchanged
// until done is called. A nil slice is Kafka's null, an empty one is not.
// partition may be PartitionAny; timestampMillis (since 1970, UTC) may be
// TimestampNow, and every other negative value means the same.
func (b *Batch) Append(topic string, partition int32, timestampMillis int64, key, value []byte) {
	n := len(b.records)
	if n == cap(b.records) {
		b.records = append(b.records, kgo.Record{})
	} else {
		b.records = b.records[:n+1]
	}
	// The slot is zero (release clears it), so only the fields in use are written.
	r := &b.records[n]
	r.Key = key
	r.Value = value
	r.Topic = topic
	r.Partition = partition
	if timestampMillis >= 0 {
		r.Timestamp = time.UnixMilli(timestampMillis)
	}
	b.first = len(b.headers)
	b.bytes += int64(len(key) + len(value))
}

// AppendHeader adds a header to the record appended last. value is not copied.
func (b *Batch) AppendHeader(name string, value []byte) {
	b.headers = append(b.headers, kgo.RecordHeader{Key: name, Value: value})
	// When headers grew, older records keep their slices of the old array.
	b.records[len(b.records)-1].Headers = b.headers[b.first:len(b.headers):len(b.headers)]
	b.bytes += int64(len(name) + len(value))
}

// Len is the number of records.
func (b *Batch) Len() int { return len(b.records) }

// Bytes is the size of all keys, values and headers.
func (b *Batch) Bytes() int64 { return b.bytes }

// Discard gives back a batch that will not be produced.
func (b *Batch) Discard() { b.release() }

// maxPooledRecords keeps one huge batch from staying in the pool for ever (I-4).
const maxPooledRecords = 16 << 10

func (b *Batch) release() {
	if b.p == nil || cap(b.records) > maxPooledRecords || cap(b.headers) > maxPooledRecords {
		return
	}
	clear(b.records) // drops the references to the caller's slices
	clear(b.headers)
	b.records, b.headers = b.records[:0], b.headers[:0]
	b.first, b.bytes, b.pending, b.cursor = 0, 0, 0, 0
	b.done, b.failed = nil, nil
	b.p.batches.Put(b)
}

// finish is the promise of every record of the batch. The library calls promises
// one after another, so that no lock is needed.
func (b *Batch) finish(r *kgo.Record, err error) {
	if err != nil {
		b.failed = append(b.failed, b.p.recordError(b.indexOf(r), r, err))
	}
	b.pending--
	if b.pending > 0 {
		return
	}
	b.complete()
}

// complete reports the result and recycles the batch.
func (b *Batch) complete() {
	p, done := b.p, b.done
	sortByIndex(b.failed)
	done(BatchResult{Records: len(b.records), Failed: b.failed, batch: b}) // I-1: every record is acknowledged or refused
	b.release()
	p.outstanding.Done()
}

// indexOf finds a failed record. Records of one partition fail in order, so the
// search goes on from the last find and a whole batch costs one pass.
func (b *Batch) indexOf(r *kgo.Record) int {
	for i := range b.records {
		j := b.cursor + i
		if j >= len(b.records) {
			j -= len(b.records)
		}
		if &b.records[j] == r {
			b.cursor = j
			return j
		}
	}
	return -1
}

// BatchResult is the fate of a batch. It is valid inside the done function only,
// except Failed, which the receiver may keep.
type BatchResult struct {
	// Records is the number of records in the batch.
	Records int
	// Failed lists the records that were not delivered, by ascending index; empty
	// when all of them were acknowledged.
	Failed []RecordError

	batch *Batch
}

// Err is the failure of the first record by index that was not delivered, or nil.
func (r BatchResult) Err() error {
	if len(r.Failed) == 0 {
		return nil
	}
	return &r.Failed[0]
}

// Topics are those that have got a record of the batch.
func (r BatchResult) Topics() []string {
	var topics []string
	failed := r.Failed
	for i := range r.batch.records {
		for len(failed) > 0 && failed[0].Index < i {
			failed = failed[1:]
		}
		if len(failed) > 0 && failed[0].Index == i {
			continue
		}
		if t := r.batch.records[i].Topic; !slices.Contains(topics, t) {
			topics = append(topics, t)
		}
	}
	return topics
}

// Partition is where the i-th record was written.
func (r BatchResult) Partition(i int) int32 { return r.batch.records[i].Partition }

// Offset is the offset of the i-th record, or -1 when it failed or acks=0.
func (r BatchResult) Offset(i int) int64 { return r.batch.records[i].Offset }

// Record is a copy of the i-th record, which outlives the batch.
func (r BatchResult) Record(i int) FoundRecord {
	rec := &r.batch.records[i]
	return FoundRecord{bytes.Clone(rec.Key), bytes.Clone(rec.Value), Headers{rec.Headers}.Clone(), rec.Timestamp.UnixMilli()}
}

// TimestampMillis is the timestamp that the i-th record was sent with.
func (r BatchResult) TimestampMillis(i int) int64 { return r.batch.records[i].Timestamp.UnixMilli() }

// RecordError says why one record was not delivered.
type RecordError struct {
	Index     int    // in the batch
	Topic     string // as given to Append
	Partition int32  // as given to Append or chosen; PartitionAny when none was chosen
	Bytes     int64  // key, value and headers
	Kind      error  // one of the Err… variables, or nil
	Code      string // the broker's name for the failure, or empty
	Advice    string
	Retriable bool // producing it again may succeed

	cause error
}

func (e *RecordError) Error() string {
	where := "topic " + e.Topic
	if e.Partition >= 0 {
		where += " partition " + strconv.Itoa(int(e.Partition))
	}
	msg := fmt.Sprintf("kafka: produce record %d of the batch to %s: %v", e.Index, where, e.cause)
	if e.Advice != "" {
		msg += "; " + e.Advice
	}
	return msg
}

// Is makes errors.Is(err, ErrMessageTooLarge) and its siblings work.
func (e *RecordError) Is(target error) bool { return e.Kind != nil && target == e.Kind }

// Unwrap gives the cause.
func (e *RecordError) Unwrap() error { return e.cause }

func recordBytes(r *kgo.Record) int64 {
	n := int64(len(r.Key) + len(r.Value))
	for _, h := range r.Headers {
		n += int64(len(h.Key) + len(h.Value))
	}
	return n
}

// produceAll hands the records to the library, in order.
func (b *Batch) produceAll(ctx context.Context, cl *kgo.Client) {
	now := time.Now()
	records := b.records // finish may release b while the loop's last call returns
	promise := b.promise
	for i := range records {
		r := &records[i]
		if r.Timestamp.IsZero() {
			r.Timestamp = now
		}
		cl.Produce(ctx, r, promise)
	}
}
