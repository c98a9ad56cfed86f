package cli

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/tailrace/tailrace/host/cli/client"
)

func newWorker(r *remote) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "worker",
		Aliases: []string{"workers"},
		Short:   "Look at the workers of a cluster",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	r.flags(cmd)
	cmd.AddCommand(&cobra.Command{
		Use:   "list",
		Short: "List the workers that run connectors or tasks, and the one that is asked",
		Long: "The list comes from the states of connectors and tasks, so it works with Kafka Connect too; a worker that runs nothing\n" +
			"is not in it. Memory, CPU time and version are known of the worker that is asked, if it is one of Tailrace.",
		Args: cobra.NoArgs,
		RunE: r.with(func(ctx context.Context, c *client.Client, p *printer, _ []string) error {
			all, err := c.Connectors(ctx)
			if err != nil {
				return err
			}
			asked, err := c.Worker(ctx)
			if err != nil && !client.IsNotFound(err) {
				return err
			}
			return printWorkers(p, workers(all, asked))
		}),
	})
	return cmd
}

// workerSummary is a worker in a list.
type workerSummary struct {
	WorkerID   string         `json:"worker_id"`
	Connectors int            `json:"connectors"`
	Tasks      int            `json:"tasks"`
	Failed     int            `json:"failed"` // connectors and tasks
	Asked      *client.Worker `json:"asked,omitempty"`
}

// workers counts what each worker runs. asked is empty when the worker does not tell of itself.
func workers(all map[string]client.Expanded, asked client.Worker) []workerSummary {
	byID := map[string]*workerSummary{}
	of := func(i client.Instance) *workerSummary {
		w := byID[i.WorkerID]
		if w == nil {
			w = &workerSummary{WorkerID: i.WorkerID}
			byID[i.WorkerID] = w
		}
		if i.State == stateFailed {
			w.Failed++
		}
		return w
	}
	if asked.WorkerID != "" {
		of(client.Instance{WorkerID: asked.WorkerID}).Asked = &asked
	}
	for _, k := range all {
		if k.Status == nil {
			continue
		}
		of(k.Status.Connector).Connectors++
		for _, t := range k.Status.Tasks {
			of(t.Instance).Tasks++
		}
	}
	out := []workerSummary{}
	for _, id := range slices.Sorted(maps.Keys(byID)) {
		out = append(out, *byID[id])
	}
	return out
}

func printWorkers(p *printer, list []workerSummary) error {
	if done, err := p.value(list); done {
		return err
	}
	rows := make([][]string, 0, len(list))
	for _, w := range list {
		row := []string{w.WorkerID, strconv.Itoa(w.Connectors), strconv.Itoa(w.Tasks), strconv.Itoa(w.Failed), "", "", "", ""}
		if a := w.Asked; a != nil {
			row[4], row[5] = a.Version, time.Since(a.Started).Round(time.Second).String()
			row[6] = strconv.FormatInt(a.ResidentBytes>>20, 10) + " MiB"
			row[7] = strconv.Itoa(a.PluginProcesses)
		}
		rows = append(rows, row)
	}
	p.table([]string{"worker", "connectors", "tasks", "failed", "version", "up", "memory", "plugin processes"}, rows)
	return nil
}
