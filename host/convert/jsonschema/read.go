package jsonschema

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/tailrace/tailrace/host/convert/javaerr"
	"github.com/tailrace/tailrace/sdk/go/data"
)

// Read gives the Connect schema of a JSON Schema. refs are the documents that it
// refers to; version is that of the registry, 0 if unknown. relaxed makes every
// property optional that the JSON Schema does not require: Kafka Connect leaves
// them required and holds null in them all the same, which the wire form cannot.
func Read(o *Options, text string, refs []Document, version int, relaxed bool, values Values) (*data.Schema, error) {
	p := newParser()
	n, err := p.load(refs, text)
	if err != nil {
		return nil, err
	}
	r := &schemaReader{o: o, p: p, values: values, relaxed: relaxed, open: map[*node]bool{}}
	return r.schema(n, surroundings{version: version})
}

type schemaReader struct {
	o       *Options
	p       *parser
	values  Values
	relaxed bool
	open    map[*node]bool // what is being read, to find cycles
	unions  int
}

// surroundings are what a schema's surroundings say of it.
type surroundings struct {
	optional bool
	version  int
	depth    int
}

func in(err error, name string) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("property %q: %w", name, err)
}

func (r *schemaReader) schema(n *node, c surroundings) (*data.Schema, error) {
	if c.depth > maxDepth {
		return nil, bad("the schema is nested more than %d deep", maxDepth)
	}
	c.depth++
	if r.open[n] {
		return nil, javaerr.Data("the JSON Schema contains itself; such schemas cannot be read, because schemas of the plugin protocol have no cycles")
	}
	r.open[n] = true
	defer delete(r.open, n)
	var b *data.Builder
	var err error
	switch n.kind {
	case kindReference:
		to, err := r.p.target(n)
		if err != nil {
			return nil, err
		}
		return r.schema(to, c)
	case kindCombined:
		if s, done, err := r.combined(n, c); done || err != nil {
			return s, err
		}
		b, err = r.union(n, c)
	case kindBoolean:
		b = data.NewPrimitive(data.Boolean)
	case kindNumber, kindString:
		b, err = primitive(n)
	case kindEnum, kindConst:
		b = r.enum(n.values)
	case kindArray:
		b, err = r.array(n, c)
	case kindObject:
		b, err = r.object(n, c)
	default:
		err = javaerr.Data("Unsupported schema type %s", n.javaClass())
	}
	if err != nil {
		return nil, err
	}
	return r.finish(b, n, c)
}

var javaClasses = map[kind]string{kindEmpty: "EmptySchema", kindNull: "NullSchema"}

func (n *node) javaClass() string {
	name, ok := javaClasses[n.kind]
	if !ok {
		name = map[string]string{"not": "NotSchema", "if": "ConditionalSchema", "false": "FalseSchema"}[n.what]
	}
	return "org.everit.json.schema." + name
}

func primitive(n *node) (*data.Builder, error) {
	name, _ := n.own.text(propType)
	if n.kind == kindString {
		if name == connectBytes {
			return data.NewPrimitive(data.Bytes), nil
		}
		return data.NewPrimitive(data.String), nil
	}
	if name == "" && n.integer {
		return data.NewPrimitive(data.Int64), nil
	}
	if name == "" {
		return data.NewPrimitive(data.Float64), nil
	}
	t, ok := connectTypes[name]
	if !ok {
		return nil, &javaerr.Error{Class: "java.lang.IllegalArgumentException", Message: "Unsupported type " + name}
	}
	return data.NewPrimitive(t), nil
}

func (r *schemaReader) enum(values []any) *data.Builder {
	key := enumParam
	if r.o.GeneralizedSumTypes {
		key = sumEnum
	}
	b := data.NewPrimitive(data.String).Param(key, "")
	for i, v := range values {
		symbol := nullMarker
		switch v := v.(type) {
		case nil:
		case string:
			symbol = v
		default:
			symbol = string(appendJSON(nil, v))
		}
		text := symbol
		if r.o.GeneralizedSumTypes {
			text = strconv.Itoa(i)
		}
		b.Param(key+"."+symbol, text)
	}
	return b
}

// combined handles what is no union: one part, allOf, and null with one other.
func (r *schemaReader) combined(n *node, c surroundings) (*data.Schema, bool, error) {
	if len(n.parts) == 1 && r.o.FlattenSingleton {
		s, err := r.schema(n.parts[0], surroundings{depth: c.depth})
		return s, true, err
	}
	if !n.oneOf {
		s, err := r.allOf(n, c)
		return s, true, err
	}
	if len(n.parts) == 2 {
		for i, part := range n.parts {
			if part.kind == kindNull {
				c.optional = true
				s, err := r.schema(n.parts[1-i], c)
				return s, true, err
			}
		}
	}
	return nil, false, nil
}

func (r *schemaReader) union(n *node, c surroundings) (*data.Builder, error) {
	b := data.NewStruct()
	field := UnionName + ".field."
	if r.o.GeneralizedSumTypes {
		name := sumPrefix + strconv.Itoa(r.unions)
		r.unions++
		b.Name(name).Param(sumUnion, name)
		field = sumField
	} else {
		b.Name(UnionName)
	}
	i := 0
	for _, part := range n.parts {
		if part.kind == kindNull {
			b.Optional()
			continue
		}
		s, err := r.schema(part, surroundings{optional: true, depth: c.depth})
		if err != nil {
			return nil, in(err, field+strconv.Itoa(i))
		}
		b.Field(field+strconv.Itoa(i), s)
		i++
	}
	return b, nil
}

func (r *schemaReader) array(n *node, c surroundings) (*data.Builder, error) {
	if n.items == nil {
		return nil, javaerr.Data("Array schema did not specify the items type")
	}
	if name, _ := n.own.text(propType); name == connectMap && n.items.kind == kindObject {
		key, value := n.items.object.props[KeyField], n.items.object.props[ValueField]
		if key == nil || value == nil {
			return nil, javaerr.Data("the items of a map have no properties %s and %s", KeyField, ValueField)
		}
		k, err := r.schema(key, surroundings{depth: c.depth})
		if err != nil {
			return nil, in(err, KeyField)
		}
		v, err := r.schema(value, surroundings{depth: c.depth})
		if err != nil {
			return nil, in(err, ValueField)
		}
		return data.NewMap(k, v), nil
	}
	items, err := r.schema(n.items, surroundings{depth: c.depth})
	if err != nil {
		return nil, in(err, "items")
	}
	return data.NewArray(items), nil
}

func (r *schemaReader) object(n *node, c surroundings) (*data.Builder, error) {
	if name, _ := n.own.text(propType); name == connectMap {
		if n.object.extra == nil {
			return nil, javaerr.Data("a map has no schema of its values (additionalProperties)")
		}
		values, err := r.schema(n.object.extra, surroundings{depth: c.depth})
		if err != nil {
			return nil, in(err, "additionalProperties")
		}
		return data.NewMap(data.StringSchema, values), nil
	}
	// As in Java, a property without connect.index takes the number of those before it, and of two with one number the later stays.
	type place struct {
		index int64
		name  string
	}
	var places []place
	for _, name := range n.object.names {
		index, ok := n.object.props[name].wholeNumber(propIndex)
		if !ok {
			index = int64(len(places))
		}
		if i := slices.IndexFunc(places, func(p place) bool { return p.index == index }); i >= 0 {
			places[i].name = name
			continue
		}
		places = append(places, place{index, name})
	}
	slices.SortStableFunc(places, func(a, b place) int { return int(min(max(a.index-b.index, -1), 1)) })
	b := data.NewStruct()
	for _, p := range places {
		optional := (r.o.OptionalNonRequired || r.relaxed) && !slices.Contains(n.object.required, p.name)
		s, err := r.schema(n.object.props[p.name], surroundings{optional: optional, depth: c.depth})
		if err != nil {
			return nil, in(err, p.name)
		}
		b.Field(p.name, s)
	}
	return b, nil
}

// allOf merges what must all hold.
func (r *schemaReader) allOf(n *node, c surroundings) (*data.Schema, error) {
	var constant, enum, number, text, combined, reference *node
	m := &merged{props: map[string]*node{}, required: map[string]bool{}}
	for _, part := range n.parts {
		switch part.kind {
		case kindConst:
			constant = part
		case kindEnum:
			enum = part
		case kindNumber:
			number = part
		case kindString:
			text = part
		case kindCombined:
			combined = part
		case kindReference:
			reference = part
		}
		if err := m.collect(r.p, part, map[*node]bool{}); err != nil {
			return nil, err
		}
	}
	switch {
	case len(m.names) > 0:
		b := data.NewStruct()
		for _, name := range m.names {
			optional := (r.o.OptionalNonRequired || r.relaxed) && !m.required[name]
			s, err := r.schema(m.props[name], surroundings{optional: optional, depth: c.depth})
			if err != nil {
				return nil, in(err, name)
			}
			b.Field(name, s)
		}
		return build(b.SetOptional(c.optional))
	case combined != nil:
		return r.schema(combined, c)
	case constant != nil && text != nil:
		return r.schema(text, c)
	case constant != nil && number != nil, constant == nil && enum != nil && text == nil && number != nil:
		return r.schema(number, c)
	case constant == nil && enum != nil && text != nil:
		return r.schema(enum, c)
	case constant == nil && enum == nil && text != nil && number != nil:
		return r.schema(number, c)
	case constant == nil && enum == nil && text != nil:
		return r.schema(text, c)
	case constant == nil && enum == nil && reference != nil:
		return r.schema(reference, c)
	}
	return nil, &javaerr.Error{Class: "java.lang.IllegalArgumentException", Message: "Unsupported criterion allOf: its parts have neither properties nor one type"}
}

// merged are the properties of all parts.
type merged struct {
	names    []string
	props    map[string]*node
	required map[string]bool
}

func (m *merged) collect(p *parser, n *node, seen map[*node]bool) error {
	if seen[n] {
		return nil
	}
	seen[n] = true
	switch {
	case n.kind == kindCombined && !n.oneOf:
		for _, part := range n.parts {
			if err := m.collect(p, part, seen); err != nil {
				return err
			}
		}
	case n.kind == kindObject:
		for _, name := range n.object.names {
			if _, ok := m.props[name]; !ok {
				m.names = append(m.names, name)
			}
			m.props[name] = n.object.props[name]
			m.required[name] = slices.Contains(n.object.required, name)
		}
	case n.kind == kindReference:
		to, err := p.target(n)
		if err != nil {
			return err
		}
		return m.collect(p, to, seen)
	}
	return nil
}

// finish sets name, version, doc, parameters, default and optional.
func (r *schemaReader) finish(b *data.Builder, n *node, c surroundings) (*data.Schema, error) {
	have, err := build(b.Clone())
	if err != nil {
		return nil, err
	}
	if n.hasTitle && !have.HasName() {
		b.Name(n.title)
	}
	if v, ok := n.wholeNumber(propVersion); ok {
		b.Version(int32(v))
	} else if c.version > 0 {
		b.Version(int32(c.version))
	}
	if n.hasDoc {
		b.Doc(n.doc)
	}
	if params, ok := n.own.values[propParams].(*object); ok {
		for _, name := range params.names {
			text, ok := params.values[name].(string)
			if !ok {
				return nil, javaerr.Data("the value of %s in %s is not text", name, propParams)
			}
			b.Param(name, text)
		}
	}
	if err := r.defaultValue(b, n, have.Optional()); err != nil {
		return nil, err
	}
	if c.optional {
		b.Optional()
	}
	return build(b)
}

func (r *schemaReader) defaultValue(b *data.Builder, n *node, optional bool) error {
	if !n.hasDefault {
		return nil
	}
	if n.def == nil {
		if optional {
			return nil
		}
		s, err := build(b.Clone())
		if err != nil {
			return err
		}
		return javaerr.Data("Invalid null value for required %s field", s.Type())
	}
	required, err := build(b.Clone().SetOptional(false))
	if err != nil {
		return err
	}
	wire, err := r.values.ReadDefault(required, appendJSON(nil, n.def))
	if err != nil {
		return fmt.Errorf("the default: %w", err)
	}
	b.WireDefault(wire)
	return nil
}

func build(b *data.Builder) (*data.Schema, error) {
	s, err := b.Build()
	if err != nil {
		return nil, &javaerr.Error{Class: "org.apache.kafka.connect.errors.SchemaBuilderException", Message: err.Error()}
	}
	return s, nil
}

// Title is the title at the top of a schema's text, "" without one.
func Title(text string) string {
	v, err := parseJSON([]byte(text))
	if err != nil {
		return ""
	}
	o, ok := v.(*object)
	if !ok {
		return ""
	}
	title, _ := o.text("title")
	return title
}
