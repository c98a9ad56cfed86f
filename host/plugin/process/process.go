package process

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/tailrace/tailrace/host/plugin/guard"
)

const (
	// drainTimeout is how long the output pipes of a dead plugin are read. Only a process that escaped the kill can still
	// hold them open (go-plugin would wait for it forever).
	drainTimeout = 250 * time.Millisecond
	// sweepTimeout bounds the hunt for a plugin's children after its death.
	sweepTimeout = 500 * time.Millisecond
	// textBusyTries: another goroutine's fork may hold a just written program open for a moment (ETXTBSY).
	textBusyTries = 5
)

// Process is a running plugin that completed its handshake. Its methods may be called from any goroutine.
type Process struct {
	launcher *Launcher
	command  Command
	logger   *slog.Logger
	marker   string
	cgroup   *cgroup
	cmd      *exec.Cmd
	pid      int
	started  time.Time
	address  net.Addr
	folder   string // go-plugin's socket folder

	keepalive      *os.File // write end, held open for the plugin's life
	stdout, stderr *os.File // read ends
	handshake      *handshakeFilter
	tail           tail
	readers        sync.WaitGroup

	mu   sync.Mutex
	plan *Exit // cause and detail, set by whoever kills first

	dead      chan struct{} // closed when the first process has ended
	done      chan struct{} // closed when nothing is left and exit is set
	exit      Exit
	peakBytes atomic.Int64
}

func newProcess(l *Launcher, command Command, serial string) *Process {
	logger := l.logger.With("plugin", command.Plugin)
	if command.Connector != "" {
		logger = logger.With("connector", command.Connector)
	}
	return &Process{
		launcher: l, command: command, logger: logger,
		marker: guard.MarkerKey + "=" + l.hostID + "." + serial,
		dead:   make(chan struct{}), done: make(chan struct{}),
	}
}

// PID is the process id of the plugin's first process and its process group's id.
func (p *Process) PID() int { return p.pid }

// Started is when the process was forked.
func (p *Process) Started() time.Time { return p.started }

// Address is the unix socket that the plugin listens on. It lies in the launcher's private folder.
func (p *Process) Address() net.Addr { return p.address }

// Done is closed when the process and everything it started have ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Exit tells how the process ended. It blocks until Done.
func (p *Process) Exit() Exit {
	<-p.done
	return p.exit
}

// Output returns the last lines that the plugin wrote, masked.
func (p *Process) Output() []string { return p.tail.snapshot() }

// PeakMemoryBytes is the highest resident memory seen by the memory watch; 0 without a memory limit.
func (p *Process) PeakMemoryBytes() int64 { return p.peakBytes.Load() }

// start forks the plugin. Called once, through go-plugin's runner seam, with the environment of the handshake.
func (p *Process) start(handshakeEnv []string, socketFolder string) error {
	p.folder = socketFolder
	outRead, outWrite, err := os.Pipe()
	if err != nil {
		return err
	}
	defer outWrite.Close()
	errRead, errWrite, err := os.Pipe()
	if err != nil {
		outRead.Close()
		return err
	}
	defer errWrite.Close()
	aliveRead, aliveWrite, err := os.Pipe()
	if err != nil {
		outRead.Close()
		errRead.Close()
		return err
	}
	defer aliveRead.Close()

	p.cgroup = p.launcher.cgroups.child(p.marker, p.command.Limits)
	for try := 1; ; try++ {
		p.cmd = p.execCommand(handshakeEnv, outWrite, errWrite, aliveRead)
		p.launcher.starter.do(func() {
			restore := narrowAffinity(p.command.Limits.CPUs, p.cgroup.limitsCPU())
			defer restore()
			p.started = time.Now()
			err = p.cmd.Start()
		})
		if !errors.Is(err, syscall.ETXTBSY) || try == textBusyTries {
			break
		}
		time.Sleep(time.Duration(try) * 20 * time.Millisecond)
	}
	p.cgroup.started()
	if err != nil {
		outRead.Close()
		errRead.Close()
		aliveWrite.Close()
		p.cgroup.remove()
		return startError(p.command.Path, err)
	}
	p.pid = p.cmd.Process.Pid
	p.keepalive, p.stdout, p.stderr = aliveWrite, outRead, errRead
	p.launcher.guard.watch(p.pid)
	applyLimits(p.pid, p.command.Limits)
	p.handshake = newHandshakeFilter(p.logger)
	p.read("stdout", outRead, p.handshake.line)
	p.read("stderr", errRead, nil)
	go p.wait()
	if limit := p.command.Limits.memoryBytes(); limit > 0 {
		go p.watchMemory(limit)
	}
	return nil
}

func (p *Process) execCommand(handshakeEnv []string, stdout, stderr, keepalive *os.File) *exec.Cmd {
	dir := p.command.Dir
	if dir == "" {
		dir = filepath.Dir(p.command.Path)
	}
	return &exec.Cmd{
		Path: p.command.Path,
		Args: append([]string{p.command.Path}, p.command.Args...),
		Dir:  dir,
		Env:  p.command.environment(hostEnvironment, handshakeEnv, p.marker), // I-9
		// Stdin nil is /dev/null. Stdout and stderr are files, so Wait does not wait for whoever inherited them.
		Stdout: stdout, Stderr: stderr,
		ExtraFiles:  []*os.File{keepalive}, // KeepaliveFD
		SysProcAttr: pluginAttributes(p.cgroup),
	}
}

func (p *Process) read(stream string, pipe *os.File, intercept func([]byte, int) bool) {
	reader := newOutputReader(p.logger, p.command.mask, &p.tail, stream)
	reader.intercept = intercept
	p.readers.Go(func() {
		reader.run(pipe, p.dead)
		if stream == "stdout" {
			p.handshake.close()
		}
	})
}

// wait is the owner of the process's end.
func (p *Process) wait() {
	// The leader stays a zombie until cmd.Wait below, so its number, which is also the group's, cannot be given to a
	// stranger while the group is killed.
	waitExited(p.pid)
	close(p.dead)
	p.killAll()
	_ = p.cmd.Wait()
	p.launcher.guard.forget(p.pid)
	p.keepalive.Close()

	// I-3: a process that escaped may hold the pipes open; it does not hold us.
	deadline := time.Now().Add(drainTimeout)
	_ = p.stdout.SetReadDeadline(deadline)
	_ = p.stderr.SetReadDeadline(deadline)
	p.readers.Wait()
	p.stdout.Close()
	p.stderr.Close()
	if p.cgroup.outOfMemory() {
		p.mu.Lock()
		if p.plan == nil {
			p.plan = &Exit{Cause: CauseMemoryLimit, Detail: fmt.Sprintf("it reached its memory limit of %d MiB", p.command.Limits.memoryBytes()>>20)}
		}
		p.mu.Unlock()
	}
	p.cgroup.remove()
	if p.folder != "" {
		_ = os.RemoveAll(p.folder)
	}
	p.exit = p.describeExit()
	p.launcher.remove(p)
	close(p.done)
}

// killAll kills the process group, the cgroup, the descendants that are still connected by parentage and everything
// with the process's marker (I-10).
func (p *Process) killAll() {
	killGroup(p.pid, syscall.SIGKILL)
	p.cgroup.kill()
	guard.SweepMarked(p.marker+"\x00", time.Now().Add(sweepTimeout))
}

func (p *Process) describeExit() Exit {
	p.mu.Lock()
	plan := p.plan
	p.mu.Unlock()
	exit := Exit{Cause: CauseExited, Code: -1}
	if plan != nil {
		exit = *plan
	}
	state := p.cmd.ProcessState
	exit.Code = state.ExitCode()
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		exit.Signal = status.Signal()
		if plan == nil {
			exit.Cause = CauseSignal
		}
	}
	exit.Output = p.tail.snapshot()
	exit.Ended = time.Now()
	exit.Ran = exit.Ended.Sub(p.started)
	return exit
}

// because records why the process is about to be killed. The first reason stays; a process that is dead already ended
// for its own reason.
func (p *Process) because(cause Cause, detail string) {
	select {
	case <-p.dead:
		return
	default:
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.plan == nil {
		p.plan = &Exit{Cause: cause, Detail: detail}
	}
}

// Kill ends the process and all that it started, at once. It does not wait; see Done.
func (p *Process) Kill() { p.killBecause(CauseStopped, "") }

func (p *Process) killBecause(cause Cause, detail string) {
	p.because(cause, detail)
	select {
	case <-p.dead:
		return // wait has sent the kill, and the group's number may no longer be ours
	default:
	}
	for _, pid := range descendants(p.pid) {
		_ = killProcess(pid)
	}
	killGroup(p.pid, syscall.SIGKILL)
	p.cgroup.kill()
}

// Stopping says that the host is about to ask the process to end: whatever end follows was asked for.
func (p *Process) Stopping() { p.because(CauseStopped, "") }

// Stop waits up to grace for the process to end by itself (the caller has asked it to, over the protocol), then sends
// SIGTERM to its group and waits termGrace, then kills. It returns when nothing is left, and when ctx ends it kills
// without further waiting for grace.
func (p *Process) Stop(ctx context.Context, grace, termGrace time.Duration) Exit {
	p.Stopping()
	if !p.waitFor(ctx, grace) {
		select {
		case <-p.dead:
		default:
			killGroup(p.pid, syscall.SIGTERM)
		}
		if !p.waitFor(ctx, termGrace) {
			p.Kill()
		}
	}
	return p.Exit()
}

func (p *Process) waitFor(ctx context.Context, limit time.Duration) bool {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-p.dead:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}

// Poll intervals of the memory watch. /proc has no event for it.
const (
	memoryPollInterval = 100 * time.Millisecond
	treePollEvery      = 5 // the children are summed up on every fifth poll
)

// watchMemory kills the process when it and its descendants use more than limitBytes (I-3). The cgroup and RLIMIT_DATA
// stop what is faster than the poll.
func (p *Process) watchMemory(limitBytes int64) {
	ticker := time.NewTicker(memoryPollInterval)
	defer ticker.Stop()
	var children int64
	for poll := 0; ; poll++ {
		select {
		case <-p.dead:
			return
		case <-ticker.C:
		}
		own := residentBytes(p.pid)
		if poll%treePollEvery == 0 {
			children = 0
			for _, pid := range descendants(p.pid) {
				children += residentBytes(pid)
			}
		}
		used := own + children
		if used > p.peakBytes.Load() {
			p.peakBytes.Store(used)
		}
		if used > limitBytes {
			p.killBecause(CauseMemoryLimit, fmt.Sprintf("it used %d MiB of memory and its limit is %d MiB", used>>20, limitBytes>>20))
			return
		}
	}
}

func startError(path string, err error) error {
	switch {
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("%s is not executable: %w; run chmod +x on it", path, err)
	case errors.Is(err, syscall.ENOEXEC):
		return fmt.Errorf("%s is not a program for this machine, and has no #! line: %w", path, err)
	case errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("%s, or the interpreter that its #! line names, does not exist: %w", path, err)
	default:
		return fmt.Errorf("cannot start %s: %w", path, err)
	}
}
