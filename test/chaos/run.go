package chaos

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"syscall"
	"time"
)

// broker is what a run does to its broker.
type broker interface {
	Stop() error
	Kill()
	Start(ctx context.Context) error
	Pause() error
	Resume() error
}

// run is a plan being carried out.
type run struct {
	plan      []fault
	shape     shape
	group     string // of the workers
	nodes     []*node
	net       *network
	broker    broker
	pipelines []*pipeline
	out       io.Writer // progress

	mu      sync.Mutex
	done    map[kind]int
	refused int // requests that no worker took
	turn    int // of configurations

	brokerGate sync.Mutex // one thing happens to the broker at a time
	mending    sync.WaitGroup
}

// carryOut does what the plan says, at its times, and returns when everything is mended.
func (r *run) carryOut(ctx context.Context) error {
	started := time.Now()
	progress := time.NewTicker(5 * time.Second)
	defer progress.Stop()
	for _, f := range r.plan {
		for wait := time.Until(started.Add(f.at)); wait > 0; wait = time.Until(started.Add(f.at)) {
			select {
			case <-time.After(wait):
			case <-progress.C:
				r.tell(time.Since(started))
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		fmt.Fprintln(r.out, f)
		mend, err := r.strike(ctx, f)
		if err != nil {
			return fmt.Errorf("%s: %w", f, err)
		}
		r.mu.Lock()
		r.done[f.kind]++
		r.mu.Unlock()
		if mend == nil {
			continue
		}
		r.mending.Go(func() {
			time.Sleep(time.Until(started.Add(f.at + f.hold)))
			if err := mend(); err != nil {
				fmt.Fprintf(r.out, "%s: mending it failed: %v\n", f, err)
			}
		})
	}
	r.mending.Wait()
	r.tell(time.Since(started))
	return nil
}

// strike makes one fault happen. What it returns mends it.
func (r *run) strike(ctx context.Context, f fault) (mend func() error, err error) {
	switch f.kind {
	case killWorker, stopWorker:
		n, signal := r.nodes[f.target], syscall.SIGKILL
		if f.kind == stopWorker {
			signal = syscall.SIGTERM
		}
		ended := make(chan struct{})
		go func() { n.end(signal); close(ended) }()
		return func() error { <-ended; return n.start() }, nil
	case killAll:
		for _, n := range r.nodes {
			n.end(syscall.SIGKILL)
		}
		return func() error {
			for _, n := range r.nodes {
				if err := n.start(); err != nil {
					return err
				}
			}
			return nil
		}, nil
	case pauseWorker:
		r.nodes[f.target].pause(true)
		return func() error { r.nodes[f.target].pause(false); return nil }, nil
	case cutNetwork:
		return func() error { return r.net.mend(f.target) }, r.net.cut(f.target) //nolint:contextcheck // a cut must be mended whatever ends
	case pauseBroker:
		r.brokerGate.Lock()
		return func() error { defer r.brokerGate.Unlock(); return r.broker.Resume() }, r.broker.Pause()
	case restartBroker, killBroker:
		r.brokerGate.Lock()
		if f.kind == killBroker {
			r.broker.Kill()
		} else if err := r.broker.Stop(); err != nil {
			return nil, err
		}
		return func() error { defer r.brokerGate.Unlock(); return r.broker.Start(ctx) }, nil
	case changeConfig:
		name, config := r.changed(f.target)
		go r.ask(ctx, "PUT", "/connectors/"+name+"/config", config)
	case restartTasks:
		go r.ask(ctx, "POST", "/connectors/"+r.connector(f.target)+"/restart?includeTasks=true", nil)
	case pauseTasks:
		name := r.connector(f.target)
		go r.ask(ctx, "PUT", "/connectors/"+name+"/pause", nil)
		return func() error { go r.ask(ctx, "PUT", "/connectors/"+name+"/resume", nil); return nil }, nil
	}
	return nil, nil //nolint:nilnil // nothing to mend
}

// connector names the connectors: two for each pipeline.
func (r *run) connector(i int) string {
	p := r.pipelines[i/2]
	if i%2 == 0 {
		return p.source()
	}
	return p.sink()
}

// changed is the next version of a connector's settings.
func (r *run) changed(i int) (string, map[string]string) {
	r.mu.Lock()
	r.turn++
	turn := r.turn
	r.mu.Unlock()
	p := r.pipelines[i/2]
	if i%2 == 0 {
		return p.source(), p.sourceConfig(turn)
	}
	return p.sink(), p.sinkConfig(turn)
}

// ask makes a request to any worker, and to others for as long as none takes it.
func (r *run) ask(ctx context.Context, method, path string, body any) {
	if err := r.insist(ctx, 15*time.Second, method, path, body); err != nil && ctx.Err() == nil {
		r.mu.Lock()
		r.refused++
		r.mu.Unlock()
		fmt.Fprintf(r.out, "no worker took %s %s: %v\n", method, path, err)
	}
}

func (r *run) insist(ctx context.Context, within time.Duration, method, path string, body any) (err error) {
	for deadline := time.Now().Add(within); ; {
		n := r.nodes[rand.IntN(len(r.nodes))] //nolint:gosec // any will do
		if n.running() {
			if err = n.call(ctx, method, path, body, nil); err == nil {
				return nil
			}
		} else {
			err = fmt.Errorf("%s is not running", n.url)
		}
		if ctx.Err() != nil || time.Now().After(deadline) {
			return err
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// tell prints how far it is.
func (r *run) tell(at time.Duration) {
	written, arrived, running := int64(0), 0, 0
	for _, p := range r.pipelines {
		written += p.lines.Load()
		arrived += p.tail() + 1
	}
	for _, n := range r.nodes {
		if n.running() {
			running++
		}
	}
	r.mu.Lock()
	faults := 0
	for _, n := range r.done {
		faults += n
	}
	r.mu.Unlock()
	fmt.Fprintf(r.out, "%s of %s: %d faults of %d, %d of %d workers run, %d lines written, %d in the sinks' files\n",
		clock(at), clock(r.shape.length), faults, len(r.plan), running, len(r.nodes), written, arrived)
}
