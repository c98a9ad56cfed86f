package connecttest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	pluginv1 "github.com/tailrace/tailrace/gen/tailrace/plugin/v1"
	connect "github.com/tailrace/tailrace/sdk/go"
	"github.com/tailrace/tailrace/sdk/go/data"
	"github.com/tailrace/tailrace/sdk/go/wire"
)

// sourceDriver is the worker's side of one source task. It checks every frame.
type sourceDriver struct {
	stream pluginv1.ConnectorPluginService_RunSourceClient
	cancel context.CancelFunc
	epoch  uint64
	store  *Offsets
	// auto acknowledges every batch at once: credit, offsets, commit.
	auto bool

	sendMu sync.Mutex
	watch

	// Under the lock of watch.
	schemas    wire.SchemaTable
	partitions []string // wire bytes by id-1
	credit     int64
	cost       []batchAck
	records    []Record
	batches    int
	lastSeq    uint64
	committed  uint64
	started    bool
	caps       []pluginv1.Capability
	failure    *pluginv1.Error
	drained    *uint64
	retries    []*pluginv1.RetryNotice
	beats      int
	logs       []*pluginv1.LogLine
	metrics    map[string]float64
	tx         []*pluginv1.Transaction
	ended      bool
	endErr     error
	violations []string
}

// batchAck is a batch that was not acknowledged.
type batchAck struct {
	through uint64
	cost    int64
	offsets map[string]map[string]any
}

func openSource(in *instance, start *pluginv1.StartSource, store *Offsets, auto bool, epoch uint64) (*sourceDriver, error) {
	ctx, cancel := context.WithCancel(context.Background())
	stream, err := in.client.RunSource(ctx)
	if err != nil {
		cancel()
		return nil, fmt.Errorf("open RunSource: %w", err)
	}
	d := &sourceDriver{stream: stream, cancel: cancel, epoch: epoch, store: store, auto: auto, credit: int64(start.GetCreditBytes())}
	d.send(&pluginv1.RunSourceRequest{Frame: &pluginv1.RunSourceRequest_Start{Start: start}})
	go d.receive()
	return d, nil
}

func (d *sourceDriver) send(m *pluginv1.RunSourceRequest) {
	if m.Epoch == 0 {
		m.Epoch = d.epoch
	}
	d.sendMu.Lock()
	defer d.sendMu.Unlock()
	_ = d.stream.Send(m) // its error is told by receive
}

func (d *sourceDriver) receive() {
	for {
		m, err := d.stream.Recv()
		if err != nil {
			d.change(func() {
				d.ended = true
				if !errors.Is(err, io.EOF) {
					d.endErr = err
				}
			})
			return
		}
		var then func()
		d.change(func() { then = d.frame(m) })
		if then != nil {
			then()
		}
	}
}

func (d *sourceDriver) violate(format string, args ...any) {
	d.violations = append(d.violations, fmt.Sprintf(format, args...))
}

// frame takes one frame under the lock; what it returns is done without it.
func (d *sourceDriver) frame(m *pluginv1.RunSourceResponse) func() {
	if m.GetEpoch() != d.epoch {
		d.violate("a frame has epoch %d, the stream has %d", m.GetEpoch(), d.epoch)
		return nil
	}
	if d.failure != nil {
		d.violate("frame %T after Failure", m.GetFrame())
	}
	switch f := m.GetFrame().(type) {
	case *pluginv1.RunSourceResponse_Started:
		d.started, d.caps = true, f.Started.GetCapabilities()
	case *pluginv1.RunSourceResponse_ReadOffsets:
		return func() { d.answerOffsets(f.ReadOffsets) }
	case *pluginv1.RunSourceResponse_Schema:
		if err := d.schemas.Define(f.Schema); err != nil {
			d.violate("%v", err)
		}
	case *pluginv1.RunSourceResponse_Partition:
		if want := uint32(len(d.partitions) + 1); f.Partition.GetId() != want {
			d.violate("partition definition has id %d, the next id is %d", f.Partition.GetId(), want)
		}
		if _, err := decodeMap(nil, f.Partition.GetPartition()); err != nil {
			d.violate("source partition %d: %v", f.Partition.GetId(), err)
		}
		d.partitions = append(d.partitions, string(f.Partition.GetPartition()))
	case *pluginv1.RunSourceResponse_Batch:
		return d.batch(f.Batch)
	case *pluginv1.RunSourceResponse_Transaction:
		if f.Transaction.GetSeq() > d.lastSeq {
			d.violate("transaction ends behind record %d, which was not sent", f.Transaction.GetSeq())
		}
		d.tx = append(d.tx, f.Transaction)
	case *pluginv1.RunSourceResponse_Heartbeat:
		d.beats++
	case *pluginv1.RunSourceResponse_Failure:
		d.failure = f.Failure.GetError()
	case *pluginv1.RunSourceResponse_Drained:
		last := f.Drained.GetLastSeq()
		if last != d.lastSeq {
			d.violate("Drained names record %d as the last, it was %d", last, d.lastSeq)
		}
		d.drained = &last
	case *pluginv1.RunSourceResponse_Logs:
		d.logs = append(d.logs, f.Logs.GetLines()...)
	case *pluginv1.RunSourceResponse_Metrics:
		if d.metrics == nil {
			d.metrics = make(map[string]float64)
		}
		for _, m := range f.Metrics.GetSamples() {
			d.metrics[m.GetName()] = m.GetValue()
		}
	case *pluginv1.RunSourceResponse_Retry:
		d.retries = append(d.retries, f.Retry)
	}
	return nil
}

func (d *sourceDriver) answerOffsets(q *pluginv1.ReadOffsets) {
	a := &pluginv1.Offsets{RequestId: q.GetRequestId()}
	for _, p := range q.GetPartitions() {
		b, err := encodeMap(d.store.get(string(p)))
		if err != nil {
			a.Error = &pluginv1.Error{Message: err.Error()}
			a.Offsets = nil
			break
		}
		a.Offsets = append(a.Offsets, b)
	}
	d.send(&pluginv1.RunSourceRequest{Frame: &pluginv1.RunSourceRequest_Offsets{Offsets: a}})
}

func (d *sourceDriver) batch(m *pluginv1.SourceBatch) func() {
	if !d.started {
		d.violate("a batch before Started")
	}
	if d.drained != nil {
		d.violate("a batch after Drained")
	}
	b, err := wire.ReadSourceBatch(m, &d.schemas, len(d.partitions))
	if err != nil {
		d.violate("%v", err)
		return nil
	}
	if b.FirstSeq() != d.lastSeq+1 {
		d.violate("a batch starts with record %d, the next is %d", b.FirstSeq(), d.lastSeq+1)
	}
	if d.credit <= 0 { // I-4
		d.violate("a batch of cost %d was sent without credit (%d left)", b.Cost(), d.credit)
	}
	d.credit -= b.Cost()
	d.lastSeq = b.LastSeq()
	d.batches++
	ack := batchAck{through: b.LastSeq(), cost: b.Cost(), offsets: make(map[string]map[string]any)}
	var r wire.SourceRecord
	for c := b.Cursor(); c.Next(&r); {
		rec, err := d.record(b, &r)
		if err != nil {
			d.violate("record %d: %v", c.Seq(), err)
			continue
		}
		rec.Seq = c.Seq()
		if r.SourcePartition > 0 && rec.SourceOffset != nil {
			ack.offsets[d.partitions[r.SourcePartition-1]] = rec.SourceOffset
		}
		d.records = append(d.records, rec)
	}
	d.cost = append(d.cost, ack)
	if d.auto {
		return d.ack
	}
	return nil
}

func (d *sourceDriver) record(b *wire.SourceBatch, r *wire.SourceRecord) (Record, error) {
	out := Record{
		Topic: b.Topics()[r.Topic], KafkaPartition: r.KafkaPartition, TimestampMillis: r.TimestampMillis,
		KeySchema: b.Schemas().Get(r.KeySchema), ValueSchema: b.Schemas().Get(r.ValueSchema),
	}
	var err error
	if out.Key, err = decodeValue(out.KeySchema, r.Key); err != nil {
		return out, fmt.Errorf("key: %w", err)
	}
	if out.Value, err = decodeValue(out.ValueSchema, r.Value); err != nil {
		return out, fmt.Errorf("value: %w", err)
	}
	for rest := r.Headers; len(rest) > 0; {
		h, after, err := wire.ReadHeader(rest)
		if err != nil {
			return out, err
		}
		s := b.Schemas().Get(h.Schema)
		v, err := decodeValue(s, h.Value)
		if err != nil {
			return out, fmt.Errorf("header %q: %w", h.Name, err)
		}
		out.Headers = append(out.Headers, connect.Header{Name: h.Name, Schema: s, Value: v})
		rest = after
	}
	if r.SourcePartition > 0 {
		if out.SourcePartition, err = decodeMap(nil, []byte(d.partitions[r.SourcePartition-1])); err != nil {
			return out, fmt.Errorf("source partition: %w", err)
		}
	}
	if out.SourceOffset, err = decodeMap(b.Schemas().Get(r.OffsetSchema), r.Offset); err != nil {
		return out, fmt.Errorf("source offset: %w", err)
	}
	return out, nil
}

func decodeValue(s *data.Schema, b []byte) (any, error) {
	if s == nil && len(b) == 0 {
		return nil, nil
	}
	return data.DecodeValue(s, b)
}

// ack acknowledges everything received: stores offsets, gives credit back, commits (in this
// order: I-1).
func (d *sourceDriver) ack() {
	var credit int64
	var through uint64
	d.change(func() {
		for _, a := range d.cost {
			for key, offset := range a.offsets {
				partition, _ := decodeMap(nil, []byte(key))
				d.store.set(key, partition, offset)
			}
			credit += a.cost
			through = a.through
		}
		d.cost = nil
		d.credit += credit
		d.committed = max(d.committed, through)
	})
	if credit > 0 {
		d.send(&pluginv1.RunSourceRequest{Frame: &pluginv1.RunSourceRequest_Credit{Credit: &pluginv1.Credit{Bytes: uint64(credit)}}})
		d.commit(through)
	}
}

func (d *sourceDriver) commit(through uint64) {
	d.send(&pluginv1.RunSourceRequest{Frame: &pluginv1.RunSourceRequest_Commit{Commit: &pluginv1.Commit{ThroughSeq: through}}})
}

func (d *sourceDriver) sendDrain(deadline time.Duration) {
	d.send(&pluginv1.RunSourceRequest{Frame: &pluginv1.RunSourceRequest_Drain{Drain: &pluginv1.Drain{DeadlineMs: uint64(deadline.Milliseconds())}}})
}

func (d *sourceDriver) closeSend() {
	d.sendMu.Lock()
	defer d.sendMu.Unlock()
	_ = d.stream.CloseSend()
}
