package store

import (
	"unicode/utf16"
	"unicode/utf8"
)

// What Kafka Connect writes to its topics goes through Jackson and through
// java.util.HashMap. This file imitates both where they decide about bytes, so
// that a topic looks the same whoever wrote it.

// appendJavaString writes a JSON string as Jackson does: the short escapes,
// other control characters and what lies beyond the basic plane as \uXXXX in
// capitals (recorded of Kafka Connect 4.1.0), the rest as it is. Go's encoder differs in
// each of these.
func appendJavaString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for _, r := range s {
		switch r {
		case '"', '\\':
			dst = append(dst, '\\', byte(r))
		case '\b':
			dst = append(dst, '\\', 'b')
		case '\t':
			dst = append(dst, '\\', 't')
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\f':
			dst = append(dst, '\\', 'f')
		case '\r':
			dst = append(dst, '\\', 'r')
		default:
			switch {
			case r < 0x20:
				dst = appendUnit(dst, r)
			case r > 0xffff:
				high, low := utf16.EncodeRune(r)
				dst = appendUnit(appendUnit(dst, high), low)
			default:
				dst = utf8.AppendRune(dst, r)
			}
		}
	}
	return append(dst, '"')
}

// appendUnit writes one UTF-16 unit as an escape.
func appendUnit(dst []byte, unit rune) []byte {
	const hex = "0123456789ABCDEF"
	return append(dst, '\\', 'u', hex[unit>>12], hex[unit>>8&15], hex[unit>>4&15], hex[unit&15])
}
