package connecttest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	pluginv1 "github.com/tailrace/tailrace/gen/tailrace/plugin/v1"
	connect "github.com/tailrace/tailrace/sdk/go"
	"github.com/tailrace/tailrace/sdk/go/data"
	"github.com/tailrace/tailrace/sdk/go/wire"
)

// putRecords is how many records of a partition go into one frame at most.
const putRecords = 500

// sinkDriver is the worker's side of one sink task, with a small broker: a log of
// records for each partition, from which it sends while there is credit.
type sinkDriver struct {
	stream pluginv1.ConnectorPluginService_RunSinkClient
	cancel context.CancelFunc
	epoch  uint64
	credit int64

	sendMu sync.Mutex // also owns schemas, nextSeq and the order of frames
	schema wire.SchemaWriter
	watch

	// Under the lock of watch.
	logs       map[connect.TopicPartition][]Record
	committed  connect.Offsets
	parts      map[uint32]*sinkPart
	nextID     uint32
	nextSeq    uint64
	bySeq      map[uint64]Record
	sent       []sentFrame
	accepted   uint64
	token      uint64
	answers    map[uint64]any // Assigned, Flushed, Revoked by token
	started    bool
	failure    *pluginv1.Error
	drained    bool
	retries    int
	beats      int
	errant     []Errant
	commits    int // RequestCommit frames
	loglines   []*pluginv1.LogLine
	rejectErrs bool
	ended      bool
	endErr     error
	violations []string
}

type sinkPart struct {
	id       uint32
	tp       connect.TopicPartition
	position int64 // of the next record to send
	put      int64 // sent so far
	paused   bool
	ready    bool // Assigned came
}

type sentFrame struct {
	through uint64
	cost    int64
}

// Errant is a record that a sink reported.
type Errant struct {
	Record  Record
	Message string
	Class   string
}

func openSink(in *instance, start *pluginv1.StartSink, logs map[connect.TopicPartition][]Record, committed connect.Offsets, epoch uint64) (*sinkDriver, error) {
	ctx, cancel := context.WithCancel(context.Background())
	stream, err := in.client.RunSink(ctx)
	if err != nil {
		cancel()
		return nil, fmt.Errorf("open RunSink: %w", err)
	}
	d := &sinkDriver{
		stream: stream, cancel: cancel, epoch: epoch, credit: int64(start.GetCreditBytes()), logs: logs, committed: committed,
		parts: make(map[uint32]*sinkPart), nextSeq: 1, bySeq: make(map[uint64]Record), answers: make(map[uint64]any),
	}
	d.send(&pluginv1.RunSinkRequest{Frame: &pluginv1.RunSinkRequest_Start{Start: start}})
	go d.receive()
	return d, nil
}

func (d *sinkDriver) send(m *pluginv1.RunSinkRequest) {
	d.sendMu.Lock()
	defer d.sendMu.Unlock()
	d.sendLocked(m)
}

func (d *sinkDriver) sendLocked(m *pluginv1.RunSinkRequest) {
	if m.Epoch == 0 {
		m.Epoch = d.epoch
	}
	_ = d.stream.Send(m) // its error is told by receive
}

func (d *sinkDriver) receive() {
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

func (d *sinkDriver) violate(format string, args ...any) {
	d.violations = append(d.violations, fmt.Sprintf(format, args...))
}

func (d *sinkDriver) frame(m *pluginv1.RunSinkResponse) func() {
	if m.GetEpoch() != d.epoch {
		d.violate("a frame has epoch %d, the stream has %d", m.GetEpoch(), d.epoch)
		return nil
	}
	if d.failure != nil {
		d.violate("frame %T after Failure", m.GetFrame())
	}
	switch f := m.GetFrame().(type) {
	case *pluginv1.RunSinkResponse_Started:
		d.started = true
	case *pluginv1.RunSinkResponse_Assigned:
		d.answers[f.Assigned.GetToken()] = f.Assigned
	case *pluginv1.RunSinkResponse_Revoked:
		d.answers[f.Revoked.GetToken()] = f.Revoked
		d.checkPositions("Revoked", f.Revoked.GetOffsets())
	case *pluginv1.RunSinkResponse_Flushed:
		d.answers[f.Flushed.GetToken()] = f.Flushed
		d.checkPositions("Flushed", f.Flushed.GetOffsets())
	case *pluginv1.RunSinkResponse_Accepted:
		through := f.Accepted.GetThroughSeq()
		if through >= d.nextSeq || through < d.accepted {
			d.violate("Accepted names record %d; %d were sent, %d accepted", through, d.nextSeq-1, d.accepted)
		}
		d.accepted = through
		d.sent = slices.DeleteFunc(d.sent, func(s sentFrame) bool { return s.through <= through })
		return d.pump
	case *pluginv1.RunSinkResponse_Seek:
		return func() { d.sought(f.Seek.GetRequestId(), f.Seek.GetOffsets()) }
	case *pluginv1.RunSinkResponse_Pause:
		d.pause(f.Pause.GetPartitions(), true)
	case *pluginv1.RunSinkResponse_Resume:
		d.pause(f.Resume.GetPartitions(), false)
		return d.pump
	case *pluginv1.RunSinkResponse_RecordErrors:
		return d.recordErrors(f.RecordErrors)
	case *pluginv1.RunSinkResponse_RequestCommit:
		d.commits++
	case *pluginv1.RunSinkResponse_Failure:
		d.failure = f.Failure.GetError()
	case *pluginv1.RunSinkResponse_Drained:
		d.drained = true
	case *pluginv1.RunSinkResponse_Heartbeat:
		d.beats++
	case *pluginv1.RunSinkResponse_Retry:
		d.retries++
	case *pluginv1.RunSinkResponse_Logs:
		d.loglines = append(d.loglines, f.Logs.GetLines()...)
	}
	return nil
}

// checkPositions: I-2, nothing beyond what was sent may be committed.
func (d *sinkDriver) checkPositions(what string, offsets []*pluginv1.PartitionPosition) {
	for _, o := range offsets {
		p := d.parts[o.GetPartition()]
		if p == nil {
			d.violate("%s names partition id %d, which is not assigned", what, o.GetPartition())
			continue
		}
		if o.GetOffset() > max(p.put, p.position) {
			d.violate("%s names offset %d of %s-%d, only records below %d were sent", what, o.GetOffset(), p.tp.Topic, p.tp.Partition, p.put)
		}
	}
}

func (d *sinkDriver) pause(ids []uint32, paused bool) {
	for _, id := range ids {
		if p := d.parts[id]; p != nil {
			p.paused = paused
		} else {
			d.violate("pause or resume of partition id %d, which is not assigned", id)
		}
	}
}

func (d *sinkDriver) recordErrors(f *pluginv1.RecordErrors) func() {
	answer := &pluginv1.RecordErrorsHandled{RequestId: f.GetRequestId()}
	for _, e := range f.GetRecords() {
		rec, ok := d.bySeq[e.GetSeq()]
		if !ok {
			d.violate("errant record %d was never sent", e.GetSeq())
		}
		d.errant = append(d.errant, Errant{Record: rec, Message: e.GetError().GetMessage(), Class: e.GetError().GetClassName()})
	}
	if d.rejectErrs {
		answer.Error = &pluginv1.Error{Message: "errors are not tolerated"}
	}
	return func() {
		d.send(&pluginv1.RunSinkRequest{Frame: &pluginv1.RunSinkRequest_RecordErrorsHandled{RecordErrorsHandled: answer}})
	}
}

// sought goes on from other offsets and says so.
func (d *sinkDriver) sought(request uint64, offsets []*pluginv1.PartitionPosition) {
	d.sendMu.Lock()
	d.mu.Lock()
	for _, o := range offsets {
		if p := d.parts[o.GetPartition()]; p != nil {
			p.position = o.GetOffset()
		} else {
			d.violate("seek of partition id %d, which is not assigned", o.GetPartition())
		}
	}
	d.mu.Unlock()
	d.sendLocked(&pluginv1.RunSinkRequest{Frame: &pluginv1.RunSinkRequest_Sought{Sought: &pluginv1.Sought{RequestId: request, Offsets: offsets}}})
	d.sendMu.Unlock()
	d.pump()
}

// rewind goes back to the committed offsets, after a failed flush.
func (d *sinkDriver) rewind() {
	var offsets []*pluginv1.PartitionPosition
	d.mu.Lock()
	for id, p := range d.parts {
		offsets = append(offsets, &pluginv1.PartitionPosition{Partition: id, Offset: d.committed[p.tp]})
	}
	d.mu.Unlock()
	d.sought(0, offsets)
}

// pump sends what is there while there is credit.
func (d *sinkDriver) pump() {
	d.sendMu.Lock()
	defer d.sendMu.Unlock()
	for {
		var m *pluginv1.Records
		d.change(func() { m = d.nextFrame() })
		if m == nil {
			return
		}
		for _, def := range d.schema.Pending() {
			d.sendLocked(&pluginv1.RunSinkRequest{Frame: &pluginv1.RunSinkRequest_Schema{Schema: def}})
		}
		d.sendLocked(&pluginv1.RunSinkRequest{Frame: &pluginv1.RunSinkRequest_Records{Records: m}})
	}
}

// nextFrame builds one Records frame with some records of every partition, nil when there is
// nothing to send or no credit.
func (d *sinkDriver) nextFrame() *pluginv1.Records {
	var out int64
	for _, s := range d.sent {
		out += s.cost
	}
	if d.failure != nil || d.ended || len(d.sent) > 0 && out >= d.credit {
		return nil
	}
	m := &pluginv1.Records{FirstSeq: d.nextSeq}
	var cost int64
	ids := make([]uint32, 0, len(d.parts))
	for id := range d.parts {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		p := d.parts[id]
		records := d.logs[p.tp]
		if !p.ready || p.paused || p.position >= int64(len(records)) {
			continue
		}
		records = records[max(p.position, 0):]
		batch, n, err := d.build(p, records[:min(len(records), putRecords)])
		if err != nil {
			d.violate("test record of %s-%d: %v", p.tp.Topic, p.tp.Partition, err)
			return nil
		}
		for i := range n {
			d.bySeq[d.nextSeq] = records[i]
			d.nextSeq++
		}
		p.position += int64(n)
		p.put = max(p.put, p.position)
		cost += wire.BatchCost(len(batch.Block), n)
		m.Batches = append(m.Batches, batch)
	}
	if len(m.Batches) == 0 {
		return nil
	}
	d.sent = append(d.sent, sentFrame{through: d.nextSeq - 1, cost: cost})
	return m
}

func (d *sinkDriver) build(p *sinkPart, records []Record) (*pluginv1.SinkBatch, int, error) {
	var b wire.SinkBatchBuilder
	b.Start(p.id, pluginv1.TimestampType_TIMESTAMP_TYPE_CREATE_TIME)
	for i := range records {
		r := &records[i]
		b.Begin(r.Offset, r.TimestampMillis)
		id, err := d.value(&b.Block, r.KeySchema, r.Key)
		if err != nil {
			return nil, 0, fmt.Errorf("key: %w", err)
		}
		b.EndKey(id)
		if id, err = d.value(&b.Block, r.ValueSchema, r.Value); err != nil {
			return nil, 0, fmt.Errorf("value: %w", err)
		}
		b.EndValue(id)
		for _, h := range r.Headers {
			var raw []byte
			if id, err = d.value(&raw, h.Schema, h.Value); err != nil {
				return nil, 0, fmt.Errorf("header %q: %w", h.Name, err)
			}
			b.Block = wire.AppendHeader(b.Block, h.Name, id, raw)
		}
		b.EndHeaders()
		if b.Full() {
			break
		}
	}
	m, err := b.Message()
	return m, b.Len(), err
}

func (d *sinkDriver) value(dst *[]byte, s *data.Schema, v any) (uint32, error) {
	id, err := d.schema.ID(s)
	if err != nil || s == nil && v == nil {
		return id, err
	}
	if v, err = data.Convert(s, v); err != nil {
		return id, err
	}
	*dst, err = data.AppendValue(*dst, s, v)
	return id, err
}

// ask sends a frame with a token and waits for its answer.
func (d *sinkDriver) ask(what string, within time.Duration, frame func(token uint64) *pluginv1.RunSinkRequest) (any, error) {
	var token uint64
	d.change(func() { d.token++; token = d.token })
	d.send(frame(token))
	err := d.wait(what, within, func() bool { return d.answers[token] != nil || d.failure != nil || d.ended })
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if a := d.answers[token]; a != nil {
		return a, nil
	}
	return nil, fmt.Errorf("the task ended before %s: failure %v: %w", what, d.failure, d.endErr)
}

func (d *sinkDriver) assign(tps []connect.TopicPartition, within time.Duration) error {
	var added []*sinkPart
	_, err := d.ask("Assigned", within, func(token uint64) *pluginv1.RunSinkRequest {
		m := &pluginv1.Assign{Token: token}
		d.change(func() {
			for _, tp := range tps {
				d.nextID++
				p := &sinkPart{id: d.nextID, tp: tp, position: d.committed[tp], put: d.committed[tp]}
				d.parts[p.id] = p
				added = append(added, p)
				m.Partitions = append(m.Partitions, &pluginv1.TopicPartition{Id: p.id, Topic: tp.Topic, Partition: tp.Partition, Position: p.position})
			}
		})
		return &pluginv1.RunSinkRequest{Frame: &pluginv1.RunSinkRequest_Assign{Assign: m}}
	})
	if err != nil {
		return err
	}
	d.change(func() {
		for _, p := range added {
			p.ready = true
		}
	})
	d.pump()
	return nil
}

func (d *sinkDriver) flush(within time.Duration) (*pluginv1.Flushed, error) {
	a, err := d.ask("Flushed", within, func(token uint64) *pluginv1.RunSinkRequest {
		d.mu.Lock()
		defer d.mu.Unlock()
		return &pluginv1.RunSinkRequest{Frame: &pluginv1.RunSinkRequest_Flush{Flush: &pluginv1.Flush{Token: token, ThroughSeq: d.nextSeq - 1}}}
	})
	if err != nil {
		return nil, err
	}
	f := a.(*pluginv1.Flushed) //nolint:forcetypeassert // the answer to this token
	if f.GetError() != nil {
		d.rewind()
		return f, nil
	}
	d.commitOffsets(f.GetOffsets())
	return f, nil
}

func (d *sinkDriver) commitOffsets(offsets []*pluginv1.PartitionPosition) {
	d.change(func() {
		for _, o := range offsets {
			if p := d.parts[o.GetPartition()]; p != nil {
				d.committed[p.tp] = o.GetOffset()
			}
		}
	})
	if len(offsets) > 0 {
		d.send(&pluginv1.RunSinkRequest{Frame: &pluginv1.RunSinkRequest_OffsetsCommitted{OffsetsCommitted: &pluginv1.OffsetsCommitted{Offsets: offsets}}})
	}
}

func (d *sinkDriver) revoke(tps []connect.TopicPartition, lost bool, within time.Duration) (*pluginv1.Revoked, error) {
	a, err := d.ask("Revoked", within, func(token uint64) *pluginv1.RunSinkRequest {
		m := &pluginv1.Revoke{Token: token, Lost: lost, DeadlineMs: uint64(within.Milliseconds())}
		d.mu.Lock()
		defer d.mu.Unlock()
		for id, p := range d.parts {
			if slices.Contains(tps, p.tp) {
				p.ready = false
				m.Partitions = append(m.Partitions, id)
			}
		}
		return &pluginv1.RunSinkRequest{Frame: &pluginv1.RunSinkRequest_Revoke{Revoke: m}}
	})
	if err != nil {
		return nil, err
	}
	rv := a.(*pluginv1.Revoked) //nolint:forcetypeassert // the answer to this token
	d.change(func() {
		for _, o := range rv.GetOffsets() {
			if p := d.parts[o.GetPartition()]; p != nil {
				d.committed[p.tp] = o.GetOffset()
			}
		}
		for id, p := range d.parts {
			if slices.Contains(tps, p.tp) {
				delete(d.parts, id)
			}
		}
	})
	return rv, nil
}

func (d *sinkDriver) assigned() []connect.TopicPartition {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []connect.TopicPartition
	for _, p := range d.parts {
		out = append(out, p.tp)
	}
	return out
}

func (d *sinkDriver) sendDrain(deadline time.Duration) {
	d.send(&pluginv1.RunSinkRequest{Frame: &pluginv1.RunSinkRequest_Drain{Drain: &pluginv1.Drain{DeadlineMs: uint64(deadline.Milliseconds())}}})
}

func (d *sinkDriver) closeSend() {
	d.sendMu.Lock()
	defer d.sendMu.Unlock()
	_ = d.stream.CloseSend()
}
