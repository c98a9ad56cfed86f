package plugin

import (
	"math"
	"time"
)

// Backoff decides when a process that died is started again. It is a pure function of what happened: the caller keeps
// the state and the clock.
type Backoff struct {
	// First is the delay of the second restart in a row; the first one is immediate (I-10: within a second).
	First time.Duration
	// Max bounds the delay.
	Max time.Duration
	// Factor multiplies the delay from one restart to the next.
	Factor float64
	// Jitter is the part of the delay that is random, from 0 to 1: delays of many connectors must not fall together.
	Jitter float64
	// StableAfter is the running time after which earlier deaths are forgotten.
	StableAfter time.Duration
}

// DefaultBackoff restarts at once, then about 0.25 s, 0.5 s, 1 s … 60 s.
var DefaultBackoff = Backoff{
	First: 250 * time.Millisecond, Max: time.Minute, Factor: 2, Jitter: 0.2, StableAfter: 5 * time.Second,
}

// Restarts is the history that Next needs. The zero value is a process that never died.
type Restarts struct {
	// InRow counts the restarts without a stable run between them.
	InRow int
}

// Next takes the history before a death, how long the process had run, and a random number in [0, 1). It returns how
// long to wait before the start and the history after it.
func (b Backoff) Next(history Restarts, ran time.Duration, random float64) (time.Duration, Restarts) {
	if ran >= b.StableAfter {
		history = Restarts{}
	}
	next := Restarts{InRow: history.InRow + 1}
	if history.InRow == 0 {
		return 0, next
	}
	delay := float64(b.First) * math.Pow(b.Factor, float64(history.InRow-1))
	delay = min(delay, float64(b.Max))
	delay *= 1 - b.Jitter*random
	return time.Duration(delay), next
}
