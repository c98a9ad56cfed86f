package plugin

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pluginv1 "github.com/tailrace/tailrace/gen/tailrace/plugin/v1"
	"github.com/tailrace/tailrace/host/plugin/process"
	"github.com/tailrace/tailrace/sdk/go/wire"
)

// RemoteError is a failure that the plugin itself reported.
type RemoteError struct {
	Code      string // stable and short, may be empty
	Message   string
	Class     string // class of the error in the plugin's language, may be empty
	Retriable bool
	Trace     string // may be empty
}

func (e *RemoteError) Error() string { return e.Message }

func readError(m *pluginv1.Error) *RemoteError {
	e := &RemoteError{
		Code: cut(m.GetCode(), 200), Class: cut(m.GetClassName(), 500), Retriable: m.GetRetriable(),
		Message: cut(m.GetMessage(), wire.MaxErrorMessageBytes), Trace: cut(m.GetTrace(), wire.MaxErrorTraceBytes),
	}
	if e.Message == "" {
		e.Message = "the plugin failed without saying why"
	}
	return e
}

// optionalError is nil for an absent error.
func optionalError(m *pluginv1.Error) *RemoteError {
	if m == nil {
		return nil
	}
	return readError(m)
}

func writeError(err error) *pluginv1.Error {
	if err == nil {
		return nil
	}
	return &pluginv1.Error{Message: cut(err.Error(), wire.MaxErrorMessageBytes), Retriable: true}
}

func cut(text string, maxBytes int) string {
	if len(text) > maxBytes {
		text = text[:maxBytes]
		for len(text) > 0 && !utf8.ValidString(text[max(0, len(text)-utf8.UTFMax):]) {
			text = text[:len(text)-1]
		}
	}
	return strings.ToValidUTF8(text, "\uFFFD")
}

// ProtocolError says that a plugin broke a rule of the protocol. The stream is over.
type ProtocolError struct {
	Reason string
}

func (e *ProtocolError) Error() string { return "the plugin broke the protocol: " + e.Reason }

func violation(format string, args ...any) error {
	return &ProtocolError{Reason: fmt.Sprintf(format, args...)}
}

// TimeoutError says that a plugin did not do in time what it had to. The stream or the process is over.
type TimeoutError struct {
	What string
}

func (e *TimeoutError) Error() string { return "the plugin hangs: " + e.What }

// DeathError says that the plugin's process ended under a call or a stream.
type DeathError struct {
	Plugin string
	Exit   process.Exit
}

func (e *DeathError) Error() string {
	return "the process of plugin " + e.Plugin + " " + e.Exit.Error()
}

// ErrUnsupported says that the plugin does not implement the call. It is not broken.
var ErrUnsupported = errors.New("the plugin does not support this call")

// rpcError finds the words for an error of gRPC that is not the process's death.
func rpcError(call string, err error) error {
	state, ok := status.FromError(err)
	if !ok {
		return fmt.Errorf("%s: %w", call, err)
	}
	switch state.Code() {
	case codes.Unimplemented:
		return fmt.Errorf("%s: %w", call, ErrUnsupported)
	case codes.DeadlineExceeded:
		return &TimeoutError{What: call + " did not answer in time"}
	case codes.ResourceExhausted:
		return violation("%s: a message is larger than %d MiB (%s)", call, wire.MaxMessageBytes>>20, cut(state.Message(), 500))
	default:
		return fmt.Errorf("%s failed: %s (%s)", call, cut(state.Message(), wire.MaxErrorMessageBytes), state.Code())
	}
}
