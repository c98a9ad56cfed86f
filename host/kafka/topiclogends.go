package kafka

import (
	"context"
	"slices"
	"time"
)

// endsTimeout bounds one question for the ends of a topic's partitions.
const endsTimeout = 30 * time.Second

// endsRound is one question for the ends of all partitions. done is closed when ends or err is set.
type endsRound struct {
	done chan struct{}
	ends map[int32]int64
	err  error
}

// latest gives the ends of the partitions as they are at the call or later. Calls that come while a question is on its way
// are answered by one more question: thousands of tasks that start at the same moment ask for their offsets.
func (l *TopicLog) latest(ctx context.Context) (map[int32]int64, error) {
	l.mu.Lock()
	if l.asked == nil {
		l.asked = &endsRound{done: make(chan struct{})}
		if !l.asking {
			l.asking = true
			go l.ask() //nolint:contextcheck // it serves other callers too
		}
	}
	round := l.asked
	l.mu.Unlock()
	select {
	case <-round.done:
		return round.ends, round.err
	case <-ctx.Done():
		return nil, newError("read end of topic", l.topic, context.Cause(ctx))
	}
}

// ask asks until nobody waits.
func (l *TopicLog) ask() {
	for {
		l.mu.Lock()
		round := l.asked
		l.asked = nil
		if round == nil {
			l.asking = false
			l.mu.Unlock()
			return
		}
		partitions := make([]int32, 0, len(l.positions))
		for p := range l.positions {
			partitions = append(partitions, p)
		}
		l.mu.Unlock()
		slices.Sort(partitions)
		ctx, cancel := context.WithTimeout(l.reading, endsTimeout)
		round.ends, round.err = l.ends(ctx, partitions, latestOffset)
		cancel()
		close(round.done)
	}
}
