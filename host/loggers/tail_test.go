package loggers

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheTailKeepsTheLinesOfEachConnector(t *testing.T) {
	levels := New(slog.LevelInfo)
	tail := levels.Tail()
	var out bytes.Buffer
	log := slog.New(levels.Handler(slog.NewJSONHandler(&out, nil)))
	log.Info("about nobody")
	log.Debug("too quiet", "connector", "a")
	log.Info("one", "connector", "a", "task", 3, "error", errors.New("e"))
	ofTask := log.With("connector", "a", "task", 0).WithGroup("g").With("x", 1)
	ofTask.Warn("two", "y", 2)
	log.Error("of b", "connector", "b", "logger", "com.acme")

	lines := tail.Lines("a").Last(10)
	require.Len(t, lines, 2)
	first, second := lines[0].Value, lines[1].Value
	require.Equal(t, []any{"INFO", "one", 3, map[string]string{"error": "e"}}, []any{first.Level, first.Message, *first.Task, first.Fields})
	require.Equal(t, []any{"WARN", "two", 0, map[string]string{"g.x": "1", "g.y": "2"}}, []any{second.Level, second.Message, *second.Task, second.Fields})
	require.Equal(t, "com.acme", tail.Lines("b").Last(1)[0].Value.Logger)
	require.Contains(t, out.String(), "about nobody")
	require.Empty(t, tail.Lines("nobody").Last(1))
}

// The demo shows warnings only, and its connectors' logs are there nevertheless.
func TestTheTailKeepsWhatTheTerminalDoesNotShow(t *testing.T) {
	levels := New(slog.LevelInfo)
	var out bytes.Buffer
	log := slog.New(levels.Handler(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelWarn})))
	log.Debug("neither", "connector", "a")
	log.Info("kept", "connector", "a")
	log.Warn("both", "connector", "a")
	require.Len(t, levels.Tail().Lines("a").Last(10), 2)
	require.NotContains(t, out.String(), "kept")
	require.Contains(t, out.String(), "both")
}

func TestTheTailIsBounded(t *testing.T) {
	tail := NewTail()
	log := slog.New(tail.Handler(slog.NewJSONHandler(&bytes.Buffer{}, nil)))
	for i := range maxConnectors + 5 {
		log.Info("x", "connector", fmt.Sprint("c", i))
	}
	for range maxLines + 5 {
		log.Info("x", "connector", "busy")
	}
	require.Len(t, tail.rings, maxConnectors)
	require.Len(t, tail.Lines("busy").Last(2*maxLines), maxLines)
	require.NotContains(t, tail.rings, "c0")
}
