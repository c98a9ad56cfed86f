package transform

import (
	"bytes"

	"github.com/tailrace/tailrace/sdk/go/data"
)

// program takes the values of one schema, or the maps of the same keys, through some steps in one walk over their wire form:
// what no step touches is copied in as few pieces as there are, nothing is split into slots.
//
// It gives up on whatever its draft does not provide for, before the record is changed; the steps do it then.
type program struct {
	schema *data.Schema // of the outcome

	head  []byte // of the input: its presence, or the union index and the number of entries
	parts []part // of a struct
	keys  []string
	ops   []op
	room  int // the outcome takes at most the input's size and this, nearly always

	// marks are the places in the input where its parts begin, and its end. An entry of a map has two: key and value.
	marks  []int
	number number
}

// part is a field of the input.
type part struct {
	schema          *data.Schema
	skip            skip
	optional        bool
	present, absent byte
}

// op appends a piece of the outcome. lo and hi are marks.
type op struct {
	term
	lo, hi   int
	inType   data.Type // of the input of a cast
	optional bool      // the input of a cast or mask may be null
	null     byte      // its form
}

type skip uint8

const (
	skipOther skip = iota
	skipLong
	skipInt // of at most 32 bits
	skipFour
	skipEight
	skipBoolean
	skipBytes
)

func skipOf(s *data.Schema) skip {
	_, decimal, _ := s.IsDecimal()
	switch s.Type() {
	case data.Int8, data.Int16, data.Int32:
		if !s.IsTime() {
			return skipInt
		}
	case data.Int64:
		return skipLong
	case data.Float32:
		return skipFour
	case data.Float64:
		return skipEight
	case data.Boolean:
		return skipBoolean
	case data.String:
		return skipBytes
	case data.Bytes:
		if !decimal {
			return skipBytes
		}
	}
	return skipOther
}

// newProgram makes the program for values of a schema, or for maps of keys; nil if the steps cannot say what they make of them.
func newProgram(kind Kind, s *data.Schema, keys []any, steps []drafter) *program {
	d := newDraft(kind, s, keys)
	for _, t := range steps {
		if !t.draft(d) {
			return nil
		}
	}
	p := &program{schema: d.schema}
	if s == nil {
		p.head = data.AppendBlockStart(data.AppendLong(nil, data.AnyMap), len(keys))
		for _, k := range keys {
			text, _ := k.(string)
			p.keys = append(p.keys, string(data.AppendString(nil, text)))
		}
		p.marks = make([]int, 2*len(keys)+1)
		p.compileMap(d, keys)
	} else {
		if s.Optional() {
			p.head = data.AppendPresence(nil, s, true)
		}
		for _, f := range s.Fields() {
			x := part{schema: f.Schema, skip: skipOf(f.Schema), optional: f.Schema.Optional()}
			if x.optional {
				x.present, x.absent = data.AppendPresence(nil, f.Schema, true)[0], data.AppendPresence(nil, f.Schema, false)[0]
			}
			p.parts = append(p.parts, x)
		}
		p.marks = make([]int, len(p.parts)+1)
		p.compileStruct(d)
	}
	for i := range p.ops {
		p.room += len(p.ops[i].fixed) + numberRoom
	}
	return p
}

// numberRoom is what a number may take, also as text.
const numberRoom = 26

func (p *program) compileStruct(d *draft) {
	if d.schema.Optional() {
		p.fixed(data.AppendPresence(nil, d.schema, true))
	}
	for _, t := range d.terms {
		if t.how == termAsIs {
			p.copied(t.from, t.from+1)
			continue
		}
		x := op{term: t, lo: t.from, hi: t.from + 1}
		if t.in != nil {
			x.inType, x.optional, x.null = t.in.Type(), t.in.Optional(), p.parts[t.from].absent
		}
		p.add(x)
	}
}

func (p *program) compileMap(d *draft, keys []any) {
	p.fixed(data.AppendBlockStart(data.AppendLong(nil, data.AnyMap), len(d.keys)))
	for n, t := range d.terms {
		key, _ := d.keys[n].(string)
		if t.how == termAsIs && key == keys[t.from] {
			p.copied(2*t.from, 2*t.from+2)
			continue
		}
		p.fixed(data.AppendString(nil, key))
		if t.how == termAsIs {
			p.copied(2*t.from+1, 2*t.from+2)
		} else {
			p.add(op{term: t, lo: 2*t.from + 1, hi: 2*t.from + 2})
		}
	}
	p.fixed(data.AppendBlockEnd(nil))
}

func (p *program) fixed(b []byte) { p.add(op{term: term{how: termFixed, fixed: b}}) }

// add joins fixed pieces that follow each other.
func (p *program) add(x op) {
	if n := len(p.ops) - 1; n >= 0 && x.how == termFixed && p.ops[n].how == termFixed {
		p.ops[n].fixed = append(bytes.Clone(p.ops[n].fixed), x.fixed...)
		return
	}
	p.ops = append(p.ops, x)
}

// copied joins pieces of the input that follow each other.
func (p *program) copied(lo, hi int) {
	if n := len(p.ops) - 1; n >= 0 && p.ops[n].how == termAsIs && p.ops[n].hi == lo {
		p.ops[n].hi = hi
		return
	}
	p.ops = append(p.ops, op{lo: lo, hi: hi})
}

// run takes the cell of a record through the steps; ok is false when it gave up, and nothing is changed then.
func (p *program) run(c *Cell, r *Record) (ok bool) {
	b := c.wire
	if len(b) < len(p.head) || string(b[:len(p.head)]) != string(p.head) {
		return false
	}
	if p.keys != nil {
		ok = p.splitMap(b)
	} else {
		ok = p.split(b)
	}
	if !ok {
		return false
	}
	dst := c.arena.room(len(b) + p.room)
	for i := range p.ops {
		x := &p.ops[i]
		switch x.how {
		case termAsIs:
			dst = append(dst, b[p.marks[x.lo]:p.marks[x.hi]]...)
		case termFixed:
			dst = append(dst, x.fixed...)
		default:
			if dst, ok = p.special(dst, x, b, r); !ok {
				return false
			}
		}
	}
	c.setMade(p.schema, c.arena.keep(dst).raw)
	return true
}

// special appends what is neither copied nor fixed.
func (p *program) special(dst []byte, x *op, b []byte, r *Record) (_ []byte, ok bool) {
	switch x.how {
	case termTopic:
		return data.AppendString(append(dst, x.fixed...), r.Topic), true
	case termPartition:
		if r.Partition == NoPartition {
			return append(dst, x.absent...), x.absent != nil
		}
		return data.AppendLong(append(dst, x.fixed...), int64(r.Partition)), true
	case termOffset:
		return data.AppendLong(append(dst, x.fixed...), r.Offset), true
	case termTimestamp:
		if r.Timestamp == NoTimestamp {
			return append(dst, x.absent...), x.absent != nil
		}
		return data.AppendLong(append(dst, x.fixed...), r.Timestamp), true
	}
	in := b[p.marks[x.lo]:p.marks[x.hi]]
	switch x.how {
	case termMasked:
		if x.optional && in[0] == x.null {
			return append(dst, x.absent...), true
		}
		return append(dst, x.fixed...), true
	case termMaskedAny:
		if in[0] == data.AnyNull {
			return append(dst, nullWire...), true
		}
		ready := x.any[in[0]].raw
		return append(dst, ready...), ready != nil
	case termCast:
		if x.optional {
			if in[0] == x.null {
				return append(dst, x.absent...), true
			}
			in = in[1:]
		}
		dst = append(dst, x.fixed...)
		return p.cast(dst, in, x.inType, x.to)
	}
	// termCastAny
	if in[0] == data.AnyNull {
		return append(dst, nullWire...), true
	}
	from := anyType(in[0])
	if !castsInWire(from, x.to) {
		return dst, false
	}
	return p.cast(data.AppendLong(dst, anyBranches[x.to]), in[1:], from, x.to)
}

func (p *program) cast(dst, in []byte, from, to data.Type) (_ []byte, ok bool) {
	if err := p.number.read(from, to, in); err != nil {
		return dst, false
	}
	return p.number.append(dst, to), true
}

// split marks the fields of a struct and checks them as data.SkipValue does.
func (p *program) split(b []byte) bool {
	i := len(p.head)
	for k := range p.parts {
		p.marks[k] = i
		x := &p.parts[k]
		if x.optional {
			if i >= len(b) {
				return false
			}
			c := b[i]
			i++
			if c == x.absent {
				continue
			}
			if c != x.present {
				return false
			}
		}
		if i = x.end(b, i, p.marks[k]); i < 0 {
			return false
		}
	}
	p.marks[len(p.parts)] = i
	return i == len(b)
}

// end is where the field ends whose value is at i and whose union index, if it has one, is at start; negative if that is not right.
func (x *part) end(b []byte, i, start int) int {
	switch x.skip {
	case skipLong:
		return longEnd(b, i)
	case skipInt:
		if i < len(b) && b[i] < 0x80 {
			return i + 1
		}
	case skipFour:
		return within(b, i+4)
	case skipEight:
		return within(b, i+8)
	case skipBoolean:
		if i < len(b) && b[i] <= 1 {
			return i + 1
		}
		return -1
	case skipBytes:
		return bytesEnd(b, i)
	}
	rest, err := data.SkipValue(x.schema, b[start:])
	if err != nil {
		return -1
	}
	return len(b) - len(rest)
}

func within(b []byte, end int) int {
	if end > len(b) {
		return -1
	}
	return end
}

func longEnd(b []byte, i int) int {
	if i < len(b) && b[i] < 0x80 {
		return i + 1
	}
	_, rest, err := data.ReadLong(b[i:])
	if err != nil {
		return -1
	}
	return len(b) - len(rest)
}

func bytesEnd(b []byte, i int) int {
	if i < len(b) && b[i] < 0x80 {
		if n := b[i]; n&1 == 0 {
			return within(b, i+1+int(n>>1))
		}
		return -1
	}
	_, rest, err := data.ReadBytes(b[i:])
	if err != nil {
		return -1
	}
	return len(b) - len(rest)
}

// splitMap marks the entries of a map of one block whose keys are those of the program.
func (p *program) splitMap(b []byte) bool {
	i := len(p.head)
	for k, key := range p.keys {
		p.marks[2*k] = i
		if len(b)-i <= len(key) || string(b[i:i+len(key)]) != key {
			return false
		}
		i += len(key)
		p.marks[2*k+1] = i
		if i = anyEnd(b, i); i < 0 {
			return false
		}
	}
	p.marks[2*len(p.keys)] = i
	return i == len(b)-1 && b[i] == 0
}

// anyEnd is where the value without a schema at i ends; negative if it is not right.
func anyEnd(b []byte, i int) int {
	switch b[i] {
	case data.AnyNull << 1:
		return i + 1
	case data.AnyInt64 << 1:
		return longEnd(b, i+1)
	case data.AnyFloat64 << 1:
		return within(b, i+9)
	case data.AnyString << 1, data.AnyBytes << 1:
		return bytesEnd(b, i+1)
	case data.AnyBoolean << 1:
		if i+1 < len(b) && b[i+1] <= 1 {
			return i + 2
		}
		return -1
	}
	rest, err := data.SkipValue(nil, b[i:])
	if err != nil {
		return -1
	}
	return len(b) - len(rest)
}
