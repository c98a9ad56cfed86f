package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/tailrace/tailrace/host/cli/client"
)

// Commands are what the commands do.
type Commands struct {
	Version    string
	Standalone func(context.Context, Standalone) error
	// Distributed runs a worker of a cluster. It takes no connector files.
	Distributed func(context.Context, Standalone) error
	Dev         func(context.Context, Dev) error
	Plugins     func(context.Context, PluginSource) (PluginListing, error)
	// Doctor checks what a worker with this file needs: plugins, addresses, broker, topics, rights.
	Doctor      func(ctx context.Context, workerFile string) ([]Finding, error)
	DeadLetters DeadLetters
	// Transform runs records through a chain and hands over a result for each.
	Transform func(ctx context.Context, o Lab, emit func(LabResult) error) error
	// ParseConnector reads the text of a connector file; file is used in errors.
	ParseConnector func(file string, text []byte) (ConnectorFile, error)
	// IsSecret tells whether the name of a configuration key sounds like a secret.
	IsSecret func(key string) bool
}

// ConnectorFile is what a connector file holds. InitialState is RUNNING, PAUSED, STOPPED or "".
type ConnectorFile struct {
	Name         string
	Config       map[string]string
	InitialState string
}

// Logging says what is logged and how.
type Logging struct {
	Level slog.Level
	JSON  bool
	// Quiet shows warnings and errors only; what people ask for afterwards (connector logs) is kept at Level.
	Quiet bool
}

// Standalone are the arguments of `tailrace standalone`.
type Standalone struct {
	WorkerFile     string
	ConnectorFiles []string
	Logging        Logging
}

// Ready says where a worker can be reached.
type Ready struct {
	// URLs of the REST API.
	URLs []string
	// Kafka is the broker's address; EmbeddedKafka tells that it is in this process.
	Kafka         string
	EmbeddedKafka bool
	// Data and Plugins are folders.
	Data, Plugins string
}

// The exit statuses, documented in docs/cli.md.
const (
	statusFailed      = 1
	statusUsage       = 2
	statusNotFound    = 3
	statusUnreachable = 4
	statusRefused     = 5
	statusConflict    = 6
	statusFound       = 7
)

// statusOf is the exit status of an error.
func statusOf(err error) int {
	var usage usageError
	var invalid invalidError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &usage):
		return statusUsage
	case errors.Is(err, errFound):
		return statusFound
	case errors.As(err, &invalid), client.IsRefused(err):
		return statusRefused
	case client.IsNotFound(err):
		return statusNotFound
	case client.IsUnreachable(err):
		return statusUnreachable
	case client.IsConflict(err):
		return statusConflict
	}
	return statusFailed
}

// usageError is a command that was called wrongly.
type usageError struct{ error }

// Run carries out a command line and returns the exit status.
func Run(ctx context.Context, c Commands, args []string) int {
	root := newRoot(c) //nolint:contextcheck // commands get the context when they run
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	status := statusOf(err)
	if status != 0 && status != statusFound {
		fmt.Fprintln(os.Stderr, "tailrace: "+clean(err.Error()))
	}
	if status == statusUsage {
		fmt.Fprintln(os.Stderr, "Run 'tailrace help' for the commands.")
	}
	return status
}

func newRoot(c Commands) *cobra.Command {
	var logging Logging
	root := &cobra.Command{
		Use:   "tailrace",
		Short: "Runs Kafka Connect connectors as separate programs",
		Long: "Tailrace moves data between Kafka and other systems. It runs connectors as separate programs, and understands\n" +
			"the configuration files and the REST API of Kafka Connect 4.1. It is also a client of that API.",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.PersistentFlags().TextVar(&logging.Level, "log-level", slog.LevelInfo, "least level that is logged: debug, info, warn, error")
	root.PersistentFlags().BoolVar(&logging.JSON, "log-json", false, "log as JSON, one object a line")
	r := &remote{commands: c}
	root.AddCommand(
		newStandalone(c, &logging), newDistributed(c, &logging), newDev(c, &logging), newConnector(r), newPlugin(c, r, &logging),
		newTransform(c), newDLQ(c), newWorker(r), newTopic(r), newDoctor(c, r), newContext(r), newVersion(c),
	)
	wrapUsage(root)
	return root
}

// wrapUsage marks wrong arguments as such, in every command.
func wrapUsage(cmd *cobra.Command) {
	if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return usageError{err}
			}
			return nil
		}
	}
	for _, child := range cmd.Commands() {
		wrapUsage(child)
	}
}

func newStandalone(c Commands, logging *Logging) *cobra.Command {
	return &cobra.Command{
		Use:   "standalone worker.properties [connector.properties|connector.json …]",
		Short: "Run a worker with Kafka Connect's standalone configuration files",
		Long: "Runs one worker until SIGINT or SIGTERM. The files are those of Kafka Connect's connect-standalone.\n" +
			"Connectors that are created through the REST API live as long as the worker; their offsets stay in\n" +
			"offset.storage.file.filename.",
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.Standalone(cmd.Context(), Standalone{WorkerFile: args[0], ConnectorFiles: args[1:], Logging: *logging})
		},
	}
}

func newDistributed(c Commands, logging *Logging) *cobra.Command {
	return &cobra.Command{
		Use:   "distributed worker.properties",
		Short: "Run a worker of a cluster, with Kafka Connect's distributed configuration file",
		Long: "Runs one worker until SIGINT or SIGTERM. Workers with the same group.id and the same three internal topics are\n" +
			"one cluster: each runs its part of the connectors and tasks, and when one stops, the others take its part over\n" +
			"at once. The file is that of Kafka Connect's connect-distributed, and workers of Kafka Connect 4.1 may be in the\n" +
			"same group. Connectors are created through the REST API of any worker.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.Distributed(cmd.Context(), Standalone{WorkerFile: args[0], Logging: *logging})
		},
	}
}

func newVersion(c Commands) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "tailrace %s (%s, %s/%s), compatible with Kafka Connect 4.1\n",
				c.Version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return err
		},
	}
}
