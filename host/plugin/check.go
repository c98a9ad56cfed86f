package plugin

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"unicode/utf8"
)

// Bounds of a description beyond its bytes.
const (
	maxConnectors    = 200
	maxAliases       = 50
	maxConfigKeys    = 2_000
	maxNameBytes     = 100
	maxConnectorName = 250
)

var (
	pluginName = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$`)
	// A connector's name and its aliases are values of connector.class: Java class names, or names of the same characters.
	connectorName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.$-]*$`)
)

// Check finds what is wrong with a description. Every mistake ends the use of the plugin, because a half described
// plugin could take over another's names.
func (d Description) Check() error {
	switch {
	case d.Name == "":
		return errors.New("it describes itself without a name")
	case len(d.Name) > maxNameBytes || !pluginName.MatchString(d.Name):
		return fmt.Errorf("its name %q is not valid: lower case letters, digits, dots and dashes, at most %d", cut(d.Name, maxNameBytes), maxNameBytes)
	case len(d.Connectors)+len(d.Transforms) == 0:
		return errors.New("it offers no connector and no transform")
	case len(d.Connectors) > maxConnectors || len(d.Transforms) > maxConnectors:
		return fmt.Errorf("it offers %d connectors and %d transforms, and the limit is %d of each", len(d.Connectors), len(d.Transforms), maxConnectors)
	}
	if _, err := parseVersion(d.Version); err != nil {
		return fmt.Errorf("its version %w", err)
	}
	var connectors, transforms names
	for _, c := range d.Connectors {
		if c.Kind != Source && c.Kind != Sink {
			return fmt.Errorf("its connector %s is neither a source nor a sink", cut(c.Name, maxConnectorName))
		}
		if err := connectors.add("connector", c.Name, c.Version, c.Aliases, c.ConfigKeys); err != nil {
			return err
		}
	}
	for _, t := range d.Transforms {
		if err := transforms.add("transform", t.Name, t.Version, t.Aliases, t.ConfigKeys); err != nil {
			return err
		}
	}
	return nil
}

// names are those of the connectors or of the transforms of one plugin, with the name that each stands for.
type names map[string]string

func (n *names) add(what, name, version string, aliases []string, config []ConfigKey) error {
	if len(name) > maxConnectorName || !connectorName.MatchString(name) {
		return fmt.Errorf("it offers a %s whose name %q is not valid: letters, digits, dots, dashes and underscores", what, cut(name, maxConnectorName))
	}
	if _, err := parseVersion(version); err != nil {
		return fmt.Errorf("the version of its %s %s %w", what, name, err)
	}
	if len(aliases) > maxAliases {
		return fmt.Errorf("its %s %s has %d aliases, and the limit is %d", what, name, len(aliases), maxAliases)
	}
	for _, alias := range aliases {
		if len(alias) > maxConnectorName || !connectorName.MatchString(alias) {
			return fmt.Errorf("the alias %q of its %s %s is not valid", cut(alias, maxConnectorName), what, name)
		}
	}
	if len(config) > maxConfigKeys {
		return fmt.Errorf("its %s %s has %d configuration keys, and the limit is %d", what, name, len(config), maxConfigKeys)
	}
	keys := make(map[string]bool, len(config))
	for _, key := range config {
		if key.Name == "" || !utf8.ValidString(key.Name) || strings.ContainsAny(key.Name, "\n\r\t =") {
			return fmt.Errorf("its %s %s has a configuration key with the name %q", what, name, cut(key.Name, maxNameBytes))
		}
		if keys[key.Name] {
			return fmt.Errorf("its %s %s has the configuration key %s twice", what, name, key.Name)
		}
		keys[key.Name] = true
	}
	if *n == nil {
		*n = names{}
	}
	for _, each := range append([]string{name}, aliases...) {
		if other, taken := (*n)[each]; taken {
			return fmt.Errorf("the name %s stands for two of its %ss, %s and %s", each, what, other, name)
		}
		(*n)[each] = name
	}
	return nil
}

func (d Description) equal(other Description) bool { return reflect.DeepEqual(d, other) }
