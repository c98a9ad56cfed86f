package herder

import (
	"fmt"
	"sync"
	"time"
)

// stages knows what a worker waits for, so that a request which outlasts its time can say it.
type stages struct {
	mu   sync.Mutex
	open map[*stage]struct{}
	last stage // that ended last
}

type stage struct {
	what         string
	began, ended time.Time
}

// begin notes that something begins which may take its time; end notes its end.
func (s *stages) begin(what string) (end func()) {
	one := &stage{what: what, began: time.Now()}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == nil {
		s.open = map[*stage]struct{}{}
	}
	s.open[one] = struct{}{}
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.open, one)
		one.ended = time.Now()
		s.last = *one
	}
}

// String says what takes longest, or what was done last, in Kafka Connect's words.
func (s *stages) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var longest *stage
	for one := range s.open {
		if longest == nil || one.began.Before(longest.began) {
			longest = one
		}
	}
	at := func(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
	switch {
	case longest != nil:
		return fmt.Sprintf("The worker is currently %s, which began at %s", longest.what, at(longest.began))
	case s.last.what != "":
		return fmt.Sprintf("The last operation the worker completed was %s, which began at %s and completed at %s", s.last.what, at(s.last.began), at(s.last.ended))
	}
	return "The worker waits for nothing"
}
