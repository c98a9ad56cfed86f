package observe

import (
	"context"
	"time"

	"github.com/tailrace/tailrace/host/plugin"
	"github.com/tailrace/tailrace/host/plugin/process"
	"github.com/tailrace/tailrace/host/recent"
	"github.com/tailrace/tailrace/host/store"
	"github.com/tailrace/tailrace/host/task"
	"github.com/tailrace/tailrace/host/worker"
)

// Kind says what an event is about.
type Kind string

// The kinds of events.
const (
	ConnectorState Kind = "connector_state"
	TaskState      Kind = "task_state"
	TaskConfigs    Kind = "task_configs" // the connector divided its work
	TopicUsed      Kind = "topic_used"
	ProcessStarted Kind = "process_started"
	ProcessEnded   Kind = "process_ended"
	PluginChanged  Kind = "plugin" // on plugin.path: added, replaced, removed or broken
)

// Event is something that happened on this worker.
type Event struct {
	Seq       uint64    `json:"seq"`
	Time      time.Time `json:"time"`
	Kind      Kind      `json:"kind"`
	Connector string    `json:"connector,omitempty"`
	Task      *int      `json:"task,omitempty"`
	// State is the new state of a connector or task, or what happened to a plugin.
	State string `json:"state,omitempty"`
	// Reason is why, if there is a reason.
	Reason string `json:"reason,omitempty"`
	Plugin string `json:"plugin,omitempty"`
	PID    int    `json:"pid,omitempty"`
	Topic  string `json:"topic,omitempty"`
	Tasks  int    `json:"tasks,omitempty"` // of task_configs
	// Worker is empty unless events of several workers stand together; Seq counts those of one.
	Worker string `json:"worker,omitempty"`
}

// Bounds of what is remembered, and of one reason.
const (
	maxEvents      = 5_000
	maxEventBytes  = 2 << 20
	maxReasonBytes = 4 << 10
)

// Events are the last events of this worker.
type Events struct{ ring *recent.Ring[Event] }

// NewEvents remembers nothing yet.
func NewEvents() *Events { return &Events{recent.New[Event](maxEvents, maxEventBytes)} }

func (e *Events) add(event Event) {
	event.Time = time.Now()
	if len(event.Reason) > maxReasonBytes {
		event.Reason = event.Reason[:maxReasonBytes] + "…"
	}
	e.ring.Add(event, 200+len(event.Reason)+len(event.Connector)+len(event.Topic))
}

// Listener notes what a worker tells, and passes it on.
func (e *Events) Listener(next worker.Listener) worker.Listener { return &listener{next, e} }

type listener struct {
	worker.Listener
	events *Events
}

func (l *listener) ConnectorState(name string, state store.State, err error) {
	l.events.add(Event{Kind: ConnectorState, Connector: name, State: string(state), Reason: reason(err)})
	l.Listener.ConnectorState(name, state, err)
}

func (l *listener) TaskState(id task.ID, state store.State, err error) {
	l.events.add(Event{Kind: TaskState, Connector: id.Connector, Task: &id.Task, State: string(state), Reason: reason(err)})
	l.Listener.TaskState(id, state, err)
}

func (l *listener) TaskConfigs(name string, configs []map[string]string) {
	l.events.add(Event{Kind: TaskConfigs, Connector: name, Tasks: len(configs)})
	l.Listener.TaskConfigs(name, configs)
}

func (l *listener) TopicUsed(connector, topic string) {
	l.events.add(Event{Kind: TopicUsed, Connector: connector, Topic: topic})
	l.Listener.TopicUsed(connector, topic)
}

func reason(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// Process notes the start of a plugin process, or its end with exit; it is for plugin.HostOptions.
func (e *Events) Process(p plugin.ProcessInfo, exit *process.Exit) {
	event := Event{Kind: ProcessStarted, Connector: p.Connector, Plugin: p.Plugin, PID: p.PID}
	if p.Task != plugin.NoTask {
		event.Task = &p.Task
	}
	if exit != nil {
		event.Kind, event.Reason = ProcessEnded, exit.Error()
	}
	e.add(event)
}

// Watch notes the changes on plugin.path until the channel is closed.
func (e *Events) Watch(changes <-chan plugin.Event) {
	for c := range changes {
		e.add(Event{Kind: PluginChanged, Plugin: c.Path, State: string(c.Kind), Reason: c.Reason})
	}
}

// After gives at most limit events with numbers above seq, oldest first; connector "" is all.
func (e *Events) After(seq uint64, limit int, connector string) []Event {
	return e.pick(e.ring.After(seq, maxEvents), limit, connector)
}

// Last gives at most n of the newest events, oldest first.
func (e *Events) Last(n int, connector string) []Event {
	all := e.pick(e.ring.Last(maxEvents), maxEvents, connector)
	return all[max(0, len(all)-n):]
}

// Next waits for events with numbers above seq; an error when ctx ends before. Those of other connectors
// are left out, so the answer may be empty; newest is the number to go on from.
func (e *Events) Next(ctx context.Context, seq uint64, connector string) (events []Event, newest uint64, err error) {
	items, err := e.ring.Next(ctx, seq, maxEvents)
	if err != nil {
		return nil, seq, err
	}
	return e.pick(items, maxEvents, connector), items[len(items)-1].Seq, nil
}

// Newest is the number of the last event.
func (e *Events) Newest() uint64 { return e.ring.Newest() }

func (e *Events) pick(items []recent.Item[Event], limit int, connector string) []Event {
	out := []Event{}
	for _, item := range items {
		if connector != "" && item.Value.Connector != connector || len(out) == limit {
			continue
		}
		event := item.Value
		event.Seq = item.Seq
		out = append(out, event)
	}
	return out
}
