package convert

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/tailrace/tailrace/sdk/go/data"
)

// jsonWriter transcodes the wire bytes b from pos on. It moves a number rather than a slice: the write of a pointer costs more
// while the garbage collector runs.
type jsonWriter struct {
	c    *jsonConverter
	b    []byte
	pos  int
	keys []writtenKey // of the converter
	at   int          // in keys: of the next key of a map without a schema
}

// long reads a number; most are short.
func (w *jsonWriter) long() (int64, error) {
	if w.pos < len(w.b) {
		if u := w.b[w.pos]; u < 0x80 {
			w.pos++
			return int64(u>>1) ^ -int64(u&1), nil
		}
	}
	v, rest, err := data.ReadLong(w.b[w.pos:])
	if err != nil {
		return 0, err
	}
	w.pos = len(w.b) - len(rest)
	return v, nil
}

// bytes reads a text or bytes.
func (w *jsonWriter) bytes() ([]byte, error) {
	if text, end := shortText(w.b, w.pos); end > 0 {
		w.pos = end
		return text, nil
	}
	v, rest, err := data.ReadBytes(w.b[w.pos:])
	if err != nil {
		return nil, err
	}
	w.pos = len(w.b) - len(rest)
	return v, nil
}

// block reads the number of items that follow.
func (w *jsonWriter) block(minItemSize int) (int, error) {
	n, rest, err := data.ReadBlock(w.b[w.pos:], minItemSize)
	if err != nil {
		return 0, err
	}
	w.pos = len(w.b) - len(rest)
	return n, nil
}

func (w *jsonWriter) value(dst []byte, p *jsonPlan) ([]byte, error) {
	if p == nil {
		return w.any(dst, 0)
	}
	if p.optional {
		present, rest, err := data.ReadPresence(p.schema, w.b[w.pos:])
		if err != nil {
			return dst, malformed(p.schema, err)
		}
		w.pos = len(w.b) - len(rest)
		if !present {
			return append(dst, p.null...), nil
		}
	}
	return w.body(dst, p)
}

func (w *jsonWriter) body(dst []byte, p *jsonPlan) ([]byte, error) {
	switch p.kind {
	case kindArray:
		return w.array(dst, p)
	case kindMap:
		return w.mapping(dst, p)
	case kindStruct:
		if p.union {
			return w.union(dst, p)
		}
		return w.structure(dst, p)
	}
	dst, err := w.scalar(dst, p.kind, p.scale)
	if err != nil {
		return dst, malformed(p.schema, err)
	}
	return dst, nil
}

// structure is the hot loop: the usual fields take one call each.
func (w *jsonWriter) structure(dst []byte, p *jsonPlan) (_ []byte, err error) {
	dst = append(dst, '{')
	for i := range p.fields {
		f := &p.fields[i]
		dst = append(dst, f.name...)
		if f.optional {
			switch {
			case w.pos < len(w.b) && w.b[w.pos] == f.present:
				w.pos++
			case w.pos < len(w.b) && w.b[w.pos] == f.absent:
				w.pos++
				dst = append(dst, f.plan.null...)
				continue
			default: // a longer form of the same, or a mistake
				if dst, err = w.value(dst, f.plan); err != nil {
					return dst, err
				}
				continue
			}
		}
		if !f.scalar {
			if dst, err = w.body(dst, f.plan); err != nil {
				return dst, err
			}
			continue
		}
		if dst, err = w.scalar(dst, f.kind, f.scale); err != nil {
			return dst, malformed(f.plan.schema, err)
		}
	}
	return append(dst, '}'), nil
}

func (w *jsonWriter) scalar(dst []byte, k kind, scale int32) (_ []byte, err error) {
	switch k {
	case kindInt8, kindInt16, kindInt32, kindInt64, kindDate, kindTime, kindTimestamp:
		v, err := w.long()
		if err != nil {
			return dst, err
		}
		return appendJSONInt(dst, v), nil
	case kindBoolean:
		v, _, err := data.ReadBool(w.b[w.pos:])
		if err != nil {
			return dst, err
		}
		w.pos++
		return strconv.AppendBool(dst, v), nil
	case kindFloat32:
		v, _, err := data.ReadFloat(w.b[w.pos:])
		if err != nil {
			return dst, err
		}
		w.pos += 4
		if w.c.strict && v-v != 0 {
			return dst, notFinite(float64(v))
		}
		return appendJSONFloat(dst, float64(v), 32), nil
	case kindFloat64:
		v, _, err := data.ReadDouble(w.b[w.pos:])
		if err != nil {
			return dst, err
		}
		w.pos += 8
		if w.c.strict && v-v != 0 {
			return dst, notFinite(v)
		}
		return appendJSONFloat(dst, v, 64), nil
	}
	raw, err := w.bytes()
	if err != nil {
		return dst, err
	}
	switch {
	case k == kindString:
		if w.c.strict && !utf8.Valid(raw) {
			return dst, damage("a text is not UTF-8 and would be written with replacement characters")
		}
		return appendJSONString(dst, raw), nil
	case k == kindDecimal && w.c.numeric:
		if len(raw) == 0 {
			return dst, &data.Error{Offset: -1, Reason: "a Decimal takes at least one byte"}
		}
		return data.AppendDecimalString(dst, raw, scale), nil
	}
	dst = append(dst, '"')
	dst = base64.StdEncoding.AppendEncode(dst, raw)
	return append(dst, '"'), nil
}

func (w *jsonWriter) array(dst []byte, p *jsonPlan) ([]byte, error) {
	dst = append(dst, '[')
	first := true
	minSize := p.schema.ValueSchema().MinSize()
	for {
		n, err := w.block(minSize)
		if err != nil {
			return dst, malformed(p.schema, err)
		}
		if n == 0 {
			return append(dst, ']'), nil
		}
		for range n {
			if !first {
				dst = append(dst, ',')
			}
			first = false
			if dst, err = w.value(dst, p.value); err != nil {
				return dst, err
			}
		}
	}
}

func (w *jsonWriter) mapping(dst []byte, p *jsonPlan) ([]byte, error) {
	begin, end := byte('['), byte(']')
	if p.objectMode {
		begin, end = '{', '}'
	}
	dst = append(dst, begin)
	first := true
	minSize := p.schema.KeySchema().MinSize() + p.schema.ValueSchema().MinSize()
	for {
		n, err := w.block(minSize)
		if err != nil {
			return dst, malformed(p.schema, err)
		}
		if n == 0 {
			return append(dst, end), nil
		}
		for range n {
			if !first {
				dst = append(dst, ',')
			}
			first = false
			if p.objectMode {
				dst, err = w.objectEntry(dst, p)
			} else {
				dst, err = w.pair(dst, p)
			}
			if err != nil {
				return dst, err
			}
		}
	}
}

// objectEntry writes a map's entry as a member. A key that is not text (a null
// of an optional string) becomes its text, as Jackson's asText has it.
func (w *jsonWriter) objectEntry(dst []byte, p *jsonPlan) ([]byte, error) {
	mark := len(dst)
	dst, err := w.value(dst, p.key)
	if err != nil {
		return dst, err
	}
	if dst[mark] != '"' {
		text := append([]byte(nil), dst[mark:]...)
		dst = append(append(append(dst[:mark], '"'), text...), '"')
	}
	return w.value(append(dst, ':'), p.value)
}

func (w *jsonWriter) pair(dst []byte, p *jsonPlan) ([]byte, error) {
	before, between, after := "[", ",", "]"
	if p.entries {
		before, between, after = `{"key":`, `,"value":`, "}"
	}
	dst, err := w.value(append(dst, before...), p.key)
	if err != nil {
		return dst, err
	}
	if dst, err = w.value(append(dst, between...), p.value); err != nil {
		return dst, err
	}
	return append(dst, after...), nil
}

// union writes the first field that is not null; all others are passed over.
func (w *jsonWriter) union(dst []byte, p *jsonPlan) (_ []byte, err error) {
	written := false
	for i := range p.fields {
		f := p.fields[i].plan
		mark := len(dst)
		null := false
		if f.optional {
			present, _, err := data.ReadPresence(f.schema, w.b[w.pos:])
			if err != nil {
				return dst, malformed(f.schema, err)
			}
			null = !present && string(f.null) == "null"
		}
		if dst, err = w.value(dst, f); err != nil {
			return dst, err
		}
		if null || written {
			dst = dst[:mark]
		} else {
			written = true
		}
	}
	switch {
	case written:
		return dst, nil
	case p.optional:
		return append(dst, p.null...), nil
	}
	return dst, dataError("no field of the union %s has a value", p.schema)
}

// any writes a value without a schema.
func (w *jsonWriter) any(dst []byte, depth int) ([]byte, error) {
	if w.pos < len(w.b) {
		switch w.b[w.pos] {
		case tagString:
			if text, end := shortText(w.b, w.pos+1); end > 0 && !w.c.strict {
				w.pos = end
				return appendJSONString(dst, text), nil
			}
		case tagInt64:
			w.pos++
			v, err := w.long()
			if err != nil {
				return dst, malformed(nil, err)
			}
			return appendJSONInt(dst, v), nil
		case tagFloat64:
			if len(w.b)-w.pos > 8 && !w.c.strict {
				f := math.Float64frombits(binary.LittleEndian.Uint64(w.b[w.pos+1:]))
				w.pos += 9
				return appendJSONFloat(dst, f, 64), nil
			}
		case tagBoolean:
			if len(w.b)-w.pos > 1 && w.b[w.pos+1] <= 1 {
				w.pos += 2
				if w.b[w.pos-1] == 1 {
					return append(dst, "true"...), nil
				}
				return append(dst, "false"...), nil
			}
		case tagNull:
			w.pos++
			return append(dst, "null"...), nil
		}
	}
	if depth > data.MaxSchemalessDepth {
		return dst, malformed(nil, fmt.Errorf("nested deeper than %d levels", data.MaxSchemalessDepth))
	}
	k, body, err := open(nil, w.b[w.pos:])
	if err != nil {
		return dst, err
	}
	w.pos = len(w.b) - len(body)
	switch k {
	case kindNull:
		return append(dst, "null"...), nil
	case kindDecimal, kindTimestamp:
		return dst, dataError("Java class %s does not have corresponding schema type.", k.javaClass())
	case kindArray, kindMap, kindPairs:
		return w.anyItems(dst, k, depth)
	}
	if dst, err = w.scalar(dst, k, 0); err != nil {
		return dst, malformed(nil, err)
	}
	return dst, nil
}

func (w *jsonWriter) anyItems(dst []byte, k kind, depth int) ([]byte, error) {
	begin, end, minSize := byte('['), byte(']'), 1
	if k != kindArray {
		minSize = 2
	}
	if k == kindMap {
		begin, end = '{', '}'
	}
	dst = append(dst, begin)
	first := true
	for {
		n, err := w.block(minSize)
		if err != nil {
			return dst, malformed(nil, err)
		}
		if n == 0 {
			return append(dst, end), nil
		}
		for range n {
			if !first && k != kindMap {
				dst = append(dst, ',')
			}
			switch k {
			case kindMap:
				if dst, err = w.key(dst, first); err != nil {
					return dst, malformed(nil, err)
				}
			case kindPairs:
				if dst, err = w.any(append(dst, '['), depth+1); err != nil {
					return dst, err
				}
				dst = append(dst, ',')
			}
			first = false
			if dst, err = w.any(dst, depth+1); err != nil {
				return dst, err
			}
			if k == kindPairs {
				dst = append(dst, ']')
			}
		}
	}
}

// writtenKey is a key of a map without a schema that is expected because the record before had it in the same place.
type writtenKey struct {
	wire []byte // with the length before it
	text []byte // a comma, the quoted key, a colon
}

// key writes the key of a map without a schema, and the comma before it.
func (w *jsonWriter) key(dst []byte, first bool) ([]byte, error) {
	at := w.at
	w.at++
	if at < len(w.keys) {
		if k := &w.keys[at]; len(w.b)-w.pos >= len(k.wire) && string(w.b[w.pos:w.pos+len(k.wire)]) == string(k.wire) {
			w.pos += len(k.wire)
			if first {
				return append(dst, k.text[1:]...), nil
			}
			return append(dst, k.text...), nil
		}
	}
	from, start := w.pos, len(dst)
	dst, err := w.scalar(append(dst, ','), kindString, 0)
	if err != nil {
		return dst, err
	}
	dst = append(dst, ':')
	if w.pos-from <= maxTrailText && at < maxTrail {
		if at == len(w.keys) {
			w.c.keys = append(w.c.keys, writtenKey{})
			w.keys = w.c.keys
		}
		k := &w.keys[at]
		k.wire, k.text = append(k.wire[:0], w.b[from:w.pos]...), append(k.text[:0], dst[start:]...)
	} else {
		w.at = maxTrail // those that follow are not remembered, either
	}
	if first {
		dst = append(dst[:start], dst[start+1:]...)
	}
	return dst, nil
}

// shortText is the text of less than 64 bytes at i and its end; end is 0 if there is none.
func shortText(b []byte, i int) (text []byte, end int) {
	if i >= len(b) || b[i] >= 0x80 || b[i]&1 != 0 {
		return nil, 0
	}
	if end = i + 1 + int(b[i]>>1); end > len(b) {
		return nil, 0
	}
	return b[i+1 : end], end
}
