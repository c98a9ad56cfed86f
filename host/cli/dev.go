package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/tailrace/tailrace/host/cli/demo"
)

// Dev are the arguments of `tailrace dev`.
type Dev struct {
	// Kafka is a real broker's address; empty means the embedded one, on KafkaPort.
	Kafka          string
	KafkaPort      int
	KafkaPortGiven bool
	// REST is host:port.
	REST      string
	RESTGiven bool
	// Data and Plugins are folders; empty means the usual ones.
	Data, Plugins string
	Logging       Logging
	// Ready is called once everything runs; it must not block.
	Ready func(Ready)
}

const (
	defaultREST      = "127.0.0.1:8083"
	defaultKafkaPort = 9092
)

func newDev(c Commands, logging *Logging) *cobra.Command {
	var o Dev
	var file string
	var exit bool
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "Run a worker with an embedded Kafka, for development",
		Long: "Runs a worker and a Kafka broker in one process. The broker keeps its data on disk, but is for development\n" +
			"only: nothing is replicated. With --kafka, a real broker is used instead.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.Logging = *logging
			o.KafkaPortGiven, o.RESTGiven = cmd.Flags().Changed("kafka-port"), cmd.Flags().Changed("rest")
			if strings.HasPrefix(o.REST, ":") {
				o.REST = "127.0.0.1" + o.REST // safe unless a host is named
			}
			if exit && file == "" {
				return usageError{fmt.Errorf("--exit needs --demo FILE")}
			}
			if file == "" {
				o.Ready = func(r Ready) { fmt.Fprint(cmd.OutOrStdout(), welcome(r)) }
				return c.Dev(cmd.Context(), o)
			}
			if !cmd.Flags().Changed("log-level") {
				o.Logging.Quiet = true // the progress says what happens
			}
			return withDemo(cmd.Context(), c, o, file, exit, cmd.OutOrStdout())
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Kafka, "kafka", "", "address of a real broker (host:port) to use instead of the embedded one")
	f.IntVar(&o.KafkaPort, "kafka-port", defaultKafkaPort, "port of the embedded broker; another one is taken when the usual one is in use")
	f.StringVar(&o.REST, "rest", defaultREST, "address of the REST API; another port is taken when the usual one is in use")
	f.StringVar(&o.Data, "data", "", "folder for topics and offsets (default ~/.local/state/tailrace)")
	f.StringVar(&o.Plugins, "plugins", "", "folder of the plugins (default: plugins, beside the program)")
	f.StringVar(&file, "demo", "", "run a pipeline with this file: into a topic and out again into another file")
	f.BoolVar(&exit, "exit", false, "with --demo: end when every line has arrived; the status is 0 when the two files are equal")
	return cmd
}

// withDemo runs a worker and the pipeline of a newcomer on it.
func withDemo(ctx context.Context, c Commands, o Dev, file string, exit bool, out io.Writer) error {
	if err := demo.Check(file); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	result := make(chan error, 1)
	started := false
	o.Ready = func(r Ready) {
		started = true
		fmt.Fprint(out, welcome(r))
		options := demo.Options{
			URL: r.URLs[0], Kafka: r.Kafka, File: file, Dir: filepath.Join(r.Data, "demo"), Out: out,
			Terminal: isTerminal(out),
		}
		go func() {
			err := demo.Run(ctx, options)
			switch {
			case err == nil:
				fmt.Fprintf(out, "  the sink file equals the input, line for line\n\n")
			case ctx.Err() == nil && !exit:
				fmt.Fprintf(out, "\n  the demo failed: %s\n\n", err)
			}
			result <- err
			if exit {
				stop()
			} else if err == nil {
				fmt.Fprintf(out, "%s\n  Ctrl-C ends it all.\n", demo.Hints(options))
			}
		}()
	}
	if err := c.Dev(ctx, o); err != nil || !started {
		return err
	}
	err := <-result
	if !exit && ctx.Err() != nil {
		return nil // it was ended by hand
	}
	return err
}

func isTerminal(out io.Writer) bool {
	f, ok := out.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// welcome says what can be done with a worker that is ready.
func welcome(r Ready) string {
	var text strings.Builder
	url := r.URLs[0]
	broker := r.Kafka
	if r.EmbeddedKafka {
		broker += " (embedded, for development only)"
	}
	fmt.Fprintf(&text, "\n  REST API  %s\n  Kafka     %s\n  plugins   %s\n  data      %s\n\n", url, broker, r.Plugins, r.Data)
	fmt.Fprintf(&text, "  curl %s/connector-plugins            what can be run\n", url)
	fmt.Fprintf(&text, "  curl '%s/connectors?expand=status'   what runs\n\n", url)
	return text.String()
}
