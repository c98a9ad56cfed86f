package task

import "log/slog"

// SetLogLevel asks the plugin for log lines of at least this level. Any goroutine may call it.
func (s *Source) SetLogLevel(level slog.Level) { s.control.setLevel(level) }

// ForgetTopics makes the task tell its listener again of the topics that it
// uses from now on. Any goroutine may call it.
func (s *Source) ForgetTopics() { s.control.forgets.Add(1) }

// SetLogLevel asks the plugin for log lines of at least this level. Any goroutine may call it.
func (s *Sink) SetLogLevel(level slog.Level) { s.control.setLevel(level) }

// ForgetTopics makes the task tell its listener again of the topics that it
// uses from now on. Any goroutine may call it.
func (s *Sink) ForgetTopics() { s.control.forgets.Add(1) }

func (c *control) setLevel(level slog.Level) {
	c.level.Store(int64(level))
	c.signal()
}

func (c *control) logLevel() slog.Level { return slog.Level(c.level.Load()) }

// usedTopics are what the listener was told of. One goroutine uses it.
type usedTopics struct {
	told      map[string]struct{}
	forgotten uint64 // control.forgets when told was emptied last
}

// tell tells the listener of topics that it does not know.
func (u *usedTopics) tell(topics []string, c *control, l Listener, id ID) {
	for _, topic := range topics {
		if u.note(topic, c) {
			l.TopicUsed(id, topic)
		}
	}
}

// note reports whether the listener must be told of a topic.
func (u *usedTopics) note(topic string, c *control) bool {
	if n := c.forgets.Load(); n != u.forgotten || u.told == nil {
		u.told, u.forgotten = map[string]struct{}{}, n
	}
	if _, told := u.told[topic]; told {
		return false
	}
	u.told[topic] = struct{}{}
	return true
}
