package config

import (
	"errors"
	"slices"
	"strings"
)

// DefaultTopicGroup is the group of topics that no other group includes.
const DefaultTopicGroup = "default"

// TopicCreation says how topics of a source connector are created (KIP-158).
type TopicCreation struct {
	groups []TopicGroup // in the order of topic.creation.groups, the default last
}

// TopicGroup are the settings for new topics of a group.
type TopicGroup struct {
	Name              string
	Partitions        int32 // -1 means the broker's default
	ReplicationFactor int16 // -1 means the broker's default
	// Configs are topic settings, those of the group default included.
	Configs map[string]string

	include, exclude []*Regex
}

// For returns the first group whose include matches the topic's whole name and
// whose exclude does not, else the group default.
func (t *TopicCreation) For(topic string) TopicGroup {
	matches := func(patterns []*Regex) bool {
		return slices.ContainsFunc(patterns, func(r *Regex) bool { return r.Matches(topic) })
	}
	last := len(t.groups) - 1
	for _, g := range t.groups[:last] {
		if matches(g.include) && !matches(g.exclude) {
			return g
		}
	}
	return t.groups[last]
}

// Groups returns all groups, the default last.
func (t *TopicCreation) Groups() []TopicGroup { return slices.Clone(t.groups) }

// parseTopicCreation returns nil when topic creation is not in use: the worker
// forbids it, or the connector has no topic.creation. setting.
func parseTopicCreation(props map[string]string, enabled bool) (*TopicCreation, error) {
	const prefix = "topic.creation."
	if !enabled || len(withPrefix(props, prefix)) == 0 {
		return nil, nil
	}
	names, err := ParseText(prefix+"groups", props[prefix+"groups"], List)
	if err != nil {
		return nil, err
	}
	def, err := parseTopicGroup(props, prefix, DefaultTopicGroup, nil)
	errs := []error{err}
	t := &TopicCreation{}
	list, _ := names.([]string)
	for _, name := range list {
		if name == DefaultTopicGroup {
			continue // implicit
		}
		g, err := parseTopicGroup(props, prefix, name, &def)
		errs = append(errs, err)
		t.groups = append(t.groups, g)
	}
	t.groups = append(t.groups, def)
	return t, errors.Join(errs...)
}

func parseTopicGroup(props map[string]string, prefix, name string, parent *TopicGroup) (TopicGroup, error) {
	prefix += name + "."
	own := withPrefix(props, prefix)
	g := TopicGroup{Name: name, Configs: map[string]string{}}
	def := topicGroupDef(name)
	full := make([]Key, 0, 4)
	for _, k := range def.Keys() {
		k := *k
		k.Name = prefix + k.Name
		full = append(full, k)
	}
	v, err := NewDef(full...).Parse(props)
	if err != nil {
		return g, err
	}
	g.Partitions = int32(v.Int(prefix + "partitions"))
	g.ReplicationFactor = int16(v.Int(prefix + "replication.factor"))
	if parent != nil {
		for k, value := range parent.Configs {
			g.Configs[k] = value
		}
		if _, set := own["partitions"]; !set {
			g.Partitions = parent.Partitions
		}
		if _, set := own["replication.factor"]; !set {
			g.ReplicationFactor = parent.ReplicationFactor
		}
		if len(v.List(prefix+"include")) == 0 {
			return g, &MissingError{prefix + "include"}
		}
	}
	for k, value := range own {
		if def.Key(k) == nil {
			g.Configs[k] = strings.TrimSpace(value)
		}
	}
	var errs []error
	g.include, err = compileAll(prefix+"include", v.List(prefix+"include"))
	errs = append(errs, err)
	g.exclude, err = compileAll(prefix+"exclude", v.List(prefix+"exclude"))
	return g, errors.Join(append(errs, err)...)
}

func compileAll(key string, patterns []string) ([]*Regex, error) {
	var out []*Regex
	for _, p := range patterns {
		r, err := CompileRegex(p)
		if err != nil {
			return nil, Invalid(key, p, "Invalid regex: "+checkJavaRegex(p).Error())
		}
		out = append(out, r)
	}
	return out, nil
}
