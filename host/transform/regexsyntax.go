package transform

import (
	"math"
	"strconv"
	"strings"
)

// regexTranslator rewrites Java's syntax into the engine's, which is that of
// .NET: where both have a construct it stays, where the same letters mean something
// else they are spelled out. It finds the usual mistakes itself, to tell them in Java's words.
type regexTranslator struct {
	text     string // as it was written
	in       []rune // without quotations
	at       int
	groups   int
	total    int
	names    map[string]int
	dotAll   bool
	multi    bool
	comments bool
	flagged  bool   // what was read last is flags, which no quantifier can follow
	single   bool   // what was read last is one character
	endless  bool   // something has no greatest length that Java's compiler finds
	unicode  bool   // classes are those of Unicode
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
	message += "\n" + t.text
	if t.place >= 0 && t.place < utf16Len(t.text) {
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

// escapedClasses are the contents of \d and its like.
var escapedClasses = map[rune]string{
	'd': javaDigits, 'w': javaWords, 's': javaSpaces, 'h': javaBlanks, 'v': javaVertical,
	'D': "^" + javaDigits, 'W': "^" + javaWords, 'S': "^" + javaSpaces, 'H': "^" + javaBlanks, 'V': "^" + javaVertical,
}

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
	} else if t.at > len(t.in) { // a backslash at the end took what stands behind the text
		t.fail(t.at-1, "Unexpected internal error")
	}
	return out.String()
}

// countGroups counts capturing groups.
func countGroups(in []rune) int {
	n, class := 0, 0
	for i := 0; i < len(in); i++ {
		switch in[i] {
		case '\\':
			i++
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
	dotAll, multi, comments, unicode := t.dotAll, t.multi, t.comments, t.unicode
	for t.at < len(t.in) && t.in[t.at] != ')' && depth < deepest {
		if t.in[t.at] == '|' {
			out.WriteByte('|')
			t.at++
			continue
		}
		var atom strings.Builder
		t.flagged, t.single = false, t.isSingle()
		t.atom(&atom, depth)
		if t.flagged {
			out.WriteString(atom.String())
			continue
		}
		out.WriteString(t.quantified(atom.String()))
	}
	t.dotAll, t.multi, t.comments, t.unicode = dotAll, multi, comments || depth == 0 && t.comments, unicode
}

// quantified adds the quantifier that follows; a possessive one becomes an atomic group.
func (t *regexTranslator) quantified(atom string) string {
	start, endless, single := t.at, t.endless, t.single
	if t.at >= len(t.in) || atom == "" {
		return atom
	}
	switch t.in[t.at] {
	case '*', '+', '?':
		t.endless = t.endless || t.in[t.at] != '?'
		t.at++
	case '{':
		t.counted()
		t.endless = t.endless || strings.HasSuffix(string(t.in[start:min(t.at, len(t.in))]), ",}")
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
	if single {
		t.endless = endless
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
	case c == '{': // a quantifier of nothing
		out.WriteString("(?:)")
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
	endless := t.endless
	t.endless = false
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
			t.flagged, t.endless = true, endless
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
	if t.endless && (rest == "(?<=" || rest == "(?<!") {
		t.fail(t.at-1, "Look-behind group does not have an obvious maximum length")
	}
	if looks := len(rest) > 2 && strings.HasPrefix(rest, "(?") && (strings.IndexByte("=!", rest[2]) >= 0 || rest == "(?<=" || rest == "(?<!"); looks {
		t.endless = endless
	} else {
		t.endless = t.endless || endless
	}
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
		case 'U':
			t.unicode = on
		case 'd', 'u', 'c':
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
		t.at += 2
		return ""
	}
	c := t.in[t.at+1]
	t.at += 2
	if class, ok := t.escapedClass(c); ok {
		if inClass && !strings.HasPrefix(class, "^") {
			return class
		}
		return "[" + class + "]"
	}
	switch c {
	case 'A', 'B', 'G', 'R', 'X', 'Z', 'b', 'k', 'z', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		if inClass {
			t.fail(t.at-1, noEscape)
			return ""
		}
	}
	switch c {
	case 'R':
		return `(?>\r\n|[` + javaVertical + `])`
	case 'X':
		t.endless = true
		return `(?>\P{M}\p{M}*)`
	case 'Z':
		return `(?=(?:\r\n|[` + javaLineEnd + `])?\z)`
	case 'p', 'P':
		return t.property(c == 'P', inClass)
	case 'k':
		return t.namedReference()
	case '0', 'N', 'c', 'u', 'x':
		return literal(t.escapedCharacter(c))
	}
	if c >= '1' && c <= '9' {
		n := int(c - '0')
		for t.at < len(t.in) && digitValue(t.in[t.at]) >= 0 && n*10+digitValue(t.in[t.at]) <= t.groups {
			n = n*10 + digitValue(t.in[t.at])
			t.at++
		}
		return t.backReference(n)
	}
	if c < 0x80 && isAlnum(byte(c)) && !strings.ContainsRune("ABGZabefnrtz", c) {
		t.fail(t.at-1, noEscape)
	}
	return `\` + string(c)
}

const noEscape = "Illegal/unsupported escape sequence"

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
