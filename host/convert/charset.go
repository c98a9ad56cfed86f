package convert

import (
	"encoding/binary"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// charset is one of Java's character sets that are not UTF-8.
type charset struct {
	max  rune // of a character that is one byte; 0 for UTF-16 and UTF-32
	unit int  // bytes of a unit
	// order of the bytes; nil goes by a byte order mark, and is big endian without one.
	order binary.ByteOrder
	mark  bool // a byte order mark is written
}

// charsets are those that Java knows everywhere, under its names for them; nil is UTF-8.
var charsets = map[string]*charset{
	"UTF-8": nil, "UTF8": nil,
	"ISO-8859-1": {max: 0xff, unit: 1}, "ISO8859_1": {max: 0xff, unit: 1}, "LATIN1": {max: 0xff, unit: 1},
	"US-ASCII": {max: 0x7f, unit: 1}, "ASCII": {max: 0x7f, unit: 1},
	"UTF-16": {unit: 2, mark: true}, "UTF_16": {unit: 2, mark: true},
	"UTF-16BE": {unit: 2, order: binary.BigEndian}, "UTF-16LE": {unit: 2, order: binary.LittleEndian},
	"UTF-32": {unit: 4}, "UTF-32BE": {unit: 4, order: binary.BigEndian}, "UTF-32LE": {unit: 4, order: binary.LittleEndian},
}

func newCharset(name string) (*charset, error) {
	c, ok := charsets[strings.ToUpper(name)]
	if !ok {
		return nil, &Error{
			Class: SerializationException, Message: "Unsupported encoding " + name,
			Cause: &Error{Class: ConfigException, Message: "converter.encoding may be UTF-8, UTF-16, UTF-16BE, UTF-16LE, UTF-32, UTF-32BE, UTF-32LE, ISO-8859-1 or US-ASCII"},
		}
	}
	return c, nil
}

// encode writes text; what does not fit becomes '?', as in Java.
func (c *charset) encode(dst []byte, text string) []byte {
	order := c.order
	if order == nil {
		order = binary.BigEndian
	}
	if c.mark && text != "" {
		dst = append(dst, 0xfe, 0xff)
	}
	for _, r := range text {
		switch c.unit {
		case 1:
			if r > c.max {
				r = '?'
			}
			dst = append(dst, byte(r))
		case 2:
			for _, u := range utf16.AppendRune(nil, r) {
				dst = append(dst, 0, 0)
				order.PutUint16(dst[len(dst)-2:], u)
			}
		default:
			dst = append(dst, 0, 0, 0, 0)
			order.PutUint32(dst[len(dst)-4:], uint32(r))
		}
	}
	return dst
}

// decode reads text as UTF-8, with U+FFFD for what is none.
func (c *charset) decode(b []byte) []byte {
	text := make([]byte, 0, len(b)+8)
	switch c.unit {
	case 1:
		for _, u := range b {
			r := rune(u)
			if r > c.max {
				r = utf8.RuneError
			}
			text = utf8.AppendRune(text, r)
		}
		return text
	case 2:
		order, b := c.orderOf(b)
		units := make([]uint16, 0, len(b)/2)
		for ; len(b) >= 2; b = b[2:] {
			u := order.Uint16(b)
			if u == 0xfffe { // half of a mark of the other order
				u = 0xfffd
			}
			units = append(units, u)
		}
		for _, r := range utf16.Decode(units) {
			text = utf8.AppendRune(text, r)
		}
		return appendRest(text, b)
	}
	order, b := c.orderOf(b)
	for ; len(b) >= 4; b = b[4:] {
		r := utf8.RuneError
		if u := order.Uint32(b); u <= utf8.MaxRune {
			r = rune(u)
		}
		text = utf8.AppendRune(text, r)
	}
	return appendRest(text, b)
}

// appendRest marks a unit that is cut off.
func appendRest(text, rest []byte) []byte {
	if len(rest) > 0 {
		text = utf8.AppendRune(text, utf8.RuneError)
	}
	return text
}

// orderOf finds the order of the bytes, and takes the mark away that tells it.
func (c *charset) orderOf(b []byte) (binary.ByteOrder, []byte) {
	if c.order != nil {
		return c.order, b
	}
	if len(b) >= c.unit {
		for _, order := range []binary.ByteOrder{binary.BigEndian, binary.LittleEndian} {
			if c.unit == 2 && order.Uint16(b) == 0xfeff || c.unit == 4 && order.Uint32(b) == 0xfeff {
				return order, b[c.unit:]
			}
		}
	}
	return binary.BigEndian, b
}
