package document

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"math"
	"math/big"
	"slices"
	"strconv"
	"time"

	"github.com/tailrace/tailrace/sdk/go/data"
)

// maxDecimalDigits bounds the text of a Decimal, whose scale may be anything.
const maxDecimalDigits = 1000

// Null tells whether a value in wire form is null.
func (p *Plan) Null(wire []byte) bool {
	if p.schema == nil {
		return len(wire) == 0 || wire[0] == data.AnyNull
	}
	present, _, err := data.ReadPresence(p.schema, wire)
	return err == nil && !present && string(p.null) == "null"
}

// Append writes a record's value as one JSON object. A string or bytes value must be the text of one, and is passed on
// as it is. With timestampMillis at least 0 the object gets an "@timestamp" unless it has one. On an error dst is
// returned as it was.
func (p *Plan) Append(dst, wire []byte, timestampMillis int64) ([]byte, error) {
	start := len(dst)
	w := writer{b: wire}
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

// writer walks a value in wire form; b is what is left of it.
type writer struct{ b []byte }

func (w *writer) document(dst []byte, p *Plan) ([]byte, error) {
	if p.schema == nil {
		branch, rest, err := data.ReadLong(w.b)
		if err != nil {
			return nil, wireError(err)
		}
		switch branch {
		case data.AnyString, data.AnyBytes:
			w.b = rest
			return w.jsonText(dst)
		case data.AnyMap, data.AnyPairs:
			if branch == data.AnyPairs || !p.options.CompactMaps {
				break // an array, which is no document
			}
			return w.any(dst, p.options, 0)
		}
		return nil, errorf("the value is schemaless and not a map; a document must be a JSON object")
	}
	switch {
	case p.kind == kindString || p.kind == kindBytes:
		present, rest, err := data.ReadPresence(p.schema, w.b)
		if err != nil || !present {
			return nil, wireError(err)
		}
		w.b = rest
		return w.jsonText(dst)
	case p.kind == kindStruct || p.kind == kindMap && p.objectKeys:
		return w.value(dst, p)
	}
	return nil, errorf("the value is of %s; a document must be a JSON object: use a struct, a map, or text that holds an object", p.schema)
}

// jsonText passes JSON text on: checked, because one bad line would spoil the whole request.
func (w *writer) jsonText(dst []byte) ([]byte, error) {
	text, _, err := data.ReadBytes(w.b)
	if err != nil {
		return nil, wireError(err)
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

func wireError(err error) error {
	if err == nil {
		return errorf("the value is null")
	}
	return errorf("the value cannot be read: %v", err)
}

func (w *writer) value(dst []byte, p *Plan) ([]byte, error) {
	if p.schema == nil {
		return w.any(dst, p.options, 0)
	}
	present, rest, err := data.ReadPresence(p.schema, w.b)
	if err != nil {
		return nil, wireError(err)
	}
	w.b = rest
	if !present {
		return append(dst, p.null...), nil
	}
	return w.body(dst, p)
}

// body writes a value that is present.
func (w *writer) body(dst []byte, p *Plan) ([]byte, error) {
	switch p.kind {
	case kindInteger, kindTime, kindTimestamp:
		return w.integer(dst)
	case kindDate:
		return w.date(dst)
	case kindFloat32:
		v, rest, err := data.ReadFloat(w.b)
		if err != nil {
			return nil, wireError(err)
		}
		w.b = rest
		return appendFloat(dst, float64(v), 32)
	case kindFloat64:
		return w.double(dst)
	case kindBoolean:
		return w.boolean(dst)
	case kindString:
		return w.text(dst)
	case kindBytes:
		return w.base64(dst)
	case kindDecimal:
		return w.decimal(dst, p.scale)
	case kindArray:
		return w.array(dst, p.value.minSize(), func(dst []byte) ([]byte, error) { return w.value(dst, p.value) })
	case kindMap:
		return w.mapping(dst, p)
	default:
		return w.structure(dst, p)
	}
}

func (p *Plan) minSize() int {
	if p.schema == nil {
		return 1
	}
	return p.schema.MinSize()
}

func (w *writer) structure(dst []byte, p *Plan) (_ []byte, err error) {
	dst = append(dst, '{')
	for i, field := range p.fields {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, p.names[i]...)
		if dst, err = w.value(dst, field); err != nil {
			return nil, err
		}
	}
	return append(dst, '}'), nil
}

func (w *writer) array(dst []byte, minSize int, item func([]byte) ([]byte, error)) ([]byte, error) {
	dst = append(dst, '[')
	first := true
	for {
		n, rest, err := data.ReadBlock(w.b, minSize)
		if err != nil {
			return nil, wireError(err)
		}
		if w.b = rest; n == 0 {
			return append(dst, ']'), nil
		}
		for range n {
			if !first {
				dst = append(dst, ',')
			}
			first = false
			if dst, err = item(dst); err != nil {
				return nil, err
			}
		}
	}
}

func (w *writer) mapping(dst []byte, p *Plan) ([]byte, error) {
	stringKeys := p.schema.IsStringKey()
	minSize := p.key.minSize() + p.value.minSize()
	key := func(dst []byte) ([]byte, error) {
		if stringKeys {
			return w.text(dst)
		}
		return w.value(dst, p.key)
	}
	value := func(dst []byte) ([]byte, error) { return w.value(dst, p.value) }
	return w.entries(dst, minSize, p.objectKeys, key, value)
}

// entries writes a map, as an object or as an array of {"key":…,"value":…}.
func (w *writer) entries(dst []byte, minSize int, object bool, key, value func([]byte) ([]byte, error)) ([]byte, error) {
	start := len(dst)
	out, err := w.array(dst, minSize, func(dst []byte) (_ []byte, err error) {
		if !object {
			dst = append(dst, `{"key":`...)
		}
		at := len(dst)
		if dst, err = key(dst); err != nil {
			return nil, err
		}
		if object && dst[at] != '"' { // a null or a number among schemaless keys
			name := slices.Clone(dst[at:])
			dst = appendString(dst[:at], name)
		}
		if object {
			dst = append(dst, ':')
		} else {
			dst = append(dst, `,"value":`...)
		}
		if dst, err = value(dst); err != nil {
			return nil, err
		}
		if !object {
			dst = append(dst, '}')
		}
		return dst, nil
	})
	if err != nil {
		return nil, err
	}
	if object {
		out[start], out[len(out)-1] = '{', '}'
	}
	return out, nil
}

// any writes a schemaless value.
func (w *writer) any(dst []byte, o Options, depth int) ([]byte, error) {
	if depth > data.MaxSchemalessDepth {
		return nil, errorf("the value is nested deeper than %d", data.MaxSchemalessDepth)
	}
	if len(w.b) == 0 {
		return append(dst, "null"...), nil
	}
	branch, rest, err := data.ReadLong(w.b)
	if err != nil {
		return nil, wireError(err)
	}
	w.b = rest
	item := func(dst []byte) ([]byte, error) { return w.any(dst, o, depth+1) }
	switch branch {
	case data.AnyNull:
		return append(dst, "null"...), nil
	case data.AnyBoolean:
		return w.boolean(dst)
	case data.AnyInt8, data.AnyInt16, data.AnyInt32, data.AnyInt64, data.AnyTimestamp:
		return w.integer(dst)
	case data.AnyFloat32:
		v, rest, err := data.ReadFloat(w.b)
		if err != nil {
			return nil, wireError(err)
		}
		w.b = rest
		return appendFloat(dst, float64(v), 32)
	case data.AnyFloat64:
		return w.double(dst)
	case data.AnyBytes:
		return w.base64(dst)
	case data.AnyString:
		return w.text(dst)
	case data.AnyArray:
		return w.array(dst, 1, item)
	case data.AnyMap:
		return w.entries(dst, 2, o.CompactMaps, w.text, item)
	case data.AnyPairs:
		return w.entries(dst, 2, false, item, item)
	case data.AnyDecimal:
		scale, rest, err := data.ReadInt(w.b)
		if err != nil {
			return nil, wireError(err)
		}
		w.b = rest
		return w.decimal(dst, scale)
	}
	return nil, errorf("the value has the unknown type %d", branch)
}

func (w *writer) integer(dst []byte) ([]byte, error) {
	v, rest, err := data.ReadLong(w.b)
	if err != nil {
		return nil, wireError(err)
	}
	w.b = rest
	return strconv.AppendInt(dst, v, 10), nil
}

// date is written as text: Kafka Connect's number counts days, which Elasticsearch would read as milliseconds.
func (w *writer) date(dst []byte) ([]byte, error) {
	days, rest, err := data.ReadInt(w.b)
	if err != nil {
		return nil, wireError(err)
	}
	w.b = rest
	t := time.Unix(int64(days)*86400, 0).UTC()
	if y := t.Year(); y < 0 || y > 9999 { // no four digits: milliseconds do for every year
		return strconv.AppendInt(dst, t.UnixMilli(), 10), nil
	}
	return t.AppendFormat(dst, `"2006-01-02"`), nil
}

func (w *writer) double(dst []byte) ([]byte, error) {
	v, rest, err := data.ReadDouble(w.b)
	if err != nil {
		return nil, wireError(err)
	}
	w.b = rest
	return appendFloat(dst, v, 64)
}

func appendFloat(dst []byte, v float64, bits int) ([]byte, error) {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil, errorf("the value holds %v, which JSON cannot say", v)
	}
	format := byte('f')
	if abs := math.Abs(v); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	return strconv.AppendFloat(dst, v, format, -1, bits), nil
}

func (w *writer) boolean(dst []byte) ([]byte, error) {
	v, rest, err := data.ReadBool(w.b)
	if err != nil {
		return nil, wireError(err)
	}
	w.b = rest
	return strconv.AppendBool(dst, v), nil
}

func (w *writer) text(dst []byte) ([]byte, error) {
	v, rest, err := data.ReadBytes(w.b)
	if err != nil {
		return nil, wireError(err)
	}
	w.b = rest
	return appendString(dst, v), nil
}

func (w *writer) base64(dst []byte) ([]byte, error) {
	v, rest, err := data.ReadBytes(w.b)
	if err != nil {
		return nil, wireError(err)
	}
	w.b = rest
	dst = append(dst, '"')
	dst = base64.StdEncoding.AppendEncode(dst, v)
	return append(dst, '"'), nil
}

// decimal is written as a number with all its digits.
func (w *writer) decimal(dst []byte, scale int32) ([]byte, error) {
	v, rest, err := data.ReadBytes(w.b)
	if err != nil {
		return nil, wireError(err)
	}
	w.b = rest
	text, err := data.Decimal{Unscaled: twosComplement(v), Scale: scale}.Plain(maxDecimalDigits)
	if err != nil {
		return nil, errorf("a decimal is too long: %v", err)
	}
	return append(dst, text...), nil
}

// twosComplement reads Java's BigInteger bytes, high byte first.
func twosComplement(b []byte) *big.Int {
	v := new(big.Int).SetBytes(b)
	if len(b) > 0 && b[0] >= 0x80 {
		v.Sub(v, new(big.Int).Lsh(big.NewInt(1), uint(len(b))*8))
	}
	return v
}
