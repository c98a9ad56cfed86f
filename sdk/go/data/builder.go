package data

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Builder builds a [Schema]. Its methods return the builder so that calls chain; the first mistake is remembered and
// told by Build. A builder may be used again after Build; schemas built before do not change. It is for one goroutine.
type Builder struct {
	s            Schema
	params       map[string]string
	def          any
	wireDefault  []byte
	hasWire      bool
	schemalessOK bool
	err          error
}

// NewPrimitive starts a schema of a type without parts, INT8 to BYTES.
func NewPrimitive(t Type) *Builder {
	b := &Builder{s: Schema{typ: t}}
	if !t.Primitive() {
		b.fail(fmt.Errorf("%s is not a primitive type: use NewStruct, NewArray or NewMap", t))
	}
	return b
}

// NewStruct starts a struct schema; add its fields with Field.
func NewStruct() *Builder { return &Builder{s: Schema{typ: StructType}} }

// NewArray starts an array schema.
func NewArray(element *Schema) *Builder { return &Builder{s: Schema{typ: Array, value: element}} }

// NewMap starts a map schema.
func NewMap(key, value *Schema) *Builder {
	return &Builder{s: Schema{typ: MapType, key: key, value: value}}
}

// Schemaless allows the element, key or value schema given to NewArray or NewMap to be nil, in which case those values
// are schemaless. Kafka Connect's header parser makes such schemas for a list of mixed types; connectors rarely should.
func (b *Builder) Schemaless() *Builder { b.schemalessOK = true; return b }

// Optional makes null a value of the schema.
func (b *Builder) Optional() *Builder { return b.SetOptional(true) }

// SetOptional sets whether null is a value of the schema.
func (b *Builder) SetOptional(optional bool) *Builder { b.s.optional = optional; return b }

// Name gives the schema a name.
func (b *Builder) Name(name string) *Builder { b.s.name, b.s.hasName = name, true; return b }

// Version gives the schema a version.
func (b *Builder) Version(v int32) *Builder { b.s.version, b.s.hasVersion = v, true; return b }

// Doc gives the schema a documentation text.
func (b *Builder) Doc(doc string) *Builder { b.s.doc, b.s.hasDoc = doc, true; return b }

// Param sets one free-form parameter.
func (b *Builder) Param(key, value string) *Builder {
	if b.params == nil {
		b.params = make(map[string]string)
	}
	b.params[key] = value
	return b
}

// Default sets the default value, which must be a value of the schema; nil means none.
func (b *Builder) Default(v any) *Builder { b.def, b.hasWire = v, false; return b }

// WireDefault sets the default from the bytes that [Schema.AppendDefault] wrote.
func (b *Builder) WireDefault(wire []byte) *Builder {
	b.def, b.wireDefault, b.hasWire = nil, wire, true
	return b
}

// Field adds a field to a struct schema. Field names may be any text and must differ.
func (b *Builder) Field(name string, s *Schema) *Builder {
	switch {
	case b.s.typ != StructType:
		b.fail(fmt.Errorf("cannot add field %q to a %s schema: only STRUCT has fields", name, b.s.typ))
	case s == nil:
		b.fail(fmt.Errorf("field %q has a nil schema", name))
	default:
		b.s.fields = append(b.s.fields, Field{Name: name, Index: len(b.s.fields), Schema: s})
	}
	return b
}

func (b *Builder) fail(err error) {
	if b.err == nil {
		b.err = err
	}
}

// Build checks the parts and returns the schema. It fails on a duplicate field name, a nil element, key or value schema,
// nesting deeper than MaxSchemaDepth and a default that is not a value of the schema.
func (b *Builder) Build() (*Schema, error) {
	if b.err != nil {
		return nil, b.errorf(b.err)
	}
	s := b.s // the copies are what makes the result immutable
	s.fields = slices.Clone(s.fields)
	s.params = sortedParameters(b.params)
	if err := b.checkParts(&s); err != nil {
		return nil, b.errorf(err)
	}
	s.finish()
	if s.depth > MaxSchemaDepth {
		return nil, b.errorf(fmt.Errorf("nested %d levels deep; the limit is %d", s.depth, MaxSchemaDepth))
	}
	if err := b.setDefault(&s); err != nil {
		return nil, b.errorf(fmt.Errorf("default value: %w", err))
	}
	return &s, nil
}

// setDefault gives a finished schema its default.
func (b *Builder) setDefault(s *Schema) (err error) {
	bare, def := *s, b.def
	if b.hasWire {
		if def, err = decodeDefault(&bare, b.wireDefault); err != nil {
			return err
		}
	}
	if isNull(def) {
		return nil
	}
	if st, ok := def.(*Struct); ok && bare.typ == StructType && bare.sameFields(st.schema) {
		// It may have been made for a variant (required, or of another name). A copy, because schemas do not change.
		def = &Struct{schema: &bare, values: slices.Clone(st.values)}
		s.bare = &bare
	}
	if err := checkDefault(&bare, def); err != nil {
		return err
	}
	s.def = def
	s.finish()
	return nil
}

// MustBuild is Build for schemas fixed in the program; it panics on a mistake.
func (b *Builder) MustBuild() *Schema {
	s, err := b.Build()
	if err != nil {
		panic(err)
	}
	return s
}

// ToBuilder starts a builder with all attributes and parts of s, to make a variant of it.
func (s *Schema) ToBuilder() *Builder {
	b := &Builder{s: *s, def: s.def, schemalessOK: true}
	b.s.def, b.s.bare, b.s.index, b.s.fields = nil, nil, nil, slices.Clone(s.fields)
	if len(s.params) > 0 {
		b.params = make(map[string]string, len(s.params))
		for _, p := range s.params {
			b.params[p.Key] = p.Value
		}
	}
	return b
}

// Clone copies the builder, to build variants from one start.
func (b *Builder) Clone() *Builder {
	c := *b
	c.s.fields, c.params = slices.Clone(b.s.fields), maps.Clone(b.params)
	return &c
}

func (b *Builder) checkParts(s *Schema) error {
	switch s.typ {
	case Array:
		if s.value == nil && !b.schemalessOK {
			return errors.New("the element schema is nil")
		}
	case MapType:
		if s.key == nil && !b.schemalessOK {
			return errors.New("the key schema is nil")
		}
		if s.value == nil && !b.schemalessOK {
			return errors.New("the value schema is nil")
		}
	case StructType:
		seen := make(map[string]struct{}, len(s.fields))
		for _, f := range s.fields {
			if _, dup := seen[f.Name]; dup {
				return fmt.Errorf("field name %q is used twice", f.Name)
			}
			seen[f.Name] = struct{}{}
		}
	}
	return nil
}

func (b *Builder) errorf(err error) error {
	if b.s.hasName {
		return fmt.Errorf("schema %q: %w", b.s.name, err)
	}
	return fmt.Errorf("%s schema: %w", b.s.typ, err)
}

// The ready-made schemas of the primitive types.
var (
	Int8Schema    = NewPrimitive(Int8).MustBuild()
	Int16Schema   = NewPrimitive(Int16).MustBuild()
	Int32Schema   = NewPrimitive(Int32).MustBuild()
	Int64Schema   = NewPrimitive(Int64).MustBuild()
	Float32Schema = NewPrimitive(Float32).MustBuild()
	Float64Schema = NewPrimitive(Float64).MustBuild()
	BooleanSchema = NewPrimitive(Boolean).MustBuild()
	StringSchema  = NewPrimitive(String).MustBuild()
	BytesSchema   = NewPrimitive(Bytes).MustBuild()

	OptionalInt8Schema    = NewPrimitive(Int8).Optional().MustBuild()
	OptionalInt16Schema   = NewPrimitive(Int16).Optional().MustBuild()
	OptionalInt32Schema   = NewPrimitive(Int32).Optional().MustBuild()
	OptionalInt64Schema   = NewPrimitive(Int64).Optional().MustBuild()
	OptionalFloat32Schema = NewPrimitive(Float32).Optional().MustBuild()
	OptionalFloat64Schema = NewPrimitive(Float64).Optional().MustBuild()
	OptionalBooleanSchema = NewPrimitive(Boolean).Optional().MustBuild()
	OptionalStringSchema  = NewPrimitive(String).Optional().MustBuild()
	OptionalBytesSchema   = NewPrimitive(Bytes).Optional().MustBuild()
)
