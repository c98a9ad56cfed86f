package connect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pluginv1 "github.com/tailrace/tailrace/gen/tailrace/plugin/v1"
	"github.com/tailrace/tailrace/sdk/go/wire"
)

const (
	// defaultApplyTimeout is used when the worker names no deadline.
	defaultApplyTimeout = time.Minute
	// transformFrames is how many frames may wait for Apply; a worker sends one batch at a time.
	transformFrames = 64
)

// transformFrameMaker puts common frames into the envelope of RunTransform.
type transformFrameMaker struct{ epoch uint64 }

func (f transformFrameMaker) heartbeat(m *pluginv1.Heartbeat) *pluginv1.RunTransformResponse {
	return &pluginv1.RunTransformResponse{Epoch: f.epoch, Frame: &pluginv1.RunTransformResponse_Heartbeat{Heartbeat: m}}
}

func (f transformFrameMaker) logs(m *pluginv1.Logs) *pluginv1.RunTransformResponse {
	return &pluginv1.RunTransformResponse{Epoch: f.epoch, Frame: &pluginv1.RunTransformResponse_Logs{Logs: m}}
}

func (f transformFrameMaker) metrics(m *pluginv1.Metrics) *pluginv1.RunTransformResponse {
	return &pluginv1.RunTransformResponse{Epoch: f.epoch, Frame: &pluginv1.RunTransformResponse_Metrics{Metrics: m}}
}

func (f transformFrameMaker) failure(m *pluginv1.Failure) *pluginv1.RunTransformResponse {
	return &pluginv1.RunTransformResponse{Epoch: f.epoch, Frame: &pluginv1.RunTransformResponse_Failure{Failure: m}}
}

// transformRun is one step of a chain. Goroutines: the handler writes (outbox.run), receive reads, author calls Start, Apply and Stop.
type transformRun struct {
	epoch  uint64
	start  *pluginv1.StartTransform
	stream pluginv1.ConnectorPluginService_RunTransformServer
	step   Transformation
	out    *outbox[*pluginv1.RunTransformResponse]
	log    *logBuffer

	work       chan *pluginv1.RunTransformRequest // schemas and batches, closed at the end
	sent       chan struct{}                      // an Applied has left: its memory is free
	authorDone chan struct{}

	// Of the author.
	received wire.SchemaTable
	own      wire.SchemaWriter
	builder  wire.SourceBatchBuilder
	batch    TransformBatch
}

// RunTransform carries one step of a connector's transforms.
func (s *service) RunTransform(stream pluginv1.ConnectorPluginService_RunTransformServer) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	start := first.GetStart()
	if start == nil {
		return status.Error(codes.InvalidArgument, "the first frame of RunTransform must be Start")
	}
	t, err := s.plugin.transform(start.GetTransform())
	if err != nil {
		return status.Error(codes.NotFound, err.Error())
	}
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	r := newTransformRun(stream, first.GetEpoch(), start)
	go r.receive(ctx, cancel)
	go r.author(ctx, t)
	err = r.out.run(ctx, nil)
	cancel()
	select {
	case <-r.authorDone:
	case <-time.After(stopTimeout):
	}
	if errors.Is(err, context.Canceled) {
		return status.FromContextError(err).Err()
	}
	return err
}

func newTransformRun(stream pluginv1.ConnectorPluginService_RunTransformServer, epoch uint64, start *pluginv1.StartTransform) *transformRun {
	log := newLogBuffer(slices.Contains(start.GetHostCapabilities(), pluginv1.Capability_CAPABILITY_LOGS),
		start.GetLogLevel(), transformAttrs(start.GetConnector(), start.GetAlias())...)
	r := &transformRun{
		epoch: epoch, start: start, stream: stream, log: log,
		work: make(chan *pluginv1.RunTransformRequest, transformFrames), sent: make(chan struct{}, 1), authorDone: make(chan struct{}),
	}
	r.out = newOutbox(transformFrameMaker{epoch}, r.send, log)
	r.out.sendMetrics = slices.Contains(start.GetHostCapabilities(), pluginv1.Capability_CAPABILITY_METRICS)
	return r
}

func (r *transformRun) send(m *pluginv1.RunTransformResponse) error {
	err := r.stream.Send(m)
	if m.GetApplied() != nil {
		r.sent <- struct{}{} // one is under way at a time
	}
	return err
}

func (r *transformRun) receive(ctx context.Context, cancel context.CancelFunc) {
	defer close(r.work)
	for {
		m, err := r.stream.Recv()
		if err != nil {
			if !errors.Is(err, io.EOF) {
				cancel()
			}
			return
		}
		if m.GetEpoch() != r.epoch {
			continue
		}
		switch f := m.GetFrame().(type) {
		case *pluginv1.RunTransformRequest_SetLogLevel:
			r.log.setLevel(f.SetLogLevel.GetLevel())
		case *pluginv1.RunTransformRequest_Schema, *pluginv1.RunTransformRequest_Apply:
			select {
			case r.work <- m:
			case <-ctx.Done():
				return
			}
		}
	}
}

// author is the goroutine that the transform's methods are called in.
func (r *transformRun) author(ctx context.Context, t *Transform) {
	defer close(r.authorDone)
	err := r.begin(ctx, t)
	for err == nil && ctx.Err() == nil {
		m, ok := <-r.work
		if !ok {
			break
		}
		err = r.handle(ctx, m)
	}
	if r.step != nil {
		stopCtx, cancel := stopContext(ctx)
		if err := r.out.calls.guard("stop", func() error { return r.step.Stop(stopCtx) }); err != nil {
			r.log.logger().Error("stop failed", "error", err)
		}
		cancel()
	}
	if err != nil && ctx.Err() == nil {
		r.out.fail(err)
		return
	}
	r.out.close()
}

func (r *transformRun) begin(ctx context.Context, t *Transform) error {
	err := r.out.calls.guard("new", func() error {
		if r.step = t.New(); r.step == nil {
			return fmt.Errorf("transform %q made no object: its New function returned nil", t.Name)
		}
		return nil
	})
	if err != nil {
		return err
	}
	cfg := Config(r.start.GetConfig())
	if err := t.Config.check(cfg); err != nil {
		return err
	}
	step := &TransformContext{connector: r.start.GetConnector(), alias: r.start.GetAlias(), log: r.log.logger(), metrics: &r.out.metrics}
	if err := r.out.calls.guard("start", func() error { return r.step.Start(ctx, cfg, step) }); err != nil {
		return fmt.Errorf("start: %w", err)
	}
	return r.post(ctx, &pluginv1.RunTransformResponse{Frame: &pluginv1.RunTransformResponse_Started{Started: &pluginv1.TransformStarted{}}})
}

func (r *transformRun) post(ctx context.Context, m *pluginv1.RunTransformResponse) error {
	m.Epoch = r.epoch
	return r.out.post(ctx, m)
}

func (r *transformRun) handle(ctx context.Context, m *pluginv1.RunTransformRequest) error {
	if def := m.GetSchema(); def != nil {
		return r.received.Define(def)
	}
	in, err := wire.ReadSourceBatch(m.GetApply().GetBatch(), &r.received, 0)
	if err != nil {
		return err
	}
	timeout := time.Duration(min(m.GetApply().GetDeadlineMs(), 1<<40)) * time.Millisecond
	if timeout == 0 {
		timeout = defaultApplyTimeout
	}
	applyCtx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	r.batch.fill(in)
	r.apply(applyCtx, &r.batch)
	return r.answer(ctx, in.FirstSeq())
}

// apply calls Apply for the batch, and for each of its records alone when that fails.
func (r *transformRun) apply(ctx context.Context, b *TransformBatch) {
	err := r.out.calls.guard("apply", func() error { return r.step.Apply(ctx, b) })
	switch {
	case err == nil:
	case ctx.Err() != nil || b.Len() == 1:
		if ctx.Err() != nil && !isPanic(err) {
			err = Retriable(fmt.Errorf("the transform did not finish by its deadline: %w", err), 0)
		}
		for rec := range b.Records() {
			rec.Fail(err)
		}
	default:
		for i := range b.records {
			r.apply(ctx, b.alone(i))
		}
	}
}

// answer sends what became of the records, in as many frames as that takes.
func (r *transformRun) answer(ctx context.Context, firstSeq uint64) error {
	out := &pluginv1.Applied{FirstSeq: firstSeq}
	errorBytes := 0
	r.builder.Reset()
	for i := range r.batch.records {
		rec := &r.batch.records[i]
		if rec.outcome == pluginv1.Outcome_OUTCOME_REPLACED {
			if err := r.replace(rec); err != nil {
				rec.Fail(err)
			}
		}
		if rec.outcome == pluginv1.Outcome_OUTCOME_FAILED {
			e := errorProto(rec.err)
			errorBytes += e.SizeVT()
			out.Errors = append(out.Errors, e)
		}
		out.Outcome = append(out.Outcome, rec.outcome)
		out.Count++
		if len(r.builder.Block)+errorBytes >= wire.TargetBlockBytes && i+1 < len(r.batch.records) {
			if err := r.flush(ctx, out); err != nil {
				return err
			}
			out, errorBytes = &pluginv1.Applied{FirstSeq: firstSeq + uint64(i) + 1}, 0
			r.builder.Reset()
		}
	}
	return r.flush(ctx, out)
}

// maxReplacedBytes bounds one record, so that it fits a frame behind a block that is not full yet.
const maxReplacedBytes = wire.MaxFrameBytes - wire.TargetBlockBytes

// replace writes a changed record.
func (r *transformRun) replace(rec *TransformRecord) (err error) {
	b := &r.builder
	begin := len(b.Block)
	defer func() {
		if err != nil {
			b.Undo(begin)
		}
	}()
	if rec.topic == "" {
		b.Begin(wire.RecordHead{})
		return errors.New("the topic that the transform gave to the record is empty")
	}
	b.Begin(wire.RecordHead{Topic: b.TopicIndex(rec.topic), KafkaPartition: rec.r.KafkaPartition, TimestampMillis: rec.r.TimestampMillis})
	keyID, err := r.own.ID(rec.KeySchema())
	if err != nil {
		return err
	}
	valueID, err := r.own.ID(rec.ValueSchema())
	if err != nil {
		return err
	}
	b.Block = append(b.Block, rec.KeyWire()...)
	b.EndKey(keyID)
	b.Block = append(b.Block, rec.ValueWire()...)
	b.EndValue(valueID)
	if b.Block, err = r.headers(b.Block, rec); err != nil {
		return err
	}
	b.EndHeaders()
	if size := len(b.Block) - begin; size > maxReplacedBytes {
		return fmt.Errorf("the record takes %d bytes behind the transform, the limit is %d", size, maxReplacedBytes)
	}
	b.EndOffset(0)
	return nil
}

func (r *transformRun) headers(dst []byte, rec *TransformRecord) ([]byte, error) {
	if rec.newHeaders {
		return appendHeaders(&r.own, dst, rec.headers)
	}
	for rest := rec.r.Headers; len(rest) > 0; {
		h, next, err := wire.ReadHeader(rest)
		if err != nil {
			return dst, err
		}
		id, err := r.own.ID(rec.batch.schemas.Get(h.Schema))
		if err != nil {
			return dst, err
		}
		dst, rest = wire.AppendHeader(dst, h.Name, id, h.Value), next
	}
	return dst, nil
}

// flush sends one answer and waits until it has left, because its memory is used again.
func (r *transformRun) flush(ctx context.Context, out *pluginv1.Applied) error {
	if !slices.ContainsFunc(out.GetOutcome(), func(o pluginv1.Outcome) bool { return o != pluginv1.Outcome_OUTCOME_UNSPECIFIED }) {
		out.Outcome = nil
	}
	if r.builder.Len() > 0 {
		m, err := r.builder.Message(1)
		if err != nil {
			return err
		}
		out.Replaced = m
	}
	for _, def := range r.own.Pending() {
		if err := r.post(ctx, &pluginv1.RunTransformResponse{Frame: &pluginv1.RunTransformResponse_Schema{Schema: def}}); err != nil {
			return err
		}
	}
	if err := r.post(ctx, &pluginv1.RunTransformResponse{Frame: &pluginv1.RunTransformResponse_Applied{Applied: out}}); err != nil {
		return err
	}
	select {
	case <-r.sent:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-r.out.over:
		return errStreamOver
	}
}
