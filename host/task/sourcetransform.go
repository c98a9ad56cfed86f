package task

import (
	"fmt"
	"slices"

	"github.com/tailrace/tailrace/host/convert"
	"github.com/tailrace/tailrace/host/transform"
	"github.com/tailrace/tailrace/sdk/go/data"
	"github.com/tailrace/tailrace/sdk/go/wire"
)

// transformed makes the Kafka batch with the connector's transforms before the
// converters. A record that a transform drops counts as done: its source offset
// is stored with the next commit, so that a source whose records are all dropped
// does not read them again after a restart (Kafka Connect forgets these
// offsets, reference section 5.4.3 and KIP-910).
func (c *sourceConverter) transformed(b *wire.SourceBatch) *preparedBatch {
	p := &preparedBatch{kafka: c.newBatch(b.Len()), firstSeq: b.FirstSeq(), through: b.LastSeq(), cost: b.Cost(), trace: c.trace}
	var dst []byte
	c.transformAll(b)
	defer c.batch.Reset()
	c.offsets.reset()
	var r wire.SourceRecord
	i := 0
	for cur := b.Cursor(); cur.Next(&r); i++ {
		t := c.batch.At(i)
		if t.Dropped() {
			p.skipped = append(p.skipped, i)
			p.filtered++
		} else {
			dst = p.converted.room(dst, p.cost)
			no, after := c.appendTransformed(p, t, dst)
			p.converted.note(len(after) - len(dst))
			if dst = after; no.err != nil && !c.skip(p, t, &r, b, cur.Seq(), no) {
				break
			}
		}
		if r.SourcePartition != 0 && len(r.Offset) > 0 {
			c.offsets.note(r.SourcePartition, r.OffsetSchema, r.Offset)
		}
	}
	p.converted.keep(dst)
	p.bytes = p.kafka.Bytes()
	p.offsets = c.offsets.list(b.Schemas())
	return p
}

// transformAll runs the batch through the chain; the outcome is in c.batch.
func (c *sourceConverter) transformAll(b *wire.SourceBatch) {
	if c.batch == nil {
		c.batch = transform.NewBatch(transform.Source)
	}
	schemas, topics := b.Schemas(), b.Topics()
	var r wire.SourceRecord
	for cur := b.Cursor(); cur.Next(&r); {
		fillSource(c.batch.Add(), &r, schemas, topics[r.Topic])
	}
	c.Transforms.Apply(c.batch)
}

// appendTransformed converts a record that left the chain and appends it.
func (c *sourceConverter) appendTransformed(p *preparedBatch, t *transform.Record, dst []byte) (no refusal, after []byte) {
	if f := t.Failure(); f != nil {
		return refusal{stage: StageTransformation, class: f.Class, transform: f.Alias, err: f.Err}, dst
	}
	// Kafka Connect converts headers first.
	var err error
	if dst, err = c.transformedHeaders(t, dst); err != nil {
		return refusal{stage: StageHeaderConverter, class: c.HeaderClass, err: err}, dst
	}
	var key, value []byte
	if key, dst, err = transformedPart(c.Key, &t.Key, t.Topic, dst); err != nil {
		return refusal{stage: StageKeyConverter, class: c.KeyClass, err: err}, dst
	}
	if value, dst, err = transformedPart(c.Value, &t.Value, t.Topic, dst); err != nil {
		return refusal{stage: StageValueConverter, class: c.ValueClass, err: err}, dst
	}
	timestamp := t.Timestamp
	if timestamp == transform.NoTimestamp {
		timestamp = wire.NoTimestamp
	} else if timestamp < 0 {
		err = fmt.Errorf("Invalid record timestamp %d", timestamp) //nolint:staticcheck // Kafka's text
		return refusal{stage: StageValueConverter, class: c.ValueClass, err: err}, dst
	}
	if !slices.Contains(p.topics, t.Topic) {
		p.topics = append(p.topics, t.Topic)
	}
	p.kafka.Append(t.Topic, t.Partition, timestamp, key, value)
	for i := range c.headerScratch {
		p.kafka.AppendHeader(c.headerScratch[i].name, c.headerScratch[i].value)
	}
	if p.trace != nil {
		c.propagate(p)
	}
	return refusal{}, dst
}

func transformedPart(conv convert.Converter, cell *transform.Cell, topic string, dst []byte) (out, after []byte, err error) {
	raw, dst, err := cell.Wire(dst)
	if err != nil || len(raw) == 0 && cell.Schema() == nil {
		return nil, dst, err // null without a schema is null for every converter
	}
	return conv.FromConnect(dst, topic, cell.Schema(), raw)
}

func (c *sourceConverter) transformedHeaders(t *transform.Record, dst []byte) ([]byte, error) {
	c.headerScratch = c.headerScratch[:0]
	list, err := t.Headers.All()
	if err != nil {
		return dst, err
	}
	for i := range list {
		h := &list[i]
		var raw, out []byte
		if raw, dst, err = h.Value.Wire(dst); err == nil {
			out, dst, err = c.Header.FromHeader(dst, t.Topic, h.Name, h.Value.Schema(), headerWire(h.Value.Schema(), raw))
		}
		if err != nil {
			return dst, fmt.Errorf("header %q: %w", h.Name, err)
		}
		c.headerScratch = append(c.headerScratch, header{h.Name, out})
	}
	return dst, nil
}

// headerWire writes null in full, where no bytes at all may stand for it.
func headerWire(schema *data.Schema, raw []byte) []byte {
	if schema == nil && len(raw) == 0 {
		return nullWire
	}
	return raw
}

var nullWire = data.AppendLong(nil, data.AnyNull)
