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

// connectorFile is a connector file of the command line.
type connectorFile struct {
	path string
	config.ConnectorFile
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
	var connectors []connectorFile
	for _, file := range o.ConnectorFiles {
		c, err := config.ReadConnectorFile(file)
		if err != nil {
			return err
		}
		connectors = append(connectors, connectorFile{file, c})
	}
	logger := newLogger(o.Logging, os.Stderr)
	for _, w := range warnings {
		logger.Warn(w.String(), "file", o.WorkerFile)
	}
	return a.run(ctx, plan{settings: settings, file: o.WorkerFile, connectors: connectors, logger: logger})
}
