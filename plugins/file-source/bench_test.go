package main

import (
	"bufio"
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	pluginv1 "github.com/tailrace/tailrace/gen/tailrace/plugin/v1"
	connect "github.com/tailrace/tailrace/sdk/go"
	"github.com/tailrace/tailrace/sdk/go/wire"
)

// BenchmarkPluginProcess measures the CPU of the plugin's process alone, per line, reading a file of 100-byte lines. The
// receiver grants credit and looks at nothing. It counts the process from its start to its end.
func BenchmarkPluginProcess(b *testing.B) {
	dir := b.TempDir()
	program := filepath.Join(dir, "file-source")
	out, err := exec.CommandContext(b.Context(), "go", "build", "-o", program, ".").CombinedOutput()
	require.NoError(b, err, string(out))
	input := filepath.Join(dir, "in.txt")
	const count = 2_000_000
	require.NoError(b, os.WriteFile(input, bytes.Repeat([]byte(strings.Repeat("x", 99)+"\n"), count), 0o600))
	for _, batch := range []int{500, 2000, 10000} {
		b.Run("batch="+strconv.Itoa(batch), func(b *testing.B) {
			for b.Loop() {
				cpu, wall := readAll(b, program, connect.Config{"file": input, "topic": "t", "batch.size": strconv.Itoa(batch)}, count)
				b.ReportMetric(float64(cpu.Nanoseconds())/count, "cpu-ns/line")
				b.ReportMetric(count/wall.Seconds(), "lines/s")
			}
		})
	}
}

func readAll(b *testing.B, program string, cfg connect.Config, count int) (cpu, wall time.Duration) {
	dir, err := os.MkdirTemp("", "tr") //nolint:usetesting // b.TempDir is too long for a socket's path
	require.NoError(b, err)
	defer os.RemoveAll(dir)
	cmd := exec.CommandContext(b.Context(), program)
	cmd.Env = []string{"PLUGIN_PROTOCOL_VERSIONS=1", "PLUGIN_UNIX_SOCKET_DIR=" + dir, wire.MagicCookieKey + "=" + wire.MagicCookieValue}
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	require.NoError(b, err)
	require.NoError(b, cmd.Start())
	line, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(b, err)
	socket := strings.Split(line, "|")[3]
	conn, err := grpc.NewClient("passthrough:///plugin", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		}),
		grpc.WithStaticStreamWindowSize(8<<20), grpc.WithStaticConnWindowSize(8<<20),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(wire.Codec{}), grpc.MaxCallRecvMsgSize(wire.MaxMessageBytes)))
	require.NoError(b, err)
	defer conn.Close()
	stream, err := pluginv1.NewConnectorPluginServiceClient(conn).RunSource(context.Background())
	require.NoError(b, err)
	send := func(m *pluginv1.RunSourceRequest) { m.Epoch = 1; require.NoError(b, stream.Send(m)) }
	began := time.Now()
	send(&pluginv1.RunSourceRequest{Frame: &pluginv1.RunSourceRequest_Start{Start: &pluginv1.StartSource{
		Connector: "file-source", Name: "bench", Config: cfg, CreditBytes: 8 << 20,
	}}})
	for got := 0; got < count; {
		m, err := stream.Recv()
		require.NoError(b, err)
		switch f := m.GetFrame().(type) {
		case *pluginv1.RunSourceResponse_ReadOffsets:
			send(&pluginv1.RunSourceRequest{Frame: &pluginv1.RunSourceRequest_Offsets{Offsets: &pluginv1.Offsets{
				RequestId: f.ReadOffsets.GetRequestId(), Offsets: make([][]byte, len(f.ReadOffsets.GetPartitions())),
			}}})
		case *pluginv1.RunSourceResponse_Batch:
			got += int(f.Batch.GetCount())
			cost := uint64(len(f.Batch.GetBlock())) + 64*uint64(f.Batch.GetCount())
			send(&pluginv1.RunSourceRequest{Frame: &pluginv1.RunSourceRequest_Credit{Credit: &pluginv1.Credit{Bytes: cost}}})
		case *pluginv1.RunSourceResponse_Failure:
			b.Fatal(f.Failure.GetError().GetMessage())
		}
	}
	wall = time.Since(began)
	require.NoError(b, cmd.Process.Signal(syscall.SIGKILL))
	_ = cmd.Wait()
	return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), wall
}
