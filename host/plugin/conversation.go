package plugin

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pluginv1 "github.com/tailrace/tailrace/gen/tailrace/plugin/v1"
	"github.com/tailrace/tailrace/host/plugin/process"
	"github.com/tailrace/tailrace/sdk/go/wire"
)

const (
	// deathWait is how long a broken stream waits for the news that the process died, to tell that and not "unavailable".
	deathWait = 2 * time.Second
	// controlFramesPerSecond and controlFramesBurst bound frames other than batches (I-3): credit does not bound them.
	controlFramesPerSecond = 5_000
	controlFramesBurst     = 30_000 // more than the schemas of a stream
	// staleFramesLimit ends a stream whose plugin does not keep to the epoch. A stream has one epoch for its whole life, so
	// there is no good reason for even one such frame.
	staleFramesLimit = 10
	// dictionaryBytes bounds all schemas or source partitions of one stream together.
	dictionaryBytes = 64 << 20
)

// frame is what every frame from a plugin has.
type frame interface {
	GetEpoch() uint64
}

// conversation is the part that the three streams share: deadlines, epoch, bounds, and the words for what goes wrong.
// recv is called by one goroutine; send by any.
type conversation[Q any, R any] struct {
	instance *Instance
	stream   grpc.BidiStreamingClient[Q, R]
	ctx      context.Context
	cancel   context.CancelCauseFunc
	logger   *slog.Logger
	epoch    uint64
	timeouts Timeouts

	sendMu     sync.Mutex
	sendTimer  *time.Timer
	startTimer *time.Timer
	watch      *time.Timer

	lastFrame atomic.Int64 // unix nanoseconds
	call      atomic.Pointer[Call]
	frames    *process.Rate
	stale     int
	logs      logRelay
}

// Call is a call of user code that is under way in a task, as its heartbeat tells.
type Call struct {
	Name  string // "poll", "put"; empty when none is under way
	Since time.Time
}

// open starts a stream. ctx bounds the opening; after that the stream ends with the process or by its own rules.
func open[Q any, R any](
	ctx context.Context, instance *Instance, logger *slog.Logger, epoch uint64,
	start func(context.Context, ...grpc.CallOption) (grpc.BidiStreamingClient[Q, R], error),
) (*conversation[Q, R], error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	streamCtx, cancel := context.WithCancelCause(instance.ctx)
	c := &conversation[Q, R]{
		instance: instance, ctx: streamCtx, cancel: cancel, logger: logger, epoch: epoch, timeouts: instance.timeouts,
		frames: process.NewRate(controlFramesPerSecond, controlFramesBurst), logs: newLogRelay(logger),
	}
	c.lastFrame.Store(time.Now().UnixNano())
	c.startTimer = time.AfterFunc(c.timeouts.Start, func() {
		cancel(&TimeoutError{What: "the start did not finish within " + c.timeouts.Start.String()})
	})
	c.sendTimer = time.AfterFunc(time.Hour, func() {
		cancel(&TimeoutError{What: "it took no frame for " + c.timeouts.Send.String()})
	})
	c.sendTimer.Stop()
	// The connection is lazy: this waits for it, at most until the start timer cancels. ctx covers the opening alone.
	stop := context.AfterFunc(ctx, func() { cancel(context.Cause(ctx)) })
	stream, err := start(streamCtx) //nolint:contextcheck // the stream outlives the opening
	if !stop() || err != nil {
		err = c.explain(err)
		c.close()
		return nil, err
	}
	c.stream = stream
	c.watch = time.AfterFunc(wire.SilenceLimit, c.checkSilence)
	return c, nil
}

// started ends the start deadline.
func (c *conversation[Q, R]) started() { c.startTimer.Stop() }

// send writes a frame. It blocks while the plugin does not read, at most Timeouts.Send; after that the stream is over. A
// frame for a stream that the plugin has ended is dropped without an error: why it ended is what recv returns.
func (c *conversation[Q, R]) send(m *Q) error {
	c.sendMu.Lock()
	defer c.sendMu.Unlock()
	c.sendTimer.Reset(c.timeouts.Send)
	err := c.stream.Send(m)
	c.sendTimer.Stop()
	if err != nil && !errors.Is(err, io.EOF) {
		return c.explain(err)
	}
	return nil
}

// closeSend tells the plugin that nothing more comes.
func (c *conversation[Q, R]) closeSend() {
	c.sendMu.Lock()
	defer c.sendMu.Unlock()
	_ = c.stream.CloseSend()
}

// recv reads the next frame of this epoch. io.EOF is the end that the plugin chose.
func (c *conversation[Q, R]) recv() (*R, error) {
	for {
		m, err := c.stream.Recv()
		if err != nil {
			if errors.Is(err, io.EOF) {
				return nil, io.EOF
			}
			return nil, c.explain(err)
		}
		now := time.Now()
		c.lastFrame.Store(now.UnixNano())
		f, ok := any(m).(frame)
		if ok && f.GetEpoch() == c.epoch {
			return m, nil
		}
		c.stale++ // the protocol's rule: a stale frame is dropped
		if c.stale >= staleFramesLimit {
			return nil, c.fail(violation("%d frames were not of epoch %d but of others, the last of epoch %d", c.stale, c.epoch, f.GetEpoch()))
		}
	}
}

// control counts a frame that credit does not bound.
func (c *conversation[Q, R]) control() error {
	if c.frames.Take(1, time.Now()) > 0 {
		return c.fail(violation("it floods the worker with more than %d frames a second beside its batches", controlFramesPerSecond))
	}
	return nil
}

// fail ends the stream for a reason found on this side.
func (c *conversation[Q, R]) fail(reason error) error {
	c.cancel(reason)
	return reason
}

// close releases what the stream holds. The plugin sees a cancelled call if the stream was still open.
func (c *conversation[Q, R]) close() {
	c.startTimer.Stop()
	c.sendTimer.Stop()
	if c.watch != nil {
		c.watch.Stop()
	}
	c.cancel(context.Canceled)
}

// explain turns the stream's error into the reason behind it.
func (c *conversation[Q, R]) explain(err error) error {
	if cause := context.Cause(c.ctx); errors.Is(cause, context.Canceled) {
		return errNotOpen
	} else if cause != nil {
		return cause
	}
	if code := status.Code(err); code == codes.Unavailable || code == codes.Canceled {
		if death := c.instance.awaitDeath(deathWait); death != nil {
			return death
		}
	}
	return rpcError("the stream", err)
}

// checkSilence runs on a timer. A plugin that sends nothing, heartbeats included, is asked for its health; without an
// answer its process is killed, because nothing in it can be trusted to go on.
func (c *conversation[Q, R]) checkSilence() {
	if c.ctx.Err() != nil {
		return
	}
	silent := time.Since(time.Unix(0, c.lastFrame.Load()))
	if silent >= wire.SilenceLimit {
		if err := c.instance.Ping(c.ctx); err != nil && c.ctx.Err() == nil {
			c.logger.Error("the plugin is silent and does not answer a health check; its process is killed", "silent", silent.Round(time.Second), "error", err)
			c.cancel(&TimeoutError{What: "it sent nothing for " + silent.Round(time.Second).String() + " and did not answer a health check"})
			c.instance.Kill()
			return
		}
		silent = 0
	}
	c.watch.Reset(max(wire.SilenceLimit-silent, time.Second))
}

// heartbeat keeps what the task says it is doing.
func (c *conversation[Q, R]) heartbeat(m *pluginv1.Heartbeat) {
	call := &Call{Name: cut(m.GetCall(), 100)}
	if call.Name != "" {
		call.Since = time.Now().Add(-time.Duration(min(m.GetCallMs(), 1<<40)) * time.Millisecond)
	}
	c.call.Store(call)
}

// currentCall tells what user code is doing since when, as of the last heartbeat.
func (c *conversation[Q, R]) currentCall() Call {
	if call := c.call.Load(); call != nil {
		return *call
	}
	return Call{}
}
