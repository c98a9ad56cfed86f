package protobuf

import (
	"fmt"
	"strconv"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/tailrace/tailrace/host/convert/javaerr"
	"github.com/tailrace/tailrace/sdk/go/data"
)

// readPlan is what messages of a descriptor need to become values.
type readPlan struct {
	schema *data.Schema
	root   *decoderNode
	// wrapped: the value is field 1 of the message.
	wrapped bool
}

// readSchema maps a message; version is that of the registry, 0 if unknown.
func readSchema(o *options, m protoreflect.MessageDescriptor, version int) (*readPlan, error) {
	r := &schemaReader{o: o, open: map[protoreflect.FullName]bool{}}
	if o.rawWrappers {
		if b, ok := unwrapped(m); ok {
			if version > 0 {
				b.Version(int32(version))
			}
			s, err := build(b)
			if err != nil {
				return nil, err
			}
			d := m.Fields().ByNumber(1)
			f, err := leaf(o, s, d)
			if err != nil {
				return nil, err
			}
			return &readPlan{schema: s, root: newNode([]decField{f}, m), wrapped: true}, nil
		}
	}
	b, node, err := r.message(m, 0)
	if err != nil {
		return nil, err
	}
	if version > 0 {
		b.Version(int32(version))
	}
	s, err := build(b)
	if err != nil {
		return nil, err
	}
	return &readPlan{schema: s, root: node}, nil
}

type schemaReader struct {
	o    *options
	open map[protoreflect.FullName]bool
}

func build(b *data.Builder) (*data.Schema, error) {
	s, err := b.Build()
	if err != nil {
		return nil, &javaerr.Error{Class: "org.apache.kafka.connect.errors.SchemaBuilderException", Message: err.Error()}
	}
	return s, nil
}

// unwrapped is the schema of a wrapper's value.
func unwrapped(m protoreflect.MessageDescriptor) (*data.Builder, bool) {
	name, ok := strings.CutPrefix(string(m.FullName()), "google.protobuf.")
	if !ok || m.Fields().Len() != 1 || m.Fields().ByNumber(1) == nil {
		return nil, false
	}
	t, ok := map[string]data.Type{
		"DoubleValue": data.Float64, "FloatValue": data.Float32, "Int64Value": data.Int64, "UInt64Value": data.Int64, "Int32Value": data.Int32,
		"UInt32Value": data.Int64, "BoolValue": data.Boolean, "StringValue": data.String, "BytesValue": data.Bytes,
	}[name]
	if !ok {
		return nil, false
	}
	return data.NewPrimitive(t), true
}

func (r *schemaReader) message(m protoreflect.MessageDescriptor, depth int) (*data.Builder, *decoderNode, error) {
	if depth > maxDepth {
		return nil, nil, javaerr.Data("the messages are nested more than %d deep", maxDepth)
	}
	if r.open[m.FullName()] {
		return nil, nil, javaerr.Data("the message %s contains itself; such schemas cannot be read, because schemas of the plugin protocol have no cycles", m.FullName())
	}
	r.open[m.FullName()] = true
	defer delete(r.open, m.FullName())
	b := data.NewStruct().Name(r.name(m))
	var fields []decField
	add := func(name string, f decField, err error) error {
		if err != nil {
			return fmt.Errorf("field %q: %w", name, err)
		}
		b.Field(name, f.schema)
		fields = append(fields, f)
		return nil
	}
	for i := range m.Oneofs().Len() {
		one := m.Oneofs().Get(i)
		if one.IsSynthetic() {
			continue
		}
		if !r.o.flatten {
			f, err := r.union(one, depth)
			if err := add(r.unionField(one), f, err); err != nil {
				return nil, nil, err
			}
			continue
		}
		for j := range one.Fields().Len() {
			d := one.Fields().Get(j)
			f, err := r.field(d, true, depth)
			if err := add(string(d.Name()), f, err); err != nil {
				return nil, nil, err
			}
		}
	}
	for i := range m.Fields().Len() {
		d := m.Fields().Get(i)
		if inOneof(d) {
			continue
		}
		f, err := r.field(d, false, depth)
		if err := add(string(d.Name()), f, err); err != nil {
			return nil, nil, err
		}
	}
	return b, newNode(fields, m), nil
}

func inOneof(d protoreflect.FieldDescriptor) bool {
	return d.ContainingOneof() != nil && !d.ContainingOneof().IsSynthetic()
}

func (r *schemaReader) name(d protoreflect.Descriptor) string {
	if r.o.enhanced {
		return string(d.FullName())
	}
	return string(d.Name())
}

func (r *schemaReader) unionField(one protoreflect.OneofDescriptor) string {
	if r.o.unionIndex {
		return string(one.Name()) + "_" + strconv.Itoa(one.Index())
	}
	return string(one.Name())
}

func (r *schemaReader) union(one protoreflect.OneofDescriptor, depth int) (decField, error) {
	b := data.NewStruct().Optional()
	if r.o.generalized {
		b.Name(string(one.Name())).Param(sumUnion, string(one.Name()))
	} else {
		b.Name(unionPrefix + r.name(one))
	}
	f := decField{op: opUnion}
	for i := range one.Fields().Len() {
		d := one.Fields().Get(i)
		m, err := r.field(d, true, depth)
		if err != nil {
			return f, fmt.Errorf("%s: %w", d.Name(), err)
		}
		b.Field(string(d.Name()), m.schema)
		f.members = append(f.members, m)
	}
	var err error
	f.schema, err = build(b)
	f.missing = data.AppendPresence(nil, f.schema, false)
	return f, err
}

// field maps a field. member tells that it is part of a oneof.
func (r *schemaReader) field(d protoreflect.FieldDescriptor, member bool, depth int) (f decField, err error) {
	b, err := r.builder(&f, d, depth)
	if err != nil {
		return f, err
	}
	f.slot = d.Index()
	if d.Cardinality() == protoreflect.Repeated && f.op != opMap {
		inner := f
		if inner.schema, err = build(b.Optional()); err != nil {
			return f, err
		}
		f = decField{op: opList, slot: d.Index(), item: &inner}
		b = data.NewArray(inner.schema).Optional()
	}
	_, wrapper := unwrappedField(d)
	switch {
	case member:
		b.Optional()
		if r.o.wrappers && wrapper {
			b.Param(wrapperParam, "true")
		}
	case r.o.optionals && hasOptional(d), !r.o.optionals && !r.o.wrappers:
		b.Optional()
	case r.nullable(d):
		// Java holds null under a required schema here, which the wire form cannot.
		b.Optional()
	}
	b.Param(tagParam, strconv.Itoa(int(d.Number())))
	if f.schema, err = build(b); err != nil {
		return f, err
	}
	return f, r.absent(&f, d)
}

// nullable tells that a plain field that is not there is null and not zero.
func (r *schemaReader) nullable(d protoreflect.FieldDescriptor) bool {
	if d.Cardinality() == protoreflect.Repeated || d.Message() != nil {
		return false
	}
	if d.HasOptionalKeyword() && d.Syntax() == protoreflect.Proto3 {
		return true
	}
	return r.o.proto2Optionals && hasOptional(d)
}

// hasOptional tells that a field was declared optional.
func hasOptional(d protoreflect.FieldDescriptor) bool {
	return d.HasOptionalKeyword() && d.Cardinality() == protoreflect.Optional
}

// absent prepares what a field that is not there is read as.
func (r *schemaReader) absent(f *decField, d protoreflect.FieldDescriptor) error {
	null := data.AppendPresence(nil, f.schema, false)
	present := data.AppendPresence(nil, f.schema, true)
	switch {
	case inOneof(d):
		f.missing = null
	case f.op == opList, f.op == opMap:
		f.missing = data.AppendBlockEnd(present)
	case d.Message() != nil && !r.o.structForNull:
		f.missing = null
	case d.Message() != nil:
		var e error
		dec := decoder{}
		if f.missing, e = dec.value(present, f, nil); e != nil {
			return fmt.Errorf("generate.struct.for.nulls: %w", e)
		}
	case r.nullable(d):
		f.missing = null
	case d.Cardinality() == protoreflect.Required:
		f.required = true
	default:
		var e error
		f.missing, e = f.zero(present, d)
		return e
	}
	return nil
}

// unwrappedField tells that a field is of a wrapper type.
func unwrappedField(d protoreflect.FieldDescriptor) (*data.Builder, bool) {
	if d.Message() == nil {
		return nil, false
	}
	return unwrapped(d.Message())
}

// builder maps a field as if it were not repeated.
func (r *schemaReader) builder(f *decField, d protoreflect.FieldDescriptor, depth int) (*data.Builder, error) {
	if d.Message() == nil {
		f.op = opScalar
		f.kind, f.utf8 = d.Kind(), d.Syntax() != protoreflect.Proto2
		return r.scalar(f, d)
	}
	if b, ok := r.wellKnown(f, d); ok {
		return b.Optional(), nil
	}
	if r.o.wrappers {
		if b, ok := unwrapped(d.Message()); ok {
			inner := d.Message().Fields().ByNumber(1)
			f.op, f.kind, f.utf8 = opWrapper, inner.Kind(), true
			return b.Optional(), nil
		}
	}
	if isMap(d) {
		return r.mapping(f, d.Message(), depth)
	}
	b, node, err := r.message(d.Message(), depth+1)
	if err != nil {
		return nil, err
	}
	f.op, f.node = opMessage, node
	return b.Optional(), nil
}

func isMap(d protoreflect.FieldDescriptor) bool {
	if d.Cardinality() != protoreflect.Repeated {
		return false
	}
	fields := d.Message().Fields()
	return strings.HasSuffix(string(d.Message().Name()), entrySuffix) && fields.Len() == 2 &&
		fields.Get(0).Name() == keyField && fields.Get(1).Name() == valueField &&
		fields.Get(0).Cardinality() != protoreflect.Repeated && fields.Get(1).Cardinality() != protoreflect.Repeated
}

func (r *schemaReader) mapping(f *decField, m protoreflect.MessageDescriptor, depth int) (*data.Builder, error) {
	var parts [2]decField
	for i := range parts {
		part, err := r.field(m.Fields().Get(i), false, depth+1)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", m.Fields().Get(i).Name(), err)
		}
		parts[i] = part
	}
	f.op, f.node = opMap, newNode(parts[:], m)
	return data.NewMap(parts[0].schema, parts[1].schema).Name(mapField(r.name(m))).Optional(), nil
}

func (r *schemaReader) wellKnown(f *decField, d protoreflect.FieldDescriptor) (*data.Builder, bool) {
	switch string(d.Message().FullName()) {
	case decimalType:
		f.op = opDecimal
		meta := metaOf(d)
		scale, _ := strconv.ParseInt(meta[metaScale], 10, 32)
		b := data.NewDecimal(int32(scale))
		if p, err := strconv.ParseInt(meta[metaPrecision], 10, 32); err == nil {
			b.Param(precisionParam, strconv.FormatInt(p, 10))
		}
		return b, true
	case dateType:
		f.op = opDate
		return data.NewDate(), true
	case timeType:
		f.op = opTime
		return data.NewTime(), true
	case timestampType:
		f.op = opTimestamp
		return data.NewTimestamp(), true
	}
	return nil, false
}

func (r *schemaReader) scalar(f *decField, d protoreflect.FieldDescriptor) (*data.Builder, error) {
	switch d.Kind() {
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		switch metaOf(d)[metaType] {
		case "int8":
			f.narrow = data.Int8
			return data.NewPrimitive(data.Int8), nil
		case "int16":
			f.narrow = data.Int16
			return data.NewPrimitive(data.Int16), nil
		}
		b := data.NewPrimitive(data.Int32)
		if d.Kind() != protoreflect.Int32Kind {
			b.Param(typeParam, d.Kind().String())
		}
		return b, nil
	case protoreflect.FloatKind:
		return data.NewPrimitive(data.Float32), nil
	case protoreflect.DoubleKind:
		return data.NewPrimitive(data.Float64), nil
	case protoreflect.BoolKind:
		return data.NewPrimitive(data.Boolean), nil
	case protoreflect.StringKind:
		return data.NewPrimitive(data.String), nil
	case protoreflect.BytesKind:
		return data.NewPrimitive(data.Bytes), nil
	case protoreflect.EnumKind:
		return r.enum(f, d.Enum()), nil
	case protoreflect.GroupKind:
		return nil, javaerr.Data("Unknown Connect schema type: GROUP")
	}
	b := data.NewPrimitive(data.Int64)
	if d.Kind() != protoreflect.Int64Kind {
		b.Param(typeParam, d.Kind().String())
	}
	return b, nil
}

func (r *schemaReader) enum(f *decField, e protoreflect.EnumDescriptor) *data.Builder {
	b := data.NewPrimitive(data.String)
	if r.o.intEnums {
		b = data.NewPrimitive(data.Int32)
	} else {
		f.symbols, f.enum = map[int32]string{}, string(e.Name())
	}
	b.Name(r.name(e)).Optional()
	key := enumParam
	if r.o.generalized {
		key = sumEnum
	}
	b.Param(key, string(e.Name()))
	for i := range e.Values().Len() {
		v := e.Values().Get(i)
		b.Param(key+"."+string(v.Name()), strconv.Itoa(int(v.Number())))
		if _, again := f.symbols[int32(v.Number())]; f.symbols != nil && !again {
			f.symbols[int32(v.Number())] = string(v.Name())
		}
	}
	return b
}

// leaf is the field of a wrapper that is the whole value.
func leaf(_ *options, s *data.Schema, d protoreflect.FieldDescriptor) (decField, error) {
	f := decField{op: opScalar, kind: d.Kind(), utf8: true, schema: s, slot: d.Index()}
	var err error
	f.missing, err = f.zero(nil, d)
	return f, err
}
