package task

import (
	"fmt"
	"time"

	"github.com/tailrace/tailrace/host/plugin"
)

// ending is how a transaction is to end.
type ending int

const (
	endingOpen ending = iota // not yet
	endingCommit
	endingAbort
)

// transaction decides which batches a transaction holds and when it ends. It is a value for one goroutine.
//
// Batches go to the sender while it is open. Once it is ending none does, and it ends when all of its batches are
// acknowledged. Then the next batch opens the next one.
//
// A transaction of BoundaryPoll holds the batches that were waiting when it began, each of them whole: so a task that
// delivers faster than transactions end shares them, and one that is slow has one for each poll.
type transaction struct {
	boundary plugin.Boundary
	interval time.Duration

	open   bool
	ending ending
	broken bool // something of it is not in Kafka: it can only be aborted
	began  time.Time
	until  uint64 // the last sequence number of a transaction by polls
	sent   uint64 // the last sequence number that the sender has
	// pending are batches that the sender has and that are not decided; records is their sum in this transaction.
	pending int
	records uint64
	ends    []plugin.Transaction // that the task has asked for and that are not over
}

// admits reports whether a batch may go to the sender now.
func (t *transaction) admits(p *preparedBatch) bool {
	if t.ending != endingOpen {
		return false
	}
	return len(t.ends) == 0 || p.through <= t.ends[0].Seq
}

// ask books where the task wants a transaction to end: behind a batch that it has sent, not in the middle of one.
func (t *transaction) ask(end plugin.Transaction, queue []*preparedBatch) error {
	if t.boundary != plugin.BoundaryConnector {
		return nil // it need not know that nobody listens
	}
	for _, p := range queue {
		if p.firstSeq <= end.Seq && end.Seq < p.through {
			return midBatch(end.Seq, p.through)
		}
	}
	if end.Seq < t.sent {
		return midBatch(end.Seq, t.sent)
	}
	t.ends = append(t.ends, end)
	return nil
}

// mark tells the sender what else is to be done with a batch, before it gets it; waiting are those behind it.
func (t *transaction) mark(p *preparedBatch, waiting []*preparedBatch) {
	p.begins = !t.open
	p.ends = t.boundary == plugin.BoundaryPoll && (t.open && p.through >= t.until || !t.open && len(waiting) == 0)
}

func midBatch(seq, last uint64) error {
	return fmt.Errorf("the task ends a transaction behind record %d, in the middle of the batch that ends with record %d or behind one that is under way; "+
		"a batch holds records of one transaction", seq, last)
}

// gave books that the sender has a batch; waiting are those behind it.
func (t *transaction) gave(p *preparedBatch, waiting []*preparedBatch, now time.Time) {
	if !t.open {
		t.open, t.began, t.until = true, now, p.through
		if len(waiting) > 0 {
			t.until = waiting[len(waiting)-1].through
		}
	}
	p.given = true
	t.sent = p.through
	t.pending++
	t.records += p.count()
}

// decided books that a batch is settled, or lost.
func (t *transaction) decided(p *preparedBatch, lost bool) {
	if p.given {
		t.pending--
		t.broken = t.broken || lost
	}
}

// progress finds out whether the transaction is to end; it reports whether that is new.
func (t *transaction) progress(now time.Time) bool {
	if t.ending != endingOpen {
		return false
	}
	for !t.open && len(t.ends) > 0 && t.ends[0].Seq <= t.sent {
		t.ends = t.ends[1:] // of nothing
	}
	if !t.open {
		return false
	}
	switch t.boundary {
	case plugin.BoundaryInterval:
		if !now.Before(t.deadline()) {
			t.ending = endingCommit
		}
	case plugin.BoundaryConnector:
		if len(t.ends) > 0 && t.ends[0].Seq <= t.sent {
			t.ending = endingCommit
			if t.ends[0].Abort {
				t.ending = endingAbort
			}
		}
	default:
		if t.sent >= t.until {
			t.ending = endingCommit
		}
	}
	return t.ending != endingOpen
}

// deadline is when the open transaction ends by its age; zero for never.
func (t *transaction) deadline() time.Time {
	if !t.open || t.ending != endingOpen || t.boundary != plugin.BoundaryInterval {
		return time.Time{}
	}
	return t.began.Add(t.interval)
}

// finish ends the open transaction before its time, because nothing comes for a while or any more. Where the task decides,
// what it has not ended is not finished.
func (t *transaction) finish(forGood bool) {
	switch {
	case !t.open || t.ending != endingOpen:
	case t.boundary != plugin.BoundaryConnector:
		t.ending = endingCommit
	case forGood:
		t.ending, t.broken = endingAbort, true // its records come again
	}
}

// complete reports whether the end can be carried out.
func (t *transaction) complete() bool { return t.ending != endingOpen && t.pending == 0 }

// ended books that it is over, and gives the last record that the task asked to be told of; 0 for none.
func (t *transaction) ended() (told uint64) {
	if t.boundary == plugin.BoundaryConnector && len(t.ends) > 0 && t.ends[0].Seq <= t.sent && !t.broken {
		told, t.ends = t.ends[0].Seq, t.ends[1:]
	}
	t.open, t.ending, t.broken, t.records = false, endingOpen, false, 0
	return told
}
