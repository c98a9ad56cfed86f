package herder

import (
	"errors"
	"fmt"
	"time"
)

// Kind is what is wrong with a request; the edges translate it.
type Kind int

// The kinds of errors.
const (
	// Internal is a failure that the user cannot mend by another request.
	Internal Kind = iota
	// BadRequest: the request can never succeed as it is.
	BadRequest
	// NotFound: what it names does not exist.
	NotFound
	// Conflict: it exists already, or its state does not allow this now.
	Conflict
	// Forbidden: the worker's settings do not allow it.
	Forbidden
	// Unavailable: the worker cannot do it now, but may later.
	Unavailable
	// NotReady: the worker has not read enough yet to tell.
	NotReady
)

// Error is an answer of a Herder to a request that it cannot fulfil. Its text is for the user.
type Error struct {
	Kind    Kind
	Message string
	// RetryAfter is how long to wait before asking again; 0 when that will not help.
	RetryAfter time.Duration
}

func (e *Error) Error() string { return e.Message }

func failed(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Message: fmt.Sprintf(format, args...)}
}

// KindOf is the kind of an error; everything that is no *Error is Internal.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Internal
}

func notFound(connector string) *Error { return failed(NotFound, "Connector %s not found", connector) }
