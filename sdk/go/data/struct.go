package data

import (
	"errors"
	"fmt"
	"strings"
)

// Struct is the value of a STRUCT: one value per field of its schema, by position. It is not safe for concurrent use.
type Struct struct {
	schema *Schema
	values []any
}

// NewStructValue makes a struct with all fields null. It fails if the schema is not a STRUCT.
func NewStructValue(schema *Schema) (*Struct, error) {
	if schema == nil || schema.typ != StructType {
		return nil, fmt.Errorf("not a struct schema: %s", schema)
	}
	return newStruct(schema), nil
}

// newStruct puts the values of a small struct beside it, in one allocation: reading records is where they are made.
func newStruct(schema *Schema) *Struct {
	switch n := len(schema.fields); {
	case n <= 4:
		s := &struct {
			Struct
			room [4]any
		}{Struct: Struct{schema: schema}}
		s.values = s.room[:n:n]
		return &s.Struct
	case n <= 8:
		s := &struct {
			Struct
			room [8]any
		}{Struct: Struct{schema: schema}}
		s.values = s.room[:n:n]
		return &s.Struct
	case n <= 16:
		s := &struct {
			Struct
			room [16]any
		}{Struct: Struct{schema: schema}}
		s.values = s.room[:n:n]
		return &s.Struct
	default:
		return &Struct{schema: schema, values: make([]any, n)}
	}
}

// Schema is the struct's schema, never nil.
func (s *Struct) Schema() *Schema { return s.schema }

// Get is the value of a field; a null field with a default gives the default, as in Java's Struct.get. An unknown field
// is an error.
func (s *Struct) Get(name string) (any, error) {
	i := s.schema.fieldIndex(name)
	if i < 0 {
		return nil, s.unknownField(name)
	}
	return s.At(i), nil
}

// GetWithoutDefault is the value of a field as it was put: null stays null.
func (s *Struct) GetWithoutDefault(name string) (any, error) {
	i := s.schema.fieldIndex(name)
	if i < 0 {
		return nil, s.unknownField(name)
	}
	return s.values[i], nil
}

// At is Get by position.
func (s *Struct) At(i int) any {
	if v := s.values[i]; !isNull(v) {
		return v
	}
	return s.schema.fields[i].Schema.def // nil if there is none
}

// Values are the values by position, without defaults. The slice is shared with the struct; who writes to it must call
// Validate after.
func (s *Struct) Values() []any { return s.values }

// Put sets a field after checking the value against the field's schema. Null is checked by Validate only if the field
// has a default.
func (s *Struct) Put(name string, v any) error {
	i := s.schema.fieldIndex(name)
	if i < 0 {
		return s.unknownField(name)
	}
	return s.PutAt(i, v)
}

// PutAt is Put by position.
func (s *Struct) PutAt(i int, v any) error {
	f := &s.schema.fields[i]
	if isNull(v) && f.Schema.def != nil {
		s.values[i] = nil
		return nil
	}
	if err := validate(f.Schema, v, 0); err != nil {
		return under(err, f.Name)
	}
	s.values[i] = v
	return nil
}

// Validate checks every field against the schema. A required field that was never set is an error unless it has a
// default.
func (s *Struct) Validate() error { return Validate(s.schema, s) }

// String is a text for people, Java's: Struct{field=value,…} without the null fields. See [AppendJavaText].
func (s *Struct) String() string { return string(AppendJavaText(nil, s)) }

func (s *Struct) unknownField(name string) error {
	names := make([]string, len(s.schema.fields))
	for i, f := range s.schema.fields {
		names[i] = f.Name
	}
	return fmt.Errorf("%q is not a field of %s; its fields are %s", name, s.schema, clip(strings.Join(names, ", ")))
}

// ValueBuilder builds a Struct field by field. Calls chain; all mistakes are told together by Build.
type ValueBuilder struct {
	s    *Struct
	errs []error
}

// NewValue starts a struct of the schema.
func NewValue(schema *Schema) *ValueBuilder {
	s, err := NewStructValue(schema)
	b := &ValueBuilder{s: s}
	if err != nil {
		b.errs = append(b.errs, err)
	}
	return b
}

// Set sets a field. Beside the exact Go type of the field's schema it takes what [Convert] takes, so that a plain
// `Set("id", 5)` works for an INT64 field.
func (b *ValueBuilder) Set(name string, v any) *ValueBuilder {
	if b.s == nil {
		return b
	}
	f, ok := b.s.schema.Field(name)
	if !ok {
		b.errs = append(b.errs, b.s.unknownField(name))
		return b
	}
	v, err := Convert(f.Schema, v)
	if err != nil {
		b.errs = append(b.errs, under(err, name))
		return b
	}
	if err := b.s.PutAt(f.Index, v); err != nil {
		b.errs = append(b.errs, err)
	}
	return b
}

// Build checks that every required field is set and returns the struct. The builder must not be used after.
func (b *ValueBuilder) Build() (*Struct, error) {
	if len(b.errs) > 0 {
		return nil, errors.Join(b.errs...)
	}
	if err := b.s.Validate(); err != nil {
		return nil, err
	}
	return b.s, nil
}

// MustBuild is Build for values fixed in the program; it panics on a mistake.
func (b *ValueBuilder) MustBuild() *Struct {
	s, err := b.Build()
	if err != nil {
		panic(err)
	}
	return s
}
