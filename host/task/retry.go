package task

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/tailrace/tailrace/host/convert"
	"github.com/tailrace/tailrace/sdk/go/data"
)

// firstRetryDelay is the wait after the first failed attempt (reference section 5.6).
const firstRetryDelay = 300 * time.Millisecond

// retryDelay is the wait after failed attempt number attempt, from 1 on: 300 ms,
// doubled each time; where that passes limit, a random time below limit. random is in [0, 1).
func retryDelay(attempt int, limit time.Duration, random float64) time.Duration {
	if shift := attempt - 1; shift < 32 {
		if delay := firstRetryDelay << shift; delay <= limit {
			return delay
		}
	}
	return time.Duration(random * float64(limit))
}

// RetryWait decides whether a failed attempt is followed by another one, and after
// which wait; elapsed is the time since the first attempt began. The last wait
// is cut at the deadline.
func (p ErrorPolicy) RetryWait(attempt int, elapsed time.Duration, random float64) (wait time.Duration, again bool) {
	if p.RetryTimeout == 0 {
		return 0, false
	}
	wait = retryDelay(attempt, p.RetryDelayMax, random)
	if p.RetryTimeout < 0 {
		return wait, true
	}
	left := p.RetryTimeout - elapsed
	return min(wait, left), left > 0
}

// isRetriable reports whether a step may succeed with the same record later.
func isRetriable(err error) bool {
	for _, class := range []string{"org.apache.kafka.connect.errors.RetriableException", "org.apache.kafka.common.errors.RetriableException"} {
		var java *convert.Error
		if errors.As(err, &java) && java.Class == class {
			return true
		}
	}
	var said interface{ Retriable() bool }
	return errors.As(err, &said) && said.Retriable()
}

// retrier tries a step again while its failure may pass. It blocks the goroutine
// that converts, as Kafka Connect blocks the task; a stop of the task ends the wait.
type retrier struct {
	policy ErrorPolicy
	// until derives a context that ends when the task is to stop.
	until   func(context.Context) (context.Context, context.CancelFunc)
	retried func(err error, after time.Duration)
}

func (t *retrier) do(step func() error) error {
	began := time.Now()
	for attempt := 1; ; attempt++ {
		err := step()
		if err == nil || !isRetriable(err) {
			return err
		}
		wait, again := t.policy.RetryWait(attempt, time.Since(began), rand.Float64()) //nolint:gosec // not a secret
		if !again {
			return err
		}
		t.retried(err, wait)
		if !t.sleep(wait) {
			return err
		}
	}
}

func (t *retrier) sleep(wait time.Duration) bool {
	ctx, cancel := t.until(context.Background())
	defer cancel()
	select {
	case <-time.After(wait):
		return true
	case <-ctx.Done():
		return false
	}
}

// with wraps the converters so that failures that may pass are tried again;
// without errors.retry.timeout they stay as they are.
func (t *retrier) with(c Converters) Converters {
	if t.policy.RetryTimeout == 0 {
		return c
	}
	c.Key, c.Value = &retryingConverter{c.Key, t}, &retryingConverter{c.Value, t}
	c.Header = &retryingHeaders{c.Header, t}
	return c
}

type retryingConverter struct {
	convert.Converter
	retry *retrier
}

func (c *retryingConverter) FromConnect(dst []byte, topic string, schema *data.Schema, wire []byte) (out, after []byte, err error) {
	err = c.retry.do(func() (err error) {
		out, after, err = c.Converter.FromConnect(dst, topic, schema, wire)
		return err
	})
	return out, after, err
}

func (c *retryingConverter) ToConnect(dst []byte, topic string, kafka []byte) (schema *data.Schema, after []byte, err error) {
	err = c.retry.do(func() (err error) {
		schema, after, err = c.Converter.ToConnect(dst, topic, kafka)
		return err
	})
	return schema, after, err
}

type retryingHeaders struct {
	convert.HeaderConverter
	retry *retrier
}

func (c *retryingHeaders) FromHeader(dst []byte, topic, name string, schema *data.Schema, wire []byte) (out, after []byte, err error) {
	err = c.retry.do(func() (err error) {
		out, after, err = c.HeaderConverter.FromHeader(dst, topic, name, schema, wire)
		return err
	})
	return out, after, err
}

func (c *retryingHeaders) ToHeader(dst []byte, topic, name string, kafka []byte) (schema *data.Schema, after []byte, err error) {
	err = c.retry.do(func() (err error) {
		schema, after, err = c.HeaderConverter.ToHeader(dst, topic, name, kafka)
		return err
	})
	return schema, after, err
}

// formOf is convert.FormOf of what a retrying converter wraps.
func formOf(c convert.Converter, schema *data.Schema) convert.Form {
	if r, ok := c.(*retryingConverter); ok {
		c = r.Converter
	}
	return convert.FormOf(c, schema)
}
