package task

import (
	"errors"
	"fmt"
	"strings"

	"github.com/tailrace/tailrace/host/convert"
	"github.com/tailrace/tailrace/host/kafka"
	"github.com/tailrace/tailrace/host/plugin"
)

// Stages of a record, as Kafka Connect names them.
const (
	StageKeyConverter    = "KEY_CONVERTER"
	StageValueConverter  = "VALUE_CONVERTER"
	StageHeaderConverter = "HEADER_CONVERTER"
	StageTransformation  = "TRANSFORMATION"
	StageKafkaProduce    = "KAFKA_PRODUCE"
	StageTaskPut         = "TASK_PUT"
)

// RecordFailure is a record that could not be handled.
type RecordFailure struct {
	// Stage failed; Class is the converter, transform or plugin at work, and Transform
	// the name of the transform in the configuration, if it was one.
	Stage, Class, Transform string
	// Where names the record: topic, partition and offset, or the place in the source.
	Where string
	Err   error
	// Fatal is set when it ended the task: errors are not tolerated.
	Fatal bool

	seq    uint64 // of a source's record
	record string // its text, if it is to be logged
}

func (e *RecordFailure) Error() string {
	step := e.Stage
	switch {
	case e.Transform != "":
		step += " (" + e.Class + ", transform " + e.Transform + ")"
	case e.Class != "":
		step += " (" + e.Class + ")"
	}
	text := fmt.Sprintf("%s failed for %s: %v", step, e.Where, e.Err)
	if e.Fatal && errors.Is(e.Err, kafka.ErrNotAuthorised) {
		return text // the error says what to grant, and skipping records would not help
	}
	if e.Fatal {
		return "Tolerance exceeded in error handler: " + text + "; correct the record or its converter, or set errors.tolerance=all to skip such records"
	}
	return text
}

// Unwrap is the cause.
func (e *RecordFailure) Unwrap() error { return e.Err }

// DrainTimeoutError says that a task did not end in time. Its process is to be killed.
type DrainTimeoutError struct {
	// What was waited for.
	What string
	// Call is what the task was doing.
	Call plugin.Call
}

func (e *DrainTimeoutError) Error() string {
	text := "the task did not stop in time: " + e.What
	if e.Call.Name != "" {
		text += ", " + e.Call.Name + " is under way since " + e.Call.Since.UTC().Format("15:04:05")
	}
	return text + "; raise task.shutdown.graceful.timeout.ms if it needs longer"
}

// Trace writes an error as Kafka Connect shows it in a status: class and
// message, then the causes. Secrets are the caller's to mask (I-9).
func Trace(err error) string {
	var b strings.Builder
	lead := ""
	for err != nil {
		class, text, trace := describe(err)
		b.WriteString(lead)
		b.WriteString(class)
		b.WriteString(": ")
		b.WriteString(text)
		if trace != "" {
			b.WriteByte('\n')
			b.WriteString(strings.TrimRight(trace, "\n"))
		}
		lead = "\nCaused by: "
		next := errors.Unwrap(err)
		if next != nil && class == connectException && strings.HasSuffix(text, next.Error()) {
			// Already said in full; only a cause with a class of its own says more.
			if c, _, _ := describe(next); c == connectException {
				break
			}
		}
		err = next
	}
	return b.String()
}

const connectException = "org.apache.kafka.connect.errors.ConnectException"

func describe(err error) (class, text, trace string) {
	var remote *plugin.RemoteError
	var conversion *convert.Error
	var refused *kafka.RecordError
	var panicked *panicError
	switch {
	case errors.As(err, &panicked) && error(panicked) == err: //nolint:errorlint // only this very level
		return connectException, panicked.Error(), panicked.stack
	case errors.As(err, &remote) && error(remote) == err: //nolint:errorlint // only this very level
		if remote.Class != "" {
			return remote.Class, remote.Message, remote.Trace
		}
		return connectException, remote.Message, remote.Trace
	case errors.As(err, &conversion) && error(conversion) == err: //nolint:errorlint // only this very level
		return conversion.Class, conversion.Message, ""
	case errors.As(err, &refused) && error(refused) == err: //nolint:errorlint // only this very level
		return kafkaClass(refused), refused.Error(), ""
	}
	return connectException, err.Error(), ""
}

// kafkaClass is the Java class of what Kafka says about a record.
func kafkaClass(err *kafka.RecordError) string {
	name := "KafkaException"
	for kind, class := range map[error]string{
		kafka.ErrMessageTooLarge: "errors.RecordTooLargeException",
		kafka.ErrUnknownTopic:    "errors.UnknownTopicOrPartitionException",
		kafka.ErrNotAuthorised:   "errors.TopicAuthorizationException",
		kafka.ErrInvalidRecord:   "InvalidRecordException",
		kafka.ErrInvalidTopic:    "errors.InvalidTopicException",
		kafka.ErrPolicyViolation: "errors.PolicyViolationException",
		kafka.ErrDeliveryTimeout: "errors.TimeoutException",
		kafka.ErrFenced:          "errors.ProducerFencedException",
	} {
		if errors.Is(err, kind) {
			name = class
		}
	}
	return "org.apache.kafka.common." + name
}
