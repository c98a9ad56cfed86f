package app

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"

	"github.com/tailrace/tailrace/host/cli"
	"github.com/tailrace/tailrace/host/config"
	"github.com/tailrace/tailrace/host/loggers"
)

// newLogger writes what an operator reads; JSON for programs.
func newLogger(o cli.Logging, out io.Writer) (*slog.Logger, *loggers.Registry) {
	options := &slog.HandlerOptions{Level: slog.Level(math.MinInt32)} // the registry decides
	if o.Quiet {
		options.Level = slog.LevelWarn
	}
	levels := loggers.New(o.Level)
	var h slog.Handler = slog.NewTextHandler(out, options)
	if o.JSON {
		h = slog.NewJSONHandler(out, options)
	}
	return slog.New(levels.Handler(h)), levels
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
	logger, levels := newLogger(o.Logging, os.Stderr)
	for _, w := range warnings {
		logger.Warn(w.String(), "file", o.WorkerFile)
	}
	return a.run(ctx, plan{settings: settings, file: o.WorkerFile, connectors: connectors, logger: logger, levels: levels})
}
