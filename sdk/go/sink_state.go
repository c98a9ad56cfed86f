package connect

import (
	"fmt"
	"slices"
	"sync"

	pluginv1 "github.com/tailrace/tailrace/gen/tailrace/plugin/v1"
)

// sinkState is what a sink task has and how far it is. One lock guards it, because
// authors may ask and seek from any goroutine; nothing waits while holding it.
type sinkState struct {
	mu    sync.Mutex
	byID  map[uint32]*sinkPartition
	byTP  map[TopicPartition]*sinkPartition
	seeks uint64
}

// sinkPartition is one assigned Kafka partition.
type sinkPartition struct {
	id       uint32
	tp       TopicPartition
	position int64 // offset of the next record to put
	moved    bool  // position differs from what Assign or the last flush said
	dirty    bool  // records were put since the last good flush
	// seeking is the request whose Sought is awaited, 0 for none: records are dropped until
	// then, and position is not told in flushes.
	seeking uint64
	// rewinding means the same for the Sought without a request after a failed flush.
	rewinding bool
}

func newSinkState() *sinkState {
	return &sinkState{byID: make(map[uint32]*sinkPartition), byTP: make(map[TopicPartition]*sinkPartition)}
}

func (s *sinkState) assign(in []*pluginv1.TopicPartition) []TopicPartition {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]TopicPartition, 0, len(in))
	for _, p := range in {
		tp := TopicPartition{Topic: p.GetTopic(), Partition: p.GetPartition()}
		part := &sinkPartition{id: p.GetId(), tp: tp, position: p.GetPosition()}
		s.byID[part.id], s.byTP[tp] = part, part
		out = append(out, tp)
	}
	return out
}

// release forgets partitions; it gives those that were assigned.
func (s *sinkState) release(ids []uint32) []TopicPartition {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []TopicPartition
	for _, id := range ids {
		if p := s.byID[id]; p != nil {
			delete(s.byID, id)
			if s.byTP[p.tp] == p {
				delete(s.byTP, p.tp)
			}
			out = append(out, p.tp)
		}
	}
	return out
}

func (s *sinkState) ids() []uint32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]uint32, 0, len(s.byID))
	for id := range s.byID {
		out = append(out, id)
	}
	slices.Sort(out)
	return out
}

// wants tells whether records of a partition are to be put, and its name.
func (s *sinkState) wants(id uint32) (TopicPartition, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.byID[id]
	if p == nil || p.seeking != 0 || p.rewinding {
		return TopicPartition{}, false
	}
	return p.tp, true
}

// put notes that records up to last were put. A seek during the put wins.
func (s *sinkState) put(id uint32, last int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.byID[id]
	if p == nil || p.seeking != 0 || p.rewinding {
		return
	}
	p.position, p.moved, p.dirty = last+1, true, true
}

// current is what may be committed of some partitions (I-2: nothing that Put
// has not returned for). moved leaves out those that have not moved.
func (s *sinkState) current(ids []uint32, moved bool) Offsets {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make(Offsets)
	for _, id := range ids {
		if p := s.byID[id]; p != nil && p.seeking == 0 && !p.rewinding && (p.moved || !moved) {
			out[p.tp] = p.position
		}
	}
	return out
}

// flushed notes the outcome of a flush of partitions and gives the answer. What an author returned is
// cut to what was put, and unknown partitions are left out (I-2).
func (s *sinkState) flushed(ids []uint32, safe Offsets) []*pluginv1.PartitionPosition {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []*pluginv1.PartitionPosition
	for _, id := range ids {
		p := s.byID[id]
		if p == nil || p.seeking != 0 || p.rewinding {
			continue
		}
		p.dirty = false
		to, ok := safe[p.tp]
		if !ok || to < 0 {
			continue
		}
		p.moved = to < p.position // there is more to tell later
		out = append(out, &pluginv1.PartitionPosition{Partition: id, Offset: min(to, p.position)})
	}
	return out
}

// flushFailed makes partitions wait for the host to go back: records that are on the way already
// come again, and putting them now would break their order (I-6).
func (s *sinkState) flushFailed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.byID {
		if p.dirty {
			p.rewinding = true
		}
	}
}

// giveUp stops telling any position: a batch was dropped, and what comes behind it must
// not be committed (I-2).
func (s *sinkState) giveUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.byID {
		p.rewinding = true
	}
}

// hasAll tells whether all of some partitions are assigned.
func (s *sinkState) hasAll(ids []uint32) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ids {
		if s.byID[id] == nil {
			return false
		}
	}
	return true
}

// sought ends a seek, or with request 0 a rewind by the host, which is one event for all partitions.
func (s *sinkState) sought(f *pluginv1.Sought) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.GetRequestId() == 0 {
		for _, p := range s.byID {
			p.rewinding = false
		}
	}
	for _, o := range f.GetOffsets() {
		p := s.byID[o.GetPartition()]
		if p == nil {
			continue
		}
		if id := f.GetRequestId(); id != 0 {
			if p.seeking != id {
				continue // a newer seek is under way
			}
			p.seeking, p.moved = 0, true
		} else {
			p.dirty, p.moved = false, false
		}
		p.position = o.GetOffset()
	}
}

func (s *sinkState) seek(offsets Offsets) (*pluginv1.Seek, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for tp, to := range offsets {
		if s.byTP[tp] == nil {
			return nil, fmt.Errorf("seek %s-%d: the partition is not assigned to this task", tp.Topic, tp.Partition)
		}
		if to < 0 {
			return nil, fmt.Errorf("seek %s-%d: the offset %d is negative", tp.Topic, tp.Partition, to)
		}
	}
	s.seeks++
	out := &pluginv1.Seek{RequestId: s.seeks}
	for tp, to := range offsets {
		p := s.byTP[tp]
		p.seeking, p.position = s.seeks, to
		out.Offsets = append(out.Offsets, &pluginv1.PartitionPosition{Partition: p.id, Offset: to})
	}
	slices.SortFunc(out.Offsets, func(a, b *pluginv1.PartitionPosition) int { return int(a.Partition) - int(b.Partition) })
	return out, nil
}

func (s *sinkState) idsOf(tps []TopicPartition) ([]uint32, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]uint32, 0, len(tps))
	for _, tp := range tps {
		p := s.byTP[tp]
		if p == nil {
			return nil, fmt.Errorf("%s-%d is not assigned to this task", tp.Topic, tp.Partition)
		}
		out = append(out, p.id)
	}
	return out, nil
}

func (s *sinkState) assignment() []TopicPartition {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]TopicPartition, 0, len(s.byTP))
	for tp := range s.byTP {
		out = append(out, tp)
	}
	slices.SortFunc(out, compareTP)
	return out
}

func compareTP(a, b TopicPartition) int {
	if a.Topic != b.Topic {
		if a.Topic < b.Topic {
			return -1
		}
		return 1
	}
	return int(a.Partition) - int(b.Partition)
}

func (s *sinkState) position(tp TopicPartition) (int64, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.byTP[tp]
	if p == nil {
		return 0, false
	}
	return p.position, true
}
