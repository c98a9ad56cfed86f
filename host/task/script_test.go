package task

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tailrace/tailrace/host/plugin"
	"github.com/tailrace/tailrace/sdk/go/data"
	"github.com/tailrace/tailrace/sdk/go/wire"
)

// scriptedSink is a sink task in a plugin, played by the test. It accepts and
// flushes by itself unless told otherwise.
type scriptedSink struct {
	level  atomic.Int64 // of the log
	events chan scripted
	closed chan struct{}
	once   sync.Once

	mu                sync.Mutex
	writer            wire.SchemaWriter
	table             wire.SchemaTable
	partitions        map[uint32]plugin.SinkPartition
	next              map[uint32]int64 // what a flush confirms
	nextSeq           uint64
	values            []string
	offsets           []string // topic-partition@offset of each value
	puts              int
	outstanding, most int64
	flushes           int
	committed         []plugin.PartitionPosition
	sought            []uint64
	revoked           []bool // lost
	drains            int
	pauses            []bool
	handled           []error

	holdAccept bool // no Accepted
	heldSeq    uint64
	heldBytes  int64
	flushErr   *plugin.RemoteError // the next flush fails
	hangFlush  bool
	hangDrain  bool
	hangAssign bool

	errantEvery uint64 // every n-th record is reported as errant; 0 for none
	errantText  string
	reports     uint64
}

func newScriptedSink() *scriptedSink {
	return &scriptedSink{
		events: make(chan scripted, 100_000), closed: make(chan struct{}), nextSeq: 1,
		partitions: map[uint32]plugin.SinkPartition{}, next: map[uint32]int64{},
	}
}

func (s *scriptedSink) emit(event any) { s.events <- scripted{event: event} }
func (s *scriptedSink) end(err error)  { s.events <- scripted{err: err} }

func (s *scriptedSink) with(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

func (s *scriptedSink) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.values)
}

func (s *scriptedSink) Recv() (plugin.SinkEvent, error) {
	select {
	case e := <-s.events:
		return e.event, e.err
	case <-s.closed:
		return nil, context.Canceled
	}
}

func (s *scriptedSink) Schemas() *wire.SchemaWriter { return &s.writer }

func (s *scriptedSink) Send(_ string, batches ...*wire.SinkBatchBuilder) (uint64, int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, def := range s.writer.Pending() {
		if err := s.table.Define(def); err != nil {
			return 0, 0, err
		}
	}
	s.puts++
	first := s.nextSeq
	var bytes int64
	for _, b := range batches {
		m, err := b.Message()
		if err != nil {
			return 0, 0, err
		}
		batch, err := wire.ReadSinkBatch(m, &s.table)
		if err != nil {
			return 0, 0, err
		}
		p, ok := s.partitions[batch.Partition()]
		if !ok {
			return 0, 0, errors.New("records of a partition that the task does not have")
		}
		var r wire.SinkRecord
		for cur := batch.Cursor(); cur.Next(&r); {
			v, err := data.DecodeValue(s.table.Get(r.ValueSchema), r.Value)
			if err != nil {
				return 0, 0, err
			}
			s.values = append(s.values, fmt.Sprint(v))
			s.offsets = append(s.offsets, fmt.Sprintf("%s-%d@%d", p.Topic, p.Partition, r.Offset))
			s.next[p.ID] = r.Offset + 1
			s.nextSeq++
		}
		bytes += b.Cost()
	}
	s.report(first)
	s.outstanding += bytes
	s.most = max(s.most, s.outstanding)
	last := s.nextSeq - 1
	switch {
	case len(batches) == 0:
	case s.holdAccept:
		s.heldSeq, s.heldBytes = last, s.heldBytes+bytes
	default:
		s.outstanding -= bytes
		s.emit(plugin.Accepted{Through: last, Bytes: bytes})
	}
	return last, bytes, nil
}

// report tells the errant records of a put.
func (s *scriptedSink) report(first uint64) {
	var e plugin.RecordErrors
	for seq := first; s.errantEvery > 0 && seq < s.nextSeq; seq++ {
		if seq%s.errantEvery == 0 {
			e.Records = append(e.Records, plugin.RecordError{Seq: seq, Err: &plugin.RemoteError{Message: "refused" + s.errantText, Class: "java.sql.SQLException"}})
		}
	}
	if len(e.Records) > 0 {
		s.reports++
		e.RequestID = s.reports
		s.emit(e)
	}
}

// release accepts what was held.
func (s *scriptedSink) release() {
	s.with(func() {
		s.holdAccept = false
		if s.heldBytes > 0 {
			s.outstanding -= s.heldBytes
			s.emit(plugin.Accepted{Through: s.heldSeq, Bytes: s.heldBytes})
			s.heldBytes = 0
		}
	})
}

func (s *scriptedSink) SendAssign(token uint64, list []plugin.SinkPartition) error {
	s.with(func() {
		for _, p := range list {
			s.partitions[p.ID], s.next[p.ID] = p, p.Position
		}
		if !s.hangAssign {
			s.emit(plugin.Assigned{Token: token})
		}
	})
	return nil
}

func (s *scriptedSink) confirmed(ids []uint32) []plugin.PartitionPosition {
	var list []plugin.PartitionPosition
	for _, id := range ids {
		list = append(list, plugin.PartitionPosition{ID: id, Offset: s.next[id]})
	}
	return list
}

func (s *scriptedSink) SendRevoke(token uint64, ids []uint32, lost bool, _ time.Duration) error {
	s.with(func() {
		s.revoked = append(s.revoked, lost)
		s.emit(plugin.Revoked{Token: token, Offsets: s.confirmed(ids), Err: s.flushErr})
	})
	return nil
}

func (s *scriptedSink) Forget(ids []uint32) {
	s.with(func() {
		for _, id := range ids {
			delete(s.partitions, id)
			delete(s.next, id)
		}
	})
}

func (s *scriptedSink) SendFlush(token, _ uint64) error {
	s.with(func() {
		s.flushes++
		if s.hangFlush {
			return
		}
		var ids []uint32
		for id := range s.partitions {
			ids = append(ids, id)
		}
		s.emit(plugin.Flushed{Token: token, Offsets: s.confirmed(ids), Err: s.flushErr})
		s.flushErr = nil
	})
	return nil
}

func (s *scriptedSink) SendSought(id uint64, offsets []plugin.PartitionPosition) error {
	s.with(func() {
		s.sought = append(s.sought, id)
		for _, o := range offsets {
			s.next[o.ID] = o.Offset
		}
	})
	return nil
}

func (s *scriptedSink) SendOffsetsCommitted(offsets []plugin.PartitionPosition) error {
	s.with(func() { s.committed = append(s.committed, offsets...) })
	return nil
}

func (s *scriptedSink) SendRecordErrorsHandled(_ uint64, failure error) error {
	s.with(func() { s.handled = append(s.handled, failure) })
	return nil
}

func (s *scriptedSink) SendPause() error {
	s.with(func() { s.pauses = append(s.pauses, true) })
	return nil
}

func (s *scriptedSink) SendResume() error {
	s.with(func() { s.pauses = append(s.pauses, false) })
	return nil
}

func (s *scriptedSink) SendLogLevel(level slog.Level) error {
	s.level.Store(int64(level))
	return nil
}

func (s *scriptedSink) SendDrain(time.Duration) error {
	s.with(func() {
		s.drains++
		if !s.hangDrain {
			s.emit(plugin.Drained{})
		}
	})
	return nil
}

func (s *scriptedSink) CloseSend()        { s.end(io.EOF) }
func (s *scriptedSink) Close()            { s.once.Do(func() { close(s.closed) }) }
func (s *scriptedSink) Call() plugin.Call { return plugin.Call{} }
