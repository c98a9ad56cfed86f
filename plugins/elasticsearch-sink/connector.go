package main

import (
	"context"
	"errors"

	connect "github.com/tailrace/tailrace/sdk/go"
)

// connector gives every task the same configuration: Kafka divides the partitions.
type connector struct{ raw connect.Config }

func (c *connector) Start(_ context.Context, cfg connect.Config, host *connect.ConnectorContext) error {
	c.raw = cfg
	for _, text := range definition().Unused(cfg, families...) {
		host.Log().Warn(text)
	}
	return nil
}

func (c *connector) TaskConfigs(_ context.Context, maxTasks int) ([]connect.Config, error) {
	configs := make([]connect.Config, maxTasks)
	for i := range configs {
		configs[i] = c.raw.Clone()
	}
	return configs, nil
}

func (c *connector) Stop(context.Context) error { return nil }

// Validate looks at rules between keys. Whether the server answers is left to the task: it may be starting.
func (c *connector) Validate(_ context.Context, raw connect.Config) []connect.ConfigIssue {
	_, err := parse(raw)
	var wrong *connect.ConfigError
	if errors.As(err, &wrong) {
		return wrong.Issues
	}
	if err != nil {
		return []connect.ConfigIssue{{Key: "connection.url", Message: err.Error()}}
	}
	return nil
}
