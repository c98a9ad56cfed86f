package observe

import (
	"context"
	"encoding/hex"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"

	"github.com/tailrace/tailrace/test/harness"
)

// receiver takes spans by OTLP over gRPC.
type receiver struct {
	collector.UnimplementedTraceServiceServer
	mu       sync.Mutex
	spans    []*tracepb.Span
	services []string
}

func (r *receiver) Export(_ context.Context, request *collector.ExportTraceServiceRequest) (*collector.ExportTraceServiceResponse, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, resource := range request.GetResourceSpans() {
		for _, a := range resource.GetResource().GetAttributes() {
			if a.GetKey() == "service.name" {
				r.services = append(r.services, a.GetValue().GetStringValue())
			}
		}
		for _, scope := range resource.GetScopeSpans() {
			r.spans = append(r.spans, scope.GetSpans()...)
		}
	}
	return &collector.ExportTraceServiceResponse{}, nil
}

func startReceiver(t *testing.T) *receiver {
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	r, server := &receiver{}, grpc.NewServer()
	collector.RegisterTraceServiceServer(server, r)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://"+listener.Addr().String())
	t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
	return r
}

func (r *receiver) named(name string) []*tracepb.Span {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(slices.DeleteFunc(slices.Clone(r.spans), func(s *tracepb.Span) bool { return s.GetName() != name }))
}

// below gives the names of a span's children, sorted, with a mark at those whose times the plugin told.
func (r *receiver) below(parent *tracepb.Span) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	names := []string{}
	for _, s := range r.spans {
		if string(s.GetParentSpanId()) == string(parent.GetSpanId()) && s.GetKind() != tracepb.Span_SPAN_KIND_CONSUMER {
			name := s.GetName()
			if attribute(s, "tailrace.process") == "plugin" {
				name += " (plugin)"
			}
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func attribute(s *tracepb.Span, key string) string {
	for _, a := range s.GetAttributes() {
		if a.GetKey() == key {
			return a.GetValue().GetStringValue()
		}
	}
	return ""
}

// contexts are where a span continues: its parent, or its links.
func contexts(s *tracepb.Span) (list []string) {
	if len(s.GetParentSpanId()) > 0 {
		list = append(list, hex.EncodeToString(s.GetTraceId())+"-"+hex.EncodeToString(s.GetParentSpanId()))
	}
	for _, l := range s.GetLinks() {
		list = append(list, hex.EncodeToString(l.GetTraceId())+"-"+hex.EncodeToString(l.GetSpanId()))
	}
	return list
}

func contextOf(s *tracepb.Span) string {
	return hex.EncodeToString(s.GetTraceId()) + "-" + hex.EncodeToString(s.GetSpanId())
}

func TestATraceLeadsFromThePollOfASourceToThePutOfASink(t *testing.T) {
	r := startReceiver(t)
	t.Setenv("OTEL_SERVICE_NAME", "pipes")
	w := harness.Start(t, harness.Config{Bootstrap: harness.Embedded(t)})
	p := harness.StartPipeline(t, w, 500, harness.Props{})
	p.AwaitLines(500, 60*time.Second)
	harness.Eventually(t, 30*time.Second, "the spans of both sides", func() (bool, string) {
		sends, puts := r.named("send "+p.Topic), r.named("process "+p.Topic)
		if len(sends) == 0 || len(puts) == 0 {
			return false, fmt.Sprint(len(sends), " ", len(puts))
		}
		for _, put := range puts {
			continued := contexts(put)
			for _, send := range sends {
				if !slices.Contains(continued, contextOf(send)) {
					continue
				}
				source, sink := r.below(send), r.below(put)
				ok := slices.Equal(source, []string{"convert", "poll (plugin)", "produce"}) && slices.Equal(sink, []string{"convert", "put (plugin)"})
				if ok {
					require.Equal(t, tracepb.Span_SPAN_KIND_PRODUCER, send.GetKind())
					require.Equal(t, tracepb.Span_SPAN_KIND_CONSUMER, put.GetKind())
					require.Equal(t, "source", attribute(send, "tailrace.connector"))
					require.Equal(t, "sink", attribute(put, "tailrace.connector"))
					require.GreaterOrEqual(t, put.GetEndTimeUnixNano(), put.GetStartTimeUnixNano())
					return true, ""
				}
				return false, fmt.Sprint(source, sink)
			}
		}
		return false, "no put continues a batch of the source"
	})
	r.mu.Lock()
	require.Contains(t, r.services, "pipes")
	require.Less(t, len(r.spans), 500, "spans are of batches, not of records")
	r.mu.Unlock()
	p.Equal()
}

// Whose records are traced decides for the sink, also when it would record nothing by itself.
func TestTheTraceOfARecordGoesOn(t *testing.T) {
	r := startReceiver(t)
	t.Setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
	t.Setenv("OTEL_TRACES_SAMPLER_ARG", "0")
	bootstrap := harness.Embedded(t)
	w := harness.Start(t, harness.Config{Bootstrap: bootstrap})
	p := harness.StartPipeline(t, w, 50, harness.Props{})
	p.AwaitLines(50, 60*time.Second)
	cl, err := kgo.NewClient(kgo.SeedBrokers(bootstrap))
	require.NoError(t, err)
	defer cl.Close()
	const trace, span = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	record := func(value, traceparent string) *kgo.Record {
		one := &kgo.Record{Topic: p.Topic, Value: []byte(value)}
		if traceparent != "" {
			one.Headers = []kgo.RecordHeader{{Key: "traceparent", Value: []byte(traceparent)}}
		}
		return one
	}
	require.NoError(t, cl.ProduceSync(t.Context(), record("a", "00-"+trace+"-"+span+"-01"), record("b", ""), record("c", "no such thing"),
		record("d", "00-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-bbbbbbbbbbbbbbbb-00")).FirstErr())
	harness.Eventually(t, 30*time.Second, "the put of the traced record", func() (bool, string) {
		puts := r.named("process " + p.Topic)
		for _, put := range puts {
			if slices.Contains(contexts(put), trace+"-"+span) {
				return true, ""
			}
		}
		return false, fmt.Sprint(puts)
	})
	require.Empty(t, r.named("send "+p.Topic), "the source's batches are recorded by chance, and the chance is 0")
	status, _ := w.REST("GET", "/connectors/sink/status", nil)
	require.Equal(t, 200, status)
}
