package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tailrace/tailrace/host/config/javamap"
)

// PluginKind is the kind of a plugin, as GET /connector-plugins names it.
type PluginKind string

// The kinds of plugins.
const (
	SourcePlugin          PluginKind = "source"
	SinkPlugin            PluginKind = "sink"
	ConverterPlugin       PluginKind = "converter"
	HeaderConverterPlugin PluginKind = "header_converter"
	TransformPlugin       PluginKind = "transformation"
	PredicatePlugin       PluginKind = "predicate"
)

// PluginInfo is what validation must know of one installed version of a plugin.
type PluginInfo struct {
	Kind    PluginKind
	Class   string
	Aliases []string
	Version string
	// Def are the plugin's own keys; nil when they are not known. Connectors are
	// asked themselves, so theirs are not needed here.
	Def *Def
	// Extensions are keys that Kafka Connect does not have; they are shown when they are set. nil for none.
	Extensions *Def
}

// Plugins is a snapshot of what is installed.
type Plugins []PluginInfo

// find returns the newest plugin of the kind that the name and the range select.
// known tells whether the name exists at all, in some version.
func (p Plugins) find(kind PluginKind, name string, versions VersionRange) (found *PluginInfo, known bool) {
	for i := range p {
		if p[i].Kind != kind || p[i].Class != name && !slices.Contains(p[i].Aliases, name) {
			continue
		}
		known = true
		if versions.Contains(p[i].Version) && (found == nil || CompareVersions(p[i].Version, found.Version) > 0) {
			found = &p[i]
		}
	}
	return found, known
}

// classes returns the class names of a kind, sorted.
func (p Plugins) classes(kind PluginKind) []string {
	out := []string{}
	for _, info := range p {
		if info.Kind == kind {
			out = append(out, info.Class)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// versions returns the installed versions of a class in any role, in the order
// installed. A class in two roles is listed twice, as Kafka Connect does.
func (p Plugins) versions(name string) []string {
	out := []string{}
	for _, info := range p {
		if info.Class == name || slices.Contains(info.Aliases, name) {
			out = append(out, info.Version)
		}
	}
	return out
}

// versionMismatch is Kafka's text for a class without a version in the range.
func (p Plugins) versionMismatch(class string, versions VersionRange) string {
	return fmt.Sprintf("Plugin %s not found that matches the version range %s, available versions: [%s]",
		class, versions, strings.Join(p.versions(class), ", "))
}

// choice is a class setting together with its version setting, looked up.
type choice struct {
	plugin *PluginInfo
	// class is the name to show; "" when it cannot be found at all.
	class string
	// mismatch is the error for both settings when no version fits.
	mismatch string
	badRange error // the version setting cannot be read
	err      error // for the class setting
}

// choose looks up the class that stands in the setting key, as it was written, with a version setting. iface is the Java
// interface that Kafka names in the error for another kind.
func (p Plugins) choose(kind PluginKind, iface, key, written, version string) choice {
	class := javaTrim(written)
	if len(p) == 0 {
		return choice{class: class}
	}
	newest, known := p.find(kind, class, VersionRange{})
	if known {
		versions, err := ParseVersionRange(version)
		if err != nil {
			return choice{class: newest.Class, badRange: err}
		}
		if found, _ := p.find(kind, class, versions); found != nil {
			return choice{plugin: found, class: found.Class}
		}
		return choice{class: newest.Class, mismatch: p.versionMismatch(newest.Class, versions)}
	}
	nested := p.nested(kind, class)
	switch own := javaInterfaces[class]; {
	case len(nested) > 0 || own != "" && own == iface:
		text := "This class is abstract and cannot be created."
		if len(nested) > 0 {
			text += " Did you mean " + strings.Join(nested, ", ") + "?"
		}
		return choice{class: class, err: kafkaError(text)}
	case own != "":
		return choice{class: class, err: kafkaError("Class interface " + class + " does not implement the " + iface + " interface")}
	}
	if other := p.anyKind(class); other != "" {
		return choice{class: other, err: kafkaError("Class class " + other + " does not implement the " + iface + " interface")}
	}
	return choice{err: Invalid(key, written, "Class "+written+" could not be found.")}
}

// anyKind is the full name of a class that is something else than what was asked for; "" when it is not known.
func (p Plugins) anyKind(class string) string {
	for _, info := range p {
		if info.Class == class || slices.Contains(info.Aliases, class) {
			return info.Class
		}
	}
	if strings.HasPrefix(class, "java.lang.") {
		return class
	}
	return ""
}

// nested returns classes such as Cast$Key and Cast$Value for Cast.
func (p Plugins) nested(kind PluginKind, class string) []string {
	return slices.DeleteFunc(p.classes(kind), func(c string) bool { return !strings.HasPrefix(c, class+"$") })
}

// javaInterfaces are the abstract types that people take for plugins, with their short names.
var javaInterfaces = map[string]string{
	"org.apache.kafka.connect.storage.Converter":               "Converter",
	"org.apache.kafka.connect.storage.HeaderConverter":         "HeaderConverter",
	"org.apache.kafka.connect.transforms.Transformation":       "Transformation",
	"org.apache.kafka.connect.transforms.predicates.Predicate": "Predicate",
}

func connectorPluginKind(kind Kind) PluginKind {
	if kind == Sink {
		return SinkPlugin
	}
	return SourcePlugin
}

// versionError returns the error for a connector version that is not installed.
func (r ValidateRequest) versionError(props map[string]string) string {
	version := VersionSetting(props, "connector.plugin.version")
	return r.Plugins.choose(connectorPluginKind(r.Kind), "Connector", "connector.class", props["connector.class"], version).mismatch
}

// enrichedDef is the connector definition with what depends on the installed
// plugins filled in: defaults, offers and checks of classes, and the keys of
// transforms and predicates. bare leaves out everything but what every connector
// has, as Kafka Connect does when the connector's version is not installed.
func (r ValidateRequest) enrichedDef(props map[string]string, bare bool) *Def {
	def := connectorDef(r.Kind)
	if len(r.Plugins) == 0 {
		return def
	}
	if bare {
		def = commonConnectorDef()
	}
	def = def.With(r.connectorVersionKey(def, props))
	if bare {
		for _, role := range []ConverterRole{KeyRole, ValueRole, HeaderRole} {
			version := *def.Key(role.key() + ".plugin.version")
			version.Recommender = func(string, map[string]string) ([]string, bool) { return nil, false }
			def = def.With(version)
		}
		return def
	}
	for _, role := range []ConverterRole{KeyRole, ValueRole, HeaderRole} {
		def = def.With(r.converterKeys(def, props, role)...)
	}
	for _, alias := range aliases(props, "transforms") {
		def = def.With(r.aliasKeys(props, transformAlias, alias)...)
	}
	for _, alias := range aliases(props, "predicates") {
		def = def.With(r.aliasKeys(props, predicateAlias, alias)...)
	}
	return def
}

func (r ValidateRequest) connectorVersionKey(def *Def, props map[string]string) Key {
	key := *def.Key("connector.plugin.version")
	class := javaTrim(props["connector.class"])
	plugin, _ := r.Plugins.find(connectorPluginKind(r.Kind), class, VersionRange{})
	if plugin != nil {
		key.Default = Text(plugin.Version)
		key.Recommender = offer(unique(r.Plugins.versions(class)), true)
	}
	return key
}

// converterKeys fills in X.converter and X.converter.plugin.version.
func (r ValidateRequest) converterKeys(def *Def, props map[string]string, role ConverterRole) []Key {
	classKey, versionKey := *def.Key(role.key()), *def.Key(role.key() + ".plugin.version")
	chosen, fromWorker := r.chooseConverter(props, role)
	worker := chooseConverter(nil, r.Worker, role)
	if found, _ := r.Plugins.find(converterPluginKind(role), worker.Class, VersionRange{}); found != nil {
		classKey.Default = Text(found.Class)
	} else if worker.Class != "" {
		classKey.Default = Text(worker.Class)
	}
	classKey.Recommender = offer(r.Plugins.classes(converterPluginKind(role)), true)
	classKey.class = &chosen
	if chosen.plugin != nil {
		versionKey.Default = Text(chosen.plugin.Version)
		versionKey.Recommender = offer(unique(r.Plugins.versions(chosen.class)), true)
	} else if chosen.mismatch != "" || chosen.badRange != nil {
		versions := unique(r.Plugins.versions(chosen.class))
		newest, _ := r.Plugins.find(converterPluginKind(role), chosen.class, VersionRange{})
		if newest != nil {
			versionKey.Default = Text(newest.Version)
		}
		versionKey.Recommender = offer(versions, true)
		if chosen.mismatch != "" {
			versionKey.Validator = failing(chosen.mismatch)
		}
	} else {
		versionKey.Recommender = offer(nil, chosen.class != "" || fromWorker)
	}
	if slices.Contains(r.Nulls, role.key()) {
		versionKey.Recommender = offer(nil, false)
	}
	return []Key{classKey, versionKey}
}

// chooseConverter looks up the converter that the connector would use.
func (r ValidateRequest) chooseConverter(props map[string]string, role ConverterRole) (chosen choice, fromWorker bool) {
	iface := "Converter"
	if role == HeaderRole {
		iface = "HeaderConverter"
	}
	text, set := props[role.key()]
	if !set { // then its version does not count either
		text = chooseConverter(nil, r.Worker, role).Class
		return r.Plugins.choose(converterPluginKind(role), iface, role.key(), text, ""), true
	}
	return r.Plugins.choose(converterPluginKind(role), iface, role.key(), text, VersionSetting(props, role.key()+".plugin.version")), false
}

func converterPluginKind(role ConverterRole) PluginKind {
	if role == HeaderRole {
		return HeaderConverterPlugin
	}
	return ConverterPlugin
}

// converters validates the options of converters that the connector names itself.
func (r ValidateRequest) converters(props map[string]string) Report {
	var out Report
	for _, role := range []ConverterRole{KeyRole, ValueRole, HeaderRole} {
		if _, set := props[role.key()]; !set {
			continue
		}
		chosen, _ := r.chooseConverter(props, role)
		if chosen.plugin == nil || chosen.plugin.Def == nil {
			continue
		}
		options := readConverter(props, chosen.class, role).Config
		if given, set := props[role.key()+".converter.type"]; set { // checked, though the role counts
			options["converter.type"] = given
		}
		def := chosen.plugin.Def.With(extensionsInUse(chosen.plugin.Extensions, options)...)
		values := def.Validate(options)
		names := make([]string, 0, len(values))
		for _, v := range values {
			names = append(names, v.Name)
		}
		for _, name := range javamap.Order(names) {
			key := *def.Key(name)
			value := values[slices.IndexFunc(values, func(v ConfigValue) bool { return v.Name == name })]
			key.DisplayName, key.Name = key.Label(), role.key()+"."+name
			info := NewKeyInfo(&key)
			value.Name = key.Name
			out.Infos = append(out.Infos, ConfigInfo{&info, value})
			if key.Group != "" && !slices.Contains(out.Groups, key.Group) {
				out.Groups = append(out.Groups, key.Group)
			}
		}
	}
	return out
}

// extensionsInUse are the keys that a configuration sets.
func extensionsInUse(def *Def, options map[string]string) (keys []Key) {
	if def == nil {
		return nil
	}
	for _, k := range def.Keys() {
		if _, set := options[k.Name]; set {
			keys = append(keys, *k)
		}
	}
	return keys
}

// aliasKind says how keys of transforms and of predicates are expanded.
type aliasKind struct {
	plugin              PluginKind
	list, noun, heading string
	iface               string
}

var (
	transformAlias = aliasKind{TransformPlugin, "transforms", "Transformation", "Transforms", "Transformation"}
	predicateAlias = aliasKind{PredicatePlugin, "predicates", "Predicate", "Predicates", "Predicate"}
)

// transformKeys are added to every transform.
var transformKeys = []Key{
	{
		Name: "predicate", Type: String, Default: Null(), Importance: Medium,
		Documentation: "Name of a predicate; the transform applies only to records for which it holds.",
	},
	{
		Name: "negate", Type: Boolean, Default: Text("false"), Importance: Medium,
		Documentation: "Whether the transform applies to records for which the predicate does not hold.",
	},
}

// aliasKeys returns the keys of one transform or predicate.
func (r ValidateRequest) aliasKeys(props map[string]string, kind aliasKind, alias string) []Key {
	prefix := kind.list + "." + alias + "."
	group := kind.heading + ": " + alias
	typeKey := Key{
		Name: prefix + "type", Type: Class, Importance: High, Group: group, Order: 0, Width: WidthLong,
		DisplayName: kind.noun + " type for " + alias, Documentation: "Class of the " + strings.ToLower(kind.noun) + ".",
		Recommender: offer(r.Plugins.classes(kind.plugin), true),
	}
	versionKey := Key{
		Name: prefix + "plugin.version", Type: String, Default: Null(), Importance: High, Group: group, Order: 1, Width: WidthLong,
		DisplayName: kind.noun + " version for " + alias, Documentation: "Version, or range of versions, of the " + strings.ToLower(kind.noun) + ".",
		Validator: versionRange,
	}
	class, set := props[prefix+"type"]
	if !set {
		return []Key{typeKey, versionKey}
	}
	chosen := r.Plugins.choose(kind.plugin, kind.iface, prefix+"type", class, VersionSetting(props, prefix+"plugin.version"))
	if chosen.badRange != nil {
		chosen.mismatch = chosen.badRange.Error()
	}
	typeKey.class = &chosen
	if chosen.plugin == nil {
		if chosen.mismatch != "" {
			if newest, _ := r.Plugins.find(kind.plugin, chosen.class, VersionRange{}); newest != nil {
				versionKey.Default = Text(newest.Version)
			}
			versionKey.Recommender = offer(unique(r.Plugins.versions(chosen.class)), true)
			versionKey.Validator = failing(chosen.mismatch)
		}
		return []Key{typeKey, versionKey}
	}
	versionKey.Default = Text(chosen.plugin.Version)
	versionKey.Recommender = offer(unique(r.Plugins.versions(chosen.class)), true)
	return append([]Key{typeKey, versionKey}, embed(chosen.plugin.Def, kind, prefix, group)...)
}

// embed puts the plugin's own keys below the alias.
func embed(own *Def, kind aliasKind, prefix, group string) []Key {
	if own == nil {
		own = NewDef()
	}
	if kind.plugin == TransformPlugin {
		own = own.With(transformKeys...)
	}
	var keys []Key
	for i, k := range own.Sorted() {
		child := *k
		child.DisplayName, child.Name, child.Order = k.Label(), prefix+k.Name, 2+i
		child.Group = group
		if k.Group != "" {
			child.Group += ": " + k.Group
		}
		if k.Validator != nil {
			// Kafka's embedded validators name the key without its prefix.
			child.Validator = Check(k.Validator.String(), func(_ string, value any) error { return k.Validator.Validate(k.Name, value) })
		}
		if k.Recommender != nil {
			child.Recommender = func(_ string, props map[string]string) ([]string, bool) {
				return k.Recommender(k.Name, withPrefix(props, prefix))
			}
		}
		keys = append(keys, child)
	}
	return keys
}

// apply replaces the text of a class key by the full class name, or by null with an
// error when the class cannot be found.
func (c *choice) apply(value any) (any, []error) {
	var errs []error
	if c.err != nil {
		errs = append(errs, c.err)
	}
	if c.mismatch != "" {
		errs = append(errs, kafkaError(c.mismatch))
	}
	if value != nil {
		value = any(c.class)
	}
	if c.class == "" {
		value = nil
	}
	return value, errs
}

// failing is a validator that always fails with the text.
func failing(text string) Validator {
	return Check("", func(string, any) error { return kafkaError(text) })
}

func offer(values []string, visible bool) Recommender {
	return func(string, map[string]string) ([]string, bool) { return values, visible }
}

func unique(list []string) []string {
	out := []string{}
	for _, s := range list {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// aliases returns the distinct names in a LIST setting.
func aliases(props map[string]string, key string) []string {
	list, _ := ParseText(key, props[key], List)
	names, _ := list.([]string)
	return unique(names)
}
