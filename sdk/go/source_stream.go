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
)

const (
	// failFlushTimeout is how long records appended before an error may wait for credit.
	failFlushTimeout = 2 * time.Second
	// defaultDrainTimeout is used when the worker names no deadline.
	defaultDrainTimeout = time.Minute
)

// sourceFrames puts common frames into the envelope of RunSource.
type sourceFrames struct{ epoch uint64 }

func (f sourceFrames) heartbeat(m *pluginv1.Heartbeat) *pluginv1.RunSourceResponse {
	return &pluginv1.RunSourceResponse{Epoch: f.epoch, Frame: &pluginv1.RunSourceResponse_Heartbeat{Heartbeat: m}}
}

func (f sourceFrames) logs(m *pluginv1.Logs) *pluginv1.RunSourceResponse {
	return &pluginv1.RunSourceResponse{Epoch: f.epoch, Frame: &pluginv1.RunSourceResponse_Logs{Logs: m}}
}

func (f sourceFrames) metrics(m *pluginv1.Metrics) *pluginv1.RunSourceResponse {
	return &pluginv1.RunSourceResponse{Epoch: f.epoch, Frame: &pluginv1.RunSourceResponse_Metrics{Metrics: m}}
}

func (f sourceFrames) failure(m *pluginv1.Failure) *pluginv1.RunSourceResponse {
	return &pluginv1.RunSourceResponse{Epoch: f.epoch, Frame: &pluginv1.RunSourceResponse_Failure{Failure: m}}
}

// sourceRun is one source task. Goroutines: the handler writes (outbox.run), receive reads
// and turns the gate, author calls Start, Poll and Stop, commits calls Commit.
type sourceRun struct {
	epoch  uint64
	start  *pluginv1.StartSource
	task   SourceTask
	stream pluginv1.ConnectorPluginService_RunSourceServer

	out     *outbox[*pluginv1.RunSourceResponse]
	lane    *sourceLane
	gate    *gate
	log     *logBuffer
	offsets *offsetQuestions

	closed     chan struct{} // the host closed its half
	closeOnce  sync.Once
	through    counter       // committed, as the host said
	committed  chan struct{} // wakes commits
	authorDone chan struct{}
}

// RunSource carries one source task for its whole life.
func (s *service) RunSource(stream pluginv1.ConnectorPluginService_RunSourceServer) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	start := first.GetStart()
	if start == nil {
		return status.Error(codes.InvalidArgument, "the first frame of RunSource must be Start")
	}
	src, err := s.plugin.source(start.GetConnector())
	if err != nil {
		return status.Error(codes.NotFound, err.Error())
	}
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	r := newSourceRun(ctx, stream, first.GetEpoch(), start)
	go r.receive(cancel)
	go r.author(ctx, src)
	err = r.out.run(ctx, r.lane)
	cancel()
	// A task whose code hangs is left behind; its process is the host's to replace.
	select {
	case <-r.authorDone:
	case <-time.After(stopTimeout):
	}
	if errors.Is(err, context.Canceled) {
		return status.FromContextError(err).Err()
	}
	return err
}

func newSourceRun(ctx context.Context, stream pluginv1.ConnectorPluginService_RunSourceServer, epoch uint64, start *pluginv1.StartSource) *sourceRun {
	log := newLogBuffer(slices.Contains(start.GetHostCapabilities(), pluginv1.Capability_CAPABILITY_LOGS),
		start.GetLogLevel(), taskAttrs(start.GetName(), start.GetTask())...)
	partitions := &partitionTable{}
	r := &sourceRun{
		epoch: epoch, start: start, stream: stream, log: log,
		out:    newOutbox(sourceFrames{epoch}, stream.Send, log),
		lane:   newSourceLane(ctx, epoch, start.GetCreditBytes(), partitions),
		gate:   newGate(start.GetPaused()),
		closed: make(chan struct{}), committed: make(chan struct{}, 1), authorDone: make(chan struct{}),
	}
	r.out.sendMetrics = slices.Contains(start.GetHostCapabilities(), pluginv1.Capability_CAPABILITY_METRICS)
	r.offsets = &offsetQuestions{ask: func(ctx context.Context, q *pluginv1.ReadOffsets) error {
		return r.out.post(ctx, &pluginv1.RunSourceResponse{Epoch: epoch, Frame: &pluginv1.RunSourceResponse_ReadOffsets{ReadOffsets: q}})
	}}
	return r
}

// receive reads the stream. It never waits for user code, so that credit, commits
// and answers always get through.
func (r *sourceRun) receive(cancel context.CancelFunc) {
	for {
		m, err := r.stream.Recv()
		if err != nil {
			if !errors.Is(err, io.EOF) {
				cancel()
			}
			r.gate.end()
			r.closeOnce.Do(func() { close(r.closed) })
			return
		}
		if m.GetEpoch() == r.epoch {
			r.handle(m)
		}
	}
}

func (r *sourceRun) handle(m *pluginv1.RunSourceRequest) {
	switch f := m.GetFrame().(type) {
	case *pluginv1.RunSourceRequest_Offsets:
		r.offsets.answer(f.Offsets)
	case *pluginv1.RunSourceRequest_Credit:
		r.lane.grant(f.Credit.GetBytes())
	case *pluginv1.RunSourceRequest_Commit:
		if r.through.raise(f.Commit.GetThroughSeq()) {
			select {
			case r.committed <- struct{}{}:
			default:
			}
		}
	case *pluginv1.RunSourceRequest_Pause:
		r.gate.pause()
	case *pluginv1.RunSourceRequest_Resume:
		r.gate.resume()
	case *pluginv1.RunSourceRequest_Drain:
		r.drain(f.Drain)
	case *pluginv1.RunSourceRequest_SetLogLevel:
		r.log.setLevel(f.SetLogLevel.GetLevel())
	}
}

// drain stops polling. When the task does not come to an end by the deadline, what it
// still holds is given up: it was never acknowledged, so it is read again.
func (r *sourceRun) drain(d *pluginv1.Drain) {
	r.lane.drained.Store(true)
	r.gate.end()
	deadline := time.Duration(min(d.GetDeadlineMs(), 1<<40)) * time.Millisecond
	if deadline == 0 {
		deadline = defaultDrainTimeout
	}
	timer := time.AfterFunc(deadline, r.lane.abandon)
	go func() {
		select {
		case <-r.lane.over:
		case <-r.lane.ctx.Done():
		}
		timer.Stop()
	}()
}

// author is the goroutine that the task's methods are called in.
func (r *sourceRun) author(ctx context.Context, src *Source) {
	defer close(r.authorDone)
	commitCtx, stopCommits := context.WithCancel(ctx)
	defer stopCommits()
	commits := make(chan struct{})
	err := r.make(src)
	if err == nil {
		go func() { defer close(commits); r.commits(commitCtx) }()
		err = r.work(ctx)
	} else {
		close(commits)
	}
	r.lane.finish()
	if err == nil {
		select {
		case <-r.closed: // the last Commit came before
		case <-ctx.Done():
		}
	} else {
		stopCommits()
	}
	select {
	case <-commits:
	case <-time.After(stopTimeout):
		stopCommits()
	}
	r.stop(ctx)
	if err == nil {
		r.out.close()
		return
	}
	r.awaitFlush(ctx)
	r.out.fail(err)
}

// awaitFlush lets the records before an error leave, if the worker takes them soon.
func (r *sourceRun) awaitFlush(ctx context.Context) {
	select {
	case <-r.lane.over:
		return
	case <-ctx.Done():
		return
	case <-time.After(failFlushTimeout):
	}
	r.lane.abandon()
}

func (r *sourceRun) make(src *Source) error {
	return r.out.calls.guard("new", func() error {
		if r.task = src.Task(); r.task == nil {
			return fmt.Errorf("source connector %q made no task: its Task function returned nil", src.Name)
		}
		return nil
	})
}

// work starts the task and polls until there is nothing more to do.
func (r *sourceRun) work(ctx context.Context) error {
	task := &SourceContext{
		connector: r.start.GetName(), number: int(r.start.GetTask()), log: r.log.logger(), metrics: &r.out.metrics,
		offsets: r.offsets, partitions: r.lane.partitions,
		transactions: r.start.GetTransactionBoundary() == pluginv1.TransactionBoundary_TRANSACTION_BOUNDARY_CONNECTOR,
	}
	startCtx, done := r.gate.starting(ctx)
	err := r.out.calls.guard("start", func() error { return r.task.Start(startCtx, r.start.GetConfig(), task) })
	ended := startCtx.Err() != nil
	done()
	if err != nil {
		if ended && !isPanic(err) {
			return nil
		}
		return fmt.Errorf("start: %w", err)
	}
	if err := r.post(ctx, r.started()); err != nil {
		return nil //nolint:nilerr // the stream is over, nobody listens
	}
	return r.poll(ctx, task)
}

func (r *sourceRun) started() *pluginv1.RunSourceResponse {
	m := &pluginv1.TaskStarted{}
	if c, ok := r.task.(EagerCommitter); ok && c.EagerCommit() {
		m.Capabilities = append(m.Capabilities, pluginv1.Capability_CAPABILITY_EAGER_COMMIT)
	}
	return &pluginv1.RunSourceResponse{Epoch: r.epoch, Frame: &pluginv1.RunSourceResponse_Started{Started: m}}
}

func (r *sourceRun) poll(ctx context.Context, task *SourceContext) error {
	batch := newBatch(r.lane, task.transactions)
	batch.timed = slices.Contains(r.start.GetHostCapabilities(), pluginv1.Capability_CAPABILITY_TRACES)
	failures, empty := 0, 0
	for {
		pollCtx, ok := r.gate.open(ctx)
		if !ok {
			return nil
		}
		batch.begin()
		began := time.Now()
		err := r.out.calls.guard("poll", func() error { return r.task.Poll(pollCtx, batch) })
		if isPanic(err) {
			return err // the record under construction is not to be trusted
		}
		batch.flush()
		if batch.appended > 0 {
			task.log.Debug("polled", "records", batch.appended, "took", time.Since(began))
		}
		if ctx.Err() != nil || errors.Is(batch.err, errStreamOver) {
			return nil //nolint:nilerr // nobody waits for it any more
		}
		if batch.err != nil {
			return fmt.Errorf("poll: %w", batch.err)
		}
		var retriable *RetriableError
		switch {
		case err == nil && batch.appended > 0:
			failures, empty = 0, 0
		case err == nil:
			failures = 0
			empty++
			wait := idleWait(empty, time.Since(began))
			if batch.pollAfter >= 0 {
				wait = batch.pollAfter
			}
			sleep(pollCtx, wait)
		case errors.Is(err, ErrEndOfInput):
			r.gate.waitEnd(ctx)
			return nil
		case pollCtx.Err() != nil: // a pause or a drain; the error is of no interest
		case errors.As(err, &retriable):
			failures++
			wait := backoff(failures, retriable)
			r.notice(pollCtx, err, wait)
			sleep(pollCtx, wait)
		default:
			return fmt.Errorf("poll: %w", err)
		}
	}
}

func (r *sourceRun) notice(ctx context.Context, err error, wait time.Duration) {
	_ = r.post(ctx, &pluginv1.RunSourceResponse{Epoch: r.epoch, Frame: &pluginv1.RunSourceResponse_Retry{
		Retry: &pluginv1.RetryNotice{Error: errorProto(err), AfterMs: uint64(wait.Milliseconds())},
	}})
}

// commits tells the task what is durable, the newest at once for all (I-1: only what
// the host has said). After the host closed its half there is one last look.
func (r *sourceRun) commits(ctx context.Context) {
	committer, ok := r.task.(Committer)
	if !ok {
		return
	}
	var done uint64
	commit := func() {
		through := r.through.v.Load()
		if through <= done {
			return
		}
		err := r.out.calls.guard("commit", func() error { return committer.Commit(ctx, through) })
		if err != nil {
			r.log.logger().Error("commit failed; the next commit covers the same records", "through", through, "error", err)
			return
		}
		done = through
	}
	for {
		select {
		case <-r.committed:
			commit()
		case <-r.closed:
			commit()
			return
		case <-ctx.Done():
			return
		}
	}
}

func (r *sourceRun) stop(ctx context.Context) {
	if r.task == nil {
		return
	}
	stopCtx, cancel := stopContext(ctx)
	defer cancel()
	if err := r.out.calls.guard("stop", func() error { return r.task.Stop(stopCtx) }); err != nil {
		r.log.logger().Error("stop failed", "error", err)
	}
}

func (r *sourceRun) post(ctx context.Context, m *pluginv1.RunSourceResponse) error {
	return r.out.post(ctx, m)
}

func isPanic(err error) bool {
	var p *panicError
	return errors.As(err, &p)
}
