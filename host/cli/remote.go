package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tailrace/tailrace/host/cli/client"
	"github.com/tailrace/tailrace/host/cli/plan"
)

// remote is what the commands that talk to a worker share: its address and how to show answers.
type remote struct {
	commands        Commands
	server, context string
	output          string
	timeout, retry  time.Duration
}

// The forms of output.
const (
	asTable = "table"
	asJSON  = "json"
	asYAML  = "yaml"
)

// completionTimeout bounds the wait for a worker while a shell completes a word.
const completionTimeout = 2 * time.Second

// flags adds the flags to a command and those below it.
func (r *remote) flags(cmd *cobra.Command) {
	f := cmd.PersistentFlags()
	f.StringVarP(&r.server, "server", "s", "", "address of a worker's REST API (default: TAILRACE_SERVER, then the context, then "+client.DefaultServer+")")
	f.StringVar(&r.context, "context", "", "context of the config file to use instead of its current one")
	f.StringVarP(&r.output, "output", "o", asTable, "form of the output: table, json, yaml")
	f.DurationVar(&r.timeout, "timeout", client.DefaultTimeout, "longest wait for one answer")
	f.DurationVar(&r.retry, "retry-for", client.DefaultRetryBudget, "how long to try again while the worker is busy (a rebalance); 0 does not")
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{asTable, asJSON, asYAML}, cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("context", r.completeContexts)
	check := func(cmd *cobra.Command, _ []string) error {
		if err := errors.Join(cmd.ValidateRequiredFlags(), cmd.ValidateFlagGroups()); err != nil {
			return usageError{err}
		}
		if !slices.Contains([]string{asTable, asJSON, asYAML}, r.output) {
			return usageError{fmt.Errorf("--output %s is not known; there are table, json and yaml", r.output)}
		}
		return nil
	}
	cmd.PersistentPreRunE = check
}

// open makes the client for the worker that the flags, the environment and the config file name.
func (r *remote) open(cmd *cobra.Command) (*client.Client, error) {
	target, err := r.target()
	if err != nil {
		return nil, err
	}
	options, err := target.options()
	if err != nil {
		return nil, err
	}
	options.Timeout, options.RetryBudget = r.timeout, r.retry
	if r.retry <= 0 {
		options.RetryBudget = -1
	}
	told := false
	options.Waiting = func(reason string, _ time.Duration) {
		if !told && isTerminal(cmd.ErrOrStderr()) {
			fmt.Fprintf(cmd.ErrOrStderr(), "the worker is busy, trying again: %s\n", clean(reason))
			told = true
		}
	}
	return client.New(options)
}

// printer shows answers in the form that was asked for.
func (r *remote) printer(cmd *cobra.Command) *printer {
	out := cmd.OutOrStdout()
	return &printer{out: out, form: r.output, colour: isTerminal(out) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
}

// with runs a command's body with a client.
func (r *remote) with(do func(ctx context.Context, c *client.Client, p *printer, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		c, err := r.open(cmd)
		if err != nil {
			return err
		}
		defer c.Close()
		return do(cmd.Context(), c, r.printer(cmd), args)
	}
}

// secrets tells which keys of a class are secret: those that sound like it, and the plugin's own of type PASSWORD as far as
// the worker tells. It asks once for each class.
func (r *remote) secrets(ctx context.Context, c *client.Client) func(class, key string) bool {
	passwords := map[string]map[string]bool{}
	return func(class, key string) bool {
		if r.commands.IsSecret(key) {
			return true
		}
		known, asked := passwords[class]
		if !asked && class != "" {
			known = map[string]bool{}
			if keys, err := c.Keys(ctx, class); err == nil { // an old worker cannot tell: the names remain
				for _, k := range keys {
					known[k.Name] = k.Type == "PASSWORD"
				}
			}
			passwords[class] = known
		}
		return known[key]
	}
}

// redacted keeps the secrets of a configuration out of an error.
func redacted(err error, config map[string]string, secret func(key string) bool) error {
	if err == nil {
		return nil
	}
	return &redactedError{plan.Redact(err.Error(), config, secret), err}
}

// redactedError is an error with another text.
type redactedError struct {
	text string
	err  error
}

func (e *redactedError) Error() string { return e.text }
func (e *redactedError) Unwrap() error { return e.err }

// completeNames offers the names of the worker's connectors.
func (r *remote) completeNames(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(cmd.Context(), completionTimeout)
	defer cancel()
	c, err := r.open(cmd)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	defer c.Close()
	names, err := c.Names(ctx)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	names = slices.DeleteFunc(names, func(n string) bool { return slices.Contains(args, n) || !strings.HasPrefix(n, begun) })
	return names, cobra.ShellCompDirectiveNoFileComp
}

// completeName offers names for the first argument only.
func (r *remote) completeName(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return r.completeNames(cmd, args, begun)
}

// errFound is what `diff` and `doctor` end with when they found something: it is said by the output already.
var errFound = errors.New("")

// each does something with every name, goes on after a failure, and names the connector in what failed.
func each(names []string, do func(name string) error) error {
	var failed []error
	for _, name := range names {
		if err := do(name); err != nil {
			failed = append(failed, fmt.Errorf("connector %s: %w", name, err))
		}
	}
	return errors.Join(failed...)
}
