package document

import (
	"strconv"
	"unicode/utf8"

	"github.com/tailrace/tailrace/sdk/go/data"
)

// maxIDBytes is the longest id that Elasticsearch takes; a longer one would make it refuse the whole request.
const maxIDBytes = 512

// AppendID writes the text of a key as a document's id: strings as they are, integers in decimal, bytes that are UTF-8
// text. Other keys, null and empty ones cannot be ids.
func AppendID(dst []byte, s *data.Schema, wire []byte) ([]byte, error) {
	start := len(dst)
	out, ok, err := appendScalar(dst, s, wire)
	switch {
	case err != nil:
		return dst, errorf("the key cannot be read: %v", err)
	case !ok && s != nil:
		return dst, errorf("the key is of %s, which is not supported as the document id; use a string or integer key, or set key.ignore=true", s)
	case !ok:
		return dst, errorf("the key is null or not a string or integer, which is not supported as the document id; set key.ignore=true if records have no keys")
	case len(out) == start:
		return dst, errorf("the key is empty, which is not supported as the document id")
	case len(out)-start > maxIDBytes:
		return dst, errorf("the key has %d bytes and a document id may have %d", len(out)-start, maxIDBytes)
	case !utf8.Valid(out[start:]):
		return dst, errorf("the key is not UTF-8 text, which is not supported as the document id")
	}
	return out, nil
}

// appendScalar writes a string, bytes, integer or boolean as plain text; ok is false for null and other types.
func appendScalar(dst []byte, s *data.Schema, wire []byte) (out []byte, ok bool, err error) {
	var kind data.Type
	var body []byte
	if s == nil {
		if len(wire) == 0 {
			return dst, false, nil
		}
		branch, rest, err := data.ReadLong(wire)
		if err != nil {
			return dst, false, err
		}
		switch branch {
		case data.AnyString, data.AnyBytes:
			kind = data.String
		case data.AnyInt8, data.AnyInt16, data.AnyInt32, data.AnyInt64:
			kind = data.Int64
		case data.AnyBoolean:
			kind = data.Boolean
		default:
			return dst, false, nil
		}
		body = rest
	} else {
		present, rest, err := data.ReadPresence(s, wire)
		if err != nil || !present {
			return dst, false, err
		}
		if _, decimal, _ := s.IsDecimal(); decimal {
			return dst, false, nil
		}
		kind, body = s.Type(), rest
	}
	switch kind {
	case data.String, data.Bytes:
		v, _, err := data.ReadBytes(body)
		return append(dst, v...), err == nil, err
	case data.Int8, data.Int16, data.Int32, data.Int64:
		v, _, err := data.ReadLong(body)
		return strconv.AppendInt(dst, v, 10), err == nil, err
	case data.Boolean:
		v, _, err := data.ReadBool(body)
		return strconv.AppendBool(dst, v), err == nil, err
	}
	return dst, false, nil
}

// AppendField writes the text of the field that a path of names leads to; ok is false when there is none, it is null or
// not a string, integer or boolean.
func AppendField(dst []byte, s *data.Schema, wire []byte, path []string) (out []byte, ok bool, err error) {
	for _, name := range path {
		if s, wire, ok, err = member(s, wire, name); err != nil || !ok {
			return dst, false, err
		}
	}
	return appendScalar(dst, s, wire)
}

// member finds a struct's field or a map's entry by name without decoding the others.
func member(s *data.Schema, wire []byte, name string) (*data.Schema, []byte, bool, error) {
	if s == nil {
		if len(wire) == 0 {
			return nil, nil, false, nil
		}
		branch, rest, err := data.ReadLong(wire)
		if err != nil || branch != data.AnyMap {
			return nil, nil, false, err
		}
		return entry(nil, rest, name, 2)
	}
	present, rest, err := data.ReadPresence(s, wire)
	if err != nil || !present {
		return nil, nil, false, err
	}
	switch {
	case s.Type() == data.StructType:
		want, ok := s.Field(name)
		if !ok {
			return nil, nil, false, nil
		}
		for _, f := range s.Fields()[:want.Index] {
			if rest, err = data.SkipValue(f.Schema, rest); err != nil {
				return nil, nil, false, err
			}
		}
		return want.Schema, rest, true, nil
	case s.IsStringKey():
		minSize := 2
		if v := s.ValueSchema(); v != nil {
			minSize = 1 + v.MinSize()
		}
		return entry(s.ValueSchema(), rest, name, minSize)
	}
	return nil, nil, false, nil
}

func entry(value *data.Schema, b []byte, name string, minSize int) (*data.Schema, []byte, bool, error) {
	for {
		n, rest, err := data.ReadBlock(b, minSize)
		if err != nil || n == 0 {
			return nil, nil, false, err
		}
		b = rest
		for range n {
			var key []byte
			if key, b, err = data.ReadBytes(b); err != nil {
				return nil, nil, false, err
			}
			if string(key) == name {
				return value, b, true, nil
			}
			if b, err = data.SkipValue(value, b); err != nil {
				return nil, nil, false, err
			}
		}
	}
}
