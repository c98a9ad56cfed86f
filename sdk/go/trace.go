package connect

import (
	"context"
	"time"

	pluginv1 "github.com/tailrace/tailrace/gen/tailrace/plugin/v1"
)

type traceparentKey struct{}

// Traceparent is the span of the Put under way in the form of the header of that name (W3C Trace Context), for
// requests to the target system that are to be part of the trace. It is empty when the put is not traced.
func Traceparent(ctx context.Context) string {
	text, _ := ctx.Value(traceparentKey{}).(string)
	return text
}

func withTraceparent(ctx context.Context, traceparent string) context.Context {
	if traceparent == "" {
		return ctx
	}
	return context.WithValue(ctx, traceparentKey{}, traceparent)
}

// callTime is a call that began then and has just ended.
func callTime(began time.Time) *pluginv1.CallTime {
	return &pluginv1.CallTime{StartedUnixNs: uint64(began.UnixNano()), TookNs: uint64(max(time.Since(began), 0))}
}
