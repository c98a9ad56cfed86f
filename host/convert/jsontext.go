package convert

import (
	"encoding/binary"
	"unicode/utf8"

	"github.com/tailrace/tailrace/sdk/go/data"
)

// appendJSONFloat writes Java's text; what is not a number goes in quotes.
func appendJSONFloat(dst []byte, f float64, bits int) []byte {
	if f-f != 0 { // NaN or infinite
		return append(data.AppendJavaFloat(append(dst, '"'), f, bits), '"')
	}
	return data.AppendJavaFloat(dst, f, bits)
}

// plainJSON marks the ASCII bytes that stand for themselves in a JSON string.
var plainJSON = func() (t [256]bool) {
	for c := 0x20; c < 0x80; c++ {
		t[c] = c != '"' && c != '\\'
	}
	return t
}()

// eightPlain tells whether eight bytes are all plain: none is below a space, a quote, a backslash or beyond ASCII.
func eightPlain(x uint64) bool {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	quote, backslash := x^ones*'"', x^ones*'\\'
	return (x|(x-ones*' ')|(quote-ones)&^quote|(backslash-ones)&^backslash)&high == 0
}

const upperHex = "0123456789ABCDEF"

// appendJSONString quotes text as Jackson does: control characters escaped,
// characters beyond the basic plane as two \u escapes, all others as UTF-8.
func appendJSONString(dst, text []byte) []byte {
	dst = append(dst, '"')
	from := 0
	for i := 0; i < len(text); {
		for len(text)-i >= 8 && eightPlain(binary.LittleEndian.Uint64(text[i:])) {
			i += 8
		}
		if i == len(text) {
			break
		}
		c := text[i]
		if plainJSON[c] {
			i++
			continue
		}
		if c < 0x80 {
			dst = append(dst, text[from:i]...)
			dst = appendEscape(dst, c)
			i++
			from = i
			continue
		}
		r, size := utf8.DecodeRune(text[i:])
		if size > 1 && r < 0x10000 {
			i += size
			continue
		}
		dst = append(dst, text[from:i]...)
		switch {
		case size > 1:
			r -= 0x10000
			dst = appendUnit(appendUnit(dst, 0xd800+uint16(r>>10)), 0xdc00+uint16(r&0x3ff))
		case isSurrogate(text[i:]): // half a character, kept as three bytes (see jsonread.go)
			size = 3
			dst = appendUnit(dst, 0xd000|uint16(text[i+1]&0x3f)<<6|uint16(text[i+2]&0x3f))
		default:
			dst = append(dst, "\uFFFD"...) // JSON text is UTF-8
		}
		i += size
		from = i
	}
	return append(append(dst, text[from:]...), '"')
}

// isSurrogate reports whether b starts with a lone surrogate in UTF-8's manner.
func isSurrogate(b []byte) bool {
	return len(b) >= 3 && b[0] == 0xed && b[1] >= 0xa0 && b[1] <= 0xbf && b[2] >= 0x80 && b[2] <= 0xbf
}

func appendEscape(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\b':
		return append(dst, '\\', 'b')
	case '\t':
		return append(dst, '\\', 't')
	case '\n':
		return append(dst, '\\', 'n')
	case '\f':
		return append(dst, '\\', 'f')
	case '\r':
		return append(dst, '\\', 'r')
	}
	return appendUnit(dst, uint16(c))
}

func appendUnit(dst []byte, u uint16) []byte {
	return append(dst, '\\', 'u', upperHex[u>>12], upperHex[u>>8&15], upperHex[u>>4&15], upperHex[u&15])
}
