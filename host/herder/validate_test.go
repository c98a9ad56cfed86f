package herder

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tailrace/tailrace/host/config"
)

func errorsOf(infos ConfigInfos, key string) []string {
	for _, c := range infos.Configs {
		if c.Value.Name == key {
			return c.Value.Errors
		}
	}
	return nil
}

func TestValidationMergesTheWorkersAndThePluginsFindings(t *testing.T) {
	s, _ := newHerder(t)
	infos, err := s.Validate(t.Context(), "scripted", cfg("connector.class", "scripted", "name", "n", "tasks.max", "0"))
	require.NoError(t, err)
	require.Equal(t, 2, infos.ErrorCount)
	require.NotEmpty(t, errorsOf(infos, "tasks.max"))
	require.Equal(t, []string{`Missing required configuration "needed" which has no default value.`}, errorsOf(infos, "needed"))
	require.Contains(t, infos.Groups, "Common")
}

// I-3: whatever a plugin does when it is asked, the answer comes, in bounded time, as an error of connector.class.
func TestAPluginThatCannotValidateIsAnErrorOfItsClass(t *testing.T) {
	s, _ := newHerder(t)
	for _, behave := range []string{"hang", "exit", "panic"} {
		t.Run(behave, func(t *testing.T) {
			began := time.Now()
			infos, err := s.Validate(t.Context(), "scripted", good("x", "name", "n", "behave", behave))
			require.NoError(t, err)
			require.Positive(t, infos.ErrorCount)
			found := append(errorsOf(infos, "connector.class"), errorsOf(infos, "behave")...)
			require.NotEmpty(t, found)
			require.Less(t, time.Since(began), waitLimit)
			_, err = s.Create(t.Context(), CreateRequest{Name: "n", Config: good("x", "behave", behave)})
			require.Equal(t, BadRequest, KindOf(err))
		})
	}
	infos, err := s.Validate(t.Context(), "scripted", good("x", "name", "n"))
	require.NoError(t, err)
	require.Zero(t, infos.ErrorCount, "the next one is served by a fresh process")
}

// I-9: what a provider gave is in no answer, even when the plugin says it.
func TestSecretsAreNotInFindings(t *testing.T) {
	t.Setenv("SCRIPTED_SECRET", "hunter2hunter2")
	s, _ := newHerder(t)
	c := good("x", "name", "n", "behave", "tell", "secret", "${env:SCRIPTED_SECRET}")
	infos, err := s.Validate(t.Context(), "scripted", c)
	require.NoError(t, err)
	found := errorsOf(infos, "behave")
	require.Len(t, found, 1)
	require.Equal(t, "the secret is "+config.Hidden, found[0])
	require.NotContains(t, os.Getenv("SCRIPTED_SECRET"), config.Hidden)
	_, err = s.Create(t.Context(), CreateRequest{Name: "n", Config: c})
	require.NotContains(t, err.Error(), "hunter2")
}

func TestRequestsThatNameNoUsableClass(t *testing.T) {
	s, _ := newHerder(t)
	for name, c := range map[string]struct {
		class string
		cfg   Config
		want  string
	}{
		"no class":      {"scripted", cfg("topic", "x"), "Connector config {topic=x} contains no connector type"},
		"secrets":       {"scripted", cfg("db.password", "p"), "Connector config {db.password=[hidden]} contains no connector type"},
		"another class": {"other", cfg("connector.class", "scripted"), "Included connector type scripted does not match request type other"},
		"unknown":       {"Nope", cfg("connector.class", "Nope"), "Failed to find any class that implements Connector and which name matches Nope, available connectors are: scripted (source, 1.2.3)"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := s.Validate(t.Context(), c.class, c.cfg)
			require.Equal(t, BadRequest, KindOf(err))
			require.ErrorContains(t, err, c.want)
		})
	}
	infos, err := s.Validate(t.Context(), "scripted", good("x", "name", "n", "connector.plugin.version", "9.9.9"))
	require.NoError(t, err)
	require.Equal(t, 2, infos.ErrorCount)
	require.NotEmpty(t, errorsOf(infos, "connector.plugin.version"))
}

func TestNullsAreRefused(t *testing.T) {
	s, _ := newHerder(t)
	c := good("x")
	c["behave"] = nil
	_, err := s.Create(t.Context(), CreateRequest{Name: "n", Config: c})
	require.ErrorContains(t, err, "Null value can not be supplied as the configuration value.")
}

func TestPluginsAreListedByKind(t *testing.T) {
	s, _ := newHerder(t)
	require.Equal(t, []Plugin{{Class: "scripted", Type: "source", Version: "1.2.3"}}, s.Plugins(true))
	all := s.Plugins(false)
	require.Contains(t, all, Plugin{"org.apache.kafka.connect.json.JsonConverter", "converter", CompatibleVersion})
	require.Contains(t, all, Plugin{"org.apache.kafka.connect.storage.SimpleHeaderConverter", "header_converter", CompatibleVersion})
	keys, err := s.PluginConfig("org.example.ScriptedSourceConnector", "")
	require.NoError(t, err)
	require.Equal(t, "behave", keys[0].Name)
	for class, n := range map[string]int{"Json": 5, "org.apache.kafka.connect.transforms.Cast$Value": 2, "SimpleHeaderConverter": 0} {
		keys, err = s.PluginConfig(class, "")
		require.NoError(t, err)
		require.Len(t, keys, n, class)
	}
	_, err = s.PluginConfig("Cast$Key", "")
	require.ErrorContains(t, err, "Unknown plugin Cast$Key.")
	_, err = s.PluginConfig("Nope", "")
	require.EqualError(t, err, "Unknown plugin Nope.")
	for _, c := range []struct{ class, versions, err string }{
		{"scripted", "[2.0,)", "Plugin scripted not found that matches the version range [2.0,), available versions: [1.2.3]"},
		{"scripted", "x", "Plugin scripted not found that matches the version range [x,x], available versions: [1.2.3]"},
		{"scripted", "LATEST", "Plugin scripted not found that matches the version range [LATEST,LATEST], available versions: [1.2.3]"},
		{"scripted", "[,]", "Plugin scripted not found that matches the version range [,], available versions: [1.2.3]"},
		{"scripted", "[[", "Invalid version specification: [["},
		{"Filter", "1.0", "Plugin org.apache.kafka.connect.transforms.Filter not found that matches the version range [1.0,1.0], available versions: [4.1.0]"},
		{"Json", "[,]", "Plugin org.apache.kafka.connect.json.JsonConverter not found that matches the version range [,], available versions: [4.1.0, 4.1.0]"},
		{"Nope", "[[", "Invalid version specification: [["},
		{"FileConfigProvider", "", "Invalid plugin class FileConfigProvider. Valid types are sink, source, converter, header_converter, transformation, predicate."},
		{"Principal", "", "Invalid plugin class Principal. Valid types are sink, source, converter, header_converter, transformation, predicate."},
	} {
		_, err = s.PluginConfig(c.class, c.versions)
		require.EqualError(t, err, c.err)
	}
	_, err = s.PluginConfig("Json", "[4.0,5.0)")
	require.NoError(t, err)
}
