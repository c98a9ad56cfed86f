package cli

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheWorkerIsChosenByFlagThenEnvironmentThenContext(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", dir)
	t.Setenv("TAILRACE_SERVER", "")
	var c calls
	run := func(args ...string) string {
		out, err := c.run(args...)
		require.NoError(t, err)
		return out
	}
	server := func(r remote) string {
		got, err := r.target()
		require.NoError(t, err)
		return got.Server
	}
	require.Equal(t, "http://localhost:8083", server(remote{}))
	run("context", "set", "one", "--server", "http://one")
	run("context", "set", "two", "--server", "https://two", "--username", "ann", "--password-file", filepath.Join(dir, "pw"))
	require.Equal(t, "http://one", server(remote{}))
	run("context", "use", "two")
	require.Equal(t, "https://two", server(remote{}))
	require.Equal(t, "http://one", server(remote{context: "one"}))
	t.Setenv("TAILRACE_SERVER", "http://env")
	require.Equal(t, "http://env", server(remote{}))
	require.Equal(t, "http://one", server(remote{context: "one"}))
	require.Equal(t, "http://flag", server(remote{context: "one", server: "http://flag"}))
	require.Contains(t, run("context", "list"), "*   two       https://two   ann")

	info, err := os.Stat(filepath.Join(dir, "tailrace", "config.yaml"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	t.Setenv("TAILRACE_SERVER", "")
	target, err := (&remote{}).target()
	require.NoError(t, err)
	_, err = target.options()
	require.ErrorContains(t, err, "pw: no such file")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "pw"), []byte("geheim\n"), 0o600))
	o, err := target.options()
	require.NoError(t, err)
	require.Equal(t, "geheim", o.Password)
}

func TestABadConfigFileIsToldWithItsPlace(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", dir)
	t.Setenv("TAILRACE_SERVER", "")
	file := filepath.Join(dir, "tailrace", "config.yaml")
	require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o700))
	for text, want := range map[string]string{
		"contexts:\n  a:\n    password: x\n": "line 3: field password not found",
		"current: b\n":                       "has no context b",
		"current: a\ncontexts: {a: {}}\n":    "the context a has no server",
	} {
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		_, err := (&remote{}).target()
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, file)
	}
	var c calls
	_, err := c.run("context", "set", "p", "--server", "http://ann:geheim@host")
	require.Error(t, err)
	require.NotContains(t, err.Error(), "geheim") // I-9
}
