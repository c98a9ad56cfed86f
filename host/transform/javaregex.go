package transform

import (
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"

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
	t := regexTranslator{in: []rune(text), names: map[string]int{}}
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

// regexTranslator rewrites Java's syntax into the engine's, which is that of
// .NET: where both have a construct it stays, where the same letters mean something
// else they are spelled out. It finds the usual mistakes itself, to tell them in Java's words.
type regexTranslator struct {
	in       []rune
	at       int
	groups   int
	total    int
	names    map[string]int
	dotAll   bool
	multi    bool
	comments bool
	problem  string // the first mistake found, in Java's words
	place    int    // where, as Java counts
}

// fail notes a mistake; the first one counts.
func (t *regexTranslator) fail(place int, problem string) {
	if t.problem == "" {
		t.problem, t.place = problem, place
	}
}

// syntaxError is Java's PatternSyntaxException.
func (t *regexTranslator) syntaxError() error {
	message := t.problem
	if t.place >= 0 {
		message += " near index " + strconv.Itoa(t.place)
	}
	message += "\n" + string(t.in)
	if t.place >= 0 && t.place < len(t.in) {
		message += "\n" + strings.Repeat(" ", t.place) + "^"
	}
	return javaError(patternSyntax, "%s", message)
}

const (
	javaLineEnd   = `\n\r\u0085\u2028\u2029`
	javaDigits    = `0-9`
	javaWords     = `a-zA-Z_0-9`
	javaSpaces    = ` \t\n\x0B\f\r`
	javaBlanks    = ` \t\xA0\u1680\u180e\u2000-\u200a\u202f\u205f\u3000`
	javaVertical  = `\n\x0B\f\r\x85\u2028\u2029`
	anyCharacter  = `[\s\S]`
	neverMatching = `(?!)`
)

// posixClasses are the \p{…} that Java defines over ASCII, and its own names.
var posixClasses = map[string]string{
	"Lower": "a-z", "Upper": "A-Z", "ASCII": `\x00-\x7F`, "Alpha": "a-zA-Z", "Digit": "0-9", "Alnum": "a-zA-Z0-9",
	"Punct": "!-/:-@\\[-`{-~", "Graph": "!-~", "Print": " -~", "Blank": ` \t`, "Cntrl": `\x00-\x1F\x7F`,
	"XDigit": "0-9a-fA-F", "Space": javaSpaces, "javaLowerCase": `\p{Ll}`, "javaUpperCase": `\p{Lu}`, "javaLetter": `\p{L}`,
	"javaDigit": `\p{Nd}`, "javaLetterOrDigit": `\p{L}\p{Nd}`, "IsAlphabetic": `\p{L}\p{Nl}`, "IsLetter": `\p{L}`, "IsDigit": `\p{Nd}`,
	"IsUppercase": `\p{Lu}`, "IsLowercase": `\p{Ll}`, "IsPunctuation": `\p{P}`, "javaWhitespace": `\s`, "IsWhite_Space": `\s`,
	"L1": `\x00-\xFF`, "LC": `\p{Lu}\p{Ll}\p{Lt}`, "LD": `\p{L}\p{Nd}`, "all": `\s\S`,
}

func (t *regexTranslator) translate() string {
	t.total = countGroups(t.in)
	var out strings.Builder
	t.alternatives(&out, 0)
	if t.at < len(t.in) {
		t.fail(t.at-1, "Unmatched closing ')'")
	}
	return out.String()
}

// countGroups counts capturing groups.
func countGroups(in []rune) int {
	n, class := 0, 0
	for i := 0; i < len(in); i++ {
		switch in[i] {
		case '\\':
			if i++; i < len(in) && in[i] == 'Q' {
				for i < len(in) && !(in[i] == '\\' && i+1 < len(in) && in[i+1] == 'E') {
					i++
				}
				i++
			}
		case '[':
			class++
		case ']':
			class = max(0, class-1)
		case '(':
			if class > 0 {
				continue
			}
			next := string(in[i+1 : min(len(in), i+4)])
			if !strings.HasPrefix(next, "?") || strings.HasPrefix(next, "?<") && next != "?<=" && next != "?<!" {
				n++
			}
		}
	}
	return n
}

// alternatives translates up to the end or a closing parenthesis.
func (t *regexTranslator) alternatives(out *strings.Builder, depth int) {
	const deepest = 1000
	dotAll, multi, comments := t.dotAll, t.multi, t.comments
	for t.at < len(t.in) && t.in[t.at] != ')' && depth < deepest {
		if t.in[t.at] == '|' {
			out.WriteByte('|')
			t.at++
			continue
		}
		var atom strings.Builder
		t.atom(&atom, depth)
		out.WriteString(t.quantified(atom.String()))
	}
	t.dotAll, t.multi, t.comments = dotAll, multi, comments || depth == 0 && t.comments
}

// quantified adds the quantifier that follows; a possessive one becomes an atomic group.
func (t *regexTranslator) quantified(atom string) string {
	start := t.at
	if t.at >= len(t.in) || atom == "" {
		return atom
	}
	switch c := t.in[t.at]; {
	case c == '*' || c == '+' || c == '?':
		t.at++
	case c == '{':
		t.counted()
	default:
		return atom
	}
	quantifier := string(t.in[start:t.at])
	if t.at < len(t.in) {
		switch t.in[t.at] {
		case '?':
			t.at++
			return atom + quantifier + "?"
		case '+':
			t.at++
			return "(?>" + atom + quantifier + ")"
		}
	}
	return atom + quantifier
}

// counted reads {n}, {n,} or {n,m}.
func (t *regexTranslator) counted() {
	t.at++
	number := func() int {
		n := 0
		for ; t.at < len(t.in) && t.in[t.at] >= '0' && t.in[t.at] <= '9'; t.at++ {
			if n = n*10 + int(t.in[t.at]-'0'); n > math.MaxInt32 {
				t.fail(t.at, "Illegal repetition range")
				n = 0
			}
		}
		return n
	}
	from := t.at
	low := number()
	if t.at == from {
		t.fail(t.at, "Illegal repetition")
		return
	}
	if t.at < len(t.in) && t.in[t.at] == ',' {
		t.at++
		from = t.at
		if high := number(); t.at > from && high < low {
			t.fail(t.at, "Illegal repetition range")
		}
	}
	if t.at >= len(t.in) || t.in[t.at] != '}' {
		t.fail(t.at, "Unclosed counted closure")
		return
	}
	t.at++
}

// atom translates one element.
func (t *regexTranslator) atom(out *strings.Builder, depth int) {
	c := t.in[t.at]
	switch {
	case c == '(':
		t.group(out, depth)
	case c == '[':
		t.at++
		out.WriteString(t.class(depth))
	case c == '\\':
		out.WriteString(t.escape(false))
	case c == '.' && !t.dotAll:
		t.at++
		out.WriteString("[^" + javaLineEnd + "]")
	case c == '.':
		t.at++
		out.WriteString(anyCharacter)
	case c == '$' && !t.multi:
		t.at++
		out.WriteString(`(?=(?:\r\n|[` + javaLineEnd + `])?\z)`)
	case c == '#' && t.comments:
		for t.at < len(t.in) && t.in[t.at] != '\n' {
			t.at++
		}
	case c == ' ' && t.comments:
		t.at++
	case c == '*' || c == '+' || c == '?':
		t.fail(t.at, "Dangling meta character '"+string(c)+"'")
		t.at++
	case c == '{':
		t.counted()
	case c == ']' || c == '}':
		out.WriteString(`\` + string(c))
		t.at++
	default:
		out.WriteRune(c)
		t.at++
	}
}

// group translates a group with its contents.
func (t *regexTranslator) group(out *strings.Builder, depth int) {
	rest := string(t.in[t.at:min(len(t.in), t.at+4)])
	switch {
	case strings.HasPrefix(rest, "(?<") && rest != "(?<=" && rest != "(?<!":
		end := t.at + 3
		for end < len(t.in) && t.in[end] < 0x80 && isAlnum(byte(t.in[end])) {
			end++
		}
		name := string(t.in[t.at+3 : end])
		_, twice := t.names[name]
		switch {
		case name == "" || name[0] <= '9':
			t.fail(t.at+3, "capturing group name does not start with a Latin letter")
		case end == len(t.in) || t.in[end] != '>':
			t.fail(end, "named capturing group is missing trailing '>'")
		case twice:
			t.fail(end, "Named capturing group <"+name+"> is already defined")
		}
		t.groups++
		t.names[name] = t.groups
		out.WriteByte('(')
		t.at = min(end+1, len(t.in))
	case strings.HasPrefix(rest, "(?") && (len(rest) == 2 || strings.IndexByte(":=!><", rest[2]) < 0):
		if !t.flags(out) {
			return
		}
	case strings.HasPrefix(rest, "(?"):
		n := 3
		if strings.HasPrefix(rest, "(?<") {
			n = 4
		}
		n = min(n, len(t.in)-t.at)
		out.WriteString(string(t.in[t.at : t.at+n]))
		t.at += n
	default:
		t.groups++
		out.WriteByte('(')
		t.at++
	}
	t.alternatives(out, depth+1)
	if t.at >= len(t.in) {
		t.fail(t.at, "Unclosed group")
		return
	}
	out.WriteByte(')')
	t.at++
}

// flags translates (?i) and (?i:; it reports whether a group follows. Flags that the
// engine does not know are dropped; s, m and x are what the translation itself heeds.
func (t *regexTranslator) flags(out *strings.Builder) bool {
	t.at += 2
	on, kept := true, ""
	for ; t.at < len(t.in) && t.in[t.at] != ')' && t.in[t.at] != ':'; t.at++ {
		switch t.in[t.at] {
		case '-':
			on = false
			kept += "-"
		case 'i':
			kept += "i"
		case 's':
			t.dotAll = on
		case 'm':
			t.multi = on
			kept += "m"
		case 'x':
			t.comments = on
		case 'd', 'u', 'c', 'U':
		default:
			t.fail(t.at, "Unknown inline modifier")
		}
	}
	kept = strings.TrimSuffix(kept, "-")
	if t.at >= len(t.in) {
		t.fail(t.at, "Unknown inline modifier")
		return false
	}
	if t.in[t.at] == ':' {
		t.at++
		out.WriteString("(?" + kept + ":")
		return true
	}
	t.at++
	if kept != "" {
		out.WriteString("(?" + kept + ")")
	}
	return false
}

// escape translates a backslash and what follows; inClass tells that it stands in brackets.
func (t *regexTranslator) escape(inClass bool) string {
	if t.at+1 >= len(t.in) {
		t.at++
		if !inClass {
			t.fail(t.at, "Unexpected internal error")
		}
		return ""
	}
	c := t.in[t.at+1]
	t.at += 2
	set := func(chars string) string {
		if inClass {
			return chars
		}
		return "[" + chars + "]"
	}
	not := func(chars string) string { return "[^" + chars + "]" }
	switch c {
	case 'Q':
		from := t.at
		for t.at < len(t.in) && !(t.in[t.at] == '\\' && t.at+1 < len(t.in) && t.in[t.at+1] == 'E') {
			t.at++
		}
		quoted := regexp2.Escape(string(t.in[from:t.at]))
		t.at = min(t.at+2, len(t.in))
		if inClass || quoted == "" {
			return strings.ReplaceAll(quoted, "]", `\]`)
		}
		return "(?:" + quoted + ")"
	case 'd':
		return set(javaDigits)
	case 'w':
		return set(javaWords)
	case 's':
		return set(javaSpaces)
	case 'h':
		return set(javaBlanks)
	case 'v':
		return set(javaVertical)
	case 'D':
		return not(javaDigits)
	case 'W':
		return not(javaWords)
	case 'S':
		return not(javaSpaces)
	case 'H':
		return not(javaBlanks)
	case 'V':
		return not(javaVertical)
	case 'R':
		return `(?>\r\n|[` + javaVertical + `])`
	case 'X':
		return `(?>\P{M}\p{M}*)`
	case 'Z':
		return `(?=(?:\r\n|[` + javaLineEnd + `])?\z)`
	case 'p', 'P':
		return t.property(c == 'P', inClass)
	case 'k':
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
	case 'x':
		if t.at < len(t.in) && t.in[t.at] == '{' {
			if end := t.index('}'); end > 0 && end-t.at <= 5 {
				hex := string(t.in[t.at+1 : end])
				t.at = end + 1
				return `\u` + strings.Repeat("0", 4-len(hex)) + hex
			}
		}
		return `\x`
	case '0':
		from := t.at
		for t.at < len(t.in) && t.at < from+3 && t.in[t.at] >= '0' && t.in[t.at] <= '7' {
			t.at++
		}
		return `\0` + string(t.in[from:t.at])
	}
	if c >= '1' && c <= '9' && !inClass {
		n := int(c - '0')
		for t.at < len(t.in) && digitValue(t.in[t.at]) >= 0 && n*10+digitValue(t.in[t.at]) <= t.groups {
			n = n*10 + digitValue(t.in[t.at])
			t.at++
		}
		return t.backReference(n)
	}
	if c < 0x80 && isAlnum(byte(c)) && strings.IndexRune("ABGNXZabcefnrtuxz", c) < 0 {
		t.fail(t.at-1, "Illegal/unsupported escape sequence")
	}
	return `\` + string(c)
}

func (t *regexTranslator) backReference(n int) string {
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

// checkRange looks at what follows a character of a class that may begin a range.
func (t *regexTranslator) checkRange(low rune) {
	if t.at >= len(t.in) || t.in[t.at] != '-' {
		return
	}
	if t.at+1 == len(t.in) {
		t.fail(t.at+1, "Illegal character range")
		return
	}
	switch high := t.in[t.at+1]; {
	case high == ']' || high == '[':
	case high == '\\':
		if t.at+2 < len(t.in) && strings.ContainsRune("dDwWsShHvVpP", t.in[t.at+2]) {
			t.fail(t.at+2, "Illegal character range")
		}
	case high < low:
		t.fail(t.at+1, "Illegal character range")
	}
}

// index is the place of the next such character, -1 if there is none.
func (t *regexTranslator) index(c rune) int {
	for i := t.at; i < len(t.in); i++ {
		if t.in[i] == c {
			return i
		}
	}
	return -1
}

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
	chars, known := posixClasses[name]
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
		place := len(t.in) - 1
		if t.in[place] == '\\' {
			place++
		}
		t.fail(place, "Unclosed character class")
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
