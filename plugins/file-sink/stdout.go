package main

import (
	"fmt"
	"os"
)

// standardOutput opens the standard output of the worker, whose child this process is: a plugin's own carries the
// handshake and is then closed to connectors. Where the system does not give access to it, lines go to the plugin's
// standard error, which the worker logs.
func standardOutput() *os.File {
	f, err := os.OpenFile(fmt.Sprintf("/proc/%d/fd/1", os.Getppid()), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return os.Stdout
	}
	return f
}
