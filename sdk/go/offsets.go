package connect

import (
	"context"
	"errors"
	"fmt"
	"sync"

	pluginv1 "github.com/tailrace/tailrace/gen/tailrace/plugin/v1"
	"github.com/tailrace/tailrace/sdk/go/data"
	"github.com/tailrace/tailrace/sdk/go/wire"
)

// encodePartition is a partition map as the protocol has it: a schemaless map with its
// keys in order, so that equal maps have equal bytes.
func encodePartition(values map[string]any) ([]byte, error) {
	if len(values) == 0 {
		return nil, errors.New("source partition is empty: name what is read, for example {\"filename\": \"app.log\"}")
	}
	v, err := data.Convert(nil, values)
	if err != nil {
		return nil, fmt.Errorf("source partition: %w", err)
	}
	b, err := data.AppendValue(nil, nil, v)
	if err != nil {
		return nil, fmt.Errorf("source partition: %w", err)
	}
	if len(b) > wire.MaxPartitionBytes {
		return nil, fmt.Errorf("source partition takes %d bytes, the limit is %d", len(b), wire.MaxPartitionBytes)
	}
	return b, nil
}

// appendOffset is an offset map as the protocol has it.
func appendOffset(dst []byte, o Offset) ([]byte, error) {
	v, err := data.Convert(nil, map[string]any(o))
	if err != nil {
		return dst, fmt.Errorf("source offset: %w", err)
	}
	return data.AppendValue(dst, nil, v)
}

// decodeStringMap reads a schemaless map with string keys; no bytes and null are nil.
func decodeStringMap(b []byte) (map[string]any, error) {
	if len(b) == 0 {
		return nil, nil //nolint:nilnil // nothing is stored
	}
	v, err := data.DecodeValue(nil, b)
	if err != nil {
		return nil, err
	}
	if v == nil {
		return nil, nil //nolint:nilnil // nothing is stored
	}
	m, ok := v.(*data.Map)
	if !ok {
		return nil, fmt.Errorf("want a map with string keys, not %T", v)
	}
	out := make(map[string]any, m.Len())
	for _, e := range m.Entries() {
		k, ok := e.Key.(string)
		if !ok {
			return nil, fmt.Errorf("want a map with string keys, not %T", e.Key)
		}
		out[k] = e.Value
	}
	return out, nil
}

// partitionTable gives source partitions their ids on one stream. It may be used by
// any goroutine.
type partitionTable struct {
	mu      sync.Mutex
	byBytes map[string]*Partition
	pending []*pluginv1.PartitionDef
}

func (t *partitionTable) get(values map[string]any) (*Partition, error) {
	b, err := encodePartition(values)
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if p, ok := t.byBytes[string(b)]; ok {
		return p, nil
	}
	if len(t.byBytes) >= wire.MaxPartitions {
		return nil, fmt.Errorf("more than %d source partitions in one task", wire.MaxPartitions)
	}
	if t.byBytes == nil {
		t.byBytes = make(map[string]*Partition)
	}
	p := &Partition{id: uint32(len(t.byBytes) + 1), values: values}
	t.byBytes[string(b)] = p
	t.pending = append(t.pending, &pluginv1.PartitionDef{Id: p.id, Partition: b})
	return p, nil
}

// take returns the definitions that were not sent yet.
func (t *partitionTable) take() []*pluginv1.PartitionDef {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.pending
	t.pending = nil
	return p
}

// offsetQuestions is the OffsetReader over a stream: questions go out by ask, answers come
// back through answer. It may be used by any goroutine.
type offsetQuestions struct {
	ask func(context.Context, *pluginv1.ReadOffsets) error

	mu      sync.Mutex
	next    uint64
	waiting map[uint64]chan *pluginv1.Offsets
}

func (q *offsetQuestions) Offset(ctx context.Context, partition map[string]any) (Offset, error) {
	all, err := q.Offsets(ctx, []map[string]any{partition})
	if err != nil {
		return nil, err
	}
	return all[0], nil
}

func (q *offsetQuestions) Offsets(ctx context.Context, partitions []map[string]any) ([]Offset, error) {
	if len(partitions) == 0 {
		return nil, nil
	}
	msg := &pluginv1.ReadOffsets{}
	for _, values := range partitions {
		b, err := encodePartition(values)
		if err != nil {
			return nil, err
		}
		msg.Partitions = append(msg.Partitions, b)
	}
	answer := make(chan *pluginv1.Offsets, 1)
	q.mu.Lock()
	q.next++
	msg.RequestId = q.next
	if q.waiting == nil {
		q.waiting = make(map[uint64]chan *pluginv1.Offsets)
	}
	q.waiting[msg.RequestId] = answer
	q.mu.Unlock()
	defer func() {
		q.mu.Lock()
		delete(q.waiting, msg.RequestId)
		q.mu.Unlock()
	}()
	if err := q.ask(ctx, msg); err != nil {
		return nil, fmt.Errorf("read source offsets: %w", err)
	}
	select {
	case a := <-answer:
		return readOffsets(a, len(partitions))
	case <-ctx.Done():
		return nil, fmt.Errorf("read source offsets: %w", ctx.Err())
	}
}

// answer hands an answer to who waits for it; one that nobody waits for is dropped.
func (q *offsetQuestions) answer(a *pluginv1.Offsets) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if ch := q.waiting[a.GetRequestId()]; ch != nil {
		delete(q.waiting, a.GetRequestId())
		ch <- a
	}
}

func readOffsets(a *pluginv1.Offsets, asked int) ([]Offset, error) {
	if err := errorFromProto(a.GetError()); err != nil {
		return nil, fmt.Errorf("read source offsets: %w", err)
	}
	if len(a.GetOffsets()) != asked {
		return nil, fmt.Errorf("read source offsets: asked for %d, the worker answered %d", asked, len(a.GetOffsets()))
	}
	out := make([]Offset, asked)
	for i, b := range a.GetOffsets() {
		m, err := decodeStringMap(b)
		if err != nil {
			return nil, fmt.Errorf("read source offsets: stored offset %d: %w", i, err)
		}
		out[i] = m
	}
	return out, nil
}

// noOffsets is the OffsetReader of sinks.
type noOffsets struct{}

func (noOffsets) Offset(context.Context, map[string]any) (Offset, error) { return nil, nil }

func (noOffsets) Offsets(_ context.Context, partitions []map[string]any) ([]Offset, error) {
	return make([]Offset, len(partitions)), nil
}
