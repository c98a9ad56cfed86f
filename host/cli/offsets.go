package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/tailrace/tailrace/host/cli/client"
)

func newOffsets(r *remote) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "offsets",
		Short: "Read and change where a connector stands",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newOffsetsGet(r), newOffsetsSet(r), &cobra.Command{
		Use:               "reset CONNECTOR",
		Short:             "Remove all offsets of a stopped connector: it will begin anew",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: r.completeName,
		RunE: r.with(func(ctx context.Context, c *client.Client, p *printer, args []string) error {
			message, err := c.ResetOffsets(ctx, args[0])
			return p.message(message, stopFirst(args[0], err))
		}),
	})
	return cmd
}

func newOffsetsGet(r *remote) *cobra.Command {
	return &cobra.Command{
		Use:               "get CONNECTOR",
		Short:             "Show the offsets",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: r.completeName,
		RunE: r.with(func(ctx context.Context, c *client.Client, p *printer, args []string) error {
			offsets, err := c.Offsets(ctx, args[0])
			if err != nil {
				return err
			}
			if done, err := p.value(offsetsFile{offsets}); done {
				return err
			}
			rows := make([][]string, 0, len(offsets))
			for _, o := range offsets {
				rows = append(rows, []string{compact(o.Partition), compact(o.Offset)})
			}
			p.table([]string{"partition", "offset"}, rows)
			return nil
		}),
	}
}

// offsetsFile is the form in which offsets are shown and read again.
type offsetsFile struct {
	Offsets []client.Offset `json:"offsets"`
}

func newOffsetsSet(r *remote) *cobra.Command {
	var file, partition, offset string
	cmd := &cobra.Command{
		Use:   "set CONNECTOR {-f FILE | --partition JSON --offset JSON}",
		Short: "Change offsets of a stopped connector",
		Long:  "Partitions that are not named keep their offsets; the offset null removes one. A file has the form that `offsets get -o json` shows.",
		Example: "  tailrace connector stop lines-in\n" +
			"  tailrace connector offsets set lines-in --partition '{\"filename\":\"/tmp/in.txt\"}' --offset '{\"position\":0}'\n" +
			"  tailrace connector resume lines-in",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: r.completeName,
		RunE: r.with(func(ctx context.Context, c *client.Client, p *printer, args []string) error {
			offsets, err := readOffsets(file, partition, offset)
			if err != nil {
				return err
			}
			message, err := c.SetOffsets(ctx, args[0], offsets)
			return p.message(message, stopFirst(args[0], err))
		}),
	}
	cmd.Flags().StringVarP(&file, "file", "f", "", "JSON file: {\"offsets\":[{\"partition\":{…},\"offset\":{…}}]}; - is standard input")
	cmd.Flags().StringVar(&partition, "partition", "", "partition as a JSON object")
	cmd.Flags().StringVar(&offset, "offset", "", "offset as a JSON object, or null")
	cmd.MarkFlagsRequiredTogether("partition", "offset")
	cmd.MarkFlagsMutuallyExclusive("file", "partition")
	return cmd
}

// readOffsets takes the offsets from a file or from flags.
func readOffsets(file, partition, offset string) ([]client.Offset, error) {
	if file == "" && partition == "" {
		return nil, usageError{errors.New("give -f FILE, or --partition and --offset")}
	}
	if file == "" {
		if !json.Valid([]byte(partition)) || !json.Valid([]byte(offset)) {
			return nil, usageError{errors.New("--partition and --offset must be JSON, such as '{\"position\":0}'; mind the shell's quotes")}
		}
		return []client.Offset{{Partition: json.RawMessage(partition), Offset: json.RawMessage(offset)}}, nil
	}
	data, err := readBounded(file)
	if err != nil {
		return nil, err
	}
	var in offsetsFile
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		return nil, fmt.Errorf("%s: %w; the form is {\"offsets\":[{\"partition\":{…},\"offset\":{…}}]}", file, err)
	}
	if len(in.Offsets) == 0 {
		return nil, fmt.Errorf("%s names no offsets", file)
	}
	return in.Offsets, nil
}

// stopFirst adds the command to a refusal that a connector runs.
func stopFirst(name string, err error) error {
	if client.IsRefused(err) {
		return fmt.Errorf("%w; only the offsets of a stopped connector can be changed: tailrace connector stop %s", err, name)
	}
	return err
}

func compact(raw json.RawMessage) string {
	var text bytes.Buffer
	if json.Compact(&text, raw) != nil {
		return string(raw)
	}
	return text.String()
}

// message shows what a worker answered.
func (p *printer) message(text string, err error) error {
	if err != nil {
		return err
	}
	if done, err := p.value(map[string]string{"message": text}); done {
		return err
	}
	p.line("%s", text)
	return nil
}
