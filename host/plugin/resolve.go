package plugin

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// Resolved is a connector type with the plugin that offers it.
type Resolved struct {
	Plugin    *Plugin
	Connector ConnectorType
}

// NotFoundError says that no usable plugin offers a connector class.
type NotFoundError struct {
	Class     string
	Available []string // "name (source, 1.2.0)"
	Broken    []Broken
}

func (e *NotFoundError) Error() string {
	var text strings.Builder
	fmt.Fprintf(&text, "no plugin offers the connector class %s; ", e.Class)
	if len(e.Available) == 0 {
		text.WriteString("no plugin is available, check plugin.path")
	} else {
		text.WriteString("available are: " + strings.Join(e.Available, ", "))
	}
	for _, broken := range e.Broken {
		fmt.Fprintf(&text, "; %s cannot be used: %s", broken.Path, broken.Reason)
	}
	return text.String()
}

// VersionError says that plugins offer the class, but not in the version asked for.
type VersionError struct {
	Class, Range string
	Available    []string
}

func (e *VersionError) Error() string {
	return fmt.Sprintf("Plugin %s not found that matches the version range %s, available versions: [%s]",
		e.Class, e.Range, strings.Join(e.Available, ", "))
}

// Resolve finds the connector for connector.class (its name or one of its aliases) and connector.plugin.version: the
// highest version in the range. While entries are being looked at and nothing usable fits, it waits for them, until ctx
// ends.
func (c *Catalogue) Resolve(ctx context.Context, class, versions string) (Resolved, error) {
	for {
		c.mu.Lock()
		listing, changed := c.listing, c.changed
		c.mu.Unlock()
		found, err := listing.Resolve(class, versions)
		if err == nil || len(listing.Pending) == 0 {
			return found, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return found, err
		case <-c.ctx.Done():
			return found, err
		}
	}
}

// Resolve is Catalogue.Resolve on a listing.
func (l Listing) Resolve(class, versions string) (Resolved, error) {
	accepted, err := parseRange(versions)
	if err != nil {
		return Resolved{}, fmt.Errorf("connector.plugin.version: %w", err)
	}
	candidates := l.offers(class)
	if len(candidates) == 0 {
		return Resolved{}, &NotFoundError{Class: class, Available: l.available(), Broken: l.Broken}
	}
	var best *Resolved
	var bestVersion version
	var seen []string
	for i, candidate := range candidates {
		v, err := parseVersion(candidate.Connector.Version)
		if err != nil {
			continue // Check has seen to it
		}
		if !slices.Contains(seen, candidate.Connector.Version) {
			seen = append(seen, candidate.Connector.Version)
		}
		// The first on plugin.path wins among equals.
		if accepted.contains(v) && (best == nil || v.compare(bestVersion) > 0) {
			best, bestVersion = &candidates[i], v
		}
	}
	if best == nil {
		slices.Sort(seen)
		return Resolved{}, &VersionError{Class: class, Range: versions, Available: seen}
	}
	return *best, nil
}

// offers lists the connectors that a class means. A connector's own name wins over the aliases of others.
func (l Listing) offers(class string) []Resolved {
	var named, aliased []Resolved
	for _, plugin := range l.Plugins {
		for _, connector := range plugin.Description.Connectors {
			switch {
			case connector.Name == class:
				named = append(named, Resolved{Plugin: plugin, Connector: connector})
			case slices.Contains(connector.Aliases, class):
				aliased = append(aliased, Resolved{Plugin: plugin, Connector: connector})
			}
		}
	}
	if len(named) > 0 {
		return named
	}
	return aliased
}

func (l Listing) available() []string {
	var names []string
	for _, plugin := range l.Plugins {
		for _, connector := range plugin.Description.Connectors {
			names = append(names, fmt.Sprintf("%s (%s, %s)", connector.Name, connector.Kind, connector.Version))
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
