package document

import (
	"fmt"

	"github.com/tailrace/tailrace/sdk/go/data"
)

// Error tells that a record cannot become a document, however often it is tried.
type Error struct{ Reason string }

func (e *Error) Error() string { return e.Reason }

func errorf(format string, args ...any) error { return &Error{Reason: fmt.Sprintf(format, args...)} }

// Options change how values are written.
type Options struct {
	// CompactMaps writes maps with string keys as objects; otherwise every map is an array of {"key":…,"value":…}.
	CompactMaps bool
}

// kind is how a value is written.
type kind uint8

const (
	kindInteger kind = iota
	kindFloat32
	kindFloat64
	kindBoolean
	kindString
	kindBytes
	kindDecimal
	kindDate
	kindTime
	kindTimestamp
	kindArray
	kindMap
	kindStruct
)

// Plan is a schema prepared for writing: kinds decided, names quoted. A nil Plan is schemaless.
type Plan struct {
	schema     *data.Schema
	kind       kind
	optional   bool
	minSize    int // of a value in bytes
	scale      int32
	null       []byte // what an absent value becomes: null, or the JSON of the default
	key, value *Plan
	objectKeys bool
	names      [][]byte // `"name":` of the fields, with the comma before it
	fields     []*Plan
	options    Options
}

// NewPlan prepares a schema; nil gives the plan of schemaless values.
func NewPlan(s *data.Schema, o Options) (*Plan, error) {
	if s == nil {
		return &Plan{options: o, minSize: 1}, nil
	}
	p := &Plan{schema: s, options: o, optional: s.Optional(), minSize: s.MinSize(), null: []byte("null")}
	var err error
	if p.kind, p.scale, err = kindOf(s); err != nil {
		return nil, err
	}
	switch p.kind {
	case kindArray:
		p.value, err = NewPlan(s.ValueSchema(), o)
	case kindMap:
		p.objectKeys = o.CompactMaps && (s.KeySchema() == nil || s.KeySchema().Type() == data.String)
		if p.key, err = NewPlan(s.KeySchema(), o); err == nil {
			p.value, err = NewPlan(s.ValueSchema(), o)
		}
	case kindStruct:
		for _, f := range s.Fields() {
			field, err := NewPlan(f.Schema, o)
			if err != nil {
				return nil, err
			}
			var name []byte
			if len(p.names) > 0 {
				name = append(name, ',')
			}
			p.names = append(p.names, append(appendString(name, []byte(f.Name)), ':'))
			p.fields = append(p.fields, field)
		}
	}
	if err != nil {
		return nil, err
	}
	if wire, ok := s.AppendDefault(nil); ok && s.Optional() {
		w := writer{b: wire, compactMaps: o.CompactMaps}
		if p.null, err = w.body(nil, p); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func kindOf(s *data.Schema) (kind, int32, error) {
	scale, decimal, err := s.IsDecimal()
	switch {
	case err != nil:
		return 0, 0, &Error{Reason: err.Error()}
	case decimal:
		return kindDecimal, scale, nil
	case s.IsDate():
		return kindDate, 0, nil
	case s.IsTime():
		return kindTime, 0, nil
	case s.IsTimestamp():
		return kindTimestamp, 0, nil
	}
	switch s.Type() {
	case data.Int8, data.Int16, data.Int32, data.Int64:
		return kindInteger, 0, nil
	case data.Float32:
		return kindFloat32, 0, nil
	case data.Float64:
		return kindFloat64, 0, nil
	case data.Boolean:
		return kindBoolean, 0, nil
	case data.String:
		return kindString, 0, nil
	case data.Bytes:
		return kindBytes, 0, nil
	case data.Array:
		return kindArray, 0, nil
	case data.MapType:
		return kindMap, 0, nil
	case data.StructType:
		return kindStruct, 0, nil
	}
	return 0, 0, errorf("values of type %s are not known", s.Type())
}
