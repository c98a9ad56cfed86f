package connecttest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/types/known/emptypb"

	pluginv1 "github.com/tailrace/tailrace/gen/tailrace/plugin/v1"
	connect "github.com/tailrace/tailrace/sdk/go"
	"github.com/tailrace/tailrace/sdk/go/wire"
)

const (
	startTimeout = 10 * time.Second
	windowBytes  = 8 << 20
)

// Target is a plugin to test: [InProcess] or [Program].
type Target interface {
	launch(t testing.TB) *instance
}

// instance is one running plugin.
type instance struct {
	conn   *grpc.ClientConn
	client pluginv1.ConnectorPluginServiceClient
	proc   *process // nil in process
}

type inProcess struct{ p connect.Plugin }

// InProcess is a plugin written with this SDK, run in the test's own process.
func InProcess(p connect.Plugin) Target { return inProcess{p} }

func (p inProcess) launch(t testing.TB) *instance {
	t.Helper()
	svc, err := connect.NewService(p.p)
	if err != nil {
		t.Fatalf("plugin: %v", err)
	}
	server := connect.NewServer(svc, func() {})
	listener := bufconn.Listen(1 << 20)
	served := make(chan struct{})
	go func() { defer close(served); _ = server.Serve(listener) }()
	conn := dial(t, func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) })
	t.Cleanup(func() {
		_ = conn.Close()
		server.Stop()
		<-served
	})
	return &instance{conn: conn, client: pluginv1.NewConnectorPluginServiceClient(conn)}
}

func dial(t testing.TB, dialer func(context.Context, string) (net.Conn, error)) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///plugin",
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(dialer),
		grpc.WithStaticStreamWindowSize(windowBytes), grpc.WithStaticConnWindowSize(windowBytes),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(wire.Codec{}),
			grpc.MaxCallRecvMsgSize(wire.MaxMessageBytes), grpc.MaxCallSendMsgSize(wire.MaxMessageBytes)))
	if err != nil {
		t.Fatalf("dial: %v", err)
	}
	return conn
}

type program struct {
	command []string
	env     []string
}

// Program is a plugin as a program: its path and arguments. It runs as the worker runs it:
// a clean environment, a private socket folder, a keep-alive pipe.
func Program(path string, args ...string) Target {
	return program{command: append([]string{path}, args...)}
}

// process is a started program.
type process struct {
	cmd       *exec.Cmd
	keepAlive *os.File
	done      chan struct{}
	state     error

	mu     sync.Mutex
	stderr strings.Builder
}

func (p program) start(t testing.TB, cookie bool) (*process, string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "tr") //nolint:usetesting // t.TempDir is too long for a unix socket
	if err != nil {
		t.Fatal(err)
	}
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(p.command[0], p.command[1:]...) //nolint:noctx // the plugin under test; ended by cleanup
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "PLUGIN_PROTOCOL_VERSIONS=1", "PLUGIN_UNIX_SOCKET_DIR=" + dir, wire.KeepAliveFDKey + "=3"}, p.env...)
	if cookie {
		cmd.Env = append(cmd.Env, wire.MagicCookieKey+"="+wire.MagicCookieValue)
	}
	cmd.ExtraFiles = []*os.File{read}
	proc := &process{cmd: cmd, keepAlive: write, done: make(chan struct{})}
	cmd.Stderr = proc
	stdout, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout = out
	if err := cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", p.command[0], err)
	}
	_ = read.Close()
	_ = out.Close()
	go func() { proc.state = cmd.Wait(); close(proc.done) }()
	line := make(chan string, 1)
	go func() {
		r := bufio.NewReader(stdout)
		first, _ := r.ReadString('\n')
		line <- strings.TrimSpace(first)
		_, _ = io.Copy(io.Discard, r)
		_ = stdout.Close()
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-proc.done
		_ = write.Close()
		_ = os.RemoveAll(dir)
	})
	select {
	case l := <-line:
		return proc, l
	case <-time.After(startTimeout):
		t.Fatalf("%s printed no handshake line within %s; stderr:\n%s", p.command[0], startTimeout, proc.output())
		return nil, ""
	}
}

func (p program) launch(t testing.TB) *instance {
	t.Helper()
	proc, line := p.start(t, true)
	fields := strings.Split(line, "|")
	if len(fields) < 5 || fields[0] != "1" || fields[1] != "1" || fields[2] != "unix" || fields[4] != "grpc" {
		t.Fatalf("handshake line is %q, want 1|1|unix|<path>|grpc; stderr:\n%s", line, proc.output())
	}
	conn := dial(t, func(ctx context.Context, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", fields[3])
	})
	t.Cleanup(func() { _ = conn.Close() })
	return &instance{conn: conn, client: pluginv1.NewConnectorPluginServiceClient(conn), proc: proc}
}

// Write takes standard error.
func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stderr.Len() < 1<<20 {
		p.stderr.Write(b)
	}
	return len(b), nil
}

func (p *process) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stderr.String()
}

// exited waits for the end of the program.
func (p *process) exited(within time.Duration) error {
	select {
	case <-p.done:
		return nil
	case <-time.After(within):
		return fmt.Errorf("the program still runs after %s", within)
	}
}

// shutdown calls go-plugin's controller.
func (i *instance) shutdown(ctx context.Context) error {
	err := i.conn.Invoke(ctx, "/plugin.GRPCController/Shutdown", &emptypb.Empty{}, &emptypb.Empty{})
	if err != nil && errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// Client launches a plugin and gives its raw gRPC client, for tests that say every frame themselves.
func Client(t testing.TB, target Target) pluginv1.ConnectorPluginServiceClient {
	t.Helper()
	return target.launch(t).client
}
