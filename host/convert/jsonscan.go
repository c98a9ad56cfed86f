package convert

import (
	"bytes"
	"fmt"
	"unicode/utf16"
	"unicode/utf8"
)

// Limits that Jackson sets as well.
const (
	maxJSONDepth       = 1000
	maxJSONNumberChars = 1000
)

// syntaxError tells what is wrong with a JSON text, and where.
type syntaxError struct {
	offset int
	what   string
}

func (e *syntaxError) Error() string {
	return fmt.Sprintf("invalid JSON at byte %d: %s", e.offset, e.what)
}

// jsonText is JSON that is being checked. What accepts it here is what Jackson
// takes in Kafka Connect: strict JSON, but leading zeros in numbers, a byte
// order mark, and anything behind the first value.
type jsonText []byte

func (b jsonText) bad(i int, format string, args ...any) (int, error) {
	return i, &syntaxError{i, fmt.Sprintf(format, args...)}
}

func (b jsonText) space(i int) int {
	for i < len(b) && b[i] <= ' ' && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

// value checks the value that starts at i (no space before it) and returns its end.
func (b jsonText) value(i, depth int) (int, error) {
	if i >= len(b) {
		return b.bad(i, "it ends where a value should be")
	}
	switch c := b[i]; {
	case c == '"':
		return b.text(i)
	case c == '{':
		return b.object(i, depth+1)
	case c == '[':
		return b.array(i, depth+1)
	case c == '-' || c >= '0' && c <= '9':
		end, err := b.number(i)
		if err == nil && depth == 0 && !b.ends(i, end) {
			return b.bad(end, "a number cannot go on with %q", b[end])
		}
		return end, err
	case c == 't':
		return b.word(i, "true")
	case c == 'f':
		return b.word(i, "false")
	case c == 'n':
		return b.word(i, "null")
	}
	return b.bad(i, "a value cannot start with %q", b[i])
}

// ends reports whether a text may end with the value at i, which ends before end: whatever follows a number has to
// stand apart from it. Behind other values anything goes.
func (b jsonText) ends(i, end int) bool {
	number := b[i] == '-' || b[i] >= '0' && b[i] <= '9'
	return !number || end == len(b) || b.space(end) > end
}

func (b jsonText) word(i int, word string) (int, error) {
	end := i + len(word)
	if end > len(b) || string(b[i:end]) != word {
		return b.bad(i, "an unknown word")
	}
	if end < len(b) && isWordChar(b[end]) {
		return b.bad(i, "an unknown word")
	}
	return end, nil
}

func isWordChar(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '$' || c >= 0x80
}

func (b jsonText) number(i int) (int, error) {
	start := i
	if b[i] == '-' {
		i++
	}
	digits := func() bool {
		from := i
		for i < len(b) && b[i] >= '0' && b[i] <= '9' {
			i++
		}
		return i > from
	}
	if !digits() {
		return b.bad(i, "a number without digits")
	}
	if i < len(b) && b[i] == '.' {
		i++
		if !digits() {
			return b.bad(i, "a decimal point without digits after it")
		}
	}
	if i < len(b) && (b[i] == 'e' || b[i] == 'E') {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		if !digits() {
			return b.bad(i, "an exponent without digits")
		}
	}
	if i-start > maxJSONNumberChars {
		return b.bad(start, "a number of %d characters, the limit is %d", i-start, maxJSONNumberChars)
	}
	if i < len(b) {
		switch b[i] {
		case ' ', '\t', '\n', '\r', ',', ']', '}', '{', '[', '"', ':', '/':
		default:
			return b.bad(i, "a number cannot go on with %q", b[i])
		}
	}
	return i, nil
}

func (b jsonText) text(i int) (int, error) {
	for i++; i < len(b); {
		c := b[i]
		if plainJSON[c] {
			i++
			continue
		}
		switch {
		case c == '"':
			return i + 1, nil
		case c == '\\':
			n, err := b.escape(i)
			if err != nil {
				return i, err
			}
			i = n
		case c < 0x20:
			return b.bad(i, "a control character (%d) in a string must be escaped", c)
		default:
			r, size := utf8.DecodeRune(b[i:])
			if r == utf8.RuneError && size == 1 {
				return b.bad(i, "a string is not UTF-8")
			}
			i += size
		}
	}
	return b.bad(i, "it ends inside a string")
}

func (b jsonText) escape(i int) (int, error) {
	if i+1 >= len(b) {
		return b.bad(i, "it ends inside a string")
	}
	switch b[i+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 2, nil
	case 'u':
		if i+6 > len(b) {
			return b.bad(i, "it ends inside an escape")
		}
		for _, c := range b[i+2 : i+6] {
			if hexValue(c) < 0 {
				return b.bad(i, "\\u takes four hex digits")
			}
		}
		return i + 6, nil
	}
	return b.bad(i, "unknown escape \\%c", b[i+1])
}

func hexValue(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

func (b jsonText) array(i, depth int) (int, error) {
	if depth > maxJSONDepth {
		return b.bad(i, "nested deeper than %d levels", maxJSONDepth)
	}
	i = b.space(i + 1)
	if i < len(b) && b[i] == ']' {
		return i + 1, nil
	}
	for {
		end, err := b.value(i, depth)
		if err != nil {
			return end, err
		}
		i = b.space(end)
		switch {
		case i < len(b) && b[i] == ']':
			return i + 1, nil
		case i < len(b) && b[i] == ',':
			i = b.space(i + 1)
		default:
			return b.bad(i, "an array goes on with ',' or ']'")
		}
	}
}

func (b jsonText) object(i, depth int) (int, error) {
	if depth > maxJSONDepth {
		return b.bad(i, "nested deeper than %d levels", maxJSONDepth)
	}
	i = b.space(i + 1)
	if i < len(b) && b[i] == '}' {
		return i + 1, nil
	}
	for {
		if i >= len(b) || b[i] != '"' {
			return b.bad(i, "an object goes on with a name in quotes")
		}
		end, err := b.text(i)
		if err != nil {
			return end, err
		}
		i = b.space(end)
		if i >= len(b) || b[i] != ':' {
			return b.bad(i, "':' is missing after a name")
		}
		if end, err = b.value(b.space(i+1), depth); err != nil {
			return end, err
		}
		i = b.space(end)
		switch {
		case i < len(b) && b[i] == '}':
			return i + 1, nil
		case i < len(b) && b[i] == ',':
			i = b.space(i + 1)
		default:
			return b.bad(i, "an object goes on with ',' or '}'")
		}
	}
}

// The functions below walk text that value has accepted, so they do not check again.

// end is where the value at i ends.
func (b jsonText) end(i int) int {
	switch b[i] {
	case '"':
		return b.textEnd(i)
	case '{', '[':
		for depth := 0; ; {
			switch b[i] {
			case '"':
				i = b.textEnd(i)
				continue
			case '{', '[':
				depth++
			case '}', ']':
				if depth--; depth == 0 {
					return i + 1
				}
			}
			i++
		}
	}
	for i < len(b) && (b[i] == '-' || b[i] == '+' || b[i] == '.' || isWordChar(b[i])) {
		i++
	}
	return i
}

func (b jsonText) textEnd(i int) int {
	for i++; b[i] != '"'; i++ {
		if b[i] == '\\' {
			i++
		}
	}
	return i + 1
}

// unquote is the text of the string at i: a part of b, unless it has escapes.
func (b jsonText) unquote(i int) (text []byte, end int) {
	end = b.textEnd(i)
	raw := b[i+1 : end-1]
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw, end
	}
	return unescape(make([]byte, 0, len(raw)), raw), end
}

// unescape appends the text of a string with escapes. Half a surrogate pair
// is kept as the three bytes that UTF-8 would have for it.
func unescape(dst, raw []byte) []byte {
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' {
			dst = append(dst, raw[i])
			continue
		}
		i++
		switch raw[i] {
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			r := hexRune(raw[i+1:])
			i += 4
			if utf16.IsSurrogate(r) {
				if i+6 < len(raw) && raw[i+1] == '\\' && raw[i+2] == 'u' {
					if pair := utf16.DecodeRune(r, hexRune(raw[i+3:])); pair != utf8.RuneError {
						dst = utf8.AppendRune(dst, pair)
						i += 6
						continue
					}
				}
				dst = append(dst, 0xe0|byte(r>>12), 0x80|byte(r>>6)&0x3f|0x80, 0x80|byte(r)&0x3f)
				continue
			}
			dst = utf8.AppendRune(dst, r)
		default:
			dst = append(dst, raw[i])
		}
	}
	return dst
}

func hexRune(b []byte) rune {
	return rune(hexValue(b[0])<<12 | hexValue(b[1])<<8 | hexValue(b[2])<<4 | hexValue(b[3]))
}

// toUTF8 removes a byte order mark and decodes UTF-16 and UTF-32, which Jackson
// recognises by their zero bytes.
func toUTF8(b []byte) []byte {
	switch {
	case len(b) >= 3 && b[0] == 0xef && b[1] == 0xbb && b[2] == 0xbf:
		return b[3:]
	case len(b) >= 4 && (b[0] == 0 || b[1] == 0 || b[0] == 0xff && b[1] == 0xfe || b[0] == 0xfe && b[1] == 0xff):
		return decodeWide(b)
	case len(b) == 2 && (b[0] == 0) != (b[1] == 0):
		return decodeWide(b)
	}
	return b
}

func decodeWide(b []byte) []byte {
	switch {
	case len(b) >= 2 && (b[0] == 0xff && b[1] == 0xfe || b[0] == 0xfe && b[1] == 0xff):
		return decode16(b[2:], b[0] == 0xfe)
	case len(b) >= 4 && b[0] == 0 && b[1] == 0 && b[2] == 0:
		return decode32(b, func(q []byte) rune { return rune(q[2])<<8 | rune(q[3]) | rune(q[1])<<16 })
	case len(b) >= 4 && b[1] == 0 && b[2] == 0 && b[3] == 0:
		return decode32(b, func(q []byte) rune { return rune(q[1])<<8 | rune(q[0]) | rune(q[2])<<16 })
	}
	return decode16(b, b[0] == 0)
}

func decode16(b []byte, big bool) []byte {
	units := make([]uint16, 0, len(b)/2)
	for ; len(b) >= 2; b = b[2:] {
		if big {
			units = append(units, uint16(b[0])<<8|uint16(b[1]))
		} else {
			units = append(units, uint16(b[1])<<8|uint16(b[0]))
		}
	}
	return []byte(string(utf16.Decode(units)))
}

func decode32(b []byte, rune4 func([]byte) rune) []byte {
	var out []byte
	for ; len(b) >= 4; b = b[4:] {
		out = utf8.AppendRune(out, rune4(b))
	}
	return out
}
