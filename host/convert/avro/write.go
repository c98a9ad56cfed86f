package avro

import (
	"bytes"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tailrace/tailrace/host/convert/javaerr"
	"github.com/tailrace/tailrace/sdk/go/data"
)

// writePlan is what values of a Connect schema need to become Avro.
type writePlan struct {
	root   *node
	text   string // the Avro schema
	record string // the full name of a record, for subjects
}

// planWrite maps a Connect schema, nil for values without one.
func planWrite(o *options, s *data.Schema) (*writePlan, error) {
	w := &schemaWriter{o: o, defined: map[string]*definition{}, nameless: &[]*data.Schema{}}
	root, text, err := w.schema(s, "", false)
	if err != nil {
		return nil, err
	}
	p := &writePlan{root: root, text: text}
	switch {
	case s == nil:
		p.record = namespace + "." + anything
	case root.op == opStruct:
		space, name := w.name(s)
		p.record = fullName(space, name)
	}
	return p, nil
}

// schemaWriter writes the JSON of a schema as Avro's Java library prints it, so
// that a registry finds a schema that Kafka Connect registered.
type schemaWriter struct {
	o       *options
	defined map[string]*definition // named types of this schema; a second use is by name
	// nameless are the different schemas without a name that need one in Avro: the first is ConnectDefault, then come
	// ConnectDefault2, ConnectDefault3 and so on.
	nameless *[]*data.Schema
}

type definition struct {
	text string
	node *node
}

// object collects the members of a JSON object.
type object struct{ b bytes.Buffer }

func (o *object) raw(key, value string) {
	if o.b.Len() == 0 {
		o.b.WriteByte('{')
	} else {
		o.b.WriteByte(',')
	}
	o.b.WriteString(quote(key))
	o.b.WriteByte(':')
	o.b.WriteString(value)
}

func (o *object) text(key, value string) { o.raw(key, quote(value)) }

func (o *object) String() string { return o.b.String() + "}" }

// quote is JSON text as Java's Jackson writes it.
func quote(s string) string {
	const hex = "0123456789ABCDEF"
	b := append(make([]byte, 0, len(s)+2), '"')
	for _, r := range s {
		if at := strings.IndexRune("\"\\\b\f\n\r\t", r); at >= 0 {
			b = append(b, '\\', `"\bfnrt`[at])
		} else if r < ' ' {
			b = append(b, '\\', 'u', '0', '0', hex[r>>4], hex[r&15])
		} else {
			b = utf8.AppendRune(b, r)
		}
	}
	return string(append(b, '"'))
}

var (
	validName  = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	notInNames = regexp.MustCompile(`[^A-Za-z0-9_]`)
)

// scrubbed makes any text a name, as scrub.invalid.names does in AvroData.
func scrubbed(name string) string {
	if name == "" {
		return name
	}
	encoded := url.QueryEscape(name)
	if c := encoded[0]; c != '_' && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
		encoded = "x" + encoded
	}
	return notInNames.ReplaceAllString(encoded, "_")
}

// name gives the namespace and name of a schema's Avro type.
func (w *schemaWriter) name(s *data.Schema) (space, name string) {
	if s.HasName() {
		return w.split(s.Name())
	}
	at := slices.IndexFunc(*w.nameless, func(o *data.Schema) bool { return sameRequired(o, s) })
	if at < 0 || s.Type().Primitive() && s.Optional() { // of these Java remembers nothing
		at = len(*w.nameless)
		*w.nameless = append(*w.nameless, s)
	}
	if at == 0 {
		return namespace, defaultName
	}
	return namespace, defaultName + strconv.Itoa(at+1)
}

func (w *schemaWriter) split(full string) (space, name string) {
	if w.o.scrub {
		parts := strings.Split(full, ".")
		for i := range parts {
			parts[i] = scrubbed(parts[i])
		}
		full = strings.Join(parts, ".")
	}
	if i := strings.LastIndexByte(full, '.'); i >= 0 {
		return full[:i], full[i+1:]
	}
	return "", full
}

func fullName(space, name string) string {
	if space == "" {
		return name
	}
	return space + "." + name
}

func checkName(space, name, what string) error {
	full := fullName(space, name)
	for part := range strings.SplitSeq(full, ".") {
		if !validName.MatchString(part) {
			return javaerr.Data("%s %q is not a name in Avro; set scrub.invalid.names=true to have such names changed", what, full)
		}
	}
	return nil
}

// param is a parameter, "" if it is not there.
func param(s *data.Schema, key string) string {
	v, _ := s.Parameter(key)
	return v
}

func (w *schemaWriter) isUnion(s *data.Schema) bool {
	if s.Type() != data.StructType {
		return false
	}
	_, sum := s.Parameter(sumUnion)
	return s.Name() == unionName || w.o.generalized && sum
}

// enumName is the full name of the enum that a string schema was, "" for a plain string.
func (w *schemaWriter) enumName(s *data.Schema) (name, prefix string) {
	for _, p := range []struct {
		on  bool
		key string
	}{{w.o.generalized, sumEnum}, {w.o.enhanced, enumParam}} {
		if name := param(s, p.key); p.on && name != "" {
			return name, p.key
		}
	}
	return "", ""
}

// schema gives the node and text of s within the namespace outer. inUnion leaves
// out the union with null.
func (w *schemaWriter) schema(s *data.Schema, outer string, inUnion bool) (*node, string, error) {
	if s == nil {
		n := (&node{op: opAny, nullAt: notNullable}).finish()
		text, err := w.define(namespace, anything, outer, anyText, n)
		return n, text, err
	}
	n := &node{schema: s, nullAt: notNullable}
	if w.isUnion(s) {
		text, err := w.union(n, s, outer)
		return n.finish(), text, err
	}
	text, err := w.base(n, s, outer)
	if err != nil {
		return nil, "", err
	}
	if s.Optional() && !inUnion {
		n.nullAt, n.branch = 0, 1
		_, hasDefault := s.Default()
		if hasDefault && s.Type() != data.StructType {
			n.nullAt, n.branch = 1, 0
			text = "[" + text + `,"null"]`
		} else {
			text = `["null",` + text + "]"
		}
	}
	return n.finish(), text, nil
}

// union writes a struct that stands for a union; its fields are the branches.
func (w *schemaWriter) union(n *node, s *data.Schema, outer string) (string, error) {
	n.op = opUnion
	var branches []string
	if s.Optional() {
		n.nullAt = 0
		branches = append(branches, `"null"`)
	}
	for _, f := range s.Fields() {
		c, text, err := w.schema(f.Schema, outer, true)
		if err != nil {
			return "", err
		}
		n.children = append(n.children, c)
		n.branches = append(n.branches, len(branches))
		branches = append(branches, text)
	}
	return "[" + strings.Join(branches, ",") + "]", nil
}

// base writes the type of s without null.
func (w *schemaWriter) base(n *node, s *data.Schema, outer string) (string, error) {
	var o object
	switch s.Type() {
	case data.StructType:
		return w.record(n, s, outer)
	case data.Array:
		n.op = opArray
		c, text, err := w.schema(s.ValueSchema(), outer, false)
		if err != nil {
			return "", err
		}
		n.children = []*node{c}
		o.text("type", typeArray)
		o.raw("items", text)
	case data.MapType:
		return w.mapping(n, s, outer)
	case data.String:
		if full, prefix := w.enumName(s); full != "" {
			return w.enum(n, s, outer, full, prefix)
		}
		o.text("type", typeString)
	case data.Bytes:
		if size := param(s, fixedParam); size != "" {
			return w.fixed(n, s, outer, size)
		}
		o.text("type", typeBytes)
	default:
		o.text("type", primitives[s.Type()])
	}
	if err := w.properties(&o, s); err != nil {
		return "", err
	}
	text := o.String()
	if s.Type().Primitive() && strings.IndexByte(text, ',') < 0 {
		return text[len(`{"type":`) : len(text)-1], nil
	}
	return text, nil
}

var primitives = map[data.Type]string{
	data.Int8: typeInt, data.Int16: typeInt, data.Int32: typeInt, data.Int64: typeLong, data.Float32: typeFloat,
	data.Float64: typeDouble, data.Boolean: typeBoolean, data.String: typeString, data.Bytes: typeBytes,
}

// head starts a named type.
func head(o *object, kind, space, name, outer, doc string) {
	o.text("type", kind)
	o.text("name", name)
	if space != outer {
		o.text("namespace", space)
	}
	if doc != "" {
		o.text("doc", doc)
	}
}

// define gives the text of a named type: whole the first time, then its name.
func (w *schemaWriter) define(space, name, outer, text string, n *node) (string, error) {
	full := fullName(space, name)
	d, ok := w.defined[full]
	switch {
	case !ok:
		w.defined[full] = &definition{text, n}
		return text, nil
	case withoutSpace(d.text, space) != withoutSpace(text, space):
		return "", javaerr.Data("Can't redefine: %s (two different schemas have this name; Avro allows one)", full)
	case space == outer:
		return quote(name), nil
	}
	return quote(full), nil
}

// withoutSpace makes texts comparable that were written within different namespaces.
func withoutSpace(text, space string) string {
	return strings.Replace(text, `,"namespace":`+quote(space), "", 1)
}

func (w *schemaWriter) record(n *node, s *data.Schema, outer string) (string, error) {
	n.op = opStruct
	space, name := w.name(s)
	if err := checkName(space, name, "the schema name"); err != nil {
		return "", err
	}
	// Parts that were defined inside an earlier, equal record must be written out to compare: look at them as at the first time.
	inner := w
	if _, again := w.defined[fullName(space, name)]; again {
		inner = &schemaWriter{o: w.o, defined: map[string]*definition{}, nameless: w.nameless}
	}
	var o object
	head(&o, typeRecord, space, name, outer, param(s, recordDoc))
	var fields []string
	for _, f := range s.Fields() {
		c, text, err := inner.field(f, s, space)
		if err != nil {
			return "", err
		}
		n.children = append(n.children, c)
		fields = append(fields, text)
	}
	o.raw("fields", "["+strings.Join(fields, ",")+"]")
	if err := w.properties(&o, s); err != nil {
		return "", err
	}
	if inner != w {
		// Structural equality is decided on the schemas, which is stricter than on texts that name each other.
		d := w.defined[fullName(space, name)]
		if d.node.body == nil || !sameRequired(d.node.body, s) {
			return "", javaerr.Data("Can't redefine: %s (two different schemas have this name; Avro allows one)", fullName(space, name))
		}
		if space == outer {
			return quote(name), nil
		}
		return quote(fullName(space, name)), nil
	}
	text := o.String()
	w.defined[fullName(space, name)] = &definition{text, &node{body: s}}
	return text, nil
}

// sameRequired compares schemas without regard to optional.
func sameRequired(a, b *data.Schema) bool {
	if a.Equal(b) {
		return true
	}
	x, errX := a.ToBuilder().SetOptional(false).Build()
	y, errY := b.ToBuilder().SetOptional(false).Build()
	return errX == nil && errY == nil && x.Equal(y)
}

func (w *schemaWriter) field(f data.Field, of *data.Schema, space string) (*node, string, error) {
	name := f.Name
	if w.o.scrub {
		name = scrubbed(name)
	}
	if err := checkName("", name, "the field name"); err != nil {
		return nil, "", err
	}
	c, text, err := w.schema(f.Schema, space, false)
	if err != nil {
		return nil, "", err
	}
	var o object
	o.text("name", name)
	o.raw("type", text)
	if doc := param(of, fieldDoc+f.Name); doc != "" {
		o.text("doc", doc)
	}
	if err := fieldDefault(&o, f.Schema); err != nil {
		return nil, "", err
	}
	return c, o.String(), w.takesDefault(c)
}

// fieldDefault writes the default of a field.
func fieldDefault(o *object, s *data.Schema) error {
	if s == nil {
		return nil
	}
	def, hasDefault := s.Default()
	switch {
	case hasDefault && (s.Optional() && s.Type() == data.StructType || hasPairs(s, def)):
		// The union has null first, or the default has pairs for entries, so Avro does not take it; connect.default keeps it.
	case hasDefault:
		text, err := defaultText(s, def)
		if err != nil {
			return err
		}
		o.raw("default", text)
	case s.Optional():
		o.raw("default", "null")
	}
	return nil
}

// takesDefault has a null of a struct's field written as the default, which is what Java's Struct gives for it.
func (w *schemaWriter) takesDefault(c *node) error {
	if w.o.keepNull || c.schema == nil || !c.schema.Optional() {
		return nil
	}
	def, ok := c.schema.Default()
	if !ok {
		return nil
	}
	wire, err := data.AppendValue(nil, c.schema, def)
	if err != nil {
		return javaerr.Data("the default does not fit: %s", err)
	}
	if c.absent, _, err = c.encode(nil, wire); err != nil {
		return err
	}
	c.same = false
	return nil
}

func (w *schemaWriter) mapping(n *node, s *data.Schema, outer string) (string, error) {
	n.op = opMap
	key := s.KeySchema()
	var o object
	if key != nil && key.Type() == data.String && (!key.Optional() || w.o.optionalMapKeys) {
		k := (&node{schema: key, nullAt: notNullable}).finish()
		v, text, err := w.schema(s.ValueSchema(), outer, false)
		if err != nil {
			return "", err
		}
		n.children = []*node{k, v}
		o.text("type", typeMap)
		o.raw("values", text)
		err = w.properties(&o, s)
		return o.String(), err
	}
	space, name := namespace, mapEntry
	if s.HasName() {
		space, name = w.split(s.Name())
	}
	if err := checkName(space, name, "the schema name"); err != nil {
		return "", err
	}
	k, keyText, err := w.schema(key, space, false)
	if err != nil {
		return "", err
	}
	v, valueText, err := w.schema(s.ValueSchema(), space, false)
	if err != nil {
		return "", err
	}
	n.children = []*node{k, v}
	var entry object
	head(&entry, typeRecord, space, name, outer, "")
	var keyField, valueField object
	for _, part := range []struct {
		o    *object
		name string
		text string
		s    *data.Schema
	}{{&keyField, "key", keyText, key}, {&valueField, "value", valueText, s.ValueSchema()}} {
		part.o.text("name", part.name)
		part.o.raw("type", part.text)
		if err := fieldDefault(part.o, part.s); err != nil {
			return "", err
		}
	}
	entry.raw("fields", "["+keyField.String()+","+valueField.String()+"]")
	if s.HasName() {
		entry.text(propInternal, mapEntry)
	}
	text, err := w.define(space, name, outer, entry.String(), n)
	if err != nil {
		return "", err
	}
	o.text("type", typeArray)
	o.raw("items", text)
	err = w.properties(&o, s)
	return o.String(), err
}

func (w *schemaWriter) enum(n *node, s *data.Schema, outer, full, prefix string) (string, error) {
	n.op, n.places = opEnum, map[string]int{}
	if !s.HasName() {
		w.name(s) // Java counts it, and takes the other name
	}
	space, name := w.split(full)
	if err := checkName(space, name, "the enum name"); err != nil {
		return "", err
	}
	for _, p := range s.Parameters() {
		if symbol, ok := strings.CutPrefix(p.Key, prefix+"."); ok {
			n.symbols = append(n.symbols, symbol)
		}
	}
	if prefix == sumEnum { // the value is the symbol's place
		slices.SortStableFunc(n.symbols, func(a, b string) int {
			x, _ := strconv.Atoi(param(s, prefix+"."+a))
			y, _ := strconv.Atoi(param(s, prefix+"."+b))
			return x - y
		})
	}
	quoted := make([]string, len(n.symbols))
	for i, symbol := range n.symbols {
		n.places[symbol] = i
		quoted[i] = quote(symbol)
	}
	var o object
	head(&o, typeEnum, space, name, outer, param(s, enumDoc+name))
	o.raw("symbols", "["+strings.Join(quoted, ",")+"]")
	if def := param(s, enumDef+name); def != "" {
		o.text("default", def)
	}
	if err := w.properties(&o, s); err != nil {
		return "", err
	}
	return w.define(space, name, outer, o.String(), n)
}

func (w *schemaWriter) fixed(n *node, s *data.Schema, outer, size string) (string, error) {
	count, err := strconv.Atoi(size)
	if err != nil || count < 0 {
		return "", javaerr.Data("the parameter %s is %q, not a number", fixedParam, clip(size))
	}
	n.op, n.size = opFixed, count
	space, name := w.name(s)
	if err := checkName(space, name, "the schema name"); err != nil {
		return "", err
	}
	var o object
	head(&o, typeFixed, space, name, outer, "")
	o.raw("size", strconv.Itoa(count))
	if err := w.properties(&o, s); err != nil {
		return "", err
	}
	return w.define(space, name, outer, o.String(), n)
}
