package tracing

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

// collected takes what arrives at a receiver of OTLP.
type collected struct {
	collector.UnimplementedTraceServiceServer
	requests chan *collector.ExportTraceServiceRequest
}

func (c collected) Export(_ context.Context, r *collector.ExportTraceServiceRequest) (*collector.ExportTraceServiceResponse, error) {
	c.requests <- r
	return &collector.ExportTraceServiceResponse{}, nil
}

func (c collected) overGRPC(t *testing.T) (url string) {
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := grpc.NewServer()
	collector.RegisterTraceServiceServer(server, c)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	return "http://" + listener.Addr().String()
}

func (c collected) overHTTP(t *testing.T) (url string) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		request := &collector.ExportTraceServiceRequest{}
		if r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/x-protobuf" || err != nil || proto.Unmarshal(body, request) != nil {
			http.Error(w, "not an export of traces", http.StatusBadRequest)
			return
		}
		_, _ = c.Export(r.Context(), request)
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestSpansArriveOverEitherProtocol(t *testing.T) {
	for protocol, serve := range map[string]func(collected, *testing.T) string{"grpc": collected.overGRPC, "http/protobuf": collected.overHTTP} {
		t.Run(protocol, func(t *testing.T) {
			c := collected{requests: make(chan *collector.ExportTraceServiceRequest, 10)}
			env := map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": serve(c, t), "OTEL_EXPORTER_OTLP_PROTOCOL": protocol}
			for name, value := range env { // the libraries read some by themselves
				t.Setenv(name, value)
			}
			p, err := Open(t.Context(), Options{Getenv: environment(env), Version: "1.2.3", WorkerID: "w:8083", Logger: slog.New(slog.DiscardHandler)})
			require.NoError(t, err)
			s := p.Task("c", 0, "plugin").Source(Call{Began: time.Now(), Took: time.Millisecond})
			s.Converted([]string{"t"}, 1)
			s.Sending()
			s.Sent(0)
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			require.NoError(t, p.Close(ctx)) // sends what waits
			var about, names []string
			for len(c.requests) > 0 {
				for _, resource := range (<-c.requests).GetResourceSpans() {
					for _, a := range resource.GetResource().GetAttributes() {
						about = append(about, a.GetKey()+"="+a.GetValue().GetStringValue())
					}
					for _, scope := range resource.GetScopeSpans() {
						for _, span := range scope.GetSpans() {
							names = append(names, span.GetName())
						}
					}
				}
			}
			require.Subset(t, about, []string{"service.name=tailrace", "service.version=1.2.3", "service.instance.id=w:8083"})
			require.NotEmpty(t, names)
		})
	}
}
