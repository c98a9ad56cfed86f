package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// pipelines of a group; each has a source and a sink connector with a task.
const pipelines = 3

const (
	lineEvery  = 50 * time.Millisecond
	watchEvery = 10 * time.Millisecond
)

// pipeline is a file that grows, and a file at the other end that must grow too.
type pipeline struct {
	name          string
	input, output string
	end           chan struct{}
	ended         sync.WaitGroup
}

func (g *group) connectors() (names []string) {
	for _, p := range g.pipelines {
		names = append(names, p.name+"-source", p.name+"-sink")
	}
	return names
}

// fill creates the connectors and lets the files grow.
func (g *group) fill(ctx context.Context) error {
	for i := range pipelines {
		p := &pipeline{
			name: fmt.Sprintf("%s-%d", g.id, i), end: make(chan struct{}),
			input: filepath.Join(g.dir, fmt.Sprintf("in-%d", i)), output: filepath.Join(g.dir, fmt.Sprintf("out-%d", i)),
		}
		f, err := os.Create(p.input)
		if err != nil {
			return err
		}
		p.ended.Go(func() { p.grow(f) })
		g.pipelines = append(g.pipelines, p)
		topic := p.name + "-lines"
		for name, config := range map[string]map[string]string{
			p.name + "-source": {
				"connector.class": "FileStreamSource", "tasks.max": "1", "file": p.input, "topic": topic,
				"topic.creation.default.partitions": "1", "topic.creation.default.replication.factor": "1",
			},
			p.name + "-sink": {"connector.class": "FileStreamSink", "tasks.max": "1", "file": p.output, "topics": topic},
		} {
			if err := g.create(ctx, name, config); err != nil {
				return err
			}
		}
	}
	return g.await(ctx, settleLimit, "records flow in every pipeline", func(context.Context) (bool, string) {
		for _, p := range g.pipelines {
			if p.size() == 0 {
				return false, p.name + " has brought nothing"
			}
		}
		return true, ""
	})
}

// create waits until the group has a leader that takes the request.
func (g *group) create(ctx context.Context, name string, config map[string]string) error {
	return g.await(ctx, settleLimit, "creating "+name, func(ctx context.Context) (bool, string) {
		if err := g.workers[0].Create(ctx, name, config); err != nil {
			return false, err.Error()
		}
		return true, ""
	})
}

func (p *pipeline) grow(f *os.File) {
	defer f.Close()
	tick := time.NewTicker(lineEvery)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-p.end:
			return
		case <-tick.C:
		}
		if _, err := fmt.Fprintf(f, "line %d of %s\n", n, p.name); err != nil {
			say("%s: %v", p.input, err)
			return
		}
	}
}

func (p *pipeline) stop() {
	close(p.end)
	p.ended.Wait()
}

// size of the output; 0 when there is none.
func (p *pipeline) size() int64 {
	info, err := os.Stat(p.output)
	if err != nil {
		return 0
	}
	return info.Size()
}

// flow watches the outputs of a group.
type flow struct {
	end   chan struct{}
	ended sync.WaitGroup

	mu    sync.Mutex
	grown map[string]time.Time // when an output grew last
	gap   time.Duration        // the longest time in which one did not grow
}

func (g *group) watch() *flow {
	f := &flow{end: make(chan struct{}), grown: map[string]time.Time{}}
	sizes := map[string]int64{}
	for _, p := range g.pipelines {
		f.grown[p.name], sizes[p.name] = time.Now(), p.size()
	}
	f.ended.Go(func() {
		tick := time.NewTicker(watchEvery)
		defer tick.Stop()
		for {
			select {
			case <-f.end:
				return
			case <-tick.C:
			}
			for _, p := range g.pipelines {
				if now := p.size(); now > sizes[p.name] {
					sizes[p.name] = now
					f.note(p.name)
				}
			}
		}
	})
	return f
}

func (f *flow) note(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	f.gap = max(f.gap, now.Sub(f.grown[name]))
	f.grown[name] = now
}

// since says whether every output has grown after a moment.
func (f *flow) since(moment time.Time) (bool, string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for name, at := range f.grown {
		if !at.After(moment) {
			return false, fmt.Sprintf("%s has stood still for %v", name, time.Since(at).Round(time.Second))
		}
	}
	return true, ""
}

func (f *flow) longest() time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.gap
}

func (f *flow) stop() {
	close(f.end)
	f.ended.Wait()
}
