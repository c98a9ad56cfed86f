package task

import "context"

// Sink runs one sink task.
type Sink struct{ cfg SinkConfig }

// NewSink prepares a task; Run starts it.
func NewSink(cfg SinkConfig) *Sink { return &Sink{cfg: cfg} }

// Run starts the task and returns when it is over: nil after Stop, otherwise why
// it failed. When ctx ends, Run gives up at once, without a flush.
func (s *Sink) Run(ctx context.Context) error { return nil }

// Stop asks the task to flush, commit and end; Run returns within the graceful
// timeout. Any goroutine may call it, more than once.
func (s *Sink) Stop() {}

// SetPaused pauses or resumes the task. Any goroutine may call it.
func (s *Sink) SetPaused(paused bool) {}

// Snapshot is the task's account. Any goroutine may call it.
func (s *Sink) Snapshot() Snapshot { return Snapshot{} }
