package main

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/tailrace/tailrace/plugins/jdbc-source/internal/dialect"
)

// chooser says which tables are read.
type chooser struct {
	cfg              *config
	include, exclude []*regexp.Regexp
	schema, catalog  *regexp.Regexp
}

func newChooser(cfg *config) (*chooser, error) {
	c := &chooser{cfg: cfg}
	var err error
	if c.include, err = expressions(cfg.Include); err != nil {
		return nil, err
	}
	if c.exclude, err = expressions(cfg.Exclude); err != nil {
		return nil, err
	}
	c.schema, c.catalog = like(cfg.Schema), like(cfg.Catalog)
	return c, nil
}

// like turns a pattern of SQL into a regular expression; nil matches everything.
func like(pattern *string) *regexp.Regexp {
	if pattern == nil {
		return nil
	}
	text := regexp.QuoteMeta(*pattern)
	text = strings.ReplaceAll(text, "%", ".*")
	return regexp.MustCompile("(?s)^" + strings.ReplaceAll(text, "_", ".") + "$")
}

func (c *chooser) wanted(t dialect.Table) bool {
	listed := func(names []string) bool {
		return slices.ContainsFunc(names, func(n string) bool {
			n = strings.NewReplacer(`"`, "", "`", "").Replace(n)
			return n == t.Name || n == t.String() || n == t.Schema+"."+t.Name
		})
	}
	matches := func(list []*regexp.Regexp) bool {
		return slices.ContainsFunc(list, func(re *regexp.Regexp) bool { return re.MatchString(t.String()) })
	}
	switch {
	case c.schema != nil && !c.schema.MatchString(t.Schema), c.catalog != nil && t.Catalog != "" && !c.catalog.MatchString(t.Catalog):
		return false
	case len(c.cfg.Whitelist) > 0 && !listed(c.cfg.Whitelist), listed(c.cfg.Blacklist):
		return false
	}
	return (len(c.include) == 0 || matches(c.include)) && !matches(c.exclude)
}

// choose picks the wanted tables and makes sure that no two write to one topic.
func (c *chooser) choose(all []dialect.Table) ([]dialect.Table, error) {
	var out []dialect.Table
	topics := map[string]dialect.Table{}
	for _, t := range all {
		if !c.wanted(t) {
			continue
		}
		topic := topicOf(c.cfg, t)
		if other, ok := topics[topic]; ok {
			return nil, fmt.Errorf("the tables %s and %s would both be written to topic %q; choose one by schema.pattern, catalog.pattern or a list of tables, or set table.names.qualify=true",
				other, t, topic)
		}
		topics[topic] = t
		out = append(out, t)
	}
	return out, nil
}

func topicOf(cfg *config, t dialect.Table) string {
	if cfg.Qualify {
		return cfg.Prefix + t.String()
	}
	return cfg.Prefix + t.Name
}

// The tables of a task stand in its configuration as JSON, because a name may hold any character.

func encodeTables(tables []dialect.Table) (string, error) {
	raw, err := json.Marshal(tables)
	return string(raw), err
}

func decodeTables(text string) (tables []dialect.Table, err error) {
	if text == "" {
		return nil, nil
	}
	if err := json.Unmarshal([]byte(text), &tables); err != nil {
		return nil, fmt.Errorf("key \"task.tables\", which the connector sets: %w", err)
	}
	return tables, nil
}
