package plugin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/known/emptypb"

	pluginv1 "github.com/tailrace/tailrace/gen/tailrace/plugin/v1"
	"github.com/tailrace/tailrace/host/plugin/process"
	"github.com/tailrace/tailrace/sdk/go/wire"
)

// Flow control of the connection. Both windows are set, because setting one leaves the other at 64 KiB. They are above
// the credit of a task, so that the credit decides and not HTTP/2; gRPC gives the connection's window back on receipt,
// so that one stream that is not read does not stop the others.
const (
	streamWindowBytes     = 16 << 20
	connectionWindowBytes = 32 << 20
	socketBufferBytes     = 1 << 20
	maxHeaderListBytes    = 64 << 10
)

// Timeouts bound what a plugin may take. Zero fields get the value of DefaultTimeouts.
type Timeouts struct {
	Handshake time.Duration // from the start of the process to its handshake
	Describe  time.Duration
	Validate  time.Duration
	Start     time.Duration // from opening a stream to Started
	Answer    time.Duration // for each question on a connector's stream
	Send      time.Duration // how long a plugin may leave its stream unread
	Ping      time.Duration
	Shutdown  time.Duration // for go-plugin's Shutdown and the exit after it
	Term      time.Duration // from SIGTERM to SIGKILL
}

// DefaultTimeouts are the protocol's.
var DefaultTimeouts = Timeouts{
	Handshake: process.DefaultHandshakeTimeout, Describe: 10 * time.Second, Validate: 15 * time.Second,
	Start: 60 * time.Second, Answer: 60 * time.Second, Send: 30 * time.Second, Ping: 5 * time.Second,
	Shutdown: 2 * time.Second, Term: process.DefaultTermGrace,
}

func (t Timeouts) withDefaults() Timeouts {
	for _, f := range []struct {
		value       *time.Duration
		defaultTime time.Duration
	}{
		{&t.Handshake, DefaultTimeouts.Handshake},
		{&t.Describe, DefaultTimeouts.Describe},
		{&t.Validate, DefaultTimeouts.Validate},
		{&t.Start, DefaultTimeouts.Start},
		{&t.Answer, DefaultTimeouts.Answer},
		{&t.Send, DefaultTimeouts.Send},
		{&t.Ping, DefaultTimeouts.Ping},
		{&t.Shutdown, DefaultTimeouts.Shutdown},
		{&t.Term, DefaultTimeouts.Term},
	} {
		if *f.value <= 0 {
			*f.value = f.defaultTime
		}
	}
	return t
}

// Instance is one running plugin process and the client on it. Its methods may be called from any goroutine.
type Instance struct {
	name        string
	hostVersion string
	process     *process.Process
	conn        *grpc.ClientConn
	client      pluginv1.ConnectorPluginServiceClient
	logger      *slog.Logger
	mask        func(string) string
	timeouts    Timeouts

	ctx        context.Context // ends with the process, its cause is a *DeathError
	cancel     context.CancelCauseFunc
	done       chan struct{}
	background sync.WaitGroup
	release    func() // set by the Host
	info       ProcessInfo
}

func startInstance(ctx context.Context, launcher *process.Launcher, logger *slog.Logger, hostVersion string, command process.Command, timeouts Timeouts) (*Instance, error) {
	timeouts = timeouts.withDefaults()
	command.HandshakeTimeout = timeouts.Handshake
	running, err := launcher.Launch(ctx, command)
	if err != nil {
		return nil, err
	}
	conn, err := dial(running)
	if err != nil {
		running.Kill()
		<-running.Done()
		return nil, fmt.Errorf("cannot use the plugin's socket: %w", err)
	}
	if command.Mask == nil {
		command.Mask = func(line string) string { return line }
	}
	i := &Instance{
		name: command.Plugin, hostVersion: hostVersion, process: running, conn: conn,
		client: pluginv1.NewConnectorPluginServiceClient(conn),
		logger: logger.With("plugin", command.Plugin), mask: command.Mask, timeouts: timeouts,
		done: make(chan struct{}),
	}
	i.ctx, i.cancel = context.WithCancelCause(context.Background())
	i.background.Go(i.relayStdio)
	go i.awaitEnd()
	return i, nil
}

func dial(running *process.Process) (*grpc.ClientConn, error) {
	return grpc.NewClient("passthrough:///plugin",
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return running.Dial(ctx) }),
		grpc.WithTransportCredentials(insecure.NewCredentials()), // a socket in a private folder, see process.launch
		grpc.WithDisableServiceConfig(), grpc.WithDisableRetry(), grpc.WithIdleTimeout(0),
		grpc.WithInitialWindowSize(streamWindowBytes), grpc.WithInitialConnWindowSize(connectionWindowBytes),
		grpc.WithReadBufferSize(socketBufferBytes), grpc.WithWriteBufferSize(socketBufferBytes),
		grpc.WithMaxHeaderListSize(maxHeaderListBytes),
		grpc.WithDefaultCallOptions(
			grpc.ForceCodecV2(wire.Codec{}),
			grpc.MaxCallRecvMsgSize(wire.MaxMessageBytes), grpc.MaxCallSendMsgSize(math.MaxInt32)))
}

func (i *Instance) awaitEnd() {
	<-i.process.Done()
	i.cancel(&DeathError{Plugin: i.name, Exit: i.process.Exit()})
	_ = i.conn.Close()
	i.background.Wait()
	close(i.done)
}

// Name is the plugin's name.
func (i *Instance) Name() string { return i.name }

// PID is the process id.
func (i *Instance) PID() int { return i.process.PID() }

// Done is closed when the process has ended and nothing of it is left.
func (i *Instance) Done() <-chan struct{} { return i.done }

// Exit tells how the process ended. It blocks until Done.
func (i *Instance) Exit() process.Exit { return i.process.Exit() }

// PeakMemoryBytes is the highest resident memory seen.
func (i *Instance) PeakMemoryBytes() int64 { return i.process.PeakMemoryBytes() }

// Kill ends the process at once, without waiting for it.
func (i *Instance) Kill() { i.process.Kill() }

// Close ends the process: go-plugin's Shutdown, then SIGTERM, then SIGKILL, each after its timeout. Draining the streams
// is the caller's part before; Shutdown cuts what is open. When ctx ends, the process is killed at once. Safe to call twice.
func (i *Instance) Close(ctx context.Context) process.Exit {
	i.process.Stopping()
	grace := i.timeouts.Shutdown
	callCtx, cancel := context.WithTimeout(ctx, grace)
	err := i.conn.Invoke(callCtx, "/plugin.GRPCController/Shutdown", &emptypb.Empty{}, &emptypb.Empty{})
	cancel()
	if code := status.Code(err); code == codes.Unimplemented || code == codes.DeadlineExceeded {
		grace = 0
	}
	exit := i.process.Stop(ctx, grace, i.timeouts.Term)
	<-i.done
	return exit
}

// awaitDeath waits a moment for the process's end and returns it as an error, nil when the process lives.
func (i *Instance) awaitDeath(limit time.Duration) error {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-i.process.Done():
		return &DeathError{Plugin: i.name, Exit: i.process.Exit()}
	case <-timer.C:
		return nil
	}
}

// explain finds the reason behind the error of a unary call.
func (i *Instance) explain(call string, err error) error {
	if code := status.Code(err); code == codes.Unavailable || code == codes.Canceled {
		if death := i.awaitDeath(deathWait); death != nil {
			return death
		}
	}
	return rpcError(call, err)
}

// Ping asks the plugin's health service. An error means that the process is of no use any more.
func (i *Instance) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, i.timeouts.Ping)
	defer cancel()
	answer, err := grpc_health_v1.NewHealthClient(i.conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: "plugin"})
	if err != nil {
		return i.explain("the health check", err)
	}
	if answer.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING {
		return fmt.Errorf("the plugin says of itself that it is %s", answer.GetStatus())
	}
	return nil
}

// Describe asks the plugin what it offers. The answer is not checked, see Description.Check.
func (i *Instance) Describe(ctx context.Context) (Description, error) {
	ctx, cancel := context.WithTimeout(ctx, i.timeouts.Describe)
	defer cancel()
	answer, err := i.client.Describe(ctx, &pluginv1.DescribeRequest{HostVersion: i.hostVersion, HostCapabilities: hostCapabilities},
		grpc.MaxCallRecvMsgSize(wire.MaxFrameBytes))
	if err != nil {
		return Description{}, i.explain("Describe", err)
	}
	return readDescription(answer), nil
}

// Validate asks the plugin to check a connector's configuration, secrets resolved.
func (i *Instance) Validate(ctx context.Context, connector string, config map[string]string) ([]ConfigValue, error) {
	ctx, cancel := context.WithTimeout(ctx, i.timeouts.Validate)
	defer cancel()
	answer, err := i.client.Validate(ctx, &pluginv1.ValidateRequest{Connector: connector, Config: config},
		grpc.MaxCallRecvMsgSize(wire.MaxFrameBytes))
	if err != nil {
		return nil, i.explain("Validate", err)
	}
	return readConfigValues(answer.GetValues()), nil
}

// relayStdio reads go-plugin's stdio service. A program that uses go-plugin's Serve has its stdout and stderr turned into
// pipes behind this service and blocks when nobody reads them. Other plugins do not offer it.
func (i *Instance) relayStdio() {
	stream, err := i.conn.NewStream(i.ctx, &grpc.StreamDesc{ServerStreams: true}, "/plugin.GRPCStdio/StreamStdio")
	if err == nil {
		err = stream.SendMsg(&emptypb.Empty{})
	}
	if err == nil {
		err = stream.CloseSend()
	}
	if err != nil {
		return
	}
	stdout, stderr := i.process.LogWriter("stdout"), i.process.LogWriter("stderr")
	for {
		var chunk stdioChunk
		if err := stream.RecvMsg(&chunk); err != nil {
			return
		}
		if chunk.channel == stdioStdout {
			_, _ = stdout.Write(chunk.data)
		} else {
			_, _ = stderr.Write(chunk.data)
		}
	}
}

const stdioStdout = 1

// stdioChunk is go-plugin's StdioData{channel = 1, data = 2}, whose generated type is internal to go-plugin.
type stdioChunk struct {
	channel uint64
	data    []byte
}

// UnmarshalVTUnsafe makes the chunk readable for wire.Codec.
func (c *stdioChunk) UnmarshalVTUnsafe(message []byte) error {
	for len(message) > 0 {
		number, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return protowire.ParseError(n)
		}
		message = message[n:]
		switch {
		case number == 1 && kind == protowire.VarintType:
			c.channel, n = protowire.ConsumeVarint(message)
		case number == 2 && kind == protowire.BytesType:
			c.data, n = protowire.ConsumeBytes(message)
		default:
			n = protowire.ConsumeFieldValue(number, kind, message)
		}
		if n < 0 {
			return protowire.ParseError(n)
		}
		message = message[n:]
	}
	return nil
}

// errNotOpen says that a method was called on a stream that is over.
var errNotOpen = errors.New("the stream is closed")
