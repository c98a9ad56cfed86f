package transform

import (
	"github.com/tailrace/tailrace/sdk/go/data"
)

// row is a struct or a schemaless map, split into its fields. Its slots belong to
// the cell in which it stands, and steps on that cell change them in place.
type row struct {
	slots []slot
	// keys are those of a schemaless map, nil for a struct. They are usually strings. The slice is never
	// changed, so that records can share it and plans can know it by its address, see shape and perShape.
	keys []any
	// unchecked tells that a required field may be null, which the wire form cannot hold.
	unchecked bool
}

// slot is one field: its wire form against the field's schema, or, if raw is
// nil, the value.
type slot struct {
	raw []byte
	v   any
}

func (s *slot) value(schema *data.Schema) (any, error) {
	if s.raw == nil {
		return s.v, nil
	}
	return decode(schema, s.raw)
}

func (s *slot) isNull(schema *data.Schema) bool {
	if s.raw != nil {
		return rawIsNull(schema, s.raw)
	}
	return isNull(s.v)
}

func (s *slot) append(dst []byte, schema *data.Schema) ([]byte, error) {
	if s.raw != nil {
		return append(dst, s.raw...), nil
	}
	return data.AppendValue(dst, schema, s.v)
}

// find is the place of a key of a map, -1 if it is not there.
func (r *row) find(name string) int {
	for i, k := range r.keys {
		if text, ok := k.(string); ok && text == name {
			return i
		}
	}
	return -1
}

// append writes the wire form.
func (r *row) append(dst []byte, s *data.Schema) ([]byte, error) {
	if s == nil {
		return r.appendMap(dst)
	}
	start := len(dst)
	if s.Optional() {
		dst = data.AppendPresence(dst, s, true)
	}
	fields := s.Fields()
	var err error
	for i := range r.slots {
		if dst, err = r.slots[i].append(dst, fields[i].Schema); err != nil {
			return dst[:start], inField(fields[i].Name, err)
		}
	}
	return dst, nil
}

func (r *row) appendMap(dst []byte) ([]byte, error) {
	start := len(dst)
	branch := int64(data.AnyMap)
	for _, k := range r.keys {
		if _, ok := k.(string); !ok {
			branch = data.AnyPairs
		}
	}
	dst = data.AppendBlockStart(data.AppendLong(dst, branch), len(r.keys))
	for i, k := range r.keys {
		var err error
		if text, ok := k.(string); ok && branch == data.AnyMap {
			dst = data.AppendString(dst, text)
		} else if dst, err = data.AppendValue(dst, nil, k); err != nil {
			return dst[:start], err
		}
		if dst, err = r.slots[i].append(dst, nil); err != nil {
			return dst[:start], err
		}
	}
	return data.AppendBlockEnd(dst), nil
}

// structRow splits the cell's struct, which must not be null.
func (c *Cell) structRow() (row, error) {
	if c.has&hasRow != 0 {
		return c.row, nil
	}
	fields := c.schema.Fields()
	r := row{slots: c.arena.slots(len(fields) + spareSlots)[:len(fields)]}
	if c.has&hasWire == 0 {
		st, _ := c.value.(*data.Struct) // the caller has seen that it is one
		for i, v := range st.Values() {
			r.slots[i] = slot{v: v}
		}
		r.unchecked = true
	} else {
		_, rest, err := data.ReadPresence(c.schema, c.wire)
		if rest == nil {
			rest = []byte{} // a slot without bytes is not one without a wire form
		}
		for i := 0; i < len(fields) && err == nil; i++ {
			before := rest
			if rest, err = data.SkipValue(fields[i].Schema, before); err == nil {
				n := len(before) - len(rest)
				r.slots[i] = slot{raw: before[:n:n]}
			}
		}
		if err == nil && len(rest) > 0 {
			err = errTrailing
		}
		if err != nil {
			return row{}, malformed(c.schema, err)
		}
	}
	c.row = r
	c.has |= hasRow
	return r, nil
}

// mapRow splits the cell's schemaless map, which must not be null.
func (c *Cell) mapRow() (row, error) {
	if c.has&hasRow != 0 {
		return c.row, nil
	}
	var r row
	if c.has&hasValue == 0 {
		var ok bool
		var err error
		if r, ok, err = c.splitMap(); err != nil {
			return row{}, err
		}
		if !ok {
			if _, err = c.Value(); err != nil {
				return row{}, err
			}
		}
	}
	if c.has&hasValue != 0 {
		m, _ := c.value.(*data.Map)
		r = row{slots: c.arena.slots(m.Len() + spareSlots)[:m.Len()], keys: make([]any, m.Len())}
		for i, e := range m.Entries() {
			r.slots[i], r.keys[i] = slot{v: e.Value}, e.Key
		}
	}
	c.row = r
	c.has |= hasRow
	return r, nil
}

// splitMap splits a map with string keys that stands in one block, which is how
// this project writes them; ok is false for others.
func (c *Cell) splitMap() (r row, ok bool, err error) {
	branch, rest, err := data.ReadLong(c.wire)
	if err != nil {
		return r, false, malformed(nil, err)
	}
	if branch != data.AnyMap {
		return r, false, nil
	}
	n, rest, err := data.ReadBlock(rest, 2)
	if err != nil {
		return r, false, malformed(nil, err)
	}
	r.slots = c.arena.slots(n + spareSlots)[:n]
	shape := c.arena.shape(n)
	for i := range n {
		var key []byte
		if key, rest, err = data.ReadBytes(rest); err != nil {
			return r, false, malformed(nil, err)
		}
		shape.key(i, key)
		before := rest
		if rest, err = data.SkipValue(nil, rest); err != nil {
			return r, false, malformed(nil, err)
		}
		size := len(before) - len(rest)
		r.slots[i] = slot{raw: before[:size:size]}
	}
	if n > 0 {
		more, after, err := data.ReadBlock(rest, 2)
		if err != nil {
			return r, false, malformed(nil, err)
		}
		if more != 0 {
			return r, false, nil
		}
		rest = after
	}
	if len(rest) > 0 {
		return r, false, malformed(nil, errTrailing)
	}
	if r.keys, ok = shape.finish(); !ok {
		return row{}, false, nil
	}
	return r, true, nil
}

// arena lends slots, and bytes for new fields, that live as long as a batch.
type arena struct {
	slotChunk []slot
	slotUsed  int
	block     []byte
	shapes    shape

	blocks     [][]byte // for batches to come; the first blocksUsed are in use
	blocksUsed int
}

// chunk is how many slots are allocated at a time.
const chunk = 1024

func (a *arena) slots(n int) []slot {
	if a == nil {
		return make([]slot, n)
	}
	if a.slotUsed+n > len(a.slotChunk) {
		// What was lent before stays with its borrowers.
		a.slotChunk, a.slotUsed = make([]slot, max(chunk, 2*len(a.slotChunk), n)), 0
	}
	s := a.slotChunk[a.slotUsed : a.slotUsed+n : a.slotUsed+n]
	a.slotUsed += n
	return s
}

// bytes gives room for the wire form of a field: append to it and hand the result to keep.
func (a *arena) bytes() []byte { return a.room(minRoom) }

// room is bytes for n bytes, if the caller knows.
func (a *arena) room(n int) []byte {
	if a == nil {
		return make([]byte, 0, n)
	}
	if cap(a.block)-len(a.block) < n {
		a.nextBlock(n)
	}
	return a.block[len(a.block):]
}

// nextBlock takes a block that an earlier batch has used, or a new one. The old one stays with its borrowers.
func (a *arena) nextBlock(n int) {
	if a.blocksUsed < len(a.blocks) && cap(a.blocks[a.blocksUsed]) >= n {
		a.block = a.blocks[a.blocksUsed][:0]
		a.blocksUsed++
		return
	}
	a.block = make([]byte, 0, max(byteChunk, n))
	if a.blocksUsed < maxBlocks && cap(a.block) == byteChunk {
		a.blocks = append(a.blocks[:a.blocksUsed], a.block)
		a.blocksUsed++
	}
}

// keep makes a slot of the bytes appended to what bytes gave.
func (a *arena) keep(raw []byte) slot {
	if a != nil && cap(raw) == cap(a.block)-len(a.block) { // they are in the block
		a.block = a.block[:len(a.block)+len(raw)]
	}
	return slot{raw: raw[:len(raw):len(raw)]}
}

const (
	byteChunk = 64 << 10
	minRoom   = 64
	maxBlocks = 16 // that an idle batch keeps
)

func (a *arena) reset() {
	clear(a.slotChunk[:a.slotUsed]) // the blocks they point at are free
	a.slotUsed = 0
	a.block, a.blocksUsed = nil, 0
	if len(a.slotChunk) > maxChunk {
		a.slotChunk = nil
	}
}

// maxChunk bounds what an idle batch keeps.
const maxChunk = 1 << 16

func (a *arena) shape(n int) *shape {
	s := &shape{}
	if a != nil {
		s = &a.shapes
	}
	s.n, s.same, s.fresh = n, n == len(s.last), nil
	return s
}

// shape remembers the keys of the map seen last. Records of a topic mostly have
// the same keys in the same order; then nothing is allocated for them, and that
// they are all different is known.
type shape struct {
	last  []any
	n     int
	same  bool
	fresh []any
}

// key notes the next key.
func (s *shape) key(i int, raw []byte) {
	if s.same {
		if text, ok := s.last[i].(string); ok && text == string(raw) {
			return
		}
		s.same = false
	}
	if s.fresh == nil {
		s.fresh = make([]any, s.n)
		copy(s.fresh, s.last[:min(i, len(s.last))])
	}
	s.fresh[i] = string(raw)
}

// finish gives the keys; ok is false when one occurs twice.
func (s *shape) finish() (keys []any, ok bool) {
	if s.fresh == nil {
		return s.last[:s.n:s.n], true
	}
	seen := make(map[any]struct{}, s.n)
	for _, k := range s.fresh {
		if _, twice := seen[k]; twice {
			return nil, false
		}
		seen[k] = struct{}{}
	}
	s.last = s.fresh
	return s.fresh, true
}
