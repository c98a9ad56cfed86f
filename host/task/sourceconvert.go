package task

import (
	"errors"
	"fmt"
	"time"

	"github.com/tailrace/tailrace/host/convert"
	"github.com/tailrace/tailrace/host/kafka"
	"github.com/tailrace/tailrace/host/tracing"
	"github.com/tailrace/tailrace/host/transform"
	"github.com/tailrace/tailrace/sdk/go/data"
	"github.com/tailrace/tailrace/sdk/go/wire"
)

// preparedBatch is a batch of a task, converted and ready for Produce.
type preparedBatch struct {
	kafka    *kafka.Batch
	firstSeq uint64
	through  uint64 // last sequence number that it covers
	cost     int64
	bytes    int64
	topics   []string
	filtered int // records that transforms dropped
	offsets  []partitionOffset
	// skipped are the places of records that are not in the Kafka batch, ascending.
	skipped []int
	// failure ends the task behind this batch; the records before it are in the batch.
	failure error
	// letters are the dead letters of records that were skipped; the offsets wait for them.
	letters []Errant
	fate    batchFate // owner only
	given   bool      // the sender has it; owner only
	begins  bool      // a transaction begins with it
	ends    bool      // nothing follows it in its transaction

	converted convertedBytes
	ticket    ticket
	trace     *tracing.Source // nil without traces
	polled    time.Duration   // how long the poll took; 0 when the plugin does not tell
}

// count is the number of records that the task sent.
func (p *preparedBatch) count() uint64 { return p.through - p.firstSeq + 1 }

// seqOf is the sequence number of a record of the Kafka batch.
func (p *preparedBatch) seqOf(index int) uint64 {
	for _, place := range p.skipped {
		if place > index {
			break
		}
		index++
	}
	return p.firstSeq + uint64(index)
}

// release frees what the records pointed at.
func (p *preparedBatch) release() { p.converted.release() }

// sourceConverter turns batches of a stream into Kafka batches. It belongs to
// the goroutine that receives, because schemas are defined there.
type sourceConverter struct {
	Converters
	newBatch func(records int) *kafka.Batch
	policy   ErrorPolicy
	// errant hears of records that are skipped; errants makes their dead letters.
	errant  func(*RecordFailure)
	errants *sourceErrants

	keyForm, valueForm columnForm
	offsets            offsetTracker
	topics             topicTracker
	headerScratch      []header
	batch              *transform.Batch // only with transforms
	trace              *tracing.Source  // of the next batch; nil without traces
}

// columnForm remembers how the last schema of a column is converted.
type columnForm struct {
	id     uint32
	known  bool
	schema *data.Schema
	form   convert.Form
}

func (f *columnForm) set(id uint32, c convert.Converter, schemas *wire.SchemaTable) {
	f.id, f.known, f.schema = id, true, schemas.Get(id)
	f.form = formOf(c, f.schema)
}

// errTrailing is a value with bytes behind it.
var errTrailing = errors.New("there are bytes behind the value")

// convert makes the Kafka batch. Bytes that need no conversion stay where they
// are, in the received block.
func (c *sourceConverter) convert(b *wire.SourceBatch) *preparedBatch {
	if c.Transforms != nil {
		return c.transformed(b)
	}
	p := &preparedBatch{
		kafka: c.newBatch(b.Len()), firstSeq: b.FirstSeq(), through: b.LastSeq(), cost: b.Cost(),
		trace: c.trace,
	}
	var dst []byte
	schemas, topics := b.Schemas(), b.Topics()
	c.offsets.reset()
	c.topics.reset(len(topics))
	var r wire.SourceRecord
	var key, value []byte
	for cur := b.Cursor(); cur.Next(&r); {
		var err error
		stage := StageKeyConverter
		key = nil
		if len(r.Key) > 0 || r.KeySchema != 0 {
			key, dst, err = c.part(&c.keyForm, c.Key, schemas, r.KeySchema, r.Key, p, dst, topics[r.Topic])
		}
		value = nil
		if err == nil && (len(r.Value) > 0 || r.ValueSchema != 0) {
			stage = StageValueConverter
			if c.valueForm.known && c.valueForm.id == r.ValueSchema && c.valueForm.form == convert.FormBody {
				var rest []byte
				if value, rest, err = data.ReadBytes(r.Value); err == nil && len(rest) > 0 {
					err = errTrailing
				}
			} else {
				value, dst, err = c.part(&c.valueForm, c.Value, schemas, r.ValueSchema, r.Value, p, dst, topics[r.Topic])
			}
		}
		if err == nil && r.TimestampMillis < wire.NoTimestamp {
			err = fmt.Errorf("Invalid record timestamp %d", r.TimestampMillis) //nolint:staticcheck // Kafka's text
		}
		c.headerScratch = c.headerScratch[:0]
		if err == nil && len(r.Headers) > 0 {
			stage = StageHeaderConverter
			dst, err = c.headers(&r, schemas, topics[r.Topic], p, dst)
		}
		if err == nil {
			c.topics.note(int(r.Topic))
			p.kafka.Append(topics[r.Topic], r.KafkaPartition, r.TimestampMillis, key, value)
			for i := range c.headerScratch {
				p.kafka.AppendHeader(c.headerScratch[i].name, c.headerScratch[i].value)
			}
			if p.trace != nil {
				c.propagate(p)
			}
		}
		if err != nil && !c.skip(p, c.errants.record(&r, schemas, topics[r.Topic]), &r, b, cur.Seq(), refusal{stage: stage, class: c.class(stage), err: err}) {
			break
		}
		if r.SourcePartition != 0 && len(r.Offset) > 0 {
			c.offsets.note(r.SourcePartition, r.OffsetSchema, r.Offset)
		}
	}
	p.converted.keep(dst)
	p.bytes = p.kafka.Bytes()
	p.topics = c.topics.list(topics)
	p.offsets = c.offsets.list(schemas)
	return p
}

// propagate gives the record appended last the trace of its batch, unless it came with one of its own.
func (c *sourceConverter) propagate(p *preparedBatch) {
	for i := range c.headerScratch {
		if c.headerScratch[i].name == tracing.Traceparent {
			p.trace.Saw(c.headerScratch[i].value)
			return
		}
	}
	if value := p.trace.Header(); value != nil {
		p.kafka.AppendHeader(tracing.Traceparent, value)
	}
}

// part converts a key or value through the converter.
func (c *sourceConverter) part(f *columnForm, conv convert.Converter, schemas *wire.SchemaTable, id uint32, raw []byte, p *preparedBatch, dst []byte, topic string) (out, after []byte, err error) {
	if !f.known || f.id != id {
		f.set(id, conv, schemas)
	}
	dst = p.converted.room(dst, p.cost)
	out, after, err = conv.FromConnect(dst, topic, f.schema, raw)
	p.converted.note(len(after) - len(dst))
	return out, after, err
}

func (c *sourceConverter) headers(r *wire.SourceRecord, schemas *wire.SchemaTable, topic string, p *preparedBatch, dst []byte) ([]byte, error) {
	dst = p.converted.room(dst, p.cost)
	for rest := r.Headers; len(rest) > 0; {
		var h wire.Header
		var err error
		if h, rest, err = wire.ReadHeader(rest); err != nil {
			return dst, err
		}
		var out []byte
		if out, dst, err = c.Header.FromHeader(dst, topic, h.Name, schemas.Get(h.Schema), h.Value); err != nil {
			return dst, fmt.Errorf("header %q: %w", h.Name, err)
		}
		c.headerScratch = append(c.headerScratch, header{h.Name, out})
	}
	return dst, nil
}

// header is a converted header on its way into the batch.
type header struct {
	name  string
	value []byte
}

func (c *sourceConverter) class(stage string) string {
	switch stage {
	case StageKeyConverter:
		return c.KeyClass
	case StageValueConverter:
		return c.ValueClass
	}
	return c.HeaderClass
}

// topicTracker finds which of the topics that a batch names have a record in the Kafka batch: one whose records all fail is
// neither created nor counted as used.
type topicTracker struct {
	found []bool
	count int
}

func (t *topicTracker) reset(topics int) {
	t.found = append(t.found[:0], make([]bool, topics)...)
	t.count = 0
}

func (t *topicTracker) note(topic int) {
	if !t.found[topic] {
		t.found[topic] = true
		t.count++
	}
}

func (t *topicTracker) list(topics []string) []string {
	if t.count == len(topics) {
		return topics
	}
	list := make([]string, 0, t.count)
	for i, found := range t.found {
		if found {
			list = append(list, topics[i])
		}
	}
	return list
}

// offsetTracker finds the last offset of each source partition in a batch.
type offsetTracker struct {
	last  int // index of the partition noted last
	found []trackedOffset
	index map[uint32]int // only from manyPartitions on
}

type trackedOffset struct {
	partition, schema uint32
	wire              []byte
}

const manyPartitions = 16

func (t *offsetTracker) reset() {
	clear(t.found) // the blocks they point at are free
	t.found, t.last, t.index = t.found[:0], 0, nil
}

func (t *offsetTracker) note(partition, schema uint32, wire []byte) {
	if t.last < len(t.found) && t.found[t.last].partition == partition {
		t.found[t.last].schema, t.found[t.last].wire = schema, wire
		return
	}
	t.last = t.find(partition)
	t.found[t.last].schema, t.found[t.last].wire = schema, wire
}

func (t *offsetTracker) find(partition uint32) int {
	if t.index != nil {
		if i, ok := t.index[partition]; ok {
			return i
		}
	} else {
		for i := range t.found {
			if t.found[i].partition == partition {
				return i
			}
		}
	}
	t.found = append(t.found, trackedOffset{partition: partition})
	n := len(t.found)
	if t.index != nil {
		t.index[partition] = n - 1
	} else if n == manyPartitions {
		t.index = make(map[uint32]int, 4*manyPartitions)
		for i := range t.found {
			t.index[t.found[i].partition] = i
		}
	}
	return n - 1
}

// list copies what was found, so that the block can be freed before the offsets are.
func (t *offsetTracker) list(schemas *wire.SchemaTable) []partitionOffset {
	if len(t.found) == 0 {
		return nil
	}
	size := 0
	for i := range t.found {
		size += len(t.found[i].wire)
	}
	block := make([]byte, 0, size)
	list := make([]partitionOffset, len(t.found))
	for i, f := range t.found {
		from := len(block)
		block = append(block, f.wire...)
		list[i] = partitionOffset{f.partition, sourceOffset{schemas.Get(f.schema), block[from:len(block):len(block)]}}
	}
	return list
}
