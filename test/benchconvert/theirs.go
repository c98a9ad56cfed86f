package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/tailrace/tailrace/test/env/server"
)

// theirs is the JVM of Driver.java.
type theirs struct {
	java   int // its version
	cmd    *exec.Cmd
	input  io.WriteCloser
	output *bufio.Scanner
}

func startTheirs(ctx context.Context, registry, dir string) (*theirs, error) {
	command, java, err := server.ConnectClasses(ctx)
	if err != nil {
		return nil, err
	}
	args := append(command[1:len(command):len(command)], "-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "test/benchconvert/Driver.java", dir)
	if registry != "" {
		args = append(args, strings.TrimSuffix(registry, "/ccompat/v7")+"/registry/v2") // the API that Apicurio's converter speaks
	}
	t := &theirs{java: java, cmd: exec.CommandContext(ctx, command[0], args...)}
	t.cmd.Stderr = os.Stderr
	if t.input, err = t.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	output, err := t.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	t.output = bufio.NewScanner(output)
	if err := t.cmd.Start(); err != nil {
		return nil, err
	}
	if _, err := t.line(); err != nil {
		t.close()
		return nil, err
	}
	return t, nil
}

func (t *theirs) line() (string, error) {
	if !t.output.Scan() {
		return "", fmt.Errorf("the JVM ended: %w", t.cmd.Wait())
	}
	return t.output.Text(), nil
}

func (t *theirs) measure(name string, records int) (time.Duration, error) {
	if _, err := fmt.Fprintf(t.input, "%s %d\n", name, records); err != nil {
		return 0, err
	}
	text, err := t.line()
	if err != nil {
		return 0, err
	}
	nanos, err := strconv.ParseInt(text, 10, 64)
	return time.Duration(nanos), err
}

func (t *theirs) close() {
	_ = t.input.Close()
	_ = t.cmd.Wait()
}
