package task

import (
	"context"
	"time"
)

// finish flushes, commits, leaves the group and ends the stream, each within its
// share of the graceful timeout. A task that failed in Kafka or in a converter
// still keeps what it has done.
func (r *sinkRun) finish() {
	if r.deadline.IsZero() {
		r.deadline = time.Now().Add(r.cfg.Timing.GracefulTimeout)
	}
	if r.ctx.Err() != nil {
		r.deadline = time.Now()
	}
	if r.cause == nil {
		r.enter(Draining, nil)
	}
	r.stopping = true
	ctx, cancel := context.WithDeadline(context.WithoutCancel(r.ctx), r.deadline)
	defer cancel()
	if r.opening {
		r.control.requestStop() // ends Open
		if o := <-r.opened; o.err == nil {
			o.stream.Close()
		}
	}
	r.dropFetch()
	if r.consumer != nil {
		r.leaveGroup(ctx)
	}
	r.drain(ctx)
	r.closeDeadLetters(ctx)
	close(r.quit)
	if r.stream != nil {
		r.stream.Close()
	}
	r.workers.Wait()
	r.traces.giveUp()
	if r.cause != nil {
		r.enter(Failed, r.cause)
	} else {
		r.enter(Stopped, nil)
	}
}

// leaveGroup keeps a quarter of the time for Drain.
func (r *sinkRun) leaveGroup(ctx context.Context) {
	ctx, cancel := context.WithDeadline(ctx, r.deadline.Add(-r.cfg.Timing.GracefulTimeout/4))
	defer cancel()
	if err := r.consumer.Close(ctx); err != nil {
		r.logger.Warn("could not leave the consumer group; its members notice by session.timeout.ms", "error", err)
	}
}

// drain ends the task's stream in order.
func (r *sinkRun) drain(ctx context.Context) {
	if r.stream == nil || r.over || !r.started || ctx.Err() != nil {
		return
	}
	r.sentFrame(r.stream.SendDrain(time.Until(r.deadline)))
	if r.await(ctx, func() bool { return r.drained }) {
		r.stream.CloseSend()
		r.await(ctx, func() bool { return r.over })
	}
	if !r.over && r.cause == nil {
		r.cause = &DrainTimeoutError{What: "it did not end its stream", Call: r.stream.Call()}
	}
}
