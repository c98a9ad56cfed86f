package demo

import (
	"fmt"
	"strings"
	"time"
)

// meter turns counters into a line for people. Its rates are those of the last second or so.
type meter struct {
	input     content
	last      time.Time
	in, out   uint64
	inPerSec  float64
	outPerSec float64
	began     time.Time
	written   int64 // at the beginning
	started   bool
}

func newMeter(input content, now time.Time) *meter {
	return &meter{input: input, last: now, began: now}
}

// line takes the counters and the size of the other file.
func (m *meter) line(now time.Time, in, out uint64, written int64) string {
	if !m.started {
		m.started, m.written = true, written
	}
	if seconds := now.Sub(m.last).Seconds(); seconds > 0 {
		m.inPerSec = blend(m.inPerSec, float64(in-min(m.in, in))/seconds)
		m.outPerSec = blend(m.outPerSec, float64(out-min(m.out, out))/seconds)
	}
	m.last, m.in, m.out = now, in, out
	share := min(float64(written)/float64(m.input.expected()), 1)
	left := "?"
	if moved := written - m.written; share == 1 {
		left = "0 s"
	} else if moved > 0 {
		perByte := now.Sub(m.began).Seconds() / float64(moved)
		left = fmt.Sprintf("%.0f s", perByte*float64(max(m.input.expected()-written, 0)))
	}
	const width = 24
	done := int(share * width)
	return fmt.Sprintf("  [%s%s] %3.0f%%  in %s/s  out %s/s  lag %s  left %s",
		strings.Repeat("#", done), strings.Repeat(".", width-done), share*100, count(m.inPerSec), count(m.outPerSec), count(float64(in-min(in, out))), left)
}

// blend smooths a rate.
func blend(old, now float64) float64 {
	if old == 0 {
		return now
	}
	return old*0.4 + now*0.6
}

// count is a number of records in three digits.
func count(n float64) string {
	switch {
	case n >= 1e6:
		return fmt.Sprintf("%.2fM", n/1e6)
	case n >= 1e4:
		return fmt.Sprintf("%.0fk", n/1e3)
	}
	return fmt.Sprintf("%.0f", n)
}

func size(bytes int64) string {
	switch {
	case bytes >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20))
	case bytes >= 1<<10:
		return fmt.Sprintf("%.1f KiB", float64(bytes)/(1<<10))
	}
	return fmt.Sprintf("%d bytes", bytes)
}
