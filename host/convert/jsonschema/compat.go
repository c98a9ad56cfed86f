package jsonschema

import (
	"fmt"
	"slices"
)

// Difference says which part of a newer schema does not fit an older one, by the
// rules for reading old values with the newer schema; "" if it finds none.
func Difference(older string, olderRefs []Document, newer string, newerRefs []Document) string {
	op, np := newParser(), newParser()
	o, err := op.load(olderRefs, older)
	if err != nil {
		return "the registered schema cannot be read: " + err.Error()
	}
	n, err := np.load(newerRefs, newer)
	if err != nil {
		return "the new schema cannot be read: " + err.Error()
	}
	c := &comparison{older: op, newer: np}
	return c.differ(o, n, "", 0)
}

type comparison struct{ older, newer *parser }

// through follows references and the union of null and one other.
func through(p *parser, n *node) (_ *node, null bool) {
	for range maxDepth {
		switch {
		case n.kind == kindReference:
			to, err := p.target(n)
			if err != nil {
				return n, null
			}
			n = to
			continue
		case n.kind == kindCombined && n.oneOf && len(n.parts) == 2:
			if i := slices.IndexFunc(n.parts, func(p *node) bool { return p.kind == kindNull }); i >= 0 {
				n, null = n.parts[1-i], true
				continue
			}
		}
		break
	}
	return n, null
}

var kindNames = [...]string{
	kindEmpty: "anything", kindBoolean: "boolean", kindNumber: "number", kindString: "string", kindNull: "null", kindEnum: "enum",
	kindConst: "const", kindArray: "array", kindObject: "object", kindCombined: "combination", kindReference: "reference", kindOther: "other",
}

func (n *node) typeName() string {
	if n.integer {
		return "integer"
	}
	return kindNames[n.kind]
}

func (c *comparison) differ(o, n *node, path string, depth int) string {
	if depth > maxDepth {
		return ""
	}
	o, oldNull := through(c.older, o)
	n, newNull := through(c.newer, n)
	where := "the value"
	if path != "" {
		where = fmt.Sprintf("field %q", path)
	}
	switch {
	case n.kind == kindEmpty:
		return ""
	case oldNull && !newNull:
		return where + " may be null in the older schema and not in the newer"
	case o.kind != n.kind, n.integer && !o.integer:
		return fmt.Sprintf("%s is %s in the older schema and %s in the newer", where, o.typeName(), n.typeName())
	}
	switch n.kind {
	case kindArray:
		if o.items != nil && n.items != nil {
			return c.differ(o.items, n.items, path+"[]", depth+1)
		}
	case kindEnum:
		for _, v := range o.values {
			if !slices.ContainsFunc(n.values, func(w any) bool { return string(appendJSON(nil, v)) == string(appendJSON(nil, w)) }) {
				return fmt.Sprintf("%s has the symbol %s in the older schema and not in the newer", where, appendJSON(nil, v))
			}
		}
	case kindCombined:
		if len(o.parts) > len(n.parts) {
			return fmt.Sprintf("%s has %d alternatives in the older schema and %d in the newer", where, len(o.parts), len(n.parts))
		}
		for i := range o.parts {
			if why := c.differ(o.parts[i], n.parts[i], path, depth+1); why != "" {
				return why
			}
		}
	case kindObject:
		return c.objects(o, n, path, depth)
	}
	return ""
}

func (c *comparison) objects(o, n *node, path string, depth int) string {
	at := func(name string) string {
		if path == "" {
			return name
		}
		return path + "." + name
	}
	for _, name := range n.object.names {
		if old := o.object.props[name]; old != nil {
			if why := c.differ(old, n.object.props[name], at(name), depth+1); why != "" {
				return why
			}
		}
	}
	for _, name := range n.object.required {
		if !slices.Contains(o.object.required, name) && (n.object.props[name] == nil || !n.object.props[name].hasDefault) {
			return fmt.Sprintf("field %q is required in the newer schema and has no default, and the older one does not require it", at(name))
		}
	}
	for _, name := range n.object.names {
		if o.object.props[name] == nil && !o.closed() {
			return fmt.Sprintf("field %q is new, and the older schema allows additional properties of any type (object.additional.properties=true)", at(name))
		}
	}
	for _, name := range o.object.names {
		if n.object.props[name] == nil && n.closed() {
			return fmt.Sprintf("field %q is not in the newer schema, which allows no additional properties", at(name))
		}
	}
	if o.object.extra != nil && n.object.extra != nil {
		return c.differ(o.object.extra, n.object.extra, path+"{}", depth+1)
	}
	return ""
}

// closed tells that no other properties are allowed.
func (n *node) closed() bool {
	extra, set := n.own.values["additionalProperties"].(bool)
	return set && !extra
}
