package plugin

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestVersionsAreOrderedAsPeopleExpect(t *testing.T) {
	ascending := []string{"0.9", "1.0.0-alpha.2", "1.0.0-alpha.10", "1.0.0-rc1", "1.0.0", "1.0.1", "v1.2", "1.10.0", "2.0.0.Final", "2.0.0"}
	for i, low := range ascending {
		for j, high := range ascending {
			a, err := parseVersion(low)
			require.NoError(t, err)
			b, err := parseVersion(high)
			require.NoError(t, err)
			require.Equal(t, i < j, a.compare(b) < 0, "%s and %s", low, high)
		}
	}
	for _, text := range []string{"", "newest", "1..2", "1.2 beta", "99999999999"} {
		_, err := parseVersion(text)
		require.Error(t, err, text)
	}
}

func TestRangesAreMavensAndABareVersionIsExact(t *testing.T) {
	cases := []struct {
		text    string
		in, out []string
	}{
		{"", []string{"0.1", "9"}, nil},
		{"latest", []string{"0.1", "9"}, nil},
		{"1.2", []string{"1.2", "1.2.0"}, []string{"1.2.1", "1.1"}},
		{"[1.2]", []string{"1.2"}, []string{"1.3"}},
		{"[1.0,2.0)", []string{"1.0", "1.9.9"}, []string{"2.0", "0.9"}},
		{"(1.0,2.0]", []string{"1.0.1", "2.0"}, []string{"1.0"}},
		{"(,1.5]", []string{"0.1", "1.5"}, []string{"1.6"}},
		{"[1,2), [3,)", []string{"1.5", "4"}, []string{"2.5"}},
		{"[,]", nil, []string{"0", "4.1.0"}},
		{"LATEST", nil, []string{"4.1.0"}},
		{"v4.1.0", nil, []string{"4.1.0"}},
		{"x", nil, []string{"4.1.0"}},
	}
	for _, c := range cases {
		r, err := parseRange(c.text)
		require.NoError(t, err, c.text)
		for _, text := range c.in {
			v, err := parseVersion(text)
			require.NoError(t, err)
			require.True(t, r.contains(v), "%s in %s", text, c.text)
		}
		for _, text := range c.out {
			v, err := parseVersion(text)
			require.NoError(t, err)
			require.False(t, r.contains(v), "%s in %s", text, c.text)
		}
	}
	for _, text := range []string{"[1.0", "1.0]", "(1.0)", "[a,b]", "[1.0,2.0)x", "[]x["} {
		_, err := parseRange(text)
		require.Error(t, err, text)
	}
}

func TestResolveTakesTheHighestVersionInRangeAndPrefersNamesToAliases(t *testing.T) {
	offer := func(path, name, version string, aliases ...string) *Plugin {
		return &Plugin{Program: Program{Path: path}, Description: Description{Name: name, Version: version, Connectors: []ConnectorType{
			{Name: name, Kind: Source, Version: version, Aliases: aliases},
		}}}
	}
	listing := Listing{
		Plugins: []*Plugin{
			offer("/a", "file-source", "1.0.0", "FileStreamSource", "org.apache.kafka.connect.file.FileStreamSourceConnector"),
			offer("/b", "file-source", "1.10.0", "FileStreamSource"),
			offer("/c", "file-source", "1.9.0"),
			offer("/d", "FileStreamSource", "0.1.0"),
		},
		Broken: []Broken{{Path: "/p/x", Reason: "it is not executable"}},
	}
	resolve := func(class, versions string) string {
		found, err := listing.Resolve(class, versions)
		require.NoError(t, err)
		return found.Plugin.Path
	}
	require.Equal(t, "/b", resolve("file-source", ""))
	require.Equal(t, "/c", resolve("file-source", "[1.0,1.10)"))
	require.Equal(t, "/a", resolve("org.apache.kafka.connect.file.FileStreamSourceConnector", "latest"))
	require.Equal(t, "/d", resolve("FileStreamSource", ""))

	_, err := listing.Resolve("nope", "")
	require.ErrorContains(t, err, "no plugin offers the connector class nope; available are: FileStreamSource (source, 0.1.0), file-source (source, 1.0.0)")
	require.ErrorContains(t, err, "/p/x cannot be used: it is not executable")
	_, err = listing.Resolve("file-source", "[9.9.9]")
	require.EqualError(t, err, "Plugin file-source not found that matches the version range [9.9.9], available versions: [1.0.0, 1.10.0, 1.9.0]")
	_, err = listing.Resolve("file-source", "[x")
	require.ErrorContains(t, err, "connector.plugin.version")
}
