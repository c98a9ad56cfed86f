package tracing

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Options say who sends the spans.
type Options struct {
	// Getenv reads the variables that decide; os.Getenv. The libraries read others (headers, certificates, time-outs) by themselves.
	Getenv            func(string) string
	Version, WorkerID string
	Logger            *slog.Logger
}

// Provider makes tracers, and sends what they record. A nil one makes nil tracers.
type Provider struct {
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
	inject   bool
}

const instrumentation = "github.com/tailrace/tailrace"

// Open starts sending spans where the variables OTEL_* say; nil when they do not ask for it. It does not wait for the receiver.
func Open(ctx context.Context, o Options) (*Provider, error) {
	set, err := readSettings(o.Getenv)
	if err != nil || !set.on {
		return nil, err
	}
	var client otlptrace.Client
	if set.protocol == "grpc" {
		client = otlptracegrpc.NewClient()
	} else {
		client = otlptracehttp.NewClient()
	}
	exporter, err := otlptrace.New(ctx, client)
	if err != nil {
		return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_ENDPOINT: %w", err)
	}
	// What the user says of the service comes last and wins.
	about, err := resource.New(ctx,
		resource.WithAttributes(attribute.String("service.name", "tailrace"), attribute.String("service.version", o.Version), attribute.String("service.instance.id", o.WorkerID)),
		resource.WithTelemetrySDK(), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { o.Logger.Warn("traces cannot be sent", "error", err) }))
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(about), sdktrace.WithSampler(linked{set.sampler}))
	return &Provider{provider, provider.Tracer(instrumentation, trace.WithInstrumentationVersion(o.Version)), set.propagate}, nil
}

// Close sends what is waiting, until ctx ends.
func (p *Provider) Close(ctx context.Context) error {
	if p == nil {
		return nil
	}
	return p.provider.Shutdown(ctx)
}

// Task makes the tracer of a task.
func (p *Provider) Task(connector string, task int, plugin string) *Tracer {
	if p == nil {
		return nil
	}
	return &Tracer{tracer: p.tracer, propagate: p.inject, connector: connector, attributes: []attribute.KeyValue{
		attribute.String("messaging.system", "kafka"), attribute.String("tailrace.connector", connector),
		attribute.Int("tailrace.task", task), attribute.String("tailrace.plugin", plugin),
	}}
}

// settings are what the variables ask for.
type settings struct {
	on        bool
	protocol  string // grpc or http/protobuf
	sampler   sdktrace.Sampler
	propagate bool
}

// readSettings reads the variables of the OpenTelemetry specification ("Environment Variable Specification") that are
// settled here; a value that is not known is an error, so that nobody waits for traces that never come.
func readSettings(getenv func(string) string) (settings, error) {
	get := func(names ...string) string {
		for _, name := range names {
			if v := strings.TrimSpace(getenv(name)); v != "" {
				return v
			}
		}
		return ""
	}
	var s settings
	switch exporter := get("OTEL_TRACES_EXPORTER"); {
	case strings.EqualFold(get("OTEL_SDK_DISABLED"), "true") || exporter == "none":
		return s, nil
	case exporter == "" && get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT") == "":
		return s, nil
	case exporter != "" && exporter != "otlp":
		return s, fmt.Errorf("OTEL_TRACES_EXPORTER=%s: only otlp and none are known", exporter)
	}
	s.on = true
	switch s.protocol = get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"); s.protocol {
	case "":
		s.protocol = "http/protobuf"
	case "grpc", "http/protobuf":
	default:
		return s, fmt.Errorf("OTEL_EXPORTER_OTLP_PROTOCOL=%s: only grpc and http/protobuf are known", s.protocol)
	}
	switch p := get("OTEL_PROPAGATORS"); {
	case p == "", strings.Contains(p, "tracecontext"):
		s.propagate = true
	case p != "none":
		return s, fmt.Errorf("OTEL_PROPAGATORS=%s: only tracecontext and none are known", p)
	}
	var err error
	s.sampler, err = readSampler(get("OTEL_TRACES_SAMPLER"), get("OTEL_TRACES_SAMPLER_ARG"))
	return s, err
}

func readSampler(name, arg string) (sdktrace.Sampler, error) {
	ratio := 1.0
	if arg != "" && strings.HasSuffix(name, "traceidratio") {
		var err error
		if ratio, err = strconv.ParseFloat(arg, 64); err != nil || ratio < 0 || ratio > 1 {
			return nil, fmt.Errorf("OTEL_TRACES_SAMPLER_ARG=%s: give the share of batches to record, from 0 to 1", arg)
		}
	}
	switch name {
	case "always_on":
		return sdktrace.AlwaysSample(), nil
	case "always_off":
		return sdktrace.NeverSample(), nil
	case "traceidratio":
		return sdktrace.TraceIDRatioBased(ratio), nil
	case "", "parentbased_always_on":
		return sdktrace.ParentBased(sdktrace.AlwaysSample()), nil
	case "parentbased_always_off":
		return sdktrace.ParentBased(sdktrace.NeverSample()), nil
	case "parentbased_traceidratio":
		return sdktrace.ParentBased(sdktrace.TraceIDRatioBased(ratio)), nil
	}
	return nil, fmt.Errorf("OTEL_TRACES_SAMPLER=%s: known are always_on, always_off, traceidratio and each of them behind parentbased_", name)
}

// linked records a batch in which a record of a recorded trace is, so that traces have no holes; what else is recorded
// the other sampler decides.
type linked struct{ sdktrace.Sampler }

func (l linked) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	for _, link := range p.Links {
		if link.SpanContext.IsSampled() {
			return sdktrace.SamplingResult{Decision: sdktrace.RecordAndSample}
		}
	}
	return l.Sampler.ShouldSample(p)
}
