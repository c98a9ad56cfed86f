package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tailrace/tailrace/host/cli/client"
)

// Verdict is how a check ended.
type Verdict string

// From good to bad.
const (
	Fine    Verdict = "ok"
	Warning Verdict = "warning"
	Trouble Verdict = "problem"
)

// Finding is one check with what was found and what to do.
type Finding struct {
	Check   string  `json:"check"`
	Verdict Verdict `json:"verdict"`
	Found   string  `json:"found"`
	Fix     string  `json:"fix,omitempty"`
}

// facts are what a worker tells about itself. An error stands where it did not answer.
type facts struct {
	server     string
	took       time.Duration // of the first answer
	about      client.About
	aboutErr   error
	health     client.Health
	healthErr  error
	plugins    []client.Plugin
	pluginsErr error
	connectors map[string]client.Expanded
	listErr    error
	// processes and brokers are told by Tailrace's workers only; brokers has, by connector, what a client of
	// one of its tasks says that cannot reach Kafka.
	processes []client.Process
	brokers   map[string]string
}

// maxProgress bounds the connectors that are asked for their tasks' clients.
const maxProgress = 100

// slowAnswer is the time above which a worker is busy or far away.
const slowAnswer = 2 * time.Second

func newDoctor(c Commands, r *remote) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check a worker and its connectors, and say what to fix",
		Long: fmt.Sprintf("Checks what the REST API tells: whether the worker answers and is ready, its Kafka cluster, its plugins, the state of every\n"+
			"connector and task, whether tasks reach Kafka, and plugin processes that died. With --worker FILE it checks instead what a\n"+
			"worker with that file needs, with the worker's credentials, whether it runs or not: that each plugin starts, that the REST\n"+
			"addresses are free or a worker's, the advertised name, the broker, the internal topics (compacted, partitions, copies), and the\n"+
			"rights on them and on the group. The status is %d when there is a problem.", statusFound),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if file != "" {
				findings, err := c.Doctor(cmd.Context(), file)
				if err != nil {
					return err
				}
				return conclude(r.printer(cmd), findings)
			}
			return r.with(func(ctx context.Context, c *client.Client, p *printer, _ []string) error {
				findings := diagnose(gather(ctx, c))
				if err := ctx.Err(); err != nil {
					return err
				}
				return conclude(p, findings)
			})(cmd, args)
		},
	}
	cmd.Flags().StringVar(&file, "worker", "", "check what the worker of this worker.properties needs")
	r.flags(cmd)
	return cmd
}

// conclude prints the findings; an error tells that there is a problem among them.
func conclude(p *printer, findings []Finding) error {
	if err := printFindings(p, findings); err != nil {
		return err
	}
	if slices.ContainsFunc(findings, func(f Finding) bool { return f.Verdict == Trouble }) {
		return errFound
	}
	return nil
}

// gather asks the worker; when it cannot be reached, nothing more is asked.
func gather(ctx context.Context, c *client.Client) facts {
	f := facts{server: c.Server()}
	start := time.Now()
	f.about, f.aboutErr = c.About(ctx)
	f.took = time.Since(start)
	if client.IsUnreachable(f.aboutErr) {
		return f
	}
	f.health, f.healthErr = c.Health(ctx)
	f.plugins, f.pluginsErr = c.Plugins(ctx, true)
	f.connectors, f.listErr = c.Connectors(ctx)
	f.processes, _ = c.Processes(ctx) // Kafka Connect has none
	f.brokers = map[string]string{}
	if f.processes == nil {
		return f
	}
	for i, name := range slices.Sorted(maps.Keys(f.connectors)) {
		if i == maxProgress {
			break
		}
		tasks, err := c.Progress(ctx, name)
		if err != nil {
			continue // it was deleted meanwhile
		}
		for _, t := range tasks {
			if t.Kafka != "" && t.Kafka != "ok" {
				f.brokers[name] = fmt.Sprintf("task %d: %s", t.ID, t.Kafka)
			}
		}
	}
	return f
}

// diagnose judges what a worker told.
func diagnose(f facts) []Finding {
	if f.aboutErr != nil {
		fix := "check that a worker runs there, and the address: --server, TAILRACE_SERVER, or tailrace context"
		if !client.IsUnreachable(f.aboutErr) {
			fix = "check that this is the address of a Kafka Connect REST API, and the credentials"
		}
		return []Finding{{"REST API", Trouble, f.aboutErr.Error(), fix}}
	}
	out := []Finding{{Check: "REST API", Verdict: Fine, Found: fmt.Sprintf("%s answers as Kafka Connect %s", f.server, f.about.Version)}}
	if f.took > slowAnswer {
		out[0].Verdict, out[0].Fix = Warning, "the answer took "+f.took.Round(time.Millisecond).String()+": look at the load of the worker and the network"
	}
	out = append(out, ready(f), broker(f), offered(f))
	out = append(out, connectorFindings(f)...)
	for _, name := range slices.Sorted(maps.Keys(f.brokers)) {
		out = append(out, Finding{
			"Kafka for connector " + name, Trouble, f.brokers[name],
			"check that the broker runs and can be reached from the worker, and the connector's rights and producer., consumer. and admin. settings",
		})
	}
	return append(out, deaths(f)...)
}

// deaths tells of plugin processes that did not end because they were asked to.
func deaths(f facts) []Finding {
	var out []Finding
	for _, p := range f.processes {
		if p.LastExit == nil {
			continue
		}
		name := p.Connector
		if name == "" {
			name = "(shared)"
		}
		x := Finding{Check: "plugin process of " + name, Verdict: Warning, Fix: "see why: tailrace connector logs " + name}
		x.Found = fmt.Sprintf("%s died at %s (%s) and was started again %d times", p.Plugin, p.LastExit.Time.Local().Format("15:04:05"), exitText(p), p.Restarts)
		if p.PID == 0 {
			x.Verdict, x.Found = Trouble, fmt.Sprintf("%s died at %s (%s) and does not run now", p.Plugin, p.LastExit.Time.Local().Format("15:04:05"), exitText(p))
		}
		if p.LastExit.Cause == "memory limit" {
			x.Fix = "raise process.memory.limit of the connector, or let its tasks take smaller batches"
		}
		out = append(out, x)
	}
	return out
}

func exitText(p client.Process) string {
	switch e := p.LastExit; {
	case e.Detail != "":
		return e.Detail
	case e.Signal != "":
		return "signal " + e.Signal
	default:
		return fmt.Sprintf("status %d", e.Code)
	}
}

func ready(f facts) Finding {
	x := Finding{Check: "worker", Verdict: Fine, Found: f.health.Message}
	switch {
	case client.IsNotFound(f.healthErr):
		x.Found = "this version does not tell its health"
	case f.healthErr != nil:
		x.Verdict, x.Found = Trouble, f.healthErr.Error()
		x.Fix = "wait while it starts; if it stays so, look at the worker's log, and whether it reaches its broker"
	}
	return x
}

func broker(f facts) Finding {
	if f.about.KafkaClusterID == "" {
		return Finding{"Kafka", Trouble, "the worker does not know its Kafka cluster", "check bootstrap.servers and the security settings of the worker, and that the broker runs"}
	}
	return Finding{Check: "Kafka", Verdict: Fine, Found: "cluster " + f.about.KafkaClusterID}
}

func offered(f facts) Finding {
	switch {
	case f.pluginsErr != nil:
		return Finding{"plugins", Trouble, f.pluginsErr.Error(), "look at the worker's log"}
	case len(f.plugins) == 0:
		return Finding{"plugins", Trouble, "the worker offers no connector", "check plugin.path in the worker's properties; tailrace plugin list --worker FILE says what is wrong with a plugin"}
	}
	return Finding{Check: "plugins", Verdict: Fine, Found: fmt.Sprintf("%d connectors can be run", len(classes(f.plugins)))}
}

func connectorFindings(f facts) []Finding {
	if f.listErr != nil {
		return []Finding{{"connectors", Trouble, f.listErr.Error(), "if it is a conflict, wait for the rebalance to end; otherwise look at the worker's log"}}
	}
	var out []Finding
	for _, name := range slices.Sorted(maps.Keys(f.connectors)) {
		if x := examine(name, f.connectors[name]); x.Verdict != Fine {
			out = append(out, x)
		}
	}
	if well := len(f.connectors) - len(out); well > 0 || len(f.connectors) == 0 {
		out = append(out, Finding{Check: "connectors", Verdict: Fine, Found: fmt.Sprintf("%d of %d are well", well, len(f.connectors))})
	}
	return out
}

// examine judges one connector.
func examine(name string, k client.Expanded) Finding {
	x := Finding{Check: "connector " + name, Verdict: Trouble}
	switch {
	case k.Info != nil && k.Info.Type == "unknown":
		x.Found = "the worker does not offer its plugin " + k.Info.Config["connector.class"]
		x.Fix = "install the plugin into plugin.path, or correct connector.class: tailrace connector edit " + name
		return x
	case k.Status == nil:
		x.Verdict, x.Found, x.Fix = Warning, "it has no status yet", "look again in a moment"
		return x
	}
	s := *k.Status
	if reason := failure(s); reason != "" || s.Connector.State == stateFailed || slices.ContainsFunc(s.Tasks, func(t client.TaskStatus) bool { return t.State == stateFailed }) {
		x.Found = strings.TrimRight("it has failed: "+reason, ": ")
		x.Fix = fmt.Sprintf("mend the cause (tailrace connector status %s --trace), then tailrace connector restart %s --include-tasks --only-failed", name, name)
		return x
	}
	x.Verdict = Warning
	switch waits := unlike(s, stateRunning); {
	case s.Connector.State == statePaused || s.Connector.State == stateStopped:
		x.Found, x.Fix = "it is "+s.Connector.State, "if that is not wanted: tailrace connector resume "+name
	case s.Connector.State == "UNASSIGNED" || slices.ContainsFunc(s.Tasks, func(t client.TaskStatus) bool { return t.State == "UNASSIGNED" }):
		x.Found, x.Fix = waits, "a rebalance is under way, or a worker has gone (scheduled.rebalance.max.delay.ms); look again in some minutes"
	case waits != "":
		x.Found, x.Fix = waits, "look again in a moment; if it stays so, look at the worker's log"
	default:
		x.Verdict = Fine
	}
	return x
}

func printFindings(p *printer, findings []Finding) error {
	if done, err := p.value(findings); done {
		return err
	}
	for _, f := range findings {
		mark := fmt.Sprintf("%-8s", f.Verdict)
		if p.colour {
			mark = strings.Replace(mark, string(f.Verdict), coloured(string(f.Verdict)), 1)
		}
		fmt.Fprintf(p.out, "%s %s: %s\n", mark, clean(f.Check), clean(f.Found))
		if f.Fix != "" {
			fmt.Fprintf(p.out, "         fix: %s\n", clean(f.Fix))
		}
	}
	return nil
}
