package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/tailrace/tailrace/host/cli/client"
)

func newStatus(r *remote) *cobra.Command {
	var watch, trace bool
	var interval time.Duration
	cmd := &cobra.Command{
		Use:   "status [CONNECTOR…]",
		Short: "Show the states of connectors and tasks, with the reasons of failures",
		Long: "Without a name, all connectors are shown. With --watch, a terminal is drawn anew; otherwise a text is written whenever\n" +
			"something has changed, until SIGINT.",
		ValidArgsFunction: r.completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := r.open(cmd)
			if err != nil {
				return err
			}
			defer c.Close()
			p := r.printer(cmd)
			if !watch {
				return showStatus(cmd.Context(), c, p, args, trace)
			}
			if interval < minInterval {
				return usageError{fmt.Errorf("--interval must be at least %s", minInterval)}
			}
			return watchStatus(cmd.Context(), c, p, args, trace, interval, isTerminal(cmd.OutOrStdout()))
		},
	}
	cmd.Flags().BoolVarP(&watch, "watch", "w", false, "show it again and again")
	cmd.Flags().BoolVar(&trace, "trace", false, "show whole traces instead of their first lines")
	cmd.Flags().DurationVar(&interval, "interval", 2*time.Second, "time between two looks of --watch")
	return cmd
}

const minInterval = 100 * time.Millisecond

// statuses reads the states of some connectors, or of all.
func statuses(ctx context.Context, c *client.Client, names []string) ([]client.Status, error) {
	out := []client.Status{}
	if len(names) == 0 {
		all, err := c.Connectors(ctx)
		if err != nil {
			return nil, err
		}
		for _, name := range slices.Sorted(maps.Keys(all)) {
			if s := all[name].Status; s != nil {
				out = append(out, *s)
			}
		}
		return out, nil
	}
	for _, name := range names {
		s, err := c.Status(ctx, name)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

func showStatus(ctx context.Context, c *client.Client, p *printer, names []string, trace bool) error {
	all, err := statuses(ctx, c, names)
	if err != nil {
		return err
	}
	return printStatus(p, all, trace)
}

func printStatus(p *printer, all []client.Status, trace bool) error {
	if done, err := p.value(all); done {
		return err
	}
	var rows [][]string
	for _, s := range all {
		rows = append(rows, []string{s.Name, "", s.Connector.State, s.Connector.WorkerID, s.Connector.Version})
		for _, t := range s.Tasks {
			rows = append(rows, []string{s.Name, strconv.Itoa(t.ID), t.State, t.WorkerID, t.Version})
		}
	}
	p.table([]string{"connector", "task", "state", "worker", "version"}, rows)
	short := firstLine
	if trace {
		short = func(text string) string { return text }
	}
	for _, s := range all {
		if s.Connector.Trace != "" {
			p.line("\n%s: %s", s.Name, short(s.Connector.Trace))
		}
		for _, t := range s.Tasks {
			if t.Trace != "" {
				p.line("\n%s task %d: %s", s.Name, t.ID, short(t.Trace))
			}
		}
	}
	return nil
}

// Escape sequences that draw a terminal anew: cursor to the top, then clear below what is written.
const (
	cursorHome = "\x1b[H\x1b[2J"
)

// watchStatus shows the states until ctx ends. A worker that does not answer for a while does not end it.
func watchStatus(ctx context.Context, c *client.Client, p *printer, names []string, trace bool, interval time.Duration, redraw bool) error {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	last := ""
	for {
		var text bytes.Buffer
		once := &printer{out: &text, form: p.form, colour: p.colour}
		if err := showStatus(ctx, c, once, names, trace); err != nil {
			if ctx.Err() != nil {
				return nil // it was ended by hand
			}
			var told *client.Error
			if errors.As(err, &told) && !client.IsConflict(err) {
				return err
			}
			once.line("%s", err)
		}
		switch {
		case redraw:
			fmt.Fprintf(p.out, "%s%s\n\n%s", cursorHome, time.Now().Format(time.TimeOnly), text.String())
		case text.String() != last:
			fmt.Fprint(p.out, text.String())
		}
		last = text.String()
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
