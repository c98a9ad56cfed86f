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

// TransformStart is how one step of a connector's transforms is started.
type TransformStart struct {
	Epoch     uint64
	Transform string            // TransformType.Name
	Connector string            // the user's name of the connector
	Alias     string            // the user's name of the step
	Config    map[string]string // its options, secrets resolved
	LogLevel  slog.Level
	// Metrics takes the transform's own measures, from the receiving goroutine; it must not block. May be nil.
	Metrics func([]Metric)
}

// Outcome is what became of a record in a transform.
type Outcome int

// The outcomes.
const (
	OutcomeKept Outcome = iota
	OutcomeDropped
	OutcomeReplaced
	OutcomeFailed
)

// Applied is what became of Count records from place First of a batch on, in order.
type Applied struct {
	First, Count int
	outcome      []pluginv1.Outcome
	// Replaced are the new records, in order; nil for none. Errors are those of the failed ones.
	Replaced *wire.SourceBatch
	Errors   []*RemoteError
}

// Outcome is that of record i of Count.
func (a *Applied) Outcome(i int) Outcome {
	if len(a.outcome) == 0 {
		return OutcomeKept
	}
	return Outcome(a.outcome[min(i, len(a.outcome)-1)])
}

// maxAppliedBytes bounds what one batch may become (I-4).
const maxAppliedBytes = 8 * wire.MaxFrameBytes

// applyGrace is how much longer than the deadline told to the plugin the host waits for the answer: 5 seconds to a minute.
func applyGrace(deadline time.Duration) time.Duration { return deadline / 12 }

// TransformStream carries one step of a connector's transforms. Apply and Schemas belong to one goroutine; Close may be called from any.
type TransformStream struct {
	*conversation[pluginv1.RunTransformRequest, pluginv1.RunTransformResponse]
	start      TransformStart
	schemas    wire.SchemaWriter // of what is sent
	isStarted  chan struct{}
	answers    chan *pluginv1.RunTransformResponse // schemas and answers, for Apply
	done       chan struct{}
	background sync.WaitGroup

	// Of Apply, whose answers refer to received.
	received        wire.SchemaTable
	dictionaryBytes int
	nextSeq         uint64

	mu  sync.Mutex
	err error // set before done is closed
}

// OpenTransform opens a step's stream, starts the transform and waits until it takes batches, at most Timeouts.Start or
// until ctx ends. The caller must Close the stream.
func (i *Instance) OpenTransform(ctx context.Context, start TransformStart) (*TransformStream, error) {
	conversation, err := open(ctx, i, i.logger.With("connector", start.Connector, "transform", start.Alias), start.Epoch, i.client.RunTransform)
	if err != nil {
		return nil, err
	}
	s := &TransformStream{
		conversation: conversation, start: start, nextSeq: 1,
		isStarted: make(chan struct{}), answers: make(chan *pluginv1.RunTransformResponse), done: make(chan struct{}),
	}
	s.background.Go(s.receive)
	err = s.request(&pluginv1.RunTransformRequest{Frame: &pluginv1.RunTransformRequest_Start{Start: &pluginv1.StartTransform{
		Transform: start.Transform, Connector: start.Connector, Alias: start.Alias, Config: start.Config,
		HostCapabilities: hostCapabilities, LogLevel: logLevel(start.LogLevel),
	}}})
	if err == nil {
		select {
		case <-s.isStarted:
			return s, nil
		case <-s.done:
			err = s.Err()
		case <-ctx.Done():
			err = fmt.Errorf("the start of the transform was cancelled: %w", context.Cause(ctx))
		}
	}
	s.Close()
	return nil, err
}

func (s *TransformStream) request(m *pluginv1.RunTransformRequest) error {
	m.Epoch = s.epoch
	return s.send(m)
}

// Err is why the stream ended. It is valid after Apply failed with it.
func (s *TransformStream) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

func (s *TransformStream) receive() {
	defer close(s.done)
	for {
		m, err := s.recv()
		if errors.Is(err, io.EOF) {
			err = violation("the transform ended its stream without being asked and without a failure")
		}
		if err == nil {
			err = s.frame(m)
		}
		if err != nil {
			s.mu.Lock()
			s.err = err
			s.mu.Unlock()
			_ = s.fail(err)
			return
		}
	}
}

func (s *TransformStream) frame(m *pluginv1.RunTransformResponse) error {
	if err := s.control(); err != nil {
		return err
	}
	switch f := m.Frame.(type) {
	case *pluginv1.RunTransformResponse_Applied, *pluginv1.RunTransformResponse_Schema:
		select {
		case s.answers <- m:
		case <-s.ctx.Done():
			return s.explain(s.ctx.Err())
		}
	case *pluginv1.RunTransformResponse_Started:
		s.started()
		select {
		case <-s.isStarted:
			return violation("it said twice that the transform is started")
		default:
			close(s.isStarted)
		}
	case *pluginv1.RunTransformResponse_Failure:
		return readError(f.Failure.GetError())
	case *pluginv1.RunTransformResponse_Heartbeat:
		s.heartbeat(f.Heartbeat)
	case *pluginv1.RunTransformResponse_Logs:
		s.logs.relay(f.Logs, s.instance.mask)
	case *pluginv1.RunTransformResponse_Metrics:
		if s.start.Metrics != nil {
			s.start.Metrics(readMetrics(f.Metrics))
		}
	}
	return nil // a frame that this host does not know is ignored by rule
}

// Schemas gives the ids of the schemas of the next batch.
func (s *TransformStream) Schemas() *wire.SchemaWriter { return &s.schemas }

// Apply sends a batch and waits for all answers. They are valid as long as they are referenced. An error means that
// nothing of the batch counts as done and that the stream is over: *DeathError when the process died, *TimeoutError when no answer came by
// Timeouts.Answer, *RemoteError when the transform failed as a whole, *ProtocolError, or the cause of ctx.
func (s *TransformStream) Apply(ctx context.Context, b *wire.SourceBatchBuilder) ([]Applied, error) {
	count, first := b.Len(), s.nextSeq
	m, err := b.Message(first)
	if err != nil {
		return nil, err
	}
	for _, def := range s.schemas.Pending() {
		if err := s.request(&pluginv1.RunTransformRequest{Frame: &pluginv1.RunTransformRequest_Schema{Schema: def}}); err != nil {
			return nil, err
		}
	}
	apply := &pluginv1.Apply{Batch: m, DeadlineMs: uint64(s.timeouts.Answer.Milliseconds())}
	if err := s.request(&pluginv1.RunTransformRequest{Frame: &pluginv1.RunTransformRequest_Apply{Apply: apply}}); err != nil {
		return nil, err
	}
	s.nextSeq += uint64(count)
	limit := s.timeouts.Answer + applyGrace(s.timeouts.Answer)
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	var out []Applied
	bytes := 0
	for done := 0; done < count; {
		select {
		case m := <-s.answers:
			if m.GetSchema() != nil {
				if err := s.define(m.GetSchema()); err != nil {
					return nil, s.fail(err)
				}
				continue
			}
			part, err := s.read(m.GetApplied(), first+uint64(done), count-done)
			if err == nil {
				if bytes += len(m.GetApplied().GetReplaced().GetBlock()); bytes > maxAppliedBytes {
					err = violation("a batch becomes more than %d MiB", maxAppliedBytes>>20)
				}
			}
			if err != nil {
				return nil, s.fail(err)
			}
			part.First = done
			done += part.Count
			out = append(out, part)
		case <-s.done:
			return nil, s.Err()
		case <-deadline.C:
			return nil, s.fail(&TimeoutError{What: "transform " + s.start.Alias + " did not answer within " + limit.String()})
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	return out, nil
}

func (s *TransformStream) define(m *pluginv1.SchemaDef) error {
	if s.dictionaryBytes += m.SizeVT(); s.dictionaryBytes > dictionaryBytes {
		return violation("the schemas of one stream take more than %d MiB", dictionaryBytes>>20)
	}
	if err := s.received.Define(m); err != nil {
		return violation("%s", err)
	}
	return nil
}

// read checks an answer.
func (s *TransformStream) read(m *pluginv1.Applied, first uint64, most int) (Applied, error) {
	a := Applied{Count: int(m.GetCount()), outcome: m.GetOutcome()}
	switch {
	case m.GetFirstSeq() != first:
		return a, violation("Applied is about record %d, and record %d is next", m.GetFirstSeq(), first)
	case a.Count == 0 || a.Count > most:
		return a, violation("Applied is about %d records, and %d are asked for", a.Count, most)
	case len(a.outcome) > 1 && len(a.outcome) != a.Count:
		return a, violation("Applied has %d outcomes for %d records", len(a.outcome), a.Count)
	}
	replaced, failed := 0, 0
	for i := range a.Count {
		switch a.Outcome(i) {
		case OutcomeKept, OutcomeDropped:
		case OutcomeReplaced:
			replaced++
		case OutcomeFailed:
			failed++
		default:
			return a, violation("the outcome %d is not known", a.Outcome(i))
		}
	}
	if failed != len(m.GetErrors()) {
		return a, violation("%d records failed, and there are %d errors", failed, len(m.GetErrors()))
	}
	if n := int(m.GetReplaced().GetCount()); n != replaced {
		return a, violation("%d records are replaced, and there are %d new ones", replaced, n)
	}
	for _, e := range m.GetErrors() {
		a.Errors = append(a.Errors, readError(e))
	}
	if replaced > 0 {
		batch, err := wire.ReadSourceBatch(m.GetReplaced(), &s.received, 0)
		if err != nil {
			return a, violation("%s", err)
		}
		a.Replaced = batch
	}
	return a, nil
}

// Close ends the stream; the transform is stopped. Safe to call twice.
func (s *TransformStream) Close() {
	s.closeSend()
	s.close()
	s.background.Wait()
}
