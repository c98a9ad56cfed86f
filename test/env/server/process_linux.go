package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/tailrace/tailrace/test/env/proc"
)

// process is a server process that cannot outlive this one. It needs no goroutine while it runs, so that tests which
// look for leaked goroutines may share one.
type process struct {
	cmd     *exec.Cmd
	logPath string

	guard     *exec.Cmd
	keepAlive *os.File // the write end of the guard's pipe: never written, closed by the kernel when we die
}

// pollInterval is how often a condition on a process or a log is looked at while waiting for it.
const pollInterval = 20 * time.Millisecond

// guardScript waits for the end of its input, then kills the process group $1. Its input ends when the pipe's only
// writer is gone, so it works for every kind of death of the parent, SIGKILL included. Where a folder $2 is given,
// it is removed afterwards.
const guardScript = `cat >/dev/null; kill -s KILL -- "-$1" 2>/dev/null; [ -z "$2" ] || rm -rf -- "$2"`

// startProcess runs argv in its own process group with output appended to logPath. removeDir, when not empty, is
// deleted when this process ends without having stopped the server.
func startProcess(argv []string, environment []string, logPath, removeDir string) (*process, error) {
	log, err := os.OpenFile(logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()

	cmd := exec.Command(argv[0], argv[1:]...) //nolint:noctx // it outlives any call, the guard ends it
	cmd.Env = environment
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, logPath: logPath}
	if err := p.startGuard(removeDir); err != nil {
		_ = p.signal(syscall.SIGKILL)
		_ = cmd.Wait()
		return nil, fmt.Errorf("start the guard of %s: %w", argv[0], err)
	}
	return p, nil
}

func (p *process) startGuard(removeDir string) error {
	read, write, err := os.Pipe()
	if err != nil {
		return err
	}
	defer read.Close()
	guard := exec.Command("/bin/sh", "-c", guardScript, "guard", fmt.Sprint(p.cmd.Process.Pid), removeDir) //nolint:noctx // as above
	guard.Stdin = read
	guard.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C must not reach it
	if err := guard.Start(); err != nil {
		return errors.Join(err, write.Close())
	}
	p.guard, p.keepAlive = guard, write
	return nil
}

// signal goes to the whole process group.
func (p *process) signal(s syscall.Signal) error {
	return syscall.Kill(-p.cmd.Process.Pid, s)
}

// stop asks the server to end, kills it after grace, and waits for it. Its files stay.
func (p *process) stop(grace time.Duration) error {
	ask := p.signal(syscall.SIGTERM)
	_ = p.signal(syscall.SIGCONT) // a paused server cannot end
	kill := time.AfterFunc(grace, func() { _ = p.signal(syscall.SIGKILL) })
	_ = p.cmd.Wait() // its exit status says nothing here: a JVM ends with 143 on SIGTERM
	onTime := kill.Stop()
	p.dismissGuard()
	if !onTime {
		return fmt.Errorf("the server did not end within %s of SIGTERM and was killed; its log is %s", grace, p.logPath)
	}
	return ask
}

// kill ends the server at once.
func (p *process) kill() {
	_ = p.signal(syscall.SIGKILL)
	_ = p.cmd.Wait()
	p.dismissGuard()
}

// dismissGuard ends the guard before its pipe closes: the process group it watches is gone and its number may be
// given to another.
func (p *process) dismissGuard() {
	_ = p.guard.Process.Kill()
	_ = p.guard.Wait()
	_ = p.keepAlive.Close()
}

// waitLog waits until the log has a line containing mark after offset from.
func (p *process) waitLog(ctx context.Context, mark string, from int64) error {
	return p.await(ctx, fmt.Sprintf("a log line with %q", mark), func() bool {
		return bytes.Contains(p.readLog(from), []byte(mark))
	})
}

// await polls until the condition holds, the process ends, or ctx does.
func (p *process) await(ctx context.Context, what string, condition func() bool) error {
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		// Alive is asked first: a server that ends right after reaching the condition has reached it.
		alive := proc.Alive(p.cmd.Process.Pid)
		if condition() {
			return nil
		}
		if !alive {
			return fmt.Errorf("the server ended while waiting for %s; the end of its log %s:\n%s", what, p.logPath, p.logTail())
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w; the end of the server's log %s:\n%s", what, context.Cause(ctx), p.logPath, p.logTail())
		case <-ticker.C:
		}
	}
}

func (p *process) readLog(from int64) []byte {
	log, err := os.ReadFile(p.logPath)
	if err != nil || int64(len(log)) < from {
		return nil
	}
	return log[from:]
}

func (p *process) logTail() string {
	lines := strings.Split(strings.TrimSpace(string(p.readLog(0))), "\n")
	return strings.Join(lines[max(0, len(lines)-15):], "\n")
}
