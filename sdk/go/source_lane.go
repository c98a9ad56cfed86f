package connect

import (
	"context"
	"sync/atomic"

	pluginv1 "github.com/tailrace/tailrace/gen/tailrace/plugin/v1"
	"github.com/tailrace/tailrace/sdk/go/wire"
)

// builders is how many batches a source task has: one being filled while the other waits for
// credit or leaves (I-4).
const builders = 2

// keptBlockBytes is the largest block that is kept for the next batch.
const keptBlockBytes = 2 * wire.TargetBlockBytes

// sourceLane carries batches from the goroutine that polls (deliver, newBuilder, finish) to the
// writer of the stream (next), as far as there is credit (grant, by the reader).
type sourceLane struct {
	ctx        context.Context
	epoch      uint64
	partitions *partitionTable

	ready   chan *unit // closed by finish
	free    chan *wire.SourceBatchBuilder
	wake    chan struct{}
	granted atomic.Uint64
	cut     atomic.Bool // give up what is not sent
	drained atomic.Bool // say so at the end
	over    chan struct{}

	// Of the writer.
	ledger sendLedger
	unit   *unit
	queue  []*pluginv1.SourceBatch
	spent  *wire.SourceBatchBuilder
	ended  bool
}

func newSourceLane(ctx context.Context, epoch, creditBytes uint64, partitions *partitionTable) *sourceLane {
	l := &sourceLane{
		ctx: ctx, epoch: epoch, partitions: partitions,
		ready: make(chan *unit, 1), free: make(chan *wire.SourceBatchBuilder, builders),
		wake: make(chan struct{}, 1), over: make(chan struct{}),
	}
	l.ledger.grant(creditBytes)
	for range builders {
		l.free <- &wire.SourceBatchBuilder{}
	}
	return l
}

func (l *sourceLane) deliver(u *unit) error {
	select {
	case l.ready <- u:
		l.poke()
		return nil
	case <-l.over:
	case <-l.ctx.Done():
	}
	return errStreamOver
}

func (l *sourceLane) newBuilder() (*wire.SourceBatchBuilder, error) {
	select {
	case b := <-l.free:
		return b, nil
	case <-l.over:
	case <-l.ctx.Done():
	}
	return nil, errStreamOver
}

// finish says that nothing will be delivered any more. Only the goroutine that delivers calls it, once.
func (l *sourceLane) finish() {
	close(l.ready)
	l.poke()
}

// abandon makes the writer drop what it has not sent.
func (l *sourceLane) abandon() {
	l.cut.Store(true)
	l.poke()
}

func (l *sourceLane) grant(n uint64) {
	l.granted.Add(n)
	l.poke()
}

func (l *sourceLane) poke() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

func (l *sourceLane) wakeup() <-chan struct{} { return l.wake }

// next is the next batch with the definitions it needs, when there is credit.
func (l *sourceLane) next() ([]*pluginv1.RunSourceResponse, bool, error) {
	l.recycle()
	l.ledger.grant(l.granted.Swap(0))
	if l.ended {
		return nil, false, nil
	}
	if l.cut.Load() {
		return l.end(), true, nil
	}
	if l.unit == nil {
		select {
		case u, ok := <-l.ready:
			if !ok {
				return l.end(), true, nil
			}
			l.unit = u
			if u.builder != nil {
				queue, err := batchMessages(u.builder)
				if err != nil {
					return nil, false, err
				}
				for _, m := range queue {
					m.Poll = u.poll
				}
				l.queue = queue
			}
		default:
			return nil, false, nil
		}
	}
	if len(l.queue) > 0 && !l.ledger.open() {
		return nil, false, nil
	}
	return l.frames(), true, nil
}

// frames takes one batch of the unit, and with the last one the end of its transaction.
func (l *sourceLane) frames() []*pluginv1.RunSourceResponse {
	var out []*pluginv1.RunSourceResponse
	for _, def := range l.unit.schemas {
		out = append(out, &pluginv1.RunSourceResponse{Epoch: l.epoch, Frame: &pluginv1.RunSourceResponse_Schema{Schema: def}})
	}
	l.unit.schemas = nil
	if len(l.queue) > 0 {
		for _, def := range l.partitions.take() {
			out = append(out, &pluginv1.RunSourceResponse{Epoch: l.epoch, Frame: &pluginv1.RunSourceResponse_Partition{Partition: def}})
		}
		m := l.queue[0]
		l.queue = l.queue[1:]
		m.FirstSeq = l.ledger.take(wire.BatchCost(len(m.Block), int(m.Count)), int(m.Count))
		out = append(out, &pluginv1.RunSourceResponse{Epoch: l.epoch, Frame: &pluginv1.RunSourceResponse_Batch{Batch: m}})
	}
	if len(l.queue) == 0 {
		for _, tx := range l.unit.endTx {
			out = append(out, &pluginv1.RunSourceResponse{Epoch: l.epoch, Frame: &pluginv1.RunSourceResponse_Transaction{Transaction: tx}})
		}
		l.spent, l.unit = l.unit.builder, nil
	}
	return out
}

// recycle gives back the builder whose batch the writer has sent.
func (l *sourceLane) recycle() {
	b := l.spent
	if b == nil {
		return
	}
	l.spent = nil
	if cap(b.Block) > keptBlockBytes {
		b = &wire.SourceBatchBuilder{}
	}
	b.Reset()
	l.free <- b // has room for all builders
}

func (l *sourceLane) end() []*pluginv1.RunSourceResponse {
	l.ended = true
	close(l.over)
	if !l.drained.Load() {
		return nil
	}
	return []*pluginv1.RunSourceResponse{{Epoch: l.epoch, Frame: &pluginv1.RunSourceResponse_Drained{
		Drained: &pluginv1.Drained{LastSeq: l.ledger.lastSeq},
	}}}
}
