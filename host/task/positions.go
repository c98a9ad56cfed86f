package task

import (
	"maps"

	"github.com/tailrace/tailrace/host/kafka"
	"github.com/tailrace/tailrace/host/plugin"
)

// position is where a sink stands in one Kafka partition. Offsets are of the next record.
type position struct {
	id uint32 // on the stream
	tp kafka.TopicPartition
	// sent is behind the last record that the task was sent; consumed also behind
	// those that were skipped after it.
	sent, consumed int64
	// committed is what the group has stored, or where it starts.
	committed int64
	// stored: this task has committed an offset of the partition, so that the group has one.
	stored bool
	// end is behind the partition's last record, as of the last fetch.
	end int64
	// pausedByTask: the task asked for no more records.
	pausedByTask bool
}

// positions is the account of a sink's partitions. It is a value for one goroutine.
type positions struct {
	byTP   map[kafka.TopicPartition]*position
	byID   map[uint32]*position
	lastID uint32
}

func newPositions() positions {
	return positions{byTP: map[kafka.TopicPartition]*position{}, byID: map[uint32]*position{}}
}

// add takes over a partition that is read from offset on, under a new id.
func (p *positions) add(tp kafka.TopicPartition, offset int64) *position {
	p.lastID++ // an id is never used again
	pos := &position{id: p.lastID, tp: tp, sent: offset, consumed: offset, committed: offset}
	p.byTP[tp], p.byID[pos.id] = pos, pos
	return pos
}

// renew gives all partitions new ids for a new stream and sets them back to what is committed.
func (p *positions) renew() []*position {
	all := make([]*position, 0, len(p.byTP))
	clear(p.byID)
	for _, pos := range p.byTP {
		p.lastID++
		pos.id = p.lastID
		pos.pausedByTask = false
		pos.seek(pos.committed)
		p.byID[pos.id] = pos
		all = append(all, pos)
	}
	return all
}

func (p *position) seek(offset int64) { p.sent, p.consumed = offset, offset }

func (p *positions) remove(tp kafka.TopicPartition) {
	if pos, ok := p.byTP[tp]; ok {
		delete(p.byID, pos.id)
		delete(p.byTP, tp)
	}
}

// lag is how many offsets lie between what was consumed and the ends.
func (p *positions) lag() int64 {
	var lag int64
	for _, pos := range p.byTP {
		lag += max(pos.end-pos.consumed, 0)
	}
	return lag
}

// dirty reports whether anything was read that is not committed.
func (p *positions) dirty() bool {
	for _, pos := range p.byTP {
		if pos.consumed != pos.committed {
			return true
		}
	}
	return false
}

// committable turns what the task has confirmed into what is committed. I-2: at
// most what it was sent; where it confirms all of that, also the skipped records
// behind it. Partitions that do not change are left out.
func (p *positions) committable(confirmed []plugin.PartitionPosition) map[kafka.TopicPartition]int64 {
	offsets := make(map[kafka.TopicPartition]int64, len(confirmed))
	for _, c := range confirmed {
		pos, ok := p.byID[c.ID]
		if !ok || c.Offset > pos.sent || c.Offset < 0 {
			continue
		}
		offset := c.Offset
		if offset == pos.sent {
			offset = pos.consumed
		}
		if offset != pos.committed {
			offsets[pos.tp] = offset
		}
	}
	for tp, pos := range p.byTP {
		if _, named := offsets[tp]; !named && pos.sent == pos.committed && pos.consumed > pos.committed {
			offsets[tp] = pos.consumed // nothing but skipped records
		}
	}
	return offsets
}

// withBeginnings adds where partitions begin of which the group may have no offset: when they move before their first record
// comes, auto.offset.reset=latest must not skip it. As Kafka Connect, it does so along with a commit that is due anyway.
func (p *positions) withBeginnings(offsets map[kafka.TopicPartition]int64) map[kafka.TopicPartition]int64 {
	all := maps.Clone(offsets)
	for tp, pos := range p.byTP {
		if _, moved := all[tp]; !moved && !pos.stored {
			all[tp] = pos.committed
		}
	}
	return all
}

// segment is a run of records that the task was sent, to find a record by its
// sequence number.
type segment struct {
	firstSeq uint64
	count    int
	tp       kafka.TopicPartition
	first    int64   // offset of the first record
	offsets  []int64 // of all records when they have gaps, else nil
}

// maxSegments bounds what is remembered between flushes; a flush comes early then.
const maxSegments = 8192

// segments is in the order of sequence numbers.
type segments []segment

// find gives the coordinates of a record; ok is false when they are forgotten.
func (s segments) find(seq uint64) (tp kafka.TopicPartition, offset int64, ok bool) {
	low, high := 0, len(s)
	for low < high {
		mid := (low + high) / 2
		if s[mid].firstSeq+uint64(s[mid].count) <= seq {
			low = mid + 1
		} else {
			high = mid
		}
	}
	if low == len(s) || seq < s[low].firstSeq {
		return tp, 0, false
	}
	i := int(seq - s[low].firstSeq)
	if s[low].offsets != nil {
		return s[low].tp, s[low].offsets[i], true
	}
	return s[low].tp, s[low].first + int64(i), true
}

// forget drops what ends at or before through.
func (s segments) forget(through uint64) segments {
	n := 0
	for n < len(s) && s[n].firstSeq+uint64(s[n].count)-1 <= through {
		n++
	}
	return append(s[:0], s[n:]...)
}
