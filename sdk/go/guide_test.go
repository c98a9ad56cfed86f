package connect_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

var guideBlock = regexp.MustCompile("(?s)```go file=(\\S+)\n(.*?)```")

// TestTheGuideBuildsAndPasses builds the code blocks of docs/write-a-connector.md as one program
// and runs its tests, the conformance kit against the built program among them.
func TestTheGuideBuildsAndPasses(t *testing.T) {
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	page, err := os.ReadFile(filepath.Join(root, "docs", "write-a-connector.md"))
	require.NoError(t, err)
	dir := t.TempDir()
	replace := make(map[string]string)
	for _, m := range guideBlock.FindAllSubmatch(page, -1) {
		file := filepath.Join(dir, string(m[1]))
		require.NoError(t, os.WriteFile(file, m[2], 0o600))
		// The blocks stand in the module for the go command only.
		replace[filepath.Join(root, "sdk", "go", "guide", string(m[1]))] = file
	}
	require.Len(t, replace, 5)
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	require.NoError(t, err)
	overlayFile := filepath.Join(dir, "overlay.json")
	require.NoError(t, os.WriteFile(overlayFile, overlay, 0o600))

	bin := filepath.Join(dir, "ticks")
	run := func(args ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "go", args...)
		cmd.Dir = root
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "go %v\n%s", args, out)
	}
	const pkg = "github.com/tailrace/tailrace/sdk/go/guide"
	run("build", "-overlay", overlayFile, "-o", bin, pkg)
	testBin := filepath.Join(dir, "ticks.test")
	run("test", "-vet=off", "-overlay", overlayFile, "-c", "-o", testBin, pkg)
	cmd := exec.CommandContext(t.Context(), testBin, "-test.v")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "TICKS="+bin)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	t.Logf("%s", out)
}
