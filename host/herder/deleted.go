package herder

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/tailrace/tailrace/host/plugin"
	"github.com/tailrace/tailrace/host/task"
)

// deletedTimeout bounds how long a connector may take to give back what it holds elsewhere.
const deletedTimeout = 10 * time.Second

// deleted deals with the end of a connector that ran here, when no other worker says any more that a task of it runs: only
// then is what it holds free.
func (d *Distributed) deleted(name string, props map[string]string) {
	d.background.Go(func() {
		if err := d.awaitQuiet(d.ctx, name); err != nil && d.ctx.Err() == nil {
			d.logger.Warn("tasks of a deleted connector still run, or their worker has died", "connector", name)
		}
		// A new connector of the same name goes on with what the old one held.
		if _, again := d.configs.Snapshot().Connectors[name]; again || d.ctx.Err() != nil {
			return
		}
		d.forget(name)
		d.tellDeleted(d.ctx, name, props)
	})
}

// forget removes what is known of a connector that was deleted.
func (s *core) forget(name string) {
	if err := s.statuses.Forget(context.Background(), name); err != nil {
		s.logger.Warn("the status of a deleted connector could not be removed", "connector", name, "error", err)
	}
}

// tellDeleted lets a connector of which nothing runs any more give back what it holds outside, such as a replication
// slot, if it has said that it wants to know. The deletion is done by then: a failure is logged with what to do, and the
// plugin may be told again when a connector of the same name is deleted.
func (s *core) tellDeleted(ctx context.Context, name string, props map[string]string) {
	resolved, err := s.resolve(props)
	if err != nil || !slices.Contains(resolved.Connector.Capabilities, plugin.DeleteHook) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, deletedTimeout)
	defer cancel()
	launch, resolution := s.launch(name, resolved, props)
	offsets, release, err := s.openOffsets(ctx, name, props)
	if err == nil {
		defer release()
		err = s.checks.with(ctx, s.processes, launch, func(instance *plugin.Instance) error {
			stream, err := instance.InitializeConnector(ctx, plugin.ConnectorStart{
				Connector: resolved.Connector.Name, Name: name, Config: resolution.Props, LogLevel: slog.LevelInfo, Offsets: task.OffsetReader(name, offsets),
			})
			if err != nil {
				return err
			}
			defer stream.Close()
			return stream.Deleted(ctx, resolution.Props)
		})
	}
	if err != nil {
		s.logger.Warn("the connector was deleted, but could not give back what it holds outside; look there for what is left of it",
			"connector", name, "error", launch.Mask(err.Error()))
	}
}
