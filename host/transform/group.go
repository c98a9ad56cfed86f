package transform

import (
	"github.com/tailrace/tailrace/sdk/go/data"
)

// group is a run of steps that a program can stand for: they follow each other, work on the same side, and have no predicate.
type group struct {
	steps    []*Step
	drafters []drafter
	key      bool
	kind     Kind // of the records that the programs are for

	lastSchema *data.Schema
	last       *program // of lastSchema; nil if there is none
	programs   map[*data.Schema]*program

	lastMap *program
	maps    map[string]*program // by the keys as they stand in the wire form
	keys    []byte              // scratch
}

// drafterOf gives the step if it may be part of a group.
func drafterOf(s *Step) (drafter, bool) {
	p, ok := s.Transform.(perRecord)
	if !ok || s.Predicate != nil {
		return nil, false
	}
	d, ok := p.step.(drafter)
	return d, ok
}

// grouped divides steps into units; a unit is a single step, or a group.
func grouped(steps []Step) []unit {
	var units []unit
	for i := range steps {
		d, ok := drafterOf(&steps[i])
		if !ok {
			units = append(units, &steps[i])
			continue
		}
		g := (*group)(nil)
		if len(units) > 0 {
			g, _ = units[len(units)-1].(*group)
		}
		if g == nil || g.key != d.ofKey() {
			g = &group{key: d.ofKey()}
			units = append(units, g)
		}
		g.steps, g.drafters = append(g.steps, &steps[i]), append(g.drafters, d)
	}
	return units
}

// unit is what a chain applies at a time.
type unit interface{ apply(b *Batch) }

func (g *group) apply(b *Batch) {
	if g.kind != b.kind { // what drafts say depends on it
		*g = group{steps: g.steps, drafters: g.drafters, key: g.key, kind: b.kind}
	}
	for i := range b.records {
		r := &b.records[i]
		if !r.Selected() {
			continue
		}
		c := &r.Value
		if g.key {
			c = &r.Key
		}
		if c.has&hasWire == 0 || !g.run(c, r) {
			g.oneByOne(r)
		}
	}
}

// oneByOne takes the record through the steps.
func (g *group) oneByOne(r *Record) {
	for i, d := range g.drafters {
		if err := d.apply(r); err != nil {
			r.Fail(err)
			r.failure.Alias, r.failure.Class = g.steps[i].Alias, g.steps[i].Class
			return
		}
	}
}

func (g *group) run(c *Cell, r *Record) bool {
	if c.schema == nil {
		return g.runMap(c, r)
	}
	p := g.last
	if c.schema != g.lastSchema {
		var known bool
		if p, known = g.programs[c.schema]; !known {
			if c.schema.Type() == data.StructType {
				p = newProgram(g.kind, c.schema, nil, g.drafters)
			}
			if g.programs == nil || len(g.programs) >= maxSchemas {
				g.programs = map[*data.Schema]*program{}
			}
			g.programs[c.schema] = p
		}
		g.last, g.lastSchema = p, c.schema
	}
	return p != nil && p.run(c, r)
}

func (g *group) runMap(c *Cell, r *Record) bool {
	if len(c.wire) == 0 || c.wire[0] != data.AnyMap<<1 {
		return false
	}
	if g.lastMap != nil && g.lastMap.run(c, r) {
		return true
	}
	keys, ok := g.keysOf(c.wire)
	if !ok {
		return false
	}
	p, known := g.maps[string(g.keys)]
	if !known {
		p = newProgram(g.kind, nil, keys, g.drafters)
		if g.maps == nil || len(g.maps) >= maxSchemas {
			g.maps = map[string]*program{}
		}
		g.maps[string(g.keys)] = p
	}
	if p == nil || p == g.lastMap {
		return false
	}
	g.lastMap = p
	return p.run(c, r)
}

// maxProgramKeys bounds the maps that have programs.
const maxProgramKeys = 256

// keysOf collects the keys of a map: all different, in one block.
func (g *group) keysOf(b []byte) (keys []any, ok bool) {
	g.keys = g.keys[:0]
	n, rest, err := data.ReadBlock(b[1:], 2)
	if err != nil || n == 0 || n > maxProgramKeys {
		return nil, false
	}
	seen := make(map[string]struct{}, n)
	for range n {
		var key []byte
		if key, rest, err = data.ReadBytes(rest); err == nil {
			rest, err = data.SkipValue(nil, rest)
		}
		if _, twice := seen[string(key)]; err != nil || twice {
			return nil, false
		}
		seen[string(key)] = struct{}{}
		keys = append(keys, string(key))
		g.keys = data.AppendBytes(g.keys, key)
	}
	return keys, true
}
