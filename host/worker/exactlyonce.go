package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tailrace/tailrace/host/config"
	"github.com/tailrace/tailrace/host/kafka"
	"github.com/tailrace/tailrace/host/plugin"
	"github.com/tailrace/tailrace/host/store"
	"github.com/tailrace/tailrace/host/task"
)

// ExactlyOnce is what a cluster does for source tasks that write exactly once (KIP-618). Its methods are called from the
// goroutines of tasks.
type ExactlyOnce interface {
	// Fence returns when no task of an earlier set of the connector's tasks can write any more.
	Fence(ctx context.Context, connector string) error
	// Current returns why this worker must not run the task (any more) as it was given, or nil. It is asked when the
	// task's producer has fenced its predecessor: it reads the config topic to its end first.
	Current(ctx context.Context, id task.ID, taskProps map[string]string) error
}

// SourceOffsets is the store of a source connector's offsets.
type SourceOffsets interface {
	store.OffsetStore
	// Records are what stores the entries, for a transaction that holds the task's records too.
	Records(entries []store.OffsetEntry) []kafka.OutRecord
	// Committed is called when a transaction with the records of these entries is committed.
	Committed(ctx context.Context, entries []store.OffsetEntry)
	// Uses reports whether the store writes to a topic: a task must not produce to it.
	Uses(topic string) bool
}

// OffsetsOf opens the store of a connector's offsets; release gives it back.
type OffsetsOf func(ctx context.Context, c *config.Connector) (offsets SourceOffsets, release func(), err error)

// offsetsOf opens the store of the connector's offsets.
func (r *runner) offsetsOf(ctx context.Context, c *config.Connector) (offsets store.OffsetStore, own SourceOffsets, release func(), err error) {
	if r.w.cfg.OffsetsOf == nil {
		return r.w.cfg.Offsets, nil, func() {}, nil
	}
	ctx, cancel := r.untilStopped(ctx)
	defer cancel()
	own, release, err = r.w.cfg.OffsetsOf(ctx, c)
	return own, own, release, err
}

// untilStopped is a context for what comes before the start.
func (r *runner) untilStopped(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(ctx, beginTimeout)
	go func() {
		select {
		case <-r.stopping:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

// beginTimeout bounds each step that a task needs others for before it starts.
const beginTimeout = time.Minute

// fencedProducer makes the producer of a task that writes exactly once, so that nobody else writes as this task when it
// returns: first the tasks of an earlier set are fenced by the leader, then this task's predecessor by its id, then it is
// made sure that this worker is not the one that was meant to be fenced (I-5, reference section 5.8).
func (r *taskRunner) fencedProducer(cfg kafka.ClientConfig, id string) (*kafka.Producer, error) {
	ctx, cancel := r.untilStopped(r.life)
	defer cancel()
	if err := r.w.cfg.ExactlyOnce.Fence(ctx, r.id.Connector); err != nil {
		return nil, mayPass(fmt.Errorf("the producers of earlier tasks could not be fenced: %w", err))
	}
	producer, err := kafka.NewTransactionalProducer(ctx, cfg, id)
	if err != nil {
		return nil, mayPass(err)
	}
	if err := r.w.cfg.ExactlyOnce.Current(ctx, r.id, r.props); err != nil {
		return nil, errors.Join(err, producer.Close(ctx))
	}
	return producer, nil
}

// mayPass lets a task start again after a failure that may pass.
func mayPass(err error) error {
	if errors.Is(err, kafka.ErrNotAuthorised) || errors.Is(err, kafka.ErrAuthentication) {
		return err
	}
	return &task.RestartError{Cause: err}
}

// transactions are those of a source task: its producer's, with the offsets of its connector.
type transactions struct {
	producer *kafka.Producer
	offsets  SourceOffsets
}

var _ task.Transactions = transactions{}

func (t transactions) Begin() error                    { return t.producer.Begin() }
func (t transactions) Abort(ctx context.Context) error { return t.producer.Abort(ctx) }
func (t transactions) Flush(ctx context.Context) error { return t.producer.Flush(ctx) }

func (t transactions) Commit(ctx context.Context, entries []store.OffsetEntry) error {
	if err := t.producer.Commit(ctx, t.offsets.Records(entries)); err != nil {
		return err
	}
	t.offsets.Committed(ctx, entries)
	return nil
}

func (t transactions) Refuses(topic string) error {
	if !t.offsets.Uses(topic) {
		return nil
	}
	return fmt.Errorf("source tasks may not write to their own offsets topics while exactly-once support is enabled: topic %s; choose another topic for the records", topic)
}

// boundaries are the values of transaction.boundary.
var boundaries = map[string]plugin.Boundary{"poll": plugin.BoundaryPoll, "interval": plugin.BoundaryInterval, "connector": plugin.BoundaryConnector}
