package output

import (
	"errors"
	"fmt"
	"syscall"
)

// WriteError is a failure to write, told for the person who has to mend it.
type WriteError struct {
	Doing string // "open", "write to" …
	Path  string
	Err   error
	// Retry says that it may pass by itself or by what a person does, and that the same lines can be given again.
	Retry bool
}

func (e *WriteError) Error() string {
	text := fmt.Sprintf("cannot %s %s (key \"file\"): %v. %s", e.Doing, e.Path, e.Err, advice(e.Err))
	if e.Doing == doingOpen {
		text = fmt.Sprintf("Couldn't find or create file '%s' for FileStreamSinkTask: %v. %s", e.Path, e.Err, advice(e.Err))
	}
	return text
}

func (e *WriteError) Unwrap() error { return e.Err }

// doingOpen is worded as Kafka's FileStreamSink does, whose users may look for it.
const doingOpen = "open"

func writeError(doing, path string, err error) error {
	retry := false
	for _, cause := range []error{
		syscall.ENOSPC, syscall.EDQUOT, syscall.EIO, syscall.ESTALE, syscall.EAGAIN,
		syscall.EINTR, syscall.EMFILE, syscall.ENFILE,
	} {
		retry = retry || errors.Is(err, cause)
	}
	return &WriteError{Doing: doing, Path: path, Err: err, Retry: retry}
}

func advice(err error) string {
	for _, a := range []struct {
		cause error
		text  string
	}{
		{syscall.ENOSPC, "The disk is full: free some space; it is tried again, and nothing is lost."},
		{syscall.EDQUOT, "The quota is used up: raise it or free some space; it is tried again, and nothing is lost."},
		{syscall.EACCES, "Give the user of the worker the right to write there, or choose another file."},
		{syscall.EPERM, "Give the user of the worker the right to write there, or choose another file."},
		{syscall.EROFS, "The file system is read-only: choose another file, or mount it for writing."},
		{syscall.EISDIR, "It is a folder: name a file in it."},
		{syscall.ENOTDIR, "A part of the path is a file: correct the path."},
		{syscall.ENOENT, "Its folder does not exist: create it, or correct the path."},
		{syscall.EFBIG, "The file is as large as the file system or a limit (ulimit -f) allows: set rotate.bytes."},
		{syscall.EMFILE, "Raise the limit of open files (ulimit -n); it is tried again."},
		{ErrInUse, "It is the task before this one, which ends soon, or another connector with the same file: give each its own."},
		{syscall.EIO, "The disk failed; see the system log. It is tried again."},
	} {
		if errors.Is(err, a.cause) {
			return a.text
		}
	}
	return "Nothing of it counts as written; mend the cause and restart the task."
}
