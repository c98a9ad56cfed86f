package config

import (
	"fmt"
	"slices"
	"strings"
)

// ConfigInfos is the answer of PUT /connector-plugins/{p}/config/validate. Its JSON
// form is Kafka Connect's (reference section 1.11).
type ConfigInfos struct { //nolint:revive // the name that Kafka Connect has for it
	Name       string       `json:"name"`
	ErrorCount int          `json:"error_count"`
	Groups     []string     `json:"groups"`
	Configs    []ConfigInfo `json:"configs"`
}

// ConfigInfo is one key with its value. Definition is nil for a key that no
// definition knows.
type ConfigInfo struct { //nolint:revive // the name that Kafka Connect has for it
	Definition *KeyInfo    `json:"definition"`
	Value      ConfigValue `json:"value"`
}

// KeyInfo describes a key, as GET /connector-plugins/{p}/config lists it too.
type KeyInfo struct {
	Name          string     `json:"name"`
	Type          Type       `json:"type"`
	Required      bool       `json:"required"`
	DefaultValue  *string    `json:"default_value"`
	Importance    Importance `json:"importance"`
	Documentation string     `json:"documentation"`
	Group         *string    `json:"group"`
	Width         Width      `json:"width"`
	DisplayName   string     `json:"display_name"`
	Dependents    []string   `json:"dependents"`
	Order         int        `json:"order"`
}

// ConfigValue is what validation found about one key.
type ConfigValue struct { //nolint:revive // the name that Kafka Connect has for it
	Name string `json:"name"`
	// Value is the text of the parsed value, nil when there is none or it is wrong.
	Value             *string  `json:"value"`
	RecommendedValues []string `json:"recommended_values"`
	Errors            []string `json:"errors"`
	Visible           bool     `json:"visible"`
}

// NewKeyInfo describes a key as the REST API does.
func NewKeyInfo(k *Key) KeyInfo {
	info := KeyInfo{
		Name: k.Name, Type: k.Type, Required: k.Default.IsRequired(), Importance: k.Importance,
		Documentation: k.Documentation, Width: k.Width, DisplayName: k.Label(),
		Dependents: append([]string{}, k.Dependents...), Order: k.Order,
	}
	if text, ok := k.Default.Text(); ok {
		if k.Type == Password {
			text = Hidden // I-9: a default may be a secret too
		} else if shown, ok := FormatValue(k.defaultValue()); ok {
			text = shown
		}
		info.DefaultValue = &text
	}
	if k.Group != "" {
		group := k.Group
		info.Group = &group
	}
	return info
}

// KeyInfos describes all keys of a definition, in its order.
func KeyInfos(d *Def) []KeyInfo {
	infos := make([]KeyInfo, 0, len(d.Keys()))
	for _, k := range d.Keys() {
		infos = append(infos, NewKeyInfo(k))
	}
	return infos
}

// Report is a part of a validation: the findings of the framework, of a plugin, of
// a converter.
type Report struct {
	Infos  []ConfigInfo
	Groups []string
	// Apart findings replace none of other parts, and stand among those with a definition also when they have none: those
	// about settings of clients. What the framework says about the same key (that it is null, that the group of a sink is
	// taken) stays where it is.
	Apart bool
}

// NewReport pairs findings with the definition that they belong to. Every key of
// the definition is listed, in its order, also when values say nothing about it;
// values without a key come first, without definition.
func NewReport(d *Def, values []ConfigValue) Report {
	byName := make(map[string]ConfigValue, len(values))
	r := Report{Groups: d.Groups()}
	for _, v := range values {
		byName[v.Name] = v
		if d.Key(v.Name) == nil {
			r.Infos = append(r.Infos, ConfigInfo{Value: normal(v)})
		}
	}
	for _, k := range d.Keys() {
		v, ok := byName[k.Name]
		if !ok {
			v = ConfigValue{Name: k.Name, Visible: true}
		}
		info := NewKeyInfo(k)
		r.Infos = append(r.Infos, ConfigInfo{&info, normal(v)})
	}
	return r
}

// normal makes the lists of a value non-nil, so that JSON shows [] and not null.
func normal(v ConfigValue) ConfigValue {
	v.RecommendedValues = append([]string{}, v.RecommendedValues...)
	v.Errors = append([]string{}, v.Errors...)
	return v
}

// Merge puts parts together, in order. A key that occurs again replaces the earlier
// finding in its place, as a connector may redefine a key of the framework. Keys
// without definition come first.
func Merge(name string, parts ...Report) ConfigInfos {
	out := ConfigInfos{Name: name, Groups: []string{}, Configs: []ConfigInfo{}}
	type finding struct {
		ConfigInfo
		apart bool
	}
	var infos []finding
	index := map[string]int{}
	for _, part := range parts {
		for _, g := range part.Groups {
			if !slices.Contains(out.Groups, g) {
				out.Groups = append(out.Groups, g)
			}
		}
		for _, info := range part.Infos {
			if part.Apart {
				infos = append(infos, finding{info, true})
				continue
			}
			if i, again := index[info.Value.Name]; again {
				info = replace(infos[i].ConfigInfo, info)
				if (infos[i].Definition == nil) == (info.Definition == nil) {
					infos[i].ConfigInfo = info
					continue
				}
				// What was unknown is known now: it moves to its definition's place.
				infos = slices.Delete(infos, i, i+1)
				for name, at := range index {
					if at > i {
						index[name] = at - 1
					}
				}
			}
			index[info.Value.Name] = len(infos)
			infos = append(infos, finding{info, false})
		}
	}
	for _, known := range []bool{false, true} {
		for _, info := range infos {
			if (info.Definition != nil || info.apart) == known {
				out.Configs = append(out.Configs, info.ConfigInfo)
				out.ErrorCount += len(info.Value.Errors)
			}
		}
	}
	return out
}

// replace returns the later finding. Errors about a key that was not known yet stay,
// and so does the one about null: null is refused for every key, also where the
// plugin would let it pass. Kafka Connect loses that error, and the connector then
// fails when it starts.
func replace(earlier, later ConfigInfo) ConfigInfo {
	later.Value = normal(later.Value)
	for _, text := range earlier.Value.Errors {
		if (earlier.Definition == nil || text == nullValue) && !slices.Contains(later.Value.Errors, text) {
			later.Value.Errors = append(later.Value.Errors, text)
		}
	}
	return later
}

// Errors returns all error texts, in order, as the text of a refused create lists them.
func (c ConfigInfos) Errors() []string {
	var out []string
	for _, info := range c.Configs {
		out = append(out, info.Value.Errors...)
	}
	return out
}

// Err returns nil for a valid configuration, and otherwise the error with which
// Kafka Connect refuses to create or change a connector.
func (c ConfigInfos) Err() error {
	if c.ErrorCount == 0 {
		return nil
	}
	return kafkaError(fmt.Sprintf("Connector configuration is invalid and contains the following %d error(s):\n%s\n"+
		"You can also find the above list of errors at the endpoint `/connector-plugins/{connectorType}/config/validate`",
		c.ErrorCount, strings.Join(c.Errors(), "\n")))
}
