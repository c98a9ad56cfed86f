package task

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"
)

// Records keep their bytes while others follow, and only the record that outgrows a buffer is ever copied with those before it.
func TestConvertedRecordsKeepTheirBytesInBuffersOfABoundedSize(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sizes := rapid.SliceOfN(rapid.OneOf(rapid.IntRange(0, 3000), rapid.IntRange(0, largeBufferBytes/2)), 0, 60).Draw(t, "sizes")
		cost := rapid.Int64Range(0, 2*largeBufferBytes).Draw(t, "cost")
		var c convertedBytes
		var dst []byte
		var records [][]byte
		for i, size := range sizes {
			dst = c.room(dst, cost)
			from := len(dst)
			dst = append(dst, bytes.Repeat([]byte{byte(i)}, size)...)
			c.note(size)
			records = append(records, dst[from:])
			if limit := 3 * largeBufferBytes; cap(dst) > limit {
				t.Fatalf("a buffer has %d bytes", cap(dst))
			}
		}
		c.keep(dst)
		for i, r := range records {
			if len(r) != sizes[i] || bytes.Count(r, []byte{byte(i)}) != sizes[i] {
				t.Fatalf("record %d of %d bytes was overwritten", i, sizes[i])
			}
		}
		c.release()
	})
}
