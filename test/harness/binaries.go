package harness

import (
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/tailrace/tailrace/host/kafka"
	"github.com/tailrace/tailrace/test/env"
)

// built are the binaries under test, built once for the package's run.
var built struct {
	once sync.Once
	dir  string
	err  error
}

// Binaries builds the worker and the plugins as `make build` does and returns
// the folder: tailrace, plugins/.
func Binaries(t testing.TB) string {
	t.Helper()
	built.once.Do(func() {
		dir, err := os.MkdirTemp("", "tailrace-e2e-") //nolint:usetesting // outlives the test that builds them
		if err != nil {
			built.err = err
			return
		}
		built.dir = dir
		for target, out := range map[string]string{"./host/cmd/tailrace": "tailrace", "./plugins/...": "plugins/"} {
			cmd := exec.Command("go", "build", "-o", filepath.Join(dir, out)+trailing(out), target) //nolint:noctx // bounded by the test's own deadline
			cmd.Dir = Root()
			if text, err := cmd.CombinedOutput(); err != nil {
				built.err = fmt.Errorf("go build %s: %w\n%s", target, err, text)
				return
			}
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return built.dir
}

// BuildPlugin builds a plugin that only a test needs into a folder; pkg is its package, such as ./test/scale/testdata/ticker.
func BuildPlugin(t testing.TB, folder, pkg string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(folder, path.Base(pkg)), pkg)
	cmd.Dir = Root()
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build %s: %v\n%s", pkg, err, text)
	}
}

func trailing(out string) string {
	if strings.HasSuffix(out, "/") {
		return "/"
	}
	return ""
}

// Root is the folder of the module.
func Root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..")
}

// Main runs the tests of a package and removes what was built for them: call it in TestMain.
func Main(m *testing.M) {
	code := m.Run()
	if built.dir != "" {
		_ = os.RemoveAll(built.dir)
	}
	os.Exit(code) //nolint:forbidigo // it is the body of TestMain
}

// Brokers is what what every Pipeline test runs on.
func Brokers(t *testing.T, test func(t *testing.T, bootstrap string)) {
	t.Run("embedded", func(t *testing.T) { test(t, Embedded(t)) })
	t.Run("real", func(t *testing.T) { test(t, env.Kafka(t).Bootstrap) })
}

// Embedded starts an embedded broker and gives its address.
func Embedded(t testing.TB) string {
	t.Helper()
	b, err := kafka.StartEmbedded(kafka.EmbeddedConfig{DataDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b.Addr()
}
