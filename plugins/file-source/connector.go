package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	connect "github.com/tailrace/tailrace/sdk/go"
)

// connector divides the work: one file or standard input is one task, patterns are as many tasks as allowed.
type connector struct {
	raw connect.Config
	cfg config
}

func (c *connector) Start(_ context.Context, cfg connect.Config, _ *connect.ConnectorContext) error {
	c.raw = cfg
	return connect.BindWith(definition(false), cfg, &c.cfg)
}

// TaskConfigs gives each task its share of the patterns, not a list of files: see package discover.
func (c *connector) TaskConfigs(_ context.Context, maxTasks int) ([]connect.Config, error) {
	if len(c.cfg.Files) == 0 {
		return []connect.Config{c.raw.Clone()}, nil
	}
	configs := make([]connect.Config, maxTasks)
	for i := range configs {
		configs[i] = c.raw.With("task.share.number", strconv.Itoa(i), "task.share.count", strconv.Itoa(maxTasks))
	}
	return configs, nil
}

func (c *connector) Stop(context.Context) error { return nil }

// Validate looks at rules between keys, and whether the folder may be entered. That a file is missing is no mistake: the
// task waits for it. That a part of the path is no folder is left to the task, as Kafka's connector does.
func (c *connector) Validate(_ context.Context, raw connect.Config) []connect.ConfigIssue {
	var cfg config
	if err := connect.BindWith(definition(false), raw, &cfg); err != nil {
		return []connect.ConfigIssue{{Key: "file", Message: err.Error()}}
	}
	issues := cfg.conflicts()
	if cfg.File != "" {
		if _, err := os.Stat(cfg.File); errors.Is(err, fs.ErrPermission) {
			issues = append(issues, connect.BadValue("file", cfg.File, "the worker may not enter "+
				filepath.Dir(cfg.File)+"; give its user the right to read and enter the folder"))
		}
	}
	for _, pattern := range cfg.Files {
		folder := fixedFolder(pattern)
		if f, err := os.Open(folder); errors.Is(err, fs.ErrPermission) {
			issues = append(issues, connect.BadValue("files", pattern, "the worker may not list "+folder+
				"; give its user the right to read and enter the folder"))
		} else if err == nil {
			f.Close()
		}
	}
	return issues
}

// fixedFolder is the part of a pattern before its first wildcard.
func fixedFolder(pattern string) string {
	if at := strings.IndexAny(pattern, `*?[\`); at >= 0 {
		pattern = pattern[:at] + "x"
	}
	return filepath.Dir(pattern)
}

// AlterOffsets checks offsets that a user sets. The texts are those of Kafka's FileStreamSource (recorded from 4.1.0).
func (c *connector) AlterOffsets(_ context.Context, cfg connect.Config, offsets []connect.PartitionOffset) error {
	if cfg["file"] == "" && cfg["files"] == "" {
		return errors.New("Offsets cannot be modified if the 'file' configuration is unspecified. " + //nolint:staticcheck // Kafka's words
			"This is because stdin is used for input and offsets are not tracked.")
	}
	for _, o := range offsets {
		if o.Offset == nil {
			continue // a reset, of whatever it is
		}
		position, ok := o.Offset[positionKey]
		if !ok {
			return fmt.Errorf("Offset objects should either be null or contain the key '%s'", positionKey) //nolint:staticcheck // Kafka's words
		}
		if o.Partition == nil {
			return errors.New("Partition objects cannot be null") //nolint:staticcheck // Kafka's words
		}
		if _, ok := o.Partition["filename"]; !ok {
			return errors.New("Partition objects should contain the key 'filename'") //nolint:staticcheck // Kafka's words
		}
		switch n := position.(type) {
		case int64:
			if n < 0 {
				return fmt.Errorf("The value for the '%s' key in the offset should be a non-negative value", positionKey) //nolint:staticcheck // Kafka's words
			}
		default:
			return fmt.Errorf("The value for the '%s' key in the offset is expected to be a Long value", positionKey) //nolint:staticcheck // Kafka's words
		}
	}
	return nil
}

// ExactlyOnceSupport: the same position always leads to the same lines, but standard input has no positions.
func (c *connector) ExactlyOnceSupport(_ context.Context, cfg connect.Config) (bool, error) {
	return cfg["file"] != "" || cfg["files"] != "", nil
}
