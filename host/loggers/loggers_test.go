package loggers

import (
	"bytes"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	sinkTask = "org.apache.kafka.connect.runtime.WorkerSinkTask"
	runtimes = "org.apache.kafka.connect.runtime"
)

func set(t *testing.T, r *Registry, name, level string) []string {
	t.Helper()
	text, value, ok := ParseLevel(level)
	require.True(t, ok)
	return r.Set(name, text, value, time.UnixMilli(7))
}

func TestALevelCountsForWhatIsBelow(t *testing.T) {
	r := New(slog.LevelInfo)
	require.Contains(t, set(t, r, runtimes, "debug"), sinkTask)
	l, ok := r.Get(sinkTask)
	require.True(t, ok)
	require.Equal(t, "DEBUG", l.Level)
	require.Equal(t, int64(7), *l.LastModifiedMillis)
	require.Empty(t, set(t, r, sinkTask, "DEBUG"), "it has that level already")
	_, ok = r.Get("com.acme")
	require.False(t, ok)
	require.Empty(t, set(t, r, "com.acme", "INFO"), "the root's level")
	l, ok = r.Get("com.acme")
	require.True(t, ok, "it is known from now on")
	require.Equal(t, Logger{Level: "INFO"}, l)
	require.Equal(t, []string{"com.acme.x"}, set(t, r, "com.acme.x", "WARN"))
	require.Contains(t, set(t, r, "ROOT", "ERROR"), "com.acme")
	l, ok = r.Get("Root")
	require.True(t, ok)
	require.Equal(t, "ERROR", l.Level)
	require.Equal(t, slog.LevelError, r.ConnectorLevel("a"))
	set(t, r, "connector.a", "TRACE")
	require.Equal(t, levelTrace, r.ConnectorLevel("a"))
	require.Equal(t, slog.LevelError, r.ConnectorLevel("b"))
}

func TestLinesAreFilteredByTheMostSpecialLogger(t *testing.T) {
	var out bytes.Buffer
	r := New(slog.LevelInfo)
	log := slog.New(r.Handler(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: levelAll})))
	of := func(write func()) bool {
		out.Reset()
		write()
		return out.Len() > 0
	}
	require.False(t, of(func() { log.Debug("x") }))
	require.True(t, of(func() { log.Info("x") }))
	set(t, r, "connector.a", "DEBUG")
	require.True(t, of(func() { log.With("connector", "a").Debug("x") }))
	require.True(t, of(func() { log.Debug("x", "connector", "a") }))
	require.False(t, of(func() { log.With("connector", "b").Debug("x") }))
	require.False(t, of(func() { log.Debug("x") }))
	set(t, r, "com.acme", "OFF")
	require.False(t, of(func() { log.Error("x", "logger", "com.acme.Client") }))
	require.True(t, of(func() { log.Error("x", "logger", "com.acmes") }))
	require.True(t, of(func() { log.With("connector", "a").Error("x", "logger", "com.acme.Client") }))
}

func TestTheNumberOfLoggersIsBounded(t *testing.T) {
	r := New(slog.LevelInfo)
	for i := range maxSet - 1 {
		require.NotEmpty(t, set(t, r, "n."+time.Duration(i).String(), "WARN"))
	}
	require.Nil(t, set(t, r, "one.more", "WARN"))
}

func TestAChangeIsTold(t *testing.T) {
	r := New(slog.LevelInfo)
	told := 0
	r.OnChange(func() { told++ })
	set(t, r, Root, "WARN")
	require.Equal(t, 1, told)
}
