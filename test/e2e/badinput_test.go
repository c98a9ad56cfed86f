package e2e

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tailrace/tailrace/test/env"
	"github.com/tailrace/tailrace/test/harness"
)

// Whatever is wrong with the worker's own input ends the process with a status
// other than 0 and a message that names the key or the file and says what to do.
func TestAWorkerThatCannotStartSaysWhy(t *testing.T) {
	t.Parallel()
	bin := harness.Binaries(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // local
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	dir := t.TempDir()
	corrupt := filepath.Join(dir, "corrupt.offsets")
	if err := os.WriteFile(corrupt, []byte("this is no offsets file"), 0o600); err != nil {
		t.Fatal(err)
	}
	good := map[string]string{
		"bootstrap.servers": "127.0.0.1:1", "key.converter": "StringConverter", "value.converter": "StringConverter",
		"offset.storage.file.filename": filepath.Join(dir, "offsets"), "plugin.path": filepath.Join(bin, "plugins"), "listeners": "http://127.0.0.1:0",
	}
	cases := map[string]struct {
		change map[string]string
		want   []string
	}{
		"a required key is missing":       {map[string]string{"key.converter": ""}, []string{"key.converter"}},
		"a number is no number":           {map[string]string{"offset.flush.interval.ms": "soon"}, []string{"offset.flush.interval.ms", "soon"}},
		"a converter that does not exist": {map[string]string{"value.converter": "com.example.Nope"}, []string{"value.converter", "com.example.Nope"}},
		"a port that is no port":          {map[string]string{"listeners": "http://127.0.0.1:70000"}, []string{"listeners", "70000"}},
		"a port in use":                   {map[string]string{"listeners": "http://" + taken.Addr().String()}, []string{"listeners", "in use"}},
		"a corrupt offsets file":          {map[string]string{"offset.storage.file.filename": corrupt}, []string{"offset.storage.file.filename", corrupt}},
		"an offsets file in no folder":    {map[string]string{"offset.storage.file.filename": filepath.Join(dir, "no", "offsets")}, []string{"offset.storage.file.filename", "no"}},
		"a broker that does not answer":   {map[string]string{}, []string{"bootstrap.servers", "127.0.0.1:1"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var text strings.Builder
			for k, v := range good {
				if changed, ok := c.change[k]; ok {
					v = changed
				}
				if v != "" {
					fmt.Fprintf(&text, "%s=%s\n", k, v)
				}
			}
			for k, v := range c.change {
				if _, ok := good[k]; !ok {
					fmt.Fprintf(&text, "%s=%s\n", k, v)
				}
			}
			file := filepath.Join(t.TempDir(), "worker.properties")
			if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
				t.Fatal(err)
			}
			expectExit(t, c.want, filepath.Join(bin, "tailrace"), "standalone", file)
		})
	}
	t.Run("no such worker file", func(t *testing.T) {
		missing := filepath.Join(dir, "missing.properties")
		expectExit(t, []string{missing}, filepath.Join(bin, "tailrace"), "standalone", missing)
	})
	t.Run("a connector file that is no JSON", func(t *testing.T) {
		var text strings.Builder
		for k, v := range good {
			fmt.Fprintf(&text, "%s=%s\n", k, v)
		}
		file, connector := filepath.Join(t.TempDir(), "worker.properties"), filepath.Join(t.TempDir(), "c.json")
		for f, content := range map[string]string{file: text.String(), connector: "{\"name\": \"x\",\n oops}"} {
			if err := os.WriteFile(f, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		expectExit(t, []string{connector, ":2"}, filepath.Join(bin, "tailrace"), "standalone", file, connector)
	})
}

// expectExit runs a command that must fail within the time a worker may take to
// find its broker missing, and say all of want.
func expectExit(t *testing.T, want []string, name string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 45*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || ctx.Err() != nil || exit.ExitCode() <= 0 {
		t.Fatalf("got %v, want an exit status above 0 by itself; output:\n%s", err, out)
	}
	for _, w := range want {
		if !strings.Contains(string(out), w) {
			t.Errorf("the message does not say %q:\n%s", w, out)
		}
	}
}

// Bad connector input is refused by validation or shown in the status, and harms nobody else.
func TestBadConnectorInputIsToldWhereItBelongs(t *testing.T) {
	broker := env.Kafka(t)
	w := harness.Start(t, harness.Config{Bootstrap: broker.Bootstrap})
	p := harness.StartPipeline(t, w, 10_000, harness.Props{})
	p.AwaitLines(10_000, 30*time.Second)

	for name, c := range map[string]struct {
		config map[string]string
		want   string
	}{
		"missing topic":        {map[string]string{"connector.class": harness.SourceClass, "file": p.Input}, "topic"},
		"batch.size no number": {map[string]string{"connector.class": harness.SourceClass, "topic": "x", "file": p.Input, "batch.size": "many"}, "batch.size"},
		"tasks.max zero":       {map[string]string{"connector.class": harness.SourceClass, "topic": "x", "file": p.Input, "tasks.max": "0"}, "tasks.max"},
		"unknown class":        {map[string]string{"connector.class": "com.example.Nope"}, "com.example.Nope"},
		"sink without topics":  {map[string]string{"connector.class": harness.SinkClass, "file": p.Output}, "topics"},
	} {
		status, body := w.REST("POST", "/connectors", map[string]any{"name": "bad", "config": c.config})
		if status != 400 || !strings.Contains(body, c.want) {
			t.Errorf("%s: %d %s, want 400 naming %q", name, status, body, c.want)
		}
	}

	t.Run("a message larger than the broker takes", func(t *testing.T) {
		big := filepath.Join(t.TempDir(), "big.txt")
		if err := os.WriteFile(big, []byte("first\n"+strings.Repeat("x", 3<<20)+"\nlast\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		w.CreateOnly("big", map[string]string{
			"connector.class": harness.SourceClass, "topic": env.Name(t), "file": big, "line.max.bytes": "4000000",
			"topic.creation.default.partitions": "1", "topic.creation.default.replication.factor": "1",
		})
		w.FailsWith("big", "max.request.size")
	})
	t.Run("a sink file in an unwritable folder", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "no", "such", "folder", "out.txt")
		w.CreateOnly("unwritable", map[string]string{"connector.class": harness.SinkClass, "topics": p.Topic, "file": path})
		w.FailsWith("unwritable", path)
	})
	t.Run("a full disk", func(t *testing.T) {
		if _, err := os.Stat("/dev/full"); err != nil {
			t.Fatal(err)
		}
		w.CreateOnly("full", map[string]string{"connector.class": harness.SinkClass, "topics": p.Topic, "file": "/dev/full"})
		w.SaysInStatus("full", "RUNNING", "no space left") // retried: room can be made
	})
	s, text := w.Status("source")
	if s.Connector.State != "RUNNING" || s.Tasks[0].State != "RUNNING" {
		t.Errorf("the good connector suffers: %s", text)
	}
}

// A broker that is away for a while: records wait and arrive when it is back.
func TestABrokerThatGoesAwayAndComesBackLosesNothing(t *testing.T) {
	broker := env.PrivateKafka(t, nil)
	w := harness.Start(t, harness.Config{Bootstrap: broker.Bootstrap})
	p := harness.StartPipeline(t, w, 200_000, harness.Props{})
	p.AwaitLines(1000, 30*time.Second)
	broker.Kill()
	pid := w.PID()
	outage := 5 * time.Second // several retries of every client
	if *long {
		outage = time.Minute
	}
	<-time.After(outage)
	broker.Start(t)
	p.Grow(p.Lines + 1) // when it arrives, every repeat before it has
	p.AwaitLine(p.Lines-1, 90*time.Second)
	w.Stop()
	t.Logf("%d lines repeated", p.Complete())
	if w.PID() != pid {
		t.Error("the worker was started anew")
	}
}
