package task

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/tailrace/tailrace/host/kafka"
)

// sourceTaskClass is what Kafka Connect names as the class at work when Kafka refuses a record.
const sourceTaskClass = "org.apache.kafka.connect.runtime.WorkerSourceTask"

// batchFate is how far a batch is.
type batchFate int

const (
	fateOpen     batchFate = iota // Kafka has not answered for all of its records
	fateAnswered                  // it has; dead letters may be missing
	fateSettled                   // all is done: its offsets may be stored
	fateLost                      // it comes again after a restart
)

// settle books a batch whose records are in Kafka, or dead letters that are.
func (r *sourceRun) settle(p *preparedBatch) {
	p.fate = fateSettled
	r.snap.ActiveRecords -= p.count()
	r.credit.release(p.cost)
	r.ledger.ack(p.ticket)
	if r.tx != nil {
		r.tx.decided(p, false)
	}
}

// lose books a batch that is given up.
func (r *sourceRun) lose(p *preparedBatch) {
	p.fate = fateLost
	r.snap.ActiveRecords -= p.count()
	r.credit.release(p.cost)
	r.ledger.lose()
	if r.tx != nil {
		r.tx.decided(p, true)
	}
}

// sendLetters sends the dead letters of the batches that Kafka has answered for, in
// the order of the records (I-6). Behind a batch that was given up nothing is sent:
// its records come again.
func (r *sourceRun) sendLetters() {
	n := 0
	for ; n < len(r.undecided) && r.undecided[n].fate != fateOpen; n++ {
		p := r.undecided[n]
		r.undecided[n] = nil
		switch {
		case p.fate == fateLost:
			r.lostBatch = true
		case p.fate == fateSettled:
		case r.lostBatch:
			r.lose(p)
		default:
			r.sendLettersOf(p)
		}
	}
	r.undecided = r.undecided[n:]
}

func (r *sourceRun) sendLettersOf(p *preparedBatch) {
	// Those of converters came first, those of Kafka later.
	slices.SortStableFunc(p.letters, func(a, b Errant) int { return cmp.Compare(a.Source.seq, b.Source.seq) })
	r.snap.DeadLetters += uint64(len(p.letters))
	ctx, cancel := context.WithTimeout(r.runCtx, r.cfg.Timing.GracefulTimeout)
	defer cancel()
	r.letters.Send(ctx, p.letters, func(err error) { r.acks.put(ack{batch: p, letters: true, err: err}) })
}

// lettersDecided books the answer. What Kafka refuses for good is logged and
// counted, as for sinks; what was cut off by the end of the task is not safe.
func (r *sourceRun) lettersDecided(a ack) {
	a.batch.letters = nil
	if a.err != nil && (errors.Is(a.err, kafka.ErrClosed) || errors.Is(a.err, context.Canceled)) {
		r.lose(a.batch)
		r.lostBatch = true
		return
	}
	if a.err != nil {
		r.snap.DeadLetterFailures++
		r.note(a.err)
	}
	r.settle(a.batch)
}

// refused copies the records that Kafka refused while they are at hand. It runs on
// the producer's goroutine.
func (r *sourceRun) refused(result kafka.BatchResult) []kafka.FoundRecord {
	if r.letters == nil || len(result.Failed) == 0 {
		return nil
	}
	records := make([]kafka.FoundRecord, len(result.Failed))
	for i := range result.Failed {
		records[i] = result.Record(result.Failed[i].Index)
	}
	return records
}

// refusedLetter is the dead letter of a record that Kafka refused, with the bytes that it refused.
func refusedLetter(record *kafka.FoundRecord, f *RecordFailure, e *kafka.RecordError) Errant {
	return Errant{
		Topic: e.Topic, Partition: kafka.PartitionAny, Offset: -1, TimestampMillis: record.TimestampMillis,
		HasRecord: true, Key: record.Key, Value: record.Value, Headers: record.Headers,
		Stage: f.Stage, Class: f.Class, Err: f.Err,
		Source: &SourceErrant{Form: FormKafka, seq: f.seq},
	}
}
