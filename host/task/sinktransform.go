package task

import (
	"fmt"

	"github.com/tailrace/tailrace/host/kafka"
	"github.com/tailrace/tailrace/host/transform"
	"github.com/tailrace/tailrace/sdk/go/data"
	"github.com/tailrace/tailrace/sdk/go/wire"
)

// Records go through the transforms in runs of at most this many records and about this many bytes.
const (
	transformRecords = 512
	transformBytes   = 256 << 10
)

// sinkChain is what a sink's transforms need between calls.
type sinkChain struct {
	batch   *transform.Batch
	arena   []byte
	refused []refusal // by place in the batch; err is nil for what was converted
}

// refusal is why a record is errant.
type refusal struct {
	stage, class string
	transform    string // its name in the configuration, if it was one
	err          error
}

// runTransformed is run with the transforms behind the converters. Offsets and
// partitions stay those of the record as it was read (KIP-793): only topic,
// key, value, headers and timestamp are the transforms' to change.
func (c *sinkConverter) runTransformed(b *wire.SinkBatchBuilder, run *kafka.Run, i int, budgetBytes int64, budgetRecords int, alone bool) (next int, ok bool) {
	c.offsets, c.converted = nil, false
	for i < run.Len() && b.Len() < budgetRecords {
		left := budgetBytes - b.Cost()
		if left <= 0 || b.Len() == 0 && !alone && recordCost(run, i) > left {
			break
		}
		end := c.transformRun(run, i, left, budgetRecords-b.Len())
		for first := i; i < end; i++ {
			fits, no := c.take(b, run, i, i-first, budgetBytes, alone)
			if no.err != nil {
				if !c.errant(run, i, no) {
					return i, false
				}
			} else if !fits {
				return i, true // the rest is transformed again when there is room
			}
		}
	}
	return i, true
}

func recordCost(run *kafka.Run, i int) int64 {
	return int64(len(run.Key(i))+len(run.Value(i))) + wire.RecordOverheadBytes
}

// transformRun converts some records from index i on and runs them through the chain.
func (c *sinkConverter) transformRun(run *kafka.Run, i int, budgetBytes int64, budgetRecords int) (end int) {
	if c.chain.batch == nil {
		c.chain.batch = transform.NewBatch(transform.Sink)
	}
	c.chain.batch.Reset()
	c.chain.arena, c.chain.refused = c.chain.arena[:0], c.chain.refused[:0]
	limit := min(budgetBytes, transformBytes)
	for end = i; end < run.Len() && end-i < min(transformRecords, budgetRecords); end++ {
		limit -= recordCost(run, end)
		if limit < 0 && end > i {
			break
		}
		c.transformOne(run, end)
	}
	c.Transforms.Apply(c.chain.batch)
	return end
}

// transformOne adds a record in the form of a transform's batch.
func (c *sinkConverter) transformOne(run *kafka.Run, i int) {
	t := c.chain.batch.Add()
	t.Topic, t.Partition, t.Offset = run.Topic, run.Partition, run.Offset(i)
	t.OriginalTopic, t.OriginalPartition = run.Topic, run.Partition
	if at := run.TimestampMillis(i); at != wire.NoTimestamp {
		t.Timestamp = at
	}
	switch run.TimestampType(i) {
	case kafka.CreateTime:
		t.TimestampType = transform.CreateTime
	case kafka.LogAppendTime:
		t.TimestampType = transform.LogAppendTime
	case kafka.NoTimestamp:
	}
	no := c.convertInto(t, run, i)
	if no.err != nil {
		t.Drop() // the chain leaves it alone
	} else {
		c.converted = true
	}
	c.chain.refused = append(c.chain.refused, no)
}

func (c *sinkConverter) convertInto(t *transform.Record, run *kafka.Run, i int) refusal {
	start := len(c.chain.arena)
	schema, after, err := c.Key.ToConnect(c.chain.arena, run.Topic, run.Key(i))
	if err != nil {
		return refusal{stage: StageKeyConverter, class: c.KeyClass, err: err}
	}
	t.Key.SetWire(schema, after[start:len(after):len(after)])
	start = len(after)
	if schema, after, err = c.Value.ToConnect(after, run.Topic, run.Value(i)); err != nil {
		return refusal{stage: StageValueConverter, class: c.ValueClass, err: err}
	}
	t.Value.SetWire(schema, after[start:len(after):len(after)])
	h := run.Headers(i)
	for j := range h.Len() {
		name, value := h.At(j)
		start = len(after)
		if schema, after, err = c.Header.ToHeader(after, run.Topic, name, value); err == nil {
			err = t.Headers.AddWire(name, schema, after[start:len(after):len(after)])
		}
		if err != nil {
			return refusal{stage: StageHeaderConverter, class: c.HeaderClass, err: fmt.Errorf("header %q: %w", name, err)}
		}
	}
	c.chain.arena = after
	return refusal{}
}

// take appends a record that left the chain; fits is false when it must wait.
func (c *sinkConverter) take(b *wire.SinkBatchBuilder, run *kafka.Run, i, place int, budgetBytes int64, alone bool) (fits bool, no refusal) {
	if no := c.chain.refused[place]; no.err != nil {
		return true, no
	}
	t := c.chain.batch.At(place)
	if f := t.Failure(); f != nil {
		return true, refusal{stage: StageTransformation, class: f.Class, transform: f.Alias, err: f.Err}
	}
	if t.Dropped() {
		c.filtered++
		return true, refusal{}
	}
	before := b.Block
	block, keyID, err := c.appendCell(before, &t.Key)
	keyEnd := len(block)
	var valueID uint32
	if err == nil {
		block, valueID, err = c.appendCell(block, &t.Value)
	}
	valueEnd := len(block)
	if err == nil {
		block, err = c.appendTransformedHeaders(block, t)
	}
	size := len(block) - len(before)
	if err == nil && size > wire.MaxFrameBytes {
		err = fmt.Errorf("the record takes %d bytes for the plugin, and a frame holds %d", size, wire.MaxFrameBytes)
	}
	b.Block = before
	if err != nil {
		return true, refusal{stage: StageTransformation, class: transformationChain, err: err}
	}
	if (b.Len() > 0 || !alone) && (b.Cost()+int64(size)+wire.RecordOverheadBytes > budgetBytes || b.Len() > 0 && len(block) > frameLimit) {
		return false, refusal{}
	}
	timestamp := t.Timestamp
	if timestamp == transform.NoTimestamp {
		timestamp = wire.NoTimestamp
	}
	c.include(run.Offset(i), b.Len())
	b.Begin(run.Offset(i), timestamp)
	b.SetTopic(t.Topic)
	b.Block = block[:keyEnd]
	b.EndKey(keyID)
	b.Block = block[:valueEnd]
	b.EndValue(valueID)
	b.Block = block
	b.EndHeaders()
	return true, refusal{}
}

func (c *sinkConverter) appendCell(block []byte, cell *transform.Cell) (after []byte, id uint32, err error) {
	raw, scratch, err := cell.Wire(c.scratch[:0])
	c.scratch = scratch[:0]
	if err != nil {
		return block, 0, err
	}
	id, err = c.schemaOf(cell.Schema())
	return append(block, raw...), id, err
}

func (c *sinkConverter) schemaOf(schema *data.Schema) (uint32, error) {
	if schema == nil {
		return 0, nil
	}
	return c.schemas.ID(schema)
}

func (c *sinkConverter) appendTransformedHeaders(block []byte, t *transform.Record) ([]byte, error) {
	list, err := t.Headers.All()
	if err != nil {
		return block, err
	}
	for i := range list {
		h := &list[i]
		raw, scratch, err := h.Value.Wire(c.scratch[:0])
		c.scratch = scratch[:0]
		if err != nil {
			return block, fmt.Errorf("header %q: %w", h.Name, err)
		}
		id, err := c.schemaOf(h.Value.Schema())
		if err != nil {
			return block, err
		}
		block = wire.AppendHeader(block, h.Name, id, headerWire(h.Value.Schema(), raw))
	}
	return block, nil
}

// transformationChain is the class for what leaves the chain and has no wire form.
const transformationChain = "org.apache.kafka.connect.runtime.TransformationChain"
