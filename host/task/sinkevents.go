package task

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/tailrace/tailrace/host/kafka"
	"github.com/tailrace/tailrace/host/plugin"
)

// open starts the task in its plugin, beside the owner, which stays in its group meanwhile.
func (r *sinkRun) open() {
	r.level = r.control.logLevel()
	start := plugin.SinkStart{
		Epoch: r.epoch, Connector: r.cfg.ConnectorType, Name: r.cfg.ID.Connector, Task: r.cfg.ID.Task,
		Config: r.cfg.Config, CreditBytes: r.cfg.CreditBytes, LogLevel: r.level, Paused: r.paused,
		Traced: r.cfg.Tracer != nil,
	}
	r.epoch++
	r.opening, r.started, r.assigned, r.over = true, false, false, false
	ctx, cancel := r.control.opening(r.ctx)
	r.workers.Go(func() {
		defer cancel()
		stream, err := r.cfg.Open(ctx, start)
		r.opened <- openedSink{stream, err}
		r.waker.wake()
	})
}

// read is the reader goroutine of one stream.
func (r *sinkRun) read(stream SinkStream) {
	for {
		event, err := stream.Recv()
		select {
		case r.events <- sinkEvent{stream, event, err}:
		case <-r.quit:
			return
		}
		r.waker.wake()
		if err != nil {
			return
		}
	}
}

// drainEvents handles what has come, without waiting.
func (r *sinkRun) drainEvents() {
	r.takeFates()
	for r.cause == nil {
		select {
		case o := <-r.opened:
			r.takeStream(o)
		case e := <-r.events:
			r.handle(e)
		default:
			return
		}
	}
}

// await handles events until done says so; false when ctx, the stream or the
// time for stopping ended before.
func (r *sinkRun) await(ctx context.Context, done func() bool) bool {
	for !done() {
		if r.over || r.stream == nil {
			return false
		}
		if !r.awaitOne(ctx) {
			return false
		}
	}
	return true
}

func (r *sinkRun) awaitOne(ctx context.Context) bool {
	if stop, _ := r.control.get(); stop && r.deadline.IsZero() {
		r.deadline = time.Now().Add(r.cfg.Timing.GracefulTimeout)
	}
	var limit <-chan time.Time
	if !r.deadline.IsZero() {
		timer := time.NewTimer(time.Until(r.deadline))
		defer timer.Stop()
		limit = timer.C
	}
	select {
	case e := <-r.events:
		r.handle(e) //nolint:contextcheck // a new stream lives with the run, not with this wait
	case <-r.fates.news:
		r.takeFates()
	case <-r.control.wake:
	case <-ctx.Done():
		return false
	case <-r.ctx.Done():
		return false
	case <-limit:
		return false
	}
	return true
}

func (r *sinkRun) takeStream(o openedSink) {
	r.opening = false
	if o.err != nil {
		r.fail(o.err)
		return
	}
	r.stream = o.stream
	r.workers.Go(func() { r.read(o.stream) })
	r.converter.reset(o.stream.Schemas())
	r.inFlight, r.lastSeq, r.accepted, r.segments = 0, 0, 0, nil
	r.flushToken, r.blocked = 0, false
	r.safe, r.timed = 0, 0
	r.traces.giveUp()
}

func (r *sinkRun) handle(e sinkEvent) {
	if e.stream != r.stream {
		return // of a stream that is over
	}
	if e.err != nil {
		r.streamEnded(e.err)
		return
	}
	switch event := e.event.(type) {
	case plugin.Started:
		r.taskStarted()
	case plugin.Assigned:
		r.answered[event.Token] = event
		if event.Token == r.assignToken {
			r.assigned = true
		}
	case plugin.Revoked:
		r.answered[event.Token] = event
	case plugin.Drained:
		r.drained = true
	case plugin.Accepted:
		now := time.Now()
		r.snap.Records += event.Through - r.accepted
		r.snap.Through.note(float64(event.Through-r.accepted), now)
		if r.timed != 0 && event.Through >= r.timed {
			r.snap.PutMillis.noteTime(now.Sub(r.timedSince), now)
			r.timed = 0
		}
		r.snap.Bytes += uint64(max(event.Bytes, 0))
		r.advance(event.Through)
		r.accepted = event.Through
		r.inFlight -= event.Bytes
		r.blocked = false
		r.traces.accepted(event)
		r.publish()
	case plugin.Flushed:
		r.flushedAs(event)
	case plugin.Seek:
		r.seek(event)
	case plugin.PausePartitions:
		r.pausePartitions(event.IDs, true)
	case plugin.ResumePartitions:
		r.pausePartitions(event.IDs, false)
	case plugin.RecordErrors:
		r.recordErrors(event)
	case plugin.RequestCommit:
		r.flushSoon = true
	case plugin.Retry:
		r.retrying(event.Err, event.After)
	case plugin.Metrics:
		r.cfg.Listener.Measured(r.cfg.ID, event.Samples)
	}
}

// streamEnded: a dead process is started again, anything else ends the task.
func (r *sinkRun) streamEnded(err error) {
	r.over = true
	r.flushToken = 0
	if r.stopping || errors.Is(err, io.EOF) {
		return
	}
	var death *plugin.DeathError
	if !errors.As(err, &death) {
		r.fail(err)
		return
	}
	r.stream.Close()
	r.stream = nil
	r.dropFetch()
	r.note(err)
	r.snap.Restarts++
	r.logger.Warn("the plugin's process died; the task goes on from the last committed offsets in a new one", "error", err)
	r.enter(Restarting, err)
	r.open()
}

// taskStarted: the first time it joins the group, later it gets its partitions again.
func (r *sinkRun) taskStarted() {
	r.started = true
	if r.consumer == nil {
		r.assigned = true // nothing yet
		r.runningOrPaused()
		r.subscribe()
		return
	}
	// Everything that was not committed comes again (at least once).
	all := r.positions.renew()
	offsets := make(map[kafka.TopicPartition]int64, len(all))
	for _, pos := range all {
		offsets[pos.tp] = pos.committed
	}
	r.dropFetch()
	r.consumer.Seek(offsets)
	r.applyPauses()
	r.assign(all)
	r.runningOrPaused()
}

func (r *sinkRun) runningOrPaused() {
	switch {
	case !r.started:
	case r.paused:
		r.enter(Paused, nil)
	default:
		r.enter(Running, nil)
	}
}

// subscribe joins the group. A task that starts paused does so when it resumes.
func (r *sinkRun) subscribe() {
	if r.paused || !r.started || r.consumer != nil {
		return
	}
	consumer, err := r.cfg.Subscribe(kafka.RebalanceListener{Assigned: r.onAssigned, Revoked: r.onRevoked, Lost: r.onLost})
	if err != nil {
		r.fail(err)
		return
	}
	r.consumer = consumer
}

// commit stores what the task has confirmed (I-2); false when that failed.
func (r *sinkRun) commit(ctx context.Context, confirmed []plugin.PartitionPosition, tell bool) bool {
	offsets := r.positions.committable(confirmed)
	if len(offsets) == 0 {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, r.cfg.Timing.OffsetFlushTimeout)
	defer cancel()
	if !r.flushLetters(ctx) {
		return false
	}
	all := r.positions.withBeginnings(offsets)
	if err := r.consumer.Commit(ctx, all); err != nil {
		r.snap.CommitFailures++
		r.logger.Warn("cannot commit consumer offsets; the next commit covers them", "error", err)
		r.retrying(err, r.cfg.Timing.OffsetFlushInterval)
		return false
	}
	r.snap.Commits++
	for tp := range all {
		if pos, ok := r.positions.byTP[tp]; ok {
			pos.stored = true
		}
	}
	told := make([]plugin.PartitionPosition, 0, len(offsets))
	for tp, offset := range offsets {
		if pos, ok := r.positions.byTP[tp]; ok {
			pos.committed = offset
			r.reported.forget(tp, offset)
			told = append(told, plugin.PartitionPosition{ID: pos.id, Offset: offset})
		}
	}
	if tell {
		r.sentFrame(r.stream.SendOffsetsCommitted(told))
	}
	return true
}

// tick flushes when it is due.
func (r *sinkRun) tick(now time.Time) {
	due := !now.Before(r.nextFlush)
	if due {
		r.nextFlush = now.Add(r.cfg.Timing.OffsetFlushInterval)
	}
	if r.flushToken != 0 {
		if !r.flushSlow && now.Sub(r.flushSince) > r.cfg.Timing.OffsetFlushTimeout {
			r.flushSlow = true
			r.snap.CommitFailures++
			r.logger.Warn("the task takes longer to flush than offset.flush.timeout.ms; the commit waits for it", "call", r.callName())
		}
		return
	}
	if !due && !r.flushSoon && len(r.segments) < maxSegments || !r.ready() || r.consumer == nil {
		return
	}
	r.flushSoon = false
	if due && r.inFlight == 0 && !r.paused {
		// A put of nothing, for tasks that work by time.
		if _, _, err := r.stream.Send(""); err != nil {
			r.sentFrame(err)
			return
		}
	}
	if !r.positions.dirty() {
		return
	}
	r.token++
	r.flushToken, r.flushThrough, r.flushSince, r.flushSlow = r.token, r.lastSeq, now, false
	r.sentFrame(r.stream.SendFlush(r.token, r.lastSeq))
}

func (r *sinkRun) callName() string {
	if r.stream == nil {
		return ""
	}
	return r.stream.Call().Name
}

// flushedAs takes the task's answer to a flush.
func (r *sinkRun) flushedAs(event plugin.Flushed) {
	if event.Token != r.flushToken {
		return
	}
	r.flushToken = 0
	if event.Err != nil {
		r.flushFailed(event.Err)
		return
	}
	r.segments = r.segments.forget(r.flushThrough)
	if r.commit(r.ctx, event.Offsets, true) {
		now := time.Now()
		r.safe = r.flushThrough
		r.snap.CommitMillis.noteTime(now.Sub(r.flushSince), now)
	}
}

// flushFailed goes back to what is committed and sends the records again.
func (r *sinkRun) flushFailed(err error) {
	r.snap.CommitFailures++
	r.logger.Error("the task could not flush; its records since the last commit are sent again", "error", err)
	r.retrying(err, 0)
	offsets := map[kafka.TopicPartition]int64{}
	var list []plugin.PartitionPosition
	for tp, pos := range r.positions.byTP {
		pos.seek(pos.committed)
		offsets[tp] = pos.committed
		list = append(list, plugin.PartitionPosition{ID: pos.id, Offset: pos.committed})
	}
	r.dropFetch()
	r.consumer.Seek(offsets)
	r.sentFrame(r.stream.SendSought(0, list))
}

// seek goes on from where the task wants.
func (r *sinkRun) seek(event plugin.Seek) {
	offsets := map[kafka.TopicPartition]int64{}
	for _, o := range event.Offsets {
		if pos, ok := r.positions.byID[o.ID]; ok {
			pos.seek(o.Offset)
			offsets[pos.tp] = o.Offset
		}
	}
	r.dropFetchOf(offsets)
	r.consumer.Seek(offsets)
	r.sentFrame(r.stream.SendSought(event.RequestID, event.Offsets))
}

func (r *sinkRun) dropFetch() {
	if r.fetch != nil {
		r.recent.keep(r.fetch)
		r.fetch = nil
	}
}

// dropFetchOf drops what was fetched and not sent of some partitions. The others
// are sought back to where they stand, which costs a fetch and keeps order (I-6).
func (r *sinkRun) dropFetchOf(moved map[kafka.TopicPartition]int64) {
	if r.fetch == nil {
		return
	}
	for i, run := range r.fetch.Runs() {
		if i < r.fetchRun {
			continue
		}
		tp := kafka.TopicPartition{Topic: run.Topic, Partition: run.Partition}
		if _, ok := moved[tp]; ok {
			continue
		}
		if pos, mine := r.positions.byTP[tp]; mine {
			moved[tp] = pos.consumed
		}
	}
	r.dropFetch()
}

// pausePartitions does as the task wishes; it holds through a pause of the whole task.
func (r *sinkRun) pausePartitions(ids []uint32, paused bool) {
	var tps []kafka.TopicPartition
	for _, id := range ids {
		if pos, ok := r.positions.byID[id]; ok {
			pos.pausedByTask = paused
			tps = append(tps, pos.tp)
		}
	}
	if paused {
		r.consumer.Pause(tps)
	} else if !r.paused {
		r.consumer.Resume(tps)
	}
}

// applyPauses makes the consumer read exactly what is not paused.
func (r *sinkRun) applyPauses() {
	var pause, resume []kafka.TopicPartition
	for tp, pos := range r.positions.byTP {
		if r.paused || pos.pausedByTask {
			pause = append(pause, tp)
		} else {
			resume = append(resume, tp)
		}
	}
	r.consumer.Pause(pause)
	r.consumer.Resume(resume)
}

// obey carries out what the worker asked for.
func (r *sinkRun) obey() {
	stop, paused := r.control.get()
	if stop {
		r.stopping = true
		if r.deadline.IsZero() {
			r.deadline = time.Now().Add(r.cfg.Timing.GracefulTimeout)
		}
		return
	}
	if level := r.control.logLevel(); level != r.level && r.stream != nil && r.started {
		r.level = level
		r.sentFrame(r.stream.SendLogLevel(level))
	}
	if paused == r.paused {
		return
	}
	r.paused = paused
	if r.consumer != nil {
		r.applyPauses()
		r.flushSoon = r.flushSoon || paused
	}
	if r.ready() {
		if paused {
			r.sentFrame(r.stream.SendPause())
		} else {
			r.sentFrame(r.stream.SendResume())
		}
	}
	r.runningOrPaused()
	if !paused {
		r.subscribe()
	}
}

// sentFrame deals with a frame that could not be sent: the reader finds out why.
func (r *sinkRun) sentFrame(err error) {
	if err != nil {
		r.logger.Debug("a frame could not be sent to the plugin", "error", err)
	}
}
