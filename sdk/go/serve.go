package connect

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/emptypb"

	pluginv1 "github.com/tailrace/tailrace/gen/tailrace/plugin/v1"
	"github.com/tailrace/tailrace/sdk/go/wire"
)

// Exit statuses of a plugin.
const (
	exitOK       = 0
	exitUsage    = 1 // started by a person, or the plugin is unusable
	exitServe    = 2 // the socket failed
	exitHostGone = 3
)

const (
	// coreProtocol is the first field of go-plugin's handshake.
	coreProtocol = 1
	// windowBytes are the HTTP/2 windows: above what a host grants as credit at once,
	// so that credit decides and not the window. Setting one alone would leave the other at 64 KiB.
	windowBytes = 8 << 20
	// ioBufferBytes: frames are written in pieces of 16 KiB, so more gains nothing.
	ioBufferBytes = 32 << 10
	// gcPercent keeps the heap close to what lives. Batches are reused, so the collector has
	// little to do; Plugin.GCPercent and GOGC override it.
	gcPercent = 50
)

// Serve is the main function of a plugin. It never returns: the process ends when the
// worker says so, or at once when the worker is gone.
//
// It does what go-plugin's Serve does, in its own few lines, for three reasons. That one moves
// standard output and error into a pipe that is only read by go-plugin's own client,
// which the worker does not use (see host/plugin/process): a connector that prints would
// block. It cannot watch the keep-alive pipe. And it pulls in net/rpc,
// yamux, a broker, hclog and TLS, which cost start time and memory in every plugin.
func Serve(p Plugin) {
	if slices.Contains(os.Args[1:], "--describe") {
		os.Exit(printDescription(&p))
	}
	if os.Getenv(wire.MagicCookieKey) != wire.MagicCookieValue {
		hint(&p)
		os.Exit(exitUsage)
	}
	watchKeepAlive()
	p.tuneCollector()
	stdout := quietStdout()
	if err := serve(&p, stdout); err != nil {
		fmt.Fprintf(os.Stderr, "plugin %s: %v\n", p.Name, err)
		os.Exit(exitServe)
	}
	os.Exit(exitOK)
}

func (p *Plugin) tuneCollector() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(cmp.Or(p.GCPercent, gcPercent))
	}
}

func hint(p *Plugin) {
	var names []string
	for i := range p.Sources {
		names = append(names, p.Sources[i].Name+" (source)")
	}
	for i := range p.Sinks {
		names = append(names, p.Sinks[i].Name+" (sink)")
	}
	key := "connector.class"
	if len(names) == 0 {
		key = "transforms.NAME.type"
	}
	for i := range p.Transforms {
		names = append(names, p.Transforms[i].Name+" (transform)")
	}
	fmt.Fprintf(os.Stderr, `%s %s is a Tailrace plugin. It offers: %s.
It is not started by hand: put it into a folder of the worker's plugin.path
and create a connector with %s=%s.
To see what it offers and which keys it takes: %s --describe
`, p.Name, p.Version, strings.Join(names, ", "), key, firstWord(names), filepath.Base(os.Args[0]))
	if err := p.check(); err != nil {
		fmt.Fprintf(os.Stderr, "\nThe plugin has mistakes:\n%v\n", err)
	}
}

func firstWord(names []string) string {
	if len(names) == 0 {
		return "<name>"
	}
	name, _, _ := strings.Cut(names[0], " ")
	return name
}

func printDescription(p *Plugin) int {
	if err := p.check(); err != nil {
		fmt.Fprintf(os.Stderr, "the plugin has mistakes:\n%v\n", err)
		return exitUsage
	}
	d, err := describe(p)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return exitUsage
	}
	b, err := protojson.MarshalOptions{Multiline: true, UseProtoNames: true}.Marshal(d)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return exitUsage
	}
	fmt.Println(string(b))
	return exitOK
}

// watchKeepAlive ends the process when the worker is gone (I-10).
func watchKeepAlive() {
	fd, err := strconv.Atoi(os.Getenv(wire.KeepAliveFDKey))
	if err != nil || fd < 3 {
		return
	}
	syscall.CloseOnExec(fd) // a child of the connector must not hold it
	pipe := os.NewFile(uintptr(fd), "keepalive")
	go func() {
		if _, err := io.Copy(io.Discard, pipe); err == nil {
			os.Exit(exitHostGone)
		}
		// Not a pipe: the worker was started without one, its signals must do.
	}()
}

// quietStdout keeps the real standard output for the handshake and gives connectors
// standard error instead, so that a Println harms nothing.
func quietStdout() io.Writer {
	real := os.Stdout
	os.Stdout = os.Stderr
	slog.SetDefault(slog.New(slog.NewTextHandler(os.Stderr, nil)))
	return real
}

func serve(p *Plugin, stdout io.Writer) error {
	if err := p.check(); err != nil {
		return err
	}
	if err := checkMajor(os.Getenv("PLUGIN_PROTOCOL_VERSIONS")); err != nil {
		return err
	}
	listener, remove, err := listen(os.Getenv("PLUGIN_UNIX_SOCKET_DIR"))
	if err != nil {
		return err
	}
	defer remove()
	stop := make(chan struct{}, 1)
	server := NewServer(&service{plugin: p}, func() {
		select {
		case stop <- struct{}{}:
		default:
		}
	})
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()

	// Ctrl-C in the worker's terminal reaches the whole group; the worker decides.
	signal.Ignore(os.Interrupt)
	line := bufio.NewWriter(stdout)
	fmt.Fprintf(line, "%d|%d|unix|%s|grpc\n", coreProtocol, wire.ProtocolMajor, listener.Addr())
	if err := line.Flush(); err != nil {
		return fmt.Errorf("write the handshake line: %w", err)
	}
	select {
	case err := <-served:
		return fmt.Errorf("serve on %s: %w", listener.Addr(), err)
	case <-stop:
	}
	// The answer to Shutdown must leave; streams are drained by the protocol before.
	ended := make(chan struct{})
	go func() { server.GracefulStop(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(time.Second):
	}
	return nil
}

func checkMajor(offered string) error {
	if offered == "" {
		return nil
	}
	if !slices.Contains(strings.Split(offered, ","), strconv.Itoa(wire.ProtocolMajor)) {
		return fmt.Errorf("the worker speaks plugin protocol %s, this plugin speaks %d: use a worker and a plugin of the same major version", offered, wire.ProtocolMajor)
	}
	return nil
}

// listen opens a unix socket in a private folder.
func listen(dir string) (net.Listener, func(), error) {
	own, err := os.MkdirTemp(dir, "p")
	if err != nil {
		return nil, nil, fmt.Errorf("make a folder for the socket: %w", err)
	}
	remove := func() { _ = os.RemoveAll(own) }
	l, err := net.Listen("unix", filepath.Join(own, "s")) //nolint:noctx // a local socket, nothing to wait for
	if err != nil {
		remove()
		return nil, nil, fmt.Errorf("listen on a socket in %s (a path of a unix socket is at most 107 characters): %w", own, err)
	}
	return l, remove, nil
}

// NewServer is the gRPC server of a plugin with its three services: the protocol's, health and
// go-plugin's controller, whose Shutdown calls the given function. It is
// for test kits that bring their own transport; a plugin calls [Serve].
func NewServer(svc pluginv1.ConnectorPluginServiceServer, shutdown func()) *grpc.Server {
	server := grpc.NewServer(
		grpc.ForceServerCodecV2(wire.Codec{}),
		grpc.MaxRecvMsgSize(wire.MaxMessageBytes),
		grpc.MaxSendMsgSize(wire.MaxMessageBytes),
		grpc.StaticStreamWindowSize(windowBytes),
		grpc.StaticConnWindowSize(windowBytes),
		grpc.ReadBufferSize(ioBufferBytes),
		grpc.WriteBufferSize(ioBufferBytes),
		grpc.ConnectionTimeout(10*time.Second),
	)
	pluginv1.RegisterConnectorPluginServiceServer(server, svc)
	status := health.NewServer()
	status.SetServingStatus("plugin", healthv1.HealthCheckResponse_SERVING)
	healthv1.RegisterHealthServer(server, status)
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: "plugin.GRPCController",
		HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{{MethodName: "Shutdown", Handler: func(
			_ any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor,
		) (any, error) {
			if err := decode(new(emptypb.Empty)); err != nil {
				return nil, err
			}
			shutdown()
			return new(emptypb.Empty), nil
		}}},
	}, struct{}{})
	return server
}
