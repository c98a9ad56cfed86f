package task

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tailrace/tailrace/host/plugin"
	"github.com/tailrace/tailrace/host/store"
)

// Transactions let the records of a source task and the offsets behind them count together or not at all (KIP-618). One
// goroutine at a time calls Begin, Commit and Abort; what the Producer takes between Begin and the end is part of it.
type Transactions interface {
	Begin() error
	// Commit stores the offsets in the open transaction and ends it. All batches of it are acknowledged.
	Commit(ctx context.Context, offsets []store.OffsetEntry) error
	// Abort ends it so that none of its records is read.
	Abort(ctx context.Context) error
	// Flush sends what the producer holds back to fill its batches.
	Flush(ctx context.Context) error
	// Refuses says why records may not go to a topic, or nil.
	Refuses(topic string) error
}

// RestartError ends a task that may start again from its stored offsets without losing or repeating anything: its
// transaction, or what has to come before one, did not come about.
type RestartError struct{ Cause error }

func (e *RestartError) Error() string {
	return "the task starts again from its stored offsets: " + e.Cause.Error()
}

func (e *RestartError) Unwrap() error { return e.Cause }

// endTransaction carries out the end of a transaction that is complete, beside the owner.
func (r *sourceRun) endTransaction() {
	if r.tx.progress(time.Now()) && r.tx.boundary != plugin.BoundaryPoll { // there the sender does it
		r.workers.Go(r.flushProducer)
	}
	if r.flushing || !r.tx.complete() {
		return
	}
	r.flushing, r.flushSince = true, time.Now()
	abort, broken := r.tx.ending == endingAbort, r.tx.broken
	var offsets map[uint32]sourceOffset
	if !broken {
		offsets, _ = r.ledger.take()
	}
	partitions := r.partitions // only ever appended to
	r.workers.Go(func() {
		r.flushed <- r.carryOut(abort || broken, !broken, offsets, func(id uint32) []byte { return partitions[id-1] })
	})
}

// flushProducer sends what waits for company that does not come any more in this transaction.
func (r *sourceRun) flushProducer() { _ = r.cfg.Transactions.Flush(r.runCtx) }

// transactionEndTimeout bounds the end of a transaction. The broker gives it up after a time of its own.
const transactionEndTimeout = time.Minute

func (r *sourceRun) carryOut(abort, store bool, offsets map[uint32]sourceOffset, partition func(uint32) []byte) error {
	ctx, cancel := context.WithTimeout(r.runCtx, transactionEndTimeout)
	defer cancel()
	entries, err := r.book.entries(ctx, offsets, partition)
	if err != nil {
		if left := r.cfg.Transactions.Abort(ctx); left != nil { // an open one holds up all who read what is committed
			err = fmt.Errorf("%w; and it could not be aborted: %w", err, left)
		}
		return err
	}
	if abort {
		if err := r.cfg.Transactions.Abort(ctx); err != nil || !store || len(entries) == 0 {
			return err
		}
		// The records are skipped, not tried again (reference section 5.8): their offsets count.
		if err := r.cfg.Transactions.Begin(); err != nil {
			return err
		}
	}
	return r.cfg.Transactions.Commit(ctx, entries)
}

// afterTransaction books the end of a transaction.
func (r *sourceRun) afterTransaction(err error) {
	r.flushing = false
	now := time.Now()
	stored := !r.tx.broken
	records := r.tx.records
	told := r.tx.ended()
	if err != nil {
		r.ledger.done(false)
		r.snap.CommitFailures++
		err = fmt.Errorf("a transaction could not be ended: %w", err)
		if unwritable := (*unwritableError)(nil); !errors.As(err, &unwritable) {
			err = &RestartError{err}
		}
		r.giveUp(err)
		return
	}
	if !stored {
		return
	}
	r.ledger.done(true)
	r.snap.Commits++
	r.snap.CommitMillis.noteTime(now.Sub(r.flushSince), now)
	r.snap.TransactionSize.note(float64(records), now)
	if r.life.phase < phaseSettling {
		r.sendCommit()
		if told > 0 {
			r.sent(r.stream.SendTransactionCommitted(told))
		}
	}
	r.endTransaction() // the next one, where the task has ended it already
}
