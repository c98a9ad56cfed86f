package convert

import (
	"encoding/binary"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// charset is one of Java's character sets that are not UTF-8.
type charset struct {
	table *byteTable // of one byte for each character; nil for others
	max   rune       // of a character that is one byte; 0 for UTF-16 and UTF-32
	unit  int        // bytes of a unit
	// order of the bytes; nil goes by a byte order mark.
	order  binary.ByteOrder
	mark   bool // a byte order mark is written
	little bool // is the order that is written, and read when there is no mark
}

// charsets are those without a table, under Java's names; nil is UTF-8.
var charsets = map[string]*charset{
	"UTF-8": nil, "ISO-8859-1": {max: 0xff, unit: 1}, "US-ASCII": {max: 0x7f, unit: 1},
	"UTF-16":   {unit: 2, mark: true},
	"UTF-16BE": {unit: 2, order: binary.BigEndian}, "UTF-16LE": {unit: 2, order: binary.LittleEndian}, "x-UTF-16LE-BOM": {unit: 2, mark: true, little: true},
	"UTF-32":   {unit: 4},
	"UTF-32BE": {unit: 4, order: binary.BigEndian}, "UTF-32LE": {unit: 4, order: binary.LittleEndian},
	"X-UTF-32BE-BOM": {unit: 4, mark: true}, "X-UTF-32LE-BOM": {unit: 4, mark: true, little: true},
}

// newCharset finds a character set by any of Java's names for it; nil is UTF-8.
func newCharset(name string) (*charset, error) {
	known, ok := charsetNames[strings.ToLower(name)]
	if !ok {
		return nil, &Error{
			Class: SerializationException, Message: "Unsupported encoding " + name,
			Cause: &Error{Class: ConfigException, Message: "converter.encoding may be UTF-8, UTF-16, UTF-32, US-ASCII, ISO-8859-n, windows-125n, KOI8-R, KOI8-U, " +
				"TIS-620, or one of the IBM and Macintosh sets of one byte for each character"},
		}
	}
	if c, ok := charsets[known]; ok {
		return c, nil
	}
	return &charset{table: newByteTable(known)}, nil
}

// encode writes text; what does not fit becomes '?', as in Java.
func (c *charset) encode(dst []byte, text string) []byte {
	if c.table != nil {
		return c.table.encode(dst, text)
	}
	order := c.written()
	if c.mark && text != "" {
		if c.unit == 2 {
			dst = order.AppendUint16(dst, byteOrderMark)
		} else {
			dst = order.AppendUint32(dst, byteOrderMark)
		}
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
	if c.table != nil {
		return c.table.decode(b)
	}
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
			if c.unit == 2 && order.Uint16(b) == byteOrderMark || c.unit == 4 && order.Uint32(b) == byteOrderMark {
				return order, b[c.unit:]
			}
		}
	}
	return c.written(), b
}

const byteOrderMark = 0xfeff

type byteOrder interface {
	binary.ByteOrder
	binary.AppendByteOrder
}

// written is the order that is written.
func (c *charset) written() byteOrder {
	if c.little || c.order == binary.LittleEndian {
		return binary.LittleEndian
	}
	return binary.BigEndian
}
