package e2e

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/tailrace/tailrace/test/harness"
)

const (
	fileSourceJavaClass = "org.apache.kafka.connect.file.FileStreamSourceConnector"
	pluginFolderMode    = 0o700
)

// A plugin that is dropped into the folder can be used within two seconds, one that is
// replaced takes over its running tasks without a line lost or repeated, and one
// that is removed goes on where it runs.
func TestPluginsComeChangeAndGoWhileTheWorkerRuns(t *testing.T) {
	harness.Brokers(t, func(t *testing.T, bootstrap string) {
		bin := harness.Binaries(t)
		dir := t.TempDir()
		copyProgram(t, filepath.Join(bin, "plugins", "file-sink"), filepath.Join(dir, "file-sink"))
		w := harness.Start(t, harness.Config{Bootstrap: bootstrap, PluginPath: dir})
		config := map[string]string{"connector.class": harness.SourceClass, "topic": "x", "file": "/nowhere"}
		if status, body := w.REST("POST", "/connectors", map[string]any{"name": "early", "config": config}); status != 400 {
			t.Fatalf("a connector whose plugin is not there: %d %s, want 400", status, body)
		}

		copyProgram(t, filepath.Join(bin, "plugins", "file-source"), filepath.Join(dir, "file-source"))
		dropped := time.Now()
		harness.Eventually(t, 2*time.Second, "the dropped plugin is usable", func() (bool, string) {
			status, body := w.REST("PUT", "/connector-plugins/"+harness.SourceClass+"/config/validate", map[string]string{"connector.class": harness.SourceClass, "name": "n", "topic": "x"})
			return status == 200, fmt.Sprint(status, " ", body)
		})
		t.Logf("usable %v after it was dropped", time.Since(dropped))

		p := harness.StartPipeline(t, w, 300_000, harness.Props{})
		p.AwaitLines(20_000, 30*time.Second)
		before := w.OnlyProcess("file-source")
		replaceWithNewVersion(t, filepath.Join(dir, "file-source"))
		harness.Eventually(t, 10*time.Second, "the old version is no longer in use", func() (bool, string) {
			now := w.Plugins("file-source")
			_, text := w.Status("source")
			return !slices.Contains(now, before), fmt.Sprint(now, " ", text)
		})
		w.AwaitState("source", "RUNNING", 1)
		after := w.OnlyProcess("file-source")
		if v, _ := w.Offered("file-source"); v != "9.9.9" {
			t.Errorf("file-source is offered in version %q, want the new one, 9.9.9", v)
		}

		if err := os.Remove(filepath.Join(dir, "file-source")); err != nil {
			t.Fatal(err)
		}
		harness.Eventually(t, 5*time.Second, "the removed plugin is no longer offered", func() (bool, string) {
			v, ok := w.Offered(fileSourceJavaClass)
			return !ok, v
		})
		p.AwaitLines(p.Lines, 60*time.Second)
		p.Equal() // a graceful restart repeats nothing
		if now := w.Plugins("file-source"); !slices.Contains(now, after) {
			t.Errorf("the removed plugin's process %d is not among %v: it should go on", after, now)
		}
	})
}

// copyProgram copies an executable slowly enough that a watcher sees it half done.
func copyProgram(t *testing.T, from, to string) {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, pluginFolderMode)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
}

// replaceWithNewVersion builds file-source under another version and renames it over the old one.
func replaceWithNewVersion(t *testing.T, path string) {
	t.Helper()
	fresh := path + ".new"
	cmd := exec.CommandContext(t.Context(), "go", "build", "-ldflags", "-X main.version=9.9.9", "-o", fresh, "./plugins/file-source")
	cmd.Dir = harness.Root()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	if err := os.Rename(fresh, path); err != nil {
		t.Fatal(err)
	}
}
