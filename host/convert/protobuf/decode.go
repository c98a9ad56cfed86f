package protobuf

import (
	"fmt"
	"math"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/tailrace/tailrace/host/convert/javaerr"
	"github.com/tailrace/tailrace/sdk/go/data"
)

// decoderNode reads a message.
type decoderNode struct {
	fields []decField
	slots  int                      // fields of the message
	low    []int32                  // number -> slot+1, for small numbers
	high   map[protowire.Number]int // the others
	kinds  []protoreflect.Kind      // by slot
	lists  []bool                   // by slot
	groups []int32                  // by slot: the oneof, -1 for none
	unions bool                     // there are oneofs
}

// decField writes one field of the value.
type decField struct {
	op       op
	slot     int
	schema   *data.Schema
	kind     protoreflect.Kind
	utf8     bool      // texts must be UTF-8
	narrow   data.Type // INT8 or INT16 in an int32
	symbols  map[int32]string
	enum     string
	node     *decoderNode // opMessage, opMap
	item     *decField    // opList
	members  []decField   // opUnion
	missing  []byte       // the wire form when it is not there
	required bool         // it must be there (proto2)
}

const smallNumbers = 256

func newNode(fields []decField, m protoreflect.MessageDescriptor) *decoderNode {
	n := &decoderNode{fields: fields, slots: m.Fields().Len(), high: map[protowire.Number]int{}}
	for i := range n.slots {
		d := m.Fields().Get(i)
		n.kinds = append(n.kinds, d.Kind())
		n.lists = append(n.lists, d.Cardinality() == protoreflect.Repeated)
		group := int32(-1)
		if inOneof(d) {
			group, n.unions = int32(d.ContainingOneof().Index()), true
		}
		n.groups = append(n.groups, group)
		if d.Number() >= smallNumbers {
			n.high[d.Number()] = i
			continue
		}
		for len(n.low) <= int(d.Number()) {
			n.low = append(n.low, 0)
		}
		n.low[d.Number()] = int32(i) + 1
	}
	return n
}

func (n *decoderNode) slot(number protowire.Number) int {
	if int(number) < len(n.low) {
		return int(n.low[number]) - 1
	}
	if i, ok := n.high[number]; ok && number >= smallNumbers {
		return i
	}
	return -1
}

// span is one occurrence of a field: its bytes without tag and length.
type span struct {
	start, end int32
	next       int32 // the next one of the same field, 0 for none; spans count from 1
}

// packed marks the start of a span that holds several items.
const packed = math.MinInt32

// decoder transcodes messages. It keeps its space from record to record.
type decoder struct {
	spans []span
	ends  []int32 // first and last span of each slot, of all messages that are open
}

// maxMessageBytes is the size from which positions would not fit.
const maxMessageBytes = math.MaxInt32

// message appends the fields of a message in the order of the schema.
func (d *decoder) message(dst []byte, n *decoderNode, b []byte) ([]byte, error) {
	if len(b) >= maxMessageBytes {
		return dst, javaerr.Data("a message of %d bytes is too long", len(b))
	}
	spans, frame := len(d.spans), len(d.ends)
	for range 2 * n.slots {
		d.ends = append(d.ends, 0)
	}
	err := d.scan(n, b, frame)
	for i := 0; i < len(n.fields) && err == nil; i++ {
		dst, err = d.field(dst, n, &n.fields[i], b, frame)
	}
	d.spans, d.ends = d.spans[:spans], d.ends[:frame]
	return dst, err
}

// scan notes where the fields stand. A field whose wire type is not that of its
// declaration is unknown, as for every implementation.
func (d *decoder) scan(n *decoderNode, b []byte, frame int) error {
	for at := 0; at < len(b); {
		number, typ, head := protowire.ConsumeTag(b[at:])
		if head < 0 {
			return protowire.ParseError(head)
		}
		at += head
		size := protowire.ConsumeFieldValue(number, typ, b[at:])
		if size < 0 {
			return protowire.ParseError(size)
		}
		slot := n.slot(number)
		if slot >= 0 {
			want := wireType(n.kinds[slot])
			start := at
			if typ == protowire.BytesType {
				_, lead := protowire.ConsumeVarint(b[at:])
				start += lead
			}
			switch {
			case typ == want:
				d.note(n, slot, frame, span{start: int32(start), end: int32(at + size)})
			case typ == protowire.BytesType && n.lists[slot]:
				d.note(n, slot, frame, span{start: int32(start) | packed, end: int32(at + size)})
			}
		}
		at += size
	}
	return nil
}

func (d *decoder) note(n *decoderNode, slot, frame int, s span) {
	if group := n.groups[slot]; group >= 0 {
		for other, g := range n.groups { // the last member of a oneof is the only one
			if g == group && other != slot {
				d.ends[frame+2*other], d.ends[frame+2*other+1] = 0, 0
			}
		}
	}
	d.spans = append(d.spans, s)
	at := int32(len(d.spans))
	first, last := &d.ends[frame+2*slot], &d.ends[frame+2*slot+1]
	if *first == 0 {
		*first = at
	} else {
		d.spans[*last-1].next = at
	}
	*last = at
}

func (d *decoder) field(dst []byte, n *decoderNode, f *decField, b []byte, frame int) ([]byte, error) {
	if f.op == opUnion {
		return d.union(dst, n, f, b, frame)
	}
	first, last := d.ends[frame+2*f.slot], d.ends[frame+2*f.slot+1]
	if first == 0 {
		if f.required {
			return dst, javaerr.Data("Message was missing required fields: %d", f.slot)
		}
		return append(dst, f.missing...), nil
	}
	dst = data.AppendPresence(dst, f.schema, true)
	switch f.op {
	case opList, opMap:
		return d.items(dst, f, b, first)
	case opScalar:
		s := d.spans[last-1]
		return f.scalar(dst, b[s.start:s.end])
	}
	s := d.spans[first-1]
	value := b[s.start:s.end]
	if s.next != 0 { // parts of a message that are sent apart are one message
		value = append([]byte(nil), value...)
		for s.next != 0 {
			s = d.spans[s.next-1]
			value = append(value, b[s.start:s.end]...)
		}
	}
	return d.value(dst, f, value)
}

// value appends the value of a field that has bytes of its own.
func (d *decoder) value(dst []byte, f *decField, b []byte) ([]byte, error) {
	switch f.op {
	case opMessage:
		return d.message(dst, f.node, b)
	case opWrapper:
		raw, err := wrappedValue(b, wireType(f.kind))
		if err != nil {
			return dst, err
		}
		return f.scalar(dst, raw)
	}
	return readLogical(f.op, f.schema, dst, b)
}

// wrappedValue is the last value of field 1 of a message, nil if it has none.
func wrappedValue(b []byte, want protowire.Type) (raw []byte, err error) {
	for len(b) > 0 {
		number, typ, head := protowire.ConsumeTag(b)
		if head < 0 {
			return nil, protowire.ParseError(head)
		}
		size := protowire.ConsumeFieldValue(number, typ, b[head:])
		if size < 0 {
			return nil, protowire.ParseError(size)
		}
		if number == 1 && typ == want {
			raw = b[head : head+size]
			if typ == protowire.BytesType {
				raw, _ = protowire.ConsumeBytes(raw)
			}
		}
		b = b[head+size:]
	}
	return raw, nil
}

func (d *decoder) union(dst []byte, n *decoderNode, f *decField, b []byte, frame int) ([]byte, error) {
	chosen := -1
	for i := range f.members {
		if d.ends[frame+2*f.members[i].slot] != 0 {
			chosen = i
		}
	}
	if chosen < 0 {
		return append(dst, f.missing...), nil
	}
	dst = data.AppendPresence(dst, f.schema, true)
	var err error
	for i := range f.members {
		if i != chosen {
			dst = append(dst, f.members[i].missing...)
		} else if dst, err = d.field(dst, n, &f.members[i], b, frame); err != nil {
			return dst, err
		}
	}
	return dst, nil
}

// items appends a list or a map.
func (d *decoder) items(dst []byte, f *decField, b []byte, at int32) (_ []byte, err error) {
	start, count := len(dst), 0
	dst = append(dst, 0) // room for the count, see closeBlock
	for at != 0 {
		s := d.spans[at-1]
		at = s.next
		switch {
		case s.start < 0:
			var n int
			if dst, n, err = f.item.packedItems(dst, b[s.start&^packed:s.end]); err != nil {
				return dst, err
			}
			count += n
			continue
		case f.op == opMap:
			dst, err = d.message(dst, f.node, b[s.start:s.end])
		case f.item.op == opScalar:
			dst, err = f.item.scalar(data.AppendPresence(dst, f.item.schema, true), b[s.start:s.end])
		default:
			dst, err = d.value(data.AppendPresence(dst, f.item.schema, true), f.item, b[s.start:s.end])
		}
		if err != nil {
			return dst, fmt.Errorf("item %d: %w", count, err)
		}
		count++
	}
	return closeBlock(dst, start, count), nil
}

// closeBlock puts the count in front of the items, and ends the list.
func closeBlock(dst []byte, start, n int) []byte {
	if n == 0 {
		return data.AppendBlockEnd(dst[:start])
	}
	var head [10]byte
	count := data.AppendBlockStart(head[:0], n)
	if extra := len(count) - 1; extra > 0 {
		dst = append(dst, count[:extra]...)
		copy(dst[start+1+extra:], dst[start+1:len(dst)-extra])
	}
	copy(dst[start:], count)
	return data.AppendBlockEnd(dst)
}

func (f *decField) packedItems(dst, b []byte) (_ []byte, n int, err error) {
	typ := wireType(f.kind)
	if typ == protowire.BytesType {
		return dst, 0, javaerr.Data("a list of texts or messages cannot be packed")
	}
	for len(b) > 0 {
		size := protowire.ConsumeFieldValue(1, typ, b)
		if size < 0 {
			return dst, n, protowire.ParseError(size)
		}
		if dst, err = f.scalar(data.AppendPresence(dst, f.schema, true), b[:size]); err != nil {
			return dst, n, err
		}
		b = b[size:]
		n++
	}
	return dst, n, nil
}

// scalar appends the wire form of a scalar; no bytes are zero.
func (f *decField) scalar(dst, b []byte) ([]byte, error) {
	switch f.kind {
	case protoreflect.StringKind:
		if f.utf8 && !validUTF8(b) {
			return dst, javaerr.Data("Protocol message had invalid UTF-8.")
		}
		return data.AppendBytes(dst, b), nil
	case protoreflect.BytesKind:
		return data.AppendBytes(dst, b), nil
	case protoreflect.FloatKind:
		v, _ := protowire.ConsumeFixed32(b)
		return data.AppendFloat(dst, math.Float32frombits(v)), nil
	case protoreflect.DoubleKind:
		v, _ := protowire.ConsumeFixed64(b)
		return data.AppendDouble(dst, math.Float64frombits(v)), nil
	case protoreflect.Fixed32Kind:
		v, _ := protowire.ConsumeFixed32(b)
		return data.AppendLong(dst, int64(v)), nil
	case protoreflect.Sfixed32Kind:
		v, _ := protowire.ConsumeFixed32(b)
		return data.AppendLong(dst, f.narrowed(int64(int32(v)))), nil
	case protoreflect.Fixed64Kind, protoreflect.Sfixed64Kind:
		v, _ := protowire.ConsumeFixed64(b)
		return data.AppendLong(dst, int64(v)), nil
	}
	var u uint64
	if len(b) > 0 {
		u, _ = protowire.ConsumeVarint(b)
	}
	switch f.kind {
	case protoreflect.BoolKind:
		return data.AppendBool(dst, u != 0), nil
	case protoreflect.Sint32Kind:
		return data.AppendLong(dst, f.narrowed(protowire.DecodeZigZag(u&math.MaxUint32))), nil
	case protoreflect.Sint64Kind:
		return data.AppendLong(dst, protowire.DecodeZigZag(u)), nil
	case protoreflect.Uint32Kind:
		return data.AppendLong(dst, int64(uint32(u))), nil
	case protoreflect.Int32Kind:
		return data.AppendLong(dst, f.narrowed(int64(int32(u)))), nil
	case protoreflect.EnumKind:
		return f.symbol(dst, int32(u)), nil
	}
	return data.AppendLong(dst, int64(u)), nil
}

// narrowed wraps around as Java's byteValue and shortValue do.
func (f *decField) narrowed(v int64) int64 {
	switch f.narrow {
	case data.Int8:
		return int64(int8(v))
	case data.Int16:
		return int64(int16(v))
	}
	return v
}

func (f *decField) symbol(dst []byte, number int32) []byte {
	if f.symbols == nil {
		return data.AppendInt(dst, number)
	}
	if name, ok := f.symbols[number]; ok {
		return data.AppendString(dst, name)
	}
	return data.AppendString(dst, "UNKNOWN_ENUM_VALUE_"+f.enum+"_"+strconv.Itoa(int(number)))
}

// zero appends the default of a field that is not there.
func (f *decField) zero(dst []byte, d protoreflect.FieldDescriptor) ([]byte, error) {
	if !d.HasDefault() {
		if d.Kind() == protoreflect.EnumKind {
			return f.symbol(dst, int32(d.Enum().Values().Get(0).Number())), nil
		}
		return f.scalar(dst, nil)
	}
	switch v := d.Default(); d.Kind() {
	case protoreflect.StringKind:
		return data.AppendString(dst, v.String()), nil
	case protoreflect.BytesKind:
		return data.AppendBytes(dst, v.Bytes()), nil
	case protoreflect.FloatKind:
		return data.AppendFloat(dst, float32(v.Float())), nil
	case protoreflect.DoubleKind:
		return data.AppendDouble(dst, v.Float()), nil
	case protoreflect.BoolKind:
		return data.AppendBool(dst, v.Bool()), nil
	case protoreflect.EnumKind:
		return f.symbol(dst, int32(v.Enum())), nil
	case protoreflect.Uint32Kind, protoreflect.Uint64Kind, protoreflect.Fixed32Kind, protoreflect.Fixed64Kind:
		return data.AppendLong(dst, int64(v.Uint())), nil
	default:
		return data.AppendLong(dst, f.narrowed(v.Int())), nil
	}
}
