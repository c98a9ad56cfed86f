package e2e

import (
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/tailrace/tailrace/test/env"
	"github.com/tailrace/tailrace/test/harness"
)

// hostileCalls are the calls that the scripted plugin of host/plugin/testdata/hostile
// can spoil through a connector's configuration, by the kind of connector that makes them.
var hostileCalls = map[string][]string{
	"hostile-source": {"validate", "open", "configs", "stop", "read", "poll", "drain"},
	"hostile-sink":   {"open", "assign", "put", "flush", "drain"},
}

// I-3: whatever a plugin does in whatever call, a worker that runs twelve of its connectors answers
// in time, another connector keeps its throughput, and nothing is left when they are deleted.
func TestHostileConnectorsHarmNobodyElse(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"file-source", "file-sink"} {
		copyProgram(t, filepath.Join(harness.Binaries(t), "plugins", name), filepath.Join(dir, name))
	}
	harness.BuildPlugin(t, dir, "./host/plugin/testdata/hostile")
	w := harness.Start(t, harness.Config{Bootstrap: env.Kafka(t).Bootstrap, PluginPath: dir})
	p := harness.StartPipeline(t, w, 0, harness.Props{})

	// How long a portion takes through the good pipeline while nothing else runs.
	var alone []time.Duration
	for range 5 {
		alone = append(alone, portion(p))
	}
	slices.Sort(alone)
	usual := alone[len(alone)/2]

	for _, behaviour := range []string{"hang", "fail", "exit", "kill", "panic", "flood", "garbage", "fork", "detach", "memory"} {
		t.Run(behaviour, func(t *testing.T) {
			names := startHostile(w, p.Topic, behaviour)
			took := portion(p)
			t.Logf("a portion took %v, %v alone", took, usual)
			// The two cores are shared with what the others burn; starving looks different.
			if limit := 8*usual + 4*time.Second; took > limit {
				t.Errorf("a portion took %v beside hostile connectors, %v alone: more than %v", took, usual, limit)
			}
			deleteAll(w, names)
			harness.Eventually(t, 15*time.Second, "no process of the hostile plugin is left", func() (bool, string) {
				left := w.Plugins("hostile")
				for _, p := range harness.Processes() { // forked children, detached ones too
					if p.Cmdline == "/bin/sleep 4242 " {
						left = append(left, p.PID)
					}
				}
				return len(left) == 0, fmt.Sprint(left)
			})
		})
	}
	p.Complete()
}

// portion sends lines through the pipeline and tells how long they took.
func portion(p *harness.Pipeline) time.Duration {
	p.Worker.T.Helper()
	start := time.Now()
	p.Grow(p.Lines + 50_000)
	p.AwaitLine(p.Lines-1, 60*time.Second)
	return time.Since(start)
}

// startHostile creates a connector for every call, all at once. Each answer must come in
// bounded time; what it is depends on the call.
func startHostile(w *harness.Worker, topic, behaviour string) (names []string) {
	w.T.Helper()
	var wg sync.WaitGroup
	for class, calls := range hostileCalls {
		for _, call := range calls {
			name := class + "-" + call + "-" + behaviour
			names = append(names, name)
			wg.Go(func() {
				start := time.Now()
				config := map[string]string{"connector.class": class, "hostile": call + "=" + behaviour, "process.memory.limit": "64Mi"}
				if class == "hostile-sink" {
					config["topics"] = topic
				}
				status, body := w.REST("POST", "/connectors", map[string]any{"name": name, "config": config})
				if status != 201 && status != 400 {
					w.T.Errorf("POST %s: %d %s, want 201 or 400", name, status, body)
				}
				if took := time.Since(start); took > 25*time.Second {
					w.T.Errorf("POST %s took %v", name, took)
				}
			})
		}
	}
	// Meanwhile the worker answers others at once.
	for range 20 {
		start := time.Now()
		if status, body := w.REST("GET", "/connectors?expand=status", nil); status != 200 {
			w.T.Errorf("GET /connectors: %d %s", status, body)
		}
		if took := time.Since(start); took > time.Second {
			w.T.Errorf("GET /connectors took %v while hostile connectors start", took)
		}
	}
	wg.Wait()
	return names
}

// deleteAll deletes connectors at the same time; one that was refused is not there.
func deleteAll(w *harness.Worker, names []string) {
	w.T.Helper()
	var wg sync.WaitGroup
	for _, name := range names {
		wg.Go(func() {
			if status, body := w.REST("DELETE", "/connectors/"+name, nil); status != 204 && status != 404 {
				w.T.Errorf("DELETE %s: %d %s", name, status, body)
			}
		})
	}
	wg.Wait()
}
