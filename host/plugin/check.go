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
	case len(d.Connectors) == 0:
		return errors.New("it offers no connector")
	case len(d.Connectors) > maxConnectors:
		return fmt.Errorf("it offers %d connectors, and the limit is %d", len(d.Connectors), maxConnectors)
	}
	if _, err := parseVersion(d.Version); err != nil {
		return fmt.Errorf("its version %w", err)
	}
	names := make(map[string]string)
	for _, c := range d.Connectors {
		if err := c.check(); err != nil {
			return err
		}
		for _, name := range append([]string{c.Name}, c.Aliases...) {
			if other, taken := names[name]; taken {
				return fmt.Errorf("the name %s stands for two of its connectors, %s and %s", name, other, c.Name)
			}
			names[name] = c.Name
		}
	}
	return nil
}

func (c ConnectorType) check() error {
	if len(c.Name) > maxConnectorName || !connectorName.MatchString(c.Name) {
		return fmt.Errorf("it offers a connector whose name %q is not valid: letters, digits, dots, dashes and underscores", cut(c.Name, maxConnectorName))
	}
	if c.Kind != Source && c.Kind != Sink {
		return fmt.Errorf("its connector %s is neither a source nor a sink", c.Name)
	}
	if _, err := parseVersion(c.Version); err != nil {
		return fmt.Errorf("the version of its connector %s %w", c.Name, err)
	}
	if len(c.Aliases) > maxAliases {
		return fmt.Errorf("its connector %s has %d aliases, and the limit is %d", c.Name, len(c.Aliases), maxAliases)
	}
	for _, alias := range c.Aliases {
		if len(alias) > maxConnectorName || !connectorName.MatchString(alias) {
			return fmt.Errorf("the alias %q of its connector %s is not valid", cut(alias, maxConnectorName), c.Name)
		}
	}
	if len(c.ConfigKeys) > maxConfigKeys {
		return fmt.Errorf("its connector %s has %d configuration keys, and the limit is %d", c.Name, len(c.ConfigKeys), maxConfigKeys)
	}
	keys := make(map[string]bool, len(c.ConfigKeys))
	for _, key := range c.ConfigKeys {
		if key.Name == "" || !utf8.ValidString(key.Name) || strings.ContainsAny(key.Name, "\n\r\t =") {
			return fmt.Errorf("its connector %s has a configuration key with the name %q", c.Name, cut(key.Name, maxNameBytes))
		}
		if keys[key.Name] {
			return fmt.Errorf("its connector %s has the configuration key %s twice", c.Name, key.Name)
		}
		keys[key.Name] = true
	}
	return nil
}

func (d Description) equal(other Description) bool { return reflect.DeepEqual(d, other) }
