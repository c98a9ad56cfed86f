package transform

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"

	"golang.org/x/text/unicode/runenames"
)

// unquoted spells out what stands between \Q and \E, as Java does before it reads an expression: the places that it tells with
// mistakes are those of the outcome.
func unquoted(in []rune) []rune {
	var out []rune
	quoted, first := false, false
	for i := 0; i < len(in); i++ {
		c := in[i]
		next := rune(0)
		if i+1 < len(in) {
			next = in[i+1]
		}
		switch {
		case !quoted && c == '\\' && next == 'Q':
			quoted, first = true, true
			i++
			continue
		case !quoted && c == '\\' && i+1 < len(in):
			out = append(out, c, next)
			i++
		case quoted && c == '\\' && next == 'E':
			quoted = false
			i++
		case quoted && c >= '0' && c <= '9' && first: // it must not become a part of an escape before the quotation
			out = append(out, '\\', 'x', '3', c)
		case quoted && c < 0x80 && !isAlnum(byte(c)):
			out = append(out, '\\', c)
		default:
			out = append(out, c)
		}
		first = false
	}
	return out
}

// escapedCharacter reads the rest of an escape that stands for one character.
func (t *regexTranslator) escapedCharacter(c rune) rune {
	switch c {
	case '0':
		return t.octal()
	case 'N':
		return t.named()
	case 'c':
		if t.at >= len(t.in) {
			t.fail(t.at-1, "Illegal control escape sequence")
			return 0
		}
		return t.next() ^ 64
	case 'u':
		r := t.unicodeUnit()
		if utf16.IsSurrogate(r) && t.at+1 < len(t.in) && t.in[t.at] == '\\' && t.in[t.at+1] == 'u' {
			before := t.at
			t.at += 2
			if pair := utf16.DecodeRune(r, t.unicodeUnit()); pair != unicode.ReplacementChar {
				return pair
			}
			t.at = before
		}
		return r
	}
	return t.hexadecimal()
}

// next takes a character; 0 behind the end, like Java.
func (t *regexTranslator) next() rune {
	t.at++
	if t.at > len(t.in) {
		return 0
	}
	return t.in[t.at-1]
}

func hexDigit(c rune) int64 {
	if n, err := strconv.ParseUint(string(c), 16, 8); err == nil {
		return int64(n)
	}
	return -1
}

func (t *regexTranslator) unicodeUnit() rune {
	n := int64(0)
	for range 4 {
		d := hexDigit(t.next())
		if d < 0 {
			t.fail(t.at-1, "Illegal Unicode escape sequence")
			return 0
		}
		n = n<<4 + d
	}
	return rune(n)
}

func (t *regexTranslator) hexadecimal() rune {
	first := t.next()
	if high := hexDigit(first); high >= 0 {
		if low := hexDigit(t.next()); low >= 0 {
			return rune(high<<4 + low)
		}
	} else if first == '{' && t.at < len(t.in) && hexDigit(t.in[t.at]) >= 0 {
		for n := int64(0); ; {
			c := t.next()
			d := hexDigit(c)
			switch {
			case d < 0 && c != '}':
				t.fail(t.at-1, "Unclosed hexadecimal escape sequence")
				return 0
			case d < 0:
				return rune(n)
			}
			if n = n<<4 + d; n > unicode.MaxRune {
				t.fail(t.at-1, "Hexadecimal codepoint is too big")
				return 0
			}
		}
	}
	t.fail(t.at-1, "Illegal hexadecimal escape sequence")
	return 0
}

// octal reads up to three digits, of which the first of three is at most 3.
func (t *regexTranslator) octal() rune {
	from, n := t.at, rune(0)
	for t.at < len(t.in) && t.in[t.at] >= '0' && t.in[t.at] <= '7' && t.at < from+3 && n < 32 {
		n = n<<3 + t.in[t.at] - '0'
		t.at++
	}
	if t.at == from {
		t.at++
		t.fail(t.at-1, "Illegal octal escape sequence")
	}
	return n
}

// named reads {NAME} of \N.
func (t *regexTranslator) named() rune {
	if t.next() != '{' {
		t.fail(t.at-1, "Illegal character name escape sequence")
		return 0
	}
	from := t.at
	for t.next() != '}' {
		if t.at >= len(t.in) {
			t.fail(t.at-1, "Unclosed character name escape sequence")
			return 0
		}
	}
	name := string(t.in[from : t.at-1])
	wanted := strings.ToUpper(strings.TrimSpace(name))
	for r := rune(0); r <= unicode.MaxRune && wanted != ""; r++ {
		if runenames.Name(r) == wanted {
			return r
		}
	}
	t.fail(t.at-1, "Unknown character name ["+name+"]")
	return 0
}

// literal is a character as the engine reads it, also in brackets.
func literal(r rune) string {
	if r > 0x20 && r < 0x7f && !isAlnum(byte(r)) {
		return `\` + string(r)
	}
	return string(r)
}

// isSingle reports whether the next element stands for one character.
func (t *regexTranslator) isSingle() bool {
	switch c := t.in[t.at]; {
	case c == '\\' && t.at+1 < len(t.in):
		return !strings.ContainsRune("ABGRXZbkz123456789", t.in[t.at+1])
	default:
		return c != '('
	}
}

// unicodeClasses are what the flag U makes of classes.
var unicodeClasses = map[string]string{
	"d": `\p{Nd}`, "w": unicodeWords, "s": unicodeSpaces, "D": `^\p{Nd}`, "W": "^" + unicodeWords, "S": "^" + unicodeSpaces,
	"Lower": `\p{Ll}`, "Upper": `\p{Lu}`, "Alpha": `\p{L}\p{Nl}`, "Digit": `\p{Nd}`, "Alnum": `\p{L}\p{Nl}\p{Nd}`, "Punct": `\p{P}`,
	"Cntrl": `\p{Cc}`, "Space": unicodeSpaces, "Blank": `\t\p{Zs}`,
}

const (
	unicodeWords  = `\p{L}\p{Nl}\p{M}\p{Nd}\p{Pc}\u200c\u200d`
	unicodeSpaces = ` \t\n\x0B\f\r\x85\p{Z}`
)

// escapedClass is the contents of \d and its like.
func (t *regexTranslator) escapedClass(c rune) (class string, ok bool) {
	if t.unicode {
		if class, ok = unicodeClasses[string(c)]; ok {
			return class, true
		}
	}
	class, ok = escapedClasses[c]
	return class, ok
}

// posix is the contents of \p{name}, for the names that Java defines itself.
func (t *regexTranslator) posix(name string) (class string, ok bool) {
	if class, ok = unicodeClasses[name]; ok && t.unicode && len(name) > 1 {
		return class, true
	}
	class, ok = posixClasses[name]
	return class, ok
}

// namedReference translates what follows \k.
func (t *regexTranslator) namedReference() string {
	if t.at >= len(t.in) || t.in[t.at] != '<' {
		t.fail(t.at, `\k is not followed by '<' for named capturing group`)
		return ""
	}
	end := t.index('>')
	if end < 0 {
		t.fail(len(t.in), "named capturing group is missing trailing '>'")
		return ""
	}
	name := string(t.in[t.at+1 : end])
	t.at = end + 1
	n, ok := t.names[name]
	if !ok {
		t.fail(end, "named capturing group <"+name+"> does not exist")
	}
	return t.backReference(n)
}

func (t *regexTranslator) backReference(n int) string {
	t.endless = true
	if n > t.total {
		return neverMatching
	}
	return "(?:\\" + itoa(n) + ")"
}

func itoa(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + itoa(n%10)
}

// utf16Len is the length of a text as Java counts it.
func utf16Len(text string) int {
	n := 0
	for _, r := range text {
		n += utf16.RuneLen(r)
	}
	return n
}
