package transform

import (
	"github.com/tailrace/tailrace/sdk/go/data"
)

// rowPlan says how the structs of one schema become those of another: which
// field comes from where, which ones change, and which ones need a look. The
// rest, usually nearly everything, is moved or stays without being touched.
type rowPlan struct {
	schema  *data.Schema
	from    []int  // by new field: its place in the old struct
	changes []bool // by new field; nil if none
	look    []int  // new fields that change, or whose null may become a default
	all     []int  // all new fields
	still   bool   // every field keeps its place
	falling bool   // fields only move down, so that it can be done in place

	temp []slot // new fields of look, until nothing can fail any more
}

// changer makes the new slot of a field that changes.
type changer interface {
	change(a *arena, at int, s *slot, f *data.Field) (slot, error)
}

// newRowPlan makes a plan. from is nil if every field keeps its place.
func newRowPlan(old, schema *data.Schema, from []int, replaceNull bool, changes []bool) *rowPlan {
	p := &rowPlan{schema: schema, from: from, changes: changes, still: from == nil, falling: true}
	if p.still {
		p.from = make([]int, len(old.Fields()))
		for i := range p.from {
			p.from[i] = i
		}
	}
	for n, i := range p.from {
		p.all = append(p.all, n)
		s := old.Fields()[i].Schema
		_, has := s.Default()
		if changes != nil && changes[n] || has && replaceNull && s.Optional() {
			p.look = append(p.look, n)
		}
		p.falling = p.falling && n <= i && (n == 0 || p.from[n-1] < i)
	}
	return p
}

// prepare works out the fields that need it, in order, without changing anything.
func (p *rowPlan) prepare(c *Cell, in row, replaceNull bool, ch changer) error {
	look := p.look
	if in.unchecked { // there may be a null where none is allowed
		look = p.all
	}
	p.temp = p.temp[:0]
	fields := c.schema.Fields()
	for _, n := range look {
		i := p.from[n]
		var s slot
		var err error
		if p.changes != nil && p.changes[n] {
			s, err = ch.change(c.arena, i, &in.slots[i], &fields[i])
		} else {
			s, err = in.slots[i].pass(&fields[i], replaceNull)
		}
		if err != nil {
			return err
		}
		p.temp = append(p.temp, s)
	}
	return nil
}

// commit gives the row that prepare has worked out. With own, the row in belongs to the cell alone and may be
// changed in place; it is not to be used any more then.
func (p *rowPlan) commit(c *Cell, in row, own bool) row {
	out := row{slots: in.slots}
	if !own || !p.falling {
		out.slots = c.arena.slots(len(p.from))
	}
	if !own || !p.still {
		for n, i := range p.from {
			out.slots[n] = in.slots[i]
		}
		out.slots = out.slots[:len(p.from)]
	}
	look := p.look
	if in.unchecked {
		look = p.all
	}
	for k, n := range look {
		out.slots[n] = p.temp[k]
	}
	return out
}

// apply is prepare and commit for a cell that the plan is to change.
func (p *rowPlan) apply(c *Cell, in row, replaceNull bool, ch changer) error {
	if err := p.prepare(c, in, replaceNull, ch); err != nil {
		return err
	}
	c.setRow(p.schema, p.commit(c, in, true))
	return nil
}

// setEntries changes a map row: temp has the new slots of the places.
func (c *Cell) setEntries(in row, p places, temp []slot) {
	slots := in.slots
	if cap(slots) >= len(p.keys) {
		slots = slots[:len(p.keys)]
	} else {
		slots = c.arena.slots(len(p.keys) + spareSlots)[:len(p.keys)]
		copy(slots, in.slots)
	}
	for n, s := range temp {
		slots[p.at[n]] = s
	}
	c.setRow(nil, row{slots: slots, keys: p.keys})
}

// spareSlots is room for the fields that later steps add to a row.
const spareSlots = 4
