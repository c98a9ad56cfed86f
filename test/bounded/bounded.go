// Package bounded checks that a decoder allocates in proportion to its input
// (I-3), for fuzz targets and tests with hostile input.
//
// It imports the standard library only.
package bounded

import (
	"runtime"
	"testing"
)

// Factor is how many bytes a decoder may allocate for each byte of its input.
const Factor = 10

// slackBytes is what may be allocated whatever the input: an error and its text, the first
// growth of a buffer, and what the runtime and the fuzzing engine do meanwhile.
const slackBytes = 64 << 10

// Allocation runs do and fails when it allocated more than Factor times inputBytes in all.
// What another goroutine allocated meanwhile counts too, so a failure must repeat.
func Allocation(t testing.TB, inputBytes int, do func()) {
	t.Helper()
	limit := uint64(Factor*inputBytes + slackBytes)
	var got uint64
	for range 3 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		do()
		runtime.ReadMemStats(&after)
		if got = after.TotalAlloc - before.TotalAlloc; got <= limit {
			return
		}
	}
	t.Fatalf("%d bytes of input made it allocate %d bytes; the limit is %d", inputBytes, got, limit)
}
