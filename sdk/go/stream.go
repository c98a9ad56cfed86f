package connect

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	pluginv1 "github.com/tailrace/tailrace/gen/tailrace/plugin/v1"
	"github.com/tailrace/tailrace/sdk/go/wire"
)

const (
	// stopTimeout is how long Stop may take, and the last Commit before it.
	stopTimeout = 5 * time.Second
	// controlFrames is how many frames may wait for the writer of a stream.
	controlFrames = 64
)

var errStreamOver = errors.New("the stream to the worker is over")

// frames makes the frames that all conversations have, in the envelope of one of them.
type frames[M any] interface {
	heartbeat(*pluginv1.Heartbeat) M
	logs(*pluginv1.Logs) M
	failure(*pluginv1.Failure) M
	metrics(*pluginv1.Metrics) M
}

// outbox owns the sending side of one stream: only its run method sends. Others post.
type outbox[M any] struct {
	frames  frames[M]
	send    func(M) error
	control chan M
	calls   calls
	log     *logBuffer
	// metrics are sent every metricsInterval when the host takes them.
	metrics     Metrics
	sendMetrics bool

	closing chan struct{} // closed by close
	over    chan struct{} // closed when run has returned
	once    sync.Once
	last    []M // set before closing is closed
}

func newOutbox[M any](f frames[M], send func(M) error, log *logBuffer) *outbox[M] {
	return &outbox[M]{
		frames: f, send: send, log: log,
		control: make(chan M, controlFrames), closing: make(chan struct{}), over: make(chan struct{}),
	}
}

// post hands a frame to the writer, in order. It waits while controlFrames are waiting already.
func (o *outbox[M]) post(ctx context.Context, m M) error {
	select {
	case o.control <- m:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-o.over:
		return errStreamOver
	}
}

// close makes run send what was posted, then the last frames, and return. Only the first call counts.
func (o *outbox[M]) close(last ...M) {
	o.once.Do(func() {
		o.last = last
		close(o.closing)
	})
}

// fail closes with a Failure.
func (o *outbox[M]) fail(err error) {
	o.close(o.frames.failure(&pluginv1.Failure{Error: errorProto(err)}))
}

// lane is a second thing to send beside control frames. Its methods are called by the writer.
type lane[M any] interface {
	// next is what to send now, if there is anything and credit for it.
	next() (frames []M, ok bool, err error)
	// wake tells that next should be asked again.
	wakeup() <-chan struct{}
}

// beatStep lies between the moments at which streams send their heartbeats.
const beatStep = 100 * time.Millisecond

// untilBeat is how long a stream waits for its next heartbeat: about wire.HeartbeatInterval, to a moment that it shares with
// other streams. Frames of many streams that are written together cost a fraction of what they cost one by one. Pure.
func untilBeat(now time.Time) time.Duration {
	at := now.Add(wire.HeartbeatInterval)
	return wire.HeartbeatInterval - at.Sub(at.Truncate(beatStep))
}

// run is the writer: control frames before data, heartbeats whatever user code does.
func (o *outbox[M]) run(ctx context.Context, data lane[M]) error {
	defer close(o.over)
	beat := time.NewTimer(untilBeat(time.Now()))
	defer beat.Stop()
	measures := time.NewTicker(metricsInterval)
	defer measures.Stop()
	var wake <-chan struct{}
	if data != nil {
		wake = data.wakeup()
	}
	for {
		if err := o.sendPosted(); err != nil {
			return err
		}
		if data != nil {
			more, err := o.sendData(data)
			if err != nil {
				return err
			}
			if more {
				continue
			}
		}
		select {
		case m := <-o.control:
			if err := o.send(m); err != nil {
				return err
			}
		case <-wake:
		case <-o.log.wake:
			if err := o.sendLogs(); err != nil {
				return err
			}
		case now := <-beat.C:
			beat.Reset(untilBeat(now))
			if err := o.send(o.frames.heartbeat(o.calls.longest(time.Now()))); err != nil {
				return err
			}
		case <-measures.C:
			if err := o.sendMeasures(); err != nil {
				return err
			}
		case <-o.closing:
			return o.sendRest()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (o *outbox[M]) sendData(data lane[M]) (more bool, err error) {
	out, ok, err := data.next()
	if err != nil {
		o.fail(err)
		return false, nil
	}
	for _, m := range out {
		if err := o.send(m); err != nil {
			return false, err
		}
	}
	return ok, nil
}

// sendPosted sends what is posted now.
func (o *outbox[M]) sendPosted() error {
	for {
		select {
		case m := <-o.control:
			if err := o.send(m); err != nil {
				return err
			}
		default:
			return nil
		}
	}
}

func (o *outbox[M]) sendLogs() error {
	for {
		logs := o.log.take()
		if logs == nil {
			return nil
		}
		if err := o.send(o.frames.logs(logs)); err != nil {
			return err
		}
	}
}

func (o *outbox[M]) sendMeasures() error {
	if !o.sendMetrics {
		return nil
	}
	if m := o.metrics.changed(); m != nil {
		return o.send(o.frames.metrics(m))
	}
	return nil
}

func (o *outbox[M]) sendRest() error {
	if err := o.sendPosted(); err != nil {
		return err
	}
	if err := o.sendMeasures(); err != nil {
		return err
	}
	if err := o.sendLogs(); err != nil {
		return err
	}
	for _, m := range o.last {
		if err := o.send(m); err != nil {
			return err
		}
	}
	return nil
}

// calls knows which calls of user code are under way, for the heartbeats.
type calls struct {
	mu    sync.Mutex
	under []call
}

type call struct {
	name  string
	since time.Time
}

func (c *calls) begin(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.under = append(c.under, call{name, time.Now()})
}

func (c *calls) end(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.under {
		if c.under[i].name == name {
			c.under = append(c.under[:i], c.under[i+1:]...)
			return
		}
	}
}

// longest is the heartbeat: the call that is under way for the longest time.
func (c *calls) longest(now time.Time) *pluginv1.Heartbeat {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.under) == 0 {
		return &pluginv1.Heartbeat{}
	}
	return &pluginv1.Heartbeat{Call: c.under[0].name, CallMs: uint64(max(0, now.Sub(c.under[0].since).Milliseconds()))}
}

// guard runs user code. A panic becomes an error with its stack: it fails one
// task, never the process (I-3).
func (c *calls) guard(name string, f func() error) (err error) {
	c.begin(name)
	defer c.end(name)
	defer func() {
		if v := recover(); v != nil {
			err = &panicError{call: name, value: v, stack: fmt.Sprintf("panic: %v\n\n%s", v, debug.Stack())}
		}
	}()
	return f()
}

// Bounds of the wait between two tries of a retriable error.
const (
	minBackoff = 100 * time.Millisecond
	maxBackoff = 30 * time.Second
)

// backoff is how long to wait after the n-th failure in a row, n from 1.
func backoff(n int, err *RetriableError) time.Duration {
	if err.After > 0 {
		return err.After
	}
	if n > 9 { // 100 ms << 9 is beyond the greatest already
		return maxBackoff
	}
	return min(minBackoff<<(n-1), maxBackoff)
}

// idleWait is how long to wait before the next Poll after the n-th in a row that
// appended nothing, n from 1. A Poll that waited itself is not made to wait again.
func idleWait(n int, took time.Duration) time.Duration {
	const shortest, longest = 5 * time.Millisecond, 250 * time.Millisecond
	wait := longest
	if n < 7 {
		wait = min(shortest<<(n-1), longest)
	}
	return max(0, wait-took)
}

// stopContext is for what must run when the stream is over already.
func stopContext(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
}
