package config

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
)

// goldenFile holds validate exchanges recorded from Kafka Connect 4.1.0, reduced:
// each case lists the keys of the answer in order and those that differ from a
// valid configuration of the same kind.
type goldenFile struct {
	Plugins map[string]struct {
		Kind PluginKind
		Keys []goldenKey
	}
	Base  map[Kind]map[string]goldenEntry
	Cases []struct {
		Name    string
		Kind    Kind
		EOS     bool
		Request map[string]any
		Answer  string
		Errors  int
		Groups  []string
		Order   []string
		Diff    map[string]goldenEntry
	}
}

type goldenKey struct {
	Name, Type, Importance, Validator, Group, Width, DisplayName string

	Required bool
	Default  *string
	Order    *int
}

type goldenEntry struct {
	Definition *struct {
		Type         Type
		Required     bool
		DefaultValue *string `json:"default_value"`
		Importance   Importance
		Group        *string
		Width        Width
		DisplayName  string `json:"display_name"`
		Order        int
	}
	Value struct {
		Value             *string
		RecommendedValues int `json:"recommended_values"`
		Errors            []string
		Visible           bool
	}
}

func (k goldenKey) key() Key {
	out := Key{
		Name: k.Name, Type: Type(k.Type), Importance: Importance(k.Importance), Group: k.Group,
		Width: Width(k.Width), DisplayName: k.DisplayName, Order: -1, Default: Null(),
	}
	if k.Required {
		out.Default = Required()
	} else if k.Default != nil {
		out.Default = Text(*k.Default)
	}
	if k.Order != nil {
		out.Order = *k.Order
	}
	switch v := k.Validator; {
	case v == "non-empty list":
		out.Validator = NonEmptyList
	case v == "non-empty string":
		out.Validator = NonEmpty
	case strings.HasSuffix(v, "valid regex"):
		out.Validator = ValidRegex
	case strings.HasPrefix(v, "(case insensitive) ["):
		out.Validator = OneOfFold(strings.Split(strings.Trim(v[len("(case insensitive) "):], "[]"), ", ")...)
	case strings.HasPrefix(v, "["):
		out.Validator = OneOf(strings.Split(strings.Trim(v, "[]"), ", ")...)
	}
	return out
}

func readGolden(t *testing.T) (goldenFile, Plugins) {
	data, err := os.ReadFile("testdata/validate.json")
	require.NoError(t, err)
	var g goldenFile
	require.NoError(t, json.Unmarshal(data, &g))
	var plugins Plugins
	for class, p := range g.Plugins {
		var keys []Key
		for _, k := range p.Keys {
			keys = append(keys, k.key())
		}
		info := PluginInfo{Kind: p.Kind, Class: class, Version: "4.1.0", Def: NewDef(keys...)}
		if p.Kind == ConverterPlugin {
			info.Aliases = []string{class[strings.LastIndexByte(class, '.')+1:]}
			header := info
			header.Kind = HeaderConverterPlugin
			plugins = append(plugins, header)
			if strings.HasSuffix(class, ".SimpleHeaderConverter") {
				continue
			}
		}
		plugins = append(plugins, info)
	}
	for kind, class := range map[PluginKind]string{
		SourcePlugin: "org.apache.kafka.connect.file.FileStreamSourceConnector",
		SinkPlugin:   "org.apache.kafka.connect.file.FileStreamSinkConnector",
	} {
		short := strings.TrimSuffix(class[strings.LastIndexByte(class, '.')+1:], "Connector")
		plugins = append(plugins, PluginInfo{Kind: kind, Class: class, Aliases: []string{short}, Version: "4.1.0"})
	}
	if _, known := plugins.find(HeaderConverterPlugin, "org.apache.kafka.connect.storage.SimpleHeaderConverter", VersionRange{}); !known {
		plugins = append(plugins, PluginInfo{Kind: HeaderConverterPlugin, Class: "org.apache.kafka.connect.storage.SimpleHeaderConverter", Version: "4.1.0", Def: NewDef()})
	}
	return g, plugins
}

// fileStreamDef are the keys of Kafka's file connectors.
func fileStreamDef(kind Kind) *Def {
	file := Key{Name: "file", Type: String, Default: Null(), Importance: High}
	if kind == Sink {
		return NewDef(file)
	}
	return NewDef(file,
		Key{Name: "topic", Type: String, Importance: High, Validator: NonEmpty},
		Key{Name: "batch.size", Type: Int, Default: Text("2000"), Importance: Low})
}

func goldenWorker(t *testing.T, eos bool) *Worker {
	props := map[string]string{
		"bootstrap.servers": "localhost:9092", "group.id": "golden",
		"key.converter": "org.apache.kafka.connect.json.JsonConverter", "value.converter": "org.apache.kafka.connect.json.JsonConverter",
		"config.storage.topic": "golden-configs", "offset.storage.topic": "golden-offsets", "status.storage.topic": "golden-status",
	}
	if eos {
		props["exactly.once.source.support"] = "enabled"
	}
	w, _, err := ParseWorker(Distributed, props)
	require.NoError(t, err)
	return w
}

func TestValidateAnswersAsRecordedFromKafkaConnect(t *testing.T) {
	golden, plugins := readGolden(t)
	require.Greater(t, len(golden.Cases), 90)
	for _, c := range golden.Cases {
		t.Run(c.Name, func(t *testing.T) {
			r := ValidateRequest{
				Kind: c.Kind, Props: map[string]string{}, Worker: goldenWorker(t, c.EOS), Plugins: plugins,
				ExactlyOnce: Supported, TransactionBoundaries: Unsupported,
			}
			for k, v := range c.Request {
				if v == nil {
					r.Nulls = append(r.Nulls, k)
				} else {
					r.Props[k] = fmt.Sprint(v)
				}
			}
			if _, set := r.Props["file"]; !set && c.Kind == Source {
				r.ExactlyOnce = Unsupported // standard input cannot be rewound
			}
			own := fileStreamDef(c.Kind)
			got := r.Validate(NewReport(own, own.validate(r.Props, r.Nulls)))

			require.Equal(t, c.Answer, got.Name)
			require.Equal(t, c.Groups, got.Groups)
			var order []string
			for _, info := range got.Configs {
				order = append(order, info.Value.Name)
			}
			require.Equal(t, c.Order, order)
			for _, info := range got.Configs {
				want, differs := c.Diff[info.Value.Name]
				if !differs {
					want = golden.Base[c.Kind][info.Value.Name]
				}
				requireEntry(t, want, info)
			}
			require.Equal(t, c.Errors, got.ErrorCount)
			data, err := json.Marshal(got)
			require.NoError(t, err)
			require.NotContains(t, string(data), `"recommended_values":null`)
			require.NotContains(t, string(data), `"errors":null`)
		})
	}
}

// What a live Kafka Connect 4.1 answered, beyond the recordings: the errors of one key, its value, and which keys are not there.
func TestClassesAndVersionsAreReadAsByKafkaConnect(t *testing.T) {
	_, plugins := readGolden(t)
	const (
		text   = "org.apache.kafka.connect.storage.StringConverter"
		simple = "org.apache.kafka.connect.storage.SimpleHeaderConverter"
		header = "org.apache.kafka.connect.storage.HeaderConverter"
		filter = "org.apache.kafka.connect.transforms.Filter"
		none   = "Plugin " + text + " not found that matches the version range [,], available versions: [4.1.0, 4.1.0]"
	)
	for _, c := range []struct {
		name, props, key, errors, value, absent string
		nulls                                   []string
	}{
		{name: "alias of another kind", props: "key.converter=SimpleHeaderConverter", key: "key.converter", errors: "Class class " + simple + " does not implement the Converter interface", value: simple},
		{name: "interface of another kind", props: "key.converter=" + header, key: "key.converter", errors: "Class interface " + header + " does not implement the Converter interface", value: header},
		{name: "its own interface", props: "header.converter=" + header, key: "header.converter", errors: "This class is abstract and cannot be created.", value: header},
		{name: "blank class", props: "key.converter=  ", key: "key.converter", errors: "Invalid value    for configuration key.converter: Class    could not be found."},
		{name: "blank version", props: "key.converter=" + text + ";key.converter.plugin.version=", key: "key.converter.plugin.version", errors: none, absent: "key.converter.converter.type"},
		{name: "blank version, at the class", props: "key.converter=" + text + ";key.converter.plugin.version=", key: "key.converter", errors: none, value: text},
		{name: "version that cannot be read", props: "key.converter=" + text + ";key.converter.plugin.version=[[", key: "key.converter.plugin.version", errors: "Unbounded range: [[", value: "[[", absent: "key.converter.converter.type"},
		{name: "its class", props: "key.converter=" + text + ";key.converter.plugin.version=[[", key: "key.converter", value: text},
		{name: "version of the worker's converter", props: "key.converter.plugin.version=9", key: "key.converter.plugin.version", value: "9"},
		{name: "version with a letter", props: "connector.plugin.version=v4.1.0", key: "connector.plugin.version", errors: "Plugin org.apache.kafka.connect.file.FileStreamSourceConnector not found that matches the version range [v4.1.0,v4.1.0], available versions: [4.1.0]", value: "v4.1.0", absent: "topic.creation.groups"},
		{name: "alias and version", props: "connector.class=FileStreamSource;connector.plugin.version=1", key: "connector.class", errors: "Plugin org.apache.kafka.connect.file.FileStreamSourceConnector not found that matches the version range [1,1], available versions: [4.1.0]", value: "FileStreamSource"},
		{name: "version of a transform", props: "transforms=x;transforms.x.type=" + filter + ";transforms.x.plugin.version=[[", key: "transforms.x.type", errors: "Unbounded range: [[", value: filter, absent: "transforms.x.negate"},
		{name: "role of a converter", props: "key.converter=" + text + ";key.converter.converter.type=zzz", key: "key.converter.converter.type", errors: "Invalid value zzz for configuration converter.type: String must be one of: key, value, header", value: "zzz"},
		{name: "null predicate", props: "transforms=x;transforms.x.type=" + filter + ";transforms.x.negate=true", nulls: []string{"transforms.x.predicate"}, key: "transforms.x.type", value: filter},
		{name: "boundaries", props: "transaction.boundary=Connector", key: "transaction.boundary", errors: boundariesUnsupported, value: "Connector"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := ValidateRequest{
				Kind: Source, Props: map[string]string{}, Nulls: c.nulls, Worker: goldenWorker(t, false), Plugins: plugins, TransactionBoundaries: Unsupported,
			}
			for _, p := range strings.Split("name=v;connector.class=org.apache.kafka.connect.file.FileStreamSourceConnector;topic=t;"+c.props, ";") {
				k, v, _ := strings.Cut(p, "=")
				r.Props[k] = v
			}
			own := fileStreamDef(Source)
			found := false
			for _, info := range r.Validate(NewReport(own, own.Validate(r.Props))).Configs {
				require.NotEqual(t, c.absent, info.Value.Name)
				if info.Value.Name != c.key {
					continue
				}
				found = true
				require.Equal(t, c.errors, strings.Join(info.Value.Errors, "|"))
				if c.value != "" {
					require.Equal(t, c.value, *info.Value.Value)
				}
			}
			require.True(t, found)
		})
	}
}

func requireEntry(t *testing.T, want goldenEntry, got ConfigInfo) {
	t.Helper()
	var have goldenEntry
	have.Value.Value = got.Value.Value
	have.Value.RecommendedValues = len(got.Value.RecommendedValues)
	have.Value.Errors = got.Value.Errors
	have.Value.Visible = got.Value.Visible
	if d := got.Definition; d != nil {
		data, err := json.Marshal(d)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(data, &have.Definition))
		require.Equal(t, []string{}, d.Dependents)
	}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("%s (-Kafka +ours):\n%s", got.Value.Name, diff)
	}
}

func TestDefinitionsAreThoseOfKafkaConnect(t *testing.T) {
	data, err := os.ReadFile("testdata/configdefs.txt")
	require.NoError(t, err)
	defs := map[string]*Def{
		"Distributed": DistributedWorkerDef(), "Standalone": StandaloneWorkerDef(),
		"SourceConnectorConfig": SourceConnectorDef(), "SinkConnectorConfig": SinkConnectorDef(),
		"topic.creation.default": topicGroupDef(DefaultTopicGroup), "topic.creation.group": topicGroupDef("G"),
	}
	seen := map[string]int{}
	section := ""
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSuffix(line, "\n")
		if name, ok := strings.CutPrefix(line, "##### "); ok {
			section = name
			continue
		}
		def := defs[section]
		if def == nil {
			continue
		}
		at := seen[section]
		seen[section]++
		require.Less(t, at, len(def.Keys()), "%s has too few keys", section)
		k := def.Keys()[at]
		require.Equal(t, line[:strings.LastIndex(line, " g=")], dumpLine(k, line), section)
		group := k.Group
		if group == "" {
			group = "null"
		}
		require.Equal(t, strings.TrimSuffix(line[strings.LastIndex(line, " g="):], " rec"),
			fmt.Sprintf(" g=%s o=%d w=%s dn=%s dep=[%s]", group, k.Order, k.Width, k.Label(), strings.Join(k.Dependents, ",")), section)
		require.NotEmpty(t, k.Documentation, k.Name)
	}
	require.Len(t, seen, len(defs))
	for name, def := range defs {
		extra := len(def.Keys()) - seen[name]
		if strings.HasPrefix(name, "Standalone") || strings.HasPrefix(name, "Distributed") {
			extra -= len(tailraceWorkerKeys) + len(restKeys)
		}
		if strings.HasPrefix(name, "Distributed") {
			extra -= len(tailraceClusterKeys)
		}
		require.Zero(t, extra, name)
	}
}

// dumpLine prints a key as the dump does, its validator taken from the dump where
// ours says the same in other words.
func dumpLine(k *Key, line string) string {
	def := "null"
	if text, ok := k.Default.Text(); ok {
		def = fmt.Sprintf("%q", text)
	} else if k.Default.IsRequired() {
		def = "(required)"
	}
	parts := strings.SplitN(line[:strings.LastIndex(line, " g=")], " | ", 5)
	return strings.Join([]string{k.Name, string(k.Type), def, string(k.Importance), parts[4]}, " | ")
}

func TestValidatorsSayWhatKafkaSays(t *testing.T) {
	data, err := os.ReadFile("testdata/configdefs.txt")
	require.NoError(t, err)
	byDump := map[string]bool{}
	section := ""
	for line := range strings.Lines(string(data)) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "##### "); ok {
			section = name
			continue
		}
		parts := strings.SplitN(line, " | ", 5)
		if len(parts) < 5 || !slices.Contains([]string{"Distributed", "SourceConnectorConfig"}, section) {
			continue
		}
		text := strings.TrimSpace(parts[4][:strings.LastIndex(parts[4], " g=")])
		text = strings.TrimSuffix(text, " |")
		if strings.HasPrefix(text, "[") || strings.HasPrefix(text, "(case") {
			byDump[parts[0]+" "+strings.TrimSpace(text)] = true
		}
	}
	for _, def := range []*Def{DistributedWorkerDef(), SourceConnectorDef()} {
		for _, k := range def.Keys() {
			if k.Validator != nil {
				delete(byDump, k.Name+" "+k.Validator.String())
			}
		}
	}
	require.Empty(t, byDump)
}
