package transform

import (
	"slices"
	"strings"
	"unicode/utf16"
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

func itself(s string) string { return s }

// javaHash is String.hashCode.
func javaHash(s string) uint32 {
	var h uint32
	for _, unit := range utf16.Encode([]rune(s)) {
		h = 31*h + uint32(unit)
	}
	return h
}

// javaOrder gives items in the order in which a HashMap with their names as keys
// yields them. It decides which of several errors comes first.
func javaOrder[T any](items []T, name func(T) string) []T { return javaOrderFrom(16, items, name) }

// javaOrderFrom is javaOrder for a HashMap of an initial capacity, a power of two.
func javaOrderFrom[T any](capacity int, items []T, name func(T) string) []T {
	for len(items) > capacity*3/4 {
		capacity *= 2
	}
	bucket := func(item T) int {
		h := javaHash(name(item))
		return int((h ^ h>>16) & uint32(capacity-1))
	}
	out := slices.Clone(items)
	slices.SortStableFunc(out, func(a, b T) int { return bucket(a) - bucket(b) })
	return out
}
