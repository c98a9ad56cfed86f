package avro

import (
	"encoding/json"
	"errors"
	"io"
	"strings"

	"github.com/tailrace/tailrace/host/convert/javaerr"
)

// typ is an Avro schema as written, with names resolved.
type typ struct {
	kind        string // typeRecord …, "union"
	space, name string
	doc         string
	props       map[string]any
	fields      []typField
	items       *typ // of an array or map
	branches    []*typ
	symbols     []string
	enumDefault string
	size        int
}

type typField struct {
	name       string
	typ        *typ
	doc        string
	hasDoc     bool
	def        any
	hasDefault bool
}

const typeUnion = "union"

// maxDepth bounds the nesting of a schema's text (I-3).
const maxDepth = 200

func (t *typ) fullName() string { return fullName(t.space, t.name) }

func (t *typ) prop(key string) (any, bool) { v, ok := t.props[key]; return v, ok }

func (t *typ) propText(key string) string { s, _ := t.props[key].(string); return s }

// parser reads schemas; named types of those it read before are known.
type parser struct{ named map[string]*typ }

func badSchema(format string, args ...any) error {
	e := javaerr.Data(format, args...)
	e.Message = "the Avro schema is not valid: " + e.Message
	return e
}

// parse reads one schema.
func (p *parser) parse(text string) (*typ, error) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, badSchema("%s", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, badSchema("there is text behind it")
	}
	return p.schema(v, "", 0)
}

func isPrimitive(kind string) bool {
	switch kind {
	case typeNull, typeBoolean, typeInt, typeLong, typeFloat, typeDouble, typeBytes, typeString:
		return true
	}
	return false
}

func (p *parser) schema(v any, space string, depth int) (*typ, error) {
	if depth > maxDepth {
		return nil, badSchema("it is nested more than %d deep", maxDepth)
	}
	switch v := v.(type) {
	case string:
		return p.byName(v, space)
	case []any:
		u := &typ{kind: typeUnion}
		for _, b := range v {
			t, err := p.schema(b, space, depth+1)
			if err != nil {
				return nil, err
			}
			if t.kind == typeUnion {
				return nil, badSchema("a union stands directly in a union")
			}
			u.branches = append(u.branches, t)
		}
		return u, nil
	case map[string]any:
		return p.object(v, space, depth)
	}
	return nil, badSchema("a type must be a name, an object or a list")
}

func (p *parser) byName(name, space string) (*typ, error) {
	if isPrimitive(name) {
		return &typ{kind: name}, nil
	}
	if !strings.Contains(name, ".") && space != "" {
		if t, ok := p.named[space+"."+name]; ok {
			return t, nil
		}
	}
	if t, ok := p.named[strings.TrimPrefix(name, ".")]; ok {
		return t, nil
	}
	return nil, badSchema("the type %q is not defined", clip(name))
}

// reserved are the keys that are part of the schema; all others are properties.
var reserved = map[string][]string{
	typeRecord: {"name", "namespace", "doc", "fields", "aliases"}, typeEnum: {"name", "namespace", "doc", "symbols", "default", "aliases"},
	typeFixed: {"name", "namespace", "doc", "size", "aliases"}, typeArray: {"items"}, typeMap: {"values"},
}

func (p *parser) object(v map[string]any, space string, depth int) (*typ, error) {
	kind, ok := v["type"].(string)
	if !ok {
		// {"type": {…}} and {"type": […]}: one more pair of braces around a type.
		if inner, ok := v["type"]; ok {
			return p.schema(inner, space, depth+1)
		}
		return nil, badSchema("an object has no \"type\"")
	}
	if kind == "error" {
		kind = typeRecord
	}
	keys, composite := reserved[kind]
	if !composite && !isPrimitive(kind) {
		return p.byName(kind, space)
	}
	t := &typ{kind: kind, props: map[string]any{}}
	for key, value := range v {
		t.props[key] = value
	}
	delete(t.props, "type")
	for _, key := range keys {
		delete(t.props, key)
	}
	t.doc, _ = v["doc"].(string)
	var err error
	switch kind {
	case typeArray:
		t.items, err = p.schema(v["items"], space, depth+1)
	case typeMap:
		t.items, err = p.schema(v["values"], space, depth+1)
	case typeRecord, typeEnum, typeFixed:
		err = p.namedType(t, v, space, depth)
	}
	return t, err
}

func (p *parser) namedType(t *typ, v map[string]any, space string, depth int) error {
	name, _ := v["name"].(string)
	if name == "" {
		return badSchema("a %s has no name", t.kind)
	}
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		t.space, t.name = name[:i], name[i+1:]
	} else {
		t.space, t.name = space, name
		if own, ok := v["namespace"].(string); ok {
			t.space = own
		}
	}
	if _, again := p.named[t.fullName()]; again {
		return badSchema("Can't redefine: %s", t.fullName())
	}
	p.named[t.fullName()] = t
	switch t.kind {
	case typeEnum:
		symbols, _ := v["symbols"].([]any)
		for _, s := range symbols {
			symbol, ok := s.(string)
			if !ok {
				return badSchema("a symbol of the enum %s is not text", t.fullName())
			}
			t.symbols = append(t.symbols, symbol)
		}
		t.enumDefault, _ = v["default"].(string)
	case typeFixed:
		size, _ := v["size"].(json.Number)
		n, err := size.Int64()
		if err != nil || n < 0 || n > 1<<30 {
			return badSchema("the fixed %s has no valid size", t.fullName())
		}
		t.size = int(n)
	case typeRecord:
		fields, ok := v["fields"].([]any)
		if !ok {
			return badSchema("the record %s has no fields", t.fullName())
		}
		for _, f := range fields {
			if err := p.field(t, f, depth); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *parser) field(t *typ, v any, depth int) error {
	m, _ := v.(map[string]any)
	name, _ := m["name"].(string)
	if name == "" {
		return badSchema("a field of the record %s has no name", t.fullName())
	}
	ft, err := p.schema(m["type"], t.space, depth+1)
	if err != nil {
		return err
	}
	f := typField{name: name, typ: ft}
	f.doc, f.hasDoc = m["doc"].(string)
	f.def, f.hasDefault = m["default"]
	t.fields = append(t.fields, f)
	return nil
}
