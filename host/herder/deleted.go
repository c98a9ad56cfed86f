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
	err = s.checks.with(ctx, s.processes, launch, func(instance *plugin.Instance) error {
		stream, err := instance.InitializeConnector(ctx, plugin.ConnectorStart{
			Connector: resolved.Connector.Name, Name: name, Config: resolution.Props, LogLevel: slog.LevelInfo, Offsets: task.OffsetReader(name, s.offsets),
		})
		if err != nil {
			return err
		}
		defer stream.Close()
		return stream.Deleted(ctx, resolution.Props)
	})
	if err != nil {
		s.logger.Warn("the connector was deleted, but could not give back what it holds outside; look there for what is left of it",
			"connector", name, "error", launch.Mask(err.Error()))
	}
}
