package plugin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	pluginv1 "github.com/tailrace/tailrace/gen/tailrace/plugin/v1"
	"github.com/tailrace/tailrace/sdk/go/wire"
)

// SinkStart is how a sink task is started.
type SinkStart struct {
	Epoch       uint64
	Connector   string // ConnectorType.Name
	Name        string // the user's name of the connector
	Task        int
	Config      map[string]string // secrets resolved
	CreditBytes int64             // bytes of records that may be under way
	LogLevel    slog.Level
	Paused      bool
	// Traced asks how long each put took that Send gave a traceparent for.
	Traced bool
}

// SinkPartition is a Kafka partition under its id on a stream. Ids are chosen by the caller, from 1, and never used again.
type SinkPartition struct {
	ID        uint32
	Topic     string
	Partition int32
	Position  int64 // offset of the next record
}

// PartitionPosition is the offset of the next record of a partition.
type PartitionPosition struct {
	ID     uint32
	Offset int64
}

// SinkEvent is what a sink task tells: Started, Assigned, Revoked, Accepted, Flushed, Retry, Seek, PausePartitions,
// ResumePartitions, RecordErrors, RequestCommit, Metrics or Drained.
type SinkEvent any

// Assigned answers SendAssign.
type Assigned struct {
	Token uint64
}

// Revoked answers SendRevoke. Nothing may be committed when Err is set.
type Revoked struct {
	Token   uint64
	Offsets []PartitionPosition
	Err     *RemoteError
}

// Accepted says that every record up to Through was put. Bytes is the credit that comes back with it.
type Accepted struct {
	Through uint64
	Bytes   int64
	// PutBegan is when the put that ended with Through began, by the plugin's clock, and PutTook how long it took; a zero
	// time when that is not known.
	PutBegan time.Time
	PutTook  time.Duration
}

// Flushed answers SendFlush with what may be committed (I-2). Nothing may be committed when Err is set. Offsets beyond what
// the task was sent, and of partitions it does not have, were taken out.
type Flushed struct {
	Token   uint64
	Offsets []PartitionPosition
	Err     *RemoteError
}

// Seek asks to go on from other offsets; answer with SendSought.
type Seek struct {
	RequestID uint64
	Offsets   []PartitionPosition
}

// PausePartitions asks for no more records of these partitions.
type PausePartitions struct {
	IDs []uint32
}

// ResumePartitions ends the pause of partitions.
type ResumePartitions struct {
	IDs []uint32
}

// RecordErrors reports errant records; answer with SendRecordErrorsHandled.
type RecordErrors struct {
	RequestID uint64
	Records   []RecordError
}

// RecordError is one errant record, by its sequence number.
type RecordError struct {
	Seq uint64
	Err *RemoteError
}

// RequestCommit asks for a flush soon.
type RequestCommit struct{}

// SinkStream carries one sink task. Recv belongs to one goroutine, Send and Schemas to one (the same or another); the
// other methods may be called from any.
type SinkStream struct {
	*conversation[pluginv1.RunSinkRequest, pluginv1.RunSinkResponse]
	schemas wire.SchemaWriter
	drained bool

	mu          sync.Mutex
	nextSeq     uint64
	accepted    uint64
	outstanding []sent
	sentBytes   int64            // cost of what is outstanding
	partitions  map[uint32]int64 // next offset to be sent, by partition id
}

// sent is a Records frame that is not wholly accepted yet.
type sent struct {
	lastSeq uint64
	bytes   int64
}

// OpenSink opens the stream of a sink task and sends its start. ctx bounds the opening, not the stream. The task is
// running when Recv returns Started.
func (i *Instance) OpenSink(ctx context.Context, start SinkStart) (*SinkStream, error) {
	logger := i.logger.With("connector", start.Name, "task", start.Task)
	conversation, err := open(ctx, i, logger, start.Epoch, i.client.RunSink)
	if err != nil {
		return nil, err
	}
	s := &SinkStream{conversation: conversation, nextSeq: 1, partitions: make(map[uint32]int64)}
	err = s.request(&pluginv1.RunSinkRequest{Frame: &pluginv1.RunSinkRequest_Start{Start: &pluginv1.StartSink{
		Connector: start.Connector, Name: start.Name, Task: uint32(start.Task), Config: start.Config,
		CreditBytes: uint64(start.CreditBytes), HostCapabilities: capabilitiesFor(start.Traced),
		LogLevel: logLevel(start.LogLevel), Paused: start.Paused,
	}}})
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *SinkStream) request(m *pluginv1.RunSinkRequest) error {
	m.Epoch = s.epoch
	return s.send(m)
}

// Recv waits for the next event. Its errors are those of SourceStream.Recv.
func (s *SinkStream) Recv() (SinkEvent, error) {
	for {
		m, err := s.recv()
		if errors.Is(err, io.EOF) && !s.drained {
			err = violation("the task ended its stream without Failure or Drained")
		}
		if err != nil {
			return nil, err
		}
		if err := s.control(); err != nil {
			return nil, err
		}
		event, err := s.event(m)
		if err != nil {
			return nil, s.fail(err)
		}
		if event != nil {
			return event, nil
		}
	}
}

// event checks a frame and translates it; nil for a frame that was dealt with here.
func (s *SinkStream) event(m *pluginv1.RunSinkResponse) (SinkEvent, error) {
	switch f := m.Frame.(type) {
	case *pluginv1.RunSinkResponse_Started:
		s.started()
		return Started{Capabilities: readCapabilities(f.Started.GetCapabilities())}, nil
	case *pluginv1.RunSinkResponse_Assigned:
		return Assigned{Token: f.Assigned.GetToken()}, nil
	case *pluginv1.RunSinkResponse_Revoked:
		return Revoked{
			Token: f.Revoked.GetToken(), Offsets: s.committable(f.Revoked.GetOffsets()), Err: optionalError(f.Revoked.GetError()),
		}, nil
	case *pluginv1.RunSinkResponse_Accepted:
		return s.accept(f.Accepted)
	case *pluginv1.RunSinkResponse_Flushed:
		return Flushed{
			Token: f.Flushed.GetToken(), Offsets: s.committable(f.Flushed.GetOffsets()), Err: optionalError(f.Flushed.GetError()),
		}, nil
	case *pluginv1.RunSinkResponse_Retry:
		return Retry{Err: readError(f.Retry.GetError()), After: millis(f.Retry.GetAfterMs())}, nil
	case *pluginv1.RunSinkResponse_Seek:
		return s.seek(f.Seek)
	case *pluginv1.RunSinkResponse_Pause:
		return PausePartitions{IDs: f.Pause.GetPartitions()}, nil
	case *pluginv1.RunSinkResponse_Resume:
		return ResumePartitions{IDs: f.Resume.GetPartitions()}, nil
	case *pluginv1.RunSinkResponse_RecordErrors:
		return s.recordErrors(f.RecordErrors)
	case *pluginv1.RunSinkResponse_RequestCommit:
		return RequestCommit{}, nil
	case *pluginv1.RunSinkResponse_Failure:
		return nil, readError(f.Failure.GetError())
	case *pluginv1.RunSinkResponse_Drained:
		s.drained = true
		return Drained{}, nil
	case *pluginv1.RunSinkResponse_Heartbeat:
		s.heartbeat(f.Heartbeat)
	case *pluginv1.RunSinkResponse_Logs:
		s.logs.relay(f.Logs, s.instance.mask)
	case *pluginv1.RunSinkResponse_Metrics:
		return Metrics{Samples: readMetrics(f.Metrics)}, nil
	}
	return nil, nil // a frame that this host does not know is ignored by rule
}

func (s *SinkStream) accept(m *pluginv1.Accepted) (SinkEvent, error) {
	through := m.GetThroughSeq()
	s.mu.Lock()
	defer s.mu.Unlock()
	if through >= s.nextSeq {
		return nil, violation("it accepts record %d, and %d was the last that was sent", through, s.nextSeq-1)
	}
	if through <= s.accepted { // cumulative: an earlier one says nothing new
		return nil, nil
	}
	s.accepted = through
	var freed int64
	for len(s.outstanding) > 0 && s.outstanding[0].lastSeq <= through {
		freed += s.outstanding[0].bytes
		s.outstanding = s.outstanding[1:]
	}
	s.sentBytes -= freed
	accepted := Accepted{Through: through, Bytes: freed}
	accepted.PutBegan, accepted.PutTook = wire.ReadCallTime(m.GetPut())
	return accepted, nil
}

// committable takes out what must not be committed: positions beyond what was sent (Kafka Connect ignores them too, and a
// lying task must not skip records), and partitions that the task does not have.
func (s *SinkStream) committable(list []*pluginv1.PartitionPosition) []PartitionPosition {
	s.mu.Lock()
	defer s.mu.Unlock()
	positions := make([]PartitionPosition, 0, min(len(list), len(s.partitions)))
	for _, p := range list {
		next, known := s.partitions[p.GetPartition()]
		switch {
		case !known:
			s.logger.Debug("ignoring an offset of a partition that the task does not have", "partition_id", p.GetPartition())
		case p.GetOffset() > next || p.GetOffset() < 0:
			s.logger.Warn("ignoring an offset beyond what the task was sent", "partition_id", p.GetPartition(), "offset", p.GetOffset(), "sent", next)
		default:
			positions = append(positions, PartitionPosition{ID: p.GetPartition(), Offset: p.GetOffset()})
		}
	}
	return positions
}

func (s *SinkStream) seek(m *pluginv1.Seek) (SinkEvent, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	event := Seek{RequestID: m.GetRequestId()}
	for _, p := range m.GetOffsets() {
		if _, known := s.partitions[p.GetPartition()]; !known {
			return nil, violation("it seeks in partition id %d, which it does not have", p.GetPartition())
		}
		if p.GetOffset() < 0 {
			return nil, violation("it seeks to offset %d", p.GetOffset())
		}
		event.Offsets = append(event.Offsets, PartitionPosition{ID: p.GetPartition(), Offset: p.GetOffset()})
	}
	return event, nil
}

func (s *SinkStream) recordErrors(m *pluginv1.RecordErrors) (SinkEvent, error) {
	s.mu.Lock()
	last := s.nextSeq - 1
	s.mu.Unlock()
	event := RecordErrors{RequestID: m.GetRequestId(), Records: make([]RecordError, 0, len(m.GetRecords()))}
	for _, r := range m.GetRecords() {
		if r.GetSeq() == 0 || r.GetSeq() > last {
			return nil, violation("it reports record %d as errant, and %d was the last that was sent", r.GetSeq(), last)
		}
		event.Records = append(event.Records, RecordError{Seq: r.GetSeq(), Err: readError(r.GetError())})
	}
	return event, nil
}

// SendAssign gives the task partitions. Their records may be sent after Assigned with the same token.
func (s *SinkStream) SendAssign(token uint64, partitions []SinkPartition) error {
	frame := &pluginv1.Assign{Token: token}
	s.mu.Lock()
	for _, p := range partitions {
		s.partitions[p.ID] = p.Position
		frame.Partitions = append(frame.Partitions, &pluginv1.TopicPartition{Id: p.ID, Topic: p.Topic, Partition: p.Partition, Position: p.Position})
	}
	s.mu.Unlock()
	return s.request(&pluginv1.RunSinkRequest{Frame: &pluginv1.RunSinkRequest_Assign{Assign: frame}})
}

// SendRevoke takes partitions away; Revoked answers. After it, Forget them.
func (s *SinkStream) SendRevoke(token uint64, ids []uint32, lost bool, deadline time.Duration) error {
	return s.request(&pluginv1.RunSinkRequest{Frame: &pluginv1.RunSinkRequest_Revoke{Revoke: &pluginv1.Revoke{
		Token: token, Partitions: ids, Lost: lost, DeadlineMs: uint64(deadline.Milliseconds()),
	}}})
}

// Forget ends the ids of revoked partitions: offsets named for them later are ignored.
func (s *SinkStream) Forget(ids []uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ids {
		delete(s.partitions, id)
	}
}

// Schemas is the dictionary of the stream, for the goroutine that calls Send.
func (s *SinkStream) Schemas() *wire.SchemaWriter { return &s.schemas }

// Send puts records: one put with a batch for each partition, all within the limit of a frame. New schemas are sent
// before. The builders may be reset when it returns. It returns the sequence number of the last record and what the
// records take from the credit, which Accepted gives back; the caller keeps within CreditBytes. A call without batches is
// a put of nothing. The plugin's requests to its target belong to the span of traceparent, unless that is empty.
func (s *SinkStream) Send(traceparent string, batches ...*wire.SinkBatchBuilder) (lastSeq uint64, bytes int64, err error) {
	for _, definition := range s.schemas.Pending() {
		if err := s.request(&pluginv1.RunSinkRequest{Frame: &pluginv1.RunSinkRequest_Schema{Schema: definition}}); err != nil {
			return 0, 0, err
		}
	}
	records := &pluginv1.Records{Batches: make([]*pluginv1.SinkBatch, 0, len(batches)), Traceparent: traceparent}
	count := 0
	for _, builder := range batches {
		m, err := builder.Message()
		if err != nil {
			return 0, 0, err
		}
		records.Batches = append(records.Batches, m)
		count += builder.Len()
		bytes += builder.Cost()
	}
	if lastSeq, err = s.note(records, uint64(count), bytes); err != nil {
		return 0, 0, err
	}
	return lastSeq, bytes, s.request(&pluginv1.RunSinkRequest{Frame: &pluginv1.RunSinkRequest_Records{Records: records}})
}

// note numbers the records and keeps what is needed to judge the task's answers, before the task can answer.
func (s *SinkStream) note(records *pluginv1.Records, count uint64, bytes int64) (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	records.FirstSeq = s.nextSeq
	for _, m := range records.Batches {
		if _, known := s.partitions[m.GetPartition()]; !known {
			return 0, fmt.Errorf("records of partition id %d, which the task does not have", m.GetPartition())
		}
		s.partitions[m.GetPartition()] = lastOffset(m) + 1
	}
	s.nextSeq += count
	if count > 0 {
		s.outstanding = append(s.outstanding, sent{lastSeq: s.nextSeq - 1, bytes: bytes})
		s.sentBytes += bytes
	}
	return s.nextSeq - 1, nil
}

func lastOffset(m *pluginv1.SinkBatch) int64 {
	if n := len(m.GetOffsetDelta()); n > 0 {
		return m.GetFirstOffset() + int64(m.GetOffsetDelta()[n-1])
	}
	return m.GetFirstOffset() + int64(m.GetCount()) - 1
}

// OutstandingBytes is the cost of the records that were sent and not accepted.
func (s *SinkStream) OutstandingBytes() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sentBytes
}

// SendFlush asks to make every record up to throughSeq safe; Flushed answers.
func (s *SinkStream) SendFlush(token, throughSeq uint64) error {
	return s.request(&pluginv1.RunSinkRequest{Frame: &pluginv1.RunSinkRequest_Flush{Flush: &pluginv1.Flush{Token: token, ThroughSeq: throughSeq}}})
}

// SendSought answers Seek, or, with requestID 0, tells that the host goes back by itself. Records sent after it are from
// these positions.
func (s *SinkStream) SendSought(requestID uint64, offsets []PartitionPosition) error {
	s.mu.Lock()
	for _, p := range offsets {
		if _, known := s.partitions[p.ID]; known {
			s.partitions[p.ID] = p.Offset
		}
	}
	s.mu.Unlock()
	return s.request(&pluginv1.RunSinkRequest{Frame: &pluginv1.RunSinkRequest_Sought{Sought: &pluginv1.Sought{RequestId: requestID, Offsets: writePositions(offsets)}}})
}

// SendOffsetsCommitted tells what is now committed in Kafka.
func (s *SinkStream) SendOffsetsCommitted(offsets []PartitionPosition) error {
	return s.request(&pluginv1.RunSinkRequest{Frame: &pluginv1.RunSinkRequest_OffsetsCommitted{OffsetsCommitted: &pluginv1.OffsetsCommitted{Offsets: writePositions(offsets)}}})
}

// SendRecordErrorsHandled answers RecordErrors.
func (s *SinkStream) SendRecordErrorsHandled(requestID uint64, failure error) error {
	return s.request(&pluginv1.RunSinkRequest{Frame: &pluginv1.RunSinkRequest_RecordErrorsHandled{
		RecordErrorsHandled: &pluginv1.RecordErrorsHandled{RequestId: requestID, Error: writeError(failure)},
	}})
}

// SendPause tells the task that it is paused.
func (s *SinkStream) SendPause() error {
	return s.request(&pluginv1.RunSinkRequest{Frame: &pluginv1.RunSinkRequest_Pause{Pause: &pluginv1.PauseTask{}}})
}

// SendResume ends a pause.
func (s *SinkStream) SendResume() error {
	return s.request(&pluginv1.RunSinkRequest{Frame: &pluginv1.RunSinkRequest_Resume{Resume: &pluginv1.ResumeTask{}}})
}

// SendLogLevel asks for log lines of at least this level.
func (s *SinkStream) SendLogLevel(level slog.Level) error {
	return s.request(&pluginv1.RunSinkRequest{Frame: &pluginv1.RunSinkRequest_SetLogLevel{SetLogLevel: &pluginv1.SetLogLevel{Level: logLevel(level)}}})
}

// SendDrain asks the task to finish. The deadline is for the task; the caller keeps its own.
func (s *SinkStream) SendDrain(deadline time.Duration) error {
	return s.request(&pluginv1.RunSinkRequest{Frame: &pluginv1.RunSinkRequest_Drain{Drain: &pluginv1.Drain{DeadlineMs: uint64(deadline.Milliseconds())}}})
}

// CloseSend tells the task that nothing more comes: it cleans up and ends the stream, which Recv returns as io.EOF.
func (s *SinkStream) CloseSend() { s.closeSend() }

// Close ends the stream at once and frees it. Safe to call twice. A stream must be closed also after Recv failed.
func (s *SinkStream) Close() { s.close() }

// Call tells what the task is doing since when, as its last heartbeat said.
func (s *SinkStream) Call() Call { return s.currentCall() }

func writePositions(list []PartitionPosition) []*pluginv1.PartitionPosition {
	positions := make([]*pluginv1.PartitionPosition, 0, len(list))
	for _, p := range list {
		positions = append(positions, &pluginv1.PartitionPosition{Partition: p.ID, Offset: p.Offset})
	}
	return positions
}
