package protobuf

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/tailrace/tailrace/host/convert/javaerr"
	"github.com/tailrace/tailrace/sdk/go/data"
)

// written is the schema of values as it is registered.
type written struct {
	text    string
	message string // full name of the message
	imports []string
}

// writeSchema makes the .proto text of a Connect schema.
func writeSchema(o *options, s *data.Schema) (*written, error) {
	if s == nil {
		return nil, javaerr.Data("a value without a schema cannot be written with Protobuf; use a transform that gives it a schema")
	}
	w := &textWriter{o: o, imports: map[string]bool{}}
	full := w.nameOf(s)
	if s.Type() != data.StructType {
		name, ok := rootWrappers[s.Type()]
		if !ok || isLogical(s) {
			return nil, &javaerr.Error{Class: "java.lang.IllegalArgumentException", Message: "Unsupported root schema of type " + s.String()}
		}
		return &written{text: wrapperText, message: "google.protobuf." + name}, nil
	}
	space, name := o.split(full)
	m, err := w.message(name, s, 0)
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	b.WriteString("syntax = \"proto3\";\n")
	if space != "" {
		b.WriteString("package " + space + ";\n")
		full = space + "." + name
	} else {
		full = name
	}
	imports := slices.Sorted(maps.Keys(w.imports))
	if len(imports) > 0 {
		b.WriteByte('\n')
	}
	for _, file := range imports {
		b.WriteString("import \"" + file + "\";\n")
	}
	b.WriteByte('\n')
	m.print(&b, "")
	return &written{text: b.String(), message: full, imports: imports}, nil
}

var rootWrappers = map[data.Type]string{
	data.Int8: "Int32Value", data.Int16: "Int32Value", data.Int32: "Int32Value", data.Int64: "Int64Value", data.Float32: "FloatValue",
	data.Float64: "DoubleValue", data.Boolean: "BoolValue", data.String: "StringValue", data.Bytes: "BytesValue",
}

func isLogical(s *data.Schema) bool {
	_, decimal, _ := s.IsDecimal()
	return decimal || s.IsDate() || s.IsTime() || s.IsTimestamp()
}

func isUnion(s *data.Schema) bool {
	if s.Type() != data.StructType {
		return false
	}
	_, ok := s.Parameter(sumUnion)
	return ok || strings.HasPrefix(s.Name(), strings.TrimSuffix(unionPrefix, "."))
}

// messageText is a message that is being written.
type messageText struct {
	name   string
	fields []fieldText
	oneofs []oneofText
	nested []*messageText
	enums  []enumText
	next   int          // the next number for a field without one
	taken  map[int]bool // numbers
}

type fieldText struct {
	label, typ, name string
	number           int
	params           map[string]string
}

type oneofText struct {
	name   string
	fields []fieldText
}

type enumText struct {
	name   string
	values []enumValue
}

type enumValue struct {
	name   string
	number int
}

type textWriter struct {
	o       *options
	imports map[string]bool
	unnamed int
}

// nameOf is a schema's name, or the next one of those without.
func (w *textWriter) nameOf(s *data.Schema) string {
	if s.Name() != "" {
		return s.Name()
	}
	w.unnamed++
	return defaultName + strconv.Itoa(w.unnamed)
}

// plainName is the name without its package.
func (w *textWriter) plainName(s *data.Schema) string {
	full := w.nameOf(s)
	return w.o.scrubbed(full[strings.LastIndexByte(full, '.')+1:])
}

func (w *textWriter) message(name string, s *data.Schema, depth int) (*messageText, error) {
	if depth > maxDepth {
		return nil, javaerr.Data("the schema is nested more than %d deep", maxDepth)
	}
	m := &messageText{name: name, next: 1, taken: map[int]bool{}}
	for _, f := range s.Fields() {
		if n := givenNumber(f.Schema); n > 0 {
			m.taken[n] = true
		}
	}
	for _, f := range s.Fields() {
		if err := w.structField(m, f, depth); err != nil {
			return nil, fmt.Errorf("field %q: %w", f.Name, err)
		}
	}
	return m, nil
}

func (w *textWriter) structField(m *messageText, f data.Field, depth int) error {
	number := givenNumber(f.Schema)
	if isUnion(f.Schema) {
		if number == 0 {
			m.next++ // as Confluent's converter, which numbers the union as well
		}
		return w.union(m, f.Schema, depth)
	}
	if number == 0 {
		number, m.next = m.next, m.next+1
	}
	t, err := w.field(m, f.Schema, w.o.scrubbed(f.Name), number, false, depth)
	if err == nil {
		m.fields = append(m.fields, t)
	}
	return err
}

// givenNumber is the number that a schema read from Protobuf carries, 0 for others.
func givenNumber(s *data.Schema) int {
	text, _ := s.Parameter(tagParam)
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0
	}
	return n
}

func (w *textWriter) union(m *messageText, s *data.Schema, depth int) error {
	name, ok := s.Parameter(sumUnion)
	if !ok || !w.o.generalized {
		name = strings.TrimPrefix(s.Name(), unionPrefix)
		name = w.o.scrubbed(name[strings.LastIndexByte(name, '.')+1:])
	}
	one := oneofText{name: name}
	for _, f := range s.Fields() {
		number := givenNumber(f.Schema)
		if number == 0 {
			for m.taken[m.next] {
				m.next++
			}
			number, m.next = m.next, m.next+1
		}
		t, err := w.field(m, f.Schema, w.o.scrubbed(f.Name), number, true, depth)
		if err != nil {
			return fmt.Errorf("field %q: %w", f.Name, err)
		}
		one.fields = append(one.fields, t)
	}
	m.oneofs = append(m.oneofs, one)
	return nil
}

func (w *textWriter) field(m *messageText, s *data.Schema, name string, number int, member bool, depth int) (fieldText, error) {
	f := fieldText{name: name, number: number, params: map[string]string{}}
	switch {
	case s.Type() == data.Array || s.Type() == data.MapType:
		f.label = "repeated"
	case w.o.optionals && s.Optional() && !member:
		f.label = "optional"
	}
	if s.Type() == data.Array {
		if s = s.ValueSchema(); s == nil || s.Type() == data.Array || s.Type() == data.MapType {
			return f, &javaerr.Error{Class: "java.lang.IllegalArgumentException", Message: "Array cannot be nested"}
		}
	}
	if isUnion(s) {
		return f, javaerr.Data("Protobuf has no list or map of unions")
	}
	var err error
	if f.typ, err = w.typeName(s, name, f.params, member); err != nil {
		return f, err
	}
	switch {
	case isLogical(s):
	case s.Type() == data.StructType:
		if !m.has(f.typ) {
			nested, err := w.message(f.typ, s, depth+1)
			if err != nil {
				return f, err
			}
			m.nested = append(m.nested, nested)
		}
	case s.Type() == data.MapType:
		if m.has(f.typ) {
			return f, javaerr.Data("two maps of one struct would have entries of the same name %s; give the map schemas names", f.typ)
		}
		entry, err := w.entry(f.typ, s, depth+1)
		if err != nil {
			return f, err
		}
		m.nested = append(m.nested, entry)
	default:
		if err := w.enum(m, s); err != nil {
			return f, err
		}
	}
	if len(f.params) > 0 {
		w.imports[metaFile] = true
	}
	return f, nil
}

func (m *messageText) has(name string) bool {
	return slices.ContainsFunc(m.nested, func(n *messageText) bool { return n.name == name })
}

func (w *textWriter) entry(name string, s *data.Schema, depth int) (*messageText, error) {
	if s.KeySchema() == nil || s.ValueSchema() == nil {
		return nil, javaerr.Data("a map without schemas of its keys and values cannot be written")
	}
	m := &messageText{name: name, next: 1, taken: map[int]bool{}}
	for i, part := range []*data.Schema{s.KeySchema(), s.ValueSchema()} {
		f, err := w.field(m, part, []string{keyField, valueField}[i], i+1, false, depth)
		if err != nil {
			return nil, fmt.Errorf("map: %w", err)
		}
		m.fields = append(m.fields, f)
	}
	return m, nil
}

// enumOf is the name of a schema's enum and the prefix of its symbols' parameters.
func (o *options) enumOf(s *data.Schema) (name, prefix string, ok bool) {
	for _, key := range []string{sumEnum, enumParam} {
		if name, ok := s.Parameter(key); ok {
			prefix = enumParam + "."
			if o.generalized {
				prefix = sumEnum + "."
			}
			return name, prefix, true
		}
	}
	return "", "", false
}

func (w *textWriter) enum(m *messageText, s *data.Schema) error {
	name, prefix, ok := w.o.enumOf(s)
	if !ok || s.Type() != data.String && s.Type() != data.Int32 {
		return nil
	}
	name = w.o.scrubbed(name)
	if slices.ContainsFunc(m.enums, func(e enumText) bool { return e.name == name }) {
		return nil
	}
	e := enumText{name: name}
	for _, p := range s.Parameters() {
		symbol, ok := strings.CutPrefix(p.Key, prefix)
		if !ok {
			continue
		}
		number, err := strconv.Atoi(p.Value)
		if err != nil {
			return javaerr.Data("the number %q of the enum symbol %s is none", p.Value, symbol)
		}
		e.values = append(e.values, enumValue{symbol, number})
	}
	// Parameters have no order here; that of their numbers puts the zero first, as proto3 wants it.
	slices.SortStableFunc(e.values, func(a, b enumValue) int { return rank(a.number) - rank(b.number) })
	m.enums = append(m.enums, e)
	return nil
}

// rank puts 0 first and negative numbers last.
func rank(n int) int {
	if n < 0 {
		return 1<<31 - n
	}
	return n
}

// typeName is the type of a field, with what is to be noted beside it.
func (w *textWriter) typeName(s *data.Schema, field string, params map[string]string, member bool) (string, error) {
	if scale, ok, _ := s.IsDecimal(); ok {
		if p, ok := s.Parameter(precisionParam); ok {
			params[metaPrecision] = p
		}
		params[metaScale] = strconv.Itoa(int(scale))
		w.imports[decimalFile] = true
		return decimalType, nil
	}
	for _, l := range []struct {
		is        bool
		typ, file string
	}{{s.IsDate(), dateType, dateFile}, {s.IsTime(), timeType, timeFile}, {s.IsTimestamp(), timestampType, timestampFile}} {
		if l.is {
			w.imports[l.file] = true
			return l.typ, nil
		}
	}
	switch s.Type() {
	case data.MapType:
		return mapEntry(w.plainName(s)), nil
	case data.StructType:
		name := w.plainName(s)
		if name == field {
			name += "Message"
		}
		return name, nil
	}
	if name, _, ok := w.o.enumOf(s); ok && (s.Type() == data.String || s.Type() == data.Int32) {
		return w.o.scrubbed(name), nil
	}
	typ, ok := scalarNames[s.Type()]
	if !ok {
		return "", javaerr.Data("Unknown schema type: %s", s.Type())
	}
	switch s.Type() {
	case data.Int8:
		params[metaType] = "int8"
	case data.Int16:
		params[metaType] = "int16"
	case data.Int32, data.Int64:
		if given, ok := s.Parameter(typeParam); ok && wrapperOf[given] != "" {
			typ = given
		}
	}
	marked, _ := s.Parameter(wrapperParam)
	if w.o.wrappers && s.Optional() && (!member || marked == "true") {
		w.imports[wrapperFile] = true
		return "google.protobuf." + wrapperOf[typ], nil
	}
	return typ, nil
}

var scalarNames = map[data.Type]string{
	data.Int8: "int32", data.Int16: "int32", data.Int32: "int32", data.Int64: "int64", data.Float32: "float", data.Float64: "double",
	data.Boolean: "bool", data.String: "string", data.Bytes: "bytes",
}

func (m *messageText) print(b *strings.Builder, indent string) {
	b.WriteString(indent + "message " + m.name + " {\n")
	in := indent + "  "
	for _, f := range m.fields {
		f.print(b, in)
	}
	for _, o := range m.oneofs {
		b.WriteString("\n" + in + "oneof " + o.name + " {\n")
		for _, f := range o.fields {
			f.print(b, in+"  ")
		}
		b.WriteString(in + "}\n")
	}
	for _, n := range m.nested {
		b.WriteByte('\n')
		n.print(b, in)
	}
	for _, e := range m.enums {
		b.WriteString("\n" + in + "enum " + e.name + " {\n")
		for _, v := range e.values {
			b.WriteString(in + "  " + v.name + " = " + strconv.Itoa(v.number) + ";\n")
		}
		b.WriteString(in + "}\n")
	}
	b.WriteString(indent + "}\n")
}

func (f *fieldText) print(b *strings.Builder, in string) {
	b.WriteString(in)
	if f.label != "" {
		b.WriteString(f.label + " ")
	}
	b.WriteString(f.typ + " " + f.name + " = " + strconv.Itoa(f.number))
	if len(f.params) > 0 {
		b.WriteString(" [(confluent.field_meta) = {\n" + in + "  params: [\n")
		keys := slices.Sorted(maps.Keys(f.params))
		for i, key := range keys {
			comma := ","
			if i == len(keys)-1 {
				comma = ""
			}
			fmt.Fprintf(b, "%s    {\n%s      key: %q,\n%s      value: %q\n%s    }%s\n", in, in, key, in, f.params[key], in, comma)
		}
		b.WriteString(in + "  ]\n" + in + "}]")
	}
	b.WriteString(";\n")
}
