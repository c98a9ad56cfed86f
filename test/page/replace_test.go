package page

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestReplaceLeavesWhatStandsAroundTheMarks(t *testing.T) {
	file := filepath.Join(t.TempDir(), "page.md")
	before := "head\n<!-- a -->\nold\n<!-- /a -->\n<!-- b -->\nstays\n<!-- /b -->\n"
	require.NoError(t, os.WriteFile(file, []byte(before), 0o600))
	for range 2 {
		require.NoError(t, Replace(file, "a", "new\n"))
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Equal(t, "head\n<!-- a -->\nnew\n<!-- /a -->\n<!-- b -->\nstays\n<!-- /b -->\n", string(text))
	}
}

func TestReplaceRefusesAPageWithoutTheMarks(t *testing.T) {
	for _, text := range []string{"", "<!-- a -->\n", "<!-- /a --><!-- a -->\n"} {
		file := filepath.Join(t.TempDir(), "page.md")
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		require.ErrorContains(t, Replace(file, "a", "new"), "no a marks")
		after, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Equal(t, text, string(after))
	}
}
