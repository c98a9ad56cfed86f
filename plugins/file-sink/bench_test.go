package main

import (
	"bufio"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	pluginv1 "github.com/tailrace/tailrace/gen/tailrace/plugin/v1"
	connect "github.com/tailrace/tailrace/sdk/go"
	"github.com/tailrace/tailrace/sdk/go/data"
	"github.com/tailrace/tailrace/sdk/go/wire"
)

// BenchmarkPluginProcess measures the CPU of the plugin's process alone, per record, writing strings of 99 bytes. The
// sender keeps 8 MiB on the way. It counts the process from its start to its end.
func BenchmarkPluginProcess(b *testing.B) {
	dir := b.TempDir()
	program := filepath.Join(dir, "file-sink")
	out, err := exec.CommandContext(b.Context(), "go", "build", "-o", program, ".").CombinedOutput()
	require.NoError(b, err, string(out))
	const count = 2_000_000
	for name, cfg := range map[string]connect.Config{
		"plain":        {"file": filepath.Join(dir, "plain.txt")},
		"exactly-once": {"file": filepath.Join(dir, "exact.txt"), "delivery": "exactly-once"},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				_ = os.Remove(cfg["file"])
				_ = os.Remove(cfg["file"] + ".offsets")
				cpu, wall := writeAll(b, program, cfg, count)
				info, err := os.Stat(cfg["file"])
				require.NoError(b, err)
				require.Equal(b, int64(count*100), info.Size())
				b.ReportMetric(float64(cpu.Nanoseconds())/count, "cpu-ns/record")
				b.ReportMetric(count/wall.Seconds(), "records/s")
			}
		})
	}
}

func writeAll(b *testing.B, program string, cfg connect.Config, count int) (cpu, wall time.Duration) {
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
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(wire.Codec{}), grpc.MaxCallSendMsgSize(wire.MaxMessageBytes)))
	require.NoError(b, err)
	defer conn.Close()
	stream, err := pluginv1.NewConnectorPluginServiceClient(conn).RunSink(context.Background())
	require.NoError(b, err)
	send := func(m *pluginv1.RunSinkRequest) { m.Epoch = 1; require.NoError(b, stream.Send(m)) }
	began := time.Now()
	send(&pluginv1.RunSinkRequest{Frame: &pluginv1.RunSinkRequest_Start{Start: &pluginv1.StartSink{
		Connector: "file-sink", Name: "bench", Config: cfg, CreditBytes: 8 << 20,
	}}})
	send(&pluginv1.RunSinkRequest{Frame: &pluginv1.RunSinkRequest_Assign{Assign: &pluginv1.Assign{
		Token: 1, Partitions: []*pluginv1.TopicPartition{{Id: 1, Topic: "t"}},
	}}})
	var schemas wire.SchemaWriter
	id, err := schemas.ID(data.OptionalStringSchema)
	require.NoError(b, err)
	for _, def := range schemas.Pending() {
		send(&pluginv1.RunSinkRequest{Frame: &pluginv1.RunSinkRequest_Schema{Schema: def}})
	}
	value := data.AppendBytes(data.AppendPresence(nil, data.OptionalStringSchema, true), []byte(strings.Repeat("x", 99)))
	const frame = 5000
	accepted, sent := 0, 0
	for accepted < count {
		for sent < count && sent-accepted < 50_000 {
			var builder wire.SinkBatchBuilder
			builder.Start(1, pluginv1.TimestampType_TIMESTAMP_TYPE_CREATE_TIME)
			for i := range frame {
				builder.Begin(int64(sent+i), 1)
				builder.EndKey(0)
				builder.Block = append(builder.Block, value...)
				builder.EndValue(id)
				builder.EndHeaders()
			}
			m, err := builder.Message()
			require.NoError(b, err)
			send(&pluginv1.RunSinkRequest{Frame: &pluginv1.RunSinkRequest_Records{Records: &pluginv1.Records{
				FirstSeq: uint64(sent + 1), Batches: []*pluginv1.SinkBatch{m},
			}}})
			sent += frame
		}
		m, err := stream.Recv()
		require.NoError(b, err)
		switch f := m.GetFrame().(type) {
		case *pluginv1.RunSinkResponse_Accepted:
			accepted = int(f.Accepted.GetThroughSeq())
		case *pluginv1.RunSinkResponse_Failure:
			b.Fatal(f.Failure.GetError().GetMessage())
		}
	}
	wall = time.Since(began)
	require.NoError(b, cmd.Process.Signal(syscall.SIGKILL))
	_ = cmd.Wait()
	return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), wall
}
