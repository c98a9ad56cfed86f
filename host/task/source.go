package task

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/tailrace/tailrace/host/plugin"
)

// Source runs one source task.
type Source struct {
	cfg      SourceConfig
	control  *control
	progress progress
}

// NewSource prepares a task; Run starts it.
func NewSource(cfg SourceConfig) *Source {
	cfg.Timing = cfg.Timing.withDefaults()
	if cfg.CreditBytes <= 0 {
		cfg.CreditBytes = defaultCreditBytes
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	cfg.Logger = cfg.Logger.With("connector", cfg.ID.Connector, "task", cfg.ID.Task)
	return &Source{cfg: cfg, control: newControl(cfg.Paused, cfg.LogLevel)}
}

// Stop asks the task to drain and to end; Run returns within the graceful
// timeout. Any goroutine may call it, more than once.
func (s *Source) Stop() { s.control.requestStop() }

// SetPaused pauses or resumes the task. Any goroutine may call it.
func (s *Source) SetPaused(paused bool) { s.control.setPaused(paused) }

// Snapshot is the task's account. Any goroutine may call it.
func (s *Source) Snapshot() Snapshot {
	snap := s.progress.load()
	snap.Kafka = s.cfg.Producer.Health()
	return snap
}

// Run starts the task and returns when it is over: nil after Stop, otherwise
// why it failed. *plugin.DeathError means that the plugin's process died; what
// had reached Kafka is stored then, and a new Source goes on behind it.
// *DrainTimeoutError means that the process is to be killed. When ctx ends, Run
// gives up at once, without draining. Run is called once.
func (s *Source) Run(ctx context.Context) error {
	r := newSourceRun(s)
	defer s.control.bind(ctx, s.cfg.Converters)()
	defer r.cleanUp(ctx)
	r.enter()
	if err := r.open(ctx); err != nil {
		if stop, _ := s.control.get(); stop {
			err = nil
		}
		r.life.cause = err
		r.life.over()
		r.enter()
		return err
	}
	r.loop() //nolint:contextcheck // the run keeps its contexts, of which there are two
	r.enter()
	return r.life.cause
}

// queuedEvents bounds what the reader has received ahead of the owner (I-4: the
// batches among them are within the credit).
const queuedEvents = 4

// sourceRun is one Run. Its fields belong to the owner goroutine but for those
// that say otherwise.
type sourceRun struct {
	*Source
	logger *slog.Logger
	life   lifecycle
	told   State // what the listener heard last
	ledger ledger
	credit credit
	snap   Snapshot
	stream SourceStream
	book   *offsetBook
	eager  bool

	events   chan any            // from the reader: events, *preparedBatch, streamEnd
	toSender chan *preparedBatch // to the sender
	queue    []*preparedBatch    // on its way to the sender, bounded by the credit
	acks     ackBox
	fatal    chan error // from the sender
	flushed  chan error // from the writer of offsets
	flushing bool
	quit     chan struct{}
	workers  sync.WaitGroup

	flushSince time.Time // of the flush under way

	ctx       context.Context // of Run
	runCtx    context.Context // of everything beside the owner; ends with the run
	cancelRun context.CancelFunc

	committed  uint64    // the last Commit sent
	deadline   time.Time // of a stop; zero before
	nextFlush  time.Time
	retryFlush time.Time           // not before, after a flush failed; zero for none
	streamOver bool                // the reader has ended
	phaseEnds  time.Time           // of draining, settling or closing; zero for none
	partitions [][]byte            // source partitions in wire form; id 1 first
	sentTopics map[string]struct{} // sender only
	used       usedTopics
	level      slog.Level // told to the plugin
	tolerated  int        // failures logged in this interval
	rate       errorRate
	letters    DeadLetters      // nil for none
	undecided  []*preparedBatch // in order: not answered by Kafka, or behind one that is not
	lostBatch  bool             // a batch before the next one of undecided was given up
	tx         *transaction     // nil: at least once
}

// streamEnd is the last event of the reader.
type streamEnd struct{ err error }

// retried is a conversion that is tried again.
type retried struct {
	err   error
	after time.Duration
}

// noted is a record failure that the reader met.
type noted struct{ failure *RecordFailure }

func newSourceRun(s *Source) *sourceRun {
	r := &sourceRun{
		Source: s, logger: s.cfg.Logger, told: -1,
		credit: credit{limit: s.cfg.CreditBytes}, book: newOffsetBook(s.cfg.ID.Connector, s.cfg.Offsets),
		events: make(chan any, queuedEvents), toSender: make(chan *preparedBatch), fatal: make(chan error, 1),
		flushed: make(chan error, 1), quit: make(chan struct{}), sentTopics: map[string]struct{}{},
	}
	r.acks.wake = make(chan struct{}, 1)
	_, r.life.paused = s.control.get()
	r.rate = newErrorRate(s.cfg.Errors)
	if s.cfg.Transactions != nil {
		r.tx = &transaction{boundary: s.cfg.Boundary, interval: s.cfg.BoundaryInterval}
	}
	return r
}

func (r *sourceRun) open(ctx context.Context) error {
	openCtx, cancel := r.control.opening(ctx)
	defer cancel()
	_, paused := r.control.get()
	r.life.paused, r.level = paused, r.control.logLevel()
	if r.cfg.OpenDeadLetters != nil {
		var err error
		if r.letters, err = r.cfg.OpenDeadLetters(openCtx); err != nil {
			return err
		}
	}
	stream, err := r.cfg.Open(openCtx, plugin.SourceStart{
		Epoch: r.cfg.Epoch, Connector: r.cfg.ConnectorType, Name: r.cfg.ID.Connector, Task: r.cfg.ID.Task,
		Config: r.cfg.Config, CreditBytes: r.cfg.CreditBytes, LogLevel: r.level, Paused: paused,
		Traced:      true, // also for the time of polls in the figures
		ExactlyOnce: r.tx != nil, Boundary: r.cfg.Boundary,
	})
	if err != nil {
		return err
	}
	r.stream, r.ctx = stream, ctx
	r.runCtx, r.cancelRun = context.WithCancel(context.WithoutCancel(ctx))
	r.cfg.Transforms.Bind(r.runCtx) //nolint:contextcheck // a step ends with the run, not with the opening
	r.workers.Go(r.read)
	r.workers.Go(r.send)
	return nil
}

// cleanUp ends the goroutines and closes the producer. Records that Kafka did
// not acknowledge by now are given up: their offsets are not stored, so they
// come again.
func (r *sourceRun) cleanUp(ctx context.Context) {
	close(r.quit)
	if r.stream != nil {
		r.stream.Close()
		r.cancelRun()
	}
	wait := time.Duration(0)
	if r.life.cause == nil {
		wait = time.Until(r.deadline)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), max(wait, 100*time.Millisecond))
	defer cancel()
	if err := r.cfg.Producer.Close(ctx); err != nil && r.ledger.inFlight > 0 {
		r.logger.Warn("records were given up on the way to Kafka; they are read again from the last stored offset", "batches", r.ledger.inFlight, "error", err)
	}
	if r.letters != nil {
		if err := r.letters.Close(ctx); err != nil {
			r.logger.Warn("dead letters were given up; their records are read again", "error", err)
		}
	}
	r.workers.Wait()
	for _, p := range r.queue {
		p.kafka.Discard()
	}
}

// enter tells the state to who wants to know.
func (r *sourceRun) enter() {
	state := r.life.state()
	r.snap.State = state
	r.publish()
	if state == r.told {
		return
	}
	r.told = state
	r.cfg.Listener.StateChanged(r.cfg.ID, state, r.life.cause)
}

func (r *sourceRun) publish() {
	r.snap.InFlightBytes = r.credit.held
	r.snap.CommittedThrough = r.committed
	if r.stream != nil {
		r.snap.Call = r.stream.Call()
	}
	r.progress.publish(r.snap)
}

// loop is the owner goroutine: one event at a time until the task is over.
func (r *sourceRun) loop() {
	r.nextFlush = flushAfter(time.Now(), r.cfg.Timing.OffsetFlushInterval)
	timer := time.NewTimer(time.Until(r.nextFlush))
	defer timer.Stop()
	for r.life.phase != phaseOver {
		var out chan<- *preparedBatch
		var head *preparedBatch
		if len(r.queue) > 0 && (r.tx == nil || r.tx.admits(r.queue[0])) {
			out, head = r.toSender, r.queue[0]
			if r.tx != nil {
				r.tx.mark(head, r.queue[1:])
			}
		}
		timer.Reset(time.Until(r.nextWake()))
		select {
		case event := <-r.events:
			r.handle(event)
		case out <- head:
			r.queue[0] = nil
			r.queue = r.queue[1:]
			if r.tx != nil {
				r.tx.gave(head, r.queue, time.Now())
				r.endTransaction()
			}
		case <-r.acks.wake:
			r.acknowledge()
		case err := <-r.flushed:
			r.afterFlush(err)
		case err := <-r.fatal:
			r.giveUp(err)
		case <-r.control.wake:
			r.obey()
		case now := <-timer.C:
			r.tick(now)
		case <-r.ctx.Done():
			r.life.fail(context.Cause(r.ctx))
			r.life.over()
		}
		r.progressPhase()
		r.enter()
	}
}

func (r *sourceRun) nextWake() time.Time {
	wake := r.nextFlush
	var transactionEnds time.Time
	if r.tx != nil {
		transactionEnds = r.tx.deadline()
	}
	for _, t := range []time.Time{r.phaseEnds, r.retryFlush, transactionEnds} {
		if !t.IsZero() && t.Before(wake) {
			wake = t
		}
	}
	return wake
}

func (r *sourceRun) handle(event any) {
	switch e := event.(type) {
	case *preparedBatch:
		r.accept(e)
	case plugin.Started:
		r.eager = e.Capabilities.Has(plugin.EagerCommit)
		r.life.started()
		r.obey() // a pause or stop that came meanwhile
	case plugin.ReadOffsets:
		r.answerOffsets(e)
	case plugin.PartitionDefined:
		r.partitions = append(r.partitions, e.Partition)
	case plugin.Transaction:
		if r.tx != nil {
			if err := r.tx.ask(e, r.queue); err != nil {
				r.fail(&plugin.ProtocolError{Reason: err.Error()})
			}
			r.endTransaction()
		}
	case plugin.Drained:
		r.life.drained()
	case plugin.Retry:
		r.note(e.Err)
		r.snap.Retries++
		r.cfg.Listener.Retrying(r.cfg.ID, e.Err, e.After)
	case plugin.Metrics:
		r.cfg.Listener.Measured(r.cfg.ID, e.Samples)
	case retried:
		r.note(e.err)
		r.snap.Retries++
		r.cfg.Listener.Retrying(r.cfg.ID, e.err, e.after)
	case noted:
		r.noteFailure(e.failure)
	case streamEnd:
		r.streamEnded(e.err)
	}
}

// accept books a batch and queues it for the sender.
func (r *sourceRun) accept(p *preparedBatch) {
	r.credit.take(p.cost)
	if !r.life.takesBatches() {
		p.kafka.Discard()
		p.release()
		return
	}
	if p.failure != nil && r.tx != nil { // all of it or nothing
		p.kafka.Discard()
		p.release()
		r.fail(p.failure)
		return
	}
	r.snap.Batches++
	r.snap.Taken += p.count()
	r.snap.ActiveRecords += p.count()
	now := time.Now()
	r.snap.BatchSize.note(float64(p.count()), now)
	r.snap.Active.note(float64(r.snap.ActiveRecords), now)
	if p.polled > 0 {
		r.snap.PollMillis.noteTime(p.polled, now)
	}
	r.snap.Filtered += uint64(p.filtered)
	p.ticket = r.ledger.submit(p.through, p.offsets)
	r.queue = append(r.queue, p)
	r.undecided = append(r.undecided, p)
	if p.failure != nil {
		r.fail(p.failure)
	}
}

// acknowledge books what Kafka answered since the last call.
func (r *sourceRun) acknowledge() {
	for _, a := range r.acks.take() {
		if a.letters {
			r.lettersDecided(a)
			continue
		}
		p := a.batch
		if !a.discarded {
			r.snap.Records += uint64(a.records - len(a.failed))
			r.snap.Through.note(float64(a.records-len(a.failed)), time.Now())
			r.snap.Progress = r.snap.Records // a start goes on behind what is durable
			r.snap.Bytes += uint64(p.bytes)
			r.used.tell(a.topics, r.control, r.cfg.Listener, r.cfg.ID)
		}
		err := r.judge(a)
		p.release()
		if err != nil || a.discarded {
			r.lose(p)
			if err != nil {
				r.giveUp(err)
			}
			continue
		}
		p.fate = fateAnswered
		if r.letters == nil || len(p.letters) == 0 {
			r.settle(p)
		}
	}
	r.sendLetters()
	if r.tx != nil {
		r.endTransaction()
	}
	if r.life.takesBatches() {
		if grant := r.credit.grant(r.ledger.waiting()); grant > 0 {
			r.sent(r.stream.SendCredit(grant))
		}
	}
	if r.eager && r.ledger.unstored() {
		r.flush()
	}
}

// sent deals with a frame that could not be sent: the reader finds out why.
func (r *sourceRun) sent(err error) {
	if err != nil {
		r.logger.Debug("a frame could not be sent to the plugin", "error", err)
	}
}

func (r *sourceRun) note(err error) {
	r.snap.LastError, r.snap.LastErrorAt = err.Error(), time.Now()
}

func (r *sourceRun) fail(err error) {
	if !r.life.fail(err) {
		return
	}
	r.note(err)
	r.phaseEnds = time.Now().Add(r.cfg.Timing.OffsetFlushTimeout)
	if !r.deadline.IsZero() && r.deadline.Before(r.phaseEnds) {
		r.phaseEnds = r.deadline
	}
}

// streamEnded: the reader got an error or the end. After Drained nothing of the
// task can be lost any more, so its end is no failure however it comes.
func (r *sourceRun) streamEnded(err error) {
	if r.life.phase < phaseSettling {
		r.fail(err)
		return
	}
	if !errors.Is(err, io.EOF) && r.life.cause == nil {
		r.logger.Warn("the task failed while it was stopping; its records and offsets are safe", "error", err)
	}
	r.streamOver = true
	if r.life.phase == phaseClosing {
		r.life.over()
	}
}

// obey carries out what the worker asked for.
func (r *sourceRun) obey() {
	stop, paused := r.control.get()
	if stop && r.life.phase <= phaseRunning {
		now := time.Now()
		r.deadline = now.Add(r.cfg.Timing.GracefulTimeout)
		if r.life.stop() {
			// Three fifths for the task, the rest for Kafka and the offsets.
			drainTimeout := r.cfg.Timing.GracefulTimeout * 3 / 5
			r.phaseEnds = now.Add(drainTimeout)
			r.sent(r.stream.SendDrain(drainTimeout))
		}
		return
	}
	if level := r.control.logLevel(); level != r.level && r.life.phase == phaseRunning {
		r.level = level
		r.sent(r.stream.SendLogLevel(level))
	}
	if r.life.phase == phaseStarting || !r.life.pause(paused) {
		return
	}
	if paused {
		r.sent(r.stream.SendPause())
		if r.tx != nil {
			r.tx.finish(false)
		}
		r.flush()
		return
	}
	r.sent(r.stream.SendResume())
}

// tick is the timer: the flush interval or the end of a phase.
func (r *sourceRun) tick(now time.Time) {
	if !now.Before(r.nextFlush) {
		r.nextFlush = flushAfter(now, r.cfg.Timing.OffsetFlushInterval)
		r.tolerated = 0
		r.flush()
	}
	if r.tx != nil {
		r.endTransaction()
	}
	if !r.retryFlush.IsZero() && !now.Before(r.retryFlush) {
		r.retryFlush = time.Time{}
		r.flush()
	}
	if r.phaseEnds.IsZero() || now.Before(r.phaseEnds) {
		return
	}
	switch r.life.phase {
	case phaseDraining:
		r.fail(&DrainTimeoutError{What: "it did not answer Drain", Call: r.stream.Call()})
		r.phaseEnds = r.deadline
	case phaseSettling:
		r.logger.Warn("Kafka did not acknowledge all records in time; the rest is read again from the last stored offset", "batches", r.ledger.inFlight)
		if r.life.cause == nil {
			r.life.cause = &DrainTimeoutError{What: "Kafka did not acknowledge its records"}
		}
		r.life.over()
	case phaseClosing:
		// All is stored; only the plugin's own cleaning up is missing.
		r.life.cause = &DrainTimeoutError{What: "it did not end its stream", Call: r.stream.Call()}
		r.life.over()
	}
}

// progressPhase moves a task that is on its way out as soon as it can.
func (r *sourceRun) progressPhase() {
	if r.life.phase != phaseSettling {
		return
	}
	if r.life.cause == nil {
		r.phaseEnds = r.deadline
	}
	if r.ledger.inFlight > 0 || r.flushing {
		return
	}
	if r.tx != nil && r.tx.open {
		r.tx.finish(true)
		r.endTransaction()
		return
	}
	if r.tx == nil && r.ledger.unstored() {
		if !time.Now().Before(r.retryFlush) {
			r.flush()
		}
		return
	}
	r.sendCommit() // always one between Drained and the close
	r.life.settled()
	if r.life.phase == phaseClosing {
		r.stream.CloseSend()
		if r.streamOver {
			r.life.over()
		}
	}
}
