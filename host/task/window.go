package task

import "time"

// windowSpan is one half of what a Window remembers: two of them are Kafka Connect's
// metrics.num.samples of metrics.sample.window.ms.
const windowSpan = 30 * time.Second

// Window is the account of a measure over the last half to whole minute: rate, average
// and largest value. It is a value: its owner notes, and readers get copies in a Snapshot.
type Window struct {
	current, before windowPart
}

type windowPart struct {
	began                time.Time
	count                uint64
	sum, least, greatest float64
}

// note takes one value, once per batch or commit and never per record.
func (w *Window) note(value float64, now time.Time) {
	if now.Sub(w.current.began) >= windowSpan {
		w.before, w.current = w.current, windowPart{began: now}
	}
	if w.current.count == 0 || value < w.current.least {
		w.current.least = value
	}
	w.current.count++
	w.current.sum += value
	w.current.greatest = max(w.current.greatest, value)
}

// noteTime takes a duration, in milliseconds as Kafka Connect shows it.
func (w *Window) noteTime(d time.Duration, now time.Time) {
	w.note(float64(d)/float64(time.Millisecond), now)
}

// at is what of the window still counts at a time.
func (w Window) at(now time.Time) windowPart {
	out := windowPart{began: now}
	for _, p := range []windowPart{w.before, w.current} {
		if p.began.IsZero() || now.Sub(p.began) >= 2*windowSpan {
			continue
		}
		if p.began.Before(out.began) {
			out.began = p.began
		}
		if p.count > 0 && (out.count == 0 || p.least < out.least) {
			out.least = p.least
		}
		out.count += p.count
		out.sum += p.sum
		out.greatest = max(out.greatest, p.greatest)
	}
	return out
}

// Average is the mean of the values; 0 when there was none.
func (w Window) Average(now time.Time) float64 {
	p := w.at(now)
	if p.count == 0 {
		return 0
	}
	return p.sum / float64(p.count)
}

// Min is the least value; 0 when there was none.
func (w Window) Min(now time.Time) float64 { return w.at(now).least }

// Max is the largest value; 0 when there was none.
func (w Window) Max(now time.Time) float64 { return w.at(now).greatest }

// CountPerSecond is how many values there were, by the time that they cover; see PerSecond.
func (w Window) CountPerSecond(now time.Time) float64 {
	p := w.at(now)
	return float64(p.count) / max(now.Sub(p.began), windowSpan).Seconds()
}

// PerSecond is the sum of the values by the time that they cover, at least half a minute
// so that the first values are no burst.
func (w Window) PerSecond(now time.Time) float64 {
	p := w.at(now)
	return p.sum / max(now.Sub(p.began), windowSpan).Seconds()
}
