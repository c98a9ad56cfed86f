package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Error is a worker's refusal.
type Error struct {
	Server, Method, Path string
	// Status is that of HTTP.
	Status int
	// Message is the worker's own text.
	Message string
	// RetryAfter is how long the worker asks to wait; 0 when it says nothing.
	RetryAfter time.Duration
}

// Error says what was refused, and by whom.
func (e *Error) Error() string {
	return fmt.Sprintf("%s (%d from %s, %s %s)%s", strings.TrimRight(e.Message, "\n"), e.Status, e.Server, e.Method, e.Path, e.advice())
}

func (e *Error) advice() string {
	switch e.Status {
	case http.StatusUnauthorized:
		return "; give username and password_file, or token_file, in a context"
	case http.StatusConflict:
		if e.busy() {
			return "; the cluster is rebalancing: try again in a moment, or wait longer with --retry-for"
		}
	}
	return ""
}

// busy tells a conflict that passes (a rebalance) from one that stays.
func (e *Error) busy() bool {
	return e.Status == http.StatusConflict && !strings.Contains(e.Message, "already exists")
}

// retriable tells whether the same request may succeed later, and was certainly not carried out.
func (e *Error) retriable(method string) bool {
	switch e.Status {
	case http.StatusConflict:
		return e.busy()
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return true
	case http.StatusInternalServerError: // a timeout: it may have been carried out
		return e.RetryAfter > 0 && method == http.MethodGet
	}
	return false
}

// UnreachableError is a request without an answer.
type UnreachableError struct {
	Server string
	Reason error
}

// Error says where no answer came from, and what to look at.
func (e *UnreachableError) Error() string {
	return fmt.Sprintf("no answer from %s: %s; check that the worker runs, and the address (--server, TAILRACE_SERVER, or a context)", e.Server, e.Reason)
}

// Unwrap gives the reason.
func (e *UnreachableError) Unwrap() error { return e.Reason }

// unreachable turns what net/http says into an error for people. The end of the caller's context stays what it is.
func (c *Client) unreachable(caller, attempt context.Context, err error) error {
	if caller.Err() != nil {
		return caller.Err()
	}
	if attempt.Err() != nil {
		err = fmt.Errorf("not within %s", c.options.Timeout)
	}
	var at *url.Error
	if errors.As(err, &at) {
		err = at.Err // without method and URL
	}
	return &UnreachableError{Server: c.Server(), Reason: err}
}

// IsNotFound tells whether the worker does not know what the request names.
func IsNotFound(err error) bool { return hasStatus(err, http.StatusNotFound) }

// IsRefused tells whether the worker found the request wrong, such as a configuration with errors.
func IsRefused(err error) bool {
	return hasStatus(err, http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusForbidden, http.StatusUnauthorized)
}

// IsConflict tells whether the worker could not do it in the state that it is in.
func IsConflict(err error) bool { return hasStatus(err, http.StatusConflict) }

// IsUnreachable tells whether no answer came.
func IsUnreachable(err error) bool {
	var none *UnreachableError
	return errors.As(err, &none)
}

func hasStatus(err error, statuses ...int) bool {
	var told *Error
	if !errors.As(err, &told) {
		return false
	}
	for _, s := range statuses {
		if told.Status == s {
			return true
		}
	}
	return false
}
