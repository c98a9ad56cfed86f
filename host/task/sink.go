package task

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/tailrace/tailrace/host/kafka"
	"github.com/tailrace/tailrace/host/plugin"
	"github.com/tailrace/tailrace/sdk/go/wire"
)

// Sink runs one sink task.
type Sink struct {
	cfg      SinkConfig
	control  *control
	progress progress
}

// defaultMaxPutRecords bounds a put beside its bytes.
const defaultMaxPutRecords = 10_000

// NewSink prepares a task; Run starts it.
func NewSink(cfg SinkConfig) *Sink {
	cfg.Timing = cfg.Timing.withDefaults()
	if cfg.CreditBytes <= 0 {
		cfg.CreditBytes = defaultCreditBytes
	}
	if cfg.MaxPutRecords <= 0 {
		cfg.MaxPutRecords = defaultMaxPutRecords
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	cfg.Logger = cfg.Logger.With("connector", cfg.ID.Connector, "task", cfg.ID.Task)
	return &Sink{cfg: cfg, control: newControl(cfg.Paused, cfg.LogLevel)}
}

// Stop asks the task to flush, commit and end; Run returns within the graceful
// timeout. Any goroutine may call it, more than once.
func (s *Sink) Stop() { s.control.requestStop() }

// SetPaused pauses or resumes the task. Any goroutine may call it.
func (s *Sink) SetPaused(paused bool) { s.control.setPaused(paused) }

// Snapshot is the task's account. Any goroutine may call it.
func (s *Sink) Snapshot() Snapshot { return s.progress.load() }

// Run starts the task and returns when it is over: nil after Stop, otherwise why
// it failed. A plugin whose process dies is opened again (SinkConfig.Open) while
// the consumer stays in its group. *DrainTimeoutError means that the process is
// to be killed. When ctx ends, Run gives up at once, without a flush. Run is
// called once.
func (s *Sink) Run(ctx context.Context) error {
	r := newSinkRun(ctx, s)
	defer s.control.bind(ctx, s.cfg.Converters)()
	s.cfg.Transforms.Bind(ctx)
	s.control.pokes(r.waker.wake)
	r.run()    //nolint:contextcheck // the run keeps its context, because callbacks need it too
	r.finish() //nolint:contextcheck // as above
	return r.cause
}

// sinkRun is one Run. Its fields belong to the owner goroutine but for those
// that say otherwise.
type sinkRun struct {
	*Sink
	ctx    context.Context
	logger *slog.Logger
	waker  *waker
	epoch  uint64
	cause  error
	state  State
	told   State
	snap   Snapshot

	stream   SinkStream // nil while there is none
	opening  bool       // Open is under way
	opened   chan openedSink
	events   chan sinkEvent // from the readers
	workers  sync.WaitGroup
	quit     chan struct{}
	started  bool // the stream's task runs
	assigned bool // and knows its partitions
	over     bool // the stream has ended

	consumer  Consumer // nil before the first start that is not paused
	positions positions
	paused    bool
	stopping  bool
	topics    usedTopics
	level     slog.Level // told to the plugin
	token     uint64     // of the last Assign, Revoke or Flush

	assignToken uint64
	drained     bool
	answered    map[uint64]any // answers that somebody waits for, by token

	fetch     *kafka.Fetch // converted from run, record on; nil for none
	fetchRun  int
	fetchNext int
	converter sinkConverter
	builders  []*wire.SinkBatchBuilder
	inFlight  int64
	blocked   bool // the next record does not fit into what is left of the credit
	lastSeq   uint64
	accepted  uint64
	furthest  map[kafka.TopicPartition]int64 // the last offset that any process accepted
	segments  segments

	// safe is the last sequence number of this stream that a commit covers.
	safe uint64
	// timed is the last sequence number of the batch whose put is measured, 0 for none.
	timed      uint64
	timedSince time.Time

	flushToken   uint64 // of the flush under way, 0 for none
	flushThrough uint64
	flushSince   time.Time
	flushSlow    bool // told that it takes too long
	flushSoon    bool // asked for by the task, or by a pause
	nextFlush    time.Time
	deadline     time.Time
	fatal        error // found inside a callback
	letters      DeadLetters
	fates        letterFates // any goroutine
	lost         bool        // a dead letter of a record that the task reported
	reported     reported
	recent       recentFetches
	rate         errorRate
	traces       putTraces
	handled      uint64 // records that were read and converted or refused
}

type openedSink struct {
	stream SinkStream
	err    error
}

// sinkEvent is an event of a stream; those of an older stream are dropped.
type sinkEvent struct {
	stream SinkStream
	event  plugin.SinkEvent
	err    error
}

// queuedSinkEvents bounds what the reader is ahead of the owner; they are control frames.
const queuedSinkEvents = 64

func newSinkRun(ctx context.Context, s *Sink) *sinkRun {
	r := &sinkRun{
		Sink: s, ctx: ctx, logger: s.cfg.Logger, waker: newWaker(), epoch: s.cfg.Epoch, told: -1,
		opened: make(chan openedSink, 1), events: make(chan sinkEvent, queuedSinkEvents), quit: make(chan struct{}),
		positions: newPositions(), answered: map[uint64]any{},
		nextFlush: time.Now().Add(s.cfg.Timing.OffsetFlushInterval),
	}
	retry := &retrier{policy: s.cfg.Errors, until: s.control.opening, retried: r.retrying}
	r.converter = sinkConverter{Converters: retry.with(s.cfg.Converters), errant: r.unconvertible}
	r.reported = reported{}
	r.rate = newErrorRate(s.cfg.Errors)
	r.traces.tracer = s.cfg.Tracer
	r.fates.news, r.fates.poke = make(chan struct{}, 1), r.waker.wake
	if s.cfg.OpenDeadLetters != nil {
		r.recent.limitBytes = s.cfg.CreditBytes
	}
	_, r.paused = s.control.get()
	return r
}

// run is the owner goroutine until the task is to end.
func (r *sinkRun) run() {
	r.enter(Starting, nil)
	if !r.openDeadLetters() {
		return
	}
	r.open()
	for r.cause == nil && !r.stopping {
		if r.ctx.Err() != nil {
			r.fail(context.Cause(r.ctx))
			return
		}
		r.drainEvents()
		r.obey()
		r.tick(time.Now())
		r.publish()
		if r.cause != nil || r.stopping {
			return
		}
		switch {
		case r.consumer == nil:
			r.idle()
		case r.fetch != nil && r.ready() && r.hasCredit():
			r.pump()
		case r.fetch == nil && r.ready() && r.hasCredit() && !r.paused:
			r.poll(r.cfg.MaxPutRecords)
		default:
			r.poll(0) // stay in the group
		}
	}
}

// ready: the task runs and has its partitions.
func (r *sinkRun) ready() bool { return r.stream != nil && r.started && r.assigned && !r.over }

// hasCredit: I-4, one frame may pass the credit when nothing else is under way.
func (r *sinkRun) hasCredit() bool {
	return r.inFlight == 0 || r.inFlight < r.cfg.CreditBytes && !r.blocked
}

// idle waits for an event or the timer while there is no consumer.
func (r *sinkRun) idle() {
	ctx, end := r.waker.begin(r.ctx, r.nextFlush)
	<-ctx.Done()
	end()
}

// poll serves rebalances and takes records, until something happens.
func (r *sinkRun) poll(maxRecords int) {
	ctx, end := r.waker.begin(r.ctx, r.nextFlush)
	fetch, err := r.consumer.Poll(ctx, maxRecords)
	end()
	if r.fatal != nil {
		r.fail(r.fatal)
		return
	}
	if err != nil {
		if !kafka.IsRetriable(err) {
			r.fail(err)
			return
		}
		r.retrying(err, 0)
		return
	}
	if fetch.Len() > 0 {
		r.snap.Taken += uint64(fetch.Len())
		r.snap.BatchSize.note(float64(fetch.Len()), time.Now())
		r.fetch, r.fetchRun, r.fetchNext = fetch, 0, 0
		for i := range fetch.Runs() {
			run := &fetch.Runs()[i]
			if pos, ok := r.positions.byTP[kafka.TopicPartition{Topic: run.Topic, Partition: run.Partition}]; ok {
				pos.end = run.HighWatermark()
			}
		}
	}
}

// pump converts what was fetched and sends one frame of it.
func (r *sinkRun) pump() {
	budget := min(int64(wire.TargetBlockBytes), r.cfg.CreditBytes-r.inFlight)
	runs := r.fetch.Runs()
	used, records := int64(0), 0
	frame := r.builders[:0]
	first := len(r.segments)
	r.traces.begin()
	for r.fetchRun < len(runs) && used < budget && records < r.cfg.MaxPutRecords {
		run := &runs[r.fetchRun]
		pos, mine := r.positions.byTP[kafka.TopicPartition{Topic: run.Topic, Partition: run.Partition}]
		if !mine || r.fetchNext >= run.Len() { // revoked, or a seek went elsewhere
			r.fetchRun, r.fetchNext = r.fetchRun+1, 0
			continue
		}
		b := r.builder(len(frame))
		b.Start(pos.id, timestampType(run.TimestampType(r.fetchNext)))
		from := r.fetchNext
		alone := r.inFlight == 0 && len(frame) == 0 // then one record may pass the credit
		next, ok := from, false
		err := guarded(func() string { return sinkWhere(run.Topic, run.Partition, run.Offset(from)) }, func() {
			next, ok = r.converter.run(b, run, from, budget-used, r.cfg.MaxPutRecords-records, alone)
		})
		if err != nil {
			r.fail(err)
			return
		}
		if r.converter.converted && r.topics.note(run.Topic, r.control) {
			r.cfg.Listener.TopicUsed(r.cfg.ID, run.Topic)
		}
		r.handled += uint64(next - from)
		r.fetchNext = next
		r.traces.see(run, from, next)
		if next > from {
			pos.consumed = run.Offset(next-1) + 1
		}
		if n := b.Len(); n > 0 {
			frame = append(frame, b)
			used, records = used+b.Cost(), records+n
			r.segments = append(r.segments, segment{count: n, tp: pos.tp, first: r.converter.firstOffset, offsets: r.converter.offsets})
			pos.sent = r.converter.lastOffset + 1
		}
		if !ok {
			return
		}
		if next == from && b.Len() == 0 {
			break
		}
	}
	if r.fetchRun >= len(runs) {
		r.dropFetch()
	}
	if len(frame) > 0 {
		r.send(frame, first, records)
		return
	}
	r.blocked = r.fetch != nil // the next record waits for more credit
}

// builder gives the i-th builder of a frame, empty.
func (r *sinkRun) builder(i int) *wire.SinkBatchBuilder {
	if i == len(r.builders) {
		r.builders = append(r.builders, &wire.SinkBatchBuilder{})
	}
	r.builders[i].Reset()
	return r.builders[i]
}

func (r *sinkRun) send(frame []*wire.SinkBatchBuilder, firstSegment, records int) {
	lastSeq, bytes, err := r.stream.Send(r.traces.traceparent(records), frame...)
	if err != nil {
		r.logger.Debug("a frame could not be sent to the plugin", "error", err) // the reader finds out why
		r.over = true
		return
	}
	seq := r.lastSeq + 1
	for i := firstSegment; i < len(r.segments); i++ {
		r.segments[i].firstSeq = seq
		seq += uint64(r.segments[i].count)
	}
	r.traces.wentOut(lastSeq)
	r.lastSeq = lastSeq
	r.inFlight += bytes
	r.snap.Batches++
	r.snap.Active.note(float64(lastSeq-r.safe), time.Now())
	if r.timed == 0 {
		r.timed, r.timedSince = lastSeq, time.Now()
	}
	r.publish()
}

// enter tells the state to who wants to know.
func (r *sinkRun) enter(state State, err error) {
	r.state = state
	r.publish()
	if state == r.told {
		return
	}
	r.told = state
	r.cfg.Listener.StateChanged(r.cfg.ID, state, err)
}

func (r *sinkRun) publish() {
	r.snap.State = r.state
	r.snap.InFlightBytes = r.inFlight
	r.snap.LagRecords = r.positions.lag()
	r.snap.Partitions = len(r.positions.byTP)
	r.snap.ActiveRecords = r.lastSeq - r.safe
	r.snap.Filtered = r.converter.filtered
	if r.stream != nil {
		r.snap.Call = r.stream.Call()
	}
	if r.consumer != nil {
		r.snap.Kafka = r.consumer.Health()
	}
	r.progress.publish(r.snap)
}

func (r *sinkRun) fail(err error) {
	if r.cause == nil {
		r.cause = err
	}
}

func (r *sinkRun) note(err error) {
	r.snap.LastError, r.snap.LastErrorAt = err.Error(), time.Now()
}

func (r *sinkRun) retrying(err error, after time.Duration) {
	r.snap.Retries++
	r.note(err)
	r.cfg.Listener.Retrying(r.cfg.ID, err, after)
}

// waker ends a wait of the owner goroutine from any other.
type waker struct {
	mu      sync.Mutex
	pending bool
	cancel  context.CancelFunc
}

func newWaker() *waker { return &waker{} }

func (w *waker) wake() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pending = true
	if w.cancel != nil {
		w.cancel()
	}
}

// begin derives the context of one wait, which ends with the next wake or at
// the time given; one that came since the last wait ends it at once.
func (w *waker) begin(ctx context.Context, until time.Time) (context.Context, func()) {
	ctx, cancel := context.WithDeadline(ctx, until)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cancel = cancel
	if w.pending {
		cancel()
	}
	return ctx, func() {
		w.mu.Lock()
		w.pending, w.cancel = false, nil
		w.mu.Unlock()
		cancel()
	}
}
