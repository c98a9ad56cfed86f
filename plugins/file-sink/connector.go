package main

import (
	"context"
	"strconv"
	"strings"

	"github.com/tailrace/tailrace/plugins/file-sink/internal/output"
	connect "github.com/tailrace/tailrace/sdk/go"
)

// connector gives every task the same configuration: Kafka divides the partitions.
type connector struct{ raw connect.Config }

func (c *connector) Start(_ context.Context, cfg connect.Config, _ *connect.ConnectorContext) error {
	c.raw = cfg
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

// Validate looks at rules between keys. Whether the file can be written is left to the task, as Kafka's connector does:
// it may run on another machine.
func (c *connector) Validate(_ context.Context, raw connect.Config) []connect.ConfigIssue {
	var cfg config
	if err := connect.BindWith(definition(false), raw, &cfg); err != nil {
		return []connect.ConfigIssue{{Key: "file", Message: err.Error()}}
	}
	return cfg.conflicts(raw)
}

func maxTasks(raw connect.Config) int {
	n, err := strconv.Atoi(strings.TrimSpace(raw["tasks.max"]))
	if err != nil {
		return 1
	}
	return n
}

// AlterOffsets follows in the sidecars, which would otherwise win over the offsets that the user sets.
func (c *connector) AlterOffsets(_ context.Context, raw connect.Config, offsets map[connect.TopicPartition]int64) error {
	var cfg config
	if err := connect.BindWith(definition(false), raw, &cfg); err != nil {
		return err
	}
	if !cfg.exact() {
		return nil
	}
	byFile := make(map[string]map[output.Partition]int64)
	for tp, next := range offsets {
		path := cfg.path(tp.Topic, tp.Partition, 0)
		if byFile[path] == nil {
			byFile[path] = make(map[output.Partition]int64)
		}
		byFile[path][output.Partition{Topic: tp.Topic, Number: tp.Partition}] = next
	}
	for path, changed := range byFile {
		if err := output.Alter(path, changed); err != nil {
			return err
		}
	}
	return nil
}
