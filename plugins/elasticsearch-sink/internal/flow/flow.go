package flow

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tailrace/tailrace/plugins/elasticsearch-sink/internal/bulk"
)

// Sender makes one bulk request of n items; nil results mean that all are done.
type Sender interface {
	Bulk(ctx context.Context, body []byte, n int) ([]bulk.Result, error)
}

// Config of a flow.
type Config struct {
	Sender       Sender
	Lanes        int           // requests on the way at the same time
	BatchItems   int           // items from which a batch is full
	BatchBytes   int           // bytes from which a batch is full
	Linger       time.Duration // how long a batch that is not full waits for more
	MaxRetries   int           // tries of a request after the first without any progress
	RetryBackoff time.Duration // before the first retry; doubles from there
	// Passes tells errors of a request that may pass by themselves, MustDivide those after which halves are tried.
	Passes, MustDivide func(error) bool
}

// Partition is a Kafka partition as the task has it now.
type Partition struct {
	Topic  string
	Number int32
	// Dropped is set by the task's goroutine when nobody waits for the records any more: they come again, or to another worker.
	Dropped bool
}

// Ref says which record an item is of.
type Ref struct {
	Part   *Partition
	Offset int64
	Seq    uint64
}

func (r Ref) String() string {
	return fmt.Sprintf("%s-%d offset %d", r.Part.Topic, r.Part.Number, r.Offset)
}

// Outcome is a record that the server will never take.
type Outcome struct {
	Ref Ref
	Err error
}

// Batch is the body of a request that grows.
type Batch struct {
	Body  []byte
	Items []bulk.Item
	Refs  []Ref

	since   time.Time // of the first item
	counted int
}

// Flow is the lanes and what they have brought back.
type Flow struct {
	cfg      Config
	lanes    []*lane
	cancel   context.CancelFunc
	done     sync.WaitGroup
	flushing atomic.Bool
	changed  chan struct{}

	mu          sync.Mutex
	outstanding int
	errant      []Outcome
	trouble     error // the latest error that is being retried
	failure     error
}

// New starts the lanes. Close ends them.
func New(cfg Config) *Flow {
	ctx, cancel := context.WithCancel(context.Background())
	f := &Flow{cfg: cfg, cancel: cancel, changed: make(chan struct{}, 1)}
	for range max(cfg.Lanes, 1) {
		l := &lane{flow: f, wake: make(chan struct{}, 1)}
		f.lanes = append(f.lanes, l)
		f.done.Go(func() { l.run(ctx) })
	}
	return f
}

// Close ends the lanes; requests on the way are broken off.
func (f *Flow) Close() {
	f.cancel()
	f.done.Wait()
}

// Lanes is their number.
func (f *Flow) Lanes() int { return len(f.lanes) }

// Full tells that a batch must be given before it takes more.
func (f *Flow) Full(b *Batch) bool {
	return len(b.Items) >= f.cfg.BatchItems || len(b.Body) >= f.cfg.BatchBytes
}

// Open takes the batch of a lane to append to it; false when a full one still waits for the lane.
func (f *Flow) Open(lane int) (*Batch, bool) {
	l := f.lanes[lane]
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.ready
	switch {
	case b == nil:
		if b = l.spare; b == nil {
			b = &Batch{}
		}
		l.spare = nil
	case f.Full(b):
		return nil, false
	}
	l.ready = nil
	return b, true
}

// Give hands a batch to its lane.
func (f *Flow) Give(lane int, b *Batch) {
	if n := len(b.Items) - b.counted; n > 0 {
		if b.counted == 0 {
			b.since = time.Now()
		}
		b.counted = len(b.Items)
		f.mu.Lock()
		f.outstanding += n
		f.mu.Unlock()
	}
	l := f.lanes[lane]
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(b.Items) == 0 {
		l.spare = b
		return
	}
	l.ready = b
	poke(l.wake)
}

// Changed is poked when a lane took a batch, brought something back or failed.
func (f *Flow) Changed() <-chan struct{} { return f.changed }

// State is what a task looks at while it waits.
type State struct {
	Outstanding int   // records given and not yet done or errant
	Trouble     error // why requests are being tried again, nil when they are not
	Failure     error // why nothing is sent any more
}

// State of now.
func (f *Flow) State() State {
	f.mu.Lock()
	defer f.mu.Unlock()
	return State{f.outstanding, f.trouble, f.failure}
}

// Errant takes the records that the server will never take.
func (f *Flow) Errant() []Outcome {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := f.errant
	f.errant = nil
	return out
}

// Flush sends what is ready without lingering, until Unflush.
func (f *Flow) Flush() {
	f.flushing.Store(true)
	for _, l := range f.lanes {
		poke(l.wake)
	}
}

// Unflush ends a Flush.
func (f *Flow) Unflush() { f.flushing.Store(false) }

func (f *Flow) settle(done int, errant []Outcome) {
	f.mu.Lock()
	f.outstanding -= done
	f.errant = append(f.errant, errant...)
	f.mu.Unlock()
	poke(f.changed)
}

func (f *Flow) note(trouble error) {
	f.mu.Lock()
	f.trouble = trouble
	f.mu.Unlock()
}

// fail ends the flow: a lane that went on would write behind what is missing.
func (f *Flow) fail(err error) {
	f.mu.Lock()
	if f.failure == nil {
		f.failure = err
	}
	f.mu.Unlock()
	f.cancel()
	poke(f.changed)
}

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// lane sends batches one after the other.
type lane struct {
	flow *Flow
	wake chan struct{}

	mu    sync.Mutex
	ready *Batch // filling; whoever takes it owns it
	spare *Batch // empty, with its memory
}

func (l *lane) run(ctx context.Context) {
	for {
		b := l.next(ctx)
		if b == nil {
			return
		}
		l.send(ctx, b)
		if ctx.Err() != nil {
			return
		}
		l.mu.Lock()
		if l.spare == nil {
			clear(b.Refs)
			l.spare = &Batch{Body: b.Body[:0], Items: b.Items[:0], Refs: b.Refs[:0]}
		}
		l.mu.Unlock()
	}
}

// next waits for a batch that is full, old enough, or wanted by a flush. nil at the end.
func (l *lane) next(ctx context.Context) *Batch {
	for ctx.Err() == nil {
		l.mu.Lock()
		b := l.ready
		var wait <-chan time.Time
		if b != nil {
			left := l.flow.cfg.Linger - time.Since(b.since)
			if left <= 0 || l.flow.Full(b) || l.flow.flushing.Load() {
				l.ready = nil
				l.mu.Unlock()
				poke(l.flow.changed)
				return b
			}
			wait = time.After(left)
		}
		l.mu.Unlock()
		select {
		case <-l.wake:
		case <-wait:
		case <-ctx.Done():
		}
	}
	return nil
}

// send makes requests until every item is done or errant, or the flow has failed. b is not changed.
func (l *lane) send(ctx context.Context, b *Batch) {
	f := l.flow
	body, items, refs := b.Body, b.Items, b.Refs
	for tries := 1; ; tries++ {
		results, err := f.cfg.Sender.Bulk(ctx, body, len(items))
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && f.cfg.MustDivide(err):
			l.divide(ctx, body, items, refs, err)
			return
		case err != nil && !f.cfg.Passes(err):
			f.fail(err)
			return
		case err == nil:
			var left *remainder
			if left, err = settle(f, body, items, refs, results); left == nil {
				if err != nil {
					f.fail(err)
				}
				f.note(nil)
				return
			}
			if len(left.items) < len(items) {
				tries = 1 // something was kept: the server is alive
			}
			body, items, refs = left.body, left.items, left.refs
		}
		f.note(err)
		if tries > f.cfg.MaxRetries {
			f.fail(fmt.Errorf("gave up after %d retries (max.retries): %w", f.cfg.MaxRetries, err))
			return
		}
		select {
		case <-time.After(Backoff(tries, f.cfg.RetryBackoff, rand.Float64())): //nolint:gosec // a wait, not a secret
		case <-ctx.Done():
			return
		}
	}
}

type remainder struct {
	body  []byte
	items []bulk.Item
	refs  []Ref
}

// settle books the results. It gives what is to be tried again with the reason, or with nothing left the error that is fatal.
func settle(f *Flow, body []byte, items []bulk.Item, refs []Ref, results []bulk.Result) (*remainder, error) {
	if results == nil {
		f.settle(len(items), nil)
		return nil, nil //nolint:nilnil // all done
	}
	var errant []Outcome
	var fatal, retry error
	for i, r := range results {
		switch r.State {
		case bulk.Errant:
			errant = append(errant, Outcome{refs[i], r.Failure})
		case bulk.Fatal:
			fatal = errors.Join(fatal, fmt.Errorf("record %s: %w", refs[i], r.Failure))
		case bulk.Retry:
			retry = r.Failure
		}
		if fatal != nil {
			break
		}
	}
	nextBody, next, kept := bulk.Next(body, items, results)
	f.settle(len(items)-len(next), errant)
	if fatal != nil {
		return nil, fatal
	}
	if len(next) == 0 {
		return nil, nil //nolint:nilnil // all done
	}
	left := &remainder{body: nextBody, items: next, refs: make([]Ref, 0, len(next))}
	for _, i := range kept {
		left.refs = append(left.refs, refs[i])
	}
	return left, retry
}

// divide sends the halves of a request that the server refuses as a whole: too large, or one item of it spoils it. What is refused
// alone is errant.
func (l *lane) divide(ctx context.Context, body []byte, items []bulk.Item, refs []Ref, err error) {
	if len(items) == 1 {
		l.flow.settle(1, []Outcome{{refs[0], err}})
		return
	}
	half := len(items) / 2
	cut := items[half-1].End
	second := make([]bulk.Item, 0, len(items)-half)
	for _, item := range items[half:] {
		item.End -= cut
		second = append(second, item)
	}
	l.send(ctx, &Batch{Body: body[:cut], Items: items[:half], Refs: refs[:half]})
	if ctx.Err() == nil {
		l.send(ctx, &Batch{Body: body[cut:], Items: second, Refs: refs[half:]})
	}
}

// maxBackoff bounds the wait before a retry.
const maxBackoff = 30 * time.Second

// Backoff is the wait before a try: base doubled for each failure, at most half a minute, less up to a half by
// chance (0 to 1), so that tasks do not come back all at once.
func Backoff(failures int, base time.Duration, chance float64) time.Duration {
	wait := min(base<<min(failures-1, 20), maxBackoff)
	return wait - time.Duration(chance*float64(wait)/2)
}
