package task

import (
	"fmt"

	pluginv1 "github.com/tailrace/tailrace/gen/tailrace/plugin/v1"
	"github.com/tailrace/tailrace/host/kafka"
	"github.com/tailrace/tailrace/sdk/go/data"
	"github.com/tailrace/tailrace/sdk/go/wire"
)

// sinkConverter turns runs of a fetch into batches of a stream. It belongs to
// the goroutine that sends, because schemas are defined there.
type sinkConverter struct {
	Converters
	schemas *wire.SchemaWriter
	// errant hears of a record that cannot be converted; false ends the run before it.
	errant func(run *kafka.Run, i int, no refusal) bool

	keyID, valueID, headerID schemaID
	scratch                  []byte
	chain                    sinkChain // only with transforms
	filtered                 uint64    // records that transforms dropped

	// Of the last call of run: the offsets of its first and last record, and of
	// all of them when they have gaps.
	firstOffset, lastOffset int64
	offsets                 []int64
	converted               bool // at least one passed the converters, whatever the transforms made of it
}

// schemaID remembers the id of the last schema.
type schemaID struct {
	schema *data.Schema
	id     uint32
	known  bool
}

func (s *schemaID) of(schema *data.Schema, w *wire.SchemaWriter) (uint32, error) {
	if s.known && s.schema == schema {
		return s.id, nil
	}
	id, err := w.ID(schema)
	if err != nil {
		return 0, err
	}
	s.schema, s.id, s.known = schema, id, true
	return id, nil
}

// reset forgets the ids of a stream that is over.
func (c *sinkConverter) reset(w *wire.SchemaWriter) {
	c.schemas = w
	c.keyID, c.valueID, c.headerID = schemaID{}, schemaID{}, schemaID{}
}

// frameLimit is what a batch may grow to; a single record may be larger, up to wire.MaxFrameBytes.
const frameLimit = wire.MaxFrameBytes / 2

// run adds records from index i on, until the budget of bytes or of records is
// used; alone lets the first record pass the budget. It returns the index of the first record that is left, and false when a
// record ended the run.
func (c *sinkConverter) run(b *wire.SinkBatchBuilder, run *kafka.Run, i int, budgetBytes int64, budgetRecords int, alone bool) (next int, ok bool) {
	if c.Transforms != nil {
		return c.runTransformed(b, run, i, budgetBytes, budgetRecords, alone)
	}
	n := run.Len()
	c.offsets, c.converted = nil, false
	for ; i < n && b.Len() < budgetRecords; i++ {
		key, value := run.Key(i), run.Value(i)
		if (b.Len() > 0 || !alone) && b.Cost()+int64(len(key)+len(value))+wire.RecordOverheadBytes > budgetBytes {
			break
		}
		// The parts are appended first and booked after, so that a record that fails leaves no trace.
		before := b.Block
		stage, class := StageKeyConverter, c.KeyClass
		keySchema, block, err := c.Key.ToConnect(before, run.Topic, key)
		keyEnd := len(block)
		var valueSchema *data.Schema
		if err == nil {
			stage, class = StageValueConverter, c.ValueClass
			valueSchema, block, err = c.Value.ToConnect(block, run.Topic, value)
		}
		valueEnd := len(block)
		if h := run.Headers(i); err == nil && h.Len() > 0 {
			stage, class = StageHeaderConverter, c.HeaderClass
			block, err = c.appendHeaders(block, run.Topic, h)
		}
		var keyID, valueID uint32
		if err == nil {
			if keyID, err = c.keyID.of(keySchema, c.schemas); err == nil {
				valueID, err = c.valueID.of(valueSchema, c.schemas)
			}
		}
		if err == nil && len(block)-len(before) > wire.MaxFrameBytes {
			err = fmt.Errorf("the record takes %d bytes for the plugin, and a frame holds %d", len(block)-len(before), wire.MaxFrameBytes)
		}
		if err != nil {
			b.Block = before
			if !c.errant(run, i, refusal{stage: stage, class: class, err: err}) {
				return i, false
			}
			continue
		}
		c.converted = true
		if len(block) > frameLimit && b.Len() > 0 {
			b.Block = before
			break
		}
		c.include(run.Offset(i), b.Len())
		b.Block = before
		b.Begin(run.Offset(i), run.TimestampMillis(i))
		b.Block = block[:keyEnd]
		b.EndKey(keyID)
		b.Block = block[:valueEnd]
		b.EndValue(valueID)
		b.Block = block
		b.EndHeaders()
	}
	return i, true
}

// include keeps the offset of the record that becomes number n of the batch.
func (c *sinkConverter) include(offset int64, n int) {
	c.lastOffset = offset
	switch {
	case n == 0:
		c.firstOffset = offset
	case c.offsets != nil:
		c.offsets = append(c.offsets, offset)
	case offset != c.firstOffset+int64(n):
		c.offsets = make([]int64, n, 2*n+1)
		for i := range c.offsets {
			c.offsets[i] = c.firstOffset + int64(i)
		}
		c.offsets = append(c.offsets, offset)
	}
}

func (c *sinkConverter) appendHeaders(block []byte, topic string, h kafka.Headers) ([]byte, error) {
	for j := range h.Len() {
		name, value := h.At(j)
		schema, converted, err := c.Header.ToHeader(c.scratch[:0], topic, name, value)
		if err != nil {
			return block, fmt.Errorf("header %q: %w", name, err)
		}
		c.scratch = converted[:0]
		id, err := c.headerID.of(schema, c.schemas)
		if err != nil {
			return block, err
		}
		block = wire.AppendHeader(block, name, id, converted)
	}
	return block, nil
}

// timestampType translates Kafka's into the protocol's.
func timestampType(t kafka.TimestampType) pluginv1.TimestampType {
	switch t {
	case kafka.CreateTime:
		return pluginv1.TimestampType_TIMESTAMP_TYPE_CREATE_TIME
	case kafka.LogAppendTime:
		return pluginv1.TimestampType_TIMESTAMP_TYPE_LOG_APPEND_TIME
	}
	return pluginv1.TimestampType_TIMESTAMP_TYPE_UNSPECIFIED
}
