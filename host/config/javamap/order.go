package javamap

import (
	"slices"
	"unicode/utf16"
)

// DefaultCapacity is that of a HashMap that is made without one.
const DefaultCapacity = 16

// Order gives keys as a HashMap that grew to them yields them: by bucket, and within a bucket in the order of insertion, which is
// that of the argument. Keys are unique.
func Order(keys []string) []string {
	return OrderBy(DefaultCapacity, keys, func(key string) string { return key })
}

// OrderBy is Order for items that have keys, in a HashMap of an initial capacity, a power of two.
func OrderBy[T any](capacity int, items []T, key func(T) string) []T {
	for len(items) > capacity*3/4 {
		capacity *= 2
	}
	bucket := func(item T) int {
		h := hash(key(item))
		return int((h ^ h>>16) & uint32(capacity-1))
	}
	out := slices.Clone(items)
	slices.SortStableFunc(out, func(a, b T) int { return bucket(a) - bucket(b) })
	return out
}

// hash is String.hashCode.
func hash(s string) uint32 {
	var h uint32
	for _, unit := range utf16.Encode([]rune(s)) {
		h = 31*h + uint32(unit)
	}
	return h
}
