package connect

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	pluginv1 "github.com/tailrace/tailrace/gen/tailrace/plugin/v1"
)

// maxErrantFrame is how many errant records go into one frame.
const maxErrantFrame = 500

// errNoReporter tells that the worker takes no errant records.
var errNoReporter = errors.New("the worker takes no errant records: set errors.deadletterqueue.topic.name or errors.log.enable, or let the task fail")

// errantReports collects errant records of a sink task and follows the answers. Any goroutine may use it.
type errantReports struct {
	enabled bool
	send    func(context.Context, *pluginv1.RecordErrors) error
	over    context.Context //nolint:containedctx // the life of the stream that the answers come from

	mu      sync.Mutex
	pending []RecordError
	next    uint64
	waiting map[uint64]chan error
	failed  error // an answer that nobody waited for
}

func (e *errantReports) add(r RecordError) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.pending = append(e.pending, r)
}

// forget drops what was collected of the records behind done.
func (e *errantReports) forget(done uint64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.pending = slices.DeleteFunc(e.pending, func(r RecordError) bool { return r.Seq > done })
}

// flush sends what was collected, without waiting for answers: the host commits
// nothing behind an errant record before it is safe.
func (e *errantReports) flush(ctx context.Context) error {
	e.mu.Lock()
	pending, failed := e.pending, e.failed
	e.pending = nil
	e.mu.Unlock()
	if failed != nil {
		return failed
	}
	if len(pending) == 0 {
		return nil
	}
	if !e.enabled {
		return fmt.Errorf("%d errant records: %w; the first: %w", len(pending), errNoReporter, pending[0].Err)
	}
	for len(pending) > 0 {
		n := min(len(pending), maxErrantFrame)
		if err := e.send(ctx, e.frame(pending[:n], nil)); err != nil {
			return err
		}
		pending = pending[n:]
	}
	return nil
}

func (e *errantReports) sendAndWait(ctx context.Context, errs []RecordError) error {
	if !e.enabled {
		return errNoReporter
	}
	for len(errs) > 0 {
		n := min(len(errs), maxErrantFrame)
		answer := make(chan error, 1)
		if err := e.send(ctx, e.frame(errs[:n], answer)); err != nil {
			return err
		}
		select {
		case err := <-answer:
			if err != nil {
				return fmt.Errorf("report errant records: %w", err)
			}
		case <-ctx.Done():
			return ctx.Err()
		case <-e.over.Done():
			return errStreamOver
		}
		errs = errs[n:]
	}
	return nil
}

func (e *errantReports) frame(errs []RecordError, answer chan error) *pluginv1.RecordErrors {
	m := &pluginv1.RecordErrors{}
	for _, r := range errs {
		m.Records = append(m.Records, &pluginv1.RecordError{Seq: r.Seq, Error: errorProto(r.Err)})
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.next++
	m.RequestId = e.next
	if answer != nil {
		if e.waiting == nil {
			e.waiting = make(map[uint64]chan error)
		}
		e.waiting[m.RequestId] = answer
	}
	return m
}

func (e *errantReports) handled(f *pluginv1.RecordErrorsHandled) {
	err := errorFromProto(f.GetError())
	e.mu.Lock()
	defer e.mu.Unlock()
	if answer := e.waiting[f.GetRequestId()]; answer != nil {
		delete(e.waiting, f.GetRequestId())
		answer <- err
		return
	}
	if err != nil && e.failed == nil {
		e.failed = fmt.Errorf("report errant records: %w", err)
	}
}
