package task

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/tailrace/tailrace/host/convert"
	"github.com/tailrace/tailrace/sdk/go/data"
)

func TestTheWaitBetweenAttemptsDoublesAndThenIsRandom(t *testing.T) {
	for _, c := range []struct {
		attempt int
		limit   time.Duration
		want    time.Duration
	}{
		{1, time.Minute, 300 * time.Millisecond},
		{2, time.Minute, 600 * time.Millisecond},
		{8, time.Minute, 38400 * time.Millisecond},
		{9, time.Minute, 15 * time.Second}, // a quarter of the limit: random is 0.25
		{1, 300 * time.Millisecond, 300 * time.Millisecond},
		{1, 200 * time.Millisecond, 50 * time.Millisecond},
		{100, time.Minute, 15 * time.Second},
		{1, 0, 0},
	} {
		if got := retryDelay(c.attempt, c.limit, 0.25); got != c.want {
			t.Errorf("attempt %d, limit %v: %v, want %v", c.attempt, c.limit, got, c.want)
		}
	}
}

func TestRetriesEndAtTheTimeout(t *testing.T) {
	for _, c := range []struct {
		name          string
		timeout       time.Duration
		attempt       int
		elapsed, want time.Duration
		again         bool
	}{
		{"no timeout, no retry", 0, 1, 0, 0, false},
		{"within", time.Second, 1, 0, 300 * time.Millisecond, true},
		{"cut at the deadline", time.Second, 2, 900 * time.Millisecond, 100 * time.Millisecond, true},
		{"over", time.Second, 3, time.Second, 0, false},
		{"for ever", -1, 3, 24 * time.Hour, 1200 * time.Millisecond, true},
	} {
		wait, again := ErrorPolicy{RetryTimeout: c.timeout, RetryDelayMax: time.Minute}.RetryWait(c.attempt, c.elapsed, 0)
		if again != c.again || again && wait != c.want {
			t.Errorf("%s: %v %v, want %v %v", c.name, wait, again, c.want, c.again)
		}
	}
}

// failingConverter fails some times and then gives the bytes as they are.
type failingConverter struct {
	convert.Converter
	failures int
	class    string
	calls    int
}

func (c *failingConverter) FromConnect(dst []byte, _ string, _ *data.Schema, wire []byte) (out, after []byte, err error) {
	if c.calls++; c.calls <= c.failures {
		return nil, dst, &convert.Error{Class: c.class, Message: "the registry is away"}
	}
	return wire, dst, nil
}

func TestAConverterIsTriedAgainWhileItsFailureMayPass(t *testing.T) {
	const retriable = "org.apache.kafka.connect.errors.RetriableException"
	for _, c := range []struct {
		name   string
		policy ErrorPolicy
		class  string
		calls  int
		ok     bool
	}{
		{"retriable", ErrorPolicy{RetryTimeout: time.Minute, RetryDelayMax: time.Millisecond}, retriable, 3, true},
		{"not retriable", ErrorPolicy{RetryTimeout: time.Minute}, convert.DataException, 1, false},
		{"no retries asked for", ErrorPolicy{}, retriable, 1, false},
		{"timeout", ErrorPolicy{RetryTimeout: time.Nanosecond}, retriable, 1, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			inner := &failingConverter{failures: 2, class: c.class}
			told := 0
			retry := &retrier{policy: c.policy, until: newTestUntil, retried: func(error, time.Duration) { told++ }}
			_, _, err := retry.with(Converters{Key: inner, Value: inner}).Value.FromConnect(nil, "t", nil, []byte("x"))
			if (err == nil) != c.ok || inner.calls != c.calls || told != c.calls-1 {
				t.Errorf("error %v after %d calls, told %d times; want %d calls", err, inner.calls, told, c.calls)
			}
		})
	}
}

func newTestUntil(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithCancel(ctx)
}

func TestAStopEndsTheWaitForAnotherAttempt(t *testing.T) {
	stopped := func(ctx context.Context) (context.Context, context.CancelFunc) {
		ctx, cancel := context.WithCancel(ctx)
		cancel()
		return ctx, cancel
	}
	retry := &retrier{policy: ErrorPolicy{RetryTimeout: -1, RetryDelayMax: time.Hour}, until: stopped, retried: func(error, time.Duration) {}}
	want := &convert.Error{Class: "org.apache.kafka.connect.errors.RetriableException"}
	if err := retry.do(func() error { return want }); !errors.Is(err, want) {
		t.Errorf("got %v, want the failure itself", err)
	}
}
