package task

import (
	"context"
	"time"

	"github.com/tailrace/tailrace/host/kafka"
	"github.com/tailrace/tailrace/host/plugin"
)

// assign gives the task partitions; records follow after its answer.
func (r *sinkRun) assign(list []*position) {
	r.token++
	r.assignToken = r.token
	r.assigned = false
	partitions := make([]plugin.SinkPartition, 0, len(list))
	for _, pos := range list {
		partitions = append(partitions, plugin.SinkPartition{ID: pos.id, Topic: pos.tp.Topic, Partition: pos.tp.Partition, Position: pos.committed})
	}
	r.sentFrame(r.stream.SendAssign(r.token, partitions))
}

// onAssigned runs inside Poll.
func (r *sinkRun) onAssigned(ctx context.Context, tps []kafka.TopicPartition) {
	offsets, err := r.consumer.Positions(ctx, tps)
	if err != nil {
		r.fatal = err
		return
	}
	list := make([]*position, 0, len(tps))
	for _, tp := range tps {
		list = append(list, r.positions.add(tp, offsets[tp]))
	}
	// What the task is told and what is read are the same position.
	r.consumer.Seek(offsets)
	if r.paused {
		r.consumer.Pause(tps)
	}
	if r.stream == nil || !r.started || r.over {
		return // the new process gets them all
	}
	r.assign(list)
	token := r.token
	switch answered := r.await(ctx, func() bool { return r.answered[token] != nil }); {
	case answered, r.over, r.stream == nil:
	case r.ctx.Err() != nil:
		r.fatal = context.Cause(r.ctx) //nolint:contextcheck // ctx is the poll's, the reason is in the task's
	default:
		r.fatal = &DrainTimeoutError{What: "it did not answer Assign", Call: r.stream.Call()}
	}
	delete(r.answered, token)
}

// onRevoked runs inside Poll or Close: flush and commit while the partitions are still ours.
func (r *sinkRun) onRevoked(ctx context.Context, tps []kafka.TopicPartition) {
	r.revoke(ctx, tps, false)
}

// onLost runs inside Poll: somebody else has them already.
func (r *sinkRun) onLost(ctx context.Context, tps []kafka.TopicPartition) {
	r.revoke(ctx, tps, true)
}

func (r *sinkRun) revoke(ctx context.Context, tps []kafka.TopicPartition, lost bool) {
	defer func() {
		for _, tp := range tps {
			r.positions.remove(tp)
			delete(r.reported, tp)
		}
		if !r.positions.dirty() {
			r.safe = r.lastSeq
		}
	}()
	if r.stream == nil || !r.started || r.over {
		return
	}
	var ids []uint32
	for _, tp := range tps {
		if pos, ok := r.positions.byTP[tp]; ok {
			ids = append(ids, pos.id)
		}
	}
	if len(ids) == 0 {
		return
	}
	if !r.deadline.IsZero() { // keep a quarter for Drain
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, r.deadline.Add(-r.cfg.Timing.GracefulTimeout/4))
		defer cancel()
	}
	r.token++
	token := r.token
	left := r.cfg.Timing.GracefulTimeout
	if until, ok := ctx.Deadline(); ok {
		left = time.Until(until)
	}
	r.sentFrame(r.stream.SendRevoke(token, ids, lost, max(left, 0)))
	if !r.await(ctx, func() bool { return r.answered[token] != nil }) {
		if !r.over && r.stream != nil {
			r.fatal = &DrainTimeoutError{What: "it did not answer Revoke", Call: r.stream.Call()}
			r.fail(r.fatal)
		}
		return
	}
	answer, _ := r.answered[token].(plugin.Revoked)
	delete(r.answered, token)
	switch {
	case lost:
	case answer.Err != nil:
		r.snap.CommitFailures++
		r.note(answer.Err)
		r.logger.Error("the task could not flush before its partitions moved; the records since the last commit are read again", "error", answer.Err)
	default:
		r.commit(ctx, answer.Offsets, false)
	}
	r.stream.Forget(ids)
}

// advance counts what is accepted beyond the furthest record that was ever
// accepted, also by an earlier process: records that come again are no progress.
func (r *sinkRun) advance(through uint64) {
	tp, offset, ok := r.segments.find(through)
	if !ok {
		return
	}
	if r.furthest == nil {
		r.furthest = make(map[kafka.TopicPartition]int64)
	}
	if before, known := r.furthest[tp]; !known || offset > before {
		r.furthest[tp] = offset
		r.snap.Progress++
	}
}
