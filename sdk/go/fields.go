package connect

import (
	"fmt"
	"time"

	"github.com/tailrace/tailrace/sdk/go/data"
)

// FieldWriter writes the fields of a struct by position, one call a field, each
// checked against the field's type. Calls chain:
//
//	rec.ValueStruct(schema).Int64(id).String(name).Null()
//
// Optional fields take the same calls, or Null. Arrays, maps, nested structs and
// decimals take Value.
type FieldWriter struct {
	b      *Batch
	schema *data.Schema
	fields []data.Field
	next   int
}

func (w *FieldWriter) start(b *Batch, s *data.Schema) {
	w.b, w.next = b, 0
	if s != w.schema {
		if s == nil || s.Type() != data.StructType {
			w.schema, w.fields = nil, nil
			b.fail(fmt.Errorf("want a STRUCT schema to write fields, not %s", s))
			return
		}
		w.schema, w.fields = s, s.Fields()
	}
	if s != nil && s.Optional() {
		b.builder.Block = data.AppendPresence(b.builder.Block, s, true)
	}
}

// dead makes a writer that takes nothing; the mistake is noted already.
func (w *FieldWriter) dead(b *Batch) *FieldWriter {
	w.b, w.schema, w.fields, w.next = b, nil, nil, 0
	return w
}

// field gives the next field's schema after writing its presence; nil when it does not fit.
func (w *FieldWriter) field(t data.Type) *data.Schema {
	if w.next >= len(w.fields) {
		w.b.fail(fmt.Errorf("more fields were written than %s has (%d)", w.schema, len(w.fields)))
		return nil
	}
	s := w.fields[w.next].Schema
	if s.Type() != t {
		w.b.fail(fmt.Errorf("field %q of %s is %s, not %s", w.fields[w.next].Name, w.schema, s.Type(), t))
		return nil
	}
	w.next++
	if s.Optional() {
		w.b.builder.Block = data.AppendPresence(w.b.builder.Block, s, true)
	}
	return s
}

func (w *FieldWriter) unfinished() error {
	return fmt.Errorf("%d of %d fields of %s were written; the next is %q", w.next, len(w.fields), w.schema, w.fields[w.next].Name)
}

// Int8 writes an INT8 field.
func (w *FieldWriter) Int8(v int8) *FieldWriter { return w.long(data.Int8, int64(v)) }

// Int16 writes an INT16 field.
func (w *FieldWriter) Int16(v int16) *FieldWriter { return w.long(data.Int16, int64(v)) }

// Int32 writes an INT32 field, or a Date in days, or a Time in milliseconds.
func (w *FieldWriter) Int32(v int32) *FieldWriter { return w.long(data.Int32, int64(v)) }

// Int64 writes an INT64 field, or a Timestamp in milliseconds.
func (w *FieldWriter) Int64(v int64) *FieldWriter { return w.long(data.Int64, v) }

func (w *FieldWriter) long(t data.Type, v int64) *FieldWriter {
	if w.field(t) != nil {
		w.b.builder.Block = data.AppendLong(w.b.builder.Block, v)
	}
	return w
}

// Float32 writes a FLOAT32 field.
func (w *FieldWriter) Float32(v float32) *FieldWriter {
	if w.field(data.Float32) != nil {
		w.b.builder.Block = data.AppendFloat(w.b.builder.Block, v)
	}
	return w
}

// Float64 writes a FLOAT64 field.
func (w *FieldWriter) Float64(v float64) *FieldWriter {
	if w.field(data.Float64) != nil {
		w.b.builder.Block = data.AppendDouble(w.b.builder.Block, v)
	}
	return w
}

// Bool writes a BOOLEAN field.
func (w *FieldWriter) Bool(v bool) *FieldWriter {
	if w.field(data.Boolean) != nil {
		w.b.builder.Block = data.AppendBool(w.b.builder.Block, v)
	}
	return w
}

// String writes a STRING field.
func (w *FieldWriter) String(v string) *FieldWriter {
	if w.field(data.String) != nil {
		w.b.builder.Block = data.AppendString(w.b.builder.Block, v)
	}
	return w
}

// StringBytes writes a STRING field from bytes.
func (w *FieldWriter) StringBytes(v []byte) *FieldWriter {
	if w.field(data.String) != nil {
		w.b.builder.Block = data.AppendBytes(w.b.builder.Block, v)
	}
	return w
}

// Bytes writes a BYTES field.
func (w *FieldWriter) Bytes(v []byte) *FieldWriter {
	if w.field(data.Bytes) != nil {
		w.b.builder.Block = data.AppendBytes(w.b.builder.Block, v)
	}
	return w
}

// Time writes a Timestamp, Date or Time field.
func (w *FieldWriter) Time(v time.Time) *FieldWriter { return w.Value(v) }

// Null writes null into an optional field.
func (w *FieldWriter) Null() *FieldWriter { return w.Value(nil) }

// Value writes a Go value of the data model into a field of any type.
func (w *FieldWriter) Value(v any) *FieldWriter {
	if w.next >= len(w.fields) {
		w.b.fail(fmt.Errorf("more fields were written than %s has (%d)", w.schema, len(w.fields)))
		return w
	}
	f := &w.fields[w.next]
	w.next++
	raw, err := appendConverted(w.b.builder.Block, f.Schema, v)
	if err != nil {
		w.b.fail(fmt.Errorf("field %q: %w", f.Name, err))
		return w
	}
	w.b.builder.Block = raw
	return w
}
