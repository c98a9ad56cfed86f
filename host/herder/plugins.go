package herder

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/tailrace/tailrace/host/config"
	"github.com/tailrace/tailrace/host/convert"
	"github.com/tailrace/tailrace/host/plugin"
	"github.com/tailrace/tailrace/host/transform"
)

// Plugins implements Herder.
func (s *core) Plugins(connectorsOnly bool) []Plugin {
	return listPlugins(s.installed(), connectorsOnly)
}

// kindOrder is the order of the blocks of GET /connector-plugins.
var kindOrder = []config.PluginKind{
	config.SinkPlugin, config.SourcePlugin, config.TransformPlugin, config.PredicatePlugin,
	config.ConverterPlugin, config.HeaderConverterPlugin,
}

func listPlugins(installed config.Plugins, connectorsOnly bool) []Plugin {
	out := []Plugin{}
	for _, kind := range kindOrder {
		if connectorsOnly && kind != config.SinkPlugin && kind != config.SourcePlugin {
			break
		}
		var block []Plugin
		for _, p := range installed {
			if p.Kind == kind {
				block = append(block, Plugin{Class: p.Class, Type: string(kind), Version: p.Version})
			}
		}
		slices.SortFunc(block, func(a, b Plugin) int {
			return cmp.Or(strings.Compare(a.Class, b.Class), config.CompareVersions(a.Version, b.Version))
		})
		out = append(out, slices.Compact(block)...)
	}
	return out
}

// installed is what validation knows of: the connectors of the catalogue, and the converters, transforms and predicates of the host.
func (s *core) installed() config.Plugins {
	var out config.Plugins
	for _, p := range s.plugins.List().Plugins {
		for _, c := range p.Description.Connectors {
			kind := config.SourcePlugin
			if c.Kind == plugin.Sink {
				kind = config.SinkPlugin
			}
			out = append(out, config.PluginInfo{Kind: kind, Class: c.Name, Aliases: c.Aliases, Version: c.Version})
		}
		for _, t := range p.Description.Transforms {
			out = append(out, config.PluginInfo{Kind: config.TransformPlugin, Class: t.Name, Aliases: t.Aliases, Version: t.Version, Def: checkedDefinition(t.ConfigKeys)})
		}
	}
	out = append(out, converters()...)
	return append(out, transform.Plugins(CompatibleVersion)...)
}

// converters lists the host's converters; all but SimpleHeaderConverter have both roles.
func converters() config.Plugins {
	names := convert.Names()
	slices.Sort(names)
	var out config.Plugins
	for _, class := range names {
		simple := class[strings.LastIndexByte(class, '.')+1:]
		aliases := []string{simple, strings.TrimSuffix(simple, "Converter")}
		if simple == "SimpleHeaderConverter" {
			aliases = []string{simple, "Simple"}
		} else {
			out = append(out, config.PluginInfo{Kind: config.ConverterPlugin, Class: class, Aliases: aliases, Version: CompatibleVersion, Def: convert.Definition(class), Extensions: convert.Extensions(class)})
		}
		out = append(out, config.PluginInfo{Kind: config.HeaderConverterPlugin, Class: class, Aliases: aliases, Version: CompatibleVersion, Def: convert.Definition(class), Extensions: convert.Extensions(class)})
	}
	return out
}

// PluginConfig implements Herder.
func (s *core) PluginConfig(class, versions string) ([]KeyInfo, error) {
	resolved, err := s.plugins.List().Resolve(class, versions)
	var missing *plugin.NotFoundError
	var version *plugin.VersionError
	var unreadable *plugin.RangeError
	switch {
	case errors.As(err, &missing):
		return s.partConfig(class, versions)
	case errors.As(err, &version):
		return nil, failed(BadRequest, "%s", version.Error())
	case errors.As(err, &unreadable):
		return nil, failed(BadRequest, "Invalid version specification: %s", unreadable.Range)
	case err != nil:
		return nil, failed(BadRequest, "%s", err.Error())
	}
	own := definition(resolved.Connector.ConfigKeys)
	framework := config.SourceConnectorDef()
	if resolved.Connector.Kind == plugin.Sink {
		framework = config.SinkConnectorDef()
	}
	out := config.KeyInfos(own)
	for _, info := range config.KeyInfos(framework) {
		if own.Key(info.Name) == nil {
			if info.Name == "connector.plugin.version" {
				info.DefaultValue = &resolved.Connector.Version // what runs when nothing is asked for
			}
			out = append(out, info)
		}
	}
	return out, nil
}

// partConfig shows the keys of a converter, transform or predicate.
func (s *core) partConfig(class, versions string) ([]KeyInfo, error) {
	accepted, err := config.ParseVersionRange(versions)
	if err != nil {
		return nil, failed(BadRequest, "Invalid version specification: %s", versions)
	}
	builtIn := append(converters(), transform.Plugins(CompatibleVersion)...)
	i := slices.IndexFunc(builtIn, func(p config.PluginInfo) bool {
		// Kafka Connect has no aliases for nested classes here, as Cast$Key.
		return p.Class == class || slices.Contains(p.Aliases, class) && !strings.Contains(class, "$")
	})
	switch {
	case i >= 0 && !accepted.Contains(CompatibleVersion):
		var available []string // once for each role
		for _, p := range builtIn {
			if p.Class == builtIn[i].Class {
				available = append(available, p.Version)
			}
		}
		return nil, failed(BadRequest, "%s", (&plugin.VersionError{Class: builtIn[i].Class, Range: accepted.String(), Available: available}).Error())
	case i >= 0 && builtIn[i].Def == nil:
		return []KeyInfo{}, nil
	case i >= 0:
		return config.KeyInfos(builtIn[i].Def), nil
	case slices.ContainsFunc(otherPlugins, func(other string) bool { return isPlugin(other, class) }):
		return nil, failed(BadRequest, "Invalid plugin class %s. Valid types are sink, source, converter, header_converter, transformation, predicate.", class)
	}
	if resolved, err := s.plugins.List().ResolveTransform(class, versions); err == nil {
		return config.KeyInfos(definition(resolved.Transform.ConfigKeys)), nil
	}
	return nil, failed(NotFound, "Unknown plugin %s.", class)
}

// otherPlugins are the built-in plugins of kinds whose keys are not shown.
var otherPlugins = []string{
	"org.apache.kafka.common.config.provider.DirectoryConfigProvider",
	"org.apache.kafka.common.config.provider.EnvVarConfigProvider",
	"org.apache.kafka.common.config.provider.FileConfigProvider",
	"org.apache.kafka.connect.connector.policy.AllConnectorClientConfigOverridePolicy",
	"org.apache.kafka.connect.connector.policy.NoneConnectorClientConfigOverridePolicy",
	"org.apache.kafka.connect.connector.policy.PrincipalConnectorClientConfigOverridePolicy",
}

// isPlugin tells whether name means the class: in full, or without its package, or without the end that says its kind too.
func isPlugin(class, name string) bool {
	simple := class[strings.LastIndexByte(class, '.')+1:]
	if name == class || name == simple {
		return true
	}
	for _, kind := range []string{"ConfigProvider", "ConnectorClientConfigOverridePolicy"} {
		if short, ok := strings.CutSuffix(simple, kind); ok && name == short {
			return true
		}
	}
	return false
}

// definition translates what a plugin says of its keys.
func definition(keys []plugin.ConfigKey) *config.Def {
	out := make([]config.Key, 0, len(keys))
	seen := map[string]bool{}
	for _, k := range keys {
		if k.Internal || seen[k.Name] {
			continue
		}
		seen[k.Name] = true
		key := config.Key{
			Name: k.Name, Type: config.Type(k.Type), Importance: config.Importance(k.Importance), Group: k.Group, Order: k.OrderInGroup,
			Width: config.Width(k.Width), DisplayName: k.DisplayName, Documentation: k.Documentation, Dependents: k.Dependents,
		}
		switch {
		case k.Required:
			key.Default = config.Required()
		case k.Default == nil:
			key.Default = config.Null()
		default:
			key.Default = config.Text(*k.Default)
		}
		if key.Group == "" {
			key.Order = -1
		}
		out = append(out, key)
	}
	return config.NewDef(out...)
}

// checkedDefinition is the definition with the checks that the plugin declares, for options that the host validates itself.
func checkedDefinition(keys []plugin.ConfigKey) *config.Def {
	def := definition(keys)
	for _, k := range keys {
		key := def.Key(k.Name)
		if key == nil {
			continue
		}
		checked := *key
		switch {
		case len(k.ValidValues) > 0:
			checked.Validator = config.OneOf(k.ValidValues...)
		case k.Min != nil || k.Max != nil:
			checked.Validator = bounds(k)
		default:
			continue
		}
		def = def.With(checked)
	}
	return def
}

// bounds checks the limits of a number.
func bounds(k plugin.ConfigKey) config.Validator {
	low, high := math.Inf(-1), math.Inf(1)
	if k.Min != nil {
		low = *k.Min
	}
	if k.Max != nil {
		high = *k.Max
	}
	text := fmt.Sprintf("[%v,...,%v]", low, high)
	return config.Check(text, func(name string, value any) error {
		var n float64
		switch v := value.(type) {
		case float64:
			n = v
		case int16, int32, int64:
			n = float64(config.Values{name: v}.Int(name))
		default:
			return nil
		}
		if n < low || n > high {
			return config.Invalid(name, value, "Value must be in "+text)
		}
		return nil
	})
}

func kindOf(k plugin.Kind) config.Kind {
	if k == plugin.Sink {
		return config.Sink
	}
	return config.Source
}

// resolve finds the plugin of a configuration among what is known now.
func (s *core) resolve(props map[string]string) (plugin.Resolved, error) {
	return s.plugins.List().Resolve(javaTrim(props["connector.class"]), config.VersionSetting(props, "connector.plugin.version"))
}

func (s *core) typeOf(props map[string]string) ConnectorType {
	resolved, err := s.resolve(props)
	switch {
	case err != nil:
		return UnknownType
	case resolved.Connector.Kind == plugin.Sink:
		return SinkType
	}
	return SourceType
}
