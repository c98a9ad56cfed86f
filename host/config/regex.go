package config

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/dlclark/regexp2"
)

// matchTimeout bounds one match: a backtracking engine can need exponential time
// on a hostile pattern, and patterns come from users.
const matchTimeout = 100 * time.Millisecond

// Regex is a Java regular expression that is matched against a whole text. Java's
// syntax is kept by a backtracking engine: look-around, possessive-free groups and
// back references work. It is safe for use by several goroutines.
type Regex struct {
	text string
	re   *regexp2.Regexp
}

// CompileRegex compiles a Java regular expression.
func CompileRegex(text string) (*Regex, error) {
	re, err := regexp2.Compile(`\A(?:`+javaToNet(text)+`)\z`, regexp2.None)
	if err != nil {
		// Compile again on its own, so that positions in the text are the user's.
		if _, own := regexp2.Compile(javaToNet(text), regexp2.None); own != nil {
			err = own
		}
		return nil, fmt.Errorf("%w in %q", err, text)
	}
	re.MatchTimeout = matchTimeout
	return &Regex{text, re}, nil
}

// Matches reports whether the whole text matches. A match that takes longer than
// the limit counts as none.
func (r *Regex) Matches(text string) bool {
	ok, err := r.re.MatchString(text)
	return err == nil && ok
}

// String returns the expression as it was written.
func (r *Regex) String() string { return r.text }

// javaToNet rewrites what Java and the engine spell differently: \Q…\E is quoted,
// \h and \R are spelled out. Possessive quantifiers (x*+) are refused by the engine,
// with an error rather than a silent difference.
func javaToNet(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' || i+1 == len(text) {
			b.WriteByte(text[i])
			continue
		}
		i++
		switch text[i] {
		case 'Q':
			quoted, _, _ := strings.Cut(text[i+1:], `\E`)
			b.WriteString(regexp2.Escape(quoted))
			i += len(quoted) + len(`\E`)
		case 'h':
			b.WriteString(`[ \t\xA0\u1680\u180e\u2000-\u200a\u202f\u205f\u3000]`)
		case 'R':
			b.WriteString(`(?:\r\n|[\n\x0B\f\r\x85\u2028\u2029])`)
		default:
			b.WriteByte('\\')
			b.WriteByte(text[i])
		}
	}
	return b.String()
}

// checkJavaRegex returns what is wrong with an expression, in Java's words for the
// mistakes that people make, with the place marked as Java marks it.
func checkJavaRegex(text string) error {
	if unclosedCount.MatchString(text) { // the engine takes the brace for itself
		return javaSyntaxError("Unclosed counted closure", len(text), text)
	}
	_, err := CompileRegex(text)
	if err == nil {
		return nil
	}
	// Java's PatternSyntaxException counts from 0 and marks the place with a caret.
	class := -1
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '\\':
			i++
		case class >= 0:
			if text[i] == ']' && i > class+1 {
				class = -1
			}
		case text[i] == '[':
			class = i
		case strings.IndexByte("*+?", text[i]) >= 0 && (i == 0 || text[i-1] == '(' || text[i-1] == '|'):
			return javaSyntaxError(fmt.Sprintf("Dangling meta character '%c'", text[i]), i, text)
		}
	}
	switch {
	case class >= 0:
		return javaSyntaxError("Unclosed character class", len(text)-1, text)
	case strings.Contains(err.Error(), `illegal \ at end`):
		return javaSyntaxError("Unescaped trailing backslash", len(text), text)
	case strings.Contains(err.Error(), "missing closing"):
		return javaSyntaxError("Unclosed group", len(text), text)
	}
	return err
}

// unclosedCount is a count such as a{1 or a{1, that the text ends in.
var unclosedCount = regexp.MustCompile(`(^|[^\\])(\\\\)*[^\\([{|*+?]\{\d+(,\d*)?$`)

func javaSyntaxError(what string, at int, text string) error {
	message := fmt.Sprintf("%s near index %d\n%s", what, at, text)
	if at < len(text) {
		message += "\n" + strings.Repeat(" ", at) + "^"
	}
	return errors.New(message)
}
