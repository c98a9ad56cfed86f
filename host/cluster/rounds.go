package cluster

import "time"

// Rounds is the account of the rounds (rebalances) in which this member took part.
type Rounds struct {
	// Began is when the round under way began; zero between rounds.
	Began time.Time
	// Completed counts the rounds after which this member had started its part; the last one ended at Last.
	Completed uint64
	Last      time.Time
	// Longest and Total are times from the beginning of a round to the start of this member's part.
	Longest, Total time.Duration
}

func (r *Rounds) begin(now time.Time) {
	if r.Began.IsZero() {
		r.Began = now
	}
}

func (r *Rounds) complete(now time.Time) {
	if r.Began.IsZero() {
		return
	}
	took := now.Sub(r.Began)
	r.Began, r.Last = time.Time{}, now
	r.Completed++
	r.Total += took
	r.Longest = max(r.Longest, took)
}

// Rounds tells how many rounds there were and how long they took.
func (m *Member) Rounds() Rounds {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.rounds
}

func (m *Member) note(event func(*Rounds, time.Time)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	event(&m.rounds, time.Now())
}
