package evolution

import (
	"fmt"
	"slices"

	"github.com/tailrace/tailrace/sdk/go/data"
)

// Projection turns values of one schema into values of another. It is for one goroutine.
type Projection struct {
	// Schema is that of the values that come out: the plugin's schema without what is not known.
	Schema *data.Schema
	root   *node
}

// node says how one part of a value is projected.
type node struct {
	path     string
	from, to *data.Schema
	same     bool // the bytes stay as they are
	// bare is from without null, where the bytes behind the union index stay as they are; nil for the cases below.
	bare   *data.Schema
	fields []field // of a struct, by field of to
	item   *node   // of an array, or of the values of a map
	widen  bool    // FLOAT32 to FLOAT64

	parts [][]byte // the fields of the struct at hand
}

// field is one field of a projected struct.
type field struct {
	place int    // in from; -1 when it is not there
	fill  []byte // what stands for it then
	node  *node
}

// planner works out a projection. It gathers what cannot be projected.
type planner struct{ refused comparison }

func project(known, read, schema *data.Schema) (*Projection, []Change) {
	p := &planner{}
	root := p.plan("", known, read, schema)
	if len(p.refused.changes) > 0 {
		return nil, p.refused.changes
	}
	return &Projection{Schema: root.to, root: root}, nil
}

// plan gives nil when it refuses.
func (p *planner) plan(path string, known, read, schema *data.Schema) *node {
	changes := Compare(known, read)
	switch {
	case len(changes) == 0:
		return &node{path: path, from: schema, to: schema, same: true}
	case known == nil || read == nil || schema == nil || schema.Type() != read.Type():
		return p.refuse(path, known, read)
	case known.Type() != read.Type():
		if !widens(read, known) {
			return p.refuse(path, known, read)
		}
	case known.Type() != data.StructType && known.Name() != read.Name():
		return p.refuse(path, known, read)
	}
	n := &node{path: path, from: schema}
	var b *data.Builder
	switch known.Type() {
	case data.StructType:
		b = data.NewStruct()
		p.fields(n, b, known, read, schema)
	case data.Array:
		if n.item = p.plan(path+"[]", known.ValueSchema(), read.ValueSchema(), schema.ValueSchema()); n.item != nil {
			b = data.NewArray(n.item.to).Schemaless()
		}
	case data.MapType:
		if len(Compare(known.KeySchema(), read.KeySchema())) > 0 {
			return p.refuse(path+"{key}", known.KeySchema(), read.KeySchema())
		}
		if n.item = p.plan(path+"{}", known.ValueSchema(), read.ValueSchema(), schema.ValueSchema()); n.item != nil {
			b = data.NewMap(schema.KeySchema(), n.item.to).Schemaless()
		}
	default:
		b = data.NewPrimitive(known.Type())
		if n.widen = known.Type() == data.Float64 && schema.Type() == data.Float32; !n.widen {
			n.bare = p.built(path, schema.ToBuilder().SetOptional(false).Default(nil))
		}
	}
	if b == nil || len(p.refused.changes) > 0 {
		return nil
	}
	n.to = p.built(path, attributes(b, known, read, schema))
	return n
}

func (p *planner) refuse(path string, known, read *data.Schema) *node {
	p.refused.schemas(path, known, read)
	return nil
}

func (p *planner) built(path string, b *data.Builder) *data.Schema {
	s, err := b.Build()
	if err != nil {
		p.refused.add(path, "has no schema without what is new: %s", err)
	}
	return s
}

// widens reports whether every value of one type is a value of another, which costs nothing or next to it on the wire.
func widens(from, to *data.Schema) bool {
	if from.Name() != to.Name() || from.Name() != "" {
		return false
	}
	integers := []data.Type{data.Int8, data.Int16, data.Int32, data.Int64}
	f, t := slices.Index(integers, from.Type()), slices.Index(integers, to.Type())
	return f >= 0 && t > f || from.Type() == data.Float32 && to.Type() == data.Float64
}

// fields plans the fields of a struct in the order of the known one.
func (p *planner) fields(n *node, b *data.Builder, known, read, schema *data.Schema) {
	n.parts = make([][]byte, len(schema.Fields()))
	for _, f := range known.Fields() {
		r, ok := read.Field(f.Name)
		if !ok {
			fill, ok := missing(f.Schema)
			if !ok {
				p.refused.add(below(n.path, f.Name), "is gone (%s), and may not be", describe(f.Schema))
				continue
			}
			b.Field(f.Name, f.Schema)
			n.fields = append(n.fields, field{place: -1, fill: fill})
			continue
		}
		place := original(r, read, schema)
		if place < 0 {
			p.refused.add(below(n.path, f.Name), "is not found again in the plugin's schema")
			continue
		}
		own := schema.Fields()[place]
		if child := p.plan(below(n.path, f.Name), f.Schema, r.Schema, own.Schema); child != nil {
			b.Field(own.Name, child.to)
			n.fields = append(n.fields, field{place: place, node: child})
		}
	}
}

// original finds a field that was read back among the fields as they were: by its name, or by its place where names had
// to change on the way.
func original(r data.Field, read, schema *data.Schema) int {
	named := true
	for _, f := range read.Fields() {
		_, ok := schema.Field(f.Name)
		named = named && ok
	}
	if named {
		f, _ := schema.Field(r.Name)
		return f.Index
	}
	if len(read.Fields()) != len(schema.Fields()) {
		return -1
	}
	return r.Index
}

// missing is the value of a known field that is gone: its default, or null.
func missing(s *data.Schema) (wire []byte, ok bool) {
	if _, has := s.Default(); has {
		if s.Optional() {
			wire = data.AppendPresence(wire, s, true)
		}
		return s.AppendDefault(wire)
	}
	return data.AppendPresence(nil, s, false), s.Optional()
}

// attributes are those of the plugin's schema where nothing changed, and those that are known otherwise.
func attributes(b *data.Builder, known, read, schema *data.Schema) *data.Builder {
	pick := func(same bool) *data.Schema {
		if same {
			return schema
		}
		return known
	}
	if s := pick(known.Name() == read.Name()); s.HasName() {
		b.Name(s.Name())
	}
	if version, ok := schema.Version(); ok {
		b.Version(version)
	}
	if s := pick(known.Doc() == read.Doc()); s.HasDoc() {
		b.Doc(s.Doc())
	}
	for _, parameter := range pick(slices.Equal(known.Parameters(), read.Parameters())).Parameters() {
		b.Param(parameter.Key, parameter.Value)
	}
	b.SetOptional(pick(known.Optional() == read.Optional()).Optional())
	if v, ok := pick(sameDefault(known, read)).Default(); ok {
		b.Default(v)
	}
	return b
}

// Append appends the projected value; on error dst is as it was.
func (p *Projection) Append(dst, wire []byte) ([]byte, error) {
	after, rest, err := p.root.append(dst, wire)
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("there are %d bytes behind the value", len(rest))
	}
	if err != nil {
		return dst, err
	}
	return after, nil
}

func (n *node) append(dst, wire []byte) (after, rest []byte, err error) {
	if n.same {
		return appendSame(dst, wire, n.from)
	}
	present, rest, err := data.ReadPresence(n.from, wire)
	if err != nil {
		return dst, wire, err
	}
	if !present {
		after, err = n.null(dst)
		return after, rest, err
	}
	if n.to.Optional() {
		dst = data.AppendPresence(dst, n.to, true)
	}
	switch {
	case n.bare != nil:
		return appendSame(dst, rest, n.bare)
	case n.widen:
		v, rest, err := data.ReadFloat(rest)
		return data.AppendDouble(dst, float64(v)), rest, err
	case n.item != nil:
		return n.items(dst, rest)
	}
	return n.structure(dst, rest)
}

func appendSame(dst, wire []byte, s *data.Schema) (after, rest []byte, err error) {
	rest, err = data.SkipValue(s, wire)
	return append(dst, wire[:len(wire)-len(rest)]...), rest, err
}

// null writes a null, which becomes the default where null is not allowed.
func (n *node) null(dst []byte) ([]byte, error) {
	if n.to.Optional() {
		return data.AppendPresence(dst, n.to, false), nil
	}
	if after, ok := n.to.AppendDefault(dst); ok {
		return after, nil
	}
	what := "the value"
	if n.path != "" {
		what = fmt.Sprintf("field %q", n.path)
	}
	return dst, fmt.Errorf("%s is null, and may not be null in the known schema", what)
}

func (n *node) structure(dst, wire []byte) (after, rest []byte, err error) {
	rest = wire
	for i, f := range n.from.Fields() {
		begin := rest
		if rest, err = data.SkipValue(f.Schema, begin); err != nil {
			return dst, rest, fmt.Errorf("field %q: %w", below(n.path, f.Name), err)
		}
		n.parts[i] = begin[:len(begin)-len(rest)]
	}
	for _, f := range n.fields {
		if f.place < 0 {
			dst = append(dst, f.fill...)
			continue
		}
		if dst, _, err = f.node.append(dst, n.parts[f.place]); err != nil {
			return dst, rest, err
		}
	}
	return dst, rest, nil
}

// items projects the blocks of an array, or of a map, whose keys stay as they are.
func (n *node) items(dst, wire []byte) (after, rest []byte, err error) {
	smallest := n.from.ValueSchema().MinSize()
	isMap := n.from.Type() == data.MapType
	if isMap {
		smallest += n.from.KeySchema().MinSize()
	}
	for rest = wire; ; {
		var count int
		if count, rest, err = data.ReadBlock(rest, smallest); err != nil {
			return dst, rest, err
		}
		if count == 0 {
			return data.AppendBlockEnd(dst), rest, nil
		}
		dst = data.AppendBlockStart(dst, count)
		for range count {
			if isMap {
				if dst, rest, err = appendSame(dst, rest, n.from.KeySchema()); err != nil {
					return dst, rest, err
				}
			}
			if dst, rest, err = n.item.append(dst, rest); err != nil {
				return dst, rest, err
			}
		}
	}
}
