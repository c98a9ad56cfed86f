package process

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
)

// maxSocketPathBytes is the length of a unix socket's path that every system takes (sun_path holds 108 on Linux).
// go-plugin adds up to 40 bytes to the private folder.
const maxSocketPathBytes = 104 - 40

// Launcher starts processes and sees to it that they end with the host. One per worker is enough. Its methods may be
// called from any goroutine.
type Launcher struct {
	logger  *slog.Logger
	hostID  string
	folder  string // private, 0700: sockets
	cgroups *cgroupParent
	guard   *guardProcess
	starter *starter
	serial  atomic.Uint64

	mu      sync.Mutex
	closed  bool
	running map[*Process]struct{}
}

// LauncherOptions are the settings of a Launcher.
type LauncherOptions struct {
	Logger *slog.Logger
	// RuntimeDir is the folder in which the private socket folder is made. Empty means the system's temporary folder.
	RuntimeDir string
	// DisableCgroups leaves cgroups alone, for tests of the way without them.
	DisableCgroups bool
}

// NewLauncher makes the private folder and starts the guard.
func NewLauncher(options LauncherOptions) (*Launcher, error) {
	logger := options.Logger
	if logger == nil {
		logger = slog.Default()
	}
	folder, err := os.MkdirTemp(options.RuntimeDir, "tailrace-") // MkdirTemp makes it 0700
	if err != nil {
		return nil, fmt.Errorf("cannot make the private folder for plugin sockets: %w; set TMPDIR to a writable folder", err)
	}
	if folder, err = filepath.Abs(folder); err != nil {
		return nil, err
	}
	if len(folder) > maxSocketPathBytes {
		_ = os.Remove(folder)
		return nil, fmt.Errorf("the folder %s is too long for unix sockets (at most %d bytes); set TMPDIR to a shorter one", folder, maxSocketPathBytes)
	}
	id := make([]byte, 8)
	_, _ = rand.Read(id) // never fails
	l := &Launcher{
		logger: logger, hostID: hex.EncodeToString(id), folder: folder,
		starter: newStarter(), running: make(map[*Process]struct{}),
	}
	if !options.DisableCgroups {
		l.cgroups = newCgroupParent(l.hostID)
	}
	l.guard = startGuard(logger, l.hostID, folder, l.cgroups.path(), l.starter)
	return l, nil
}

// Launch starts the command and waits for its handshake, at most the command's handshake timeout or until ctx ends.
// When it fails, the error says what the program did and printed, and nothing of the program is left.
func (l *Launcher) Launch(ctx context.Context, command Command) (*Process, error) {
	if !filepath.IsAbs(command.Path) {
		return nil, fmt.Errorf("the program's path %q is not absolute", command.Path)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	p := newProcess(l, command, strconv.FormatUint(l.serial.Add(1), 10))
	if err := l.add(p); err != nil {
		return nil, err
	}
	if err := p.launch(ctx); err != nil {
		l.remove(p)
		return nil, err
	}
	return p, nil
}

// ErrClosed says that the launcher was closed.
var ErrClosed = errors.New("the plugin launcher is closed")

func (l *Launcher) add(p *Process) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return ErrClosed
	}
	l.running[p] = struct{}{}
	return nil
}

func (l *Launcher) remove(p *Process) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.running, p)
}

// Close kills every process that is left, waits for them, ends the guard and removes the private folder. A graceful end
// is the caller's business before.
func (l *Launcher) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.closed = true
	left := make([]*Process, 0, len(l.running))
	for p := range l.running {
		left = append(left, p)
	}
	l.mu.Unlock()
	for _, p := range left {
		p.Kill()
	}
	for _, p := range left {
		<-p.Done() // bounded: SIGKILL was sent and draining has a deadline
	}
	l.guard.close()
	l.starter.close()
	l.cgroups.remove()
	return os.RemoveAll(l.folder)
}

// starter runs functions on one operating system thread that lives as long as the launcher. The parent-death signal of
// a child is sent when the thread that created it ends, not the process (prctl(2)), and the Go runtime ends threads as
// it likes. The thread also carries the processor affinity that a child inherits.
type starter struct {
	work chan func()
	done chan struct{}
}

func newStarter() *starter {
	s := &starter{work: make(chan func()), done: make(chan struct{})}
	go func() {
		defer close(s.done)
		runtime.LockOSThread()
		defer runtime.UnlockOSThread() // every child is dead by then
		for f := range s.work {
			f()
		}
	}()
	return s
}

// do runs f on the thread and waits for it. f only forks and execs, which does not block for long.
func (s *starter) do(f func()) {
	finished := make(chan struct{})
	s.work <- func() {
		defer close(finished)
		f()
	}
	<-finished
}

func (s *starter) close() {
	close(s.work)
	<-s.done
}
