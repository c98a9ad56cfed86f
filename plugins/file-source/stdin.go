package main

import (
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/tailrace/tailrace/plugins/file-source/internal/tail"
)

// stdin is read by one goroutine for the life of the process, so that a task that starts again goes on where the one
// before stopped instead of racing it for the input.
var stdin struct {
	sync.Mutex
	stream *tail.Stream
}

func standardInput(format tail.Format) *tail.Stream {
	stdin.Lock()
	defer stdin.Unlock()
	if stdin.stream == nil {
		stdin.stream = tail.NewStream(format, blockBytes, openStandardInput)
	}
	return stdin.stream
}

// openStandardInput opens the standard input of the worker, whose child this process is: a plugin's own is /dev/null.
// Where the system does not give access to it, the plugin's own is all there is.
func openStandardInput() (io.Reader, error) {
	if f, err := os.Open(fmt.Sprintf("/proc/%d/fd/0", os.Getppid())); err == nil {
		return f, nil
	}
	return os.Stdin, nil
}
