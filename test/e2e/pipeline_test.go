package e2e

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/tailrace/tailrace/test/harness"
)

// A newcomer's Pipeline: what comes out is what went in.
func TestAFileArrivesThroughKafkaLineForLine(t *testing.T) {
	harness.Brokers(t, func(t *testing.T, bootstrap string) {
		p := harness.StartPipeline(t, harness.Start(t, harness.Config{Bootstrap: bootstrap}), 200_000, harness.Props{})
		p.AwaitLines(p.Lines, 60*time.Second)
		p.Equal()
	})
}

// I-1, I-2, I-6, I-10: plugins that die at random moments lose nothing, keep
// the order, and are back within a second; the worker lives on.
func TestKilledPluginsLoseNothing(t *testing.T) {
	harness.Brokers(t, func(t *testing.T, bootstrap string) {
		lines, kills := 1_000_000, 10
		if *long {
			lines, kills = 20_000_000, 200
		}
		w := harness.Start(t, harness.Config{Bootstrap: bootstrap})
		p := harness.StartPipeline(t, w, 0, harness.Props{})
		var recoveries []time.Duration
		random := seeded(t)
		for i := range kills {
			for j, name := range []string{"source", "sink"} {
				from := p.Lines
				p.Grow((2*i + j + 1) * (lines - 1) / (2 * kills))
				// The moment: when a random part of what is new has arrived.
				p.AwaitLine(from+random.IntN(p.Lines-from), 60*time.Second)
				recoveries = append(recoveries, w.KillAndRecover("file-"+name, name, time.Second))
			}
		}
		p.Grow(lines) // a last line: when it arrives, every repeat before it has
		p.AwaitLine(lines-1, 120*time.Second)
		w.Stop()
		repeated := p.Complete()
		slices.Sort(recoveries)
		t.Logf("%d kills, %d lines repeated of %d; recovery: median %v, longest %v", len(recoveries), repeated, lines, recoveries[len(recoveries)/2], recoveries[len(recoveries)-1])
	})
}

func seeded(t *testing.T) *rand.Rand {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 1))
}

// I-10: a worker that dies takes its plugins along within a second; the next
// one goes on from the durable offsets.
func TestAKilledWorkerLeavesNoPluginAndLosesNothing(t *testing.T) {
	harness.Brokers(t, func(t *testing.T, bootstrap string) {
		const lines = 300_000
		dir := t.TempDir()
		// The group must notice the death: by default that takes 45 s, as with Kafka Connect.
		w := harness.Start(t, harness.Config{Bootstrap: bootstrap, Dir: dir, Props: map[string]string{"consumer.session.timeout.ms": "6000"}})
		p := harness.StartPipeline(t, w, lines, harness.Props{})
		p.AwaitLines(lines/10, 60*time.Second)
		family := harness.Descendants(w.PID())
		if len(family) < 2 {
			t.Fatalf("expected two plugin processes at least, found %v", family)
		}
		w.Kill()
		harness.Eventually(t, time.Second, "all plugin processes are gone (I-10)", func() (bool, string) {
			table := harness.Processes()
			left := slices.DeleteFunc(slices.Clone(family), func(pid int) bool { return table[pid] == nil })
			return len(left) == 0, fmt.Sprint("left: ", left)
		})
		w.Start()
		w.Create("source", map[string]string{"connector.class": harness.SourceClass, "topic": p.Topic, "file": p.Input})
		w.Create("sink", map[string]string{"connector.class": harness.SinkClass, "topics": p.Topic, "file": p.Output})
		p.AwaitLine(lines-1, 60*time.Second)
		w.Stop()
		t.Logf("%d lines repeated of %d", p.Complete(), lines)
	})
}

// Pause stops the flow without losing the place; resume goes on.
func TestPauseAndResume(t *testing.T) {
	harness.Brokers(t, func(t *testing.T, bootstrap string) {
		w := harness.Start(t, harness.Config{Bootstrap: bootstrap})
		p := harness.StartPipeline(t, w, 1000, harness.Props{})
		p.AwaitLines(1000, 30*time.Second)
		for _, name := range []string{"source", "sink"} {
			if status, body := w.REST("PUT", "/connectors/"+name+"/pause", nil); status != 202 {
				t.Fatalf("pause: %d %s", status, body)
			}
			w.AwaitState(name, "PAUSED", 1)
		}
		p.Grow(2000)
		for _, name := range []string{"source", "sink"} {
			if n := harness.LineCount(p.Output); n != 1000 {
				t.Fatalf("%d lines arrived while all is paused", n)
			}
			if status, body := w.REST("PUT", "/connectors/"+name+"/resume", nil); status != 202 {
				t.Fatalf("resume: %d %s", status, body)
			}
			w.AwaitState(name, "RUNNING", 1)
			if name == "source" && harness.LineCount(p.Output) != 1000 {
				t.Fatal("lines arrived while the sink is paused")
			}
		}
		p.AwaitLines(2000, 30*time.Second)
		p.Equal()
	})
}
