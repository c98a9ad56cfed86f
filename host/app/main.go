package app

import (
	"context"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/tailrace/tailrace/host/cli"
	"github.com/tailrace/tailrace/host/config"
)

// gcPercent keeps the heap small: the worker's data are short-lived batches, and
// at this value a loaded worker spends about a twentieth of its time in the collector. GOGC overrides it.
const gcPercent = 50

// Main runs the command line and returns the exit status.
func Main(version string) int {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	go func() {
		select {
		case <-signals:
			signal.Stop(signals) // the second one ends the process at once
			stop()
		case <-ctx.Done():
		}
	}()
	a := &app{version: version}
	return cli.Run(ctx, cli.Commands{
		Version: version, Standalone: a.standalone, Distributed: a.distributed, Dev: a.dev, Plugins: a.plugins, Doctor: a.doctor, Transform: transformLab, DeadLetters: deadLetters{}, ParseConnector: parseConnector, IsSecret: config.IsSecretName,
	}, os.Args[1:])
}

// app is what all commands share.
type app struct {
	version string
}

// parseConnector reads a connector file as a standalone worker does.
func parseConnector(file string, text []byte) (cli.ConnectorFile, error) {
	k, err := config.ParseConnectorFile(file, text)
	return cli.ConnectorFile{Name: k.Name, Config: k.Config, InitialState: k.InitialState}, err
}
