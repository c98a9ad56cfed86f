package transform

import (
	"slices"
	"strings"
)

// javaTrim is String.trim.
func javaTrim(s string) string {
	return strings.TrimFunc(s, func(r rune) bool { return r <= ' ' })
}

// splitColon is String.split(":"), which drops empty parts at the end.
func splitColon(s string) []string {
	parts := strings.Split(s, ":")
	if len(parts) == 1 {
		return parts
	}
	for len(parts) > 0 && parts[len(parts)-1] == "" {
		parts = parts[:len(parts)-1]
	}
	return parts
}

// distinct keeps the first of each name.
func distinct(names []string) []string {
	var out []string
	for _, n := range names {
		if !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out
}
