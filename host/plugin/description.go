package plugin

import (
	"log/slog"
	"slices"

	pluginv1 "github.com/tailrace/tailrace/gen/tailrace/plugin/v1"
)

// Kind tells sources from sinks. Its text is Kafka Connect's.
type Kind string

// The kinds of connectors.
const (
	Source Kind = "source"
	Sink   Kind = "sink"
)

// Capability is an optional power of a host, a plugin, a connector or a task.
type Capability string

// The capabilities of protocol v1; proto/tailrace/plugin/v1/types.proto explains them. Unknown ones are dropped.
const (
	ExactlyOnce           Capability = "exactly-once"
	TransactionBoundaries Capability = "transaction-boundaries"
	AlterOffsets          Capability = "alter-offsets"
	DeleteHook            Capability = "delete-hook"
	ErrantRecords         Capability = "errant-records"
	Logs                  Capability = "logs"
	PluginMetrics         Capability = "metrics"
	EagerCommit           Capability = "eager-commit"
)

var capabilities = map[pluginv1.Capability]Capability{
	pluginv1.Capability_CAPABILITY_EXACTLY_ONCE:           ExactlyOnce,
	pluginv1.Capability_CAPABILITY_TRANSACTION_BOUNDARIES: TransactionBoundaries,
	pluginv1.Capability_CAPABILITY_ALTER_OFFSETS:          AlterOffsets,
	pluginv1.Capability_CAPABILITY_DELETE_HOOK:            DeleteHook,
	pluginv1.Capability_CAPABILITY_ERRANT_RECORDS:         ErrantRecords,
	pluginv1.Capability_CAPABILITY_LOGS:                   Logs,
	pluginv1.Capability_CAPABILITY_METRICS:                PluginMetrics,
	pluginv1.Capability_CAPABILITY_EAGER_COMMIT:           EagerCommit,
}

// hostCapabilities is what this host offers to every plugin.
var hostCapabilities = []pluginv1.Capability{
	pluginv1.Capability_CAPABILITY_ERRANT_RECORDS,
	pluginv1.Capability_CAPABILITY_LOGS,
	pluginv1.Capability_CAPABILITY_METRICS,
}

// capabilitiesFor is what this host offers to a task.
func capabilitiesFor(traced bool) []pluginv1.Capability {
	list := slices.Clone(hostCapabilities)
	if traced {
		list = append(list, pluginv1.Capability_CAPABILITY_TRACES)
	}
	return list
}

// Capabilities is a set of optional powers.
type Capabilities []Capability

// Has reports whether the set holds c.
func (s Capabilities) Has(c Capability) bool { return slices.Contains(s, c) }

func readCapabilities(list []pluginv1.Capability) Capabilities {
	var set Capabilities
	for _, c := range list {
		if known, ok := capabilities[c]; ok && !set.Has(known) {
			set = append(set, known)
		}
	}
	return set
}

// Description is what a plugin says of itself. It is kept in the catalogue's cache as JSON.
type Description struct {
	Name         string          `json:"name"`
	Version      string          `json:"version"`
	SDK          string          `json:"sdk,omitempty"`
	Capabilities Capabilities    `json:"capabilities,omitempty"`
	Connectors   []ConnectorType `json:"connectors"`
	Transforms   []TransformType `json:"transforms,omitempty"`
}

// Connector returns the connector type with this name.
func (d Description) Connector(name string) (ConnectorType, bool) {
	for _, c := range d.Connectors {
		if c.Name == name {
			return c, true
		}
	}
	return ConnectorType{}, false
}

// ConnectorType is one connector that a plugin offers.
type ConnectorType struct {
	Name string `json:"name"` // a value of connector.class
	Kind Kind   `json:"kind"`
	// Version is the connector's own, or the plugin's.
	Version       string       `json:"version"`
	Aliases       []string     `json:"aliases,omitempty"` // other values of connector.class
	Documentation string       `json:"documentation,omitempty"`
	ConfigKeys    []ConfigKey  `json:"configKeys,omitempty"`
	Capabilities  Capabilities `json:"capabilities,omitempty"`
}

// TransformType is one transform that a plugin offers.
type TransformType struct {
	Name string `json:"name"` // a value of transforms.NAME.type
	// Version is the transform's own, or the plugin's.
	Version       string      `json:"version"`
	Aliases       []string    `json:"aliases,omitempty"`
	Documentation string      `json:"documentation,omitempty"`
	ConfigKeys    []ConfigKey `json:"configKeys,omitempty"`
}

// ConfigKey defines one configuration key of a connector or a transform. Texts of Type, Importance and Width are Kafka Connect's
// ("STRING", "HIGH", "MEDIUM").
type ConfigKey struct {
	Name          string   `json:"name"`
	Type          string   `json:"type"`
	Required      bool     `json:"required,omitempty"`
	Default       *string  `json:"default,omitempty"` // nil is null
	Importance    string   `json:"importance"`
	Documentation string   `json:"documentation,omitempty"`
	Group         string   `json:"group,omitempty"`
	OrderInGroup  int      `json:"orderInGroup,omitempty"`
	Width         string   `json:"width"`
	DisplayName   string   `json:"displayName,omitempty"`
	Dependents    []string `json:"dependents,omitempty"`
	ValidValues   []string `json:"validValues,omitempty"`
	Min           *float64 `json:"min,omitempty"` // inclusive
	Max           *float64 `json:"max,omitempty"` // inclusive
	Internal      bool     `json:"internal,omitempty"`
}

// ConfigValue is what a plugin's validation says of one key.
type ConfigValue struct {
	Name              string
	Value             *string // as understood, nil is null
	RecommendedValues []string
	Errors            []string
	Visible           bool
}

var configTypes = map[pluginv1.ConfigType]string{
	pluginv1.ConfigType_CONFIG_TYPE_BOOLEAN:  "BOOLEAN",
	pluginv1.ConfigType_CONFIG_TYPE_STRING:   "STRING",
	pluginv1.ConfigType_CONFIG_TYPE_INT:      "INT",
	pluginv1.ConfigType_CONFIG_TYPE_SHORT:    "SHORT",
	pluginv1.ConfigType_CONFIG_TYPE_LONG:     "LONG",
	pluginv1.ConfigType_CONFIG_TYPE_DOUBLE:   "DOUBLE",
	pluginv1.ConfigType_CONFIG_TYPE_LIST:     "LIST",
	pluginv1.ConfigType_CONFIG_TYPE_CLASS:    "CLASS",
	pluginv1.ConfigType_CONFIG_TYPE_PASSWORD: "PASSWORD",
}

var importances = map[pluginv1.Importance]string{
	pluginv1.Importance_IMPORTANCE_HIGH:   "HIGH",
	pluginv1.Importance_IMPORTANCE_MEDIUM: "MEDIUM",
	pluginv1.Importance_IMPORTANCE_LOW:    "LOW",
}

var widths = map[pluginv1.Width]string{
	pluginv1.Width_WIDTH_SHORT:  "SHORT",
	pluginv1.Width_WIDTH_MEDIUM: "MEDIUM",
	pluginv1.Width_WIDTH_LONG:   "LONG",
}

// orElse looks a name up; a value that this host does not know yet gets the mild default.
func orElse[K comparable](names map[K]string, key K, otherwise string) string {
	if name, ok := names[key]; ok {
		return name
	}
	return otherwise
}

func readDescription(m *pluginv1.DescribeResponse) Description {
	d := Description{
		Name: m.GetName(), Version: m.GetVersion(), SDK: m.GetSdk(),
		Capabilities: readCapabilities(m.GetCapabilities()),
	}
	for _, c := range m.GetConnectors() {
		d.Connectors = append(d.Connectors, readConnectorType(c, d.Version))
	}
	for _, t := range m.GetTransforms() {
		version := t.GetVersion()
		if version == "" {
			version = d.Version
		}
		d.Transforms = append(d.Transforms, TransformType{
			Name: t.GetName(), Version: version, Aliases: t.GetAliases(), Documentation: t.GetDocumentation(), ConfigKeys: readConfigKeys(t.GetConfigKeys()),
		})
	}
	return d
}

func readConnectorType(m *pluginv1.ConnectorDescription, pluginVersion string) ConnectorType {
	c := ConnectorType{
		Name: m.GetName(), Version: m.GetVersion(), Aliases: m.GetAliases(),
		Documentation: m.GetDocumentation(), Capabilities: readCapabilities(m.GetCapabilities()),
	}
	switch m.GetKind() {
	case pluginv1.ConnectorKind_CONNECTOR_KIND_SOURCE:
		c.Kind = Source
	case pluginv1.ConnectorKind_CONNECTOR_KIND_SINK:
		c.Kind = Sink
	}
	if c.Version == "" {
		c.Version = pluginVersion
	}
	c.ConfigKeys = readConfigKeys(m.GetConfigKeys())
	return c
}

func readConfigKeys(list []*pluginv1.ConfigKey) (keys []ConfigKey) {
	for _, k := range list {
		keys = append(keys, ConfigKey{
			Name: k.GetName(), Type: orElse(configTypes, k.GetType(), "STRING"), Required: k.GetRequired(),
			Default: k.DefaultValue, Importance: orElse(importances, k.GetImportance(), "MEDIUM"),
			Documentation: k.GetDocumentation(), Group: k.GetGroup(), OrderInGroup: int(k.GetOrderInGroup()),
			Width: orElse(widths, k.GetWidth(), "NONE"), DisplayName: k.GetDisplayName(),
			Dependents: k.GetDependents(), ValidValues: k.GetValidValues(), Min: k.Min, Max: k.Max, Internal: k.GetInternal(),
		})
	}
	return keys
}

func readConfigValues(list []*pluginv1.ConfigValue) []ConfigValue {
	values := make([]ConfigValue, 0, len(list))
	for _, v := range list {
		values = append(values, ConfigValue{
			Name: v.GetName(), Value: v.Value, RecommendedValues: v.GetRecommendedValues(),
			Errors: v.GetErrors(), Visible: v.GetVisible(),
		})
	}
	return values
}

func logLevel(level slog.Level) pluginv1.LogLevel {
	switch {
	case level < slog.LevelDebug:
		return pluginv1.LogLevel_LOG_LEVEL_TRACE
	case level < slog.LevelInfo:
		return pluginv1.LogLevel_LOG_LEVEL_DEBUG
	case level < slog.LevelWarn:
		return pluginv1.LogLevel_LOG_LEVEL_INFO
	case level < slog.LevelError:
		return pluginv1.LogLevel_LOG_LEVEL_WARN
	default:
		return pluginv1.LogLevel_LOG_LEVEL_ERROR
	}
}
