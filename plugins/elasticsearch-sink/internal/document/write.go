package document

import (
	"bytes"
	"encoding/json"
	"strconv"

	"github.com/tailrace/tailrace/sdk/go/data"
)

// Null tells whether a value in wire form is null.
func (p *Plan) Null(wire []byte) bool {
	if p.schema == nil {
		return len(wire) == 0 || wire[0] == data.AnyNull
	}
	if !p.optional {
		return false
	}
	present, _, err := data.ReadPresence(p.schema, wire)
	return err == nil && !present && string(p.null) == "null"
}

// Append writes a record's value as one JSON object. A string or bytes value must be the text of one, and is passed on
// as it is. With timestampMillis at least 0 the object gets an "@timestamp" unless it has one. On an error dst is
// returned as it was.
func (p *Plan) Append(dst, wire []byte, timestampMillis int64) ([]byte, error) {
	start := len(dst)
	w := writer{b: wire, compactMaps: p.options.CompactMaps}
	out, err := w.document(dst, p)
	if err != nil {
		return dst, err
	}
	if timestampMillis >= 0 && !hasTimestamp(out[start:]) {
		out = out[:len(out)-1]
		if len(out)-start > 1 {
			out = append(out, ',')
		}
		out = strconv.AppendInt(append(out, `"@timestamp":`...), timestampMillis, 10)
		out = append(out, '}')
	}
	return out, nil
}

// hasTimestamp looks for the member at the top of an object.
func hasTimestamp(object []byte) bool {
	if !bytes.Contains(object, []byte(`"@timestamp"`)) {
		return false
	}
	var top map[string]json.RawMessage
	if json.Unmarshal(object, &top) != nil {
		return false
	}
	_, ok := top["@timestamp"]
	return ok
}

// writer walks a value in wire form from pos on. Its methods append to dst. It stays on the stack: no closures over it, and a
// number moves rather than a slice.
type writer struct {
	b           []byte
	pos         int
	compactMaps bool
}

func (w *writer) document(dst []byte, p *Plan) ([]byte, error) {
	if p.schema == nil {
		branch, err := w.long()
		if err != nil {
			return nil, err
		}
		switch {
		case branch == data.AnyString || branch == data.AnyBytes:
			return w.jsonText(dst)
		case branch == data.AnyMap && w.compactMaps:
			return w.anyObject(dst, 0)
		}
		return nil, errorf("the value is schemaless and not a map; a document must be a JSON object")
	}
	switch {
	case p.kind == kindString || p.kind == kindBytes:
		present, err := w.presence(p)
		if err != nil {
			return nil, err
		}
		if !present {
			return nil, errorf("the value is null")
		}
		return w.jsonText(dst)
	case p.kind == kindStruct || p.kind == kindMap && p.objectKeys:
		return w.value(dst, p)
	}
	return nil, errorf("the value is of %s; a document must be a JSON object: use a struct, a map, or text that holds an object", p.schema)
}

// jsonText passes JSON text on: checked, because one bad line would spoil the whole request.
func (w *writer) jsonText(dst []byte) ([]byte, error) {
	text, err := w.bytes()
	if err != nil {
		return nil, err
	}
	text = bytes.TrimSpace(text)
	if !object(text) {
		return nil, errorf("the value is text that is not a JSON object")
	}
	if bytes.IndexByte(text, '\n') < 0 && bytes.IndexByte(text, '\r') < 0 {
		return append(dst, text...), nil
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, text); err != nil {
		return nil, errorf("the value is text that is not a JSON object: %v", err)
	}
	return append(dst, compact.Bytes()...), nil
}

func (w *writer) value(dst []byte, p *Plan) ([]byte, error) {
	if p.schema == nil {
		return w.any(dst, 0)
	}
	if p.optional {
		present, err := w.presence(p)
		if err != nil {
			return nil, err
		}
		if !present {
			return append(dst, p.null...), nil
		}
	}
	return w.body(dst, p)
}

// body writes a value that is present.
func (w *writer) body(dst []byte, p *Plan) ([]byte, error) {
	switch p.kind {
	case kindInteger, kindTime, kindTimestamp:
		return w.integer(dst)
	case kindString:
		return w.text(dst)
	case kindFloat64:
		return w.double(dst)
	case kindFloat32:
		return w.float(dst)
	case kindBoolean:
		return w.boolean(dst)
	case kindDate:
		return w.date(dst)
	case kindBytes:
		return w.base64(dst)
	case kindDecimal:
		return w.decimal(dst, p.scale)
	case kindArray:
		return w.array(dst, p)
	case kindMap:
		return w.mapping(dst, p)
	default:
		return w.structure(dst, p)
	}
}

func (w *writer) structure(dst []byte, p *Plan) (_ []byte, err error) {
	dst = append(dst, '{')
	for i, field := range p.fields {
		dst = append(dst, p.names[i]...)
		if dst, err = w.value(dst, field); err != nil {
			return nil, err
		}
	}
	return append(dst, '}'), nil
}

func (w *writer) array(dst []byte, p *Plan) ([]byte, error) {
	dst = append(dst, '[')
	first := true
	for {
		n, err := w.block(p.value.minSize)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			return append(dst, ']'), nil
		}
		for range n {
			if !first {
				dst = append(dst, ',')
			}
			first = false
			if dst, err = w.value(dst, p.value); err != nil {
				return nil, err
			}
		}
	}
}

// mapping writes a map, as an object or as an array of {"key":…,"value":…}.
func (w *writer) mapping(dst []byte, p *Plan) ([]byte, error) {
	start := len(dst)
	dst = append(dst, '[')
	for {
		n, err := w.block(p.key.minSize + p.value.minSize)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			dst = append(dst, ']')
			if p.objectKeys {
				dst[start], dst[len(dst)-1] = '{', '}'
			}
			return dst, nil
		}
		for range n {
			if len(dst)-start > 1 {
				dst = append(dst, ',')
			}
			if !p.objectKeys {
				dst = append(dst, `{"key":`...)
			}
			mark := len(dst)
			if dst, err = w.value(dst, p.key); err != nil {
				return nil, err
			}
			if p.objectKeys {
				dst = append(quoted(dst, mark), ':')
			} else {
				dst = append(dst, `,"value":`...)
			}
			if dst, err = w.value(dst, p.value); err != nil {
				return nil, err
			}
			if !p.objectKeys {
				dst = append(dst, '}')
			}
		}
	}
}

// quoted makes a string of what was written from mark on and is none: a null or a number among schemaless keys.
func quoted(dst []byte, mark int) []byte {
	if dst[mark] == '"' {
		return dst
	}
	return appendString(dst[:mark], bytes.Clone(dst[mark:]))
}

// any writes a schemaless value.
func (w *writer) any(dst []byte, depth int) ([]byte, error) {
	if w.pos >= len(w.b) {
		return append(dst, "null"...), nil
	}
	branch, err := w.long()
	if err != nil {
		return nil, err
	}
	switch branch {
	case data.AnyString:
		return w.text(dst)
	case data.AnyInt8, data.AnyInt16, data.AnyInt32, data.AnyInt64, data.AnyTimestamp:
		return w.integer(dst)
	case data.AnyFloat64:
		return w.double(dst)
	case data.AnyBoolean:
		return w.boolean(dst)
	case data.AnyNull:
		return append(dst, "null"...), nil
	case data.AnyFloat32:
		return w.float(dst)
	case data.AnyBytes:
		return w.base64(dst)
	case data.AnyDecimal:
		scale, err := w.int()
		if err != nil {
			return nil, err
		}
		return w.decimal(dst, scale)
	}
	if depth >= data.MaxSchemalessDepth {
		return nil, errorf("the value is nested deeper than %d", data.MaxSchemalessDepth)
	}
	switch branch {
	case data.AnyArray:
		return w.anyArray(dst, depth)
	case data.AnyMap:
		if w.compactMaps {
			return w.anyObject(dst, depth)
		}
		return w.anyPairs(dst, depth, true)
	case data.AnyPairs:
		return w.anyPairs(dst, depth, false)
	}
	return nil, errorf("the value has the unknown type %d", branch)
}

func (w *writer) anyObject(dst []byte, depth int) ([]byte, error) {
	next := byte('{')
	for {
		n, err := w.block(2)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			if next == '{' {
				dst = append(dst, '{')
			}
			return append(dst, '}'), nil
		}
		for range n {
			dst = append(dst, next)
			next = ','
			if dst, err = w.text(dst); err != nil {
				return nil, err
			}
			if dst, err = w.any(append(dst, ':'), depth+1); err != nil {
				return nil, err
			}
		}
	}
}

func (w *writer) anyArray(dst []byte, depth int) ([]byte, error) {
	next := byte('[')
	for {
		n, err := w.block(1)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			if next == '[' {
				dst = append(dst, '[')
			}
			return append(dst, ']'), nil
		}
		for range n {
			dst = append(dst, next)
			next = ','
			if dst, err = w.any(dst, depth+1); err != nil {
				return nil, err
			}
		}
	}
}

// anyPairs writes a map as an array of {"key":…,"value":…}.
func (w *writer) anyPairs(dst []byte, depth int, textKeys bool) ([]byte, error) {
	next := byte('[')
	for {
		n, err := w.block(2)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			if next == '[' {
				dst = append(dst, '[')
			}
			return append(dst, ']'), nil
		}
		for range n {
			dst = append(append(dst, next), `{"key":`...)
			next = ','
			if textKeys {
				dst, err = w.text(dst)
			} else {
				dst, err = w.any(dst, depth+1)
			}
			if err != nil {
				return nil, err
			}
			if dst, err = w.any(append(dst, `,"value":`...), depth+1); err != nil {
				return nil, err
			}
			dst = append(dst, '}')
		}
	}
}
