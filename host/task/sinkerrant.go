package task

import (
	"context"
	"errors"
	"maps"
	"strconv"

	"github.com/tailrace/tailrace/host/kafka"
	"github.com/tailrace/tailrace/host/plugin"
)

// sinkTaskClass is what Kafka Connect names as the class at work when a task reports a record.
const sinkTaskClass = "org.apache.kafka.connect.sink.SinkTask"

// unconvertible deals with a record that a converter or a transform refuses;
// false ends the run before it and fails the task.
func (r *sinkRun) unconvertible(run *kafka.Run, i int, stage, class string, err error) bool {
	e := Errant{
		Topic: run.Topic, Partition: run.Partition, Offset: run.Offset(i), TimestampMillis: run.TimestampMillis(i), TimestampType: run.TimestampType(i),
		HasRecord: true, Key: run.Key(i), Value: run.Value(i), Headers: run.Headers(i),
		Stage: stage, Class: class, Err: err,
	}
	if r.reported.has(&e) { // it was read again after its process died
		return true
	}
	failure := r.errantFailure(&e)
	sent := r.send1(&e)
	if !r.cfg.Errors.TolerateAll {
		r.fail(failure)
		return false
	}
	if sent != nil {
		r.fail(sent)
		return false
	}
	r.flushSoon = r.reported.add(&e) || r.flushSoon
	return true
}

// send1 hands one record to the dead letters. A failing record is reported also
// when failures are not tolerated (reference section 5.6).
func (r *sinkRun) send1(e *Errant) error { return r.sendLetters([]Errant{*e}) }

// errantFailure counts and logs one errant record.
func (r *sinkRun) errantFailure(e *Errant) *RecordFailure {
	r.snap.Errors++
	where := "the record at topic " + e.Topic + ", partition " + strconv.Itoa(int(e.Partition)) + ", offset " + strconv.FormatInt(e.Offset, 10)
	f := &RecordFailure{Stage: e.Stage, Class: e.Class, Where: where, Err: e.Err, Fatal: !r.cfg.Errors.TolerateAll}
	if r.cfg.Errors.TolerateAll {
		r.snap.Skipped++
	}
	r.note(f)
	if r.cfg.Errors.Log {
		r.snap.LoggedErrors++
		r.logger.Error(errantLine(r.cfg.ID, e, r.cfg.Errors.LogRecords), "error", e.Err)
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
func (r *sinkRun) sendLetters(records []Errant) error {
	if r.letters == nil || len(records) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(r.ctx, r.cfg.Timing.GracefulTimeout)
	defer cancel()
	if err := r.letters.Send(ctx, records); err != nil {
		return err
	}
	r.snap.DeadLetters += uint64(len(records))
	return nil
}

// flushLetters waits until what was sent is safe; false keeps the offsets from
// being committed. What Kafka refuses for good is logged and counted, and does not
// stop the task, as in Kafka Connect.
func (r *sinkRun) flushLetters(ctx context.Context) bool {
	if r.letters == nil {
		return true
	}
	err := r.letters.Flush(ctx)
	var refused *DeadLetterError
	switch {
	case err == nil:
	case errors.As(err, &refused):
		r.snap.DeadLetterFailures++
		r.note(err)
	default:
		r.snap.CommitFailures++
		r.logger.Warn("the consumer offsets wait for the dead letters; the next commit covers them", "error", err)
		r.retrying(err, r.cfg.Timing.OffsetFlushInterval)
		return false
	}
	return true
}

func (r *sinkRun) closeDeadLetters(ctx context.Context) {
	if r.letters == nil {
		return
	}
	r.flushLetters(ctx)
	if err := r.letters.Close(ctx); err != nil {
		r.logger.Warn("dead letters were given up; their records are read again", "error", err)
	}
}

// recordErrors takes the errant records that the task reports and answers it
// when their dead letters are safe. Kafka Connect fails the task when one is not.
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
		f := r.errantFailure(&errant)
		if !r.cfg.Errors.TolerateAll && failure == nil {
			failure = f
		}
		records = append(records, errant)
	}
	if err := r.safely(records); err != nil && failure == nil {
		failure = err
	}
	r.sentFrame(r.stream.SendRecordErrorsHandled(event.RequestID, failure))
	if failure != nil {
		r.fail(failure)
	}
}

// safely sends records and waits until they are safe.
func (r *sinkRun) safely(records []Errant) error {
	if err := r.sendLetters(records); err != nil || r.letters == nil || len(records) == 0 {
		return err
	}
	ctx, cancel := context.WithTimeout(r.ctx, r.cfg.Timing.GracefulTimeout)
	defer cancel()
	if err := r.letters.Flush(ctx); err != nil {
		r.snap.DeadLetterFailures++
		return err
	}
	for i := range records {
		r.reported.add(&records[i])
	}
	return nil
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
