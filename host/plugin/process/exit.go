package process

import (
	"fmt"
	"strings"
	"syscall"
	"time"
)

// Cause says why a process ended.
type Cause string

// The causes of an end.
const (
	CauseExited      Cause = "exited"       // by itself, see Code
	CauseSignal      Cause = "signal"       // by a signal that the host did not send, see Signal
	CauseStopped     Cause = "stopped"      // because the host asked for it
	CauseMemoryLimit Cause = "memory limit" // killed by the host for using more memory than allowed
	CauseHandshake   Cause = "handshake"    // killed because it did not complete the handshake
)

// Exit is how a process ended.
type Exit struct {
	Cause  Cause
	Code   int            // exit status, -1 after a signal
	Signal syscall.Signal // 0 without a signal
	// Detail completes the cause, for example the memory in use. May be empty.
	Detail string
	// Output holds the last lines of stderr and stdout, masked, oldest first.
	Output []string
	// Ran is the time from start to end; Ended the wall clock at the end.
	Ran   time.Duration
	Ended time.Time
}

// Expected reports whether the host asked for the end.
func (e Exit) Expected() bool { return e.Cause == CauseStopped }

// Error describes the exit in one line and the last output in the following ones.
func (e Exit) Error() string {
	var text strings.Builder
	switch {
	case e.Cause == CauseMemoryLimit, e.Cause == CauseHandshake:
		fmt.Fprintf(&text, "was killed by the worker: %s", e.Detail)
	case e.Cause == CauseStopped:
		text.WriteString("was stopped by the worker")
	case e.Signal != 0:
		fmt.Fprintf(&text, "was killed by signal %s (%d) after %s", e.Signal, int(e.Signal), e.Ran.Round(time.Millisecond))
	default:
		fmt.Fprintf(&text, "exited with status %d after %s", e.Code, e.Ran.Round(time.Millisecond))
	}
	if len(e.Output) > 0 {
		text.WriteString("; its last output:\n  ")
		text.WriteString(strings.Join(e.Output, "\n  "))
	}
	return text.String()
}
