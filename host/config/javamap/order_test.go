package javamap

import (
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// What is expected here was printed by Java 25.
func TestHashIsThatOfJava(t *testing.T) {
	for text, want := range map[string]int32{"": 0, "a": 97, "hello": 99162322, "polygenelubricants": -2147483648, "grüße": 98768023, "😀": 1772899} {
		require.Equal(t, want, int32(hash(text)), text)
	}
}

func TestOrderIsByBucketAndThenByInsertion(t *testing.T) {
	require.Equal(t, []string{"z", "position"}, Order([]string{"position", "z"})) // recorded from Kafka Connect
	require.Equal(t, []string{"Aa", "BB"}, Order([]string{"Aa", "BB"}), "one hash")
	require.Equal(t, []string{"BB", "Aa"}, Order([]string{"BB", "Aa"}))
	require.Equal(t, []string{"a", "q"}, Order([]string{"a", "q"}), "one bucket of 16")
	require.Equal(t, []string{"q", "a"}, Order([]string{"q", "a"}))
	require.Equal(t, []string{"grüße", "😀", "z", "position"}, Order([]string{"position", "z", "😀", "grüße"}))
	require.Equal(t, []int{2, 1}, OrderBy(1, []int{1, 2}, func(n int) string { return []string{"", "b", "d"}[n] }), "of 4 buckets")
}

func TestAMapThatGrewHasMoreBuckets(t *testing.T) {
	var keys []string
	for i := range 12 {
		keys = append(keys, strconv.Itoa(i))
	}
	before := slices.Clone(keys)
	require.Equal(t, []string{"0", "11", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10"}, Order(keys))
	require.Equal(t, before, keys, "the argument stays as it is")
	require.Equal(t, []string{"11", "a", "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10"}, Order(append(keys, "a")))
}
