package demo

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// Options say what runs where.
type Options struct {
	// URL of a worker's REST API, which reads and writes files of this machine.
	URL string
	// File is what goes in; Dir is where the other file is written.
	File, Dir string
	// Kafka is shown in the hints.
	Kafka string
	// Out takes the progress; Terminal says that its last line can be redrawn.
	Out      io.Writer
	Terminal bool
}

const (
	refreshInterval = 200 * time.Millisecond
	plainInterval   = time.Second
	// stallTimeout ends a pipeline in which nothing moves any more.
	stallTimeout = 60 * time.Second
)

// pipeline is a run of the demo.
type pipeline struct {
	Options
	api          client
	input        content
	source, sink string // connectors
	topic        string
	output       string
	stalled      watch
}

// Run makes the pipeline, shows its progress, and returns when every line is in the other file and the two were found
// equal, or with the reason why that cannot be.
func Run(ctx context.Context, o Options) error {
	p, err := prepare(o)
	if err != nil {
		return err
	}
	if err := p.create(ctx); err != nil {
		return err
	}
	if err := p.follow(ctx); err != nil {
		return err
	}
	return compare(p.input, p.output)
}

// prepare looks at the file and chooses names. The same file has the same names, so
// that a second run goes on where the first one stopped; another file has a topic of its own.
func prepare(o Options) (*pipeline, error) {
	path, err := filepath.Abs(o.File)
	if err != nil {
		return nil, err
	}
	input, err := measure(path)
	if err != nil {
		return nil, err
	}
	hash := fnv.New32a()
	fmt.Fprintln(hash, path, input.bytes, input.modified.UnixNano())
	name := fmt.Sprintf("demo-%s-%08x", regexp.MustCompile(`[^A-Za-z0-9._-]+`).ReplaceAllString(filepath.Base(path), "-"), hash.Sum32())
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, err
	}
	return &pipeline{
		Options: o, api: client{o.URL}, input: input, source: name + "-source", sink: name + "-sink", topic: name,
		output: filepath.Join(o.Dir, name+".out"),
	}, nil
}

// create makes the two connectors. One partition keeps the order; bytes and line ends at LF keep every byte.
func (p *pipeline) create(ctx context.Context) error {
	const bytesConverter = "org.apache.kafka.connect.converters.ByteArrayConverter"
	fmt.Fprintf(p.Out, "  %s (%d lines, %s)\n    -> connector %s -> topic %s -> connector %s ->\n  %s\n\n",
		p.input.path, p.input.lines, size(p.input.bytes), p.source, p.topic, p.sink, p.output)
	err := p.api.put(ctx, p.source, map[string]string{
		"connector.class": "file-source", "tasks.max": "1", "file": p.input.path, "topic": p.topic,
		"format": "bytes", "line.end": "lf", "file.idle.flush.ms": "300", "value.converter": bytesConverter,
		"topic.creation.default.partitions": "1", "topic.creation.default.replication.factor": "1",
	})
	if err != nil {
		return fmt.Errorf("the source connector was not created: %w", err)
	}
	err = p.api.put(ctx, p.sink, map[string]string{
		"connector.class": "file-sink", "tasks.max": "1", "topics": p.topic, "file": p.output, "value.converter": bytesConverter,
	})
	if err != nil {
		return fmt.Errorf("the sink connector was not created: %w", err)
	}
	return nil
}

// follow shows the progress until the other file is as long as it should be.
func (p *pipeline) follow(ctx context.Context) error {
	interval := plainInterval
	if p.Terminal {
		interval = refreshInterval
	}
	began := time.Now()
	meter := newMeter(p.input, began)
	tick := time.NewTicker(refreshInterval)
	defer tick.Stop()
	shown := began
	for {
		in, out, err := p.look(ctx)
		if err != nil {
			return err
		}
		written := fileSize(p.output)
		now := time.Now()
		over := written >= p.input.expected()
		if over || now.Sub(shown) >= interval {
			p.show(meter.line(now, in, out, written), over)
			shown = now
		}
		if over {
			fmt.Fprintf(p.Out, "  all lines arrived after %.1f s\n", now.Sub(began).Seconds())
			return nil
		}
		if p.stalled.quiet(now, written+int64(in)) > stallTimeout {
			return fmt.Errorf("nothing has moved for %s; look at %s/connectors?expand=status", stallTimeout, p.URL)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// look reads the counters of both tasks and stops at the first failure.
func (p *pipeline) look(ctx context.Context) (in, out uint64, err error) {
	if in, err = p.api.records(ctx, p.source); err != nil {
		return 0, 0, err
	}
	if out, err = p.api.records(ctx, p.sink); err != nil {
		return 0, 0, err
	}
	return in, out, errors.Join(p.api.failure(ctx, p.source), p.api.failure(ctx, p.sink))
}

func (p *pipeline) show(line string, last bool) {
	switch {
	case !p.Terminal:
		fmt.Fprintln(p.Out, line)
	case last:
		fmt.Fprintf(p.Out, "\r\x1b[K%s\n", line)
	default:
		fmt.Fprintf(p.Out, "\r\x1b[K%s", line)
	}
}

// watch sees when a value last changed.
type watch struct {
	value int64
	since time.Time
}

func (w *watch) quiet(now time.Time, value int64) time.Duration {
	if w.since.IsZero() || value != w.value {
		w.value, w.since = value, now
	}
	return now.Sub(w.since)
}

// Hints say what to do with the pipeline that runs.
func Hints(o Options) string {
	p, err := prepare(o)
	if err != nil {
		return ""
	}
	var text strings.Builder
	for _, hint := range [][2]string{
		{"how the source is", "curl " + p.URL + "/connectors/" + p.source + "/status"},
		{"what the sink has done", "curl " + p.URL + "/v1/connectors/" + p.sink + "/progress"},
		{"pause the source (resume lets it go on)", "curl -X PUT " + p.URL + "/connectors/" + p.source + "/pause"},
		{"what arrived; lines added to the input follow", "tail -n 3 " + p.output},
	} {
		fmt.Fprintf(&text, "  # %s\n  %s\n", hint[0], hint[1])
	}
	return text.String()
}
