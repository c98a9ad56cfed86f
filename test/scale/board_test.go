package scale

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tailrace/tailrace/test/env"
	"github.com/tailrace/tailrace/test/harness"
)

// board is what the status topic says, and since when. To ask the workers for thousands of statuses again and again would cost
// them the time that is measured, and would tell it late.
type board struct {
	mu         sync.Mutex
	connectors map[string]said
	tasks      map[string]said
}

// said is the last status of a connector or task.
type said struct {
	State    string
	WorkerID string    `json:"worker_id"`
	at       time.Time // when its worker wrote it
}

// watchStatuses follows the status topic until the test ends.
func watchStatuses(t *testing.T, broker *env.Broker, topic string) *board {
	b := &board{connectors: map[string]said{}, tasks: map[string]said{}}
	client := broker.Client(t, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	ctx, cancel := context.WithCancel(context.Background())
	var following sync.WaitGroup
	t.Cleanup(func() { cancel(); following.Wait() })
	following.Go(func() {
		for ctx.Err() == nil {
			client.PollFetches(ctx).EachRecord(b.note)
		}
	})
	return b
}

func (b *board) note(r *kgo.Record) {
	where, name := b.tasks, ""
	if rest, ok := strings.CutPrefix(string(r.Key), "status-task-"); ok {
		name = rest
	} else if rest, ok := strings.CutPrefix(string(r.Key), "status-connector-"); ok {
		where, name = b.connectors, rest
	} else {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	s := said{at: r.Timestamp}
	if r.Value == nil || json.Unmarshal(r.Value, &s) != nil {
		delete(where, name)
		return
	}
	where[name] = s
}

// census is where everything runs.
type census struct {
	connectors map[string]string // worker by connector, of those that run
	tasks      map[string]string // worker by task, of those that run
	latest     time.Time         // when the last of them began to
	others     map[string]int    // how many are in another state, or on a worker that is not asked for
	sample     string            // one of others
}

func newCensus() census {
	return census{connectors: map[string]string{}, tasks: map[string]string{}, others: map[string]int{}}
}

// census tells what runs on some workers. What runs elsewhere does not count.
func (b *board) census(workers []*harness.Worker) census {
	ids := map[string]bool{}
	for _, w := range workers {
		ids[w.WorkerID()] = true
	}
	now := newCensus()
	note := func(where map[string]string, what string, s said) {
		if s.State != "RUNNING" || !ids[s.WorkerID] {
			now.others[s.State+" on "+s.WorkerID]++
			now.sample = fmt.Sprintf("%s: %s %+v", s.State, what, s)
			return
		}
		where[what] = s.WorkerID
		if s.at.After(now.latest) {
			now.latest = s.at
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for name, s := range b.connectors {
		note(now.connectors, name, s)
	}
	for name, s := range b.tasks {
		note(now.tasks, name, s)
	}
	return now
}
