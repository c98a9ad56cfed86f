package app

import (
	"context"
	"os"
	"time"

	"github.com/tailrace/tailrace/host/cli"
	"github.com/tailrace/tailrace/host/config"
	"github.com/tailrace/tailrace/host/observe"
	"github.com/tailrace/tailrace/host/plugin"
)

// listTimeout bounds the wait for plugins that must describe themselves.
const listTimeout = 30 * time.Second

// plugins looks at folders of plugins, for `tailrace plugin`.
func (a *app) plugins(ctx context.Context, o cli.PluginSource) (cli.PluginListing, error) {
	folders := plugin.SplitPath(o.Folders)
	if o.WorkerFile != "" {
		props, err := config.ReadProperties(o.WorkerFile)
		if err != nil {
			return cli.PluginListing{}, err
		}
		folders = plugin.SplitPath(props["plugin.path"])
	}
	if len(folders) == 0 {
		dir, err := pluginDir("")
		if err != nil {
			return cli.PluginListing{}, err
		}
		folders = []string{dir}
	}
	logger, _ := newLogger(o.Logging, os.Stderr)
	host, catalogue, err := openPlugins(folders, a.version, logger, observe.NewEvents()) //nolint:contextcheck // closed below
	if err != nil {
		return cli.PluginListing{}, err
	}
	defer func() { _ = host.Close() }()
	defer catalogue.Close()
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	if err := catalogue.Settled(ctx); err != nil {
		return cli.PluginListing{}, err
	}
	return listing(catalogue.List()), nil
}

func listing(l plugin.Listing) cli.PluginListing {
	var out cli.PluginListing
	for _, p := range l.Plugins {
		for _, c := range p.Description.Connectors {
			entry := cli.PluginEntry{
				Class: c.Name, Aliases: c.Aliases, Kind: string(c.Kind), Version: c.Version, Path: p.Path,
				Plugin: p.Description.Name, SDK: p.Description.SDK, Documentation: c.Documentation, Keys: pluginKeys(c.ConfigKeys),
			}
			out.Plugins = append(out.Plugins, entry)
		}
		for _, t := range p.Description.Transforms {
			out.Plugins = append(out.Plugins, cli.PluginEntry{
				Class: t.Name, Aliases: t.Aliases, Kind: string(config.TransformPlugin), Version: t.Version, Path: p.Path,
				Plugin: p.Description.Name, SDK: p.Description.SDK, Documentation: t.Documentation, Keys: pluginKeys(t.ConfigKeys),
			})
		}
	}
	for _, b := range l.Broken {
		out.Broken = append(out.Broken, cli.BrokenPlugin{Path: b.Path, Reason: b.Reason})
	}
	return out
}

func pluginKeys(keys []plugin.ConfigKey) (out []cli.PluginKey) {
	for _, k := range keys {
		if k.Internal {
			continue
		}
		key := cli.PluginKey{Name: k.Name, Type: k.Type, Importance: k.Importance, Required: k.Required, Documentation: k.Documentation}
		if k.Default != nil {
			key.Default = *k.Default
		}
		out = append(out, key)
	}
	return out
}
