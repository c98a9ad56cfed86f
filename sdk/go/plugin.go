package connect

import (
	"errors"
	"fmt"
	"regexp"
)

// Plugin is a program that offers connectors, transforms, or both.
type Plugin struct {
	// Name of the plugin: lower case letters, digits, dots and dashes.
	Name string
	// Version of the plugin as semantic version, "1.4.2".
	Version string
	Sources []Source
	Sinks   []Sink
	// Transforms change records on their way, of these and of other connectors.
	Transforms []Transform
	// GCPercent is the collector's percentage of this process, as GOGC, which overrides it. 0 means 50: a task that reuses what it makes
	// records of has little garbage. Raise it for a client library that makes some with every record.
	GCPercent int
}

// Source describes one type of source connector.
type Source struct {
	// Name is the value of connector.class that means this connector, unique in the plugin.
	Name string
	// Version of the connector; the plugin's when empty.
	Version string
	// Aliases are other values of connector.class, for example the Java class
	// that the connector stands in for.
	Aliases []string
	// Doc is one paragraph for people.
	Doc string
	// Config defines the keys that the connector understands. Nil means none.
	Config *ConfigDef
	// Connector makes a connector object. Nil means a connector without code
	// of its own: one task, which gets the connector's configuration.
	Connector func() SourceConnector
	// Task makes a task object, one for each task that runs in the process.
	// The process may never have seen the connector object (process.isolation=task),
	// so everything a task needs is in its configuration.
	Task func() SourceTask
}

// Sink describes one type of sink connector. The fields mean what they mean in [Source].
type Sink struct {
	Name      string
	Version   string
	Aliases   []string
	Doc       string
	Config    *ConfigDef
	Connector func() SinkConnector
	Task      func() SinkTask
}

var pluginName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{0,99}$`)

// check finds the mistakes that make a plugin unusable; Serve ends on them.
func (p *Plugin) check() error {
	var errs []error
	if !pluginName.MatchString(p.Name) {
		errs = append(errs, fmt.Errorf("plugin name %q: want lower case letters, digits, dots and dashes, at most 100 characters", p.Name))
	}
	if p.Version == "" {
		errs = append(errs, errors.New("plugin version is empty: set a semantic version such as \"0.1.0\""))
	}
	if len(p.Sources)+len(p.Sinks)+len(p.Transforms) == 0 {
		errs = append(errs, errors.New("the plugin offers nothing: set Sources, Sinks or Transforms"))
	}
	seen := make(map[string]bool)
	one := func(kind, name string, hasTask bool, def *ConfigDef) {
		if name == "" || seen[name] {
			errs = append(errs, fmt.Errorf("%s connector name %q is empty or used twice", kind, name))
		}
		seen[name] = true
		if !hasTask {
			errs = append(errs, fmt.Errorf("%s connector %q has no Task function", kind, name))
		}
		if err := def.Err(); err != nil {
			errs = append(errs, fmt.Errorf("%s connector %q: %w", kind, name, err))
		}
	}
	for i := range p.Sources {
		one("source", p.Sources[i].Name, p.Sources[i].Task != nil, p.Sources[i].Config)
	}
	for i := range p.Sinks {
		one("sink", p.Sinks[i].Name, p.Sinks[i].Task != nil, p.Sinks[i].Config)
	}
	clear(seen) // a connector and a transform may share a name
	for i := range p.Transforms {
		t := &p.Transforms[i]
		if t.Name == "" || seen[t.Name] {
			errs = append(errs, fmt.Errorf("transform name %q is empty or used twice", t.Name))
		}
		seen[t.Name] = true
		if t.New == nil {
			errs = append(errs, fmt.Errorf("transform %q has no New function", t.Name))
		}
		if err := t.Config.Err(); err != nil {
			errs = append(errs, fmt.Errorf("transform %q: %w", t.Name, err))
		}
	}
	return errors.Join(errs...)
}

func (p *Plugin) transform(name string) (*Transform, error) {
	for i := range p.Transforms {
		if p.Transforms[i].Name == name {
			return &p.Transforms[i], nil
		}
	}
	return nil, fmt.Errorf("plugin %s %s has no transform named %q", p.Name, p.Version, name)
}

func (p *Plugin) source(name string) (*Source, error) {
	for i := range p.Sources {
		if p.Sources[i].Name == name {
			return &p.Sources[i], nil
		}
	}
	return nil, fmt.Errorf("plugin %s %s has no source connector named %q", p.Name, p.Version, name)
}

func (p *Plugin) sink(name string) (*Sink, error) {
	for i := range p.Sinks {
		if p.Sinks[i].Name == name {
			return &p.Sinks[i], nil
		}
	}
	return nil, fmt.Errorf("plugin %s %s has no sink connector named %q", p.Name, p.Version, name)
}
