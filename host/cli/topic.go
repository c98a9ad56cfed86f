package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tailrace/tailrace/host/cli/client"
)

func newTopic(r *remote) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "topic",
		Short: "Look at topics",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	r.flags(cmd)
	cmd.AddCommand(newTopicTail(r))
	return cmd
}

func newTopicTail(r *remote) *cobra.Command {
	var connector string
	var records int
	var follow bool
	cmd := &cobra.Command{
		Use:   "tail TOPIC --connector CONNECTOR",
		Short: "Show the newest records of a topic, decoded by a connector's converters",
		Long: "The worker reads them with the connector's consumer settings, without joining a group and without its transforms.\n" +
			"With --follow, records are shown as they come, until SIGINT.",
		Example: "tailrace topic tail orders --connector orders-sink -n 5",
		Args:    cobra.ExactArgs(1),
		RunE: r.with(func(ctx context.Context, c *client.Client, p *printer, args []string) error {
			if follow {
				return onlyTailrace(c.FollowRecords(ctx, args[0], connector, records, func(k client.Record) error { return p.each(k, recordText(k)) }))
			}
			list, err := c.Records(ctx, args[0], connector, records)
			if err != nil {
				return onlyTailrace(err)
			}
			return printRecords(p, list)
		}),
	}
	cmd.Flags().StringVar(&connector, "connector", "", "connector whose converters decode the records")
	cmd.Flags().IntVarP(&records, "records", "n", 10, "how many of the newest records to show, at most 100")
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "show records as they come")
	_ = cmd.MarkFlagRequired("connector")
	_ = cmd.RegisterFlagCompletionFunc("connector", func(cmd *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
		return r.completeNames(cmd, nil, begun)
	})
	return cmd
}

func printRecords(p *printer, list []client.Record) error {
	if done, err := p.value(list); done {
		return err
	}
	for _, k := range list {
		p.line("%s", recordText(k))
	}
	return nil
}

// recordText is a record for people.
func recordText(k client.Record) string {
	var text strings.Builder
	text.WriteString(k.Topic)
	if k.Partition != nil {
		fmt.Fprintf(&text, "-%d", *k.Partition)
	}
	if k.Offset != nil {
		fmt.Fprintf(&text, "@%d", *k.Offset)
	}
	if k.Timestamp != nil {
		text.WriteString(" " + time.UnixMilli(*k.Timestamp).Local().Format("2006-01-02 15:04:05.000"))
	}
	if k.Key != nil {
		text.WriteString(" " + partText(k.Key) + " →")
	}
	text.WriteString(" " + partText(k.Value))
	for _, h := range k.Headers {
		fmt.Fprintf(&text, " {%s: %s}", h.Name, partText(h.Value))
	}
	switch {
	case k.Dropped:
		text.WriteString("  (dropped by a transform)")
	case k.Failure != nil:
		fmt.Fprintf(&text, "\n    fails in stage %s: %s", k.Failure.Stage, k.Failure.Message)
	}
	return text.String()
}

func partText(p *client.Part) string {
	switch {
	case p == nil:
		return "null"
	case p.JSON != nil:
		return string(p.JSON)
	case p.Text != nil:
		text := *p.Text
		if p.Cut {
			text += fmt.Sprintf("… (%d bytes)", p.Bytes)
		}
		return text
	}
	return fmt.Sprintf("(%d bytes) %s", p.Bytes, p.Base64)
}

func newPreview(r *remote) *cobra.Command {
	var file string
	var records int
	var limit time.Duration
	cmd := &cobra.Command{
		Use:   "preview {CONNECTOR | -f FILE | NAME KEY=VALUE …}",
		Short: "Show what a connector would produce or get, without doing it",
		Long: "A source runs in a process of its own, from its beginning, up to the point where records would be produced: nothing is\n" +
			"produced, and no offset is stored. Of a sink, the newest records of its topics go through converters and transforms; its\n" +
			"plugin is not started. The configuration is that of a connector that exists, or of a file, or of the command line.",
		Example: "tailrace connector preview -f orders.properties -n 3",
		RunE: r.with(func(ctx context.Context, c *client.Client, p *printer, args []string) error {
			name, config, err := r.previewed(ctx, c, file, args)
			if err != nil {
				return err
			}
			out, err := c.Preview(ctx, name, config, records, limit)
			if err != nil {
				return onlyTailrace(redacted(err, config, r.commands.IsSecret))
			}
			if done, err := p.value(out); done {
				return err
			}
			for _, k := range out.Records {
				p.line("%s", recordText(k))
			}
			p.line("%s", previewEnd(out))
			if out.Ended == "failed" {
				return errFailed
			}
			return nil
		}),
	}
	cmd.Flags().StringVarP(&file, "file", "f", "", "connector file: properties or JSON; - is standard input")
	cmd.Flags().IntVarP(&records, "records", "n", 10, "how many records to show, at most 100")
	cmd.Flags().DurationVar(&limit, "for", 15*time.Second, "how long to wait for them, at most 1m")
	return cmd
}

// errFailed is said by the output already.
var errFailed = errors.New("the connector failed")

// previewed is the configuration to preview.
func (r *remote) previewed(ctx context.Context, c *client.Client, file string, args []string) (string, client.Config, error) {
	if file == "" && len(args) == 1 {
		k, err := c.Connector(ctx, args[0])
		return args[0], k.Config, err
	}
	wanted, err := r.wantedByHand(file, args)
	return wanted.Name, wanted.Config, err
}

func previewEnd(p client.Preview) string {
	reasons := map[string]string{
		"records": "as many as were asked for", "time": "no more came in time", "size": "more would be too much to show",
		"end": "there are no more", "failed": "it failed",
	}
	text := fmt.Sprintf("%d records in %v: %s", len(p.Records), time.Duration(p.ElapsedMS)*time.Millisecond, reasons[p.Ended])
	if p.Dropped+p.Skipped > 0 {
		text += fmt.Sprintf("; %d were dropped by transforms, %d failed and are tolerated", p.Dropped, p.Skipped)
	}
	if p.Failure != "" {
		text += "\n" + p.Failure
	}
	return text
}
