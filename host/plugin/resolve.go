package plugin

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Resolved is a connector type with the plugin that offers it.
type Resolved struct {
	Plugin    *Plugin
	Connector ConnectorType
}

// ResolvedTransform is a transform type with the plugin that offers it.
type ResolvedTransform struct {
	Plugin    *Plugin
	Transform TransformType
}

// NotFoundError says that no usable plugin offers a class.
type NotFoundError struct {
	What      string // "connector" or "transform"
	Class     string
	Available []string // "name (source, 1.2.0)"
	Broken    []Broken
}

func (e *NotFoundError) Error() string {
	var text strings.Builder
	fmt.Fprintf(&text, "no plugin offers the %s class %s; ", e.What, e.Class)
	switch {
	case len(e.Available) == 0 && e.What == transformWord:
		text.WriteString("it is not built in either, and no plugin offers transforms; check its name and plugin.path")
	case len(e.Available) == 0:
		text.WriteString("no plugin is available, check plugin.path")
	default:
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

// RangeError says that a version range cannot be read.
type RangeError struct{ Key, Range, Reason string }

func (e *RangeError) Error() string { return e.Key + ": " + e.Reason }

// Resolve finds the connector for connector.class (its name or one of its aliases) and connector.plugin.version: the
// highest version in the range. While entries are being looked at and nothing usable fits, it waits for them, until ctx
// ends.
func (c *Catalogue) Resolve(ctx context.Context, class, versions string) (Resolved, error) {
	return awaitResolved(ctx, c, func(l Listing) (Resolved, error) { return l.Resolve(class, versions) })
}

// ResolveTransform is Resolve for transforms.NAME.type and transforms.NAME.plugin.version.
func (c *Catalogue) ResolveTransform(ctx context.Context, class, versions string) (ResolvedTransform, error) {
	return awaitResolved(ctx, c, func(l Listing) (ResolvedTransform, error) { return l.ResolveTransform(class, versions) })
}

func awaitResolved[T any](ctx context.Context, c *Catalogue, resolve func(Listing) (T, error)) (T, error) {
	for {
		c.mu.Lock()
		listing, changed := c.listing, c.changed
		c.mu.Unlock()
		found, err := resolve(listing)
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
	var all []candidate[Resolved]
	for _, plugin := range l.Plugins {
		for _, c := range plugin.Description.Connectors {
			all = append(all, candidate[Resolved]{Resolved{plugin, c}, c.Name, c.Version, c.Aliases})
		}
	}
	best, err := choose(all, class, "connector.plugin.version", versions)
	var missing *NotFoundError
	if errors.As(err, &missing) {
		missing.What, missing.Available, missing.Broken = "connector", l.available(), l.Broken
	}
	return best, err
}

const transformWord = "transform"

// ResolveTransform is Catalogue.ResolveTransform on a listing.
func (l Listing) ResolveTransform(class, versions string) (ResolvedTransform, error) {
	var all []candidate[ResolvedTransform]
	var available []string
	for _, plugin := range l.Plugins {
		for _, t := range plugin.Description.Transforms {
			all = append(all, candidate[ResolvedTransform]{ResolvedTransform{plugin, t}, t.Name, t.Version, t.Aliases})
			available = append(available, fmt.Sprintf("%s (%s)", t.Name, t.Version))
		}
	}
	best, err := choose(all, class, "plugin.version", versions)
	var missing *NotFoundError
	if errors.As(err, &missing) {
		slices.Sort(available)
		missing.What, missing.Available, missing.Broken = transformWord, slices.Compact(available), l.Broken
	}
	return best, err
}

// candidate is something that a plugin offers.
type candidate[T any] struct {
	offer         T
	name, version string
	aliases       []string
}

// choose finds the highest version in the range of what a class means. A name wins over the aliases of others.
func choose[T any](all []candidate[T], class, versionKey, versions string) (best T, err error) {
	accepted, err := parseRange(versions)
	if err != nil {
		return best, &RangeError{Key: versionKey, Range: versions, Reason: err.Error()}
	}
	meant := slices.DeleteFunc(slices.Clone(all), func(c candidate[T]) bool { return c.name != class })
	if len(meant) == 0 {
		meant = slices.DeleteFunc(all, func(c candidate[T]) bool { return !slices.Contains(c.aliases, class) })
	}
	if len(meant) == 0 {
		return best, &NotFoundError{Class: class}
	}
	var found bool
	var bestVersion version
	var seen []string
	for _, c := range meant {
		v, err := parseVersion(c.version)
		if err != nil {
			continue // Check has seen to it
		}
		if !slices.Contains(seen, c.version) {
			seen = append(seen, c.version)
		}
		// The first on plugin.path wins among equals.
		if accepted.contains(v) && (!found || v.compare(bestVersion) > 0) {
			best, bestVersion, found = c.offer, v, true
		}
	}
	if !found {
		slices.Sort(seen)
		return best, &VersionError{Class: meant[0].name, Range: accepted.text, Available: seen}
	}
	return best, nil
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
