package connect_test

import (
	"context"
	"net"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	pluginv1 "github.com/tailrace/tailrace/gen/tailrace/plugin/v1"
	connect "github.com/tailrace/tailrace/sdk/go"
	"github.com/tailrace/tailrace/sdk/go/data"
	"github.com/tailrace/tailrace/sdk/go/wire"
)

func cpuTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func unixClient(b *testing.B, p connect.Plugin) pluginv1.ConnectorPluginServiceClient {
	b.Helper()
	svc, err := connect.NewService(p)
	if err != nil {
		b.Fatal(err)
	}
	server := connect.NewServer(svc, func() {})
	path := filepath.Join(b.TempDir(), "s")
	l, err := (&net.ListenConfig{}).Listen(b.Context(), "unix", path)
	if err != nil {
		b.Fatal(err)
	}
	go func() { _ = server.Serve(l) }()
	conn, err := grpc.NewClient("unix:"+path, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithStaticStreamWindowSize(8<<20), grpc.WithStaticConnWindowSize(8<<20),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(wire.Codec{}), grpc.MaxCallRecvMsgSize(wire.MaxMessageBytes)))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = conn.Close(); server.Stop() })
	return pluginv1.NewConnectorPluginServiceClient(conn)
}

// BenchmarkSourceStream is a line of 100 bytes from Poll to the worker's reader over a unix socket, both ends
// in this process; cpu-ns/record is the CPU time of both.
func BenchmarkSourceStream(b *testing.B) {
	offset := data.NewStruct().Field("position", data.Int64Schema).MustBuild()
	task := func() connect.SourceTask {
		var part *connect.Partition
		line := make([]byte, 100)
		position := int64(0)
		return &scripted{
			start: func(_ context.Context, _ connect.Config, task *connect.SourceContext) (err error) {
				part, err = task.Partition(map[string]any{"filename": "a"})
				return err
			},
			poll: func(ctx context.Context, out *connect.Batch) error {
				for range 5000 {
					position += 101
					rec := out.Record("lines", part)
					rec.ValueString(line)
					rec.OffsetLong(offset, position)
				}
				return ctx.Err()
			},
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s, err := unixClient(b, sourcePlugin(task)).RunSource(ctx)
	if err != nil {
		b.Fatal(err)
	}
	send := func(m *pluginv1.RunSourceRequest) {
		m.Epoch = 1
		if err := s.Send(m); err != nil {
			b.Fatal(err)
		}
	}
	send(&pluginv1.RunSourceRequest{Frame: &pluginv1.RunSourceRequest_Start{Start: &pluginv1.StartSource{Connector: "test", Name: "b", CreditBytes: 8 << 20}}})
	var table wire.SchemaTable
	partitions, records := 0, 0
	b.ReportAllocs()
	b.SetBytes(100)
	b.ResetTimer()
	began := cpuTime()
	for records < b.N {
		m, err := s.Recv()
		if err != nil {
			b.Fatal(err)
		}
		switch f := m.GetFrame().(type) {
		case *pluginv1.RunSourceResponse_Schema:
			if err := table.Define(f.Schema); err != nil {
				b.Fatal(err)
			}
		case *pluginv1.RunSourceResponse_Partition:
			partitions++
		case *pluginv1.RunSourceResponse_Batch:
			batch, err := wire.ReadSourceBatch(f.Batch, &table, partitions)
			if err != nil {
				b.Fatal(err)
			}
			var r wire.SourceRecord
			for c := batch.Cursor(); c.Next(&r); {
				records++
			}
			send(&pluginv1.RunSourceRequest{Frame: &pluginv1.RunSourceRequest_Credit{Credit: &pluginv1.Credit{Bytes: uint64(batch.Cost())}}})
		}
	}
	b.ReportMetric(float64(cpuTime()-began)/float64(records), "cpu-ns/record")
}

// drop is a sink that looks at every text.
type drop struct{ bytes int }

func (*drop) Start(context.Context, connect.Config, *connect.SinkContext) error { return nil }
func (*drop) Stop(context.Context) error                                        { return nil }
func (d *drop) Put(_ context.Context, records *connect.SinkBatch) error {
	for rec := range records.Records() {
		text, _ := rec.ValueBytes()
		d.bytes += len(text)
	}
	return nil
}

// BenchmarkSinkStream is the way back: 1000 records of 100 bytes a frame from the worker's writer to Put.
func BenchmarkSinkStream(b *testing.B) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s, err := unixClient(b, sinkPlugin(&drop{})).RunSink(ctx)
	if err != nil {
		b.Fatal(err)
	}
	send := func(m *pluginv1.RunSinkRequest) {
		m.Epoch = 1
		if err := s.Send(m); err != nil {
			b.Fatal(err)
		}
	}
	send(&pluginv1.RunSinkRequest{Frame: &pluginv1.RunSinkRequest_Start{Start: &pluginv1.StartSink{Connector: "test", Name: "b", CreditBytes: 8 << 20}}})
	send(&pluginv1.RunSinkRequest{Frame: &pluginv1.RunSinkRequest_Assign{Assign: &pluginv1.Assign{Token: 1, Partitions: []*pluginv1.TopicPartition{{Id: 1, Topic: "t"}}}}})
	var schemas wire.SchemaWriter
	id, err := schemas.ID(data.StringSchema)
	if err != nil {
		b.Fatal(err)
	}
	for _, def := range schemas.Pending() {
		send(&pluginv1.RunSinkRequest{Frame: &pluginv1.RunSinkRequest_Schema{Schema: def}})
	}
	var builder wire.SinkBatchBuilder
	line := make([]byte, 100)
	const perFrame, window = 5000, 8
	sent, accepted := 0, 0
	b.ReportAllocs()
	b.SetBytes(100)
	b.ResetTimer()
	began := cpuTime()
	for accepted < b.N {
		for sent-accepted < perFrame*window && sent < b.N+perFrame {
			builder.Reset()
			builder.Start(1, pluginv1.TimestampType_TIMESTAMP_TYPE_CREATE_TIME)
			for i := range perFrame {
				builder.Begin(int64(sent+i), 1_700_000_000_000)
				builder.EndKey(0)
				builder.Block = data.AppendBytes(builder.Block, line)
				builder.EndValue(id)
				builder.EndHeaders()
			}
			m, err := builder.Message()
			if err != nil {
				b.Fatal(err)
			}
			send(&pluginv1.RunSinkRequest{Frame: &pluginv1.RunSinkRequest_Records{Records: &pluginv1.Records{FirstSeq: uint64(sent + 1), Batches: []*pluginv1.SinkBatch{m}}}})
			sent += perFrame
		}
		m, err := s.Recv()
		if err != nil {
			b.Fatal(err)
		}
		if a := m.GetAccepted(); a != nil {
			accepted = int(a.GetThroughSeq())
		}
	}
	b.ReportMetric(float64(cpuTime()-began)/float64(max(accepted, 1)), "cpu-ns/record")
}
