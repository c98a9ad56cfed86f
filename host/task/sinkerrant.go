package task

import (
	"context"
	"errors"
	"maps"
	"strconv"
	"sync"

	"github.com/tailrace/tailrace/host/convert"
	"github.com/tailrace/tailrace/host/kafka"
	"github.com/tailrace/tailrace/host/plugin"
)

// sinkTaskClass is what Kafka Connect names as the class at work when a task reports a record.
const sinkTaskClass = "org.apache.kafka.connect.sink.SinkTask"

// unconvertible deals with a record that a converter or a transform refuses;
// false ends the run before it and fails the task.
func (r *sinkRun) unconvertible(run *kafka.Run, i int, no refusal) bool {
	e := Errant{
		Topic: run.Topic, Partition: run.Partition, Offset: run.Offset(i), TimestampMillis: run.TimestampMillis(i), TimestampType: run.TimestampType(i),
		HasRecord: true, Key: run.Key(i), Value: run.Value(i), Headers: run.Headers(i),
		Stage: no.stage, Class: no.class, Transform: no.transform, Err: no.err,
	}
	if r.reported.has(&e) { // it was read again after its process died
		return true
	}
	if errors.Is(no.err, convert.ErrStopped) { // nothing is wrong with the record
		r.fail(no.err)
		return false
	}
	failure := r.errantFailure(&e, r.handled+uint64(i-r.fetchNext)+1)
	// A failing record is reported also when failures are not tolerated (reference section 5.6).
	r.sendLetters([]Errant{e}, func(err error) { r.fates.put(letterFate{err: err}) })
	if !r.cfg.Errors.TolerateAll {
		r.fail(failure)
		return false
	}
	r.flushSoon = r.reported.add(&e) || r.flushSoon
	return true
}

func sinkWhere(topic string, partition int32, offset int64) string {
	return "the record at topic " + topic + ", partition " + strconv.Itoa(int(partition)) + ", offset " + strconv.FormatInt(offset, 10)
}

// errantFailure counts and logs one errant record; position is its place among
// those that were read. Too many of them fail the task.
func (r *sinkRun) errantFailure(e *Errant, position uint64) *RecordFailure {
	r.snap.Errors++
	where := sinkWhere(e.Topic, e.Partition, e.Offset)
	f := &RecordFailure{Stage: e.Stage, Class: e.Class, Transform: e.Transform, Where: where, Err: e.Err, Fatal: !r.cfg.Errors.TolerateAll}
	if r.cfg.Errors.TolerateAll {
		r.snap.Skipped++
	}
	r.note(f)
	if r.cfg.Errors.Log {
		r.snap.LoggedErrors++
		r.logger.Error(errantLine(r.cfg.ID, e, r.cfg.Errors.LogRecords), "error", e.Err)
	}
	if r.rate.failed(position) {
		r.fail(r.rate.exceeded(f))
	}
	return f
}

// errantLine is Kafka Connect's log line about a record that failed.
func errantLine(id ID, e *Errant, coordinates bool) string {
	text := "Error encountered in task " + id.String() + ". Executing stage '" + e.Stage + "' with class '" + e.Class + "'"
	if coordinates {
		text += ", where consumed record is {topic='" + e.Topic + "', partition=" + strconv.Itoa(int(e.Partition)) +
			", offset=" + strconv.FormatInt(e.Offset, 10)
		if e.TimestampMillis != -1 {
			text += ", timestamp=" + strconv.FormatInt(e.TimestampMillis, 10) + ", timestampType=" + e.TimestampType.String()
		}
		text += "}"
	}
	return text + "."
}

// openDeadLetters prepares the dead letter topic; a failure fails the task.
func (r *sinkRun) openDeadLetters() bool {
	if r.cfg.OpenDeadLetters == nil {
		return true
	}
	ctx, cancel := r.control.opening(r.ctx)
	defer cancel()
	letters, err := r.cfg.OpenDeadLetters(ctx)
	if err != nil {
		if stop, _ := r.control.get(); !stop {
			r.fail(err)
		}
		return false
	}
	r.letters = letters
	return true
}

// sendLetters hands records to the dead letters; without any, the log has to do.
// done comes from another goroutine.
func (r *sinkRun) sendLetters(records []Errant, done func(error)) {
	if r.letters == nil || len(records) == 0 {
		done(nil)
		return
	}
	ctx, cancel := context.WithTimeout(r.ctx, r.cfg.Timing.GracefulTimeout)
	defer cancel()
	r.snap.DeadLetters += uint64(len(records))
	r.letters.Send(ctx, records, done)
}

// flushLetters waits until what was sent is decided; false keeps the offsets from
// being committed. What Kafka refuses of the records that converters and transforms
// refused is logged and counted, and does not stop the task, as in Kafka Connect.
func (r *sinkRun) flushLetters(ctx context.Context) bool {
	if r.letters == nil {
		return true
	}
	if err := r.letters.Flush(ctx); err != nil {
		r.snap.CommitFailures++
		r.logger.Warn("the consumer offsets wait for the dead letters; the next commit covers them", "error", err)
		r.retrying(err, r.cfg.Timing.OffsetFlushInterval)
		return false
	}
	r.takeFates()
	return !r.lost
}

func (r *sinkRun) closeDeadLetters(ctx context.Context) {
	if r.letters == nil {
		return
	}
	if err := r.letters.Close(ctx); err != nil {
		r.logger.Warn("dead letters were given up; their records are read again", "error", err)
	}
	r.takeFates()
}

// recordErrors takes the errant records that the task reports. It is answered
// when their dead letters are safe.
func (r *sinkRun) recordErrors(event plugin.RecordErrors) {
	var records []Errant
	var failure error
	for _, e := range event.Records {
		tp, offset, known := r.segments.find(e.Seq)
		if !known {
			r.logger.Warn("the task reports a record of before the last flush as errant; it is ignored", "seq", e.Seq)
			continue
		}
		errant := Errant{
			Topic: tp.Topic, Partition: tp.Partition, Offset: offset, TimestampMillis: -1,
			Stage: StageTaskPut, Class: sinkTaskClass, Err: e.Err,
		}
		if r.reported.has(&errant) {
			continue
		}
		f := r.errantFailure(&errant, r.handled)
		if !r.cfg.Errors.TolerateAll && failure == nil {
			failure = f
		}
		r.flushSoon = r.reported.add(&errant) || r.flushSoon
		r.recent.fill(r.fetch, &errant)
		records = append(records, errant)
	}
	stream := r.stream
	r.sendLetters(records, func(err error) {
		if err == nil {
			err = failure
		}
		r.fates.put(letterFate{stream: stream, request: event.RequestID, reported: len(records) > 0, err: err})
	})
}

// takeFates books what became of dead letters. One of a record that the task
// reported is not lost in silence: it fails the task, as in Kafka Connect, and what
// is behind it is not committed.
func (r *sinkRun) takeFates() {
	for _, f := range r.fates.take() {
		var refused *DeadLetterError
		if errors.As(f.err, &refused) {
			r.snap.DeadLetterFailures++
			r.note(f.err)
			r.lost = r.lost || f.reported
		}
		if f.stream == nil {
			continue
		}
		if f.stream == r.stream {
			r.sentFrame(r.stream.SendRecordErrorsHandled(f.request, f.err))
		}
		if f.err != nil {
			r.fail(f.err)
		}
	}
}

// letterFate is what became of the records of one Send.
type letterFate struct {
	stream   SinkStream // that waits for an answer, nil for none
	request  uint64
	reported bool // by the task
	err      error
}

// letterFates takes them from the producer's goroutine without blocking it. It holds
// at most one entry per Send under way.
type letterFates struct {
	news chan struct{} // capacity 1
	poke func()

	mu   sync.Mutex
	list []letterFate
}

func (b *letterFates) put(f letterFate) {
	b.mu.Lock()
	b.list = append(b.list, f)
	b.mu.Unlock()
	select {
	case b.news <- struct{}{}:
	default:
	}
	b.poke()
}

func (b *letterFates) take() []letterFate {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := b.list
	b.list = nil
	return list
}

// reported are the records behind the last commit whose dead letters were
// sent. They may come again when a plugin's process dies, and each is to be in
// the dead letter topic once. It is a value for one goroutine.
type reported map[kafka.TopicPartition]map[int64]struct{}

func (p reported) has(e *Errant) bool {
	_, ok := p[kafka.TopicPartition{Topic: e.Topic, Partition: e.Partition}][e.Offset]
	return ok
}

// add reports whether it is time for a commit, which forgets.
func (p reported) add(e *Errant) (full bool) {
	tp := kafka.TopicPartition{Topic: e.Topic, Partition: e.Partition}
	if p[tp] == nil {
		p[tp] = make(map[int64]struct{})
	}
	p[tp][e.Offset] = struct{}{}
	return len(p[tp]) >= maxReported
}

// maxReported bounds what is remembered of a partition between commits.
const maxReported = 1 << 16

// forget drops what is before a committed offset: it does not come again.
func (p reported) forget(tp kafka.TopicPartition, committed int64) {
	maps.DeleteFunc(p[tp], func(offset int64, _ struct{}) bool { return offset < committed })
}
