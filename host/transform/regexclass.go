package transform

import (
	"strings"
	"unicode"
)

// property translates \p{Name}.
func (t *regexTranslator) property(negated, inClass bool) string {
	name, place := " ", t.at
	if t.at < len(t.in) && t.in[t.at] == '{' {
		end := t.index('}')
		if end < 0 {
			t.fail(len(t.in), "Unclosed character family")
			t.at = len(t.in)
			return ""
		}
		if name, place = string(t.in[t.at+1:end]), end; name == "" {
			t.fail(end, "Empty character family")
		}
		t.at = end + 1
	} else if t.at < len(t.in) {
		name = string(t.in[t.at])
		t.at++
	}
	chars, known := t.posix(name)
	if !known {
		chars, known = unicodeProperty(name)
	}
	if !known {
		t.fail(place, "Unknown character property name {"+name+"}")
	}
	switch {
	case negated:
		return "[^" + chars + "]"
	case inClass:
		return chars
	}
	return "[" + chars + "]"
}

// unicodeProperty finds a category or script by the names that Java gives it. Of
// the blocks only those are known that a script has the name of.
func unicodeProperty(name string) (chars string, known bool) {
	if _, value, ok := strings.Cut(name, "="); ok {
		name = value
	} else if strings.HasPrefix(name, "Is") || strings.HasPrefix(name, "In") {
		name = name[2:]
	}
	if name == "BasicLatin" || name == "BASIC_LATIN" {
		return posixClasses["ASCII"], true
	}
	_, category := unicode.Categories[name]
	_, script := unicode.Scripts[name]
	return `\p{` + name + "}", category || script
}

// class translates a character class after its opening bracket. Java's unions
// and intersections become alternatives and look-ahead, of which each takes one character.
func (t *regexTranslator) class(depth int) string {
	negated := t.at < len(t.in) && t.in[t.at] == '^'
	if negated {
		t.at++
	}
	var both []string // sides of &&
	var plain strings.Builder
	var parts []string // nested and negated classes
	side := func() string {
		all := parts
		if plain.Len() > 0 {
			all = append([]string{"[" + plain.String() + "]"}, all...)
		}
		plain.Reset()
		parts = nil
		switch len(all) {
		case 0:
			return ""
		case 1:
			return all[0]
		}
		return "(?:" + strings.Join(all, "|") + ")"
	}
	closed := false
	for first := true; t.at < len(t.in); first = false {
		c := t.in[t.at]
		if c == ']' && !first {
			t.at++
			closed = true
			break
		}
		switch {
		case c == '[' && depth < 100:
			t.at++
			parts = append(parts, t.class(depth+1))
		case c == '&' && t.at+1 < len(t.in) && t.in[t.at+1] == '&':
			t.at += 2
			if s := side(); s != "" {
				both = append(both, s)
			}
		case c == '\\':
			if s := t.escape(true); strings.HasPrefix(s, "[") {
				parts = append(parts, s)
			} else {
				plain.WriteString(s)
			}
		case c == ']' || c == '^' || c == '[':
			plain.WriteString(`\` + string(c))
			t.at++
			t.checkRange(c)
		case c == '-' && plain.Len() == 0:
			plain.WriteString(`\-`)
			t.at++
		default:
			plain.WriteRune(c)
			t.at++
			t.checkRange(c)
		}
	}
	if !closed {
		t.fail(t.at-1, "Unclosed character class")
		return ""
	}
	// The usual class needs nothing but brackets.
	if len(both) == 0 && len(parts) == 0 && plain.Len() > 0 {
		if negated {
			return "[^" + plain.String() + "]"
		}
		return "[" + plain.String() + "]"
	}
	last := side()
	if last != "" {
		both = append(both, last)
	}
	if len(both) == 0 {
		return neverMatching
	}
	positive := both[len(both)-1]
	for _, s := range both[:len(both)-1] {
		positive = "(?=" + s + ")" + positive
	}
	if negated {
		return "(?:(?!" + positive + ")" + anyCharacter + ")"
	}
	return "(?:" + positive + ")"
}
