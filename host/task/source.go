package task

import "context"

// Source runs one source task.
type Source struct{ cfg SourceConfig }

// NewSource prepares a task; Run starts it.
func NewSource(cfg SourceConfig) *Source { return &Source{cfg: cfg} }

// Run starts the task and returns when it is over: nil after Stop, otherwise
// why it failed. *plugin.DeathError means that the plugin's process died; what
// had reached Kafka is stored then, and a new Source goes on behind it. When ctx
// ends, Run gives up at once, without draining.
func (s *Source) Run(ctx context.Context) error { return nil }

// Stop asks the task to drain and to end; Run returns within the graceful
// timeout. Any goroutine may call it, more than once.
func (s *Source) Stop() {}

// SetPaused pauses or resumes the task. Any goroutine may call it.
func (s *Source) SetPaused(paused bool) {}

// Snapshot is the task's account. Any goroutine may call it.
func (s *Source) Snapshot() Snapshot { return Snapshot{} }
