package main

import (
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
		stdin.stream = tail.NewStream(format, blockBytes, func() (io.Reader, error) { return os.Stdin, nil })
	}
	return stdin.stream
}
