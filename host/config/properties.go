package config

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// SyntaxError is a mistake in a file, with the place and what to do about it.
type SyntaxError struct {
	File   string
	Line   int // from 1
	Column int // from 1, in characters; 0 when only the line is known
	Reason string
}

func (e *SyntaxError) Error() string {
	if e.Column > 0 {
		return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Reason)
	}
	return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Reason)
}

// ParseProperties reads Java .properties text by the rules of
// java.util.Properties.load: comments start with # or !, a key ends at =, : or
// white space, a line ending in an odd number of backslashes goes on in the next
// one, \uXXXX is a UTF-16 unit, and a backslash before any other character is
// dropped. A key that occurs twice has its last value. file is only used in errors.
//
// Java reads the bytes as Latin-1, so text that is not ASCII must be escaped there.
// Here bytes that form valid UTF-8 as a whole are read as UTF-8, because that is
// what editors write; other input is Latin-1 as in Java.
//
// The reader is our own, because the properties library that was considered
// expands ${…} unless told otherwise, reports no columns, and treats a few escapes
// differently from Java.
func ParseProperties(file string, data []byte) (map[string]string, error) {
	p := propertiesReader{file: file, text: decodeText(data), line: 1}
	props := map[string]string{}
	for p.skipBlank() {
		key, err := p.token(true)
		if err != nil {
			return nil, err
		}
		p.skipSeparator()
		value, err := p.token(false)
		if err != nil {
			return nil, err
		}
		props[key] = value
	}
	return props, nil
}

func decodeText(data []byte) []rune {
	if utf8.Valid(data) {
		return []rune(strings.TrimPrefix(string(data), "\uFEFF"))
	}
	runes := make([]rune, len(data))
	for i, b := range data {
		runes[i] = rune(b)
	}
	return runes
}

type propertiesReader struct {
	file      string
	text      []rune
	pos       int
	line      int // from 1
	lineStart int // pos of the first character of the line
}

func (p *propertiesReader) end() bool { return p.pos >= len(p.text) }

func isPropertyBlank(r rune) bool { return r == ' ' || r == '\t' || r == '\f' }

func isNewline(r rune) bool { return r == '\n' || r == '\r' }

// newline steps over one line terminator: \n, \r or \r\n.
func (p *propertiesReader) newline() {
	if p.text[p.pos] == '\r' && p.pos+1 < len(p.text) && p.text[p.pos+1] == '\n' {
		p.pos++
	}
	p.pos++
	p.line++
	p.lineStart = p.pos
}

// continued steps over a backslash at the end of a line and the white space at the
// start of the next one; it reports whether there was one.
func (p *propertiesReader) continued() bool {
	if p.text[p.pos] != '\\' {
		return false
	}
	if p.pos+1 == len(p.text) {
		p.pos++ // a backslash at the very end is dropped
		return true
	}
	if !isNewline(p.text[p.pos+1]) {
		return false
	}
	p.pos++
	p.newline()
	for !p.end() && isPropertyBlank(p.text[p.pos]) {
		p.pos++
	}
	return true
}

// skipBlank goes to the start of the next key, over blank lines and comments.
func (p *propertiesReader) skipBlank() bool {
	for !p.end() {
		switch r := p.text[p.pos]; {
		case isNewline(r):
			p.newline()
		case isPropertyBlank(r):
			p.pos++
		case r == '#' || r == '!':
			for !p.end() && !isNewline(p.text[p.pos]) {
				p.pos++
			}
		case p.continued():
			if !p.end() && !isNewline(p.text[p.pos]) && p.text[p.pos] != '\\' {
				return true // even # and ! are part of a key here
			}
		default:
			return true
		}
	}
	return false
}

// skipSeparator steps over white space with at most one = or : in it.
func (p *propertiesReader) skipSeparator() {
	seen := false
	for !p.end() {
		switch r := p.text[p.pos]; {
		case isPropertyBlank(r):
			p.pos++
		case !seen && (r == '=' || r == ':'):
			seen = true
			p.pos++
		case p.continued():
		default:
			return
		}
	}
}

// token reads a key or a value up to its end and undoes the escapes.
func (p *propertiesReader) token(key bool) (string, error) {
	var units []uint16
	for !p.end() {
		r := p.text[p.pos]
		switch {
		case isNewline(r):
			return string(utf16.Decode(units)), nil
		case key && (isPropertyBlank(r) || r == '=' || r == ':'):
			return string(utf16.Decode(units)), nil
		case r != '\\':
			units = utf16.AppendRune(units, r)
			p.pos++
		case p.continued():
		default:
			p.pos++
			unit, err := p.escape()
			if err != nil {
				return "", err
			}
			units = append(units, unit...)
		}
	}
	return string(utf16.Decode(units)), nil
}

// escape reads what follows a backslash.
func (p *propertiesReader) escape() ([]uint16, error) {
	r := p.text[p.pos]
	p.pos++
	switch r {
	case 't':
		return []uint16{'\t'}, nil
	case 'n':
		return []uint16{'\n'}, nil
	case 'r':
		return []uint16{'\r'}, nil
	case 'f':
		return []uint16{'\f'}, nil
	case 'u':
		var unit uint16
		for range 4 {
			digit := -1
			if !p.end() {
				digit = strings.IndexRune("0123456789abcdef", unicode.ToLower(p.text[p.pos]))
			}
			if digit < 0 {
				return nil, &SyntaxError{
					p.file, p.line, p.pos - p.lineStart + 1,
					`malformed \uXXXX escape: four hexadecimal digits must follow \u; write \\u for a backslash and a u`,
				}
			}
			unit = unit<<4 | uint16(digit)
			p.pos++
		}
		return []uint16{unit}, nil
	}
	return utf16.AppendRune(nil, r), nil
}
