package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
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
			out := cmd.OutOrStdout()
			o.Ready = func(r Ready) { fmt.Fprint(out, welcome(r)) }
			return c.Dev(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Kafka, "kafka", "", "address of a real broker (host:port) to use instead of the embedded one")
	f.IntVar(&o.KafkaPort, "kafka-port", defaultKafkaPort, "port of the embedded broker; another one is taken when the usual one is in use")
	f.StringVar(&o.REST, "rest", defaultREST, "address of the REST API; another port is taken when the usual one is in use")
	f.StringVar(&o.Data, "data", "", "folder for topics and offsets (default ~/.local/state/tailrace)")
	f.StringVar(&o.Plugins, "plugins", "", "folder of the plugins (default: plugins, beside the program)")
	return cmd
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
	fmt.Fprintf(&text, "  curl %s/connector-plugins          what can be run\n", url)
	fmt.Fprintf(&text, "  curl '%s/connectors?expand=status' what runs\n\n", url)
	return text.String()
}
