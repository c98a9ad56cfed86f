package protobuf

import (
	"net/url"
	"strings"
)

// scrubbed is a name as protobuf takes it, if scrub.invalid.names asks for that.
func (o *options) scrubbed(name string) string {
	if !o.scrub || name == "" {
		return name
	}
	ok := name[0] != '_' && !isDigit(name[0])
	for i := range len(name) {
		ok = ok && isNameByte(name[i])
	}
	if ok {
		return name
	}
	// Java's URLEncoder leaves '*' and '-' and escapes '~'; all of them become '_' in the end.
	encoded := strings.ReplaceAll(url.QueryEscape(name), "~", "%7E")
	if isDigit(encoded[0]) || encoded[0] == '_' {
		encoded = "x" + encoded
	}
	b := []byte(encoded)
	for i, c := range b {
		if !isNameByte(c) {
			b[i] = '_'
		}
	}
	return string(b)
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isNameByte(c byte) bool {
	return c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || isDigit(c) || c == '_'
}

// split cuts a full name into package and name.
func (o *options) split(full string) (space, name string) {
	parts := strings.Split(full, ".")
	for i, p := range parts {
		parts[i] = o.scrubbed(p)
	}
	return strings.Join(parts[:len(parts)-1], "."), parts[len(parts)-1]
}

// mapEntry is the name of the message of a map's entries.
func mapEntry(name string) string {
	if strings.Contains(name, "_") {
		words := strings.Split(name, "_")
		for i, w := range words {
			if w != "" {
				words[i] = strings.ToUpper(w[:1]) + strings.ToLower(w[1:])
			}
		}
		name = strings.Join(words, "")
	}
	return name + entrySuffix
}

// mapField is the inverse of mapEntry, as far as there is one.
func mapField(full string) string {
	i := strings.LastIndexByte(full, '.') + 1
	name, ok := strings.CutSuffix(full[i:], entrySuffix)
	if !ok {
		return full
	}
	var b strings.Builder
	for j, r := range name {
		if r >= 'A' && r <= 'Z' && j > 0 {
			b.WriteByte('_')
		}
		b.WriteString(strings.ToLower(string(r)))
	}
	return full[:i] + b.String()
}
