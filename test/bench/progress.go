package main

import (
	"fmt"
	"os"
	"time"
)

// progress tells on standard error what runs. On a terminal the line is rewritten while records arrive.
type progress struct {
	terminal bool
	step     int
	steps    int
	what     string
	want     int64
	started  time.Time
	shown    time.Time
}

func newProgress(steps int) progress {
	info, err := os.Stderr.Stat()
	return progress{terminal: err == nil && info.Mode()&os.ModeCharDevice != 0, steps: steps}
}

func (p *progress) begin(what string, want int64) {
	p.step++
	p.what, p.want, p.started = what, want, time.Now()
	fmt.Fprintf(os.Stderr, "[%d/%d] %s …", p.step, p.steps, what)
}

func (p *progress) at(n int64) {
	if !p.terminal || time.Since(p.shown) < 250*time.Millisecond {
		return
	}
	p.shown = time.Now()
	fmt.Fprintf(os.Stderr, "\r\x1b[K[%d/%d] %s: %d of %d records", p.step, p.steps, p.what, n, p.want)
}

func (p *progress) done(f figures) {
	if p.terminal {
		fmt.Fprintf(os.Stderr, "\r\x1b[K[%d/%d] %s:", p.step, p.steps, p.what)
	}
	fmt.Fprintf(os.Stderr, " %.0fk records/s, %.2f µs/record\n", f.rate()/1000, f.cpuMicros())
}
