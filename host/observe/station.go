package observe

import (
	"context"
	"os"
	"runtime"
	"time"

	"github.com/tailrace/tailrace/host/loggers"
	"github.com/tailrace/tailrace/host/plugin"
	"github.com/tailrace/tailrace/host/plugin/process"
	"github.com/tailrace/tailrace/host/recent"
	"github.com/tailrace/tailrace/host/worker"
)

// Config is what a Station tells about.
type Config struct {
	WorkerID, Version string
	Worker            *worker.Worker
	Processes         interface{ Processes() []plugin.ProcessInfo }
	Lines             *loggers.Tail
	Events            *Events
}

// Station answers questions about this worker. Its methods may be called from any goroutine.
type Station struct {
	Config
	started time.Time
}

// NewStation makes a station for a worker that has just been started.
func NewStation(c Config) *Station { return &Station{c, time.Now()} }

// About is the worker itself.
type About struct {
	WorkerID        string    `json:"worker_id"`
	Version         string    `json:"version"`
	PID             int       `json:"pid"`
	Started         time.Time `json:"started"`
	ResidentBytes   int64     `json:"resident_bytes"`
	CPUSeconds      float64   `json:"cpu_seconds"`
	Goroutines      int       `json:"goroutines"`
	Connectors      int       `json:"connectors"`
	Tasks           int       `json:"tasks"`
	PluginProcesses int       `json:"plugin_processes"`
}

// About looks at the worker's own process and what it runs.
func (s *Station) About() About {
	connectors, tasks := s.Worker.Running()
	out := About{
		WorkerID: s.WorkerID, Version: s.Version, PID: os.Getpid(), Started: s.started,
		Goroutines: runtime.NumGoroutine(), Connectors: len(connectors), Tasks: len(tasks),
	}
	for _, p := range s.Config.Processes.Processes() {
		if p.PID != 0 {
			out.PluginProcesses++
		}
	}
	if usage, err := process.UsageOf(os.Getpid()); err == nil {
		out.ResidentBytes, out.CPUSeconds = usage.ResidentBytes, usage.CPU.Seconds()
	}
	return out
}

// Process is a plugin process, or one that died and was not started again yet.
type Process struct {
	Plugin  string `json:"plugin"`
	Version string `json:"version"`
	Path    string `json:"path"`
	// Worker is empty unless processes of several workers stand together.
	Worker string `json:"worker,omitempty"`
	// Connector is empty when the process is shared by connectors; Task is absent unless the task has its own.
	Connector string `json:"connector,omitempty"`
	Task      *int   `json:"task,omitempty"`
	// PID is 0 when none runs now.
	PID     int        `json:"pid"`
	Started *time.Time `json:"started,omitempty"`
	// Restarts are the starts after a death.
	Restarts          uint64  `json:"restarts"`
	ResidentBytes     int64   `json:"resident_bytes"`
	PeakResidentBytes int64   `json:"peak_resident_bytes,omitempty"`
	CPUSeconds        float64 `json:"cpu_seconds"`
	LastExit          *Exit   `json:"last_exit,omitempty"`
}

// Exit is how a process ended.
type Exit struct {
	Time       time.Time `json:"time"`
	Cause      string    `json:"cause"`
	Code       int       `json:"code"`
	Signal     string    `json:"signal,omitempty"`
	Detail     string    `json:"detail,omitempty"`
	RanSeconds float64   `json:"ran_seconds"`
	// Output holds the last lines that it wrote, masked.
	Output []string `json:"output,omitempty"`
}

// Processes lists the plugin processes.
func (s *Station) Processes() []Process {
	out := []Process{}
	for _, p := range s.Config.Processes.Processes() {
		one := Process{
			Plugin: p.Plugin, Version: p.Version, Path: p.Path, Connector: p.Connector, PID: p.PID,
			Restarts: max(p.Starts, 1) - 1, PeakResidentBytes: p.PeakMemoryBytes,
		}
		if p.Task != plugin.NoTask {
			one.Task = &p.Task
		}
		if !p.Started.IsZero() {
			one.Started = &p.Started
		}
		if usage, err := p.Usage(); err == nil {
			one.ResidentBytes, one.CPUSeconds = usage.ResidentBytes, usage.CPU.Seconds()
		}
		if e := p.LastExit; e != nil {
			one.LastExit = &Exit{
				Time: e.Ended, Cause: string(e.Cause), Code: e.Code, Detail: e.Detail, RanSeconds: e.Ran.Seconds(), Output: e.Output,
			}
			if e.Signal != 0 {
				one.LastExit.Signal = e.Signal.String()
			}
		}
		out = append(out, one)
	}
	return out
}

// Line is a log line about a connector.
type Line = loggers.Line

// LineItem is a log line with its number.
type LineItem = recent.Item[loggers.Line]

// LastLines gives at most n of the newest log lines about a connector, oldest first.
func (s *Station) LastLines(connector string, n int) []LineItem {
	return s.Config.Lines.Lines(connector).Last(n)
}

// NextLines waits for log lines with numbers above seq; an error when ctx ends before.
func (s *Station) NextLines(ctx context.Context, connector string, seq uint64, limit int) ([]LineItem, error) {
	return s.Config.Lines.Lines(connector).Next(ctx, seq, limit)
}

// LastEvents and NextEvents are those of [Events].
func (s *Station) LastEvents(n int, connector string) []Event { return s.Events.Last(n, connector) }

// EventsAfter gives events with numbers above seq, oldest first.
func (s *Station) EventsAfter(seq uint64, limit int, connector string) []Event {
	return s.Events.After(seq, limit, connector)
}

// NextEvents waits for events.
func (s *Station) NextEvents(ctx context.Context, seq uint64, connector string) ([]Event, uint64, error) {
	return s.Events.Next(ctx, seq, connector)
}

// PreviewRequest asks what a connector would do.
type PreviewRequest = worker.PreviewRequest

// Preview is what it would do.
type Preview = worker.Preview

// PreviewRecord is a record that nobody has produced or consumed.
type PreviewRecord = worker.PreviewRecord

// PreviewHeader is a header of one.
type PreviewHeader = worker.PreviewHeader

// ErrBusy says that too many previews are running.
var ErrBusy = worker.ErrTooManyPreviews

// Preview runs a configuration for a few records.
func (s *Station) Preview(ctx context.Context, request PreviewRequest) (Preview, error) {
	return s.Worker.Preview(ctx, request)
}

// TailTopic reads the end of a topic as a connector's converters decode it.
func (s *Station) TailTopic(ctx context.Context, connector map[string]string, topic string, back int, follow bool, show func(PreviewRecord) error) error {
	return s.Worker.TailTopic(ctx, connector, topic, back, follow, show)
}
