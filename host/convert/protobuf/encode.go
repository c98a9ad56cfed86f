package protobuf

import (
	"fmt"
	"math"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/tailrace/tailrace/host/convert/javaerr"
	"github.com/tailrace/tailrace/sdk/go/data"
)

// op is how a value that is not null is written.
type op uint8

const (
	opScalar op = iota
	opMessage
	opWrapper // a message with the scalar as its field 1
	opList
	opMap
	opUnion
	opDecimal
	opDate
	opTime
	opTimestamp
)

// encoder writes the values of a struct as a message.
type encoder struct {
	fields []encField
	// sorted tells that the fields' numbers rise, so that Java's order is that of the wire form.
	sorted bool
}

// encField writes one field of a struct.
type encField struct {
	op     op
	name   string
	schema *data.Schema
	tag    []byte
	number protowire.Number
	// presence: protobuf tells zero from nothing here. Without it zero is not written.
	presence bool
	strict   bool
	def      []byte // the wire form of what a null is written as; nil for nothing
	scalar   scalar
	message  *encoder  // opMessage; of a map, its entries
	item     *encField // opList: without presence
	packed   bool
	members  []encField // opUnion
}

// planEncode maps the fields of a struct to those of a message by name.
func planEncode(o *options, s *data.Schema, m protoreflect.MessageDescriptor, depth int) (*encoder, error) {
	if depth > maxDepth {
		return nil, javaerr.Data("the schema is nested more than %d deep", maxDepth)
	}
	e := &encoder{sorted: true}
	last := protowire.Number(0)
	for _, f := range s.Fields() {
		field, err := planField(o, f.Name, f.Schema, m, depth)
		if err != nil {
			return nil, fmt.Errorf("field %q: %w", f.Name, err)
		}
		for _, part := range append(field.members, field) {
			if part.op != opUnion {
				e.sorted = e.sorted && part.number > last && field.op != opUnion
				last = part.number
			}
		}
		e.fields = append(e.fields, field)
	}
	return e, nil
}

func planField(o *options, name string, s *data.Schema, m protoreflect.MessageDescriptor, depth int) (encField, error) {
	if isUnion(s) {
		f := encField{op: opUnion, name: name, schema: s, strict: o.strict}
		for _, part := range s.Fields() {
			member, err := planField(o, part.Name, part.Schema, m, depth+1)
			if err != nil {
				return f, fmt.Errorf("field %q: %w", part.Name, err)
			}
			f.members = append(f.members, member)
		}
		return f, nil
	}
	d := m.Fields().ByName(protoreflect.Name(o.scrubbed(name)))
	if d == nil {
		return encField{}, javaerr.Data("Cannot find field with name %s in the message %s", o.scrubbed(name), m.FullName())
	}
	return planValue(o, name, s, d, depth)
}

// planValue maps a schema to a field.
func planValue(o *options, name string, s *data.Schema, d protoreflect.FieldDescriptor, depth int) (f encField, err error) {
	f = encField{name: name, schema: s, number: d.Number(), presence: d.HasPresence(), strict: o.strict}
	if !o.ignoreDefault {
		f.def, _ = s.AppendDefault(nil)
	}
	f.tag = protowire.AppendTag(nil, d.Number(), wireType(d.Kind()))
	mismatch := func() (encField, error) {
		return f, javaerr.Data("a value of %s does not fit the field %s of type %s", s, d.FullName(), typeOf(d))
	}
	if s.Type() == data.Array || s.Type() == data.MapType {
		if !d.IsList() && !d.IsMap() {
			return mismatch()
		}
	} else if d.Cardinality() == protoreflect.Repeated {
		return mismatch()
	}
	switch s.Type() {
	case data.Array:
		f.op, f.packed = opList, d.IsPacked()
		item := single{d}
		v, err := planValue(o, name, s.ValueSchema(), item, depth+1)
		if err != nil {
			return f, err
		}
		v.presence, v.def = true, nil
		f.item = &v
		if f.packed {
			f.tag = protowire.AppendTag(nil, d.Number(), protowire.BytesType)
		}
		return f, nil
	case data.MapType:
		if d.Message() == nil {
			return mismatch()
		}
		f.op = opMap
		f.message, err = planEntry(o, s, d.Message(), depth)
		return f, err
	case data.StructType:
		if d.Message() == nil {
			return mismatch()
		}
		f.op = opMessage
		f.message, err = planEncode(o, s, d.Message(), depth+1)
		return f, err
	}
	if l, ok := logicalOp(s); ok {
		if d.Message() == nil || string(d.Message().FullName()) != logicalTypes[l] {
			return mismatch()
		}
		f.op = l
		return f, nil
	}
	if d.Message() != nil { // a wrapper
		inner := d.Message().Fields().ByNumber(1)
		if inner == nil || d.Message().Fields().Len() != 1 || inner.Message() != nil {
			return mismatch()
		}
		f.op, d = opWrapper, inner
	}
	if f.scalar, err = planScalar(s, d); err != nil {
		return mismatch()
	}
	return f, nil
}

// single is a list's field seen as one of its items.
type single struct{ protoreflect.FieldDescriptor }

func (single) IsList() bool                          { return false }
func (single) Cardinality() protoreflect.Cardinality { return protoreflect.Optional }

func typeOf(d protoreflect.FieldDescriptor) string {
	if d.Message() != nil {
		return string(d.Message().FullName())
	}
	return d.Kind().String()
}

func planEntry(o *options, s *data.Schema, m protoreflect.MessageDescriptor, depth int) (*encoder, error) {
	e := &encoder{sorted: true}
	for i, part := range []*data.Schema{s.KeySchema(), s.ValueSchema()} {
		name := []string{keyField, valueField}[i]
		if part == nil {
			return nil, javaerr.Data("a map without schemas of its keys and values cannot be written")
		}
		f, err := planField(o, name, part, m, depth+1)
		if err != nil {
			return nil, fmt.Errorf("%s of the map: %w", name, err)
		}
		e.fields = append(e.fields, f)
	}
	return e, nil
}

func logicalOp(s *data.Schema) (op, bool) {
	switch {
	case s.IsDate():
		return opDate, true
	case s.IsTime():
		return opTime, true
	case s.IsTimestamp():
		return opTimestamp, true
	}
	_, ok, _ := s.IsDecimal()
	return opDecimal, ok
}

var logicalTypes = map[op]string{opDecimal: decimalType, opDate: dateType, opTime: timeType, opTimestamp: timestampType}

func wireType(k protoreflect.Kind) protowire.Type {
	switch k {
	case protoreflect.Fixed32Kind, protoreflect.Sfixed32Kind, protoreflect.FloatKind:
		return protowire.Fixed32Type
	case protoreflect.Fixed64Kind, protoreflect.Sfixed64Kind, protoreflect.DoubleKind:
		return protowire.Fixed64Type
	case protoreflect.StringKind, protoreflect.BytesKind, protoreflect.MessageKind:
		return protowire.BytesType
	case protoreflect.GroupKind:
		return protowire.StartGroupType
	}
	return protowire.VarintType
}

// message appends the fields of a struct, without a length before them.
func (e *encoder) message(dst, wire []byte) (_, rest []byte, err error) {
	if !e.sorted {
		return e.reordered(dst, wire)
	}
	for i := range e.fields {
		if dst, wire, err = e.fields[i].field(dst, wire); err != nil {
			return dst, wire, err
		}
	}
	return dst, wire, nil
}

// reordered writes fields in the order of their numbers, as Java does.
func (e *encoder) reordered(dst, wire []byte) (_, rest []byte, err error) {
	type part struct {
		number protowire.Number
		bytes  []byte
	}
	parts := make([]part, 0, len(e.fields))
	for i := range e.fields {
		var b []byte
		if b, wire, err = e.fields[i].field(nil, wire); err != nil {
			return dst, wire, err
		}
		if len(b) > 0 {
			number, _, _ := protowire.ConsumeTag(b)
			parts = append(parts, part{number, b})
		}
	}
	slices.SortStableFunc(parts, func(a, b part) int { return int(a.number) - int(b.number) })
	for _, p := range parts {
		dst = append(dst, p.bytes...)
	}
	return dst, wire, nil
}

func (f *encField) field(dst, wire []byte) (_, rest []byte, err error) {
	if !f.schema.Optional() {
		return f.value(dst, wire)
	}
	present, wire, err := data.ReadPresence(f.schema, wire)
	switch {
	case err != nil:
		return dst, wire, f.fail(err)
	case present:
		return f.value(dst, wire)
	case f.def != nil:
		dst, _, err = f.value(dst, f.def)
		return dst, wire, err
	case f.strict && !f.presence && f.op != opUnion:
		return dst, wire, javaerr.Data("strict.values: the null of the optional field %q would be read back as a value; set optional.for.nullables=true or wrapper.for.nullables=true", f.name)
	}
	return dst, wire, nil
}

func (f *encField) fail(err error) error {
	return fmt.Errorf("field %q: %w", f.name, err)
}

// value appends a value that is not null with its tag.
func (f *encField) value(dst, wire []byte) (_, rest []byte, err error) {
	switch f.op {
	case opScalar:
		return f.scalarField(dst, wire)
	case opList:
		return f.list(dst, wire)
	case opMap:
		return f.entries(dst, wire)
	case opUnion:
		return f.union(dst, wire)
	}
	dst, start := begin(append(dst, f.tag...))
	switch f.op {
	case opMessage:
		dst, wire, err = f.message.message(dst, wire)
	case opWrapper:
		inner := encField{scalar: f.scalar, tag: f.scalar.tag, name: f.name, schema: f.schema}
		dst, wire, err = inner.scalarField(dst, wire)
	default:
		if dst, wire, err = logical(f.op, f.schema, dst, wire, f.strict); err != nil {
			err = f.fail(err)
		}
	}
	return end(dst, start), wire, err
}

func (f *encField) scalarField(dst, wire []byte) (_, rest []byte, err error) {
	mark := len(dst)
	dst = append(dst, f.tag...)
	dst, zero, wire, err := f.scalar.append(dst, wire)
	if err != nil {
		return dst[:mark], wire, f.fail(err)
	}
	if zero && !f.presence {
		dst = dst[:mark]
	}
	return dst, wire, nil
}

func (f *encField) list(dst, wire []byte) (_, rest []byte, err error) {
	start, items := 0, 0
	for {
		n, left, err := data.ReadBlock(wire, f.schema.ValueSchema().MinSize())
		if err != nil {
			return dst, wire, f.fail(err)
		}
		wire = left
		if n == 0 {
			if f.packed && items > 0 {
				dst = end(dst, start)
			}
			return dst, wire, nil
		}
		if f.packed && items == 0 {
			dst, start = begin(append(dst, f.tag...))
		}
		for range n {
			present, left, err := data.ReadPresence(f.item.schema, wire)
			if err != nil {
				return dst, wire, f.fail(err)
			}
			if wire = left; !present {
				return dst, wire, javaerr.Data("item %d of the field %q is null, and a list of Protobuf holds none", items, f.name)
			}
			if f.packed {
				dst, _, wire, err = f.item.scalar.append(dst, wire)
			} else {
				dst, wire, err = f.item.value(dst, wire)
			}
			if err != nil {
				return dst, wire, f.fail(err)
			}
			items++
		}
	}
}

func (f *encField) entries(dst, wire []byte) (_, rest []byte, err error) {
	for {
		n, left, err := data.ReadBlock(wire, f.schema.KeySchema().MinSize()+f.schema.ValueSchema().MinSize())
		if err != nil {
			return dst, wire, f.fail(err)
		}
		wire = left
		if n == 0 {
			return dst, wire, nil
		}
		for range n {
			var start int
			dst, start = begin(append(dst, f.tag...))
			if dst, wire, err = f.message.message(dst, wire); err != nil {
				return dst, wire, f.fail(err)
			}
			dst = end(dst, start)
		}
	}
}

// union writes the first member that is not null.
func (f *encField) union(dst, wire []byte) (_, rest []byte, err error) {
	written := false
	for i := range f.members {
		m := &f.members[i]
		present, left, err := data.ReadPresence(m.schema, wire)
		if err != nil {
			return dst, wire, m.fail(err)
		}
		switch {
		case present && written:
			if f.strict {
				return dst, wire, javaerr.Data("strict.values: the union %q has more than one value", f.name)
			}
			if left, err = data.SkipValue(m.schema, wire); err != nil {
				return dst, wire, m.fail(err)
			}
		case present:
			written = true
			if dst, left, err = m.value(dst, left); err != nil {
				return dst, wire, err
			}
		case m.def != nil && !written:
			written = true
			if dst, _, err = m.value(dst, m.def); err != nil {
				return dst, wire, err
			}
		}
		wire = left
	}
	if !written {
		return dst, wire, javaerr.Data("Cannot find non-null field in the union %q", f.name)
	}
	return dst, wire, nil
}

// begin leaves room for a length of one byte, the usual case.
func begin(dst []byte) (_ []byte, start int) { return append(dst, 0), len(dst) + 1 }

// end puts the length in front of what was written from start on.
func end(dst []byte, start int) []byte {
	n := uint64(len(dst) - start)
	if n < 0x80 {
		dst[start-1] = byte(n)
		return dst
	}
	extra := protowire.SizeVarint(n) - 1
	dst = append(dst, make([]byte, extra)...)
	copy(dst[start+extra:], dst[start:len(dst)-extra])
	protowire.AppendVarint(dst[:start-1], n)
	return dst
}

// scalar writes numbers, texts and bytes without their tags.
type scalar struct {
	from    data.Type
	kind    protoreflect.Kind
	tag     []byte // of field 1 of a wrapper
	symbols map[string]protoreflect.EnumNumber
	enum    string
}

func planScalar(s *data.Schema, d protoreflect.FieldDescriptor) (scalar, error) {
	k := scalar{from: s.Type(), kind: d.Kind(), tag: protowire.AppendTag(nil, d.Number(), wireType(d.Kind()))}
	ok := false
	switch s.Type() {
	case data.Int8, data.Int16, data.Int32, data.Int64:
		ok = isInteger(k.kind)
	case data.Float32:
		ok = k.kind == protoreflect.FloatKind
	case data.Float64:
		ok = k.kind == protoreflect.DoubleKind
	case data.Boolean:
		ok = k.kind == protoreflect.BoolKind
	case data.Bytes:
		ok = k.kind == protoreflect.BytesKind
	case data.String:
		ok = k.kind == protoreflect.StringKind
		if d.Enum() != nil {
			ok, k.enum = true, string(d.Enum().FullName())
			k.symbols = map[string]protoreflect.EnumNumber{}
			for i := range d.Enum().Values().Len() {
				v := d.Enum().Values().Get(i)
				k.symbols[string(v.Name())] = v.Number()
			}
		}
	}
	if !ok {
		return k, javaerr.Data("types differ")
	}
	return k, nil
}

func isInteger(k protoreflect.Kind) bool {
	switch k {
	case protoreflect.BoolKind, protoreflect.FloatKind, protoreflect.DoubleKind, protoreflect.StringKind, protoreflect.BytesKind,
		protoreflect.MessageKind, protoreflect.GroupKind:
		return false
	}
	return true
}

// append writes a value and tells whether it is the zero that protobuf leaves out.
func (k *scalar) append(dst, wire []byte) (_ []byte, zero bool, rest []byte, err error) {
	switch k.from {
	case data.Float32:
		v, rest, err := data.ReadFloat(wire)
		bits := math.Float32bits(v)
		return protowire.AppendFixed32(dst, bits), bits == 0, rest, err
	case data.Float64:
		v, rest, err := data.ReadDouble(wire)
		bits := math.Float64bits(v)
		return protowire.AppendFixed64(dst, bits), bits == 0, rest, err
	case data.Boolean:
		v, rest, err := data.ReadBool(wire)
		return protowire.AppendVarint(dst, protowire.EncodeBool(v)), !v, rest, err
	case data.String, data.Bytes:
		raw, rest, err := data.ReadBytes(wire)
		if err != nil {
			return dst, false, wire, err
		}
		if k.symbols != nil {
			n, ok := k.symbols[string(raw)]
			if !ok {
				return dst, false, wire, javaerr.Data("%q is no symbol of the enum %s", raw, k.enum)
			}
			return protowire.AppendVarint(dst, uint64(int64(n))), n == 0, rest, nil
		}
		if k.kind == protoreflect.StringKind && !validUTF8(raw) {
			return dst, false, wire, javaerr.Data("the text is not UTF-8, which Protobuf's strings are")
		}
		return protowire.AppendBytes(dst, raw), len(raw) == 0, rest, nil
	}
	v, rest, err := data.ReadLong(wire)
	if err != nil {
		return dst, false, wire, err
	}
	dst, err = k.integer(dst, v)
	return dst, v == 0, rest, err
}

func (k *scalar) integer(dst []byte, v int64) ([]byte, error) {
	low, high := int64(math.MinInt64), int64(math.MaxInt64)
	switch k.from {
	case data.Int8:
		low, high = math.MinInt8, math.MaxInt8
	case data.Int16:
		low, high = math.MinInt16, math.MaxInt16
	case data.Int32:
		low, high = math.MinInt32, math.MaxInt32
	}
	switch k.kind {
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind, protoreflect.EnumKind:
		low, high = max(low, math.MinInt32), min(high, math.MaxInt32)
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		low, high = max(low, math.MinInt32), min(high, math.MaxUint32)
	}
	if v < low || v > high {
		return dst, javaerr.Data("the number %d does not fit %s", v, k.kind)
	}
	switch k.kind {
	case protoreflect.Sint32Kind, protoreflect.Sint64Kind:
		return protowire.AppendVarint(dst, protowire.EncodeZigZag(v)), nil
	case protoreflect.Fixed32Kind, protoreflect.Sfixed32Kind:
		return protowire.AppendFixed32(dst, uint32(v)), nil
	case protoreflect.Fixed64Kind, protoreflect.Sfixed64Kind:
		return protowire.AppendFixed64(dst, uint64(v)), nil
	case protoreflect.Uint32Kind:
		return protowire.AppendVarint(dst, uint64(uint32(v))), nil
	}
	return protowire.AppendVarint(dst, uint64(v)), nil
}
