package task

import (
	"fmt"
	"runtime/debug"
)

// panicError is a panic in a converter or transform. It fails the task whose record it was: all other tasks of the worker, and
// of the workers that would get this task next, go on. It is no RecordFailure, because nobody knows what state the step is in,
// so that errors.tolerance does not pass over it.
type panicError struct {
	value any
	where string // the first record of the batch
	stack string
}

func (e *panicError) Error() string {
	return fmt.Sprintf("a converter or transform panicked at a record of the batch that begins with %s: %v; this is a defect of Tailrace: report it with this trace, and change the record or the step until it is mended",
		e.where, e.value)
}

// guarded runs a step of the data path once for a batch and turns its panic into an error.
func guarded(where func() string, step func()) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &panicError{value: v, where: where(), stack: string(debug.Stack())}
		}
	}()
	step()
	return nil
}
