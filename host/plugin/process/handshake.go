package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-plugin/runner"
)

// maxNoiseBytes is what a plugin may print on stdout before the handshake line.
const maxNoiseBytes = 1 << 20

// ownEndWait is how long a process whose handshake failed may take to end by itself.
const ownEndWait = 100 * time.Millisecond

// handshakeLine is go-plugin's: core version | application version | network | address | protocol | …
var handshakeLine = regexp.MustCompile(`^\s*\d+\|\d+\|(unix|tcp)\|[^|]+\|(grpc|netrpc)(\||\s*$)`)

// handshakeFilter gives go-plugin the handshake line and nothing else: every other line on stdout is noise that a
// runtime or a wrapper prints, and goes to the log.
type handshakeFilter struct {
	logger *slog.Logger
	read   *io.PipeReader
	write  *io.PipeWriter

	mu    sync.Mutex
	found bool
	fault string
}

func newHandshakeFilter(logger *slog.Logger) *handshakeFilter {
	read, write := io.Pipe()
	return &handshakeFilter{logger: logger, read: read, write: write}
}

// line takes one line of stdout. Called by the stdout reader only.
func (h *handshakeFilter) line(line []byte, totalBytes int) bool {
	if h.found {
		return false
	}
	if handshakeLine.Match(line) {
		h.mu.Lock()
		h.found = true
		h.mu.Unlock()
		_, _ = h.write.Write(append([]byte(strings.TrimSpace(string(line))), '\n'))
		_ = h.write.Close()
		return true
	}
	if totalBytes > maxNoiseBytes {
		h.fail(fmt.Sprintf("it printed more than %d KiB on stdout without a handshake line", maxNoiseBytes>>10))
	}
	return false
}

func (h *handshakeFilter) fail(fault string) {
	h.mu.Lock()
	if h.fault == "" {
		h.fault = fault
	}
	h.mu.Unlock()
	_ = h.write.Close()
}

// close ends go-plugin's wait when stdout has ended.
func (h *handshakeFilter) close() { _ = h.write.Close() }

func (h *handshakeFilter) state() (found bool, fault string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.found, h.fault
}

// launch starts the process through go-plugin and waits for the handshake.
func (p *Process) launch(ctx context.Context) error {
	timeout := p.command.handshakeTimeout()
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	launched := func() bool { return true } // stops the deadline; false when it has passed
	client := goplugin.NewClient(&goplugin.ClientConfig{
		HandshakeConfig:  goplugin.HandshakeConfig{MagicCookieKey: CookieKey, MagicCookieValue: CookieValue},
		VersionedPlugins: map[int]goplugin.PluginSet{ProtocolVersion: {}},
		AllowedProtocols: []goplugin.Protocol{goplugin.ProtocolGRPC},
		SkipHostEnv:      true,
		// AutoMTLS stays off: the socket lies in a folder that only this user can enter, so TLS would guard against nobody
		// and cost processor time on every byte.
		AutoMTLS:         false,
		Logger:           hclog.NewNullLogger(), // what it would say is said by this package
		StartTimeout:     timeout + time.Second, // ours is first
		UnixSocketConfig: &goplugin.UnixSocketConfig{TempDir: p.launcher.folder},
		RunnerFunc: func(_ hclog.Logger, spec *exec.Cmd, socketFolder string) (runner.Runner, error) {
			return &seam{process: p, env: spec.Env, socketFolder: socketFolder, ctx: ctx, launched: &launched}, nil
		},
	})
	address, err := client.Start()
	if err == nil && launched() {
		p.address = address
		return nil
	}
	// client.Kill is never called: it would dial a socket whose process is dead and leave the connection behind.
	if p.pid == 0 { // never started
		return p.launchError(ctx, err, nil)
	}
	p.killBecause(CauseHandshake, "it did not complete the handshake")
	exit := p.Exit()
	return p.launchError(ctx, err, &exit)
}

// LaunchError says why a plugin could not be started.
type LaunchError struct {
	Path   string
	Reason string
	Exit   *Exit // nil when no process was started
	Err    error // the cause, nil when Reason says it all
}

func (e *LaunchError) Error() string { return e.Reason }

func (e *LaunchError) Unwrap() error { return e.Err }

// launchError finds the words for a failed start. exit is nil when the program was never started.
func (p *Process) launchError(ctx context.Context, cause error, exit *Exit) error {
	failure := &LaunchError{Path: p.command.Path, Exit: exit}
	if exit == nil {
		failure.Reason, failure.Err = cause.Error(), cause
		return failure
	}
	found, fault := p.handshake.state()
	switch {
	case fault != "":
		failure.Reason = fault + "; is it a Tailrace plugin?"
	case errors.Is(context.Cause(ctx), context.DeadlineExceeded):
		failure.Reason = fmt.Sprintf("it printed no handshake line within %s; is it a Tailrace plugin?", p.command.handshakeTimeout())
		if found {
			failure.Reason = fmt.Sprintf("its start did not finish within %s", p.command.handshakeTimeout())
		}
	case ctx.Err() != nil:
		failure.Reason, failure.Err = "its start was cancelled", ctx.Err()
	case found:
		failure.Reason, failure.Err = handshakeText(cause), cause
	case exit.Cause == CauseMemoryLimit:
		failure.Reason = "it " + exit.Error()
		return failure
	case exit.Cause == CauseHandshake && exit.Signal == syscall.SIGKILL:
		failure.Reason = "it closed its stdout without printing a handshake line; is it a Tailrace plugin?"
	default:
		ended := *exit
		if ended.Cause == CauseHandshake { // it ended by itself just before the kill
			ended.Cause = CauseExited
		}
		failure.Reason = "it ended before the handshake: it " + ended.Error()
		return failure
	}
	if len(exit.Output) > 0 {
		failure.Reason += "; its last output:\n  " + strings.Join(exit.Output, "\n  ")
	}
	return failure
}

// handshakeText rewrites go-plugin's message on versions, the one that a user meets.
func handshakeText(err error) string {
	text := err.Error()
	if _, rest, found := strings.Cut(text, "incompatible API version with plugin. Plugin version: "); found {
		version, _, _ := strings.Cut(rest, ",")
		return "it speaks version " + version + " of the plugin protocol, and this worker speaks version " +
			strconv.Itoa(ProtocolVersion) + "; install a build of the plugin for this version"
	}
	return "its handshake was refused: " + text
}

// seam is go-plugin's view of a process. go-plugin gets the handshake line on stdout, an empty stderr, and no say in the
// process's end.
type seam struct {
	process      *Process
	env          []string
	socketFolder string
	ctx          context.Context // of the launch
	launched     *func() bool
}

var _ runner.Runner = (*seam)(nil)

func (s *seam) Start(context.Context) error {
	if err := s.process.start(s.env, s.socketFolder); err != nil {
		return err
	}
	// The kill closes the plugin's stdout, which ends go-plugin's wait.
	*s.launched = context.AfterFunc(s.ctx, func() { //nolint:contextcheck // go-plugin's own context ends with the start
		s.process.killBecause(CauseHandshake, "it did not complete the handshake in time")
	})
	return nil
}

func (s *seam) Stdout() io.ReadCloser { return s.process.handshake.read }

func (s *seam) Stderr() io.ReadCloser { return io.NopCloser(strings.NewReader("")) }

func (s *seam) Name() string { return s.process.command.Path }

func (s *seam) ID() string { return strconv.Itoa(s.process.pid) }

func (s *seam) Diagnose(context.Context) string { return "" }

func (s *seam) Wait(ctx context.Context) error {
	select {
	case <-s.process.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Kill is called by go-plugin when the start failed, also when the process is about to be seen dead: its own end is the
// better explanation, so it gets a moment.
func (s *seam) Kill(context.Context) error {
	select {
	case <-s.process.dead:
		return nil
	case <-time.After(ownEndWait):
	}
	s.process.killBecause(CauseHandshake, "its handshake was refused")
	return nil
}

// PluginToHost accepts sockets below the process's private folder only (a library may make a folder of its own there). A plugin must not make the host dial anywhere else.
func (s *seam) PluginToHost(network, address string) (string, string, error) {
	if network != "unix" {
		return "", "", fmt.Errorf("it listens on %s %s, and a plugin must listen on a unix socket in PLUGIN_UNIX_SOCKET_DIR", network, address)
	}
	if !strings.HasPrefix(filepath.Clean(address), s.socketFolder+string(filepath.Separator)) {
		return "", "", fmt.Errorf("it listens on %s, which is not in PLUGIN_UNIX_SOCKET_DIR (%s)", address, s.socketFolder)
	}
	return network, address, nil
}

func (s *seam) HostToPlugin(network, address string) (string, string, error) {
	return network, address, nil
}

// Dial connects to the plugin's socket.
func (p *Process) Dial(ctx context.Context) (net.Conn, error) {
	var dialer net.Dialer
	return dialer.DialContext(ctx, p.address.Network(), p.address.String())
}
