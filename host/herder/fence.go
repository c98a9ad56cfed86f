package herder

import (
	"context"
	"maps"

	"github.com/tailrace/tailrace/host/config"
	"github.com/tailrace/tailrace/host/store"
)

// Fence implements Herder: before source tasks start that write exactly once, the producers of the set of tasks before
// them must not write any more (KIP-618, reference section 5.8). Only the leader does it.
func (d *Distributed) Fence(ctx context.Context, name string, signature Signature) error {
	if err := d.verify(nil, signature); err != nil {
		return err
	}
	return d.write(ctx, "fencing the older tasks of connector "+name, func() error {
		if err := d.topic.Refresh(ctx); err != nil {
			return err
		}
		c, exists := d.configs.Snapshot().Connectors[name]
		switch {
		case !exists:
			return notFound(name)
		case d.typeOf(c.Config) != SourceType:
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
