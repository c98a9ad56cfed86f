package connect

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	pluginv1 "github.com/tailrace/tailrace/gen/tailrace/plugin/v1"
	"github.com/tailrace/tailrace/sdk/go/wire"
)

// ErrEndOfInput is returned by Poll when there will never be another record.
var ErrEndOfInput = errors.New("end of input")

// RetriableError is an error that may pass. Make it with [Retriable].
type RetriableError struct {
	// After is how long to wait at least; 0 leaves it to the SDK's back-off.
	After time.Duration
	Err   error
}

// Retriable marks an error as one that may pass by itself: a lost connection, a lock, a
// full queue. The SDK waits and calls again: for after, or when that is 0 for a time
// that starts at 100 ms and doubles up to 30 s.
func Retriable(err error, after time.Duration) error {
	if err == nil {
		return nil
	}
	return &RetriableError{After: after, Err: err}
}

func (e *RetriableError) Error() string { return e.Err.Error() }

// Unwrap is the cause.
func (e *RetriableError) Unwrap() error { return e.Err }

// CodedError is an error with a stable short code for programs, "FILE_UNREADABLE".
type CodedError interface {
	error
	Code() string
}

// ClassedError is an error that names its own class in statuses and dead letters; an adapter
// for connectors of another language uses it to keep the original name.
type ClassedError interface {
	error
	ClassName() string
}

// panicError is what a recovered panic becomes.
type panicError struct {
	call  string
	value any
	stack string
}

func (e *panicError) Error() string {
	return fmt.Sprintf("the connector's code panicked in %s: %v", e.call, e.value)
}

// ClassName tells panics from ordinary errors.
func (e *panicError) ClassName() string { return "runtime.Panic" }

// errorProto is an error as the protocol has it.
func errorProto(err error) *pluginv1.Error {
	if err == nil {
		return nil
	}
	p := &pluginv1.Error{
		Message:   cut(err.Error(), wire.MaxErrorMessageBytes),
		ClassName: className(err),
	}
	var retriable *RetriableError
	p.Retriable = errors.As(err, &retriable)
	var coded CodedError
	if errors.As(err, &coded) {
		p.Code = coded.Code()
	}
	var panicked *panicError
	if errors.As(err, &panicked) {
		p.Trace = cut(panicked.stack, wire.MaxErrorTraceBytes)
	} else {
		p.Trace = cut(causes(err), wire.MaxErrorTraceBytes)
	}
	return p
}

// errorFromProto is an error that the worker told.
func errorFromProto(p *pluginv1.Error) error {
	if p == nil {
		return nil
	}
	err := errors.New(strings.ToValidUTF8(p.GetMessage(), "\uFFFD"))
	if p.GetRetriable() {
		return Retriable(err, 0)
	}
	return err
}

// defaultClass names errors whose Go type says nothing.
const defaultClass = "tailrace.connect.ConnectError"

// className names the innermost error with a telling type, dotted as Java writes
// classes: "io.fs.PathError". Statuses and dead letters show it.
func className(err error) string {
	var classed ClassedError
	if errors.As(err, &classed) {
		return classed.ClassName()
	}
	name := defaultClass
	for ; err != nil; err = errors.Unwrap(err) {
		t := reflect.TypeOf(err)
		for t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		switch pkg := t.PkgPath(); {
		case pkg == "" || pkg == "errors" || pkg == "fmt":
		case t == reflect.TypeFor[RetriableError]():
		default:
			return strings.ReplaceAll(pkg, "/", ".") + "." + t.Name()
		}
	}
	return name
}

// causes lists the chain of wrapped errors, outermost first, as the trace of an
// error without a stack.
func causes(err error) string {
	var b strings.Builder
	b.WriteString(className(err) + ": " + err.Error())
	for err = errors.Unwrap(err); err != nil; err = errors.Unwrap(err) {
		b.WriteString("\nCaused by: " + className(err) + ": " + err.Error())
	}
	return b.String()
}

// cut shortens a text to n bytes of valid UTF-8 (protobuf refuses anything else).
func cut(s string, n int) string {
	if len(s) > n {
		s = s[:n-3] + "…"
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
