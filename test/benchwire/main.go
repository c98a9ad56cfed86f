package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/structpb"

	pluginv1 "github.com/tailrace/tailrace/gen/tailrace/plugin/v1"
	"github.com/tailrace/tailrace/sdk/go/wire"
	"github.com/tailrace/tailrace/test/page"
)

// run is one row of the table.
type run struct {
	shape string
	batch int
}

// The windows and buffers of the real connection.
const (
	streamWindowBytes = 16 << 20
	connWindowBytes   = 32 << 20
	socketBufferBytes = 256 << 10
)

func main() {
	records := flag.Int("records", 400_000, "records a run")
	rounds := flag.Int("rounds", 3, "runs of each shape, in turn; the median counts")
	doc := flag.String("doc", "", "file whose text between the bench-wire marks is replaced by the table")
	serve := flag.String("serve", "", "used by itself: socket to serve on")
	flag.Parse()
	var err error
	if *serve != "" {
		err = servePlugin(*serve)
	} else {
		err = measureAll(*records, *rounds, *doc)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench-wire:", err)
		os.Exit(1)
	}
}

func measureAll(records, rounds int, doc string) error {
	runs := []run{
		{"block", 500}, {"block", 2000}, {"block", 500}, // the third is the A/A control of the first
		{"value messages", 500}, {"value messages", 1}, {"struct messages", 500}, {"struct messages", 1},
	}
	cpu := make([][]float64, len(runs))
	rate := make([][]float64, len(runs))
	for round := range rounds {
		for i, r := range runs {
			n := records
			if r.batch == 1 {
				n /= 8
			}
			c, w, err := measure(r, n)
			if err != nil {
				return fmt.Errorf("%s, batch %d: %w", r.shape, r.batch, err)
			}
			cpu[i] = append(cpu[i], c.Seconds()*1e6/float64(n))
			rate[i] = append(rate[i], float64(n)/w.Seconds())
			fmt.Fprintf(os.Stderr, "round %d of %d: %-16s batch %4d  %6.2f us of CPU a record\n", round+1, rounds, r.shape, r.batch, cpu[i][round])
		}
	}
	var t strings.Builder
	fmt.Fprintf(&t, "8-field record of about 170 bytes, %d records a run, median of %d runs in turn (least to most), both processes together:\n\n", records, rounds)
	t.WriteString("| shape | batch | CPU us per record | records/s |\n|---|---|---|---|\n")
	for i, r := range runs {
		name := r.shape
		if i == 2 {
			name += " (again, A/A)"
		}
		fmt.Fprintf(&t, "| %s | %d | %.2f (%.2f to %.2f) | %.0fk |\n", name, r.batch, median(cpu[i]), slices.Min(cpu[i]), slices.Max(cpu[i]), median(rate[i])/1000)
	}
	fmt.Fprintf(&t, "\nOne message per value costs %.1f times the block at batches of 500.\n", median(cpu[3])/median(cpu[0]))
	fmt.Print(t.String())
	if doc != "" {
		if err := page.Replace(doc, "bench-wire", t.String()); err != nil {
			return err
		}
	}
	if b := median(cpu[0]); b > 2 || median(cpu[3]) < 5*b {
		return fmt.Errorf("budget missed: the block may cost 2 us and a fifth of one message per value, it costs %.2f us and 1/%.1f", b, median(cpu[3])/b)
	}
	return nil
}

func median(v []float64) float64 {
	s := slices.Sorted(slices.Values(v))
	return s[len(s)/2]
}

// measure starts the plugin side, takes n records and returns the CPU time of
// both processes and the time until the last record was read.
func measure(r run, n int) (cpu, wall time.Duration, err error) {
	dir, err := os.MkdirTemp("", "bench-wire-")
	if err != nil {
		return 0, 0, err
	}
	defer os.RemoveAll(dir)
	socket := filepath.Join(dir, "s")
	self, err := os.Executable()
	if err != nil {
		return 0, 0, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	child := exec.CommandContext(ctx, self, "-serve", socket)
	child.Stderr = os.Stderr
	ready, err := child.StdoutPipe()
	if err != nil {
		return 0, 0, err
	}
	if err := child.Start(); err != nil {
		return 0, 0, err
	}
	if _, err := io.ReadFull(ready, make([]byte, 1)); err != nil {
		return 0, 0, errors.Join(fmt.Errorf("plugin side did not start: %w", err), child.Wait())
	}
	before := selfCPU()
	start := time.Now()
	got, err := receive(ctx, socket, r, n)
	wall = time.Since(start)
	if err == nil && got.records != int64(n) {
		err = fmt.Errorf("%d records arrived of %d", got.records, n)
	}
	own := selfCPU() - before
	if serr := child.Process.Signal(syscall.SIGTERM); serr != nil {
		err = errors.Join(err, serr)
	}
	werr := child.Wait()
	var exit *exec.ExitError
	if werr != nil && !errors.As(werr, &exit) {
		err = errors.Join(err, werr)
	}
	return own + child.ProcessState.UserTime() + child.ProcessState.SystemTime(), wall, err
}

func selfCPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func receive(ctx context.Context, socket string, r run, n int) (s sum, err error) {
	conn, err := grpc.NewClient("unix:"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(wire.Codec{}), grpc.MaxCallRecvMsgSize(wire.MaxMessageBytes)),
		grpc.WithInitialWindowSize(streamWindowBytes), grpc.WithInitialConnWindowSize(connWindowBytes),
		grpc.WithReadBufferSize(socketBufferBytes), grpc.WithWriteBufferSize(socketBufferBytes))
	if err != nil {
		return s, err
	}
	defer conn.Close()
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, "/bench.Wire/Run")
	if err != nil {
		return s, err
	}
	ask := &structpb.ListValue{Values: []*structpb.Value{
		structpb.NewStringValue(r.shape), structpb.NewNumberValue(float64(r.batch)), structpb.NewNumberValue(float64(n)),
	}}
	if err := errors.Join(stream.SendMsg(ask), stream.CloseSend()); err != nil {
		return s, err
	}
	var schemas wire.SchemaTable
	for {
		if r.shape == "block" {
			var f pluginv1.RunSourceResponse
			if err = stream.RecvMsg(&f); err != nil {
				break
			}
			if def := f.GetSchema(); def != nil {
				err = schemas.Define(def)
			} else {
				err = readBlock(f.GetBatch(), &schemas, &s)
			}
		} else {
			var l structpb.ListValue
			if err = stream.RecvMsg(&l); err != nil {
				break
			}
			if r.shape == "value messages" {
				err = readValueMessages(&l, &s)
			} else {
				err = readStructMessages(&l, &s)
			}
		}
		if err != nil {
			return s, err
		}
	}
	if !errors.Is(err, io.EOF) {
		return s, err
	}
	return s, nil
}

// servePlugin is the other process.
func servePlugin(socket string) error {
	l, err := net.Listen("unix", socket) //nolint:noctx // a local socket does not block
	if err != nil {
		return err
	}
	srv := grpc.NewServer(grpc.ForceServerCodecV2(wire.Codec{}),
		grpc.InitialWindowSize(streamWindowBytes), grpc.InitialConnWindowSize(connWindowBytes),
		grpc.ReadBufferSize(socketBufferBytes), grpc.WriteBufferSize(socketBufferBytes))
	srv.RegisterService(&grpc.ServiceDesc{
		ServiceName: "bench.Wire", HandlerType: (*any)(nil),
		Streams: []grpc.StreamDesc{{StreamName: "Run", ServerStreams: true, Handler: func(_ any, s grpc.ServerStream) error { return send(s) }}},
	}, struct{}{})
	if _, err := os.Stdout.Write([]byte{'\n'}); err != nil {
		return err
	}
	return srv.Serve(l)
}

func send(stream grpc.ServerStream) error {
	var ask structpb.ListValue
	if err := stream.RecvMsg(&ask); err != nil {
		return err
	}
	shape := ask.GetValues()[0].GetStringValue()
	batch, n := int(ask.GetValues()[1].GetNumberValue()), int(ask.GetValues()[2].GetNumberValue())
	// The records are made beforehand: their making is not what is measured.
	source := make([]record, 1000)
	for i := range source {
		source[i] = makeRecord(i)
	}
	if shape == "block" {
		return sendBlocks(stream, source, batch, n)
	}
	build := valueMessages
	if shape == "struct messages" {
		build = structMessage
	}
	for i := 0; i < n; i += batch {
		l := &structpb.ListValue{Values: make([]*structpb.Value, 0, batch)}
		for j := i; j < min(i+batch, n); j++ {
			l.Values = append(l.Values, build(&source[j%len(source)]))
		}
		if err := stream.SendMsg(l); err != nil {
			return err
		}
	}
	return nil
}

func sendBlocks(stream grpc.ServerStream, source []record, batch, n int) error {
	var schemas wire.SchemaWriter
	id, err := schemas.ID(recordSchema)
	if err != nil {
		return err
	}
	for _, def := range schemas.Pending() {
		if err := stream.SendMsg(&pluginv1.RunSourceResponse{Frame: &pluginv1.RunSourceResponse_Schema{Schema: def}}); err != nil {
			return err
		}
	}
	var b wire.SourceBatchBuilder
	for i := 0; i < n; i += batch {
		b.Reset()
		b.TopicIndex("bench")
		for j := i; j < min(i+batch, n); j++ {
			appendBlock(&b, id, &source[j%len(source)])
		}
		m, err := b.Message(uint64(i + 1))
		if err != nil {
			return err
		}
		if err := stream.SendMsg(&pluginv1.RunSourceResponse{Frame: &pluginv1.RunSourceResponse_Batch{Batch: m}}); err != nil {
			return err
		}
	}
	return nil
}
