package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// node is one worker. Its process is started again a second after it has ended by itself, as a supervisor would do.
type node struct {
	argv []string
	url  string
	log  string // file

	mu     sync.Mutex
	cmd    *exec.Cmd
	exited chan struct{}
	down   bool // shall not run
	paused bool
	ends   int // times that it ended without being asked to
}

const supervisorDelay = time.Second

// start runs the worker. It does not wait until it serves.
func (n *node) start() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.down = false
	return n.startLocked()
}

func (n *node) startLocked() error {
	if n.cmd != nil {
		return nil
	}
	out, err := os.OpenFile(n.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	cmd := exec.Command(n.argv[0], n.argv[1:]...) //nolint:noctx // ended by kill or stop
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return err
	}
	n.cmd, n.exited = cmd, make(chan struct{})
	go n.watch(cmd, n.exited)
	return nil
}

// watch waits for the end of a process and starts the next one unless the end was wanted.
func (n *node) watch(cmd *exec.Cmd, exited chan struct{}) {
	_ = cmd.Wait()
	n.mu.Lock()
	n.cmd, n.paused = nil, false
	wanted := n.down
	if !wanted {
		n.ends++
	}
	n.mu.Unlock()
	close(exited)
	if wanted {
		return
	}
	time.Sleep(supervisorDelay)
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.down {
		_ = n.startLocked()
	}
}

// end sends a signal that ends the process and waits until it has.
func (n *node) end(s syscall.Signal) {
	n.mu.Lock()
	n.down = true
	cmd, exited := n.cmd, n.exited
	if cmd != nil {
		_ = cmd.Process.Signal(s)
		if n.paused {
			_ = cmd.Process.Signal(syscall.SIGCONT)
		}
	}
	n.mu.Unlock()
	if cmd == nil {
		return
	}
	select {
	case <-exited:
	case <-time.After(40 * time.Second):
		_ = cmd.Process.Kill()
		<-exited
	}
}

func (n *node) pause(on bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.cmd == nil {
		return
	}
	n.paused = on
	s := syscall.SIGCONT
	if on {
		s = syscall.SIGSTOP
	}
	_ = n.cmd.Process.Signal(s)
}

func (n *node) running() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.cmd != nil && !n.paused
}

// call makes a request on a connection of its own and reads JSON into answer, unless that is nil.
func (n *node) call(ctx context.Context, method, path string, body, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	var in io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return err
		}
		in = bytes.NewReader(raw)
	}
	request, err := http.NewRequestWithContext(ctx, method, n.url+path, in)
	if err != nil {
		return err
	}
	request.Close = true
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return err
	}
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("%s %s: %s: %.300s", method, path, response.Status, raw)
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(raw, answer)
}

// newNode writes the worker's properties.
func newNode(dir string, i int, net *network, program string, port int, props map[string]string) (*node, error) {
	file := filepath.Join(dir, fmt.Sprintf("worker-%d.properties", i))
	var text bytes.Buffer
	for k, v := range props {
		fmt.Fprintf(&text, "%s=%s\n", k, v)
	}
	address := fmt.Sprintf("http://%s:%d", net.address(i), port)
	fmt.Fprintf(&text, "listeners=%s\n", address)
	if err := os.WriteFile(file, text.Bytes(), 0o600); err != nil {
		return nil, err
	}
	return &node{
		argv: net.command(i, program, "distributed", file), url: address, down: true,
		log: filepath.Join(dir, fmt.Sprintf("worker-%d.log", i)),
	}, nil
}
