package jsonschema

import (
	"slices"
	"unicode/utf16"
)

// hashOrder gives keys, in the order of insertion, in the order in which a
// java.util.HashMap or HashSet iterates that grew as they were added.
func hashOrder(keys []string) []string {
	return bucketOrder(keys, grown(16, len(keys)))
}

// copyOrder is that of new HashMap<>(map), whose size is known before.
func copyOrder(keys []string) []string {
	capacity := 1
	for float32(capacity) < float32(len(keys))/0.75+1 {
		capacity *= 2
	}
	return bucketOrder(hashOrder(keys), capacity)
}

// objectOrder is that of org.json's new JSONObject(map), which sets the capacity to the number of keys.
func objectOrder(keys []string) []string {
	capacity := 1
	for capacity < len(keys) {
		capacity *= 2
	}
	return bucketOrder(hashOrder(keys), grown(capacity, len(keys)))
}

func grown(capacity, n int) int {
	for capacity*3/4 < n {
		capacity *= 2
	}
	return capacity
}

func bucketOrder(keys []string, capacity int) []string {
	type placed struct {
		key    string
		bucket uint32
	}
	list := make([]placed, len(keys))
	for i, key := range keys {
		h := javaHash(key)
		list[i] = placed{key, (h ^ h>>16) & uint32(capacity-1)}
	}
	slices.SortStableFunc(list, func(a, b placed) int { return int(a.bucket) - int(b.bucket) })
	out := make([]string, len(keys))
	for i, p := range list {
		out[i] = p.key
	}
	return out
}

// javaHash is String.hashCode.
func javaHash(s string) uint32 {
	var h uint32
	for _, u := range utf16.Encode([]rune(s)) {
		h = 31*h + uint32(u)
	}
	return h
}
