package plugin

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The Python of a venv is a link, and finds its packages by the path that it was called by.
func TestAProgramIsStartedByItsOwnPathAndToldApartByWhatALinkLeadsTo(t *testing.T) {
	folder := t.TempDir()
	for _, target := range []string{"one", "two"} {
		require.NoError(t, os.WriteFile(filepath.Join(folder, target), []byte("#!/bin/sh\n"), 0o700))
	}
	link := filepath.Join(folder, "link")
	require.NoError(t, os.Symlink("one", link))
	program, before, err := readProgram(link)
	require.NoError(t, err)
	require.Equal(t, link, program.Command)

	require.NoError(t, os.Remove(link))
	require.NoError(t, os.Symlink("two", link))
	_, after, err := readProgram(link)
	require.NoError(t, err)
	require.NotEqual(t, before, after)
}

// What an interpreter runs is the plugin: a new script is a new version of it.
func TestAChangedScriptOfAFolderIsSeen(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "scripted")
	require.NoError(t, os.Mkdir(folder, 0o700))
	elsewhere := filepath.Join(t.TempDir(), "library.sh")
	require.NoError(t, os.WriteFile(filepath.Join(folder, ManifestName), []byte("command: /bin/sh\nargs: [main.sh, "+elsewhere+", --flag]\n"), 0o600))
	for _, script := range []string{filepath.Join(folder, "main.sh"), elsewhere} {
		require.NoError(t, os.WriteFile(script, []byte("one"), 0o600))
	}
	for _, script := range []string{filepath.Join(folder, "main.sh"), elsewhere} {
		program, before, err := readProgram(folder)
		require.NoError(t, err)
		sum, err := program.checksum()
		require.NoError(t, err)

		info, err := os.Stat(script)
		require.NoError(t, err)
		require.Eventually(t, func() bool { // the clock of a file system ticks every few milliseconds
			require.NoError(t, os.WriteFile(script, []byte("two"), 0o600))
			require.NoError(t, os.Chtimes(script, info.ModTime(), info.ModTime())) // as rsync -t or cp -p may
			_, after, err := readProgram(folder)
			require.NoError(t, err)
			return before != after
		}, 5*time.Second, time.Millisecond, script)
		again, err := program.checksum()
		require.NoError(t, err)
		require.NotEqual(t, sum, again, script)
	}
}
