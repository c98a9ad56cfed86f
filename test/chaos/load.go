package chaos

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"
)

// pipeline is a file that grows, a source connector that writes it to a topic, and a sink connector that writes the
// topic into another file.
type pipeline struct {
	name          string
	topic         string
	input, output string
	lines         atomic.Int64 // written to the input
}

const (
	linesPerSecond = 60 // of one pipeline
	growEvery      = 50 * time.Millisecond
)

func newPipeline(dir, group string, i int) (*pipeline, error) {
	p := &pipeline{
		name: fmt.Sprintf("pipeline-%d", i), topic: fmt.Sprintf("%s-lines-%d", group, i),
		input: filepath.Join(dir, fmt.Sprintf("input-%d.txt", i)), output: filepath.Join(dir, fmt.Sprintf("output-%d.txt", i)),
	}
	return p, os.WriteFile(p.input, nil, 0o600)
}

func (p *pipeline) source() string { return p.name + "-source" }
func (p *pipeline) sink() string   { return p.name + "-sink" }

// sourceConfig and sinkConfig are the connectors' settings; turn makes one version differ from the one before.
func (p *pipeline) sourceConfig(turn int) map[string]string {
	return map[string]string{
		"connector.class": "FileStreamSource", "tasks.max": "1", "file": p.input, "topic": p.topic,
		"batch.size": fmt.Sprint(500 + turn), "topic.creation.default.partitions": "1", "topic.creation.default.replication.factor": "1",
	}
}

func (p *pipeline) sinkConfig(turn int) map[string]string {
	return map[string]string{
		"connector.class": "FileStreamSink", "tasks.max": "1", "file": p.output, "topics": p.topic,
		"consumer.override.max.poll.records": fmt.Sprint(500 + turn), "consumer.override.session.timeout.ms": "10000",
	}
}

// grow appends lines until stop is closed.
func (p *pipeline) grow(stop <-chan struct{}) error {
	f, err := os.OpenFile(p.input, os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	tick := time.NewTicker(growEvery)
	defer tick.Stop()
	started := time.Now()
	for {
		select {
		case <-stop:
			return nil
		case <-tick.C:
		}
		want := int64(time.Since(started).Seconds() * linesPerSecond)
		var text strings.Builder
		n := p.lines.Load()
		for ; n < want; n++ {
			text.WriteString(lineText(int(n)) + "\n")
		}
		if _, err := f.WriteString(text.String()); err != nil {
			return err
		}
		p.lines.Store(n)
	}
}

// add appends one line after grow has ended: when it arrives, all have.
func (p *pipeline) add() error {
	f, err := os.OpenFile(p.input, os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	n := p.lines.Add(1) - 1
	_, err = f.WriteString(lineText(int(n)) + "\n")
	return err
}

// tail is the highest line number near the end of the output, -1 when there is none.
func (p *pipeline) tail() int {
	f, err := os.Open(p.output)
	if err != nil {
		return -1
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return -1
	}
	buffer := make([]byte, min(info.Size(), 64<<10))
	if _, err := f.ReadAt(buffer, info.Size()-int64(len(buffer))); err != nil {
		return -1
	}
	highest := -1
	for line := range strings.SplitSeq(string(buffer), "\n") {
		if n, err := number(line); err == nil && line == lineText(n) {
			highest = max(highest, n)
		}
	}
	return highest
}

// outputLines reads the sink's file.
func (p *pipeline) outputLines() ([]string, error) {
	data, err := os.ReadFile(p.output)
	if err != nil {
		return nil, err
	}
	text, ended := strings.CutSuffix(string(data), "\n")
	if !ended && text != "" {
		return nil, fmt.Errorf("%s does not end with a whole line", p.output)
	}
	return strings.Split(text, "\n"), nil
}
