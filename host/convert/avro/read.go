package avro

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/tailrace/tailrace/host/convert/javaerr"
	"github.com/tailrace/tailrace/sdk/go/data"
)

// readPlan is what Avro bytes of a schema need to become a value.
type readPlan struct {
	root   *node
	schema *data.Schema // nil for the record Anything
}

// planRead maps an Avro schema. texts are the schemas that it refers to, then
// itself; version is that of the registry, 0 if unknown.
func planRead(o *options, texts []string, version int) (*readPlan, error) {
	p := &parser{named: map[string]*typ{}}
	var t *typ
	for _, text := range texts {
		var err error
		if t, err = p.parse(text); err != nil {
			return nil, err
		}
	}
	r := &schemaReader{o: o, open: map[*typ]bool{}}
	n, err := r.schema(t, surroundings{version: version})
	if err != nil {
		return nil, err
	}
	return &readPlan{root: n, schema: n.schema}, nil
}

// recordName is the full name of the record that a schema's text defines, "" for others.
func recordName(text string) string {
	p := &parser{named: map[string]*typ{}}
	t, err := p.parse(text)
	if err != nil || t.kind != typeRecord {
		return ""
	}
	return t.fullName()
}

type schemaReader struct {
	o      *options
	open   map[*typ]bool // the records that are being read, to find cycles
	unions int
}

// surroundings are what a schema's surroundings say of it.
type surroundings struct {
	optional   bool // a branch of a union
	def        any  // the field's default
	hasDefault bool
	version    int
	depth      int
}

func (t *typ) isAnything() bool {
	return t.kind == typeRecord && t.fullName() == namespace+"."+anything && len(t.fields) == anyFields
}

func (t *typ) isMapEntry() bool {
	return t.kind == typeRecord && (t.fullName() == namespace+"."+mapEntry || t.propText(propInternal) == mapEntry)
}

// schema reads a type into a node with its Connect schema.
func (r *schemaReader) schema(t *typ, c surroundings) (*node, error) {
	if c.depth > maxDepth {
		return nil, badSchema("it is nested more than %d deep", maxDepth)
	}
	c.depth++
	n := &node{nullAt: notNullable}
	if t.isAnything() {
		n.op = opAny
		return n.finish(), nil
	}
	if r.open[t] {
		return nil, javaerr.Data("the Avro record %s contains itself; such schemas cannot be read, because schemas of the plugin protocol have no cycles", t.fullName())
	}
	if t.kind == typeUnion {
		if inner, nullAt, ok := r.nullable(t); ok {
			within := surroundings{optional: true, depth: c.depth} // as in AvroData, without the field's default and the version
			if nullAt == notNullable {
				within = surroundings{optional: c.optional, def: c.def, hasDefault: c.hasDefault, depth: c.depth}
			}
			m, err := r.schema(inner, within)
			if err != nil {
				return nil, err
			}
			if m.schema == nil && nullAt != notNullable {
				return nil, javaerr.Data("a union of null and %s cannot be read: a value without a schema is null by itself", anything)
			}
			if nullAt == notNullable {
				return (&node{op: opOnly, schema: m.schema, children: []*node{m}, nullAt: notNullable}).finish(), nil
			}
			m.nullAt, m.branch = nullAt, 1-nullAt
			return m.finish(), nil
		}
	}
	b, err := r.builder(n, t, c)
	if err != nil {
		return nil, err
	}
	if err := r.attributes(b, t, &c); err != nil {
		return nil, err
	}
	if c.optional {
		b.Optional()
	}
	if n.schema, err = r.build(b, t, c); err != nil {
		return nil, err
	}
	return n.finish(), nil
}

// nullable recognises the union of null and one type.
func (r *schemaReader) nullable(t *typ) (inner *typ, nullAt int, ok bool) {
	if len(t.branches) == 1 && r.o.flattenSingle {
		return t.branches[0], notNullable, true
	}
	if len(t.branches) != 2 {
		return nil, 0, false
	}
	for i, b := range t.branches {
		if b.kind == typeNull && t.branches[1-i].kind != typeNull {
			return t.branches[1-i], i, true
		}
	}
	return nil, 0, false
}

func (r *schemaReader) builder(n *node, t *typ, c surroundings) (*data.Builder, error) {
	connectType, logical := t.propText(propType), t.propText(propLogical)
	switch t.kind {
	case typeBoolean:
		return data.NewPrimitive(data.Boolean), nil
	case typeString:
		return data.NewPrimitive(data.String), nil
	case typeFloat:
		return data.NewPrimitive(data.Float32), nil
	case typeDouble:
		return data.NewPrimitive(data.Float64), nil
	case typeLong:
		if strings.EqualFold(logical, logicalTimestampMillis) {
			return data.NewTimestamp(), nil
		}
		return data.NewPrimitive(data.Int64), nil
	case typeInt:
		return intBuilder(connectType, logical)
	case typeBytes, typeFixed:
		return bytesBuilder(n, t, logical)
	case typeEnum:
		return r.enum(n, t), nil
	case typeArray:
		return r.array(n, t, c)
	case typeMap:
		return r.mapping(n, t, data.StringSchema, c)
	case typeRecord:
		return r.record(n, t, c)
	case typeUnion:
		return r.union(n, t, c)
	case typeNull:
		return nil, javaerr.Data("Standalone null schemas are not supported by this converter")
	}
	return nil, javaerr.Data("Couldn't translate unsupported schema type %s.", t.kind)
}

func intBuilder(connectType, logical string) (*data.Builder, error) {
	switch {
	case strings.EqualFold(logical, logicalDate):
		return data.NewDate(), nil
	case strings.EqualFold(logical, logicalTimeMillis):
		return data.NewTime(), nil
	case logical != "", connectType == "":
		return data.NewPrimitive(data.Int32), nil
	case connectType == "int8":
		return data.NewPrimitive(data.Int8), nil
	case connectType == "int16":
		return data.NewPrimitive(data.Int16), nil
	}
	return nil, javaerr.Data("Connect type annotation for Avro int field is null")
}

func bytesBuilder(n *node, t *typ, logical string) (*data.Builder, error) {
	b := data.NewPrimitive(data.Bytes)
	if strings.EqualFold(logical, logicalDecimal) {
		scale, ok := number(t.props[propScale])
		if _, set := t.prop(propScale); set && !ok {
			return nil, javaerr.Data("scale must be specified and must be a number.")
		}
		b = data.NewDecimal(int32(scale))
		if raw, set := t.prop(propPrecision); set {
			precision, ok := number(raw)
			if !ok {
				return nil, javaerr.Data("precision property must be a JSON Integer. https://avro.apache.org/docs/1.9.1/spec.html#Decimal")
			}
			if precision != usualPrecision {
				b.Param(precisionParam, strconv.FormatInt(precision, 10))
			}
		}
	}
	if t.kind == typeFixed {
		n.op, n.size = opFixed, t.size
		b.Param(fixedParam, strconv.Itoa(t.size))
	}
	return b, nil
}

func number(v any) (int64, bool) {
	n, ok := v.(json.Number)
	if !ok {
		return 0, false
	}
	i, err := n.Int64()
	return i, err == nil
}

func (r *schemaReader) enum(n *node, t *typ) *data.Builder {
	n.op, n.symbols, n.places = opEnum, t.symbols, map[string]int{}
	b := data.NewPrimitive(data.String)
	if r.o.metadata {
		if t.doc != "" {
			b.Param(enumDoc+t.name, t.doc)
		}
		if t.enumDefault != "" {
			b.Param(enumDef+t.name, t.enumDefault)
		}
	}
	key := enumParam
	if r.o.generalized {
		key = sumEnum
	}
	b.Param(key, t.fullName())
	for i, symbol := range t.symbols {
		n.places[symbol] = i
		value := symbol
		if r.o.generalized {
			value = strconv.Itoa(i)
		}
		b.Param(key+"."+symbol, value)
	}
	return b
}

func (r *schemaReader) array(n *node, t *typ, c surroundings) (*data.Builder, error) {
	n.op = opArray
	if t.items.isMapEntry() {
		fields := t.items.fields
		if len(fields) != 2 || fields[0].name != "key" || fields[1].name != "value" {
			return nil, javaerr.Data("Found map encoded as array of key-value pairs, but array elements do not match the expected format.")
		}
		key, err := r.schema(fields[0].typ, surroundings{depth: c.depth})
		if err != nil {
			return nil, in2(err, "key")
		}
		value, err := r.schema(fields[1].typ, surroundings{depth: c.depth})
		if err != nil {
			return nil, in2(err, "value")
		}
		n.op, n.children = opMap, []*node{key, value}
		return data.NewMap(key.schema, value.schema).Schemaless(), nil
	}
	items, err := r.schema(t.items, surroundings{depth: c.depth})
	if err != nil {
		return nil, err
	}
	n.children = []*node{items}
	return data.NewArray(items.schema).Schemaless(), nil
}

func (r *schemaReader) mapping(n *node, t *typ, key *data.Schema, c surroundings) (*data.Builder, error) {
	values, err := r.schema(t.items, surroundings{depth: c.depth})
	if err != nil {
		return nil, err
	}
	n.op = opMap
	n.children = []*node{(&node{schema: key, nullAt: notNullable}).finish(), values}
	return data.NewMap(key, values.schema).Schemaless(), nil
}

func (r *schemaReader) record(n *node, t *typ, c surroundings) (*data.Builder, error) {
	n.op = opStruct
	r.open[t] = true
	defer delete(r.open, t)
	b := data.NewStruct()
	if r.o.metadata && t.doc != "" {
		b.Param(recordDoc, t.doc)
	}
	for _, f := range t.fields {
		if r.o.metadata && f.hasDoc {
			b.Param(fieldDoc+f.name, f.doc)
		}
		child, err := r.schema(f.typ, surroundings{def: f.def, hasDefault: f.hasDefault, depth: c.depth})
		if err != nil {
			return nil, in2(err, f.name)
		}
		if child.schema == nil {
			return nil, javaerr.Data("the field %q of the record %s has no schema of its own (%s); the plugin protocol has no such fields", f.name, t.fullName(), anything)
		}
		n.children = append(n.children, child)
		b.Field(f.name, child.schema)
	}
	return b, nil
}

// in2 names the field of an error in a schema.
func in2(err error, field string) error { return fmt.Errorf("field %q: %w", field, err) }

func (r *schemaReader) union(n *node, t *typ, c surroundings) (*data.Builder, error) {
	n.op = opUnion
	b := data.NewStruct()
	if r.o.generalized {
		name := sumPrefix + strconv.Itoa(r.unions)
		r.unions++
		b.Name(name).Param(sumUnion, name)
	} else {
		b.Name(unionName)
	}
	seen := map[string]bool{}
	for i, branch := range t.branches {
		if branch.kind == typeNull {
			n.nullAt = i
			b.Optional()
			continue
		}
		name := sumField + strconv.Itoa(len(seen))
		if !r.o.generalized {
			name = r.branchName(branch)
		}
		if seen[name] {
			return nil, javaerr.Data("Multiple union schemas map to the Connect union field name %q; set enhanced.avro.schema.support=true to have full names", name)
		}
		seen[name] = true
		child, err := r.schema(branch, surroundings{optional: true, depth: c.depth})
		if err != nil {
			return nil, in2(err, name)
		}
		if child.schema == nil {
			return nil, javaerr.Data("a union with %s cannot be read", anything)
		}
		n.children = append(n.children, child)
		n.branches = append(n.branches, i)
		b.Field(name, child.schema)
	}
	return b, nil
}

func (r *schemaReader) branchName(t *typ) string {
	switch t.kind {
	case typeRecord, typeEnum, typeFixed:
		if r.o.enhanced {
			return t.fullName()
		}
		return t.name
	}
	return t.kind
}

// attributes sets doc, version, parameters and name.
func (r *schemaReader) attributes(b *data.Builder, t *typ, c *surroundings) error {
	if doc, ok := t.props[propDoc].(string); ok && r.o.metadata {
		b.Doc(doc)
	}
	have, err := b.Clone().Build() // to see what the type has set already
	if err != nil {
		return javaerr.Data("%s", err)
	}
	version := c.version
	if raw, ok := t.prop(propVersion); ok {
		n, ok := number(raw)
		if !ok {
			return javaerr.Data("Invalid Connect version found: %v", raw)
		}
		version = int(n)
	}
	if _, set := t.prop(propVersion); set && version >= 0 || version > 0 {
		if old, ok := have.Version(); ok {
			if set && int(old) != version {
				return javaerr.Data("Mismatched versions: version already added to SchemaBuilder (%d) differs from version in source schema (%d)", old, version)
			}
		} else {
			b.Version(int32(version))
		}
	}
	if raw, ok := t.prop(propParams); ok && r.o.metadata {
		params, ok := raw.(map[string]any)
		if !ok {
			return javaerr.Data("Expected JSON object for schema parameters but found: %v", raw)
		}
		for key, value := range params {
			text, ok := value.(string)
			if !ok {
				return javaerr.Data("Expected schema parameter values to be strings but found: %v", value)
			}
			b.Param(key, text)
		}
	}
	for key, value := range t.props {
		if strings.HasPrefix(key, "avro") {
			b.Param(key, fmt.Sprint(value))
		}
	}
	return r.schemaName(b, have, t)
}

func (r *schemaReader) schemaName(b *data.Builder, have *data.Schema, t *typ) error {
	name, known := "", true
	if raw, ok := t.prop(propName); ok {
		text, ok := raw.(string)
		if !ok {
			return javaerr.Data("Invalid schema name: %v", raw)
		}
		name = text
	} else if t.kind == typeRecord || t.kind == typeEnum || t.kind == typeFixed && !have.HasName() {
		name = t.fullName()
	} else { // also a decimal in a fixed, which AvroData refuses for its two names
		known = false
	}
	switch {
	case !known || strings.HasPrefix(name, namespace+"."+defaultName):
	case !have.HasName():
		b.Name(name)
	case have.Name() != name:
		return javaerr.Data("Mismatched names: name already added to SchemaBuilder (%s) differs from name in source schema (%s)", have.Name(), name)
	}
	return nil
}

// build adds the default and builds.
func (r *schemaReader) build(b *data.Builder, t *typ, c surroundings) (*data.Schema, error) {
	def, isSet := c.def, c.hasDefault
	own, hasOwn := t.prop(propDefault)
	switch {
	case !isSet && hasOwn:
		def = own
	case isSet && !hasOwn && r.o.metadata:
		b.Param(fieldDef, "true")
	}
	s, err := b.Build()
	if err != nil {
		return nil, javaerr.Data("%s", err)
	}
	if def == nil {
		return s, nil
	}
	if isPairs(t, def) {
		return s, nil
	}
	v, err := defaultValue(s, t, def)
	if err != nil || v == nil {
		return s, err
	}
	if s, err = b.Default(v).Build(); err != nil {
		return nil, javaerr.Data("the default does not fit: %s", err)
	}
	return s, nil
}
