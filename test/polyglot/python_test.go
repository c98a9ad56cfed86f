package polyglot

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/tailrace/tailrace/test/harness"
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

func startPipeline(t *testing.T, bootstrap string, source, sink side) *harness.Pipeline {
	t.Helper()
	return harness.StartPipeline(t, startWorker(t, bootstrap), 0, harness.Props{
		Source: map[string]string{"connector.class": source.class},
		Sink:   map[string]string{"connector.class": sink.class},
	})
}

// A plugin without an SDK takes part like any other.
func TestAFileArrivesThroughPythonLineForLine(t *testing.T) {
	harness.Brokers(t, func(t *testing.T, bootstrap string) {
		p := startPipeline(t, bootstrap, pySource, pySink)
		start := time.Now()
		p.Grow(300_000)
		p.AwaitLines(p.Lines, 60*time.Second)
		t.Logf("%d lines in %v", p.Lines, time.Since(start).Round(10*time.Millisecond))
		p.Worker.Stop()
		p.Equal()
	})
}

// I-1, I-2, I-6, I-10: Python plugins that die at random moments lose nothing and keep the order.
func TestKilledPythonPluginsLoseNothing(t *testing.T) {
	harness.Brokers(t, func(t *testing.T, bootstrap string) {
		for _, c := range pipelines {
			t.Run(c.name, func(t *testing.T) {
				p := startPipeline(t, bootstrap, c.source, c.sink)
				recoveries := killWhileLinesFlow(t, p, c.source, c.sink)
				p.Grow(p.Lines + 1) // when it arrives, every repeat before it has
				p.AwaitLine(p.Lines-1, 90*time.Second)
				p.Worker.Stop() // the last flush
				t.Logf("%d kills, %d lines repeated of %d; recovery: median %v, longest %v", len(recoveries), p.Complete(), p.Lines, recoveries[len(recoveries)/2], recoveries[len(recoveries)-1])
				if c.source.process == "" {
					p.Equal() // nothing upstream was killed, and the Python sink writes each record once
				}
			})
		}
	})
}

// killWhileLinesFlow kills the Python processes of a pipeline with SIGKILL, at random
// moments, and returns the times to recovery, sorted.
func killWhileLinesFlow(t *testing.T, p *harness.Pipeline, source, sink side) (recoveries []time.Duration) {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	const kills, flow = 4, 100_000
	for range kills {
		for connector, s := range map[string]side{"source": source, "sink": sink} {
			if s.process == "" {
				continue
			}
			from := p.Lines
			p.Grow(from + flow)
			p.AwaitLine(from+random.IntN(flow/2), 60*time.Second)
			recoveries = append(recoveries, p.Worker.KillAndRecover(s.process, connector, recoveryBound))
		}
	}
	slices.Sort(recoveries)
	return recoveries
}
