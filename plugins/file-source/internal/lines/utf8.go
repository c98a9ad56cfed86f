package lines

import "unicode/utf8"

// AppendValid appends text to dst with every ill-formed part replaced by U+FFFD, one for each maximal part of a
// sequence (Unicode 16, section 3.9, "U+FFFD Substitution of Maximal Subparts"), which is also what Java's decoder does
// and therefore what Kafka's FileStreamSource sends. dst and text may be the same memory only if text is well-formed.
func AppendValid(dst, text []byte) []byte {
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		if r == utf8.RuneError && size == 1 {
			dst = append(dst, "\uFFFD"...)
			text = text[illFormed(text):]
			continue
		}
		dst = append(dst, text[:size]...)
		text = text[size:]
	}
	return dst
}

// illFormed returns the length of the maximal subpart at the start of text, which is ill-formed there.
func illFormed(text []byte) int {
	var need int
	low, high := byte(0x80), byte(0xBF)
	switch c := text[0]; {
	case c >= 0xC2 && c <= 0xDF:
		need = 1
	case c >= 0xE0 && c <= 0xEF:
		need = 2
		switch c {
		case 0xE0:
			low = 0xA0
		case 0xED:
			high = 0x9F
		}
	case c >= 0xF0 && c <= 0xF4:
		need = 3
		switch c {
		case 0xF0:
			low = 0x90
		case 0xF4:
			high = 0x8F
		}
	default:
		return 1
	}
	n := 1
	for n <= need && n < len(text) && text[n] >= low && text[n] <= high {
		low, high = 0x80, 0xBF
		n++
	}
	return n
}

// Cut returns the largest length up to limit at which text can be cut without dividing a character. For text that is
// not UTF-8 that is the limit itself.
func Cut(text []byte, limit int) int {
	if limit >= len(text) {
		return len(text)
	}
	for n := limit; n > 0 && n > limit-utf8.UTFMax; n-- {
		if utf8.RuneStart(text[n]) {
			return n
		}
	}
	return limit
}
