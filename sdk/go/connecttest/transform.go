package connecttest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	pluginv1 "github.com/tailrace/tailrace/gen/tailrace/plugin/v1"
	connect "github.com/tailrace/tailrace/sdk/go"
	"github.com/tailrace/tailrace/sdk/go/data"
	"github.com/tailrace/tailrace/sdk/go/wire"
)

// Transformed is what became of one record.
type Transformed struct {
	// Record is what is passed on; of a dropped or failed record it is the one that was given.
	Record
	// Changed tells that the transform gave another record.
	Changed bool
	Dropped bool
	// Err is why the record failed.
	Err error
}

// Transform runs records through a transform of a plugin in one batch, as the worker does, and gives what became of each, in order.
func Transform(t testing.TB, target Target, name string, cfg connect.Config, records ...Record) []Transformed {
	t.Helper()
	s, err := openTransform(target.launch(t), name, cfg)
	if err == nil {
		defer s.cancel()
		var out []Transformed
		if out, err = s.apply(records); err == nil {
			if err = s.end(); err == nil {
				return out
			}
		}
	}
	t.Fatalf("transform %s: %v", name, err)
	return nil
}

// transformStream is the worker's side of RunTransform.
type transformStream struct {
	stream  pluginv1.ConnectorPluginService_RunTransformClient
	cancel  context.CancelFunc
	epoch   uint64
	schemas wire.SchemaWriter
	defined wire.SchemaTable
	nextSeq uint64
}

func openTransform(in *instance, name string, cfg connect.Config) (*transformStream, error) {
	ctx, cancel := context.WithTimeout(context.Background(), waitTimeout)
	stream, err := in.client.RunTransform(ctx)
	if err != nil {
		cancel()
		return nil, err
	}
	s := &transformStream{stream: stream, cancel: cancel, epoch: nextEpoch(), nextSeq: 1}
	err = s.send(&pluginv1.RunTransformRequest{Frame: &pluginv1.RunTransformRequest_Start{Start: &pluginv1.StartTransform{
		Transform: name, Connector: "test", Alias: "step", Config: cfg, HostCapabilities: append(hostCapabilities[:len(hostCapabilities):len(hostCapabilities)], 9999),
	}}})
	var m *pluginv1.RunTransformResponse
	if err == nil {
		m, err = s.recv()
	}
	if err == nil && m.GetStarted() == nil {
		err = fmt.Errorf("the answer to Start is %T", m.GetFrame())
	}
	if err != nil {
		cancel()
		return nil, err
	}
	return s, nil
}

func (s *transformStream) send(m *pluginv1.RunTransformRequest) error {
	m.Epoch = s.epoch
	return s.stream.Send(m)
}

// recv skips what may come at any time. A Failure is an error.
func (s *transformStream) recv() (*pluginv1.RunTransformResponse, error) {
	for {
		m, err := s.stream.Recv()
		if err != nil {
			return nil, err
		}
		if m.GetEpoch() != s.epoch {
			return nil, fmt.Errorf("a frame has epoch %d, the stream has %d", m.GetEpoch(), s.epoch)
		}
		switch f := m.GetFrame().(type) {
		case *pluginv1.RunTransformResponse_Heartbeat, *pluginv1.RunTransformResponse_Logs, *pluginv1.RunTransformResponse_Metrics:
		case *pluginv1.RunTransformResponse_Schema:
			if err := s.defined.Define(f.Schema); err != nil {
				return nil, err
			}
		case *pluginv1.RunTransformResponse_Failure:
			return nil, &remoteError{f.Failure.GetError()}
		default:
			return m, nil
		}
	}
}

// remoteError is an error that the plugin told.
type remoteError struct{ proto *pluginv1.Error }

func (e *remoteError) Error() string { return e.proto.GetMessage() }

func (s *transformStream) apply(records []Record) ([]Transformed, error) {
	batch, err := s.message(records)
	if err != nil {
		return nil, err
	}
	for _, def := range s.schemas.Pending() {
		if err := s.send(&pluginv1.RunTransformRequest{Frame: &pluginv1.RunTransformRequest_Schema{Schema: def}}); err != nil {
			return nil, err
		}
	}
	first := s.nextSeq
	s.nextSeq += uint64(len(records))
	err = s.send(&pluginv1.RunTransformRequest{Frame: &pluginv1.RunTransformRequest_Apply{Apply: &pluginv1.Apply{
		Batch: batch, DeadlineMs: uint64(waitTimeout.Milliseconds()),
	}}})
	var out []Transformed
	for err == nil && len(out) < len(records) {
		var m *pluginv1.RunTransformResponse
		if m, err = s.recv(); err != nil {
			break
		}
		a := m.GetApplied()
		switch {
		case a == nil:
			err = fmt.Errorf("the answer to Apply is %T", m.GetFrame())
		case a.GetFirstSeq() != first+uint64(len(out)):
			err = fmt.Errorf("the answer is about record %d, record %d is next", a.GetFirstSeq(), first+uint64(len(out)))
		case a.GetCount() == 0 || int(a.GetCount()) > len(records)-len(out):
			err = fmt.Errorf("the answer is about %d records, %d are left", a.GetCount(), len(records)-len(out))
		default:
			out, err = s.outcomes(out, records[len(out):], a)
		}
	}
	return out, err
}

func (s *transformStream) message(records []Record) (*pluginv1.SourceBatch, error) {
	b := &wire.SourceBatchBuilder{}
	for i := range records {
		r := &records[i]
		b.Begin(wire.RecordHead{Topic: b.TopicIndex(r.Topic), KafkaPartition: r.KafkaPartition, TimestampMillis: r.TimestampMillis})
		for _, part := range []struct {
			schema *data.Schema
			value  any
			end    func(uint32)
		}{{r.KeySchema, r.Key, b.EndKey}, {r.ValueSchema, r.Value, b.EndValue}} {
			id, err := s.schemas.ID(part.schema)
			if err == nil && (part.schema != nil || part.value != nil) {
				b.Block, err = data.AppendValue(b.Block, part.schema, part.value)
			}
			if err != nil {
				return nil, err
			}
			part.end(id)
		}
		for _, h := range r.Headers {
			id, err := s.schemas.ID(h.Schema)
			if err != nil {
				return nil, err
			}
			value, err := data.AppendValue(nil, h.Schema, h.Value)
			if err != nil {
				return nil, err
			}
			b.Block = wire.AppendHeader(b.Block, h.Name, id, value)
		}
		b.EndHeaders()
		b.EndOffset(0)
	}
	return b.Message(s.nextSeq)
}

// outcomes reads one answer.
func (s *transformStream) outcomes(out []Transformed, given []Record, a *pluginv1.Applied) ([]Transformed, error) {
	if n := len(a.GetOutcome()); n > 1 && n != int(a.GetCount()) {
		return out, fmt.Errorf("the answer has %d outcomes for %d records", n, a.GetCount())
	}
	var cursor wire.SourceCursor
	var batch *wire.SourceBatch
	if a.GetReplaced() != nil {
		var err error
		if batch, err = wire.ReadSourceBatch(a.GetReplaced(), &s.defined, 0); err != nil {
			return out, err
		}
		cursor = batch.Cursor()
	}
	failed := 0
	for i := range int(a.GetCount()) {
		t := Transformed{Record: given[i]}
		outcome := pluginv1.Outcome_OUTCOME_UNSPECIFIED
		if n := len(a.GetOutcome()); n > 0 {
			outcome = a.GetOutcome()[min(i, n-1)]
		}
		switch outcome {
		case pluginv1.Outcome_OUTCOME_UNSPECIFIED:
		case pluginv1.Outcome_OUTCOME_DROPPED:
			t.Dropped = true
		case pluginv1.Outcome_OUTCOME_FAILED:
			if failed == len(a.GetErrors()) {
				return out, errors.New("the answer has fewer errors than failed records")
			}
			t.Err = &remoteError{a.GetErrors()[failed]}
			failed++
		case pluginv1.Outcome_OUTCOME_REPLACED:
			var in wire.SourceRecord
			if batch == nil || !cursor.Next(&in) {
				return out, errors.New("the answer has fewer new records than it says")
			}
			var err error
			if t.Record, err = readTransformed(&in, batch); err != nil {
				return out, err
			}
			t.Changed = true
		default:
			return out, fmt.Errorf("the outcome %d is not of protocol 1", outcome)
		}
		out = append(out, t)
	}
	if failed != len(a.GetErrors()) {
		return out, errors.New("the answer has more errors than failed records")
	}
	var rest wire.SourceRecord
	if batch != nil && cursor.Next(&rest) {
		return out, errors.New("the answer has more new records than it says")
	}
	return out, nil
}

func readTransformed(in *wire.SourceRecord, batch *wire.SourceBatch) (r Record, err error) {
	schemas := batch.Schemas()
	r = Record{
		Topic: batch.Topics()[in.Topic], KafkaPartition: in.KafkaPartition, TimestampMillis: in.TimestampMillis,
		KeySchema: schemas.Get(in.KeySchema), ValueSchema: schemas.Get(in.ValueSchema),
	}
	if len(in.Key) > 0 || r.KeySchema != nil {
		if r.Key, err = data.DecodeValue(r.KeySchema, in.Key); err != nil {
			return r, fmt.Errorf("key: %w", err)
		}
	}
	if len(in.Value) > 0 || r.ValueSchema != nil {
		if r.Value, err = data.DecodeValue(r.ValueSchema, in.Value); err != nil {
			return r, fmt.Errorf("value: %w", err)
		}
	}
	for rest := in.Headers; len(rest) > 0; {
		var h wire.Header
		if h, rest, err = wire.ReadHeader(rest); err != nil {
			return r, err
		}
		header := connect.Header{Name: h.Name, Schema: schemas.Get(h.Schema)}
		if header.Value, err = data.DecodeValue(header.Schema, h.Value); err != nil {
			return r, fmt.Errorf("header %s: %w", h.Name, err)
		}
		r.Headers = append(r.Headers, header)
	}
	return r, nil
}

// end closes the worker's half and waits for the plugin's.
func (s *transformStream) end() error {
	if err := s.stream.CloseSend(); err != nil {
		return err
	}
	m, err := s.recv()
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err == nil {
		err = fmt.Errorf("frame %T after the worker closed its half", m.GetFrame())
	}
	return err
}
