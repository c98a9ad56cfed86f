package avro

import (
	"fmt"

	"github.com/hamba/avro/v2"
)

// parseLibrary reads schemas with the library that judges compatibility.
func parseLibrary(texts []string) (avro.Schema, error) {
	cache := &avro.SchemaCache{} // the library's own is global and never forgets
	var s avro.Schema
	var err error
	for _, text := range texts {
		if s, err = avro.ParseBytesWithCache([]byte(text), "", cache); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// incompatible says which field of a new schema does not fit an old one, in either direction.
func incompatible(old []string, text string) string {
	o, err := parseLibrary(old)
	if err != nil {
		return "the registered schema cannot be read: " + err.Error()
	}
	n, err := parseLibrary([]string{text})
	if err != nil {
		return "the new schema cannot be read: " + err.Error()
	}
	c := avro.NewSchemaCompatibility()
	if err := c.Compatible(n, o); err != nil {
		return "the new schema cannot read old records" + where(c, n, o, "") + ": " + err.Error()
	}
	if err := c.Compatible(o, n); err != nil {
		return "the old schema cannot read new records" + where(c, o, n, "") + ": " + err.Error()
	}
	return ""
}

// where walks down to the field that does not fit.
func where(c *avro.SchemaCompatibility, reader, writer avro.Schema, path string) string {
	r, okR := plain(reader).(*avro.RecordSchema)
	w, okW := plain(writer).(*avro.RecordSchema)
	if okR && okW && len(path) < 500 {
		for _, rf := range r.Fields() {
			for _, wf := range w.Fields() {
				if rf.Name() == wf.Name() && c.Compatible(rf.Type(), wf.Type()) != nil {
					return where(c, rf.Type(), wf.Type(), path+"."+rf.Name())
				}
			}
		}
	}
	if path == "" {
		return ""
	}
	return fmt.Sprintf(", field %q", path[1:])
}

// plain looks through references and a union with null.
func plain(s avro.Schema) avro.Schema {
	switch s := s.(type) {
	case *avro.RefSchema:
		return s.Schema()
	case *avro.UnionSchema:
		if len(s.Types()) == 2 {
			for i, t := range s.Types() {
				if t.Type() == avro.Null {
					return plain(s.Types()[1-i])
				}
			}
		}
	}
	return s
}

// sameShape says why values written with text are not values of the schema in
// latest, byte by byte; "" if they are. strict compares names as well.
func sameShape(latest []string, text string, strict bool) string {
	l, err := parseLibrary(latest)
	if err != nil {
		return "it cannot be read: " + err.Error()
	}
	n, err := parseLibrary([]string{text})
	if err != nil {
		return err.Error()
	}
	return differs(l, n, "value", strict, 0)
}

func differs(a, b avro.Schema, path string, strict bool, depth int) string {
	if r, ok := a.(*avro.RefSchema); ok {
		a = r.Schema()
	}
	if r, ok := b.(*avro.RefSchema); ok {
		b = r.Schema()
	}
	if a.Type() != b.Type() {
		return fmt.Sprintf("%s is %s there and %s in the value", path, a.Type(), b.Type())
	}
	if depth > maxDepth {
		return "" // a record that contains itself, compared often enough
	}
	if x, ok := a.(avro.NamedSchema); ok && strict {
		if y, ok := b.(avro.NamedSchema); ok && x.FullName() != y.FullName() {
			return fmt.Sprintf("%s is %s there and %s in the value", path, x.FullName(), y.FullName())
		}
	}
	switch x := a.(type) {
	case *avro.RecordSchema:
		y := b.(*avro.RecordSchema)
		for i, f := range x.Fields() {
			if i >= len(y.Fields()) || y.Fields()[i].Name() != f.Name() {
				return fmt.Sprintf("field %q of %s is not at the same place in the value", f.Name(), path)
			}
			if why := differs(f.Type(), y.Fields()[i].Type(), path+"."+f.Name(), strict, depth+1); why != "" {
				return why
			}
		}
		if len(y.Fields()) > len(x.Fields()) {
			return fmt.Sprintf("field %q of the value is not in %s there", y.Fields()[len(x.Fields())].Name(), path)
		}
	case *avro.ArraySchema:
		return differs(x.Items(), b.(*avro.ArraySchema).Items(), path+"[]", strict, depth+1)
	case *avro.MapSchema:
		return differs(x.Values(), b.(*avro.MapSchema).Values(), path+"{}", strict, depth+1)
	case *avro.UnionSchema:
		y := b.(*avro.UnionSchema)
		if len(x.Types()) != len(y.Types()) {
			return fmt.Sprintf("%s is a union of %d types there and of %d in the value", path, len(x.Types()), len(y.Types()))
		}
		for i := range x.Types() {
			if why := differs(x.Types()[i], y.Types()[i], path, strict, depth+1); why != "" {
				return why
			}
		}
	case *avro.EnumSchema:
		y := b.(*avro.EnumSchema)
		for i, symbol := range y.Symbols() {
			if i >= len(x.Symbols()) || x.Symbols()[i] != symbol {
				return fmt.Sprintf("the symbol %q of %s is not at the same place there", symbol, path)
			}
		}
	case *avro.FixedSchema:
		if y := b.(*avro.FixedSchema); x.Size() != y.Size() {
			return fmt.Sprintf("%s has %d bytes there and %d in the value", path, x.Size(), y.Size())
		}
	}
	return ""
}
