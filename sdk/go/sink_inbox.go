package connect

import (
	"fmt"
	"slices"
	"sync"

	pluginv1 "github.com/tailrace/tailrace/gen/tailrace/plugin/v1"
	"github.com/tailrace/tailrace/sdk/go/wire"
)

// inbox keeps the frames of a sink stream in order between its reader and the goroutine of the
// task. The host's credit bounds it in bytes, maxInboxFrames in frames (I-4).
type inbox struct {
	creditBytes int64

	mu       sync.Mutex
	frames   []*pluginv1.RunSinkRequest
	held     int64 // cost of the records that were received and not accepted
	batches  int   // frames with records among them
	wake     chan struct{}
	urgent   chan struct{} // a revocation, a drain or the end is there
	finished bool
}

const maxInboxFrames = 100_000

func newInbox(creditBytes uint64) *inbox {
	return &inbox{
		creditBytes: int64(min(creditBytes, 1<<50)),
		wake:        make(chan struct{}, 1), urgent: make(chan struct{}, 1),
	}
}

// add takes a frame; an error means that the host broke the rules.
func (b *inbox) add(m *pluginv1.RunSinkRequest) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if r := m.GetRecords(); r != nil {
		cost := recordsCost(r)
		if b.batches > 0 && b.held+cost > b.creditBytes+wire.MaxFrameBytes {
			return fmt.Errorf("the worker sent %d bytes of records beyond the credit of %d", b.held+cost-b.creditBytes, b.creditBytes)
		}
		b.held += cost
		b.batches++
	}
	if len(b.frames) >= maxInboxFrames {
		return fmt.Errorf("the worker sent %d frames without waiting", maxInboxFrames)
	}
	b.frames = append(b.frames, m)
	poke(b.wake)
	if m.GetRevoke() != nil || m.GetDrain() != nil {
		poke(b.urgent)
	}
	return nil
}

func recordsCost(r *pluginv1.Records) int64 {
	var cost int64
	for _, batch := range r.GetBatches() {
		cost += wire.BatchCost(len(batch.GetBlock()), int(batch.GetCount()))
	}
	return cost
}

// end says that no frame comes any more.
func (b *inbox) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.finished = true
	poke(b.wake)
	poke(b.urgent)
}

// next takes the first frame; ok is false when there is none, over when none will come.
func (b *inbox) next() (m *pluginv1.RunSinkRequest, ok, over bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.frames) == 0 {
		return nil, false, b.finished
	}
	m = b.frames[0]
	b.frames[0] = nil
	b.frames = b.frames[1:]
	return m, true, false
}

// accepted gives back what a frame of records held.
func (b *inbox) accepted(r *pluginv1.Records) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.held -= recordsCost(r)
	b.batches--
}

// takeRevoke takes the first revocation of partitions that the task has out of its turn, for a put
// that does not succeed. leave reports that the task is to end.
func (b *inbox) takeRevoke(has func([]uint32) bool) (revoke *pluginv1.RunSinkRequest, leave bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, m := range b.frames {
		if m.GetDrain() != nil {
			return nil, true
		}
		if rv := m.GetRevoke(); rv != nil && has(rv.GetPartitions()) {
			b.frames = slices.Delete(b.frames, i, i+1)
			return m, false
		}
	}
	return nil, b.finished
}

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
