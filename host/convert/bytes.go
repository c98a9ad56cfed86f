package convert

import (
	"unicode/utf8"

	"github.com/tailrace/tailrace/sdk/go/data"
)

// byteArrayConverter hands bytes through.
type byteArrayConverter struct{}

func (byteArrayConverter) FromConnect(dst []byte, _ string, schema *data.Schema, wire []byte) (out, after []byte, err error) {
	if schema != nil && schema.Type() != data.Bytes {
		return nil, dst, dataError("Invalid schema type for ByteArrayConverter: %s", schema.Type())
	}
	k, body, err := open(schema, wire)
	if err != nil {
		return nil, dst, err
	}
	switch k {
	case kindNull:
		return nil, dst, nil
	case kindBytes:
		b, _, err := data.ReadBytes(body)
		if err != nil {
			return nil, dst, malformed(schema, err)
		}
		return b, dst, nil
	}
	return nil, dst, dataError("ByteArrayConverter is not compatible with objects of type %s", k.javaClass())
}

func (byteArrayConverter) ToConnect(dst []byte, _ string, kafka []byte) (schema *data.Schema, after []byte, err error) {
	s := data.OptionalBytesSchema
	if kafka == nil {
		return s, appendNull(dst, s), nil
	}
	return s, data.AppendBytes(data.AppendPresence(dst, s, true), kafka), nil
}

func (c byteArrayConverter) FromHeader(dst []byte, topic, _ string, s *data.Schema, wire []byte) (out, after []byte, err error) {
	return c.FromConnect(dst, topic, s, wire)
}

func (c byteArrayConverter) ToHeader(dst []byte, topic, _ string, kafka []byte) (schema *data.Schema, after []byte, err error) {
	return c.ToConnect(dst, topic, kafka)
}

// firstInvalid is where b stops being UTF-8, -1 if it is.
func firstInvalid(b []byte) int {
	if utf8.Valid(b) {
		return -1
	}
	for i := 0; i < len(b); {
		r, size := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return -1
}

// stringConverter writes Java's toString of a value; a string is handed through.
type stringConverter struct {
	writes, reads *charset // nil for UTF-8
}

// newString heeds converter.encoding, and before it the settings of the serializer and the deserializer that Kafka Connect's
// converter hands its own settings to.
func newString(props map[string]string, isKey bool) (both, error) {
	side := "value."
	if isKey {
		side = "key."
	}
	find := func(of string) (*charset, error) {
		for _, name := range []string{side + of, "converter.encoding"} {
			if text, ok := props[name]; ok {
				if name == "converter.encoding" { // the only one that Kafka Connect trims
					text = trim(text)
				}
				return newCharset(text)
			}
		}
		return nil, nil //nolint:nilnil // UTF-8
	}
	c := &stringConverter{}
	var err error
	if c.writes, err = find("serializer.encoding"); err != nil {
		return nil, err
	}
	if c.reads, err = find("deserializer.encoding"); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *stringConverter) FromConnect(dst []byte, _ string, schema *data.Schema, wire []byte) (out, after []byte, err error) {
	k, body, err := open(schema, wire)
	if err != nil {
		return nil, dst, err
	}
	switch k {
	case kindNull:
		return nil, dst, nil
	case kindString:
		text, _, err := data.ReadBytes(body)
		if err != nil {
			return nil, dst, malformed(schema, err)
		}
		if c.writes == nil {
			return text, dst, nil
		}
		return c.encode(dst, string(text))
	}
	v, _, err := data.ReadValue(schema, wire)
	if err != nil {
		return nil, dst, malformed(schema, err)
	}
	start := len(dst)
	dst = data.AppendJavaText(dst, v)
	if c.writes == nil {
		return dst[start:len(dst):len(dst)], dst, nil
	}
	text := string(dst[start:])
	return c.encode(dst[:start], text)
}

func (c *stringConverter) encode(dst []byte, text string) (out, after []byte, err error) {
	start := len(dst)
	dst = c.writes.encode(dst, text)
	return dst[start:len(dst):len(dst)], dst, nil
}

func (c *stringConverter) ToConnect(dst []byte, _ string, kafka []byte) (schema *data.Schema, after []byte, err error) {
	s := data.OptionalStringSchema
	if kafka == nil {
		return s, appendNull(dst, s), nil
	}
	dst = data.AppendPresence(dst, s, true)
	if c.reads != nil {
		return s, data.AppendBytes(dst, c.reads.decode(kafka)), nil
	}
	return s, data.AppendBytes(dst, repairUTF8(kafka)), nil
}

func (c *stringConverter) FromHeader(dst []byte, topic, _ string, s *data.Schema, wire []byte) (out, after []byte, err error) {
	return c.FromConnect(dst, topic, s, wire)
}

func (c *stringConverter) ToHeader(dst []byte, topic, _ string, kafka []byte) (schema *data.Schema, after []byte, err error) {
	return c.ToConnect(dst, topic, kafka)
}
