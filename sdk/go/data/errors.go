package data

import (
	"errors"
	"strconv"
	"strings"
)

// ErrShort is wrapped by the errors of input that ends too early.
var ErrShort = errors.New("the input ends too early")

// Error tells what is wrong with a value or its encoding, and where.
type Error struct {
	// Path leads to the value: field names, [i] for elements, [key] for map entries, joined by dots. It is empty for the
	// value itself.
	Path string
	// Offset is the byte of the input at which decoding stopped, -1 if there is no input.
	Offset int
	// Schema is that of the value at Path; nil if schemaless.
	Schema *Schema
	// Value is the refused value when a value was checked or encoded.
	Value any
	// Reason says what is wrong and, where it is not plain, what to do. It holds no part of the value.
	Reason string
	// Err is the cause, often nil.
	Err error
}

// Error names the path, the byte and the reason. The value itself is not in the text: it may be a secret (I-9).
func (e *Error) Error() string {
	var b strings.Builder
	if e.Path == "" {
		b.WriteString("value")
	} else {
		b.WriteString("field ")
		b.WriteString(strconv.Quote(e.Path))
	}
	if e.Offset >= 0 {
		b.WriteString(" at byte ")
		b.WriteString(strconv.Itoa(e.Offset))
	}
	b.WriteString(": ")
	b.WriteString(e.Reason)
	return b.String()
}

// Unwrap is the cause.
func (e *Error) Unwrap() error { return e.Err }

// under puts the name of the enclosing field, element or entry before the error's path. It is only called on the way out
// of a failure, so a success pays nothing for paths.
func under(err error, segment string) error {
	var e *Error
	if !errors.As(err, &e) {
		return err
	}
	switch {
	case e.Path == "":
		e.Path = segment
	case e.Path[0] == '[':
		e.Path = segment + e.Path
	default:
		e.Path = segment + "." + e.Path
	}
	return e
}

func underIndex(err error, i int) error { return under(err, "["+strconv.Itoa(i)+"]") }
