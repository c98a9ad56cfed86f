package task

import (
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tailrace/tailrace/host/kafka"
	"github.com/tailrace/tailrace/host/plugin"
)

func (r *recorder) topicsTold() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.topics)
}

// After PUT /connectors/NAME/topics/reset the topics come back with the next records.
func TestForgottenTopicsAreToldAgain(t *testing.T) {
	t.Run("source", func(t *testing.T) {
		b := startSource(t, startBroker(t, kafka.EmbeddedConfig{}).Addr(), nil)
		b.stream.emit(plugin.Started{})
		p := b.stream.partition(t, map[string]any{"file": "a"})
		b.stream.lines(t, "out", "line", p, 1)
		eventually(t, "the topic", func() bool { return b.seen.topicsTold() == 1 })
		b.task.ForgetTopics()
		b.stream.lines(t, "out", "line", p, 1)
		eventually(t, "the topic again", func() bool { return b.seen.topicsTold() == 2 })
		b.task.Stop()
		require.NoError(t, b.wait(t))
	})
	t.Run("sink", func(t *testing.T) {
		addr := startBroker(t, kafka.EmbeddedConfig{}).Addr()
		fill(t, addr, 0, 9)
		b := startSink(t, addr, nil, nil)
		eventually(t, "the topic", func() bool { return b.seen.topicsTold() == 1 })
		b.task.ForgetTopics()
		fill(t, addr, 10, 19)
		eventually(t, "the topic again", func() bool { return b.seen.topicsTold() == 2 })
		b.task.Stop()
		require.NoError(t, b.wait(t))
	})
}

func TestAChangedLogLevelReachesThePlugin(t *testing.T) {
	addr := startBroker(t, kafka.EmbeddedConfig{}).Addr()
	source := startSource(t, addr, nil)
	source.stream.emit(plugin.Started{})
	eventually(t, "the source to run", func() bool { return source.task.Snapshot().State == Running })
	source.task.SetLogLevel(slog.LevelDebug)
	fill(t, addr, 0, 0)
	sink := startSink(t, addr, nil, nil)
	eventually(t, "the sink to run", func() bool { s := sink.stream(0); return s != nil && s.count() == 1 })
	sink.task.SetLogLevel(slog.LevelError)
	eventually(t, "the levels", func() bool {
		return source.stream.level.Load() == int64(slog.LevelDebug) && sink.stream(0).level.Load() == int64(slog.LevelError)
	})
	source.task.Stop()
	sink.task.Stop()
	require.NoError(t, source.wait(t))
	require.NoError(t, sink.wait(t))
}
