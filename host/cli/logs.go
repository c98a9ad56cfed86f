package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tailrace/tailrace/host/cli/client"
)

const logsDefault = 100

func newLogs(r *remote) *cobra.Command {
	var follow bool
	var lines int
	cmd := &cobra.Command{
		Use:   "logs CONNECTOR",
		Short: "Show the log lines about a connector, of the worker and of its plugin",
		Long: "Shows what the workers that run the connector remember (the last 1000 lines of each). With --follow, lines are shown\n" +
			"as they come, until SIGINT.",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: r.completeName,
		RunE: r.with(func(ctx context.Context, c *client.Client, p *printer, args []string) error {
			if follow {
				return onlyTailrace(c.FollowLogs(ctx, args[0], lines, func(l client.LogLine) error { return p.each(l, logText(l)) }))
			}
			list, err := c.Logs(ctx, args[0], lines)
			if err != nil {
				return onlyTailrace(err)
			}
			if done, err := p.value(list); done {
				return err
			}
			for _, l := range list {
				p.line("%s", logText(l))
			}
			return nil
		}),
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "show lines as they come")
	cmd.Flags().IntVarP(&lines, "lines", "n", logsDefault, "how many of the last lines to show, at most 1000")
	return cmd
}

// logText is a log line for people.
func logText(l client.LogLine) string {
	var text strings.Builder
	fmt.Fprintf(&text, "%s %-5s ", l.Time.Local().Format("2006-01-02 15:04:05.000"), l.Level)
	if l.Worker != "" {
		fmt.Fprintf(&text, "[%s] ", l.Worker)
	}
	if l.Task != nil {
		fmt.Fprintf(&text, "[task %d] ", *l.Task)
	}
	text.WriteString(l.Message)
	for _, key := range slices.Sorted(maps.Keys(l.Fields)) {
		fmt.Fprintf(&text, " %s=%q", key, l.Fields[key])
	}
	return text.String()
}

// each shows one item of a stream: a line for people, a line of JSON, or a document of YAML.
func (p *printer) each(item any, text string) error {
	switch p.form {
	case asJSON:
		data, err := json.Marshal(item)
		if err == nil {
			_, err = fmt.Fprintf(p.out, "%s\n", data)
		}
		return err
	case asYAML:
		if _, err := fmt.Fprintln(p.out, "---"); err != nil {
			return err
		}
		_, err := p.value(item)
		return err
	}
	p.line("%s", text)
	return nil
}

// onlyTailrace says why a path below /v1 may be missing.
func onlyTailrace(err error) error {
	if client.IsNotFound(err) && strings.Contains(err.Error(), "HTTP 404") {
		return fmt.Errorf("%w; only Tailrace's workers answer this", err)
	}
	return err
}
