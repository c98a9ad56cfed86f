package harness

import (
	"bufio"
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/tailrace/tailrace/test/env"
)

// Pipeline is a file on its way through a topic into another file.
type Pipeline struct {
	Worker        *Worker
	Topic         string
	Input, Output string // files
	Lines         int    // in the input
}

// Props change the connectors of a pipeline, their classes included.
type Props struct{ Source, Sink map[string]string }

// The connectors of a pipeline unless Props name others.
const (
	SourceClass = "FileStreamSource"
	SinkClass   = "FileStreamSink"
)

// StartPipeline writes a file of numbered lines and starts the connectors "source" and
// "sink" that move it through a topic of one partition.
func StartPipeline(t testing.TB, w *Worker, lines int, more Props) *Pipeline {
	t.Helper()
	p := &Pipeline{Worker: w, Topic: env.Name(t), Input: WriteLines(t, lines), Output: filepath.Join(t.TempDir(), "output.txt"), Lines: lines}
	source := map[string]string{
		"connector.class": SourceClass, "topic": p.Topic, "file": p.Input, "tasks.max": "1",
		"topic.creation.default.partitions": "1", "topic.creation.default.replication.factor": "1",
	}
	maps.Copy(source, more.Source)
	w.Create("source", source)
	sink := map[string]string{"connector.class": SinkClass, "topics": p.Topic, "file": p.Output, "tasks.max": "1"}
	maps.Copy(sink, more.Sink)
	w.Create("sink", sink)
	return p
}

// AwaitLines waits until the output has at least n lines.
func (p *Pipeline) AwaitLines(n int, within time.Duration) {
	p.Worker.T.Helper()
	Eventually(p.Worker.T, within, fmt.Sprintf("%d lines in the sink file", n), func() (bool, string) {
		got := LineCount(p.Output)
		return got >= n, strconv.Itoa(got) + " lines"
	})
}

// AwaitLine waits until the output ends with input line n or a later one. Repeats
// do not count, as with AwaitLines they would.
func (p *Pipeline) AwaitLine(n int, within time.Duration) {
	p.Worker.T.Helper()
	Eventually(p.Worker.T, within, fmt.Sprintf("input line %d in the sink file", n), func() (bool, string) {
		last := LastLine(p.Output)
		if len(last) < 9 {
			return false, last
		}
		at, err := strconv.Atoi(last[:9])
		return err == nil && at >= n, last
	})
}

// Equal wants the output to be the input, byte for byte.
func (p *Pipeline) Equal() {
	p.Worker.T.Helper()
	in, err := os.ReadFile(p.Input)
	if err != nil {
		p.Worker.T.Fatal(err)
	}
	out, err := os.ReadFile(p.Output)
	if err != nil {
		p.Worker.T.Fatal(err)
	}
	if !bytes.Equal(in, out) {
		p.Worker.T.Fatalf("the sink file differs from the input: %d bytes in %d lines, want %d in %d", len(out), bytes.Count(out, []byte{'\n'}), len(in), bytes.Count(in, []byte{'\n'}))
	}
}

// Grow appends numbered lines to the input until it has n.
func (p *Pipeline) Grow(n int) {
	p.Worker.T.Helper()
	f, err := os.OpenFile(p.Input, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		p.Worker.T.Fatal(err)
	}
	NumberedLines(p.Worker.T, f, p.Lines, n)
	p.Lines = n
}

// Complete wants every line of the input in the output, in order when repeats
// are left out, and returns how many lines came more than once. A repeat goes
// back to an earlier line and runs on from there: at-least-once with order kept.
func (p *Pipeline) Complete() (repeated int) {
	p.Worker.T.Helper()
	f, err := os.Open(p.Output)
	if err != nil {
		p.Worker.T.Fatal(err)
	}
	defer f.Close()
	next, highest, n := 0, 0, 0
	for sc := bufio.NewScanner(f); sc.Scan(); n++ {
		number, err := strconv.Atoi(sc.Text()[:9])
		if err != nil {
			p.Worker.T.Fatalf("line %d is not one of the input: %q", n, sc.Text())
		}
		switch {
		case number == next:
		case number < next: // I-6: a repeat starts at an earlier line and keeps the order from there
		default:
			p.Worker.T.Fatalf("line %d of the sink file is input line %d, want %d or an earlier one: lines are missing", n, number, next)
		}
		next = number + 1
		highest = max(highest, next)
	}
	if highest != p.Lines || next != p.Lines {
		p.Worker.T.Fatalf("the sink file ends with input line %d and reaches %d, want %d", next-1, highest-1, p.Lines-1)
	}
	return n - p.Lines
}
