package task

import (
	"context"
	"strconv"

	"github.com/tailrace/tailrace/host/kafka"
	"github.com/tailrace/tailrace/host/plugin"
)

// unconvertible deals with a record that a converter refuses; false fails the task.
func (r *sinkRun) unconvertible(run *kafka.Run, i int, stage, class string, err error) bool {
	e := Errant{
		Topic: run.Topic, Partition: run.Partition, Offset: run.Offset(i), TimestampMillis: run.TimestampMillis(i),
		HasRecord: true, Key: run.Key(i), Value: run.Value(i), Headers: run.Headers(i),
		Stage: stage, Class: class, Err: err,
	}
	failure := r.errantFailure(&e)
	if !r.cfg.Errors.TolerateAll {
		r.fail(failure)
		return false
	}
	return r.report([]Errant{e}) == nil
}

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
		text := "Error encountered in task " + r.cfg.ID.String() + ". Executing stage '" + e.Stage + "' with class '" + e.Class + "'"
		if r.cfg.Errors.LogRecords {
			text += ", where consumed record is {topic='" + e.Topic + "', partition=" + strconv.Itoa(int(e.Partition)) +
				", offset=" + strconv.FormatInt(e.Offset, 10) + ", timestamp=" + strconv.FormatInt(e.TimestampMillis, 10) + "}"
		}
		r.logger.Error(text+".", "error", e.Err)
	}
	return f
}

// report hands errant records to the dead letters; without any, the log has to do.
func (r *sinkRun) report(records []Errant) error {
	if r.cfg.DeadLetters == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(r.ctx, r.cfg.Timing.GracefulTimeout)
	defer cancel()
	if err := r.cfg.DeadLetters.Report(ctx, records); err != nil {
		r.fail(err)
		return err
	}
	return nil
}

// recordErrors takes the errant records that the task reports and answers it.
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
			Stage: StageTaskPut, Class: r.cfg.ConnectorType, Err: e.Err,
		}
		f := r.errantFailure(&errant)
		if !r.cfg.Errors.TolerateAll && failure == nil {
			failure = f
		}
		records = append(records, errant)
	}
	if failure == nil && len(records) > 0 {
		failure = r.report(records)
	}
	r.sentFrame(r.stream.SendRecordErrorsHandled(event.RequestID, failure))
	if failure != nil {
		r.fail(failure)
	}
}
