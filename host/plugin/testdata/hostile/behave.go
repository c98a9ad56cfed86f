package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// script maps a call to its behaviour.
type script map[string]string

func parseScript(text string) script {
	s := make(script)
	for pair := range strings.SplitSeq(text, ",") {
		if call, behaviour, found := strings.Cut(pair, "="); found {
			s[call] = behaviour
		}
	}
	return s
}

func (s script) is(call, behaviour string) bool { return s[call] == behaviour }

// act does what every call can do. The rest of the behaviours are the call's own.
func (s script) act(call string) error {
	switch s[call] {
	case "hang":
		select {}
	case "fail":
		return errAsked
	case "exit":
		fmt.Fprintln(os.Stderr, "leaving in", call)
		os.Exit(3)
	case "kill":
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	case "panic":
		panic("panic in " + call)
	case "flood":
		flood()
	case "garbage":
		garbage()
	case "fork":
		fork(false)
	case "detach":
		fork(true)
	case "memory":
		memory()
	case "child-memory":
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), "HOSTILE=start=memory", "HOSTILE_IGNORE_KEEPALIVE=1")
		_ = child.Start()
		select {}
	}
	return nil
}

// flood writes about 2 MiB to each output, most of it without a line end.
func flood() {
	block := []byte(strings.Repeat("flood ", 10_000))
	lines := []byte(strings.Repeat("flood\n", 10_000))
	for range 16 {
		_, _ = os.Stdout.Write(block)
		_, _ = os.Stderr.Write(block)
		_, _ = os.Stdout.Write(lines)
		_, _ = os.Stderr.Write(lines)
	}
}

// garbage writes what readers of logs stumble over. The JSON lines panic in go-plugin v1.8.0.
func garbage() {
	for _, out := range []*os.File{os.Stdout, os.Stderr} {
		_, _ = out.WriteString(`{"@message": 12}` + "\n")
		_, _ = out.WriteString(`{"@message": "x", "@level": ["warn"], "@timestamp": 7}` + "\n")
		_, _ = out.WriteString(`{"@level": "error"}` + "\n" + `{` + "\n" + `null` + "\n" + "1|1|unix|/etc/passwd|grpc\n")
		_, _ = out.Write([]byte{0, 1, 2, 0xff, 0xfe, '\n', '\r', '\n', 0x1b, '[', '2', 'J', '\n'})
		_, _ = out.WriteString(strings.Repeat("z", 200_000) + "\npassword=hunter2\n")
	}
}

// fork starts a child that outlives this process when nobody kills it, and holds its outputs. A detached one is in a
// session of its own and has lost its parent.
func fork(detached bool) {
	command := exec.Command("/bin/sleep", "4242")
	if detached {
		command = exec.Command("/bin/sh", "-c", "setsid /bin/sleep 4242 & exit 0")
	}
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	if err := command.Start(); err != nil {
		fmt.Fprintln(os.Stderr, "cannot fork:", err)
	}
	if detached {
		_ = command.Wait()
		time.Sleep(20 * time.Millisecond) // for setsid
	}
}

// memory takes memory until somebody stops it.
func memory() {
	var held [][]byte
	for {
		block := make([]byte, 8<<20)
		for i := range block {
			block[i] = byte(i)
		}
		held = append(held, block)
		time.Sleep(time.Millisecond)
		_ = held
	}
}
