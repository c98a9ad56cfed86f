package convert

import (
	"encoding/base64"
	"strings"
	"time"

	"github.com/tailrace/tailrace/sdk/go/data"
)

// simpleHeaderConverter writes values as text that tells their type, and guesses
// the type of text that it reads (reference section 6.4).
type simpleHeaderConverter struct{}

func (*simpleHeaderConverter) FromHeader(dst []byte, _, _ string, s *data.Schema, wire []byte) (out, after []byte, err error) {
	k, body, err := open(s, wire)
	if err != nil {
		return nil, dst, err
	}
	switch k {
	case kindNull:
		return nil, dst, nil
	case kindString:
		text, _, err := data.ReadBytes(body)
		if err != nil {
			return nil, dst, malformed(s, err)
		}
		return text, dst, nil
	}
	v, _, err := data.ReadValue(s, wire)
	if err != nil {
		return nil, dst, malformed(s, err)
	}
	start := len(dst)
	dst = appendHeaderText(dst, v, false)
	return dst[start:len(dst):len(dst)], dst, nil
}

// appendHeaderText writes a value as org.apache.kafka.connect.data.Values does.
func appendHeaderText(dst []byte, v any, embedded bool) []byte {
	switch v := v.(type) {
	case string:
		if !embedded {
			return append(dst, v...)
		}
		v = strings.ReplaceAll(strings.ReplaceAll(v, `\`, `\\`), `"`, `\"`)
		return append(append(append(dst, '"'), v...), '"')
	case []byte:
		if !embedded {
			return base64.StdEncoding.AppendEncode(dst, v)
		}
		return append(base64.StdEncoding.AppendEncode(append(dst, '"'), v), '"')
	case time.Time:
		return v.UTC().AppendFormat(dst, temporalLayout(v))
	case []any:
		dst = append(dst, '[')
		for i, e := range v {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendHeaderText(dst, e, true)
		}
		return append(dst, ']')
	case *data.Map:
		dst = append(dst, '{')
		for i, e := range v.Entries() {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(appendHeaderText(dst, e.Key, true), ':')
			dst = appendHeaderText(dst, e.Value, true)
		}
		return append(dst, '}')
	case *data.Struct:
		dst = append(dst, '{')
		for i, f := range v.Schema().Fields() {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(appendHeaderText(dst, f.Name, true), ':')
			dst = appendHeaderText(dst, v.At(i), true)
		}
		return append(dst, '}')
	}
	return data.AppendJavaText(dst, v)
}

// The texts of times; Java chooses by the value, not by its type.
const (
	dateLayout      = "2006-01-02"
	timeLayout      = "15:04:05.000Z"
	timestampLayout = "2006-01-02T15:04:05.000Z"
)

func temporalLayout(t time.Time) string {
	switch millis := t.UnixMilli(); {
	case millis < millisPerDay:
		return timeLayout
	case millis%millisPerDay == 0:
		return dateLayout
	}
	return timestampLayout
}

func (*simpleHeaderConverter) ToHeader(dst []byte, _, _ string, kafka []byte) (schema *data.Schema, after []byte, err error) {
	if kafka == nil {
		return nil, dst, nil
	}
	text := string(repairUTF8(kafka))
	if text == "" {
		return data.StringSchema, data.AppendString(dst, ""), nil
	}
	p := valueParser{text: text}
	v, ok := p.parse(false, 0)
	if !ok {
		v = &typedValue{data.StringSchema, text} // brackets that do not match
	}
	if v == nil {
		if trim(text) == "null" {
			return nil, dst, nil
		}
		v = &typedValue{data.StringSchema, text}
	}
	after, err = data.AppendValue(dst, v.schema, v.value)
	if err != nil { // a value that the wire cannot hold is text
		return data.StringSchema, data.AppendString(dst, text), nil //nolint:nilerr // not lost, only untyped
	}
	return v.schema, after, nil
}

// repairUTF8 puts U+FFFD in place of what is not UTF-8, as Java's decoder does:
// one for each longest beginning of a character.
func repairUTF8(b []byte) []byte {
	i := firstInvalid(b)
	if i < 0 {
		return b
	}
	out := append(make([]byte, 0, len(b)+8), b[:i]...)
	for b = b[i:]; len(b) > 0; {
		n := brokenLen(b)
		out = append(out, "\uFFFD"...)
		b = b[n:]
		next := firstInvalid(b)
		if next < 0 {
			next = len(b)
		}
		out = append(out, b[:next]...)
		b = b[next:]
	}
	return out
}

// brokenLen is how many bytes of a broken character belong together.
func brokenLen(b []byte) int {
	continues := func(i int, low, high byte) bool { return i < len(b) && b[i] >= low && b[i] <= high }
	c := b[0]
	low, high := byte(0x80), byte(0xbf)
	switch c {
	case 0xe0:
		low = 0xa0
	case 0xed:
		high = 0x9f
	case 0xf0:
		low = 0x90
	case 0xf4:
		high = 0x8f
	}
	switch {
	case c >= 0xe0 && c <= 0xef && continues(1, low, high):
		return 2
	case c >= 0xf0 && c <= 0xf4 && continues(1, low, high):
		if continues(2, 0x80, 0xbf) {
			return 3
		}
		return 2
	}
	return 1
}

func isBlank(s string) bool { return strings.TrimFunc(s, isJavaSpace) == "" }

func isJavaSpace(r rune) bool { return r <= ' ' }

// trim is Java's String.trim.
func trim(s string) string { return strings.TrimFunc(s, isJavaSpace) }

var delimiters = [256]bool{':': true, ',': true, '{': true, '}': true, '[': true, ']': true, '"': true}

// tokens splits text at delimiters that no backslash escapes.
type tokens struct {
	text string
	pos  int
	next string // peeked, "" for none
}

func (t *tokens) has() bool { return t.next != "" || t.pos < len(t.text) }

func (t *tokens) read() string {
	start, escaped := t.pos, false
	for ; t.pos < len(t.text); t.pos++ {
		switch c := t.text[t.pos]; {
		case c == '\\':
			escaped = !escaped
			continue
		case delimiters[c] && !escaped:
			if t.pos == start {
				t.pos++
			}
			return t.text[start:t.pos]
		}
		escaped = false
	}
	return t.text[start:t.pos]
}

func (t *tokens) take() string {
	if t.next != "" {
		token := t.next
		t.next = ""
		return token
	}
	return t.read()
}

// consume takes the next token if it is the one expected, blanks before it too.
func (t *tokens) consume(want string) bool {
	if t.next == "" {
		if t.pos >= len(t.text) {
			return false
		}
		t.next = t.read()
	}
	for isBlank(t.next) && t.pos < len(t.text) {
		t.next = t.read()
	}
	if trim(t.next) != want {
		return false
	}
	t.next = ""
	return true
}

func (t *tokens) mark() int      { return t.pos - len(t.next) }
func (t *tokens) rewind(pos int) { t.pos, t.next = pos, "" }
