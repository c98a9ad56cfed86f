package e2e

import (
	"bufio"
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/tailrace/tailrace/test/env"
)

// pipeline is a file on its way through a topic into another file.
type pipeline struct {
	w             *worker
	topic         string
	input, output string
	lines         int
}

const (
	sourceClass = "FileStreamSource"
	sinkClass   = "FileStreamSink"
)

func startPipeline(t testing.TB, w *worker, lines int, sinkProps map[string]string) *pipeline {
	t.Helper()
	p := &pipeline{w: w, topic: env.Name(t), input: writeLines(t, lines), output: filepath.Join(t.TempDir(), "output.txt"), lines: lines}
	sink := map[string]string{"connector.class": sinkClass, "topics": p.topic, "file": p.output, "tasks.max": "1"}
	for k, v := range sinkProps {
		sink[k] = v
	}
	w.create("source", map[string]string{
		"connector.class": sourceClass, "topic": p.topic, "file": p.input, "tasks.max": "1",
		"topic.creation.default.partitions": "1", "topic.creation.default.replication.factor": "1",
	})
	w.create("sink", sink)
	return p
}

// awaitLines waits until the output has at least n lines.
func (p *pipeline) awaitLines(n int, within time.Duration) {
	p.w.t.Helper()
	eventually(p.w.t, within, fmt.Sprintf("%d lines in the sink file", n), func() (bool, string) {
		got := lineCount(p.output)
		return got >= n, strconv.Itoa(got) + " lines"
	})
}

// awaitLine waits until the output ends with input line n or a later one. Repeats
// do not count, as with awaitLines they would.
func (p *pipeline) awaitLine(n int, within time.Duration) {
	p.w.t.Helper()
	eventually(p.w.t, within, fmt.Sprintf("input line %d in the sink file", n), func() (bool, string) {
		last := lastLine(p.output)
		if len(last) < 9 {
			return false, last
		}
		at, err := strconv.Atoi(last[:9])
		return err == nil && at >= n, last
	})
}

// equal wants the output to be the input, byte for byte.
func (p *pipeline) equal() {
	p.w.t.Helper()
	in, err := os.ReadFile(p.input)
	if err != nil {
		p.w.t.Fatal(err)
	}
	out, err := os.ReadFile(p.output)
	if err != nil {
		p.w.t.Fatal(err)
	}
	if !bytes.Equal(in, out) {
		p.w.t.Fatalf("the sink file differs from the input: %d bytes in %d lines, want %d in %d", len(out), bytes.Count(out, []byte{'\n'}), len(in), bytes.Count(in, []byte{'\n'}))
	}
}

// grow appends numbered lines to the input until it has n.
func (p *pipeline) grow(n int) {
	p.w.t.Helper()
	f, err := os.OpenFile(p.input, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		p.w.t.Fatal(err)
	}
	numberedLines(p.w.t, f, p.lines, n)
	p.lines = n
}

// complete wants every line of the input in the output, in order when repeats
// are left out, and returns how many lines came more than once. A repeat goes
// back to an earlier line and runs on from there: at-least-once with order kept.
func (p *pipeline) complete() (repeated int) {
	p.w.t.Helper()
	f, err := os.Open(p.output)
	if err != nil {
		p.w.t.Fatal(err)
	}
	defer f.Close()
	next, highest, n := 0, 0, 0
	for sc := bufio.NewScanner(f); sc.Scan(); n++ {
		number, err := strconv.Atoi(sc.Text()[:9])
		if err != nil {
			p.w.t.Fatalf("line %d is not one of the input: %q", n, sc.Text())
		}
		switch {
		case number == next:
		case number < next: // I-6: a repeat starts at an earlier line and keeps the order from there
		default:
			p.w.t.Fatalf("line %d of the sink file is input line %d, want %d or an earlier one: lines are missing", n, number, next)
		}
		next = number + 1
		highest = max(highest, next)
	}
	if highest != p.lines || next != p.lines {
		p.w.t.Fatalf("the sink file ends with input line %d and reaches %d, want %d", next-1, highest-1, p.lines-1)
	}
	return n - p.lines
}

// A newcomer's pipeline: what comes out is what went in.
func TestAFileArrivesThroughKafkaLineForLine(t *testing.T) {
	brokers(t, func(t *testing.T, bootstrap string) {
		p := startPipeline(t, startWorker(t, workerConfig{bootstrap: bootstrap}), 200_000, nil)
		p.awaitLines(p.lines, 60*time.Second)
		p.equal()
	})
}

// I-1, I-2, I-6, I-10: plugins that die at random moments lose nothing, keep
// the order, and are back within a second; the worker lives on.
func TestKilledPluginsLoseNothing(t *testing.T) {
	brokers(t, func(t *testing.T, bootstrap string) {
		lines, kills := 1_000_000, 10
		if *long {
			lines, kills = 20_000_000, 200
		}
		w := startWorker(t, workerConfig{bootstrap: bootstrap})
		p := startPipeline(t, w, 0, nil)
		var recoveries []time.Duration
		random := seeded(t)
		for i := range kills {
			for j, name := range []string{"source", "sink"} {
				from := p.lines
				p.grow((2*i + j + 1) * (lines - 1) / (2 * kills))
				// The moment: when a random part of what is new has arrived.
				p.awaitLine(from+random.IntN(p.lines-from), 60*time.Second)
				recoveries = append(recoveries, w.killAndRecover("file-"+name, name))
			}
		}
		p.grow(lines) // a last line: when it arrives, every repeat before it has
		p.awaitLine(lines-1, 120*time.Second)
		w.stop()
		repeated := p.complete()
		slices.Sort(recoveries)
		t.Logf("%d kills, %d lines repeated of %d; recovery: median %v, longest %v", len(recoveries), repeated, lines, recoveries[len(recoveries)/2], recoveries[len(recoveries)-1])
	})
}

func seeded(t *testing.T) *rand.Rand {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 1))
}

// killAndRecover kills the processes of a plugin with SIGKILL and returns how long
// it took until another process was there and the task RUNNING.
func (w *worker) killAndRecover(plugin, connector string) time.Duration {
	w.t.Helper()
	pid := w.cmd.Process.Pid
	before := w.plugins(plugin)
	if len(before) == 0 {
		w.t.Fatalf("no %s process is running", plugin)
	}
	for _, victim := range before {
		if err := syscall.Kill(victim, syscall.SIGKILL); err != nil {
			w.t.Fatal(err)
		}
	}
	start := time.Now()
	eventually(w.t, 10*time.Second, plugin+" is back", func() (bool, string) {
		now := w.plugins(plugin)
		fresh := slices.ContainsFunc(now, func(pid int) bool { return !slices.Contains(before, pid) })
		s, text := w.status(connector)
		return fresh && len(s.Tasks) == 1 && s.Tasks[0].State == "RUNNING", fmt.Sprint(now, " ", text)
	})
	took := time.Since(start)
	if took > time.Second {
		w.t.Errorf("recovery of %s took %v, want at most 1 s (I-10)", plugin, took)
	}
	if !w.running() || w.cmd.Process.Pid != pid {
		w.t.Fatal("the worker did not survive its plugin")
	}
	return took
}

// I-10: a worker that dies takes its plugins along within a second; the next
// one goes on from the durable offsets.
func TestAKilledWorkerLeavesNoPluginAndLosesNothing(t *testing.T) {
	brokers(t, func(t *testing.T, bootstrap string) {
		const lines = 300_000
		dir := t.TempDir()
		// The group must notice the death: by default that takes 45 s, as with Kafka Connect.
		w := startWorker(t, workerConfig{bootstrap: bootstrap, dir: dir, props: map[string]string{"consumer.session.timeout.ms": "6000"}})
		p := startPipeline(t, w, lines, nil)
		p.awaitLines(lines/10, 60*time.Second)
		family := descendants(w.cmd.Process.Pid)
		if len(family) < 2 {
			t.Fatalf("expected two plugin processes at least, found %v", family)
		}
		w.kill()
		eventually(t, time.Second, "all plugin processes are gone (I-10)", func() (bool, string) {
			table := processes()
			left := slices.DeleteFunc(slices.Clone(family), func(pid int) bool { return table[pid] == nil })
			return len(left) == 0, fmt.Sprint("left: ", left)
		})
		w.start()
		w.create("source", map[string]string{"connector.class": sourceClass, "topic": p.topic, "file": p.input})
		w.create("sink", map[string]string{"connector.class": sinkClass, "topics": p.topic, "file": p.output})
		p.awaitLine(lines-1, 60*time.Second)
		w.stop()
		t.Logf("%d lines repeated of %d", p.complete(), lines)
	})
}

func descendants(pid int) (pids []int) {
	for _, p := range processes() {
		if p.parentHas(pid) {
			pids = append(pids, p.pid)
		}
	}
	return pids
}

func lastLine(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return ""
	}
	buf := make([]byte, min(st.Size(), 4096))
	if _, err := f.ReadAt(buf, st.Size()-int64(len(buf))); err != nil {
		return ""
	}
	buf = bytes.TrimRight(buf, "\n")
	return string(buf[bytes.LastIndexByte(buf, '\n')+1:])
}

// Pause stops the flow without losing the place; resume goes on.
func TestPauseAndResume(t *testing.T) {
	brokers(t, func(t *testing.T, bootstrap string) {
		w := startWorker(t, workerConfig{bootstrap: bootstrap})
		p := startPipeline(t, w, 1000, nil)
		p.awaitLines(1000, 30*time.Second)
		for _, name := range []string{"source", "sink"} {
			if status, body := w.rest("PUT", "/connectors/"+name+"/pause", nil); status != 202 {
				t.Fatalf("pause: %d %s", status, body)
			}
			w.awaitState(name, "PAUSED", 1)
		}
		p.grow(2000)
		for _, name := range []string{"source", "sink"} {
			if n := lineCount(p.output); n != 1000 {
				t.Fatalf("%d lines arrived while all is paused", n)
			}
			if status, body := w.rest("PUT", "/connectors/"+name+"/resume", nil); status != 202 {
				t.Fatalf("resume: %d %s", status, body)
			}
			w.awaitState(name, "RUNNING", 1)
			if name == "source" && lineCount(p.output) != 1000 {
				t.Fatal("lines arrived while the sink is paused")
			}
		}
		p.awaitLines(2000, 30*time.Second)
		p.equal()
	})
}
