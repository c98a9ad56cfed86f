package transform

import (
	"strings"
	"time"

	"github.com/dlclark/regexp2"
)

// matchTimeout bounds one match: a backtracking engine can need exponential
// time on a hostile pattern.
const matchTimeout = 100 * time.Millisecond

// javaRegex is a java.util.regex.Pattern.
type javaRegex struct {
	text   string
	whole  *regexp2.Regexp // matches()
	find   *regexp2.Regexp // find()
	groups int
	names  map[string]int
}

// compileJavaRegex compiles a Java regular expression.
func compileJavaRegex(text string) (*javaRegex, error) {
	t := regexTranslator{text: text, in: unquoted([]rune(text)), names: map[string]int{}}
	net := t.translate()
	if t.problem != "" {
		return nil, t.syntaxError()
	}
	r := &javaRegex{text: text, groups: t.groups, names: t.names}
	var err error
	if r.find, err = regexp2.Compile(net, regexp2.None); err == nil {
		r.whole, err = regexp2.Compile(`\A(?:`+net+`)\z`, regexp2.None)
	}
	if err != nil {
		return nil, javaError(patternSyntax, "%s in %s", err.Error(), text)
	}
	r.find.MatchTimeout, r.whole.MatchTimeout = matchTimeout, matchTimeout
	return r, nil
}

func (r *javaRegex) tooSlow(text string) error {
	return dataError("matching the regular expression %s against %q took longer than %s", r.text, text, matchTimeout)
}

// matches reports whether the whole text matches.
func (r *javaRegex) matches(text string) (bool, error) {
	ok, err := r.whole.MatchString(text)
	if err != nil {
		return false, r.tooSlow(text)
	}
	return ok, nil
}

// replaceFirst is Matcher.replaceFirst: the first part that matches is replaced,
// with Java's syntax of group references in the replacement.
func (r *javaRegex) replaceFirst(text, replacement string) (string, error) {
	m, err := r.find.FindStringMatch(text)
	if err != nil {
		return "", r.tooSlow(text)
	}
	if m == nil {
		return text, nil
	}
	middle, err := r.expand(m, replacement)
	if err != nil {
		return "", err
	}
	runes := []rune(text)
	return string(runes[:m.Index]) + middle + string(runes[m.Index+m.Length:]), nil
}

// expand fills in a replacement text.
func (r *javaRegex) expand(m *regexp2.Match, replacement string) (string, error) {
	var b strings.Builder
	bad := func(format string, args ...any) (string, error) {
		return "", javaError(illegalArgument, format, args...)
	}
	for i := 0; i < len(replacement); {
		c := replacement[i]
		i++
		switch c {
		case '\\':
			if i == len(replacement) {
				return bad("character to be escaped is missing")
			}
			b.WriteByte(replacement[i])
			i++
		case '$':
			if i == len(replacement) {
				return bad("Illegal group reference: group index is missing")
			}
			group := 0
			if replacement[i] == '{' {
				end := i + 1
				for end < len(replacement) && isAlnum(replacement[end]) {
					end++
				}
				name := replacement[i+1 : end]
				if name == "" {
					return bad("named capturing group has 0 length name")
				}
				if end == len(replacement) || replacement[end] != '}' {
					return bad("named capturing group is missing trailing '}'")
				}
				if name[0] <= '9' {
					return bad("capturing group name {%s} starts with digit character", name)
				}
				var known bool
				if group, known = r.names[name]; !known {
					return bad("No group with name {%s}", name)
				}
				i = end + 1
			} else {
				if replacement[i] < '0' || replacement[i] > '9' {
					return bad("Illegal group reference")
				}
				group = int(replacement[i] - '0')
				i++
				if group > r.groups {
					return "", javaError(indexOutOfBounds, "No group %d", group)
				}
				for i < len(replacement) && replacement[i] >= '0' && replacement[i] <= '9' {
					next := group*10 + int(replacement[i]-'0')
					if next > r.groups {
						break
					}
					group = next
					i++
				}
			}
			if g := m.GroupByNumber(group); g != nil && len(g.Captures) > 0 {
				b.WriteString(g.String())
			}
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), nil
}

func isAlnum(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}
