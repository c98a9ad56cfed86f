package connect

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	pluginv1 "github.com/tailrace/tailrace/gen/tailrace/plugin/v1"
	"github.com/tailrace/tailrace/sdk/go/wire"
)

// records puts one frame, again and again while the error may pass.
func (r *sinkRun) records(ctx context.Context, f *pluginv1.Records) error {
	batch, through, err := r.read(f)
	if err != nil {
		return err
	}
	var took *pluginv1.CallTime
	for failures := 1; len(batch.parts) > 0 || len(f.GetBatches()) == 0; failures++ {
		began := time.Now()
		err := r.call(ctx, "put", func(ctx context.Context) error { return r.task.Put(withTraceparent(ctx, f.GetTraceparent()), batch) })
		if isPanic(err) {
			return err
		}
		if err == nil {
			if f.GetTraceparent() != "" {
				took = callTime(began)
			}
			err = r.errant.flush(ctx)
		} else {
			r.errant.forget(batch.done) // the next try reports the others again
		}
		if err == nil {
			for i := range batch.parts {
				r.state.put(batch.parts[i].batch.Partition(), batch.parts[i].batch.LastOffset())
			}
			break
		}
		var retriable *RetriableError
		if !errors.As(err, &retriable) {
			if ctx.Err() != nil || r.isExpired() {
				r.state.giveUp()
				return nil //nolint:nilerr // nobody waits for it any more
			}
			return fmt.Errorf("put %s: %w", batch.span(), err)
		}
		batch.again()
		wait := backoff(failures, retriable)
		r.post(ctx, &pluginv1.RunSinkResponse{Frame: &pluginv1.RunSinkResponse_Retry{
			Retry: &pluginv1.RetryNotice{Error: errorProto(err), AfterMs: uint64(wait.Milliseconds())},
		}})
		leave, err := r.awaitRetry(ctx, wait, batch)
		if err != nil {
			return err
		}
		if leave {
			r.state.giveUp() // never accepted, so never committed
			return nil
		}
	}
	r.inbox.accepted(f)
	if through > 0 {
		r.lastSeq = max(r.lastSeq, through)
		accepted := &pluginv1.Accepted{ThroughSeq: through, Put: took}
		r.post(ctx, &pluginv1.RunSinkResponse{Frame: &pluginv1.RunSinkResponse_Accepted{Accepted: accepted}})
	}
	return nil
}

// read checks a frame and leaves out what is not wanted: partitions that were taken away or are
// under a seek.
func (r *sinkRun) read(f *pluginv1.Records) (batch *SinkBatch, through uint64, err error) {
	batch = &SinkBatch{}
	seq := f.GetFirstSeq()
	for _, m := range f.GetBatches() {
		b, err := wire.ReadSinkBatch(m, &r.schemas)
		if err != nil {
			return nil, 0, fmt.Errorf("the worker broke the protocol: %w", err)
		}
		if tp, ok := r.state.wants(m.GetPartition()); ok {
			batch.parts = append(batch.parts, sinkPart{batch: b, tp: tp, firstSeq: seq})
			batch.count += b.Len()
		}
		seq += uint64(b.Len())
	}
	if len(f.GetBatches()) == 0 {
		return batch, 0, nil
	}
	return batch, seq - 1, nil
}

// awaitRetry waits before the next try. A revocation is handled meanwhile, so that a sink that is
// stuck does not hold up a rebalance, and the revoked partitions leave the batch. leave
// means that the task is to end.
func (r *sinkRun) awaitRetry(ctx context.Context, wait time.Duration, batch *SinkBatch) (leave bool, err error) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		revoke, leave := r.inbox.takeRevoke(r.state.hasAll)
		if leave {
			return true, nil
		}
		if revoke != nil {
			if err := r.handle(ctx, revoke); err != nil {
				return false, err
			}
			if batch.drop(revoke.GetRevoke().GetPartitions()); len(batch.parts) == 0 {
				return false, nil
			}
			continue
		}
		select {
		case <-timer.C:
			return false, nil
		case <-r.inbox.urgent:
		case <-ctx.Done():
			return true, nil
		}
	}
}

func (r *sinkRun) isExpired() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.expired
}

// drop removes partitions from a batch.
func (b *SinkBatch) drop(ids []uint32) {
	b.parts = slices.DeleteFunc(b.parts, func(p sinkPart) bool { return slices.Contains(ids, p.batch.Partition()) })
	b.again()
}

// span names the records of a batch in an error.
func (b *SinkBatch) span() string {
	if len(b.parts) == 0 {
		return "without records"
	}
	p := &b.parts[0]
	c := p.batch.Cursor()
	var rec wire.SinkRecord
	c.Next(&rec)
	text := fmt.Sprintf("of %s-%d offsets %d to %d", p.tp.Topic, p.tp.Partition, rec.Offset, p.batch.LastOffset())
	if n := len(b.parts) - 1; n > 0 {
		text += fmt.Sprintf(" and %d more runs", n)
	}
	return text
}
