package jsonschema

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"github.com/tailrace/tailrace/sdk/go/data"
)

// object is a JSON object that keeps the order of its names. Other values are
// []any, string, json.Number, bool and nil.
type object struct {
	names  []string
	values map[string]any
}

func (o *object) get(name string) (any, bool) {
	v, ok := o.values[name]
	return v, ok
}

func (o *object) text(name string) (string, bool) {
	s, ok := o.values[name].(string)
	return s, ok
}

func (o *object) has(names ...string) bool {
	for _, n := range names {
		if _, ok := o.values[n]; ok {
			return true
		}
	}
	return false
}

// parseJSON reads one JSON value and nothing behind it.
func parseJSON(text []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	v, err := decode(d, 0)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is text behind the JSON value")
	}
	return v, nil
}

func decode(d *json.Decoder, depth int) (any, error) {
	if depth > 2*maxDepth {
		return nil, errors.New("the JSON is nested too deep")
	}
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch token {
	case json.Delim('['):
		list := []any{}
		for d.More() {
			v, err := decode(d, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err := d.Token()
		return list, err
	case json.Delim('{'):
		o := &object{values: map[string]any{}}
		for d.More() {
			name, err := d.Token()
			if err != nil {
				return nil, err
			}
			v, err := decode(d, depth+1)
			if err != nil {
				return nil, err
			}
			key, _ := name.(string)
			if _, again := o.values[key]; !again {
				o.names = append(o.names, key)
			}
			o.values[key] = v
		}
		_, err := d.Token()
		return o, err
	}
	return token, nil
}

// appendJSON writes a value with its objects in their order.
func appendJSON(dst []byte, v any) []byte {
	switch v := v.(type) {
	case *object:
		dst = append(dst, '{')
		for i, name := range v.names {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(appendText(dst, name), ':')
			dst = appendJSON(dst, v.values[name])
		}
		return append(dst, '}')
	case []any:
		dst = append(dst, '[')
		for i, item := range v {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendJSON(dst, item)
		}
		return append(dst, ']')
	case string:
		return appendText(dst, v)
	case json.Number:
		return append(dst, numberText(string(v))...)
	case bool:
		if v {
			return append(dst, "true"...)
		}
		return append(dst, "false"...)
	}
	return append(dst, "null"...)
}

// numberText is what becomes of a Java number's text on its way through org.json, which cuts zeros
// behind the point, and Jackson, which has it as a BigDecimal.
func numberText(text string) string {
	if strings.ContainsAny(text, "eE") {
		if d, err := data.ParseDecimal(text); err == nil {
			return d.String()
		}
		return text
	}
	if strings.Contains(text, ".") {
		text = strings.TrimRight(text, "0")
		text = strings.TrimSuffix(text, ".")
	}
	return text
}

// appendText quotes text. HTML characters are left alone.
func appendText(dst []byte, text string) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(text); err != nil { // cannot be: text is a string
		return append(dst, `""`...)
	}
	return append(dst, bytes.TrimSuffix(b.Bytes(), []byte("\n"))...)
}
