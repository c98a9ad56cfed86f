package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/tailrace/tailrace/host/cli/client"
	"github.com/tailrace/tailrace/host/cli/plan"
)

// problem is what is wrong with a key of a configuration.
type problem struct {
	File      string `json:"file"`
	Connector string `json:"connector"`
	Key       string `json:"key"`
	Error     string `json:"error"`
}

// problemsOf has a worker check a configuration. A worker that cannot check it at all (no such plugin) counts as a problem of the class.
func problemsOf(ctx context.Context, c *client.Client, w plan.Wanted, secret func(class, key string) bool) ([]problem, error) {
	class := w.Config["connector.class"]
	hide := func(key string) bool { return secret(class, key) }
	found, err := c.Validate(ctx, class, w.Config)
	if err != nil {
		return nil, redacted(err, w.Config, hide)
	}
	out := []problem{}
	for _, f := range found.Configs {
		for _, text := range f.Value.Errors {
			out = append(out, problem{w.File, w.Name, f.Value.Name, plan.Redact(text, w.Config, hide)}) // I-9
		}
	}
	return out, nil
}

func newValidate(r *remote) *cobra.Command {
	var files []string
	cmd := &cobra.Command{
		Use:   "validate -f FILE",
		Short: "Have the worker check connector files, without changing anything",
		Long:  fmt.Sprintf("The status is %d when a configuration has errors.", statusRefused),
		Args:  cobra.NoArgs,
		RunE: r.with(func(ctx context.Context, c *client.Client, p *printer, _ []string) error {
			wanted, err := r.readFiles(files)
			if err != nil {
				return err
			}
			secret := r.secrets(ctx, c)
			all := []problem{}
			for _, w := range wanted {
				problems, err := problemsOf(ctx, c, w, secret)
				if err != nil {
					return fmt.Errorf("%s: %w", w.File, err)
				}
				all = append(all, problems...)
			}
			if done, err := p.value(all); done && err != nil {
				return err
			} else if !done {
				p.problems(all)
			}
			if len(all) > 0 {
				return invalidError{fmt.Errorf("%d errors in the configuration", len(all))}
			}
			if p.form == asTable {
				p.line("%d of %d configurations are right", len(wanted), len(wanted))
			}
			return nil
		}),
	}
	filesFlag(cmd, &files)
	return cmd
}

func (p *printer) problems(all []problem) {
	for _, x := range all {
		p.line("%s: %s: %s", x.File, x.Key, x.Error)
	}
}
