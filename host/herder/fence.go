package herder

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/tailrace/tailrace/host/cluster"
	"github.com/tailrace/tailrace/host/config"
	"github.com/tailrace/tailrace/host/kafka"
	"github.com/tailrace/tailrace/host/store"
	"github.com/tailrace/tailrace/host/task"
	"github.com/tailrace/tailrace/host/worker"
)

// This file is what source tasks that write exactly once need of their cluster (KIP-618, reference section 5.8): before the
// first task of a set writes, the producers of the set before must not write any more. The leader sees to it once for a set.

// Fence implements Herder: another worker, which starts a task, asks the leader.
func (d *Distributed) Fence(ctx context.Context, name string, signature Signature) error {
	if err := d.verify(nil, signature); err != nil {
		return err
	}
	return d.fenceTasks(ctx, name)
}

// fenceTasks is the leader's part.
func (d *Distributed) fenceTasks(ctx context.Context, name string) error {
	return d.write(ctx, "fencing the older tasks of connector "+name, func() error {
		if err := d.topic.Refresh(ctx); err != nil {
			return err
		}
		c, exists := d.configs.Snapshot().Connectors[name]
		switch {
		case !exists:
			return notFound(name)
		case d.typeOf(c.Config) == SinkType:
			return failed(BadRequest, "Connector %s is not a source connector", name)
		case !c.PendingFencing:
			return nil
		}
		if n := toFence(c); n > 0 {
			ids := make([]string, n)
			for i := range ids {
				ids[i] = config.TransactionalID(d.cluster.GroupID, name, i)
			}
			if err := d.fence(ctx, maps.Clone(c.Config), ids); err != nil {
				return err
			}
		}
		return d.topic.PutFencedTasks(ctx, name, len(c.Tasks))
	})
}

// toFence is how many older producers must be fenced. A single task that follows a single one fences it by itself. Pure.
func toFence(c store.ConnectorSnapshot) int {
	if !c.Fenced || c.FencedTasks == 1 && len(c.Tasks) == 1 {
		return 0
	}
	return c.FencedTasks
}

// fencer is the tasks' side of a Distributed.
type fencer Distributed

var _ worker.ExactlyOnce = (*fencer)(nil)

const (
	// fencePause lies between two attempts to have older tasks fenced: a leader is on its way, or a broker.
	fencePause = 250 * time.Millisecond
	// fenceTimeout bounds them all.
	fenceTimeout = 60 * time.Second
)

// Fence implements worker.ExactlyOnce.
func (f *fencer) Fence(ctx context.Context, connector string) error {
	d := (*Distributed)(f)
	ctx, cancel := context.WithTimeout(ctx, fenceTimeout)
	defer cancel()
	for {
		err := d.askToFence(ctx, connector)
		if err == nil {
			return nil
		}
		if mayPass(err) {
			select {
			case <-time.After(fencePause):
				continue
			case <-ctx.Done():
			case <-d.ctx.Done():
			}
		}
		return fmt.Errorf("the older tasks of connector %s could not be fenced: %w", connector, err)
	}
}

// mayPass says that another attempt can succeed. Pure.
func mayPass(err error) bool {
	var told *Error
	if errors.As(err, &told) {
		return told.Kind != NotFound && told.Kind != BadRequest
	}
	return kafka.IsRetriable(err) || errors.Is(err, store.ErrNotClaimed)
}

// askToFence is one attempt. The tasks of a set ask one after the other, so that those behind the first find it done.
func (d *Distributed) askToFence(ctx context.Context, connector string) error {
	turn, err := d.fencing.take(ctx, connector)
	if err != nil {
		return err
	}
	defer turn()
	// What this worker has read holds the set that it starts. When it was fenced after that, nothing is left to do.
	if c, exists := d.configs.Snapshot().Connectors[connector]; !exists {
		return notFound(connector)
	} else if !c.PendingFencing {
		return nil
	}
	view := d.member.View()
	switch {
	case view.LeaderURL == "":
		return noLeader()
	case view.IsLeader():
		return d.fenceTasks(ctx, connector)
	}
	defer d.stages.begin("asking the leader to fence the older tasks of connector " + connector)()
	signature, err := d.sign(view, nil)
	if err != nil {
		return err
	}
	if err := d.peers.Fence(ctx, view.LeaderURL, connector, signature); err != nil {
		return err
	}
	return d.topic.Refresh(ctx)
}

// sign proves that a request comes from a worker of this cluster, in a group that signs.
func (d *Distributed) sign(view cluster.View, body []byte) (s Signature, err error) {
	if key := d.configs.Snapshot().SessionKey; key != nil && view.Protocol == cluster.ProtocolSessioned {
		s.Algorithm = d.cluster.SignatureAlgorithm
		s.Value, err = cluster.Sign(*key, s.Algorithm, body)
	}
	return s, err
}

// Current implements worker.ExactlyOnce.
func (f *fencer) Current(ctx context.Context, id task.ID, taskProps map[string]string) error {
	d := (*Distributed)(f)
	if err := d.topic.Refresh(ctx); err != nil {
		return fmt.Errorf("source task %s cannot tell whether it is still to run: %w", id, err)
	}
	if err := d.member.Leased(); err != nil {
		return fmt.Errorf("source task %s must not run here: %w", id, err)
	}
	d.mu.Lock()
	given := false
	if a := d.assigned[id.Connector]; a != nil {
		_, given = a.tasks[id.Task]
	}
	d.mu.Unlock()
	c, exists := d.configs.Snapshot().Connectors[id.Connector]
	return current(id, given, c, exists, taskProps)
}

// current judges a task that is about to write. The texts are Kafka Connect's. Pure.
func current(id task.ID, given bool, c store.ConnectorSnapshot, exists bool, taskProps map[string]string) error {
	switch {
	case !exists || !given:
		return fmt.Errorf("source task %s is no longer assigned to this worker; aborting startup", id)
	case c.PendingFencing || id.Task >= len(c.Tasks) || !maps.Equal(c.Tasks[id.Task], taskProps):
		return fmt.Errorf("Cannot start source task %s with exactly-once support as the connector has already generated a new set of task configs", id) //nolint:staticcheck // Kafka Connect's words
	}
	return nil
}
