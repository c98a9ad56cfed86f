package main

import (
	"fmt"
	"time"
)

// meter turns counts into a line for people.
type meter struct {
	total   int
	began   time.Time
	samples []sample // of the last seconds
}

type sample struct {
	at      time.Time
	written int
}

// rateWindow is the time that the rate is taken over.
const rateWindow = 5 * time.Second

func newMeter(total int, began time.Time) *meter {
	return &meter{total: total, began: began, samples: []sample{{began, 0}}}
}

// line says how far it is. Times go forward.
func (m *meter) line(now time.Time, read, written int) string {
	m.samples = append(m.samples, sample{now, written})
	for len(m.samples) > 2 && now.Sub(m.samples[1].at) > rateWindow {
		m.samples = m.samples[1:]
	}
	first := m.samples[0]
	rate := 0.0
	if span := now.Sub(first.at).Seconds(); span > 0 {
		rate = float64(written-first.written) / span
	}
	left := "?"
	if rate > 0 {
		left = (time.Duration(float64(max(m.total-written, 0))/rate) * time.Second).String()
	}
	return fmt.Sprintf("  %6.1f s  %3d %%  read %d, in the index %d of %d  %6.0f/s  %s left",
		now.Sub(m.began).Seconds(), 100*written/max(m.total, 1), read, written, m.total, rate, left)
}

// show writes a line over the one before, on a terminal.
func (d *demo) show(line string, last bool) {
	switch {
	case !d.terminal:
		fmt.Fprintln(d.out, line)
	case last:
		fmt.Fprintf(d.out, "\r\x1b[K%s\n", line)
	default:
		fmt.Fprintf(d.out, "\r\x1b[K%s", line)
	}
}
