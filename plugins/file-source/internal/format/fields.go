package format

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/tailrace/tailrace/sdk/go/data"
)

// Field is a named and typed column or member. Its schema is optional.
type Field struct {
	Name   string
	Schema *data.Schema
	parse  func(text string) (any, error)
}

// ParseFields reads a list such as "id:int64", "price:decimal(2)", "at:timestamp". The types are string, boolean, int8,
// int16, int32, int64, float32, float64, bytes (base64), decimal(SCALE), date, time and timestamp (ISO 8601).
func ParseFields(list []string) ([]Field, error) {
	var fields []Field
	seen := make(map[string]bool)
	for _, item := range list {
		at := strings.LastIndexByte(item, ':')
		if at <= 0 {
			return nil, fmt.Errorf("%q is not name:type, for example id:int64", item)
		}
		f, err := newField(item[:at], strings.TrimSpace(item[at+1:]))
		if err != nil {
			return nil, err
		}
		if seen[f.Name] {
			return nil, fmt.Errorf("the field %q is named twice", f.Name)
		}
		seen[f.Name] = true
		fields = append(fields, f)
	}
	return fields, nil
}

func newField(name, kind string) (Field, error) {
	f := Field{Name: strings.TrimSpace(name)}
	primitive := func(t data.Type, parse func(string) (any, error)) (Field, error) {
		f.Schema, f.parse = data.NewPrimitive(t).Optional().MustBuild(), parse
		return f, nil
	}
	if scale, ok := strings.CutPrefix(kind, "decimal("); ok {
		n, err := strconv.ParseUint(strings.TrimSuffix(scale, ")"), 10, 15)
		if err != nil || !strings.HasSuffix(scale, ")") {
			return f, fmt.Errorf("field %q: %q is not decimal(SCALE) with a number of digits, for example decimal(2)", name, kind)
		}
		f.Schema = data.OptionalDecimalSchema(int32(n))
		f.parse = func(text string) (any, error) { return parseDecimal(text, int32(n)) }
		return f, nil
	}
	switch kind {
	case "string":
		return primitive(data.String, func(s string) (any, error) { return s, nil })
	case "boolean":
		return primitive(data.Boolean, parseBool)
	case "int8":
		return primitive(data.Int8, func(s string) (any, error) { n, err := parseInt(s, 8); return int8(n), err })
	case "int16":
		return primitive(data.Int16, func(s string) (any, error) { n, err := parseInt(s, 16); return int16(n), err })
	case "int32":
		return primitive(data.Int32, func(s string) (any, error) { n, err := parseInt(s, 32); return int32(n), err })
	case "int64":
		return primitive(data.Int64, func(s string) (any, error) { return parseInt(s, 64) })
	case "float32":
		return primitive(data.Float32, func(s string) (any, error) { n, err := parseFloat(s, 32); return float32(n), err })
	case "float64":
		return primitive(data.Float64, func(s string) (any, error) { return parseFloat(s, 64) })
	case "bytes":
		return primitive(data.Bytes, parseBase64)
	case "date":
		f.Schema, f.parse = data.NewDate().Optional().MustBuild(), parseTime("a date such as 2026-11-21", time.DateOnly)
	case "time":
		f.Schema, f.parse = data.NewTime().Optional().MustBuild(), parseClock
	case "timestamp":
		f.Schema = data.NewTimestamp().Optional().MustBuild()
		f.parse = parseTime("a timestamp such as 2026-11-21T03:45:00Z", time.RFC3339Nano, "2006-01-02T15:04:05.999999999",
			"2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999", time.DateOnly)
	default:
		return f, fmt.Errorf("field %q: unknown type %q", name, kind)
	}
	return f, nil
}

// IsText tells that the field takes text as it is.
func (f Field) IsText() bool { return f.Schema.Type() == data.String }

// Parse makes a value of a text. An empty text is null, unless the field takes text.
func (f Field) Parse(text string) (any, error) {
	if text == "" && !f.IsText() {
		return nil, nil //nolint:nilnil // null
	}
	v, err := f.parse(text)
	if err != nil {
		return nil, fmt.Errorf("field %q: %w", f.Name, err)
	}
	return v, nil
}

// StringField is the field of a column that has no type.
func StringField(name string) Field {
	return Field{Name: name, Schema: data.OptionalStringSchema, parse: func(s string) (any, error) { return s, nil }}
}

// Schema is a struct of the fields.
func Schema(fields []Field) (*data.Schema, error) {
	b := data.NewStruct()
	for _, f := range fields {
		b.Field(f.Name, f.Schema)
	}
	return b.Build()
}

func parseBool(s string) (any, error) {
	switch strings.ToLower(s) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return nil, fmt.Errorf("%q is not true or false", clip(s))
}

func parseInt(s string, bits int) (int64, error) {
	n, err := strconv.ParseInt(s, 10, bits)
	if err != nil {
		return 0, fmt.Errorf("%q is not an integer of %d bits", clip(s), bits)
	}
	return n, nil
}

func parseFloat(s string, bits int) (float64, error) {
	n, err := strconv.ParseFloat(s, bits)
	if err != nil {
		return 0, fmt.Errorf("%q is not a number that fits %d bits", clip(s), bits)
	}
	return n, nil
}

func parseBase64(s string) (any, error) {
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return nil, fmt.Errorf("%q is not base64", clip(s))
	}
	return b, nil
}

func parseDecimal(s string, scale int32) (any, error) {
	whole, fraction, _ := strings.Cut(s, ".")
	if len(fraction) > int(scale) || strings.ContainsAny(s, "eE") {
		return nil, fmt.Errorf("%q is not a decimal number with at most %d digits after the point", clip(s), scale)
	}
	padded := whole
	if scale > 0 {
		padded += "." + fraction + strings.Repeat("0", int(scale)-len(fraction))
	}
	d, err := data.ParseDecimal(padded)
	if err != nil {
		return nil, fmt.Errorf("%q is not a decimal number", clip(s))
	}
	return d, nil
}

func parseTime(want string, layouts ...string) func(string) (any, error) {
	return func(s string) (any, error) {
		for _, layout := range layouts {
			if t, err := time.Parse(layout, s); err == nil {
				return t.UTC(), nil
			}
		}
		return nil, fmt.Errorf("%q is not %s", clip(s), want)
	}
}

func parseClock(s string) (any, error) {
	t, err := time.Parse("15:04:05.999999999", s)
	if err != nil {
		return nil, fmt.Errorf("%q is not a time such as 03:45:00", clip(s))
	}
	return time.Date(1970, 1, 1, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC), nil
}

// clip keeps long or secret content out of messages.
func clip(s string) string {
	if r := []rune(s); len(r) > 40 {
		return string(r[:40]) + "…"
	}
	return s
}
