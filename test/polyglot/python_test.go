package polyglot

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tailrace/tailrace/test/env"
)

// recoveryBound is for the whole of a recovery: the host's decision (at most a second, I-10), the start of a Python
// interpreter with grpc on a busy machine, and the start of the task.
const recoveryBound = 5 * time.Second

// I-7: the value encoding in Python passes the golden vectors, and both plugins keep the protocol's rules against a
// host that was written in Python from the same page.
func TestThePythonPluginsKeepTheProtocol(t *testing.T) {
	home, err := setup()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), filepath.Join(home, "venv", "bin", "python"), "-m", "unittest", "-v")
	cmd.Dir = "python"
	cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}

// side is a connector on one side of a pipeline.
type side struct {
	class   string
	process string // part of its command line, when it is to be killed
}

var (
	pySource = side{"py-file-source", "pyfile_source.py"}
	pySink   = side{"py-file-sink", "plugins/py-file-sink"}
	goSource = side{class: "FileStreamSource"}
	goSink   = side{class: "FileStreamSink"}
)

var pipelines = []struct {
	name         string
	source, sink side
}{
	{"Python to Python", pySource, pySink},
	{"Go to Python", goSource, pySink},
	{"Python to Go", pySource, goSink},
}

// pipeline is a file on its way through a topic into another file.
type pipeline struct {
	w             *worker
	input, output string
	lines         int // in the input
}

func startPipeline(t *testing.T, bootstrap string, source, sink side) *pipeline {
	t.Helper()
	dir := t.TempDir()
	p := &pipeline{w: startWorker(t, bootstrap), input: filepath.Join(dir, "input.txt"), output: filepath.Join(dir, "output.txt")}
	topic := env.Name(t)
	p.w.create("source", map[string]string{
		"connector.class": source.class, "topic": topic, "file": p.input, "tasks.max": "1",
		"topic.creation.default.partitions": "1", "topic.creation.default.replication.factor": "1",
	})
	p.w.create("sink", map[string]string{"connector.class": sink.class, "topics": topic, "file": p.output, "tasks.max": "1"})
	return p
}

// write appends n numbered lines of about 100 bytes to the input.
func (p *pipeline) write(n int) {
	p.w.t.Helper()
	f, err := os.OpenFile(p.input, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		p.w.t.Fatal(err)
	}
	w := bufio.NewWriterSize(f, 1<<20)
	for range n {
		fmt.Fprintf(w, "%09d %s\n", p.lines, strings.Repeat("grüße ", 8+p.lines%7))
		p.lines++
	}
	if err := errors.Join(w.Flush(), f.Close()); err != nil {
		p.w.t.Fatal(err)
	}
}

func (p *pipeline) awaitLines(n int, within time.Duration) {
	p.w.t.Helper()
	eventually(p.w.t, within, fmt.Sprintf("%d lines in the sink file", n), func() (bool, string) {
		got := lineCount(p.output)
		return got >= n, strconv.Itoa(got) + " lines"
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
		p.w.t.Fatalf("the sink file differs from the input: %d bytes in %d lines, want %d in %d", len(out), bytes.Count(out, []byte{'\n'}), len(in), p.lines)
	}
}

// complete wants every line of the input in the output, in order when repeats are left out, and returns how many came
// more than once. A repeat goes back to an earlier line and runs on from there.
func (p *pipeline) complete() (repeated int) {
	p.w.t.Helper()
	f, err := os.Open(p.output)
	if err != nil {
		p.w.t.Fatal(err)
	}
	defer f.Close()
	next, n := 0, 0
	for sc := bufio.NewScanner(f); sc.Scan(); n++ {
		if len(sc.Text()) < 9 {
			p.w.t.Fatalf("line %d is not one of the input: %q", n, sc.Text())
		}
		number, err := strconv.Atoi(sc.Text()[:9])
		if err != nil {
			p.w.t.Fatalf("line %d is not one of the input: %q", n, sc.Text())
		}
		if number > next { // I-6: a repeat starts at an earlier line and keeps the order from there
			p.w.t.Fatalf("line %d of the sink file is input line %d, want %d or an earlier one: lines are missing", n, number, next)
		}
		next = number + 1
	}
	if next != p.lines {
		p.w.t.Fatalf("the sink file ends with input line %d, want %d", next-1, p.lines-1)
	}
	return n - p.lines
}

// A plugin without an SDK takes part like any other.
func TestAFileArrivesThroughPythonLineForLine(t *testing.T) {
	brokers(t, func(t *testing.T, bootstrap string) {
		p := startPipeline(t, bootstrap, pySource, pySink)
		start := time.Now()
		p.write(300_000)
		p.awaitLines(p.lines, 60*time.Second)
		t.Logf("%d lines in %v", p.lines, time.Since(start).Round(10*time.Millisecond))
		p.w.stop()
		p.equal()
	})
}

// I-1, I-2, I-6, I-10: Python plugins that die at random moments lose nothing and keep the order.
func TestKilledPythonPluginsLoseNothing(t *testing.T) {
	brokers(t, func(t *testing.T, bootstrap string) {
		for _, c := range pipelines {
			t.Run(c.name, func(t *testing.T) {
				const kills = 4
				p := startPipeline(t, bootstrap, c.source, c.sink)
				recoveries := p.kill(t, kills, c.source, c.sink)
				eventually(t, 90*time.Second, "the last line arrived", func() (bool, string) {
					last := lastLine(p.output)
					return bytes.HasPrefix(last, fmt.Appendf(nil, "%09d ", p.lines-1)), string(last)
				})
				p.w.stop() // the last flush
				t.Logf("%d kills, %d lines repeated of %d; recovery: median %v, longest %v", len(recoveries), p.complete(), p.lines, recoveries[len(recoveries)/2], recoveries[len(recoveries)-1])
				if c.source.process == "" {
					p.equal() // nothing upstream was killed, and the Python sink writes each record once
				}
			})
		}
	})
}

// kill kills each Python process of the pipeline n times with SIGKILL, at random moments while lines flow, and returns
// the times to recovery, sorted.
func (p *pipeline) kill(t *testing.T, n int, source, sink side) (recoveries []time.Duration) {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	for i := range n {
		for connector, s := range map[string]side{"source": source, "sink": sink} {
			if s.process == "" {
				continue
			}
			const flow = 100_000
			p.awaitLines(p.lines, 60*time.Second)
			p.write(flow)
			p.awaitLines(p.lines-flow+random.IntN(flow/2), 60*time.Second)
			before := p.w.processes(s.process)
			if len(before) == 0 {
				t.Fatalf("kill %d: no process of %s is running", i, s.class)
			}
			for _, victim := range before {
				if err := syscall.Kill(victim, syscall.SIGKILL); err != nil {
					t.Fatal(err)
				}
			}
			start := time.Now()
			eventually(t, 20*time.Second, s.class+" is back", func() (bool, string) {
				now := p.w.processes(s.process)
				fresh := slices.ContainsFunc(now, func(pid int) bool { return !slices.Contains(before, pid) })
				runs, text := p.w.taskRuns(connector)
				return fresh && runs, fmt.Sprint(now, " ", text)
			})
			took := time.Since(start)
			if took > recoveryBound {
				t.Errorf("kill %d of %s: recovery took %v, want at most %v", i, s.class, took, recoveryBound)
			}
			recoveries = append(recoveries, took)
			if !p.w.running() {
				t.Fatal("the worker did not survive its plugin")
			}
		}
	}
	slices.Sort(recoveries)
	return recoveries
}

// lastLine returns the last whole line of a file.
func lastLine(path string) []byte {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	end, err := f.Seek(0, 2)
	if err != nil {
		return nil
	}
	tail := make([]byte, min(end, 4096))
	if _, err := f.ReadAt(tail, end-int64(len(tail))); err != nil {
		return nil
	}
	whole := bytes.Split(tail, []byte{'\n'})
	if len(whole) < 2 {
		return nil
	}
	return whole[len(whole)-2]
}
