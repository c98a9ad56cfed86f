package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/tailrace/tailrace/test/env/server"
)

// side is one of the compared programs.
type side struct {
	name string
	// pause between looks at the statuses.
	pause time.Duration
	start func(ctx context.Context, bootstrap string, properties map[string]string) (*server.Worker, error)
}

var (
	connectSide = side{"Kafka Connect 4.1", 250 * time.Millisecond, func(ctx context.Context, bootstrap string, properties map[string]string) (*server.Worker, error) {
		return server.StartConnect(ctx, server.ConnectOptions{Bootstrap: bootstrap, Distributed: true, HeapMiB: 256, Properties: properties})
	}}
	tailraceSide = side{"Tailrace", 10 * time.Millisecond, startTailrace}
)

func startTailrace(ctx context.Context, bootstrap string, properties map[string]string) (*server.Worker, error) {
	binary, err := filepath.Abs("bin/tailrace")
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(binary); err != nil {
		return nil, fmt.Errorf("%w: run make build first", err)
	}
	all := map[string]string{
		"bootstrap.servers": bootstrap, "plugin.path": filepath.Join(filepath.Dir(binary), "plugins"),
		"key.converter": stringConverter, "value.converter": stringConverter,
	}
	maps.Copy(all, properties)
	return server.StartWorker(ctx, []string{binary, "distributed"}, all)
}

const stringConverter = "org.apache.kafka.connect.storage.StringConverter"

// Limits of waits.
const (
	settleLimit = 3 * time.Minute
	strikeLimit = 8 * time.Minute // Kafka Connect waits for five
	tellEvery   = 15 * time.Second
)

// group are workers of one side that share connectors.
type group struct {
	side
	bootstrap string
	id        string
	dir       string
	workers   []*server.Worker // nil where one has gone
	pipelines []*pipeline
}

// strike is a way in which a worker goes.
type strike struct {
	what   string
	signal syscall.Signal
	busy   bool
}

// result is what one strike gave.
type result struct {
	side    string
	workers int
	strike  strike
	// elsewhere is when every connector and task was told to run on the other workers.
	elsewhere time.Duration
	// still is how long, at most, no record came out of a pipeline.
	still time.Duration
}

func openGroup(ctx context.Context, s side, bootstrap, id string, workers int) (*group, error) {
	dir, err := os.MkdirTemp("", "tailrace-failover-")
	if err != nil {
		return nil, err
	}
	g := &group{side: s, bootstrap: bootstrap, id: id, dir: dir, workers: make([]*server.Worker, workers)}
	for i := range g.workers {
		say("%s: starting worker %d of %d of group %s", s.name, i+1, workers, id)
		if err := g.start(ctx, i); err != nil {
			return nil, errors.Join(err, g.close())
		}
	}
	if err := g.fill(ctx); err != nil {
		return nil, errors.Join(err, g.close())
	}
	return g, g.settled(ctx)
}

func (g *group) start(ctx context.Context, i int) (err error) {
	g.workers[i], err = g.side.start(ctx, g.bootstrap, map[string]string{
		"group.id": g.id, "config.storage.topic": g.id + "-configs", "offset.storage.topic": g.id + "-offsets", "status.storage.topic": g.id + "-status",
		"config.storage.replication.factor": "1", "offset.storage.replication.factor": "1", "status.storage.replication.factor": "1",
		"offset.storage.partitions": "1", "status.storage.partitions": "1",
	})
	return err
}

// refill starts a worker where one has gone, and waits until all take part.
func (g *group) refill(ctx context.Context) error {
	for i, w := range g.workers {
		if w == nil {
			if err := g.start(ctx, i); err != nil {
				return err
			}
		}
	}
	return g.settled(ctx)
}

// settled waits until everything runs and every worker has a part of it.
func (g *group) settled(ctx context.Context) error {
	return g.await(ctx, settleLimit, "everything runs and is divided", func(ctx context.Context) (bool, string) {
		owners, missing := g.owners(ctx, g.workers[0])
		if missing != "" {
			return false, missing
		}
		for _, w := range g.workers {
			if !slices.Contains(owners, host(w)) {
				return false, host(w) + " has nothing to do"
			}
		}
		return true, ""
	})
}

// strike lets a worker go and measures how long its work takes to go on.
func (g *group) strike(ctx context.Context, how strike, victim int) (r result, err error) {
	r = result{side: g.name, workers: len(g.workers), strike: how}
	gone := g.workers[victim]
	asked := g.workers[(victim+1)%len(g.workers)]
	flow := g.watch()
	defer flow.stop()
	began := time.Now()
	if err := syscall.Kill(gone.PID(), how.signal); err != nil {
		return r, err
	}
	err = g.await(ctx, strikeLimit, how.what+": everything runs elsewhere", func(ctx context.Context) (bool, string) {
		owners, missing := g.owners(ctx, asked)
		if slices.Contains(owners, host(gone)) {
			return false, "some of it is told to run on the worker that is gone"
		}
		return missing == "", missing
	})
	if err != nil {
		return r, err
	}
	r.elsewhere = time.Since(began)
	err = g.await(ctx, strikeLimit, how.what+": records flow in every pipeline", func(context.Context) (bool, string) { return flow.since(began.Add(r.elsewhere)) })
	r.still = flow.longest()
	g.workers[victim] = nil
	say("%s, %s: all told to run elsewhere after %v, records stood still for at most %v", g.name, how.what, r.elsewhere.Round(10*time.Millisecond), r.still.Round(10*time.Millisecond))
	_ = gone.Close() // it has ended
	return r, err
}

// owners are the workers that the statuses name; missing says what does not run.
func (g *group) owners(ctx context.Context, asked *server.Worker) (owners []string, missing string) {
	var answer map[string]struct {
		Status struct {
			Connector struct {
				State  string
				Worker string `json:"worker_id"`
			}
			Tasks []struct {
				State  string
				Worker string `json:"worker_id"`
			}
		}
	}
	if err := get(ctx, asked.URL()+"/connectors?expand=status", &answer); err != nil {
		return nil, err.Error()
	}
	for _, name := range g.connectors() {
		s := answer[name].Status
		owners = append(owners, s.Connector.Worker)
		if s.Connector.State != "RUNNING" || len(s.Tasks) != 1 {
			missing = fmt.Sprintf("%s is %q with %d tasks", name, s.Connector.State, len(s.Tasks))
		}
		for _, t := range s.Tasks {
			owners = append(owners, t.Worker)
			if t.State != "RUNNING" {
				missing = name + "'s task is " + t.State
			}
		}
	}
	return owners, missing
}

// await asks again and again, and tells now and then what is missing.
func (g *group) await(ctx context.Context, within time.Duration, what string, done func(context.Context) (bool, string)) error {
	began, told := time.Now(), time.Now()
	for {
		ok, missing := done(ctx)
		if ok {
			return nil
		}
		if time.Since(told) > tellEvery {
			told = time.Now()
			say("%s, %s: after %v: %s", g.name, what, time.Since(began).Round(time.Second), missing)
		}
		if time.Since(began) > within {
			return fmt.Errorf("%s: not within %v: %s; at last: %s", g.name, within, what, missing)
		}
		select {
		case <-time.After(g.pause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (g *group) close() error {
	var all error
	for _, p := range g.pipelines {
		p.stop()
	}
	for _, w := range g.workers {
		if w != nil {
			all = errors.Join(all, w.Close())
		}
	}
	return errors.Join(all, os.RemoveAll(g.dir))
}

// host is what a worker calls itself in statuses.
func host(w *server.Worker) string {
	u, err := url.Parse(w.URL())
	if err != nil {
		return w.URL()
	}
	return u.Host
}

func get(ctx context.Context, address string, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %.200s", response.Status, strings.TrimSpace(string(text)))
	}
	return json.Unmarshal(text, answer)
}
