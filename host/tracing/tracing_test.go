package tracing

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func environment(m map[string]string) func(string) string {
	return func(name string) string { return m[name] }
}

func TestTheVariablesSayWhatIsRecorded(t *testing.T) {
	const endpoint = "OTEL_EXPORTER_OTLP_ENDPOINT"
	for name, c := range map[string]struct {
		env  map[string]string
		on   bool
		fail string
	}{
		"nothing":             {nil, false, ""},
		"an endpoint":         {map[string]string{endpoint: "http://a:4317"}, true, ""},
		"one for traces":      {map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://a:4317"}, true, ""},
		"the usual endpoint":  {map[string]string{"OTEL_TRACES_EXPORTER": "otlp"}, true, ""},
		"no traces":           {map[string]string{"OTEL_TRACES_EXPORTER": "none", endpoint: "http://a"}, false, ""},
		"all is off":          {map[string]string{"OTEL_SDK_DISABLED": "TRUE", endpoint: "http://a"}, false, ""},
		"another exporter":    {map[string]string{"OTEL_TRACES_EXPORTER": "zipkin"}, false, "only otlp and none"},
		"another protocol":    {map[string]string{endpoint: "x", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"}, true, "only grpc and http/protobuf"},
		"another propagator":  {map[string]string{endpoint: "x", "OTEL_PROPAGATORS": "b3"}, true, "only tracecontext"},
		"usual propagators":   {map[string]string{endpoint: "x", "OTEL_PROPAGATORS": "tracecontext,baggage"}, true, ""},
		"a ratio":             {map[string]string{endpoint: "x", "OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.01"}, true, ""},
		"no ratio":            {map[string]string{endpoint: "x", "OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "1%"}, true, "from 0 to 1"},
		"another sampler":     {map[string]string{endpoint: "x", "OTEL_TRACES_SAMPLER": "xray"}, true, "OTEL_TRACES_SAMPLER=xray"},
		"never, unless asked": {map[string]string{endpoint: "x", "OTEL_TRACES_SAMPLER": "parentbased_always_off"}, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := readSettings(environment(c.env))
			if c.fail != "" {
				require.ErrorContains(t, err, c.fail)
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.on, s.on)
		})
	}
	p, err := Open(t.Context(), Options{Getenv: environment(nil), Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	require.Nil(t, p)
	require.Nil(t, p.Task("c", 0, "p"))
	require.NoError(t, p.Close(t.Context()))
}

// recorded makes a tracer whose spans can be looked at.
func recorded(t *testing.T, sampler sdktrace.Sampler) (*Tracer, *tracetest.SpanRecorder) {
	spans := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans), sdktrace.WithSampler(linked{sampler}))
	t.Cleanup(func() { _ = provider.Shutdown(t.Context()) })
	return (&Provider{provider, provider.Tracer("test"), true}).Task("c", 1, "p"), spans
}

type headers [][2]string

func (h headers) Len() int                  { return len(h) }
func (h headers) At(i int) (string, []byte) { return h[i][0], []byte(h[i][1]) }

func parent(n int, flags string) string { return fmt.Sprintf("00-%032x-%016x-%s", n, n, flags) }

func TestAPutContinuesTheTracesOfItsRecords(t *testing.T) {
	tracer, spans := recorded(t, sdktrace.ParentBased(sdktrace.NeverSample()))
	put := func(traceparents ...string) sdktrace.ReadOnlySpan {
		s := tracer.Sink()
		for _, p := range traceparents {
			See(s, headers{{"other", "x"}, {Traceparent, p}, {"tracestate", "k=v"}})
		}
		if s.Send([]string{"t"}, len(traceparents)) == "" {
			require.False(t, s.Recording())
			return nil
		}
		began := time.Now()
		s.Accepted(Call{began, time.Millisecond})
		ended := spans.Ended()
		return ended[len(ended)-1]
	}
	require.Nil(t, put(), "no trace")
	require.Nil(t, put(parent(1, "00")), "one that is not recorded")
	require.Nil(t, put("nonsense", ""), "no trace context")
	one := put(parent(1, "01"), parent(1, "01"))
	require.Equal(t, fmt.Sprintf("%032x", 1), one.SpanContext().TraceID().String(), "all of one trace: below it")
	require.Equal(t, "k=v", one.SpanContext().TraceState().String())
	require.Empty(t, one.Links())
	several := put(parent(1, "00"), parent(2, "01"), parent(1, "00"))
	require.False(t, several.Parent().IsValid())
	require.Len(t, several.Links(), 2)
	many := []string{}
	for i := range 100 {
		many = append(many, parent(i+1, "01"))
	}
	require.Len(t, put(many...).Links(), maxContexts, "I-4")
}

func TestABatchOfASourceIsOneTrace(t *testing.T) {
	tracer, spans := recorded(t, sdktrace.AlwaysSample())
	began := time.Now().Add(-time.Second)
	s := tracer.Source(Call{began, 900 * time.Millisecond})
	require.Regexp(t, "^00-[0-9a-f]{32}-[0-9a-f]{16}-01$", string(s.Header()))
	s.Saw([]byte(parent(7, "01")))
	s.Converted([]string{"t"}, 5)
	s.Sending()
	s.Sent(1)
	names := map[string]sdktrace.ReadOnlySpan{}
	for _, span := range spans.Ended() {
		names[span.Name()] = span
	}
	root := names["send t"]
	require.Len(t, names, 4)
	for _, child := range []string{"poll", "convert", "produce"} {
		require.Equal(t, root.SpanContext().SpanID(), names[child].Parent().SpanID(), child)
	}
	require.Equal(t, began.UnixNano(), root.StartTime().UnixNano())
	require.Equal(t, 900*time.Millisecond, names["poll"].EndTime().Sub(names["poll"].StartTime()))
	require.Len(t, root.Links(), 1, "a record's own trace is linked")
	require.Equal(t, "Kafka refused records", root.Status().Description)
}

func TestARecordsOwnTraceIsRecordedThoughTheBatchIsNot(t *testing.T) {
	tracer, spans := recorded(t, sdktrace.ParentBased(sdktrace.NeverSample()))
	s := tracer.Source(Call{})
	require.Nil(t, s.Header(), "the records of a batch that is not recorded get no header")
	s.Saw([]byte(parent(7, "01")))
	s.Converted([]string{"t", "u"}, 2)
	s.Sending()
	s.GivenUp()
	require.Len(t, spans.Ended(), 2)
	require.Equal(t, trace.SpanKindProducer, spans.Ended()[1].SpanKind())
	s = tracer.Source(Call{})
	s.Converted(nil, 0)
	s.Sending()
	s.Sent(0)
	require.Len(t, spans.Ended(), 2)
}

// Without traces nothing is allocated, for a batch or for a record.
func TestNothingIsPaidWithoutTraces(t *testing.T) {
	var tracer *Tracer
	h, topics := headers{{Traceparent, parent(1, "01")}}, []string{"t"}
	require.Zero(t, testing.AllocsPerRun(100, func() {
		s := tracer.Source(Call{})
		_ = s.Header()
		s.Converted(topics, 1)
		s.Sending()
		s.Sent(0)
		s.GivenUp()
		k := tracer.Sink()
		See(k, h)
		_ = k.Send(topics, 1)
		_ = k.Recording()
	}))
}
