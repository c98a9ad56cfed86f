package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// calls notes what the command line asks for.
type calls struct {
	standalone []Standalone
	dev        []Dev
	plugins    []PluginSource
	listing    PluginListing
	fail       error
}

func (c *calls) commands() Commands {
	return Commands{
		Version:    "1.2.3",
		Standalone: func(_ context.Context, o Standalone) error { c.standalone = append(c.standalone, o); return c.fail },
		Dev:        func(_ context.Context, o Dev) error { c.dev = append(c.dev, o); return c.fail },
		Plugins: func(_ context.Context, o PluginSource) (PluginListing, error) {
			c.plugins = append(c.plugins, o)
			return c.listing, c.fail
		},
		ParseConnector: parseJSON,
		IsSecret:       func(key string) bool { return strings.HasSuffix(key, "password") },
	}
}

// parseJSON reads the flat form only.
func parseJSON(_ string, text []byte) (ConnectorFile, error) {
	var config map[string]string
	err := json.Unmarshal(text, &config)
	return ConnectorFile{Name: config["name"], Config: config}, err
}

func (c *calls) run(args ...string) (output string, err error) {
	root := newRoot(c.commands())
	var out bytes.Buffer
	root.SetOut(&out)
	root.SetArgs(args)
	err = root.ExecuteContext(context.Background())
	return out.String(), err
}

func TestStandaloneTakesKafkaConnectsFiles(t *testing.T) {
	var c calls
	_, err := c.run("standalone", "w.properties", "a.properties", "b.json", "--log-level", "debug", "--log-json")
	require.NoError(t, err)
	require.Equal(t, []Standalone{{
		WorkerFile: "w.properties", ConnectorFiles: []string{"a.properties", "b.json"}, Logging: Logging{Level: slog.LevelDebug, JSON: true},
	}}, c.standalone)
}

func TestDevIsReachableFromThisMachineOnlyUnlessAHostIsNamed(t *testing.T) {
	for given, want := range map[string]string{":8090": "127.0.0.1:8090", "0.0.0.0:8090": "0.0.0.0:8090", "": defaultREST} {
		var c calls
		args := []string{"dev"}
		if given != "" {
			args = append(args, "--rest", given)
		}
		_, err := c.run(args...)
		require.NoError(t, err)
		require.Equal(t, want, c.dev[0].REST)
		require.Equal(t, given != "", c.dev[0].RESTGiven)
	}
}

func TestExitStatusesTellAFailureFromAWrongCall(t *testing.T) {
	for name, c := range map[string]struct {
		args   []string
		fail   error
		status int
	}{
		"it worked":            {[]string{"version"}, nil, 0},
		"it failed":            {[]string{"standalone", "w"}, errors.New("no"), statusFailed},
		"no file":              {[]string{"standalone"}, nil, statusUsage},
		"no such flag":         {[]string{"dev", "--nope"}, nil, statusUsage},
		"a level that is none": {[]string{"dev", "--log-level", "loud"}, nil, statusUsage},
		"no such command":      {[]string{"fly"}, nil, statusUsage},
		"exit without a demo":  {[]string{"dev", "--exit"}, nil, statusUsage},
	} {
		t.Run(name, func(t *testing.T) {
			k := calls{fail: c.fail}
			require.Equal(t, c.status, Run(context.Background(), k.commands(), c.args))
		})
	}
}

func TestPluginsAreShownWithWhatIsWrong(t *testing.T) {
	c := calls{listing: PluginListing{
		Plugins: []PluginEntry{{
			Class: "file-source", Kind: "source", Version: "1.0", Aliases: []string{"FileStreamSource"}, Path: "/p/file-source", Documentation: "Reads files.",
			Keys: []PluginKey{{Name: "file", Type: "STRING", Required: true, Documentation: "The file."}},
		}},
		Broken: []BrokenPlugin{{Path: "/p/noise", Reason: "it is not executable; chmod +x"}},
	}}
	out, err := c.run("plugin", "list", "--plugins", "/p")
	require.NoError(t, err)
	require.Equal(t, "/p", c.plugins[0].Folders)
	require.Contains(t, out, "file-source   source   1.0")
	require.Contains(t, out, "cannot be used: /p/noise: it is not executable; chmod +x")
	out, err = c.run("plugin", "describe", "FileStreamSource")
	require.NoError(t, err)
	require.Contains(t, out, "file  (string, required)\n    The file.")
	_, err = c.run("plugin", "describe", "nope")
	require.ErrorContains(t, err, "no plugin offers nope; there are: file-source")
	_, err = c.run("plugin", "describe", "noise")
	require.ErrorContains(t, err, "it is not executable")
}
