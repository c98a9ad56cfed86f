package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tailrace/tailrace/host/cli/client"
	"github.com/tailrace/tailrace/host/cli/plan"
)

// maxFileBytes bounds a connector file; maxFiles those of a folder.
const (
	maxFileBytes = 16 << 20
	maxFiles     = 10_000
)

// readFiles reads connector files and folders of them (*.properties, *.json, not those below); - is standard input.
func (r *remote) readFiles(paths []string) ([]plan.Wanted, error) {
	if len(paths) == 0 {
		return nil, usageError{errors.New("-f FILE is missing")}
	}
	var out []plan.Wanted
	for _, path := range paths {
		files, err := connectorFiles(path)
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			data, err := readBounded(file)
			if err != nil {
				return nil, err
			}
			k, err := r.commands.ParseConnector(file, data)
			if err != nil {
				return nil, err
			}
			out = append(out, plan.Wanted{File: file, Name: k.Name, Config: k.Config, InitialState: k.InitialState})
		}
	}
	return out, nil
}

// connectorFiles lists the files that a path stands for.
func connectorFiles(path string) ([]string, error) {
	if path == "-" {
		return []string{path}, nil
	}
	info, err := os.Stat(path)
	if err != nil || !info.IsDir() {
		return []string{path}, err
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	var files []string
	for _, e := range entries {
		ext := strings.ToLower(filepath.Ext(e.Name()))
		if !e.IsDir() && (ext == ".properties" || ext == ".json") {
			files = append(files, filepath.Join(path, e.Name()))
		}
	}
	switch {
	case len(files) == 0:
		return nil, fmt.Errorf("the folder %s has no .properties or .json file", path)
	case len(files) > maxFiles:
		return nil, fmt.Errorf("the folder %s has %d connector files, the limit is %d", path, len(files), maxFiles)
	}
	return files, nil
}

func readBounded(file string) ([]byte, error) {
	in := os.Stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, maxFileBytes+1))
	if err == nil && len(data) > maxFileBytes {
		err = fmt.Errorf("%s is larger than %d bytes and is hardly a connector file", file, maxFileBytes)
	}
	return data, err
}

// look reads the files, and compares them with the worker's connectors.
func (r *remote) look(ctx context.Context, c *client.Client, files []string) ([]plan.Step, func(class, key string) bool, error) {
	wanted, err := r.readFiles(files)
	if err != nil {
		return nil, nil, err
	}
	current := map[string]map[string]string{}
	for _, w := range wanted {
		k, err := c.Connector(ctx, w.Name)
		if client.IsNotFound(err) {
			continue
		} else if err != nil {
			return nil, nil, err
		}
		current[w.Name] = k.Config
	}
	secret := r.secrets(ctx, c)
	steps, err := plan.Steps(wanted, current, secret)
	return steps, secret, err
}

// filesFlag is -f of the commands that take files and folders.
func filesFlag(cmd *cobra.Command, files *[]string) {
	cmd.Flags().StringArrayVarP(files, "file", "f", nil, "connector file, properties or JSON, or a folder of them; - is standard input; may be repeated")
	_ = cmd.MarkFlagRequired("file")
}

func newApply(r *remote) *cobra.Command {
	var files []string
	var dryRun bool
	var w waiting
	cmd := &cobra.Command{
		Use:   "apply -f FILE",
		Short: "Create or change connectors so that they are as files say",
		Long: "Reads all files first, then has the worker check every configuration that is new or differs, and changes something only when all are\n" +
			"right. A connector that is as its file says is left alone. Connectors without a file are left alone too.",
		Example: "  tailrace connector apply -f connectors/ --dry-run\n  tailrace connector apply -f connectors/ --wait 1m",
		Args:    cobra.NoArgs,
		RunE: r.with(func(ctx context.Context, c *client.Client, p *printer, _ []string) error {
			steps, secret, err := r.look(ctx, c, files)
			if err != nil {
				return err
			}
			if err := check(ctx, c, steps, secret); err != nil {
				return err
			}
			var carried []plan.Step
			var names []string
			for _, step := range steps {
				if !dryRun {
					if err = carryOut(ctx, c, step, secret); err != nil {
						break
					}
				}
				carried = append(carried, step)
				if step.Action != plan.Unchanged && (step.Action == plan.Update || step.Wanted.InitialState == "" || step.Wanted.InitialState == stateRunning) {
					names = append(names, step.Name)
				}
			}
			if shown := printSteps(p, carried, dryRun); err != nil || shown != nil {
				return errors.Join(err, shown)
			}
			if dryRun {
				return nil
			}
			return w.await(ctx, c, names, stateRunning)
		}),
	}
	filesFlag(cmd, &files)
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "only say what would be done, with the worker's check")
	w.flag(cmd)
	return cmd
}

// check has the worker look at every configuration that is to be sent.
func check(ctx context.Context, c *client.Client, steps []plan.Step, secret func(class, key string) bool) error {
	var all []error
	for _, step := range steps {
		if step.Action == plan.Unchanged {
			continue
		}
		problems, err := problemsOf(ctx, c, step.Wanted, secret)
		if err != nil {
			return fmt.Errorf("%s: %w", step.File, err)
		}
		for _, problem := range problems {
			all = append(all, fmt.Errorf("%s: %s: %s", problem.File, problem.Key, problem.Error))
		}
	}
	if len(all) > 0 {
		return invalidError{fmt.Errorf("nothing was changed, the worker refuses:\n%w", errors.Join(all...))}
	}
	return nil
}

// invalidError is a configuration that a worker's check refuses.
type invalidError struct{ error }

func (e invalidError) Unwrap() error { return e.error }

func carryOut(ctx context.Context, c *client.Client, step plan.Step, secret func(class, key string) bool) (err error) {
	w := step.Wanted
	switch {
	case step.Action == plan.Unchanged:
		return nil
	case step.Action == plan.Create && w.InitialState != "":
		_, err = c.Create(ctx, w.Name, w.Config, w.InitialState)
	default:
		_, _, err = c.Put(ctx, w.Name, w.Config)
	}
	if err != nil {
		err = redacted(err, w.Config, func(key string) bool { return secret(w.Config["connector.class"], key) })
		return fmt.Errorf("%s: %w", step.File, err)
	}
	return nil
}

func newDiff(r *remote) *cobra.Command {
	var files []string
	cmd := &cobra.Command{
		Use:   "diff -f FILE",
		Short: "Show what apply would change",
		Long:  fmt.Sprintf("The status is 0 when nothing differs and %d when something does. Secrets are hidden, a change of one is shown.", statusFound),
		Args:  cobra.NoArgs,
		RunE: r.with(func(ctx context.Context, c *client.Client, p *printer, _ []string) error {
			steps, _, err := r.look(ctx, c, files)
			if err != nil {
				return err
			}
			if done, err := p.value(steps); done && err != nil {
				return err
			} else if !done {
				p.diff(steps)
			}
			if slices.ContainsFunc(steps, func(s plan.Step) bool { return s.Action != plan.Unchanged }) {
				return errFound
			}
			return nil
		}),
	}
	filesFlag(cmd, &files)
	return cmd
}

// diff shows the changes of single keys.
func (p *printer) diff(steps []plan.Step) {
	for _, step := range steps {
		if step.Action == plan.Unchanged {
			continue
		}
		p.line("%s (%s): %s", step.Name, step.File, step.Action)
		for _, c := range step.Changes {
			if c.Old != nil {
				p.tinted("31", fmt.Sprintf("  - %s=%s", c.Key, *c.Old))
			}
			if c.New != nil {
				p.tinted("32", fmt.Sprintf("  + %s=%s", c.Key, *c.New))
			}
		}
	}
}

func (p *printer) tinted(code, text string) {
	text = clean(text)
	if p.colour {
		text = "\x1b[" + code + "m" + text + "\x1b[0m"
	}
	fmt.Fprintln(p.out, text)
}

func printSteps(p *printer, steps []plan.Step, dryRun bool) error {
	if done, err := p.value(steps); done {
		return err
	}
	rows := make([][]string, 0, len(steps))
	for _, s := range steps {
		rows = append(rows, []string{s.Name, string(s.Action), fmt.Sprint(len(s.Changes)), s.File})
	}
	p.table([]string{"connector", "action", "keys", "file"}, rows)
	if dryRun {
		p.line("nothing was changed (--dry-run)")
	}
	return nil
}
