// Package javaerr is the error type of converters and transforms: the Java
// class and message that Kafka Connect shows, because users, dead-letter
// headers and tools match on them. It stands alone so that every converter
// package can give such errors without importing the package that builds them.
//
// It imports the standard library only.
package javaerr

import (
	"errors"
	"fmt"
	"strings"
)

// Classes of errors.
const (
	DataException          = "org.apache.kafka.connect.errors.DataException"
	RetriableException     = "org.apache.kafka.connect.errors.RetriableException"
	SerializationException = "org.apache.kafka.common.errors.SerializationException"
	ConfigException        = "org.apache.kafka.common.config.ConfigException"
	NetworkException       = "org.apache.kafka.common.errors.NetworkException"
	TimeoutException       = "org.apache.kafka.common.errors.TimeoutException"
)

// ErrStopped is the cause of a conversion that did not end because its task was
// told to stop. Its record is neither good nor bad: it must not be skipped.
var ErrStopped = errors.New("the task stops")

// Error is a failed conversion.
type Error struct {
	// Class is the Java class that Kafka Connect throws here.
	Class string
	// Message is its message.
	Message string
	// Cause is the cause, often nil; an *Error where Java's is known.
	Cause error
}

func (e *Error) Error() string {
	if e.Cause == nil {
		return e.Message
	}
	return strings.TrimRight(e.Message, ": ") + ": " + e.Cause.Error()
}

// Unwrap is the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Retriable tells that the same conversion may succeed later, because a
// service that it needs did not answer.
func (e *Error) Retriable() bool {
	return e.Class == RetriableException || e.Class == NetworkException
}

// Data is a DataException.
func Data(format string, args ...any) *Error {
	return &Error{Class: DataException, Message: fmt.Sprintf(format, args...)}
}

// Config is a ConfigException.
func Config(format string, args ...any) *Error {
	return &Error{Class: ConfigException, Message: fmt.Sprintf(format, args...)}
}

// InvalidConfig is Kafka's error for a value that a key does not take.
func InvalidConfig(key, value, reason string) *Error {
	return Config("Invalid value %s for configuration %s: %s", value, key, reason)
}
