package connect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pluginv1 "github.com/tailrace/tailrace/gen/tailrace/plugin/v1"
	"github.com/tailrace/tailrace/sdk/go/wire"
)

// sinkFrames puts common frames into the envelope of RunSink.
type sinkFrames struct{ epoch uint64 }

func (f sinkFrames) heartbeat(m *pluginv1.Heartbeat) *pluginv1.RunSinkResponse {
	return &pluginv1.RunSinkResponse{Epoch: f.epoch, Frame: &pluginv1.RunSinkResponse_Heartbeat{Heartbeat: m}}
}

func (f sinkFrames) logs(m *pluginv1.Logs) *pluginv1.RunSinkResponse {
	return &pluginv1.RunSinkResponse{Epoch: f.epoch, Frame: &pluginv1.RunSinkResponse_Logs{Logs: m}}
}

func (f sinkFrames) metrics(m *pluginv1.Metrics) *pluginv1.RunSinkResponse {
	return &pluginv1.RunSinkResponse{Epoch: f.epoch, Frame: &pluginv1.RunSinkResponse_Metrics{Metrics: m}}
}

func (f sinkFrames) failure(m *pluginv1.Failure) *pluginv1.RunSinkResponse {
	return &pluginv1.RunSinkResponse{Epoch: f.epoch, Frame: &pluginv1.RunSinkResponse_Failure{Failure: m}}
}

// sinkRun is one sink task. Goroutines: the handler writes (outbox.run), receive reads into
// the inbox, author handles the inbox in order and calls all methods of the task.
type sinkRun struct {
	epoch  uint64
	start  *pluginv1.StartSink
	task   SinkTask
	stream pluginv1.ConnectorPluginService_RunSinkServer

	out    *outbox[*pluginv1.RunSinkResponse]
	log    *logBuffer
	inbox  *inbox
	state  *sinkState
	errant *errantReports
	done   chan struct{}

	// Of author.
	schemas wire.SchemaTable
	lastSeq uint64

	mu      sync.Mutex
	cancel  context.CancelFunc // of the call under way
	expired bool               // the deadline of a drain passed
	// deadlines of drains and revocations that are not handled yet
	deadlines map[*pluginv1.RunSinkRequest]*time.Timer
}

// RunSink carries one sink task for its whole life.
func (s *service) RunSink(stream pluginv1.ConnectorPluginService_RunSinkServer) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	start := first.GetStart()
	if start == nil {
		return status.Error(codes.InvalidArgument, "the first frame of RunSink must be Start")
	}
	sink, err := s.plugin.sink(start.GetConnector())
	if err != nil {
		return status.Error(codes.NotFound, err.Error())
	}
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	r := newSinkRun(ctx, stream, first.GetEpoch(), start)
	go r.receive(cancel)
	go r.author(ctx, sink)
	err = r.out.run(ctx, nil)
	cancel()
	select {
	case <-r.done:
	case <-time.After(stopTimeout):
	}
	if errors.Is(err, context.Canceled) {
		return status.FromContextError(err).Err()
	}
	return err
}

func newSinkRun(ctx context.Context, stream pluginv1.ConnectorPluginService_RunSinkServer, epoch uint64, start *pluginv1.StartSink) *sinkRun {
	log := newLogBuffer(slices.Contains(start.GetHostCapabilities(), pluginv1.Capability_CAPABILITY_LOGS),
		start.GetLogLevel(), taskAttrs(start.GetName(), start.GetTask())...)
	r := &sinkRun{
		epoch: epoch, start: start, stream: stream, log: log,
		out:   newOutbox(sinkFrames{epoch}, stream.Send, log),
		inbox: newInbox(start.GetCreditBytes()), state: newSinkState(),
		done: make(chan struct{}), cancel: func() {},
		deadlines: make(map[*pluginv1.RunSinkRequest]*time.Timer),
	}
	r.out.sendMetrics = slices.Contains(start.GetHostCapabilities(), pluginv1.Capability_CAPABILITY_METRICS)
	r.errant = &errantReports{
		enabled: slices.Contains(start.GetHostCapabilities(), pluginv1.Capability_CAPABILITY_ERRANT_RECORDS),
		send: func(ctx context.Context, m *pluginv1.RecordErrors) error {
			return r.out.post(ctx, &pluginv1.RunSinkResponse{Epoch: epoch, Frame: &pluginv1.RunSinkResponse_RecordErrors{RecordErrors: m}})
		},
		over: ctx,
	}
	return r
}

// receive reads the stream; it never waits for user code.
func (r *sinkRun) receive(cancel context.CancelFunc) {
	for {
		m, err := r.stream.Recv()
		if err != nil {
			if !errors.Is(err, io.EOF) {
				cancel()
			}
			r.inbox.end()
			return
		}
		if m.GetEpoch() != r.epoch {
			continue
		}
		switch f := m.GetFrame().(type) {
		case *pluginv1.RunSinkRequest_SetLogLevel:
			r.log.setLevel(f.SetLogLevel.GetLevel())
		case *pluginv1.RunSinkRequest_RecordErrorsHandled:
			r.errant.handled(f.RecordErrorsHandled)
		case *pluginv1.RunSinkRequest_Pause, *pluginv1.RunSinkRequest_Resume, *pluginv1.RunSinkRequest_Start, nil:
			// The host stops sending records by itself; nothing to do.
		default:
			r.expireAt(m)
			if err := r.inbox.add(m); err != nil {
				r.out.fail(err)
				cancelSoon(cancel)
				return
			}
		}
	}
}

// cancelSoon leaves the Failure time to be sent.
func cancelSoon(cancel context.CancelFunc) { time.AfterFunc(failFlushTimeout, cancel) }

// expireAt ends the call under way when the deadline of a drain or revocation passes.
func (r *sinkRun) expireAt(m *pluginv1.RunSinkRequest) {
	ms := m.GetRevoke().GetDeadlineMs()
	drain := m.GetDrain() != nil
	if drain {
		ms = m.GetDrain().GetDeadlineMs()
	}
	if ms == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.deadlines[m] = time.AfterFunc(time.Duration(min(ms, 1<<40))*time.Millisecond, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.expired = r.expired || drain
		r.cancel()
	})
}

// met ends the deadline of a frame that was handled.
func (r *sinkRun) met(m *pluginv1.RunSinkRequest) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if t := r.deadlines[m]; t != nil {
		t.Stop()
		delete(r.deadlines, m)
	}
}

// call runs one method of the task; its context ends with ctx or a deadline.
func (r *sinkRun) call(ctx context.Context, name string, f func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r.mu.Lock()
	r.cancel = cancel
	if r.expired {
		cancel()
	}
	r.mu.Unlock()
	return r.out.calls.guard(name, func() error { return f(ctx) })
}

// author is the goroutine that all methods of the task are called in.
func (r *sinkRun) author(ctx context.Context, sink *Sink) {
	defer close(r.done)
	err := r.work(ctx, sink)
	stopCtx, cancel := stopContext(ctx)
	defer cancel()
	if r.task != nil {
		if open := r.state.release(r.state.ids()); len(open) > 0 {
			if p, ok := r.task.(Partitioned); ok {
				// After an error nothing will be committed of them any more.
				r.logError("close", r.out.calls.guard("close", func() error { return p.Close(stopCtx, open, err != nil) }))
			}
		}
		r.logError("stop", r.out.calls.guard("stop", func() error { return r.task.Stop(stopCtx) }))
	}
	if err != nil && ctx.Err() == nil {
		r.out.fail(err)
		return
	}
	r.out.close()
}

func (r *sinkRun) logError(call string, err error) {
	if err != nil {
		r.log.logger().Error(call+" failed", "error", err)
	}
}

func (r *sinkRun) work(ctx context.Context, sink *Sink) error {
	err := r.out.calls.guard("new", func() error {
		if r.task = sink.Task(); r.task == nil {
			return fmt.Errorf("sink connector %q made no task: its Task function returned nil", sink.Name)
		}
		return nil
	})
	if err != nil {
		return err
	}
	task := &SinkContext{connector: r.start.GetName(), number: int(r.start.GetTask()), log: r.log.logger(), metrics: &r.out.metrics, host: r}
	if err := r.call(ctx, "start", func(ctx context.Context) error { return r.task.Start(ctx, r.start.GetConfig(), task) }); err != nil {
		return fmt.Errorf("start: %w", err)
	}
	r.post(ctx, &pluginv1.RunSinkResponse{Frame: &pluginv1.RunSinkResponse_Started{Started: &pluginv1.TaskStarted{}}})
	for {
		m, ok, over := r.inbox.next()
		switch {
		case over:
			return nil
		case !ok:
			select {
			case <-r.inbox.wake:
			case <-ctx.Done():
				return nil
			}
		default:
			if err := r.handle(ctx, m); err != nil {
				return err
			}
		}
	}
}

// post hands a frame to the writer. Its error only says that the stream is over, which the
// reader tells too.
func (r *sinkRun) post(ctx context.Context, m *pluginv1.RunSinkResponse) {
	m.Epoch = r.epoch
	_ = r.out.post(ctx, m)
}

func (r *sinkRun) handle(ctx context.Context, m *pluginv1.RunSinkRequest) error {
	defer r.met(m)
	switch f := m.GetFrame().(type) {
	case *pluginv1.RunSinkRequest_Schema:
		if err := r.schemas.Define(f.Schema); err != nil {
			return fmt.Errorf("the worker broke the protocol: %w", err)
		}
	case *pluginv1.RunSinkRequest_Records:
		return r.records(ctx, f.Records)
	case *pluginv1.RunSinkRequest_Flush:
		return r.flush(ctx, f.Flush)
	case *pluginv1.RunSinkRequest_Assign:
		return r.assign(ctx, f.Assign)
	case *pluginv1.RunSinkRequest_Revoke:
		return r.revoke(ctx, f.Revoke)
	case *pluginv1.RunSinkRequest_Sought:
		r.state.sought(f.Sought)
	case *pluginv1.RunSinkRequest_OffsetsCommitted:
		return r.offsetsCommitted(ctx, f.OffsetsCommitted)
	case *pluginv1.RunSinkRequest_Drain:
		r.post(ctx, &pluginv1.RunSinkResponse{Frame: &pluginv1.RunSinkResponse_Drained{Drained: &pluginv1.Drained{LastSeq: r.lastSeq}}})
	}
	return nil
}

func (r *sinkRun) assign(ctx context.Context, f *pluginv1.Assign) error {
	tps := r.state.assign(f.GetPartitions())
	if p, ok := r.task.(Partitioned); ok && len(tps) > 0 {
		if err := r.call(ctx, "open", func(ctx context.Context) error { return p.Open(ctx, tps) }); err != nil {
			return fmt.Errorf("open: %w", err)
		}
	}
	r.post(ctx, &pluginv1.RunSinkResponse{Frame: &pluginv1.RunSinkResponse_Assigned{Assigned: &pluginv1.Assigned{Token: f.GetToken()}}})
	return nil
}

func (r *sinkRun) revoke(ctx context.Context, f *pluginv1.Revoke) error {
	answer := &pluginv1.Revoked{Token: f.GetToken()}
	if !f.GetLost() {
		safe, err := r.preCommit(ctx, f.GetPartitions())
		if isPanic(err) {
			return err
		}
		answer.Error = errorProto(err)
		if err == nil {
			answer.Offsets = r.state.flushed(f.GetPartitions(), safe)
		}
	}
	gone := r.state.release(f.GetPartitions())
	if p, ok := r.task.(Partitioned); ok && len(gone) > 0 {
		if err := r.call(ctx, "close", func(ctx context.Context) error { return p.Close(ctx, gone, f.GetLost()) }); err != nil {
			return fmt.Errorf("close: %w", err)
		}
	}
	r.post(ctx, &pluginv1.RunSinkResponse{Frame: &pluginv1.RunSinkResponse_Revoked{Revoked: answer}})
	return nil
}

func (r *sinkRun) flush(ctx context.Context, f *pluginv1.Flush) error {
	answer := &pluginv1.Flushed{Token: f.GetToken()}
	ids := r.state.ids()
	safe, err := r.preCommit(ctx, ids)
	switch {
	case isPanic(err):
		return err
	case err != nil:
		answer.Error = errorProto(err)
		r.state.flushFailed()
	default:
		answer.Offsets = r.state.flushed(ids, safe)
	}
	r.post(ctx, &pluginv1.RunSinkResponse{Frame: &pluginv1.RunSinkResponse_Flushed{Flushed: answer}})
	return nil
}

// preCommit asks the task what is safe of some partitions, by the power that it has.
func (r *sinkRun) preCommit(ctx context.Context, ids []uint32) (safe Offsets, err error) {
	switch t := r.task.(type) {
	case PreCommitter:
		err = r.call(ctx, "preCommit", func(ctx context.Context) (err error) {
			safe, err = t.PreCommit(ctx, r.state.current(ids, false))
			return err
		})
	case Flusher:
		safe = r.state.current(ids, true)
		err = r.call(ctx, "flush", t.Flush)
	default:
		safe = r.state.current(ids, true)
	}
	if err == nil {
		err = r.errant.flush(ctx) // before the answer, because the worker forgets records with it
	}
	if err != nil {
		r.errant.forget(0) // all come again
		return nil, fmt.Errorf("flush: %w", err)
	}
	return safe, nil
}

func (r *sinkRun) offsetsCommitted(ctx context.Context, f *pluginv1.OffsetsCommitted) error {
	l, ok := r.task.(OffsetsCommittedListener)
	if !ok {
		return nil
	}
	offsets := make(Offsets)
	for _, o := range f.GetOffsets() {
		r.state.mu.Lock()
		if p := r.state.byID[o.GetPartition()]; p != nil {
			offsets[p.tp] = o.GetOffset()
		}
		r.state.mu.Unlock()
	}
	if len(offsets) == 0 {
		return nil
	}
	return r.call(ctx, "offsetsCommitted", func(ctx context.Context) error { l.OffsetsCommitted(ctx, offsets); return nil })
}

// The sinkHost of the task's context.

func (r *sinkRun) assignment() []TopicPartition             { return r.state.assignment() }
func (r *sinkRun) position(tp TopicPartition) (int64, bool) { return r.state.position(tp) }
func (r *sinkRun) canReport() bool                          { return r.errant.enabled }
func (r *sinkRun) report(seq uint64, err error)             { r.errant.add(RecordError{seq, err}) }

func (r *sinkRun) reportAll(ctx context.Context, errs []RecordError) error {
	return r.errant.sendAndWait(ctx, errs)
}

func (r *sinkRun) seek(offsets Offsets) error {
	if len(offsets) == 0 {
		return nil
	}
	m, err := r.state.seek(offsets)
	if err != nil {
		return err
	}
	r.post(r.stream.Context(), &pluginv1.RunSinkResponse{Frame: &pluginv1.RunSinkResponse_Seek{Seek: m}})
	return nil
}

func (r *sinkRun) pause(tps []TopicPartition, resume bool) error {
	ids, err := r.state.idsOf(tps)
	if err != nil || len(ids) == 0 {
		return err
	}
	m := &pluginv1.RunSinkResponse{Frame: &pluginv1.RunSinkResponse_Pause{Pause: &pluginv1.PausePartitions{Partitions: ids}}}
	if resume {
		m = &pluginv1.RunSinkResponse{Frame: &pluginv1.RunSinkResponse_Resume{Resume: &pluginv1.ResumePartitions{Partitions: ids}}}
	}
	r.post(r.stream.Context(), m)
	return nil
}

func (r *sinkRun) requestCommit() {
	r.post(r.stream.Context(), &pluginv1.RunSinkResponse{Frame: &pluginv1.RunSinkResponse_RequestCommit{RequestCommit: &pluginv1.RequestCommit{}}})
}
