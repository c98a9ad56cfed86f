package process

import (
	"log/slog"
	"os"
	"os/exec"
	"sync"
	"time"

	"github.com/tailrace/tailrace/host/plugin/guard"
)

// guardRestartDelay keeps a guard that cannot live from being started in a busy loop.
const guardRestartDelay = time.Second

// guardProcess keeps one guard running and tells it what there is to kill. A guard that ends (somebody killed it) is
// started again and told everything anew.
type guardProcess struct {
	logger  *slog.Logger
	starter *starter
	first   []string // the messages that every new guard gets

	mu     sync.Mutex
	pipe   *os.File // the write end; nil while no guard runs
	groups map[int]struct{}
	closed bool

	stop chan struct{}
	done chan struct{}
}

func startGuard(logger *slog.Logger, hostID, folder, cgroup string, starter *starter) *guardProcess {
	g := &guardProcess{
		logger: logger, starter: starter, groups: make(map[int]struct{}),
		first: []string{guard.Marker(hostID), guard.Folder(folder)},
		stop:  make(chan struct{}), done: make(chan struct{}),
	}
	if cgroup != "" {
		g.first = append(g.first, guard.Cgroup(cgroup))
	}
	cmd := g.start()
	go g.keep(cmd)
	return g
}

// start starts one guard. It returns nil when that fails, which is logged: plugins still have the parent-death signal
// and the keep-alive pipe.
func (g *guardProcess) start() *exec.Cmd {
	if guardExecutable == "" {
		return nil
	}
	read, write, err := os.Pipe() // both ends are close-on-exec: only this process holds the write end
	if err != nil {
		g.logger.Error("cannot start the plugin guard", "error", err)
		return nil
	}
	defer read.Close()
	cmd := &exec.Cmd{
		Path: guardExecutable, Args: []string{guard.Arg0}, Dir: "/",
		Env:   []string{"GOMAXPROCS=1", "GOGC=25"},
		Stdin: read, SysProcAttr: guardAttributes(),
	}
	g.starter.do(func() { err = cmd.Start() })
	if err != nil {
		write.Close()
		g.logger.Error("cannot start the plugin guard", "error", err)
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.pipe = write
	for _, message := range g.first {
		g.send(message)
	}
	for pgid := range g.groups {
		g.send(guard.Group(pgid))
	}
	return cmd
}

// send writes a message; the caller holds mu. The guard always reads, so the pipe never fills.
func (g *guardProcess) send(message string) {
	if g.pipe != nil {
		_ = g.pipe.SetWriteDeadline(time.Now().Add(time.Second)) // a stopped guard must not stop the host
		_, _ = g.pipe.WriteString(message)
	}
}

func (g *guardProcess) keep(cmd *exec.Cmd) {
	defer close(g.done)
	for {
		if cmd != nil {
			_ = cmd.Wait()
		}
		g.mu.Lock()
		closed := g.closed
		if g.pipe != nil {
			g.pipe.Close()
			g.pipe = nil
		}
		g.mu.Unlock()
		if closed || guardExecutable == "" {
			return
		}
		g.logger.Warn("the plugin guard ended, starting it again")
		select {
		case <-g.stop:
			return
		case <-time.After(guardRestartDelay):
		}
		cmd = g.start()
	}
}

func (g *guardProcess) watch(pgid int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.groups[pgid] = struct{}{}
	g.send(guard.Group(pgid))
}

func (g *guardProcess) forget(pgid int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.groups, pgid)
	g.send(guard.Forget(pgid))
}

// close ends the guard by end of file. Nothing is left to kill then, so it only removes the folder and ends.
func (g *guardProcess) close() {
	g.mu.Lock()
	g.closed = true
	if g.pipe != nil {
		g.pipe.Close()
		g.pipe = nil
	}
	g.mu.Unlock()
	close(g.stop)
	<-g.done
}
