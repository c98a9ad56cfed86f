package polyglot

import (
	"bytes"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/tailrace/tailrace/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

// setup runs python/setup, which makes the environment once and keeps it in
// .cache, and returns its folder: venv/, plugins/.
var setup = sync.OnceValues(func() (home string, err error) {
	cmd := exec.Command("python/setup")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("python/setup: %w\n%s", err, stderr.Bytes())
	}
	return strings.TrimSpace(string(out)), nil
})

// startWorker starts a worker with the Go and the Python plugins.
func startWorker(t testing.TB, bootstrap string) *harness.Worker {
	t.Helper()
	home, err := setup()
	if err != nil {
		t.Fatal(err)
	}
	return harness.Start(t, harness.Config{
		Bootstrap:  bootstrap,
		PluginPath: filepath.Join(harness.Binaries(t), "plugins") + "," + filepath.Join(home, "plugins"),
	})
}
