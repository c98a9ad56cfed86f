package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/tailrace/tailrace/host/cli/client"
)

// listRemote lists the plugins of a running worker.
func listRemote(ctx context.Context, c *client.Client, p *printer, all bool) error {
	plugins, err := c.Plugins(ctx, !all)
	if err != nil {
		return err
	}
	if done, err := p.value(plugins); done {
		return err
	}
	rows := make([][]string, 0, len(plugins))
	for _, x := range plugins {
		rows = append(rows, []string{x.Class, x.Type, x.Version})
	}
	p.table([]string{"plugin", "type", "version"}, rows)
	return nil
}

// describeRemote shows the keys of a plugin of a running worker: its own first, then those of every connector.
func describeRemote(ctx context.Context, c *client.Client, p *printer, class string) error {
	keys, err := c.Keys(ctx, class)
	if client.IsNotFound(err) {
		return fmt.Errorf("%w; tailrace plugin list --server %s shows what there is", err, c.Server())
	} else if err != nil {
		return err
	}
	if done, err := p.value(keys); done {
		return err
	}
	p.line("%s", class)
	for _, k := range keys {
		p.line("\n%s  (%s, %s)\n    %s", k.Name, strings.ToLower(k.Type), need(k), k.Documentation)
	}
	return nil
}

func need(k client.Key) string {
	switch {
	case k.Required:
		return "required"
	case k.DefaultValue == nil || *k.DefaultValue == "":
		return "optional"
	}
	return "default " + *k.DefaultValue
}

// classes lists the classes that a worker offers, sorted, each once.
func classes(plugins []client.Plugin) []string {
	out := make([]string, 0, len(plugins))
	for _, p := range plugins {
		out = append(out, p.Class)
	}
	slices.Sort(out)
	return slices.Compact(out)
}
