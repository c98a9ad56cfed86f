package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tailrace/tailrace/host/cli/client"
	"github.com/tailrace/tailrace/host/cli/plan"
)

func newConnector(r *remote) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "connector",
		Aliases: []string{"connectors"},
		Short:   "Manage the connectors of a running worker or cluster",
		Long: "Talks to the REST API of Tailrace or of Kafka Connect itself. The worker is the one of --server, TAILRACE_SERVER, or\n" +
			"the current context (tailrace context).",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	r.flags(cmd)
	cmd.AddCommand(
		newList(r), newGet(r), newCreate(r), newApply(r), newDiff(r), newEdit(r), newValidate(r),
		newPause(r), newResume(r), newStop(r), newRestart(r), newDelete(r), newStatus(r), newOffsets(r),
		newLogs(r), newPreview(r),
	)
	return cmd
}

func newList(r *remote) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List connectors with their states",
		Args:  cobra.NoArgs,
		RunE: r.with(func(ctx context.Context, c *client.Client, p *printer, _ []string) error {
			all, err := c.Connectors(ctx)
			if err != nil {
				return err
			}
			return printList(p, summaries(all))
		}),
	}
}

// summary is a connector in a list.
type summary struct {
	Name    string `json:"name"`
	Type    string `json:"type"`
	State   string `json:"state"`
	Running int    `json:"tasks_running"`
	Tasks   int    `json:"tasks"`
	Failed  int    `json:"tasks_failed"`
	Worker  string `json:"worker_id"`
	Class   string `json:"class"`
}

// summaries condenses what a worker tells of its connectors, by name.
func summaries(all map[string]client.Expanded) []summary {
	out := []summary{}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		s := summary{Name: name}
		if info := all[name].Info; info != nil {
			s.Type, s.Class = info.Type, info.Config["connector.class"]
		}
		if status := all[name].Status; status != nil {
			s.State, s.Worker, s.Tasks = status.Connector.State, status.Connector.WorkerID, len(status.Tasks)
			for _, t := range status.Tasks {
				switch t.State {
				case stateRunning:
					s.Running++
				case stateFailed:
					s.Failed++
				}
			}
		}
		out = append(out, s)
	}
	return out
}

func printList(p *printer, list []summary) error {
	if done, err := p.value(list); done {
		return err
	}
	rows := make([][]string, 0, len(list))
	for _, s := range list {
		tasks := fmt.Sprintf("%d/%d", s.Running, s.Tasks)
		if s.Failed > 0 {
			tasks += fmt.Sprintf(" (%d failed)", s.Failed)
		}
		rows = append(rows, []string{s.Name, s.Type, s.State, tasks, s.Worker, s.Class})
	}
	p.table([]string{"connector", "type", "state", "tasks running", "worker", "class"}, rows)
	return nil
}

func newGet(r *remote) *cobra.Command {
	var show bool
	cmd := &cobra.Command{
		Use:   "get CONNECTOR",
		Short: "Show a connector's configuration",
		Long: "Secrets are hidden: values of keys of type PASSWORD, and of keys whose names sound like it. References to a config\n" +
			"provider are shown. For a copy that can be applied again, use -o json --show-secrets.",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: r.completeName,
		RunE: r.with(func(ctx context.Context, c *client.Client, p *printer, args []string) error {
			k, err := c.Connector(ctx, args[0])
			if err != nil {
				return err
			}
			if !show {
				secret := r.secrets(ctx, c)
				k.Config = plan.Masked(k.Config, func(key string) bool { return secret(k.Config["connector.class"], key) })
			}
			if done, err := p.value(k); done {
				return err
			}
			p.line("%s  %s, %d tasks\n", k.Name, k.Type, len(k.Tasks))
			p.table([]string{"key", "value"}, pairs(k.Config))
			return nil
		}),
	}
	cmd.Flags().BoolVar(&show, "show-secrets", false, "show secrets as the worker tells them")
	return cmd
}

func pairs(config map[string]string) [][]string {
	rows := make([][]string, 0, len(config))
	for _, key := range slices.Sorted(maps.Keys(config)) {
		rows = append(rows, []string{key, config[key]})
	}
	return rows
}

func newCreate(r *remote) *cobra.Command {
	var file, state string
	var w waiting
	cmd := &cobra.Command{
		Use:   "create [CONNECTOR KEY=VALUE … | -f FILE]",
		Short: "Create a connector that must not exist",
		Long:  "Takes the configuration from a file, or from the command line: the name first, then KEY=VALUE.",
		Example: "  tailrace connector create lines-in connector.class=file-source file=/tmp/in.txt topic=lines\n" +
			"  tailrace connector create -f lines-in.properties --wait 30s",
		RunE: r.with(func(ctx context.Context, c *client.Client, p *printer, args []string) error {
			wanted, err := r.wantedByHand(file, args)
			if err != nil {
				return err
			}
			if state != "" {
				wanted.InitialState = strings.ToUpper(state)
			}
			k, err := c.Create(ctx, wanted.Name, wanted.Config, wanted.InitialState)
			if err != nil {
				secret := r.secrets(ctx, c)
				return redacted(err, wanted.Config, func(key string) bool { return secret(wanted.Config["connector.class"], key) })
			}
			if p.form == asTable {
				p.line("created %s", k.Name)
			} else if _, err := p.value(map[string]string{"connector": k.Name, "action": string(plan.Create)}); err != nil {
				return err
			}
			if wanted.InitialState == "" || wanted.InitialState == stateRunning {
				return w.await(ctx, c, []string{k.Name}, stateRunning)
			}
			return nil
		}),
	}
	cmd.Flags().StringVarP(&file, "file", "f", "", "connector file: properties or JSON; - is standard input")
	cmd.Flags().StringVar(&state, "initial-state", "", "RUNNING, PAUSED or STOPPED")
	_ = cmd.RegisterFlagCompletionFunc("initial-state", cobra.FixedCompletions([]string{stateRunning, statePaused, stateStopped}, cobra.ShellCompDirectiveNoFileComp))
	w.flag(cmd)
	return cmd
}

// wantedByHand takes one connector from a file, or from a name and settings on the command line.
func (r *remote) wantedByHand(file string, args []string) (plan.Wanted, error) {
	if file != "" {
		if len(args) > 0 {
			return plan.Wanted{}, usageError{errors.New("give a file or a name with settings, not both")}
		}
		wanted, err := r.readFiles([]string{file})
		if err != nil {
			return plan.Wanted{}, err
		}
		if len(wanted) != 1 {
			return plan.Wanted{}, usageError{fmt.Errorf("%s has %d connectors; create makes one, apply takes many", file, len(wanted))}
		}
		return wanted[0], nil
	}
	if len(args) < 2 || strings.Contains(args[0], "=") {
		return plan.Wanted{}, usageError{errors.New("give -f FILE, or the connector's name and its settings as KEY=VALUE")}
	}
	w := plan.Wanted{File: "the command line", Name: args[0], Config: map[string]string{"name": args[0]}}
	for i, arg := range args[1:] {
		key, value, ok := strings.Cut(arg, "=")
		if !ok || key == "" {
			return w, usageError{fmt.Errorf("setting %s is not KEY=VALUE", strconv.Itoa(i+1))} // I-9: not its text
		}
		w.Config[key] = value
	}
	return w, nil
}

func newDelete(r *remote) *cobra.Command {
	return &cobra.Command{
		Use:               "delete CONNECTOR…",
		Short:             "Delete connectors; their offsets stay",
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: r.completeNames,
		RunE: r.with(func(ctx context.Context, c *client.Client, p *printer, args []string) error {
			return each(args, func(name string) error {
				if err := c.Delete(ctx, name); err != nil {
					return err
				}
				p.done("deleted", name)
				return nil
			})
		}),
	}
}

// done says what was done; programs have the exit status.
func (p *printer) done(what, name string) {
	if p.form == asTable {
		p.line("%s %s", what, name)
	}
}
