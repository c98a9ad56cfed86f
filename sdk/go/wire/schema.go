package wire

import (
	"errors"
	"fmt"

	pluginv1 "github.com/tailrace/tailrace/gen/tailrace/plugin/v1"
	"github.com/tailrace/tailrace/sdk/go/data"
)

var errTooManySchemas = fmt.Errorf("more than %d schemas on one stream; reuse schemas instead of building one per record", MaxSchemas)

// SchemaWriter gives schemas their ids on one stream. It belongs to the
// goroutine that writes the stream.
type SchemaWriter struct {
	byPointer map[*data.Schema]uint32
	defined   []*data.Schema
	pending   []*pluginv1.SchemaDef
}

// ID returns the id of a schema, 0 for none. A schema that is new to the
// stream is kept for Pending. Equal schemas built twice share an id.
func (w *SchemaWriter) ID(s *data.Schema) (uint32, error) {
	if s == nil {
		return 0, nil
	}
	if id, ok := w.byPointer[s]; ok {
		return id, nil
	}
	return w.define(s)
}

func (w *SchemaWriter) define(s *data.Schema) (uint32, error) {
	if w.byPointer == nil {
		w.byPointer = make(map[*data.Schema]uint32)
	}
	for i, d := range w.defined {
		if d.Equal(s) {
			// The map stays bounded when every record brings a fresh pointer.
			if len(w.byPointer) < 2*MaxSchemas {
				w.byPointer[s] = uint32(i + 1)
			}
			return uint32(i + 1), nil
		}
	}
	if len(w.defined) >= MaxSchemas {
		return 0, errTooManySchemas
	}
	p, err := SchemaToProto(s)
	if err != nil {
		return 0, err
	}
	if n := p.SizeVT(); n > MaxSchemaBytes {
		return 0, fmt.Errorf("schema %q takes %d bytes, the limit is %d", s.Name(), n, MaxSchemaBytes)
	}
	w.defined = append(w.defined, s)
	id := uint32(len(w.defined))
	w.byPointer[s] = id
	w.pending = append(w.pending, &pluginv1.SchemaDef{Id: id, Schema: p})
	return id, nil
}

// Pending returns the definitions to send before the next batch and forgets them.
func (w *SchemaWriter) Pending() []*pluginv1.SchemaDef {
	p := w.pending
	w.pending = nil
	return p
}

// SchemaTable is the receiving side of the dictionary of one stream.
type SchemaTable struct {
	schemas []*data.Schema
}

// Define takes a definition. Ids must come in order, from 1.
func (t *SchemaTable) Define(def *pluginv1.SchemaDef) error {
	if len(t.schemas) == 0 {
		t.schemas = append(t.schemas, nil) // id 0: no schema
	}
	if want := uint32(len(t.schemas)); def.GetId() != want {
		return fmt.Errorf("schema definition has id %d, the next id is %d", def.GetId(), want)
	}
	if len(t.schemas) > MaxSchemas {
		return errTooManySchemas
	}
	if n := def.GetSchema().SizeVT(); n > MaxSchemaBytes {
		return fmt.Errorf("schema %d takes %d bytes, the limit is %d", def.GetId(), n, MaxSchemaBytes)
	}
	s, err := SchemaFromProto(def.GetSchema())
	if err != nil {
		return fmt.Errorf("schema %d: %w", def.GetId(), err)
	}
	t.schemas = append(t.schemas, s)
	return nil
}

// Get returns a schema by its id, nil for 0. The id was checked with the batch.
func (t *SchemaTable) Get(id uint32) *data.Schema {
	if id == 0 {
		return nil
	}
	return t.schemas[id]
}

// limit is one more than the greatest id defined.
func (t *SchemaTable) limit() int { return max(len(t.schemas), 1) }

// maxSchemaDepth bounds the nesting of a received schema.
const maxSchemaDepth = 64

var schemaTypes = map[data.Type]pluginv1.SchemaType{
	data.Int8:       pluginv1.SchemaType_SCHEMA_TYPE_INT8,
	data.Int16:      pluginv1.SchemaType_SCHEMA_TYPE_INT16,
	data.Int32:      pluginv1.SchemaType_SCHEMA_TYPE_INT32,
	data.Int64:      pluginv1.SchemaType_SCHEMA_TYPE_INT64,
	data.Float32:    pluginv1.SchemaType_SCHEMA_TYPE_FLOAT32,
	data.Float64:    pluginv1.SchemaType_SCHEMA_TYPE_FLOAT64,
	data.Boolean:    pluginv1.SchemaType_SCHEMA_TYPE_BOOLEAN,
	data.String:     pluginv1.SchemaType_SCHEMA_TYPE_STRING,
	data.Bytes:      pluginv1.SchemaType_SCHEMA_TYPE_BYTES,
	data.Array:      pluginv1.SchemaType_SCHEMA_TYPE_ARRAY,
	data.MapType:    pluginv1.SchemaType_SCHEMA_TYPE_MAP,
	data.StructType: pluginv1.SchemaType_SCHEMA_TYPE_STRUCT,
}

var dataTypes = func() map[pluginv1.SchemaType]data.Type {
	m := make(map[pluginv1.SchemaType]data.Type, len(schemaTypes))
	for d, p := range schemaTypes {
		m[p] = d
	}
	return m
}()

// SchemaToProto writes a schema out whole.
func SchemaToProto(s *data.Schema) (*pluginv1.Schema, error) {
	return schemaToProto(s, 0)
}

func schemaToProto(s *data.Schema, depth int) (*pluginv1.Schema, error) {
	if s == nil {
		return nil, nil //nolint:nilnil // no schema is a value of its own
	}
	if depth > maxSchemaDepth {
		return nil, fmt.Errorf("schema is nested more than %d levels", maxSchemaDepth)
	}
	p := &pluginv1.Schema{Type: schemaTypes[s.Type()], Optional: s.Optional()}
	if s.HasName() {
		n := s.Name()
		p.Name = &n
	}
	if v, ok := s.Version(); ok {
		p.Version = &v
	}
	if s.HasDoc() {
		d := s.Doc()
		p.Doc = &d
	}
	for _, kv := range s.Parameters() {
		if p.Parameters == nil {
			p.Parameters = make(map[string]string)
		}
		p.Parameters[kv.Key] = kv.Value
	}
	if def, ok := s.AppendDefault([]byte{}); ok { // not nil even when empty
		p.DefaultValue = def
	}
	var err error
	if s.Type() == data.MapType {
		if p.KeySchema, err = schemaToProto(s.KeySchema(), depth+1); err != nil {
			return nil, err
		}
	}
	if s.Type() == data.MapType || s.Type() == data.Array {
		if p.ValueSchema, err = schemaToProto(s.ValueSchema(), depth+1); err != nil {
			return nil, err
		}
	}
	for _, f := range s.Fields() {
		fp, err := schemaToProto(f.Schema, depth+1)
		if err != nil {
			return nil, fmt.Errorf("field %q: %w", f.Name, err)
		}
		p.Fields = append(p.Fields, &pluginv1.SchemaField{Name: f.Name, Schema: fp})
	}
	return p, nil
}

// SchemaFromProto reads a schema that the other side sent; nothing of it is trusted.
func SchemaFromProto(p *pluginv1.Schema) (*data.Schema, error) {
	if p == nil {
		return nil, errors.New("schema is missing")
	}
	return schemaFromProto(p, 0)
}

func schemaFromProto(p *pluginv1.Schema, depth int) (*data.Schema, error) {
	if p == nil {
		return nil, nil //nolint:nilnil // elements without a schema
	}
	if depth > maxSchemaDepth {
		return nil, fmt.Errorf("schema is nested more than %d levels", maxSchemaDepth)
	}
	t, ok := dataTypes[p.GetType()]
	if !ok {
		return nil, fmt.Errorf("unknown schema type %d", p.GetType())
	}
	b, err := schemaBuilder(t, p, depth)
	if err != nil {
		return nil, err
	}
	if p.Name != nil {
		b.Name(p.GetName())
	}
	if p.Version != nil {
		b.Version(p.GetVersion())
	}
	if p.Doc != nil {
		b.Doc(p.GetDoc())
	}
	for k, v := range p.GetParameters() {
		b.Param(k, v)
	}
	if p.DefaultValue != nil {
		b.WireDefault(p.GetDefaultValue())
	}
	if p.GetOptional() {
		b.Optional()
	}
	return b.Build()
}

func schemaBuilder(t data.Type, p *pluginv1.Schema, depth int) (*data.Builder, error) {
	switch t {
	case data.StructType:
		b := data.NewStruct()
		for _, f := range p.GetFields() {
			s, err := schemaFromProto(f.GetSchema(), depth+1)
			if err != nil {
				return nil, fmt.Errorf("field %q: %w", f.GetName(), err)
			}
			if s == nil {
				return nil, fmt.Errorf("field %q has no schema", f.GetName())
			}
			b.Field(f.GetName(), s)
		}
		return b, nil
	case data.Array:
		v, err := schemaFromProto(p.GetValueSchema(), depth+1)
		if err != nil {
			return nil, fmt.Errorf("array element: %w", err)
		}
		return data.NewArray(v).Schemaless(), nil
	case data.MapType:
		k, err := schemaFromProto(p.GetKeySchema(), depth+1)
		if err != nil {
			return nil, fmt.Errorf("map key: %w", err)
		}
		v, err := schemaFromProto(p.GetValueSchema(), depth+1)
		if err != nil {
			return nil, fmt.Errorf("map value: %w", err)
		}
		return data.NewMap(k, v).Schemaless(), nil
	}
	return data.NewPrimitive(t), nil
}
