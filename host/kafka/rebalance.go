package kafka

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// RebalanceListener is told when partitions come and go. Its functions run on the
// goroutine that calls Poll or Close, one at a time, while this member still owns
// what it is told about (except Lost). ctx ends when the group would give up on
// this member (max.poll.interval.ms after the rebalance began, less a second).
type RebalanceListener struct {
	// Assigned: these partitions are ours; records follow with later polls. Seek
	// decides where they start, otherwise the stored offset does.
	Assigned func(ctx context.Context, partitions []TopicPartition)
	// Revoked: these partitions are about to leave. Flush and commit here; after
	// the return they belong to somebody else and no poll returns records of them.
	Revoked func(ctx context.Context, partitions []TopicPartition)
	// Lost: these partitions have left already (the member was put out of the
	// group). Commits would fail; drop what was read of them.
	Lost func(ctx context.Context, partitions []TopicPartition)
}

type rebalanceKind int

const (
	rebalanceAssigned rebalanceKind = iota
	rebalanceRevoked
	rebalanceLost
)

// rebalanceEvent is one step of a rebalance on its way to the owner goroutine.
type rebalanceEvent struct {
	kind       rebalanceKind
	partitions []TopicPartition
	ctx        context.Context
	done       chan struct{} // closed by the owner
}

// rebalanceGate carries rebalance steps from the library's group goroutine, which
// waits, to the owner goroutine, which runs the listener inside Poll. This is
// what lets a sink flush and commit before its partitions go away (I-2), without
// a lock around the sink.
type rebalanceGate struct {
	listener RebalanceListener
	timeout  time.Duration

	// signal wakes the owner outside of a fetch; capacity 1.
	signal chan struct{}

	mu      sync.Mutex
	queue   []*rebalanceEvent
	stop    context.CancelFunc // ends the owner's current fetch; nil outside
	closed  chan struct{}
	owned   map[TopicPartition]struct{}
	seeks   map[TopicPartition]int64    // asked for during Assigned
	pending map[TopicPartition]struct{} // assigned, the library has not set an offset yet
}

func newRebalanceGate(l RebalanceListener, rebalanceTimeout time.Duration) *rebalanceGate {
	timeout := rebalanceTimeout - closeGrace
	if timeout < rebalanceTimeout/2 {
		timeout = rebalanceTimeout / 2
	}
	return &rebalanceGate{
		listener: l, timeout: timeout,
		signal: make(chan struct{}, 1), closed: make(chan struct{}),
		owned: map[TopicPartition]struct{}{}, seeks: map[TopicPartition]int64{}, pending: map[TopicPartition]struct{}{},
	}
}

// offer is called by the library's group goroutine and returns when the owner has
// run the listener, when time is up, or when the consumer closes.
func (g *rebalanceGate) offer(kind rebalanceKind, m map[string][]int32) {
	partitions := flatten(m)
	if len(partitions) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), g.timeout)
	defer cancel()
	ev := &rebalanceEvent{kind: kind, partitions: partitions, ctx: ctx, done: make(chan struct{})}
	g.mu.Lock()
	if kind == rebalanceLost {
		g.disown(partitions) // already gone: refuse commits from now on
		g.retract(g.queue, ev)
	}
	g.queue = append(g.queue, ev)
	g.wakeLocked()
	g.mu.Unlock()
	select {
	case <-ev.done:
	case <-g.closed:
	case <-ctx.Done():
		g.expire(ev)
	}
}

// expire takes the partitions away from an owner that did not poll in time. The
// owner hears of it as Lost with its next Poll.
func (g *rebalanceGate) expire(ev *rebalanceEvent) {
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-ev.done:
		return
	default:
	}
	if ev.kind == rebalanceAssigned {
		return // stays in the queue: late, but still ours
	}
	g.disown(ev.partitions) // I-2: a later commit of these would be somebody else's
	for i, queued := range g.queue {
		if queued == ev {
			g.queue[i] = &rebalanceEvent{kind: rebalanceLost, partitions: ev.partitions, ctx: context.Background(), done: make(chan struct{})}
			g.retract(g.queue[:i], g.queue[i])
		}
	}
}

// retract removes partitions that were lost before the owner heard that it had
// them: it hears of neither.
func (g *rebalanceGate) retract(earlier []*rebalanceEvent, lost *rebalanceEvent) {
	for _, ev := range earlier {
		if ev.kind != rebalanceAssigned {
			continue
		}
		lost.partitions = slices.DeleteFunc(slices.Clone(lost.partitions), func(tp TopicPartition) bool {
			i := slices.Index(ev.partitions, tp)
			if i < 0 {
				return false
			}
			ev.partitions = slices.Delete(slices.Clone(ev.partitions), i, i+1)
			return true
		})
	}
}

func (g *rebalanceGate) wakeLocked() {
	if g.stop != nil {
		g.stop()
	}
	select {
	case g.signal <- struct{}{}:
	default:
	}
}

// interruptible derives the context of one fetch: it ends with ctx and as soon as
// a rebalance step arrives.
func (g *rebalanceGate) interruptible(ctx context.Context) (context.Context, func()) {
	fetchCtx, cancel := context.WithCancel(ctx)
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.queue) > 0 {
		cancel()
	}
	g.stop = cancel
	return fetchCtx, func() {
		g.mu.Lock()
		g.stop = nil
		g.mu.Unlock()
		cancel()
	}
}

// wait returns true when a rebalance step may be pending, false when ctx ended.
func (g *rebalanceGate) wait(ctx context.Context) bool {
	select {
	case <-g.signal:
		return true
	case <-ctx.Done():
		return false
	}
}

// take removes the next step, or returns nil.
func (g *rebalanceGate) take() *rebalanceEvent {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.queue) == 0 {
		return nil
	}
	ev := g.queue[0]
	g.queue = g.queue[1:]
	if ev.kind == rebalanceAssigned {
		for _, tp := range ev.partitions {
			g.owned[tp] = struct{}{}
			if ev.ctx.Err() == nil {
				g.pending[tp] = struct{}{}
			}
		}
	}
	return ev
}

// run calls the listener on the owner goroutine and lets the group go on.
func (g *rebalanceGate) run(ev *rebalanceEvent) {
	var f func(context.Context, []TopicPartition)
	switch ev.kind {
	case rebalanceAssigned:
		f = g.listener.Assigned
	case rebalanceRevoked:
		f = g.listener.Revoked
	case rebalanceLost:
		f = g.listener.Lost
	}
	if f != nil && len(ev.partitions) > 0 {
		f(ev.ctx, ev.partitions)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if ev.kind != rebalanceAssigned {
		g.disown(ev.partitions)
	}
	close(ev.done)
}

func (g *rebalanceGate) disown(partitions []TopicPartition) {
	for _, tp := range partitions {
		delete(g.owned, tp)
		delete(g.pending, tp)
		delete(g.seeks, tp)
	}
}

func (g *rebalanceGate) owns(tp TopicPartition) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	_, ok := g.owned[tp]
	return ok
}

func (g *rebalanceGate) assignment() []TopicPartition {
	g.mu.Lock()
	defer g.mu.Unlock()
	tps := make([]TopicPartition, 0, len(g.owned))
	for tp := range g.owned {
		tps = append(tps, tp)
	}
	return tps
}

// seekLater keeps a seek for a partition whose first offset the library has not
// set yet; it reports whether it did.
func (g *rebalanceGate) seekLater(tp TopicPartition, offset int64) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, ok := g.pending[tp]; !ok {
		return false
	}
	g.seeks[tp] = offset
	return true
}

// adjust is called by the library between Assigned and the first fetch, with the
// stored offsets.
func (g *rebalanceGate) adjust(offsets map[string]map[int32]kgo.Offset) map[string]map[int32]kgo.Offset {
	g.mu.Lock()
	defer g.mu.Unlock()
	for topic, partitions := range offsets {
		for partition := range partitions {
			tp := TopicPartition{topic, partition}
			if offset, ok := g.seeks[tp]; ok {
				partitions[partition] = kgo.NewOffset().At(offset)
			}
			delete(g.seeks, tp)
			delete(g.pending, tp)
		}
	}
	return offsets
}

func (g *rebalanceGate) close() { close(g.closed) }

func flatten(m map[string][]int32) []TopicPartition {
	var tps []TopicPartition
	for topic, partitions := range m {
		for _, p := range partitions {
			tps = append(tps, TopicPartition{topic, p})
		}
	}
	return tps
}
