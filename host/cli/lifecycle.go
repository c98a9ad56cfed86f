package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tailrace/tailrace/host/cli/client"
)

// The states of connectors and tasks.
const (
	stateRunning = "RUNNING"
	statePaused  = "PAUSED"
	stateStopped = "STOPPED"
	stateFailed  = "FAILED"
)

// change is a command that changes the state of connectors.
func change(r *remote, use, short, done, state string, do func(*client.Client, context.Context, string) error) *cobra.Command {
	var w waiting
	cmd := &cobra.Command{
		Use:               use + " CONNECTOR…",
		Short:             short,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: r.completeNames,
		RunE: r.with(func(ctx context.Context, c *client.Client, p *printer, args []string) error {
			err := each(args, func(name string) error {
				if err := do(c, ctx, name); err != nil {
					return err
				}
				p.done(done, name)
				return nil
			})
			if err != nil {
				return err
			}
			return w.await(ctx, c, args, state)
		}),
	}
	w.flag(cmd)
	return cmd
}

func newPause(r *remote) *cobra.Command {
	return change(r, "pause", "Pause connectors: their tasks stay and move nothing", "pausing", statePaused, (*client.Client).Pause)
}

func newResume(r *remote) *cobra.Command {
	return change(r, "resume", "Resume paused or stopped connectors", "resuming", stateRunning, (*client.Client).Resume)
}

func newStop(r *remote) *cobra.Command {
	return change(r, "stop", "Stop connectors: their tasks end, configuration and offsets stay", "stopped", stateStopped, (*client.Client).Stop)
}

func newRestart(r *remote) *cobra.Command {
	var includeTasks, onlyFailed bool
	task := -1
	var w waiting
	cmd := &cobra.Command{
		Use:               "restart CONNECTOR…",
		Short:             "Restart connectors, their tasks too, or only what has failed",
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: r.completeNames,
		RunE: r.with(func(ctx context.Context, c *client.Client, p *printer, args []string) error {
			err := each(args, func(name string) error {
				if task >= 0 {
					if err := c.RestartTask(ctx, name, task); err != nil {
						return err
					}
					p.done(fmt.Sprintf("restarting task %d of", task), name)
					return nil
				}
				if err := c.Restart(ctx, name, includeTasks, onlyFailed); err != nil {
					return err
				}
				p.done("restarting", name)
				return nil
			})
			if err != nil {
				return err
			}
			return w.await(ctx, c, args, stateRunning)
		}),
	}
	cmd.Flags().BoolVar(&includeTasks, "include-tasks", false, "restart the tasks too")
	cmd.Flags().BoolVar(&onlyFailed, "only-failed", false, "restart only what has failed")
	cmd.Flags().IntVar(&task, "task", -1, "restart this task only")
	cmd.MarkFlagsMutuallyExclusive("task", "include-tasks")
	cmd.MarkFlagsMutuallyExclusive("task", "only-failed")
	w.flag(cmd)
	return cmd
}

// waiting waits until connectors are in a state.
type waiting struct{ limit time.Duration }

// pollInterval is the time between two looks at a worker.
const pollInterval = 250 * time.Millisecond

func (w *waiting) flag(cmd *cobra.Command) {
	cmd.Flags().DurationVar(&w.limit, "wait", 0, "wait at most this long until it is so, connector and tasks; the status is 1 when it is not")
}

// await waits for all connectors; without --wait it returns at once. A failure ends it early.
func (w *waiting) await(ctx context.Context, c *client.Client, names []string, state string) error {
	if w.limit <= 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, w.limit)
	defer cancel()
	return each(names, func(name string) error {
		tick := time.NewTicker(pollInterval)
		defer tick.Stop()
		seen := "it has no status"
		for {
			s, err := c.Status(ctx, name)
			if err == nil {
				if seen = unlike(s, state); seen == "" {
					return nil
				}
				if reason := failure(s); reason != "" && state == stateRunning {
					return fmt.Errorf("failed: %s; see tailrace connector status %s --trace", reason, name)
				}
			} else if !client.IsNotFound(err) && ctx.Err() == nil { // there is no status right after the creation
				return err
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("not %s within %s: %s", state, w.limit, seen)
			case <-tick.C:
			}
		}
	})
}

// unlike says what is not in a state yet; "" when all is. A running connector has at least one task.
func unlike(s client.Status, state string) string {
	if s.Connector.State != state {
		return "the connector is " + s.Connector.State
	}
	if state == stateRunning && len(s.Tasks) == 0 {
		return "there is no task"
	}
	for _, t := range s.Tasks {
		if t.State != state {
			return fmt.Sprintf("task %d is %s", t.ID, t.State)
		}
	}
	return ""
}

// failure is the first reason why a connector or a task has failed.
func failure(s client.Status) string {
	if s.Connector.State == stateFailed {
		return firstLine(s.Connector.Trace)
	}
	for _, t := range s.Tasks {
		if t.State == stateFailed {
			return strings.TrimSpace(fmt.Sprintf("task %d: %s", t.ID, firstLine(t.Trace)))
		}
	}
	return ""
}
