package config

import (
	"errors"
	"fmt"
	"strings"
)

// LoginModule is the one entry of a sasl.jaas.config setting. Its options hold
// secrets: never print them.
type LoginModule struct {
	Class   string // full name of the Java class
	Options map[string]string
}

// Name is the class without its package.
func (m LoginModule) Name() string { return m.Class[strings.LastIndexByte(m.Class, '.')+1:] }

// jaasFlags are the control flags of JAAS; with one module they mean the same.
var jaasFlags = map[string]bool{"REQUIRED": true, "REQUISITE": true, "SUFFICIENT": true, "OPTIONAL": true}

// ParseJAAS reads a value of sasl.jaas.config,
//
//	org.example.LoginModule required name="value" other='value';
//
// by the rules of Kafka's JaasConfig: words and quoted texts with Java's escapes,
// comments of // and /* */, one module, a semicolon at the end. An option without
// quotes may be any text without blanks, where Kafka takes no numbers. The error says what is wrong
// and where, in characters from the start, and quotes nothing (I-9).
func ParseJAAS(text string) (LoginModule, error) {
	s := &jaasScanner{text: text}
	class := s.next()
	if class.kind != jaasWord || class.text == "" {
		return LoginModule{}, errors.New("the login module is missing; it looks like: org.apache.kafka.common.security.plain.PlainLoginModule required username=\"…\" password=\"…\";")
	}
	m := LoginModule{Class: class.text, Options: map[string]string{}}
	if flag := s.next(); flag.kind != jaasWord || !jaasFlags[strings.ToUpper(flag.text)] {
		return m, fmt.Errorf("after the login module, at character %d, the word required is missing", flag.at)
	}
	for {
		name := s.next()
		switch name.kind {
		case jaasSign:
			if name.text != ";" {
				return m, fmt.Errorf("at character %d stands a sign where the name of an option is expected", name.at)
			}
			if rest := s.next(); rest.kind != jaasEnd {
				return m, fmt.Errorf("something follows the semicolon at character %d; one login module is allowed", name.at)
			}
			return m, nil
		case jaasEnd:
			return m, errors.New("the semicolon at the end is missing")
		case jaasBroken:
			return m, fmt.Errorf("the quotation mark at character %d is never closed", name.at)
		case jaasWord, jaasQuoted:
		}
		equals, value := s.next(), s.next()
		switch {
		case value.kind == jaasBroken:
			return m, fmt.Errorf("the quotation mark at character %d is never closed", value.at)
		case equals.text != "=" || equals.kind != jaasSign || value.kind != jaasWord && value.kind != jaasQuoted:
			return m, fmt.Errorf("the option that starts at character %d is not of the form name=\"value\"", name.at)
		}
		m.Options[name.text] = value.text
	}
}

type jaasKind int

const (
	jaasEnd jaasKind = iota
	jaasWord
	jaasQuoted
	jaasSign
	jaasBroken // a quoted text without an end
)

type jaasToken struct {
	kind jaasKind
	text string
	at   int // counted from 1
}

// jaasScanner splits a text as Java's StreamTokenizer does with Kafka's settings.
type jaasScanner struct {
	text string
	pos  int
}

func (s *jaasScanner) next() jaasToken {
	s.skip()
	if s.pos >= len(s.text) {
		return jaasToken{kind: jaasEnd, at: s.pos + 1}
	}
	start := s.pos
	switch c := s.text[s.pos]; c {
	case '"', '\'':
		return s.quoted(c)
	case '=', ';':
		s.pos++
		return jaasToken{jaasSign, string(c), start + 1}
	}
	for s.pos < len(s.text) && !strings.ContainsRune(" \t\r\n\f=;\"'", rune(s.text[s.pos])) && !s.comment() {
		s.pos++
	}
	return jaasToken{jaasWord, s.text[start:s.pos], start + 1}
}

func (s *jaasScanner) comment() bool {
	return strings.HasPrefix(s.text[s.pos:], "//") || strings.HasPrefix(s.text[s.pos:], "/*")
}

// skip passes blanks and comments.
func (s *jaasScanner) skip() {
	for s.pos < len(s.text) {
		rest := s.text[s.pos:]
		switch {
		case rest[0] <= ' ':
			s.pos++
		case strings.HasPrefix(rest, "//"):
			end := strings.IndexByte(rest, '\n')
			if end < 0 {
				end = len(rest)
			}
			s.pos += end
		case strings.HasPrefix(rest, "/*"):
			end := strings.Index(rest, "*/")
			if end < 0 {
				s.pos = len(s.text)
				return
			}
			s.pos += end + len("*/")
		default:
			return
		}
	}
}

// quoted reads a text in quotation marks. It ends at the same mark; a line end
// inside it is an error, as in Java.
func (s *jaasScanner) quoted(mark byte) jaasToken {
	start := s.pos + 1
	s.pos++
	var out strings.Builder
	for s.pos < len(s.text) {
		c := s.text[s.pos]
		s.pos++
		switch c {
		case mark:
			return jaasToken{jaasQuoted, out.String(), start}
		case '\n', '\r':
			return jaasToken{jaasBroken, "", start}
		case '\\':
			out.WriteByte(s.escape())
		default:
			out.WriteByte(c)
		}
	}
	return jaasToken{jaasBroken, "", start}
}

var jaasEscapes = map[byte]byte{'a': 7, 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t', 'v': '\v'}

// escape reads what follows a backslash: a letter, up to three octal digits, or
// any other sign, which stands for itself.
func (s *jaasScanner) escape() byte {
	if s.pos >= len(s.text) {
		return '\\'
	}
	c := s.text[s.pos]
	s.pos++
	if to, ok := jaasEscapes[c]; ok {
		return to
	}
	if c < '0' || c > '7' {
		return c
	}
	value, digits := int(c-'0'), 1
	most := 2
	if c <= '3' {
		most = 3
	}
	for ; digits < most && s.pos < len(s.text) && s.text[s.pos] >= '0' && s.text[s.pos] <= '7'; digits++ {
		value = value*8 + int(s.text[s.pos]-'0')
		s.pos++
	}
	return byte(value)
}
