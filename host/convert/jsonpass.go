package convert

import (
	"bytes"

	"github.com/tailrace/tailrace/host/convert/jsonschema"
	"github.com/tailrace/tailrace/sdk/go/data"
)

// jsonPass reads JSON text into wire bytes in a single pass, for the usual case. Whatever is unusual (a wrong type, a name
// that comes twice, text that is not JSON) makes it give up, and the careful reader begins again from the start: that
// one alone knows Kafka Connect's rules for such values and its error messages. So this one never fails, and what
// it writes is what the careful reader would have written, byte for byte.
//
// Its methods return the position behind what they read, or gaveUp; dst may hold anything at its end then.
type jsonPass struct {
	c     *jsonConverter
	b     jsonText
	names []passName // of the objects that are open, the innermost last
	trail []passKey  // the names without a schema that the records before had, in their order
	at    int        // in trail: of the next name
}

// passKey is a name that is expected because the record before had it in the same place. Whatever stands before it in the trail
// stood before it in a record, so that a name that is found in its place is not twice in its object.
type passKey struct {
	text  []byte // the quoted name, the colon and the space behind it
	wire  []byte
	first int // in the trail: the first name of its object
}

// maxTrail bounds the names that are remembered.
const maxTrail = 256

const gaveUp = -1

// passName is a name of an object: its place in dst, with the length before it.
type passName struct {
	from, to int
}

// maxPassNames is the size of objects up to which looking at the other names is cheaper than a map.
const maxPassNames = 64

// The branches of the schemaless union as their one byte on the wire.
const (
	tagNull    = data.AnyNull << 1
	tagBoolean = data.AnyBoolean << 1
	tagInt64   = data.AnyInt64 << 1
	tagFloat64 = data.AnyFloat64 << 1
	tagString  = data.AnyString << 1
	tagArray   = data.AnyArray << 1
	tagMap     = data.AnyMap << 1
)

// passOver starts a pass; who asked for it takes the text away when it is over.
func (c *jsonConverter) passOver(b jsonText) *jsonPass {
	p := &c.pass
	p.c, p.b, p.names, p.at = c, b, p.names[:0], 0
	return p
}

// onePass is ToConnect's fast way; ok is false when it gave up.
func (c *jsonConverter) onePass(dst []byte, b jsonText) (schema *data.Schema, after []byte, ok bool) {
	p := c.passOver(b)
	defer func() { p.b = nil }()
	end := gaveUp
	if !c.schemas {
		if start := b.space(0); start < len(b) && b[start] != 'n' {
			if after, end = p.any(dst, start, 0); end != gaveUp && !b.ends(start, end) {
				end = gaveUp
			}
		}
		return nil, after, end != gaveUp
	}
	if len(c.lastEnvelopePrefix) == 0 || !bytes.HasPrefix(b, c.lastEnvelopePrefix) {
		return nil, dst, false
	}
	if after, end = p.value(dst, c.lastPass, b.space(len(c.lastEnvelopePrefix)), 1); end == gaveUp {
		return nil, dst, false
	}
	end = b.space(end)
	return c.lastSchema, after, end < len(b) && b[end] == '}'
}

// any reads a value without a schema.
func (p *jsonPass) any(dst []byte, i, depth int) ([]byte, int) {
	b := p.b
	if i >= len(b) || depth > data.MaxSchemalessDepth {
		return dst, gaveUp
	}
	switch b[i] {
	case '"':
		return b.passText(append(dst, tagString), i)
	case '{':
		return p.object(append(dst, tagMap), nil, i, depth)
	case '[':
		return p.array(append(dst, tagArray), nil, i, depth)
	case 't':
		return append(dst, tagBoolean, 1), b.passWord(i, "true")
	case 'f':
		return append(dst, tagBoolean, 0), b.passWord(i, "false")
	case 'n':
		return append(dst, tagNull), b.passWord(i, "null")
	}
	if digits, decimals, negative, end := b.usualNumber(i); end != gaveUp {
		if decimals > 0 {
			return data.AppendDouble(append(dst, tagFloat64), usualFloat(digits, decimals, negative)), end
		}
		return data.AppendLong(append(dst, tagInt64), signed(digits, negative)), end
	}
	n, end := b.passNumber(i)
	if end == gaveUp {
		return dst, gaveUp
	}
	if n.fraction {
		return data.AppendDouble(append(dst, tagFloat64), n.float()), end
	}
	return data.AppendLong(append(dst, tagInt64), n.integer()), end
}

// value reads a value of a schema; nil is none.
func (p *jsonPass) value(dst []byte, plan *passPlan, i, depth int) ([]byte, int) {
	b := p.b
	if i >= len(b) {
		return dst, gaveUp
	}
	if plan == nil {
		return p.any(dst, i, 0)
	}
	c := b[i]
	if c == 'n' || plan.odd {
		return p.carefully(dst, plan, i, depth)
	}
	mark := len(dst)
	dst = append(dst, plan.presence...)
	end := gaveUp
	switch plan.kind {
	case kindString:
		if c == '"' {
			dst, end = b.passText(dst, i)
		}
	case kindInt8, kindInt16, kindInt32, kindInt64, kindTimestamp:
		var n passedNumber
		if digits, decimals, negative, usual := b.usualNumber(i); usual != gaveUp && decimals == 0 {
			dst, end = data.AppendLong(dst, narrowed(plan.kind, signed(digits, negative))), usual
		} else if n, end = b.passNumber(i); end != gaveUp && !n.fraction {
			dst = data.AppendLong(dst, narrowed(plan.kind, n.integer()))
		} else {
			end = gaveUp
		}
	case kindFloat64:
		var n passedNumber
		if digits, decimals, negative, usual := b.usualNumber(i); usual != gaveUp {
			dst, end = data.AppendDouble(dst, usualFloat(digits, decimals, negative)), usual
		} else if n, end = b.passNumber(i); end != gaveUp {
			dst = data.AppendDouble(dst, n.float())
		}
	case kindBytes:
		if c == '"' {
			dst, end = b.passBase64(dst, i, 0)
		}
	case kindDecimal:
		switch {
		case c == '"':
			dst, end = b.passBase64(dst, i, 1)
		case plan.scale >= 0:
			dst, end = b.passDecimal(dst, i, plan.scale)
		}
	case kindBoolean:
		switch c {
		case 't':
			dst, end = append(dst, 1), b.passWord(i, "true")
		case 'f':
			dst, end = append(dst, 0), b.passWord(i, "false")
		}
	case kindStruct:
		if c == '{' {
			dst, end = p.structure(dst, plan, i, depth+1)
		}
	case kindArray:
		if c == '[' {
			dst, end = p.array(dst, plan, i, depth+1)
		}
	case kindMap:
		if c == '{' && plan.textKeys {
			dst, end = p.object(dst, plan, i, depth+1)
		}
	}
	if end == gaveUp {
		return p.carefully(dst[:mark], plan, i, depth)
	}
	return dst, end
}

// narrowed is Java's byteValue, shortValue or intValue.
func narrowed(k kind, v int64) int64 {
	switch k {
	case kindInt8:
		return int64(int8(v))
	case kindInt16:
		return int64(int16(v))
	case kindInt32:
		return int64(int32(v))
	}
	return v
}

// carefully hands one value to the careful reader.
func (p *jsonPass) carefully(dst []byte, plan *passPlan, i, depth int) ([]byte, int) {
	end, err := p.b.value(i, depth)
	if err != nil {
		return dst, gaveUp
	}
	r := jsonReader{c: p.c, b: p.b}
	if dst, err = r.checked(dst, plan.schema, i); err != nil {
		return dst, gaveUp
	}
	return dst, end
}

// structure reads a struct whose names are all there, in the order of its fields.
func (p *jsonPass) structure(dst []byte, plan *passPlan, i, depth int) ([]byte, int) {
	b, last := p.b, len(plan.fields)-1
	if last < 0 || depth > maxJSONDepth {
		return dst, gaveUp
	}
	i = b.space(i + 1)
	for k, field := range plan.fields {
		name := field.quoted
		if len(b)-i < len(name) || len(name) == 0 || string(b[i:i+len(name)]) != name {
			return dst, gaveUp
		}
		if i = b.space(i + len(name)); i >= len(b) || b[i] != ':' {
			return dst, gaveUp
		}
		if dst, i = p.value(dst, field.plan, b.space(i+1), depth); i == gaveUp {
			return dst, gaveUp
		}
		next := byte(',')
		if k == last {
			next = '}'
		}
		if i = b.space(i); i >= len(b) || b[i] != next {
			return dst, gaveUp
		}
		if k < last {
			i = b.space(i + 1)
		}
	}
	return dst, i + 1
}

// array reads an array; plan is that of the array, nil for none.
func (p *jsonPass) array(dst []byte, plan *passPlan, i, depth int) ([]byte, int) {
	b := p.b
	if depth > maxJSONDepth {
		return dst, gaveUp
	}
	if i = b.space(i + 1); i < len(b) && b[i] == ']' {
		return data.AppendBlockEnd(dst), i + 1
	}
	start, n := len(dst), 0
	dst = append(dst, 0)
	for {
		if plan == nil {
			dst, i = p.any(dst, i, depth+1)
		} else {
			dst, i = p.value(dst, plan.value, i, depth)
		}
		if i == gaveUp {
			return dst, gaveUp
		}
		n++
		if i = b.space(i); i >= len(b) {
			return dst, gaveUp
		}
		if b[i] == ']' {
			return closeCounted(dst, start, n), i + 1
		}
		if b[i] != ',' {
			return dst, gaveUp
		}
		i = b.space(i + 1)
	}
}

// object reads a map; plan is that of the map, nil for none.
func (p *jsonPass) object(dst []byte, plan *passPlan, i, depth int) ([]byte, int) {
	b := p.b
	if depth > maxJSONDepth {
		return dst, gaveUp
	}
	if i = b.space(i + 1); i < len(b) && b[i] == '}' {
		return data.AppendBlockEnd(dst), i + 1
	}
	start, n, first := len(dst), 0, len(p.names)
	dst = append(dst, 0)
	var lengths uint64                   // of the names so far, a bit for each
	firstKey, known := p.at, plan == nil // known: the names so far are those of the trail
	for {
		if i >= len(b) || b[i] != '"' || n == maxPassNames {
			return dst, gaveUp
		}
		if plan != nil {
			dst = append(dst, plan.keyPrefix...)
		}
		from := len(dst)
		if known = known && p.expected(i, firstKey); known {
			k := &p.trail[p.at]
			dst, i = append(dst, k.wire...), i+len(k.text)
			lengths |= 1 << ((len(dst) - from) & 63)
			p.at++
		} else {
			text := i
			if dst, i = b.passText(dst, i); i == gaveUp {
				return dst, gaveUp
			}
			// Two names of different lengths are not the same; most objects need no other look.
			bit := uint64(1) << ((len(dst) - from) & 63)
			if lengths&bit != 0 && p.twice(dst, first, from) {
				return dst, gaveUp
			}
			lengths |= bit
			if i = b.space(i); i >= len(b) || b[i] != ':' {
				return dst, gaveUp
			}
			if i = b.space(i + 1); plan == nil {
				p.remember(b[text:i], dst[from:], firstKey)
			}
		}
		p.names = append(p.names, passName{from, len(dst)})
		if plan == nil {
			dst, i = p.any(dst, i, depth+1)
		} else {
			dst, i = p.value(dst, plan.value, i, depth)
		}
		if i == gaveUp {
			return dst, gaveUp
		}
		n++
		if i = b.space(i); i >= len(b) {
			return dst, gaveUp
		}
		if b[i] == '}' {
			p.names = p.names[:first]
			return closeCounted(dst, start, n), i + 1
		}
		if b[i] != ',' {
			return dst, gaveUp
		}
		i = b.space(i + 1)
	}
}

// expected tells whether the trail has the name at i, in an object whose first name is the one of firstKey.
func (p *jsonPass) expected(i, firstKey int) bool {
	if p.at >= len(p.trail) {
		return false
	}
	k := &p.trail[p.at]
	return k.first == firstKey && len(p.b)-i > len(k.text) && string(p.b[i:i+len(k.text)]) == string(k.text)
}

// remember puts a name in the trail. What the trail had from there on belonged to other records.
func (p *jsonPass) remember(text, wire []byte, firstKey int) {
	if p.at < maxTrail && len(text) <= maxTrailText {
		if p.trail = p.trail[:p.at]; p.at < cap(p.trail) {
			p.trail = p.trail[:p.at+1]
		} else {
			p.trail = append(p.trail, passKey{})
		}
		k := &p.trail[p.at]
		k.text, k.wire, k.first = append(k.text[:0], text...), append(k.wire[:0], wire...), firstKey
		p.at++
		return
	}
	// Too much to remember: what follows cannot be in the trail, either.
	p.trail = p.trail[:min(p.at, len(p.trail))]
	p.at = maxTrail
}

// maxTrailText bounds a name that is remembered, in bytes.
const maxTrailText = 256

// twice tells whether the name that ends dst is one of the object's already.
func (p *jsonPass) twice(dst []byte, first, from int) bool {
	name := dst[from:]
	for _, n := range p.names[first:] {
		if n.to-n.from == len(name) && string(dst[n.from:n.to]) == string(name) {
			return true
		}
	}
	return false
}

// closeCounted ends a block of n items whose count goes where the byte at start holds its place.
func closeCounted(dst []byte, start, n int) []byte {
	if n < 64 { // one byte
		dst[start] = byte(n << 1)
		return data.AppendBlockEnd(dst)
	}
	return closeBlock(append(dst[:start], dst[start+1:]...), start, n)
}

// passPlan is a schema prepared for reading.
type passPlan struct {
	schema   *data.Schema
	kind     kind
	presence []byte // goes before a value that is there
	// odd: it has rules of its own. It has the name of a logical type and is none, or stands for a union.
	odd       bool
	scale     int32 // of a decimal
	textKeys  bool
	keyPrefix []byte // goes before a key
	value     *passPlan
	fields    []passField
}

type passField struct {
	quoted string // empty for a name that JSON must escape
	plan   *passPlan
}

func (c *jsonConverter) newPassPlan(s *data.Schema) *passPlan {
	if s == nil {
		return nil
	}
	p := &passPlan{schema: s, kind: kindOf(s), presence: data.AppendPresence(nil, s, true)}
	switch s.Name() {
	case data.TimestampName, data.DateName, data.TimeName, data.DecimalName:
		p.odd = p.kind < kindDecimal
	}
	var err error
	if p.scale, _, err = s.IsDecimal(); err != nil || p.scale > maxJSONNumberChars {
		p.odd = true
	}
	switch p.kind {
	case kindArray:
		p.value = c.newPassPlan(s.ValueSchema())
	case kindMap:
		key := s.KeySchema()
		p.textKeys = key == nil || key.Type() == data.String && (!c.byRegistry || !key.Optional())
		if key == nil {
			p.keyPrefix = []byte{tagString}
		} else {
			p.keyPrefix = data.AppendPresence(nil, key, true)
		}
		p.value = c.newPassPlan(s.ValueSchema())
	case kindStruct:
		p.odd = c.byRegistry && jsonschema.IsUnion(s)
		for _, f := range s.Fields() {
			quoted := string(appendJSONString(nil, []byte(f.Name)))
			if quoted != `"`+f.Name+`"` {
				quoted = ""
			}
			p.fields = append(p.fields, passField{quoted, c.newPassPlan(f.Schema)})
		}
	}
	return p
}
