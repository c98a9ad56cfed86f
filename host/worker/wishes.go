package worker

// ApplyLogLevels tells every plugin that runs what Config.LogLevel says now.
func (w *Worker) ApplyLogLevels() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range w.connectors {
		r.wake()
	}
	for id, r := range w.tasks {
		level := w.cfg.LogLevel(id.Connector)
		r.withCurrent(func(t conversation) { t.SetLogLevel(level) })
	}
}

// ForgetTopics makes the tasks of a connector tell again which topics they use.
func (w *Worker) ForgetTopics(connector string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id, r := range w.tasks {
		if id.Connector == connector {
			r.withCurrent(conversation.ForgetTopics)
		}
	}
}

// withCurrent does something with the task when it runs; it must not block.
func (r *taskRunner) withCurrent(do func(conversation)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.current != nil {
		do(r.current)
	}
}
