package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

// PluginSource says where plugins are: folders with commas between, or the plugin.path of a worker file.
type PluginSource struct {
	Folders, WorkerFile string
	Logging             Logging
}

// PluginListing is what is in folders of plugins.
type PluginListing struct {
	Plugins []PluginEntry
	Broken  []BrokenPlugin
}

// PluginEntry is one connector that a plugin offers.
type PluginEntry struct {
	Class, Kind, Version string
	Aliases              []string
	Plugin, SDK, Path    string
	Documentation        string
	Keys                 []PluginKey
}

// PluginKey is one configuration key.
type PluginKey struct {
	Name, Type, Importance, Default, Documentation string
	Required                                       bool
}

// BrokenPlugin is an entry that cannot be used.
type BrokenPlugin struct{ Path, Reason string }

func newPlugin(c Commands, logging *Logging) *cobra.Command {
	var from PluginSource
	cmd := &cobra.Command{
		Use:   "plugin",
		Short: "Look at installed plugins",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.PersistentFlags().StringVar(&from.Folders, "plugins", "", "folders of plugins, with commas between (default: plugins, beside the program)")
	cmd.PersistentFlags().StringVar(&from.WorkerFile, "worker", "", "take plugin.path from this worker.properties")
	look := func(ctx context.Context) (PluginListing, error) {
		from.Logging = *logging
		return c.Plugins(ctx, from)
	}
	cmd.AddCommand(&cobra.Command{
		Use:   "list",
		Short: "List connectors, and what cannot be used with the reason",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, err := look(cmd.Context())
			if err != nil {
				return err
			}
			return printPlugins(cmd, l)
		},
	}, &cobra.Command{
		Use:   "describe CLASS",
		Short: "Show a connector's configuration keys",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			l, err := look(cmd.Context())
			if err != nil {
				return err
			}
			return describe(cmd, l, args[0])
		},
	})
	return cmd
}

func printPlugins(cmd *cobra.Command, l PluginListing) error {
	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 3, ' ', 0)
	fmt.Fprintln(w, "CONNECTOR\tTYPE\tVERSION\tPLUGIN")
	for _, p := range l.Plugins {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", p.Class, p.Kind, p.Version, p.Path)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, b := range l.Broken {
		fmt.Fprintf(cmd.OutOrStdout(), "cannot be used: %s: %s\n", b.Path, b.Reason)
	}
	return nil
}

func describe(cmd *cobra.Command, l PluginListing, class string) error {
	var names []string
	for _, p := range l.Plugins {
		names = append(names, p.Class)
		if p.Class != class && !slices.Contains(p.Aliases, class) {
			continue
		}
		out := cmd.OutOrStdout()
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
