package jsonschema

import (
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// kind is what a schema is to the everit library, by whose classes Confluent's converter goes.
type kind uint8

const (
	kindEmpty kind = iota
	kindBoolean
	kindNumber
	kindString
	kindNull
	kindEnum // also const
	kindConst
	kindArray
	kindObject
	kindCombined
	kindReference
	kindOther // not, if, false: nothing that a Connect schema can say
)

// node is a schema.
type node struct {
	kind    kind
	integer bool  // kindNumber
	values  []any // kindEnum
	oneOf   bool  // kindCombined: oneOf or anyOf; otherwise allOf
	parts   []*node
	items   *node // kindArray; nil without, or for a list of schemas
	object  *objectNode
	ref     string // kindReference
	what    string // kindOther: the keyword

	title, doc       string
	hasTitle, hasDoc bool
	def              any
	hasDefault       bool
	own              *object // the properties that no rule of the library takes
	home             *document
	base             string
}

type objectNode struct {
	names    []string // of properties, in Java's order
	props    map[string]*node
	required []string
	extra    *node // schema of additionalProperties
}

// document is one JSON text.
type document struct {
	root any
	base string
}

// parser reads documents. Nodes are made once per JSON object, so that
// references can be recognised.
type parser struct {
	docs  map[string]*document // by name and by $id
	ids   map[string]located   // subschemas with an $id or anchor of their own
	nodes map[*object]*node
}

type located struct {
	doc  *document
	at   any
	base string
}

// Document is a schema text under the name by which others refer to it.
type Document struct{ Name, Text string }

func newParser() *parser {
	return &parser{docs: map[string]*document{}, ids: map[string]located{}, nodes: map[*object]*node{}}
}

// load reads the documents; the last is the schema itself.
func (p *parser) load(refs []Document, text string) (*node, error) {
	v, err := parseJSON([]byte(text))
	if err != nil {
		return nil, bad("Invalid JSON schema: %s", err)
	}
	root := &document{root: v, base: idOf(v, "")}
	p.index(root, v, root.base, 0)
	for _, r := range refs {
		v, err := parseJSON([]byte(r.Text))
		if err != nil {
			return nil, bad("Invalid JSON schema %s: %s", r.Name, err)
		}
		base := resolve(root.base, r.Name)
		d := &document{root: v, base: idOf(v, base)}
		p.docs[r.Name], p.docs[base] = d, d
		p.index(d, v, d.base, 0)
	}
	return p.schema(root, root.base, v, 0)
}

func idOf(v any, base string) string {
	if o, ok := v.(*object); ok {
		for _, name := range []string{"$id", "id"} {
			if id, ok := o.text(name); ok {
				return resolve(base, id)
			}
		}
	}
	return base
}

// index finds subschemas that have names of their own.
func (p *parser) index(d *document, v any, base string, depth int) {
	if depth > 2*maxDepth {
		return
	}
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			p.index(d, item, base, depth+1)
		}
	case *object:
		base = idOf(v, base)
		for _, name := range []string{"$id", "id"} {
			if _, ok := v.text(name); ok {
				p.ids[strings.TrimSuffix(base, "#")] = located{d, v, base}
			}
		}
		if anchor, ok := v.text("$anchor"); ok {
			p.ids[strings.TrimSuffix(base, "#")+"#"+anchor] = located{d, v, base}
		}
		for _, name := range v.names {
			p.index(d, v.values[name], base, depth+1)
		}
	}
}

func resolve(base, ref string) string {
	b, err := url.Parse(base)
	if err != nil {
		return ref
	}
	r, err := url.Parse(ref)
	if err != nil {
		return ref
	}
	return b.ResolveReference(r).String()
}

// target finds what a reference names.
func (p *parser) target(n *node) (*node, error) {
	whole := resolve(n.base, n.ref)
	if at, ok := p.ids[strings.TrimSuffix(whole, "#")]; ok {
		return p.schema(at.doc, at.base, at.at, 0)
	}
	name, fragment, _ := strings.Cut(n.ref, "#")
	d := n.home
	at, base := d.root, d.base
	if name != "" {
		full, _, _ := strings.Cut(whole, "#")
		found := false
		for _, candidate := range []string{name, full, strings.TrimPrefix(name, "./")} {
			if d, found = p.docs[candidate]; found {
				at, base = d.root, d.base
				break
			}
			if sub, ok := p.ids[candidate]; ok {
				d, at, base, found = sub.doc, sub.at, sub.base, true
				break
			}
		}
		if !found {
			return nil, bad("the schema refers to %q, which is not among its references in the registry", n.ref)
		}
	}
	if fragment != "" && !strings.HasPrefix(fragment, "/") {
		return nil, bad("the schema refers to %q, which is not there", n.ref)
	}
	at, ok := point(at, fragment)
	if !ok {
		return nil, bad("the schema refers to %q, which is not there", n.ref)
	}
	return p.schema(d, base, at, 0)
}

// point follows a JSON pointer. What is not in $defs is looked for in definitions.
func point(v any, pointer string) (any, bool) {
	if text, err := url.PathUnescape(pointer); err == nil {
		pointer = text
	}
	for i, step := range strings.Split(pointer, "/") {
		if i == 0 {
			continue // before the first slash
		}
		step = strings.ReplaceAll(strings.ReplaceAll(step, "~1", "/"), "~0", "~")
		switch at := v.(type) {
		case *object:
			next, ok := at.get(step)
			if !ok && step == "$defs" {
				next, ok = at.get("definitions")
			}
			if !ok {
				return nil, false
			}
			v = next
		case []any:
			n, err := strconv.Atoi(step)
			if err != nil || n < 0 || n >= len(at) {
				return nil, false
			}
			v = at[n]
		default:
			return nil, false
		}
	}
	return v, true
}

var (
	arrayWords  = []string{"items", "additionalItems", "minItems", "maxItems", "uniqueItems", "contains"}
	objectWords = []string{
		"properties", "required", "minProperties", "maxProperties", "dependencies", "patternProperties",
		"additionalProperties", "propertyNames",
	}
	numberWords = []string{"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}
	stringWords = []string{"minLength", "maxLength", "pattern", "format"}
)

// schema makes the node of a JSON value.
func (p *parser) schema(d *document, base string, v any, depth int) (*node, error) {
	if depth > maxDepth {
		return nil, bad("the schema is nested more than %d deep", maxDepth)
	}
	o, ok := v.(*object)
	if !ok {
		if yes, ok := v.(bool); ok {
			if yes {
				return &node{kind: kindEmpty, own: &object{}}, nil
			}
			return &node{kind: kindOther, what: "false", own: &object{}}, nil
		}
		return nil, bad("Invalid JSON schema: a schema is an object or a boolean")
	}
	if n, ok := p.nodes[o]; ok {
		return n, nil
	}
	n := &node{}
	p.nodes[o] = n
	base = idOf(o, base)
	parts, err := p.extract(d, base, o, depth)
	if err != nil {
		return nil, err
	}
	switch len(parts) {
	case 0:
		n.kind = kindEmpty
	case 1:
		*n = *parts[0]
	default: // the library's synthetic allOf, which keeps the properties for itself
		for _, part := range parts {
			part.own = &object{}
		}
		*n = node{kind: kindCombined, parts: parts}
	}
	n.home, n.base, n.own = d, base, o
	n.title, n.hasTitle = o.text("title")
	n.doc, n.hasDoc = o.text("description")
	n.def, n.hasDefault = o.get("default")
	return n, nil
}

// extract applies the library's rules in their order: each takes keywords and
// gives schemas that must all hold.
func (p *parser) extract(d *document, base string, o *object, depth int) (parts []*node, err error) {
	if ref, ok := o.text("$ref"); ok {
		return []*node{{kind: kindReference, ref: ref}}, nil
	}
	if values, ok := o.values["enum"].([]any); ok {
		parts = append(parts, &node{kind: kindEnum, values: values})
	}
	for _, word := range []string{"oneOf", "anyOf", "allOf"} {
		list, ok := o.values[word].([]any)
		if !ok {
			continue
		}
		c := &node{kind: kindCombined, oneOf: word != "allOf"}
		for _, v := range list {
			part, err := p.schema(d, base, v, depth+1)
			if err != nil {
				return nil, err
			}
			c.parts = append(c.parts, part)
		}
		parts = append(parts, c)
	}
	if o.has("not") {
		parts = append(parts, &node{kind: kindOther, what: "not"})
	}
	if v, ok := o.get("const"); ok {
		parts = append(parts, &node{kind: kindConst, values: []any{v}})
	}
	var types []string
	switch t := o.values["type"].(type) {
	case string:
		types = []string{t}
		n, err := p.typed(d, base, o, t, depth)
		if err != nil {
			return nil, err
		}
		parts = append(parts, n)
	case []any:
		c := &node{kind: kindCombined, oneOf: true}
		for _, v := range t {
			name, _ := v.(string)
			types = append(types, name)
			n, err := p.typed(d, base, o, name, depth)
			if err != nil {
				return nil, err
			}
			n.own = &object{}
			c.parts = append(c.parts, n)
		}
		parts = append(parts, c)
	}
	return p.sniff(d, base, o, types, parts, depth)
}

// sniff finds types by the keywords that no type has taken.
func (p *parser) sniff(d *document, base string, o *object, types []string, parts []*node, depth int) ([]*node, error) {
	for _, guess := range []struct {
		words []string
		typ   string
		taken []string
	}{
		{arrayWords, "array", []string{"array"}},
		{objectWords, "object", []string{"object"}},
		{numberWords, "number", []string{"number", "integer"}},
		{stringWords, "string", []string{"string"}},
	} {
		if !o.has(guess.words...) || slices.ContainsFunc(types, func(t string) bool { return slices.Contains(guess.taken, t) }) {
			continue
		}
		n, err := p.typed(d, base, o, guess.typ, depth)
		if err != nil {
			return nil, err
		}
		n.own = &object{}
		parts = append(parts, n)
	}
	if o.has("if", "then", "else") {
		parts = append(parts, &node{kind: kindOther, what: "if"})
	}
	return parts, nil
}

func (p *parser) typed(d *document, base string, o *object, name string, depth int) (n *node, err error) {
	n = &node{own: o}
	switch name {
	case "string":
		n.kind = kindString
	case "integer":
		n.kind, n.integer = kindNumber, true
	case "number":
		n.kind = kindNumber
	case "boolean":
		n.kind = kindBoolean
	case "null":
		n.kind = kindNull
	case "array":
		n.kind = kindArray
		switch items := o.values["items"].(type) {
		case nil, []any:
		default:
			n.items, err = p.schema(d, base, items, depth+1)
		}
	case "object":
		n.kind = kindObject
		n.object, err = p.properties(d, base, o, depth)
	default:
		return nil, bad("Invalid JSON schema: unknown type: [%s]", name)
	}
	return n, err
}

func (p *parser) properties(d *document, base string, o *object, depth int) (*objectNode, error) {
	n := &objectNode{props: map[string]*node{}}
	if props, ok := o.values["properties"].(*object); ok {
		n.names = hashOrder(hashOrder(props.names))
		for _, name := range n.names {
			s, err := p.schema(d, base, props.values[name], depth+1)
			if err != nil {
				return nil, in(err, name)
			}
			n.props[name] = s
		}
	}
	if list, ok := o.values["required"].([]any); ok {
		for _, v := range list {
			if name, ok := v.(string); ok {
				n.required = append(n.required, name)
			}
		}
	}
	if extra, ok := o.values["additionalProperties"].(*object); ok {
		s, err := p.schema(d, base, extra, depth+1)
		if err != nil {
			return nil, err
		}
		n.extra = s
	}
	return n, nil
}

// wholeNumber reads a whole number of the properties that are Connect's own.
func (n *node) wholeNumber(name string) (int64, bool) {
	v, ok := n.own.values[name].(json.Number)
	if !ok {
		return 0, false
	}
	i, err := v.Int64()
	return i, err == nil
}
