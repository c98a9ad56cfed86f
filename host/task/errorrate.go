package task

import "fmt"

// errorRate decides whether too many of the newest records are bad
// (errors.tolerance.max.rate). It is a value for one goroutine.
//
// Records are counted by their positions, which grow by one from record to record.
// A failure that is told late, such as one of Kafka, counts where it is told.
type errorRate struct {
	allowed int    // bad records among the newest that are tolerated
	window  uint64 // how many records are looked at, 0 for no limit
	newest  uint64
	bad     []uint64 // positions of bad records within the window, ascending
}

func newErrorRate(p ErrorPolicy) errorRate {
	if !p.TolerateAll || p.RateRecords <= 0 {
		return errorRate{}
	}
	return errorRate{allowed: int(p.MaxRate * float64(p.RateRecords)), window: uint64(p.RateRecords)}
}

// failed books the bad record at a position and reports whether that is one too many.
// Records before the first one count as good, so that a start with one bad record is no rate of 100 %.
func (e *errorRate) failed(position uint64) bool {
	if e.window == 0 {
		return false
	}
	e.newest = max(e.newest, position)
	gone := 0
	for gone < len(e.bad) && e.bad[gone]+e.window <= e.newest {
		gone++
	}
	e.bad = append(append(e.bad[:0], e.bad[gone:]...), e.newest)
	return len(e.bad) > e.allowed
}

// exceeded is the error that ends the task; last is the failure of the newest bad record.
func (e *errorRate) exceeded(last error) error {
	return &ErrorRateError{Bad: len(e.bad), Records: e.window, Allowed: e.allowed, Last: last}
}

// ErrorRateError ends a task whose records fail too often.
type ErrorRateError struct {
	// Bad of the last Records records failed; Allowed are tolerated.
	Bad, Allowed int
	Records      uint64
	Last         error
}

func (e *ErrorRateError) Error() string {
	return fmt.Sprintf("Tolerance exceeded in error handler: %d of the last %d records failed, and errors.tolerance.max.rate allows %d; "+
		"mend the cause, or raise the rate, and restart the task; the last failure: %v", e.Bad, e.Records, e.Allowed, e.Last)
}

// Unwrap is the last failure.
func (e *ErrorRateError) Unwrap() error { return e.Last }
