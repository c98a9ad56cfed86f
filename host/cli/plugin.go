package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tailrace/tailrace/host/cli/client"
)

// PluginSource says where plugins are: folders with commas between, or the plugin.path of a worker file.
type PluginSource struct {
	Folders, WorkerFile string
	Logging             Logging
}

// PluginListing is what is in folders of plugins.
type PluginListing struct {
	Plugins []PluginEntry  `json:"plugins"`
	Broken  []BrokenPlugin `json:"broken"`
}

// PluginEntry is one connector that a plugin offers.
type PluginEntry struct {
	Class         string      `json:"class"`
	Kind          string      `json:"type"`
	Version       string      `json:"version"`
	Aliases       []string    `json:"aliases"`
	Plugin        string      `json:"plugin"`
	SDK           string      `json:"sdk"`
	Path          string      `json:"path"`
	Documentation string      `json:"documentation"`
	Keys          []PluginKey `json:"keys"`
}

// PluginKey is one configuration key.
type PluginKey struct {
	Name          string `json:"name"`
	Type          string `json:"type"`
	Importance    string `json:"importance"`
	Default       string `json:"default_value"`
	Documentation string `json:"documentation"`
	Required      bool   `json:"required"`
}

// BrokenPlugin is an entry that cannot be used.
type BrokenPlugin struct {
	Path   string `json:"path"`
	Reason string `json:"reason"`
}

func newPlugin(c Commands, r *remote, logging *Logging) *cobra.Command {
	var from PluginSource
	cmd := &cobra.Command{
		Use:   "plugin",
		Short: "Look at installed plugins, in folders or of a running worker",
		Long: "Looks into folders of plugins, and says why one cannot be used. With --server or --context, it asks a running worker, which\n" +
			"may be Kafka Connect itself.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.PersistentFlags().StringVar(&from.Folders, "plugins", "", "folders of plugins, with commas between (default: plugins, beside the program)")
	cmd.PersistentFlags().StringVar(&from.WorkerFile, "worker", "", "take plugin.path from this worker.properties")
	r.flags(cmd)
	asks := func() bool { return r.server != "" || r.context != "" }
	look := func(ctx context.Context) (PluginListing, error) {
		from.Logging = *logging
		return c.Plugins(ctx, from)
	}
	cmd.AddCommand(newPluginList(r, asks, look), newPluginDescribe(r, asks, look))
	return cmd
}

// lookup finds the plugins of folders.
type lookup func(context.Context) (PluginListing, error)

func newPluginList(r *remote, asks func() bool, look lookup) *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List connectors, and what cannot be used with the reason",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if asks() {
				return r.with(func(ctx context.Context, c *client.Client, p *printer, _ []string) error {
					return listRemote(ctx, c, p, all)
				})(cmd, args)
			}
			l, err := look(cmd.Context())
			if err != nil {
				return err
			}
			return printPlugins(r.printer(cmd), l)
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "with --server: transforms, predicates and converters too")
	return cmd
}

func newPluginDescribe(r *remote, asks func() bool, look lookup) *cobra.Command {
	return &cobra.Command{
		Use:   "describe CLASS",
		Short: "Show a connector's configuration keys",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if asks() {
				return r.with(func(ctx context.Context, c *client.Client, p *printer, args []string) error {
					return describeRemote(ctx, c, p, args[0])
				})(cmd, args)
			}
			l, err := look(cmd.Context())
			if err != nil {
				return err
			}
			return describe(r.printer(cmd), l, args[0])
		},
	}
}

func printPlugins(p *printer, l PluginListing) error {
	if done, err := p.value(l); done {
		return err
	}
	rows := make([][]string, 0, len(l.Plugins))
	for _, x := range l.Plugins {
		rows = append(rows, []string{x.Class, x.Kind, x.Version, x.Path})
	}
	p.table([]string{"connector", "type", "version", "plugin"}, rows)
	for _, b := range l.Broken {
		p.line("cannot be used: %s: %s", b.Path, b.Reason)
	}
	return nil
}

func describe(to *printer, l PluginListing, class string) error {
	var names []string
	for _, p := range l.Plugins {
		names = append(names, p.Class)
		if p.Class != class && !slices.Contains(p.Aliases, class) {
			continue
		}
		if done, err := to.value(p); done {
			return err
		}
		out := to.out
		fmt.Fprintf(out, "%s  %s %s\n%s\n\nplugin   %s (%s)\n", p.Class, p.Kind, p.Version, p.Documentation, p.Path, p.SDK)
		if len(p.Aliases) > 0 {
			fmt.Fprintf(out, "aliases  %s\n", strings.Join(p.Aliases, ", "))
		}
		for _, k := range p.Keys {
			state := "default " + k.Default
			switch {
			case k.Required:
				state = "required"
			case k.Default == "":
				state = "optional"
			}
			fmt.Fprintf(out, "\n%s  (%s, %s)\n    %s\n", k.Name, strings.ToLower(k.Type), state, k.Documentation)
		}
		return nil
	}
	for _, b := range l.Broken {
		if strings.Contains(b.Path, class) {
			return fmt.Errorf("%s cannot be used: %s", b.Path, b.Reason)
		}
	}
	return fmt.Errorf("no plugin offers %s; there are: %s", class, strings.Join(names, ", "))
}
