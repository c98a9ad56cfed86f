package format

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/tailrace/tailrace/sdk/go/data"
)

// maxDepth bounds the nesting of JSON.
const maxDepth = 100

// JSON reads one JSON text as a value without a schema: objects as maps in the order of their members, whole numbers as
// int64, other numbers as float64. A whole number beyond 64 bits is an error, because it cannot arrive as it left (I-7).
func JSON(text []byte) (any, error) { return read(text, number) }

// numbers makes a value of the text of a number.
type numbers func(text string) (any, error)

func read(text []byte, n numbers) (any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	v, err := value(d, n, 0)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, errors.New("the JSON text ends too early")
	}
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("something follows the JSON value at byte %d", d.InputOffset())
	}
	return v, nil
}

func value(d *json.Decoder, n numbers, depth int) (any, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	if depth > maxDepth {
		return nil, fmt.Errorf("the JSON text is nested deeper than %d levels", maxDepth)
	}
	switch t := token.(type) {
	case json.Number:
		return n(t.String())
	case json.Delim:
		if t == '{' {
			return object(d, n, depth)
		}
		return array(d, n, depth)
	}
	return token, nil // string, bool or nil
}

func object(d *json.Decoder, n numbers, depth int) (any, error) {
	m := &data.Map{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, err
		}
		v, err := value(d, n, depth+1)
		if err != nil {
			return nil, err
		}
		m.Put(name, v)
	}
	_, err := d.Token()
	return m, err
}

func array(d *json.Decoder, n numbers, depth int) (any, error) {
	list := []any{}
	for d.More() {
		v, err := value(d, n, depth+1)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	_, err := d.Token()
	return list, err
}

func number(text string) (any, error) {
	if !strings.ContainsAny(text, ".eE") {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("the number %s does not fit 64 bits", clip(text))
		}
		return n, nil
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return nil, fmt.Errorf("the number %s does not fit 64 bits", clip(text))
	}
	return f, nil
}

// Struct takes the fields out of the JSON object of a line. Members that are no fields are left out; fields that are no
// members, and null members, are null. A number is read from its text, so that a decimal keeps every digit (I-7).
func Struct(fields []Field, text []byte) ([]any, error) {
	v, err := read(text, func(text string) (any, error) { return json.Number(text), nil })
	if err != nil {
		return nil, err
	}
	m, ok := v.(*data.Map)
	if !ok {
		return nil, errors.New("the line is no JSON object, but the key \"fields\" names members of one")
	}
	values := make([]any, len(fields))
	for i, f := range fields {
		member, _ := m.Get(f.Name)
		if values[i], err = f.of(member); err != nil {
			return nil, err
		}
	}
	return values, nil
}

// of fits a JSON value to the field; a text is read as in CSV, a whole number may be a timestamp in milliseconds.
func (f Field) of(member any) (any, error) {
	switch v := member.(type) {
	case nil:
		return nil, nil //nolint:nilnil // null
	case string:
		return f.Parse(v)
	case bool:
		if f.Schema.Type() == data.Boolean {
			return v, nil
		}
	case json.Number:
		if f.Schema.IsTimestamp() {
			millis, err := parseInt(v.String(), 64)
			return data.FromMillis(millis), err
		}
		if f.Schema.Type() != data.Boolean && !f.IsText() {
			return f.Parse(v.String())
		}
	}
	return nil, fmt.Errorf("field %q: a %s cannot become %s", f.Name, kind(member), f.Schema)
}

func kind(v any) string {
	switch v.(type) {
	case bool:
		return "boolean"
	case json.Number:
		return "number"
	case []any:
		return "JSON array"
	}
	return "JSON object"
}
