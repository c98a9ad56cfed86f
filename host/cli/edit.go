package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tailrace/tailrace/host/cli/client"
	"github.com/tailrace/tailrace/host/cli/plan"
)

func newEdit(r *remote) *cobra.Command {
	return &cobra.Command{
		Use:   "edit CONNECTOR",
		Short: "Change a connector's configuration in an editor",
		Long: "Opens the configuration as JSON in VISUAL, EDITOR or vi. Secrets are hidden and stay as they are unless they are\n" +
			"overwritten. Only keys that were changed are sent, so that what somebody else changes meanwhile stays. When the worker\n" +
			"refuses the change, the text is kept and its place is told.",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: r.completeName,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := r.open(cmd)
			if err != nil {
				return err
			}
			defer c.Close()
			return r.edit(cmd, c, args[0])
		},
	}
}

func (r *remote) edit(cmd *cobra.Command, c *client.Client, name string) error {
	ctx := cmd.Context()
	k, err := c.Connector(ctx, name)
	if err != nil {
		return err
	}
	all := r.secrets(ctx, c)
	secret := func(key string) bool { return all(k.Config["connector.class"], key) }
	text, err := json.MarshalIndent(plan.Masked(k.Config, secret), "", "  ")
	if err != nil {
		return err
	}
	file, err := writeTemp(append(text, '\n'))
	if err != nil {
		return err
	}
	patch, err := r.edited(cmd, file, k.Config)
	if err != nil {
		return fmt.Errorf("%w\nyour text is in %s", err, file)
	}
	if len(patch) > 0 {
		if _, err := c.Patch(ctx, name, patch); err != nil {
			for key, value := range patch {
				if value != nil && secret(key) {
					err = redacted(err, map[string]string{key: *value}, secret)
				}
			}
			return fmt.Errorf("%w\nyour text is in %s", redacted(err, k.Config, secret), file)
		}
	}
	if err := os.Remove(file); err != nil {
		return err
	}
	if len(patch) == 0 {
		r.printer(cmd).done("nothing was changed in", name)
		return nil
	}
	r.printer(cmd).done(fmt.Sprintf("changed %d keys of", len(patch)), name)
	return nil
}

// edited runs the editor on a file and returns what to send.
func (r *remote) edited(cmd *cobra.Command, file string, before map[string]string) (map[string]*string, error) {
	if err := runEditor(cmd, file); err != nil {
		return nil, err
	}
	data, err := readBounded(file)
	if err != nil {
		return nil, err
	}
	k, err := r.commands.ParseConnector(file, data)
	if err != nil {
		return nil, err
	}
	if k.Name != before["name"] && before["name"] != "" {
		return nil, fmt.Errorf("a connector cannot be renamed: name was %s", before["name"])
	}
	return plan.Patch(before, plan.Unmasked(k.Config, before)), nil
}

func writeTemp(text []byte) (string, error) {
	f, err := os.CreateTemp("", "tailrace-*.json") // readable by its owner only
	if err != nil {
		return "", err
	}
	_, err = f.Write(text)
	return f.Name(), errors.Join(err, f.Close())
}

// runEditor lets the user's editor change a file; VISUAL and EDITOR may have arguments.
func runEditor(cmd *cobra.Command, file string) error {
	editor := "vi"
	for _, name := range []string{"EDITOR", "VISUAL"} {
		if value := strings.TrimSpace(os.Getenv(name)); value != "" {
			editor = value
		}
	}
	words := strings.Fields(editor)
	e := exec.CommandContext(context.WithoutCancel(cmd.Context()), words[0], append(words[1:], file)...) // Ctrl-C belongs to the editor
	e.Stdin, e.Stdout, e.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := e.Run(); err != nil {
		return fmt.Errorf("the editor %s: %w; set EDITOR", words[0], err)
	}
	return nil
}
