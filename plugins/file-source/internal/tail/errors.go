package tail

import (
	"errors"
	"fmt"
	"syscall"
)

// ReadError is a failure to read a file, told for the person who has to mend it.
type ReadError struct {
	Path string
	Err  error
	// Retry says that it may pass by itself.
	Retry bool
}

func (e *ReadError) Error() string {
	return fmt.Sprintf("cannot read %s: %s. %s", e.Path, reason(e.Err), advice(e.Err))
}

func (e *ReadError) Unwrap() error { return e.Err }

// Explain makes a ReadError of an error of the file system.
func Explain(err error, path string) error {
	var known *ReadError
	if errors.As(err, &known) {
		return err
	}
	retry := errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) || errors.Is(err, syscall.EIO) ||
		errors.Is(err, syscall.ESTALE) || errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EINTR)
	return &ReadError{Path: path, Err: err, Retry: retry}
}

func reason(err error) string {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		switch errno {
		case syscall.ENOTDIR:
			return "Not a directory" // worded as Kafka's connector does, whose users may look for it
		case syscall.EISDIR:
			return "Is a directory"
		}
	}
	return err.Error()
}

func advice(err error) string {
	for cause, text := range map[error]string{
		syscall.ENOTDIR: `A part of the path is a file; correct the key "file".`,
		syscall.EISDIR:  `Name a file in the key "file", or use the key "files" with a pattern such as /folder/*.log.`,
		syscall.EACCES:  "Give the user of the worker the right to read the file and to enter its folders.",
		syscall.EPERM:   "Give the user of the worker the right to read the file and to enter its folders.",
		syscall.EMFILE:  "Raise the limit of open files (ulimit -n), or spread the files over more tasks.",
		syscall.ENFILE:  "The system has no free file handles; raise fs.file-max.",
		syscall.ELOOP:   "The symbolic links of the path lead in a circle; mend them.",
		syscall.EIO:     "The disk or network folder failed; see the system log. It is tried again.",
		syscall.ESTALE:  "The network folder lost the file. It is tried again.",
	} {
		if errors.Is(err, cause) {
			return text
		}
	}
	return "See the message for what to mend, then restart the task; nothing that was read is lost."
}
