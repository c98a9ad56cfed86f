package plugin

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	pluginv1 "github.com/tailrace/tailrace/gen/tailrace/plugin/v1"
	"github.com/tailrace/tailrace/sdk/go/wire"
)

// Boundary says who decides where transactions end.
type Boundary int

// The transaction boundaries. BoundaryNone is for tasks that are not exactly-once.
const (
	BoundaryNone Boundary = iota
	BoundaryPoll
	BoundaryInterval
	BoundaryConnector
)

// SourceStart is how a source task is started.
type SourceStart struct {
	Epoch       uint64
	Connector   string // ConnectorType.Name
	Name        string // the user's name of the connector
	Task        int
	Config      map[string]string // secrets resolved
	CreditBytes int64             // the first grant
	Boundary    Boundary
	LogLevel    slog.Level
	Paused      bool
	// ExactlyOnce tells the task that its offsets are stored exactly once with the records.
	ExactlyOnce bool
	// Traced asks how long each poll took.
	Traced bool
}

// SourceEvent is what a source task tells: Started, ReadOffsets, PartitionDefined, *wire.SourceBatch, Transaction,
// Retry, Metrics or Drained.
type SourceEvent any

// Started says that the task runs.
type Started struct {
	Capabilities Capabilities
}

// ReadOffsets asks for stored source offsets; answer with SendOffsets. Partitions are encoded as the protocol's values
// without a schema.
type ReadOffsets struct {
	RequestID  uint64
	Partitions [][]byte
}

// PartitionDefined gives a source partition an id on this stream. Ids start at 1 and go up by 1.
type PartitionDefined struct {
	ID        uint32
	Partition []byte // a value without a schema
}

// Transaction ends the current transaction behind record Seq.
type Transaction struct {
	Abort bool
	Seq   uint64
}

// Retry tells that a call failed with an error that may pass and that the task tries again by itself.
type Retry struct {
	Err   *RemoteError
	After time.Duration
}

// Metrics are the plugin's own measures.
type Metrics struct {
	Samples []Metric
}

// Drained says that nothing comes any more. LastSeq is the last record sent, 0 for none (always 0 for sinks).
type Drained struct {
	LastSeq uint64
}

// SourceStream carries one source task. Recv belongs to one goroutine; the other methods may be called from any.
type SourceStream struct {
	*conversation[pluginv1.RunSourceRequest, pluginv1.RunSourceResponse]
	schemas         wire.SchemaTable
	partitions      int
	dictionaryBytes int
	nextSeq         uint64
	credit          atomic.Int64
	drained         bool
}

// OpenSource opens the stream of a source task and sends its start. ctx bounds the opening, not the stream. The task is
// running when Recv returns Started; until then it may ask for offsets.
func (i *Instance) OpenSource(ctx context.Context, start SourceStart) (*SourceStream, error) {
	logger := i.logger.With("connector", start.Name, "task", start.Task)
	conversation, err := open(ctx, i, logger, start.Epoch, i.client.RunSource)
	if err != nil {
		return nil, err
	}
	s := &SourceStream{conversation: conversation, nextSeq: 1}
	s.credit.Store(start.CreditBytes)
	host := capabilitiesFor(start.Traced)
	if start.ExactlyOnce {
		host = append(host, pluginv1.Capability_CAPABILITY_EXACTLY_ONCE)
	}
	err = s.request(&pluginv1.RunSourceRequest{Frame: &pluginv1.RunSourceRequest_Start{Start: &pluginv1.StartSource{
		Connector: start.Connector, Name: start.Name, Task: uint32(start.Task), Config: start.Config,
		CreditBytes: uint64(start.CreditBytes), HostCapabilities: host,
		TransactionBoundary: pluginv1.TransactionBoundary(start.Boundary), // same numbers, see the test
		LogLevel:            logLevel(start.LogLevel), Paused: start.Paused,
	}}})
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *SourceStream) request(m *pluginv1.RunSourceRequest) error {
	m.Epoch = s.epoch
	return s.send(m)
}

// Recv waits for the next event. It returns io.EOF after Drained when the task has ended its stream, *RemoteError when
// the task failed, and *ProtocolError, *TimeoutError or *DeathError when it was not the task that said so. After an
// error the stream is over. Close from another goroutine ends the wait.
func (s *SourceStream) Recv() (SourceEvent, error) {
	for {
		m, err := s.recv()
		if err != nil {
			return nil, s.ended(err)
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

func (s *SourceStream) ended(err error) error {
	if errors.Is(err, io.EOF) && !s.drained {
		return violation("the task ended its stream without Failure or Drained")
	}
	return err
}

// event checks a frame and translates it; nil for a frame that was dealt with here.
func (s *SourceStream) event(m *pluginv1.RunSourceResponse) (SourceEvent, error) {
	if batch, ok := m.Frame.(*pluginv1.RunSourceResponse_Batch); ok {
		return s.batch(batch.Batch)
	}
	if err := s.control(); err != nil {
		return nil, err
	}
	switch f := m.Frame.(type) {
	case *pluginv1.RunSourceResponse_Started:
		s.started()
		return Started{Capabilities: readCapabilities(f.Started.GetCapabilities())}, nil
	case *pluginv1.RunSourceResponse_ReadOffsets:
		return readOffsets(f.ReadOffsets)
	case *pluginv1.RunSourceResponse_Schema:
		return nil, s.defineSchema(f.Schema)
	case *pluginv1.RunSourceResponse_Partition:
		return s.definePartition(f.Partition)
	case *pluginv1.RunSourceResponse_Transaction:
		return s.transaction(f.Transaction)
	case *pluginv1.RunSourceResponse_Heartbeat:
		s.heartbeat(f.Heartbeat)
	case *pluginv1.RunSourceResponse_Failure:
		return nil, readError(f.Failure.GetError())
	case *pluginv1.RunSourceResponse_Drained:
		if last := s.nextSeq - 1; f.Drained.GetLastSeq() != last {
			return nil, violation("Drained names record %d as the last, and %d was the last that arrived", f.Drained.GetLastSeq(), last)
		}
		s.drained = true
		return Drained{LastSeq: f.Drained.GetLastSeq()}, nil
	case *pluginv1.RunSourceResponse_Logs:
		s.logs.relay(f.Logs, s.instance.mask)
	case *pluginv1.RunSourceResponse_Metrics:
		return Metrics{Samples: readMetrics(f.Metrics)}, nil
	case *pluginv1.RunSourceResponse_Retry:
		return Retry{Err: readError(f.Retry.GetError()), After: millis(f.Retry.GetAfterMs())}, nil
	}
	return nil, nil // a frame that this host does not know is ignored by rule
}

// batch checks what only the stream can know: order, credit, the end. The rest is checked by wire.
func (s *SourceStream) batch(m *pluginv1.SourceBatch) (SourceEvent, error) {
	if s.drained {
		return nil, violation("a batch came after Drained")
	}
	batch, err := wire.ReadSourceBatch(m, &s.schemas, s.partitions)
	if err != nil {
		return nil, violation("%s", err)
	}
	if batch.FirstSeq() != s.nextSeq { // I-6: a gap or a step back would be a lost or a doubled record
		return nil, violation("a batch starts with record %d, and record %d is next", batch.FirstSeq(), s.nextSeq)
	}
	// I-4: with credit left, one batch may pass it; without, none may come.
	if left := s.credit.Add(-batch.Cost()); left+batch.Cost() <= 0 {
		return nil, violation("a batch of %d bytes came without credit (%d bytes over)", batch.Cost(), -(left + batch.Cost()))
	}
	s.nextSeq = batch.LastSeq() + 1
	return batch, nil
}

func (s *SourceStream) defineSchema(m *pluginv1.SchemaDef) error {
	if err := s.keep(m.SizeVT()); err != nil {
		return err
	}
	if err := s.schemas.Define(m); err != nil {
		return violation("%s", err)
	}
	return nil
}

func (s *SourceStream) definePartition(m *pluginv1.PartitionDef) (SourceEvent, error) {
	switch {
	case int(m.GetId()) != s.partitions+1:
		return nil, violation("a source partition has id %d, and the next id is %d", m.GetId(), s.partitions+1)
	case s.partitions >= wire.MaxPartitions:
		return nil, violation("more than %d source partitions on one stream", wire.MaxPartitions)
	case len(m.GetPartition()) > wire.MaxPartitionBytes:
		return nil, violation("source partition %d takes %d bytes, and the limit is %d", m.GetId(), len(m.GetPartition()), wire.MaxPartitionBytes)
	}
	if err := s.keep(len(m.GetPartition())); err != nil {
		return nil, err
	}
	s.partitions++
	return PartitionDefined{ID: m.GetId(), Partition: m.GetPartition()}, nil
}

// keep bounds what the dictionaries of the stream hold together (I-4).
func (s *SourceStream) keep(bytes int) error {
	s.dictionaryBytes += bytes
	if s.dictionaryBytes > dictionaryBytes {
		return violation("the schemas and source partitions of one stream take more than %d MiB", dictionaryBytes>>20)
	}
	return nil
}

func (s *SourceStream) transaction(m *pluginv1.Transaction) (SourceEvent, error) {
	if m.GetSeq() >= s.nextSeq {
		return nil, violation("a transaction ends behind record %d, which was not sent", m.GetSeq())
	}
	switch m.GetAction() {
	case pluginv1.TransactionAction_TRANSACTION_ACTION_COMMIT:
		return Transaction{Seq: m.GetSeq()}, nil
	case pluginv1.TransactionAction_TRANSACTION_ACTION_ABORT:
		return Transaction{Seq: m.GetSeq(), Abort: true}, nil
	default:
		return nil, nil
	}
}

// maxAskedPartitions bounds one ReadOffsets frame beside its bytes.
const maxAskedPartitions = wire.MaxPartitions

func readOffsets(m *pluginv1.ReadOffsets) (SourceEvent, error) {
	if len(m.GetPartitions()) > maxAskedPartitions {
		return nil, violation("ReadOffsets asks for %d partitions, and the limit is %d", len(m.GetPartitions()), maxAskedPartitions)
	}
	for _, partition := range m.GetPartitions() {
		if len(partition) > wire.MaxPartitionBytes {
			return nil, violation("ReadOffsets names a partition of %d bytes, and the limit is %d", len(partition), wire.MaxPartitionBytes)
		}
	}
	return ReadOffsets{RequestID: m.GetRequestId(), Partitions: m.GetPartitions()}, nil
}

// SendOffsets answers ReadOffsets: as many offsets as partitions were asked for, in their order, empty where nothing is
// stored. With an error, offsets are not used.
func (s *SourceStream) SendOffsets(requestID uint64, offsets [][]byte, failure error) error {
	return s.request(&pluginv1.RunSourceRequest{Frame: &pluginv1.RunSourceRequest_Offsets{Offsets: offsetsFrame(requestID, offsets, failure)}})
}

func offsetsFrame(requestID uint64, offsets [][]byte, failure error) *pluginv1.Offsets {
	frame := &pluginv1.Offsets{RequestId: requestID, Error: writeError(failure)}
	if failure == nil {
		frame.Offsets = offsets
	}
	return frame
}

// SendCredit grants more bytes: the cost of batches that need no memory here any more.
func (s *SourceStream) SendCredit(bytes int64) error {
	s.credit.Add(bytes) // before the plugin can know
	return s.request(&pluginv1.RunSourceRequest{Frame: &pluginv1.RunSourceRequest_Credit{Credit: &pluginv1.Credit{Bytes: uint64(bytes)}}})
}

// SendCommit tells that all records up to throughSeq are in Kafka and their offsets durable. I-1: the caller has made sure.
func (s *SourceStream) SendCommit(throughSeq uint64) error {
	return s.request(&pluginv1.RunSourceRequest{Frame: &pluginv1.RunSourceRequest_Commit{Commit: &pluginv1.Commit{ThroughSeq: throughSeq}}})
}

// SendTransactionCommitted tells that the transaction that ends with throughSeq is durable.
func (s *SourceStream) SendTransactionCommitted(throughSeq uint64) error {
	return s.request(&pluginv1.RunSourceRequest{Frame: &pluginv1.RunSourceRequest_TransactionCommitted{
		TransactionCommitted: &pluginv1.TransactionCommitted{ThroughSeq: throughSeq},
	}})
}

// SendPause asks the task to stop polling.
func (s *SourceStream) SendPause() error {
	return s.request(&pluginv1.RunSourceRequest{Frame: &pluginv1.RunSourceRequest_Pause{Pause: &pluginv1.PauseTask{}}})
}

// SendResume ends a pause.
func (s *SourceStream) SendResume() error {
	return s.request(&pluginv1.RunSourceRequest{Frame: &pluginv1.RunSourceRequest_Resume{Resume: &pluginv1.ResumeTask{}}})
}

// SendLogLevel asks for log lines of at least this level.
func (s *SourceStream) SendLogLevel(level slog.Level) error {
	return s.request(&pluginv1.RunSourceRequest{Frame: &pluginv1.RunSourceRequest_SetLogLevel{SetLogLevel: &pluginv1.SetLogLevel{Level: logLevel(level)}}})
}

// SendDrain asks the task to send what it holds and to stop. When the task has not answered with Drained and the caller
// has not closed the stream by the deadline, that is the caller's to see: Drain sets no timer here.
func (s *SourceStream) SendDrain(deadline time.Duration) error {
	return s.request(&pluginv1.RunSourceRequest{Frame: &pluginv1.RunSourceRequest_Drain{Drain: &pluginv1.Drain{DeadlineMs: uint64(deadline.Milliseconds())}}})
}

// CloseSend tells the task that nothing more comes: it cleans up and ends the stream, which Recv returns as io.EOF.
func (s *SourceStream) CloseSend() { s.closeSend() }

// Close ends the stream at once and frees it. Safe to call twice. A stream must be closed also after Recv failed.
func (s *SourceStream) Close() { s.close() }

// Call tells what the task is doing since when, as its last heartbeat said.
func (s *SourceStream) Call() Call { return s.currentCall() }

func millis(n uint64) time.Duration {
	const most = uint64(24 * time.Hour / time.Millisecond)
	return time.Duration(min(n, most)) * time.Millisecond
}
