package task

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/tailrace/tailrace/host/kafka"
	"github.com/tailrace/tailrace/host/plugin"
	"github.com/tailrace/tailrace/host/tracing"
	"github.com/tailrace/tailrace/sdk/go/wire"
)

// read is the reader goroutine: it receives, converts and hands on, until the
// stream ends.
func (r *sourceRun) read() {
	retry := &retrier{policy: r.cfg.Errors, until: r.control.opening, retried: func(err error, after time.Duration) { r.hand(retried{err, after}) }}
	c := &sourceConverter{
		Converters: retry.with(r.cfg.Converters), newBatch: r.cfg.Producer.NewBatch, policy: r.cfg.Errors,
		errant:  func(f *RecordFailure) { r.hand(noted{f}) },
		errants: newSourceErrants(r.letters != nil, r.cfg.Errors.Log && r.cfg.Errors.LogRecords),
	}
	for {
		event, err := r.stream.Recv()
		if err != nil {
			r.hand(streamEnd{err})
			return
		}
		switch e := event.(type) {
		case *wire.SourceBatch:
			c.trace = r.trace(e)
			var p *preparedBatch
			if err := guarded(func() string { return "record " + strconv.FormatUint(e.FirstSeq(), 10) + " of the task" }, func() { p = c.convert(e) }); err != nil {
				c.trace.GivenUp()
				r.hand(streamEnd{err})
				return
			}
			p.trace.Converted(p.topics, p.kafka.Len())
			_, p.polled = e.Poll()
			event = p
		case plugin.PartitionDefined:
			c.errants.received = append(c.errants.received, e.Partition)
		}
		if !r.hand(event) {
			if p, ok := event.(*preparedBatch); ok {
				p.trace.GivenUp()
				p.kafka.Discard()
			}
			return
		}
	}
}

// trace begins the span of a batch.
func (r *sourceRun) trace(b *wire.SourceBatch) *tracing.Source {
	if r.cfg.Tracer == nil {
		return nil
	}
	began, took := b.Poll()
	return r.cfg.Tracer.Source(tracing.Call{Began: began, Took: took})
}

// hand gives an event to the owner; false when the run is over.
func (r *sourceRun) hand(event any) bool {
	select {
	case r.events <- event:
		return true
	case <-r.quit:
		return false
	}
}

// send is the sender goroutine: it makes sure that topics exist and produces,
// in the order of the batches (I-6). After a fatal failure it discards.
func (r *sourceRun) send() {
	var failed error
	for {
		var p *preparedBatch
		select {
		case p = <-r.toSender:
		case <-r.quit:
			return
		}
		if failed == nil {
			if failed = r.prepare(p); failed != nil {
				select {
				case r.fatal <- failed:
				case <-r.quit:
				}
			}
		}
		if failed != nil {
			p.trace.GivenUp()
			p.kafka.Discard()
			r.acks.put(ack{batch: p, discarded: true})
			continue
		}
		p.trace.Sending()
		ends := p.ends // the batch is another's as soon as Kafka has answered
		r.cfg.Producer.Produce(r.runCtx, p.kafka, func(result kafka.BatchResult) {
			p.trace.Sent(len(result.Failed))
			topics := p.topics
			if len(result.Failed) > 0 {
				topics = result.Topics()
			}
			r.acks.put(ack{batch: p, records: result.Records, topics: topics, failed: result.Failed, refused: r.refused(result)})
		})
		if ends {
			r.flushProducer()
		}
	}
}

// prepare does what has to be done before a batch is produced.
func (r *sourceRun) prepare(p *preparedBatch) error {
	if err := r.ensureTopics(p.topics); err != nil {
		return err
	}
	if !p.begins {
		return nil
	}
	if err := r.cfg.Transactions.Begin(); err != nil {
		return &RestartError{err}
	}
	return nil
}

// ack is Kafka's answer to a batch.
type ack struct {
	batch     *preparedBatch
	records   int
	topics    []string // those that have got a record
	failed    []kafka.RecordError
	refused   []kafka.FoundRecord // the failed ones, when there are dead letters
	discarded bool
	// letters tells that this is Kafka's answer to the dead letters of the batch, with err.
	letters bool
	err     error
}

// ackBox takes answers from the producer's goroutine without ever blocking it. It
// holds at most two entries per batch under way.
type ackBox struct {
	wake chan struct{}

	mu   sync.Mutex
	list []ack
	free []ack
}

func (b *ackBox) put(a ack) {
	b.mu.Lock()
	b.list = append(b.list, a)
	b.mu.Unlock()
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// take gives what came since the last call; it is valid until the next.
func (b *ackBox) take() []ack {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := b.list
	clear(b.free)
	b.list, b.free = b.free[:0], list
	return list
}

const (
	// topicRetryDelay is Kafka Connect's wait after a failure that may pass.
	topicRetryDelay = 100 * time.Millisecond
	// topicRetryNotice lies between two log lines about it.
	topicRetryNotice = 10 * time.Second
	// topicCallTimeout bounds one look at or creation of a topic.
	topicCallTimeout = 30 * time.Second
)

// ensureTopics creates the topics of a batch that this task has not used before
// (reference section 5.7). It tries again while that may help.
func (r *sourceRun) ensureTopics(topics []string) error {
	for _, topic := range topics {
		if _, known := r.sentTopics[topic]; !known {
			if r.tx != nil {
				if err := r.cfg.Transactions.Refuses(topic); err != nil {
					return err
				}
			}
			if err := r.persistTopic(topic); err != nil {
				return err
			}
			r.sentTopics[topic] = struct{}{}
		}
	}
	return nil
}

// persistTopic tries ensureTopic while that may help.
func (r *sourceRun) persistTopic(topic string) error {
	for told := (time.Time{}); ; {
		err := r.ensureTopic(topic)
		if err == nil {
			err = r.learnLimit(topic)
		}
		if err == nil || !kafka.IsRetriable(err) || r.runCtx.Err() != nil {
			return err
		}
		if time.Since(told) > topicRetryNotice {
			told = time.Now()
			r.logger.Warn("cannot look at or create a topic; trying again", "topic", topic, "error", err)
		}
		select {
		case <-time.After(topicRetryDelay):
		case <-r.runCtx.Done():
			return err
		}
	}
}

// learnLimit keeps the topic's limit from refusing good records together with one
// that is too large. A client that may not ask goes on without.
func (r *sourceRun) learnLimit(topic string) error {
	ctx, cancel := context.WithTimeout(r.runCtx, topicCallTimeout)
	defer cancel()
	err := r.cfg.Producer.LearnTopicLimit(ctx, topic)
	if err == nil || kafka.IsRetriable(err) && !errors.Is(err, kafka.ErrUnknownTopic) {
		return err
	}
	r.logger.Debug("the largest record that a topic takes is not known", "topic", topic, "error", err)
	return nil
}

func (r *sourceRun) ensureTopic(topic string) error {
	if r.cfg.Admin == nil || r.cfg.TopicFor == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(r.runCtx, topicCallTimeout)
	defer cancel()
	found, err := r.cfg.Admin.Topics(ctx, topic)
	if err != nil && !errors.Is(err, kafka.ErrNotAuthorised) {
		return err
	}
	if _, exists := found[topic]; exists {
		return nil
	}
	settings := r.cfg.TopicFor(topic)
	err = r.cfg.Admin.CreateTopic(ctx, settings)
	switch {
	case err == nil:
		r.logger.Info("created a topic", "topic", topic, "partitions", settings.Partitions, "replication_factor", settings.ReplicationFactor)
		return nil
	case errors.Is(err, kafka.ErrTopicExists):
		return nil
	case errors.Is(err, kafka.ErrNotAuthorised):
		r.logger.Warn("not allowed to create topics; the broker may do it", "topic", topic, "error", err)
		return nil
	}
	return fmt.Errorf("cannot create topic %s for the records of the task; check topic.creation.*: %w", topic, err)
}

// giveUp ends the task for something that Kafka said. What waits is not sent
// any more: it would arrive before what failed is sent again (I-6).
func (r *sourceRun) giveUp(err error) {
	for i, p := range r.queue {
		p.kafka.Discard()
		p.release()
		r.lose(p)
		r.queue[i] = nil
	}
	r.queue = r.queue[:0]
	r.fail(err)
}

// maxToleratedLines bounds the log of skipped records in one flush interval.
const maxToleratedLines = 100

// judge decides about the records that Kafka refused: an error ends the task.
func (r *sourceRun) judge(a ack) error {
	for i := range a.failed {
		e := &a.failed[i]
		seq := a.batch.seqOf(e.Index)
		failure := &RecordFailure{
			Stage: StageKafkaProduce, Class: sourceTaskClass, Err: e, seq: seq,
			Where: "record " + strconv.FormatUint(seq, 10) + " of the task",
		}
		if r.tx != nil { // a transaction with a hole is none
			failure.Fatal = true
			r.snap.Errors++
			if endsTransaction(e) {
				return &RestartError{failure}
			}
			return failure
		}
		if !r.cfg.Errors.TolerateAll || errors.Is(e, kafka.ErrClosed) || errors.Is(e, kafka.ErrFenced) ||
			errors.Is(e, context.Canceled) || errors.Is(e, context.DeadlineExceeded) {
			failure.Fatal = !r.cfg.Errors.TolerateAll
			r.snap.Errors++
			return failure
		}
		r.noteFailure(failure) // KIP-779: skipped, its offset counts as done
		if a.refused != nil {
			a.batch.letters = append(a.batch.letters, refusedLetter(&a.refused[i], failure, e))
		}
	}
	return nil
}

// endsTransaction reports whether a record was refused for what became of the transaction, so that it may do better in the
// next one, and not for what it is or where it is to go.
func endsTransaction(e *kafka.RecordError) bool {
	for _, final := range []error{kafka.ErrMessageTooLarge, kafka.ErrInvalidRecord, kafka.ErrNotAuthorised, kafka.ErrAuthentication, kafka.ErrUnknownTopic, kafka.ErrInvalidTopic} {
		if errors.Is(e, final) {
			return false
		}
	}
	return true
}

// noteFailure counts and logs a record that cannot be handled.
func (r *sourceRun) noteFailure(f *RecordFailure) {
	r.snap.Errors++
	if !f.Fatal {
		r.snap.Skipped++
	}
	r.note(f)
	if r.rate.failed(f.seq) {
		r.fail(r.rate.exceeded(f))
	}
	if !r.cfg.Errors.Log && f.Fatal {
		return // the status tells it
	}
	if r.tolerated++; r.tolerated > maxToleratedLines && !r.cfg.Errors.Log {
		if r.tolerated == maxToleratedLines+1 {
			r.logger.Warn("more records fail; they are counted and not logged until the next offset commit")
		}
		return
	}
	r.snap.LoggedErrors++
	text := "Error encountered in task " + r.cfg.ID.String() + ". Executing stage '" + f.Stage + "' with class '" + f.Class + "'"
	if f.record != "" {
		text += ", where source record is = " + f.record
	}
	r.logger.Error(text+".", "record", f.Where, "error", f.Err)
}

// answerOffsets reads stored offsets for the task, beside the owner.
func (r *sourceRun) answerOffsets(q plugin.ReadOffsets) {
	r.workers.Go(func() {
		ctx, cancel := context.WithTimeout(r.runCtx, offsetReadTimeout)
		defer cancel()
		offsets, err := r.book.read(ctx, q.Partitions)
		if err != nil && r.runCtx.Err() == nil {
			r.logger.Error("cannot read source offsets", "error", err)
		}
		_ = r.stream.SendOffsets(q.RequestID, offsets, err) // a stream that is over is the reader's news
	})
}

// offsetReadTimeout bounds a read of the offset store.
const offsetReadTimeout = 30 * time.Second

// flushRetryDelay is the pause after a failed flush of a task that is ending.
const flushRetryDelay = 200 * time.Millisecond

// flushMoments is how many moments of an interval there are at which tasks store their offsets.
const flushMoments = 100

// flushAfter is when a task stores its offsets next: within the interval, at a moment that it shares with other tasks, of
// other workers too. The offsets of thousands of tasks then go to Kafka, and from there to all workers, in few requests. Pure.
func flushAfter(now time.Time, interval time.Duration) time.Time {
	at := now.Add(interval)
	if step := interval / flushMoments; step > 0 {
		at = at.Add(-at.Sub(at.Truncate(step))) // not the truncated time itself: it has lost the monotonic clock
	}
	return at
}

// flush stores what is committable, beside the owner. Without anything new it
// sends the last Commit again, so that one that was lost starves nobody.
func (r *sourceRun) flush() {
	if r.life.phase >= phaseClosing { // a frame behind the close would cut the task's Stop short
		return
	}
	if r.tx != nil {
		r.endTransaction()
		r.sendCommit()
		return
	}
	if r.flushing {
		return
	}
	if !r.ledger.unstored() {
		r.sendCommit()
		return
	}
	offsets, _ := r.ledger.take()
	r.flushing, r.flushSince = true, time.Now()
	partitions := r.partitions // only ever appended to
	r.workers.Go(func() {
		ctx, cancel := context.WithTimeout(r.runCtx, r.cfg.Timing.OffsetFlushTimeout)
		defer cancel()
		r.flushed <- r.book.write(ctx, offsets, func(id uint32) []byte { return partitions[id-1] })
	})
}

// afterFlush books the result of a flush.
func (r *sourceRun) afterFlush(err error) {
	if r.tx != nil {
		r.afterTransaction(err)
		return
	}
	r.flushing = false
	r.ledger.done(err == nil)
	if err != nil {
		r.snap.CommitFailures++
		r.snap.Retries++
		r.note(err)
		r.logger.Warn("cannot store the source offsets; trying again", "error", err)
		r.cfg.Listener.Retrying(r.cfg.ID, err, r.cfg.Timing.OffsetFlushInterval)
		if r.life.phase == phaseSettling {
			r.retryFlush = time.Now().Add(flushRetryDelay)
		}
		return
	}
	r.snap.Commits++
	now := time.Now()
	r.snap.CommitMillis.noteTime(now.Sub(r.flushSince), now)
	if r.life.phase < phaseSettling {
		r.sendCommit()
		if r.eager && r.ledger.unstored() {
			r.flush()
		}
	}
}

// sendCommit tells the task what is safe. I-1: the offsets up to stored are durable.
func (r *sourceRun) sendCommit() {
	if r.ledger.stored == 0 || r.streamOver {
		return
	}
	r.committed = r.ledger.stored
	r.sent(r.stream.SendCommit(r.committed))
}
