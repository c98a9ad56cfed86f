package convert

import (
	"encoding/binary"
	"strconv"
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
	if i := plainPrefix(text); i < len(text) {
		dst = appendJSONOdd(dst, text, i)
	} else {
		dst = append(dst, text...)
	}
	return append(dst, '"')
}

// plainPrefix is how many bytes at least stand for themselves, all of them if it is the length.
func plainPrefix(text []byte) int {
	n := len(text)
	if n < 8 {
		i := 0
		for i < n && plainJSON[text[i]] {
			i++
		}
		return i
	}
	i := 0
	for ; n-i > 8; i += 8 {
		if !eightPlain(binary.LittleEndian.Uint64(text[i:])) {
			return i
		}
	}
	if !eightPlain(binary.LittleEndian.Uint64(text[n-8:])) { // some of them have been seen already
		return i
	}
	return n
}

// appendJSONOdd appends text whose first i bytes are plain.
func appendJSONOdd(dst, text []byte, i int) []byte {
	from := 0
	for i < len(text) {
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
	return append(dst, text[from:]...)
}

// appendJSONInt is strconv.AppendInt for the usual numbers, in a third of its time: less than 10^16.
func appendJSONInt(dst []byte, v int64) []byte {
	const eight = 100_000_000
	if v < 0 || v >= eight*eight {
		return strconv.AppendInt(dst, v, 10)
	}
	high, low := uint32(0), uint32(v%eight)
	if v >= eight {
		high = uint32(v / eight)
	}
	first := high
	if high == 0 {
		first = low
	}
	n := digitCount(first)
	if high != 0 {
		dst = appendDigits(dst, high, n)
		n = 8
	}
	return appendDigits(dst, low, n)
}

func digitCount(n uint32) int {
	switch {
	case n < 10:
		return 1
	case n < 100:
		return 2
	case n < 1000:
		return 3
	case n < 10_000:
		return 4
	case n < 100_000:
		return 5
	case n < 1_000_000:
		return 6
	case n < 10_000_000:
		return 7
	}
	return 8
}

// appendDigits appends a number below 10^8 with n digits. It makes all eight at once: halves it into groups of four digits, of two
// and of one, which lie side by side in a word.
func appendDigits(dst []byte, v uint32, n int) []byte {
	x := uint64(v/10_000) | uint64(v%10_000)<<32
	hundreds := x * 10486 >> 20 & 0x7f_0000_007f // a hundredth of each group: exact below 10^4
	x = hundreds | (x-100*hundreds)<<16
	tens := x * 103 >> 10 & 0xf_000f_000f_000f // a tenth of each: exact below 100
	x = tens | (x-10*tens)<<8 | 0x3030303030303030
	dst = binary.LittleEndian.AppendUint64(dst, x>>(8*(8-n)))
	return dst[:len(dst)-8+n]
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
