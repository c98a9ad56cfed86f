package herder

import (
	"maps"
	"sync"
	"time"

	"github.com/tailrace/tailrace/host/cluster"
	"github.com/tailrace/tailrace/host/task"
)

const (
	// loadInterval is how often the bytes of tasks are looked at.
	loadInterval = 15 * time.Second
	// loadLooks is how many looks it takes before a task's load is told: a start is no measure.
	loadLooks = 4
)

// loads measures what the tasks of this worker move, for the division of the cluster's work.
type loads struct {
	mu    sync.Mutex
	next  time.Time
	tasks map[cluster.Item]load
}

// load is what is known of one task.
type load struct {
	at    time.Time
	bytes uint64
	rate  float64 // bytes a second, half of it from the last interval
	looks int
}

// look measures, when it is time, all tasks that are given to this worker.
func (l *loads) look(now time.Time, items []cluster.Item, snapshot func(task.ID) (task.Snapshot, bool)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	known := make(map[cluster.Item]load, len(items))
	for _, i := range items {
		if s, ok := snapshot(task.ID{Connector: i.Connector, Task: i.Task}); ok {
			known[i] = l.tasks[i].after(now, s.Bytes)
		}
	}
	l.tasks = known
}

// due says whether it is time to look.
func (l *loads) due(now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Before(l.next) {
		return false
	}
	l.next = now.Add(loadInterval)
	return true
}

// after is the load with one more look. A counter that has gone back is that of a task that started anew. Pure.
func (l load) after(now time.Time, bytes uint64) load {
	span := now.Sub(l.at).Seconds()
	if l.at.IsZero() || bytes < l.bytes || span <= 0 {
		return load{at: now, bytes: bytes}
	}
	rate := float64(bytes-l.bytes) / span
	if l.looks > 0 {
		rate = (rate + l.rate) / 2
	}
	return load{now, bytes, rate, l.looks + 1}
}

// told are the loads that are known well enough.
func (l *loads) told() map[cluster.Item]float64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	told := make(map[cluster.Item]float64, len(l.tasks))
	for i, one := range l.tasks {
		if one.looks >= loadLooks {
			told[i] = one.rate
		}
	}
	return told
}

// Loads implements cluster.Runner.
func (r *runner) Loads() map[cluster.Item]float64 { return r.loads.told() }

// measureLoads looks at the tasks that are given to this worker.
func (d *Distributed) measureLoads(now time.Time) {
	if !d.loads.due(now) {
		return
	}
	d.mu.Lock()
	var items []cluster.Item
	for name, a := range d.assigned {
		for n := range maps.Keys(a.tasks) {
			items = append(items, cluster.Item{Connector: name, Task: n})
		}
	}
	d.mu.Unlock()
	d.loads.look(now, items, d.worker.Snapshot)
}
