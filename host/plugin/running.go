package plugin

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/tailrace/tailrace/host/plugin/process"
)

// ProcessInfo is a plugin process, or one that died and was not started again yet.
type ProcessInfo struct {
	Plugin, Version string
	Path            string // on plugin.path
	// Connector is the user's name of it; empty when the process is shared by connectors.
	// Task is NoTask unless the task has a process of its own.
	Connector string
	Task      int
	// PID is 0 and Started the zero time when none runs now.
	PID     int
	Started time.Time
	// Starts counts from the last time that the process ended because it was asked to.
	Starts uint64
	// PeakMemoryBytes is the most that was seen of the process that runs; 0 without a memory limit.
	PeakMemoryBytes int64
	// LastExit is how the one before ended; nil when there was none. Secrets are masked.
	LastExit *process.Exit
}

// Usage asks the kernel what the process uses now; an error when none runs, or not on Linux.
func (p ProcessInfo) Usage() (process.Usage, error) {
	if p.PID == 0 {
		return process.Usage{}, errNoProcess
	}
	return process.UsageOf(p.PID)
}

var errNoProcess = errors.New("no process runs")

// maxHistory bounds the processes that are remembered after their death.
const maxHistory = 1_000

// history is the account of the processes that follow each other for one launch. Guarded by Host.mu.
type history struct {
	info     ProcessInfo
	instance *Instance // nil when none runs
}

// noteStart books a process that runs.
func (h *Host) noteStart(key string, launch Launch, instance *Instance) {
	info := ProcessInfo{
		Plugin: instance.Name(), Version: launch.Plugin.Description.Version, Path: launch.Plugin.Path, Task: NoTask,
		PID: instance.PID(), Started: instance.process.Started(),
	}
	if launch.Isolation != IsolatePlugin {
		info.Connector = launch.Connector
	}
	if launch.Isolation == IsolateTask {
		info.Task = launch.Task
	}
	h.mu.Lock()
	entry, known := h.history[key]
	if !known {
		h.forgetOldest()
		entry = &history{}
		h.history[key] = entry
	}
	info.Starts, info.LastExit = entry.info.Starts+1, entry.info.LastExit
	entry.info, entry.instance = info, instance
	instance.info = info
	h.mu.Unlock()
	if h.options.Notify != nil {
		h.options.Notify(info, nil)
	}
}

// noteEnd books its end. An end that was asked for is not remembered.
func (h *Host) noteEnd(key string, instance *Instance) {
	exit := instance.Exit()
	if h.options.Notify != nil {
		h.options.Notify(instance.info, &exit)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	entry := h.history[key]
	switch {
	case entry == nil:
	case exit.Expected():
		if entry.instance == instance {
			delete(h.history, key)
		}
	default:
		entry.info.LastExit = &exit
		if entry.instance == instance { // else a newer one runs already
			entry.instance = nil
			entry.info.PID, entry.info.Started = 0, time.Time{}
		}
	}
}

// forgetOldest makes room for one more.
func (h *Host) forgetOldest() {
	if len(h.history) < maxHistory {
		return
	}
	var oldest string
	var ended time.Time
	for key, entry := range h.history {
		if entry.instance == nil && (ended.IsZero() || entry.info.LastExit.Ended.Before(ended)) {
			oldest, ended = key, entry.info.LastExit.Ended
		}
	}
	delete(h.history, oldest)
}

// Processes lists the processes that run, and those that died and were not started again,
// by plugin, connector and task.
func (h *Host) Processes() []ProcessInfo {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := make([]ProcessInfo, 0, len(h.history))
	for _, entry := range h.history {
		info := entry.info
		if entry.instance != nil {
			info.PeakMemoryBytes = entry.instance.PeakMemoryBytes()
		}
		out = append(out, info)
	}
	slices.SortFunc(out, func(a, b ProcessInfo) int {
		return cmp.Or(strings.Compare(a.Plugin, b.Plugin), strings.Compare(a.Path, b.Path), strings.Compare(a.Connector, b.Connector), cmp.Compare(a.Task, b.Task))
	})
	return out
}
