package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// offered returns the version under which the worker offers a connector class.
func (w *worker) offered(class string) (string, bool) {
	_, body := w.rest("GET", "/connector-plugins", nil)
	var plugins []struct{ Class, Version string }
	if err := json.Unmarshal([]byte(body), &plugins); err != nil {
		return "", false
	}
	for _, p := range plugins {
		if p.Class == class {
			return p.Version, true
		}
	}
	return "", false
}

const (
	fileSourceJavaClass = "org.apache.kafka.connect.file.FileStreamSourceConnector"
	pluginFolderMode    = 0o700
)

// A plugin that is dropped into the folder can be used within two seconds, one that is
// replaced takes over its running tasks without a line lost or repeated, and one
// that is removed goes on where it runs.
func TestPluginsComeChangeAndGoWhileTheWorkerRuns(t *testing.T) {
	brokers(t, func(t *testing.T, bootstrap string) {
		bin := binaries(t)
		dir := t.TempDir()
		copyProgram(t, filepath.Join(bin, "plugins", "file-sink"), filepath.Join(dir, "file-sink"))
		w := startWorker(t, workerConfig{bootstrap: bootstrap, pluginPath: dir})
		config := map[string]string{"connector.class": sourceClass, "topic": "x", "file": "/nowhere"}
		if status, body := w.rest("POST", "/connectors", map[string]any{"name": "early", "config": config}); status != 400 {
			t.Fatalf("a connector whose plugin is not there: %d %s, want 400", status, body)
		}

		copyProgram(t, filepath.Join(bin, "plugins", "file-source"), filepath.Join(dir, "file-source"))
		dropped := time.Now()
		eventually(t, 2*time.Second, "the dropped plugin is usable", func() (bool, string) {
			status, body := w.rest("PUT", "/connector-plugins/"+sourceClass+"/config/validate", map[string]string{"connector.class": sourceClass, "name": "n", "topic": "x"})
			return status == 200, fmt.Sprint(status, " ", body)
		})
		t.Logf("usable %v after it was dropped", time.Since(dropped))

		p := startPipeline(t, w, 300_000, nil)
		p.awaitLines(20_000, 30*time.Second)
		before := w.onlyProcess("file-source")
		replaceWithNewVersion(t, filepath.Join(dir, "file-source"))
		eventually(t, 10*time.Second, "the old version is no longer in use", func() (bool, string) {
			now := w.plugins("file-source")
			_, text := w.status("source")
			return !slices.Contains(now, before), fmt.Sprint(now, " ", text)
		})
		w.awaitState("source", "RUNNING", 1)
		after := w.onlyProcess("file-source")
		if v, _ := w.offered("file-source"); v != "9.9.9" {
			t.Errorf("file-source is offered in version %q, want the new one, 9.9.9", v)
		}

		if err := os.Remove(filepath.Join(dir, "file-source")); err != nil {
			t.Fatal(err)
		}
		eventually(t, 5*time.Second, "the removed plugin is no longer offered", func() (bool, string) {
			v, ok := w.offered(fileSourceJavaClass)
			return !ok, v
		})
		p.awaitLines(p.lines, 60*time.Second)
		p.equal() // a graceful restart repeats nothing
		if now := w.plugins("file-source"); !slices.Contains(now, after) {
			t.Errorf("the removed plugin's process %d is not among %v: it should go on", after, now)
		}
	})
}

// onlyProcess waits until a plugin has one process: one that answered a
// validation stays for a while, in case of another.
func (w *worker) onlyProcess(name string) (pid int) {
	w.t.Helper()
	eventually(w.t, 30*time.Second, name+" has one process", func() (bool, string) {
		now := w.plugins(name)
		if len(now) == 1 {
			pid = now[0]
		}
		return len(now) == 1, fmt.Sprint(now)
	})
	return pid
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
	cmd.Dir = root()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	if err := os.Rename(fresh, path); err != nil {
		t.Fatal(err)
	}
}
