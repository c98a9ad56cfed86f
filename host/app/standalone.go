package app

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/tailrace/tailrace/host/cli"
	"github.com/tailrace/tailrace/host/config"
)

// newLogger writes what an operator reads; JSON for programs.
func newLogger(o cli.Logging, out io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: o.Level}
	if o.JSON {
		return slog.New(slog.NewJSONHandler(out, options))
	}
	return slog.New(slog.NewTextHandler(out, options))
}

// standalone is `tailrace standalone`.
func (a *app) standalone(ctx context.Context, o cli.Standalone) error {
	props, err := config.ReadProperties(o.WorkerFile)
	if err != nil {
		return err
	}
	settings, warnings, err := config.ParseWorker(config.Standalone, props)
	if err != nil {
		return fmt.Errorf("%s: %w", o.WorkerFile, err)
	}
	var connectors []config.ConnectorFile
	for _, file := range o.ConnectorFiles {
		c, err := config.ReadConnectorFile(file)
		if err != nil {
			return err
		}
		connectors = append(connectors, c)
	}
	logger := newLogger(o.Logging, os.Stderr)
	for _, w := range warnings {
		logger.Warn(w.Message, "key", w.Key, "file", o.WorkerFile)
	}
	if err := a.run(ctx, settings, connectors, logger, nil); err != nil {
		return fmt.Errorf("%s: %w", o.WorkerFile, err)
	}
	return nil
}
