package audit

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var event = Event{Who: "user:alice", From: "10.0.0.7", Action: "connector.delete", Connector: "orders", Method: "DELETE", Path: "/connectors/orders", Status: 204, Outcome: Done}

func TestEventsGoToTheWorkersLog(t *testing.T) {
	var out bytes.Buffer
	l, err := Open(Options{Logger: slog.New(slog.NewTextHandler(&out, nil))})
	require.NoError(t, err)
	l.Write(t.Context(), event, false)
	l.Write(t.Context(), Event{Who: "anonymous", Path: "/connectors\nforged level=INFO", Status: 401, Outcome: Refused, Reason: "no credentials were shown"}, true)
	l.Write(t.Context(), Event{Who: "user:bob", Path: "/read", Outcome: Done}, true)
	text := out.String()
	require.Contains(t, text, `msg=audit logger=audit who=user:alice from=10.0.0.7 action=connector.delete connector=orders method=DELETE path=/connectors/orders status=204 outcome=done`)
	require.Contains(t, text, `path="/connectors\nforged level=INFO" status=401 outcome=refused reason="no credentials were shown"`)
	require.NotContains(t, text, "bob", "reads are not written down")
	require.Equal(t, 2, strings.Count(text, "\n"))
	require.NoError(t, l.Close())
	(*Log)(nil).Write(t.Context(), event, false)
	require.NoError(t, (*Log)(nil).Close())
}

func TestEventsGoToAFileThatMayBeRotated(t *testing.T) {
	file := filepath.Join(t.TempDir(), "audit.json")
	var log bytes.Buffer
	l, err := Open(Options{File: file, Reads: true, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	require.NoError(t, err)
	l.Write(t.Context(), event, true)
	l.Write(t.Context(), event, false)
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	var got map[string]any
	require.NoError(t, json.Unmarshal(bytes.SplitN(text, []byte("\n"), 2)[0], &got))
	require.Equal(t, "user:alice", got["who"])
	require.Equal(t, "connector.delete", got["action"])
	require.InDelta(t, 204, got["status"], 0)
	require.Equal(t, 2, bytes.Count(text, []byte("\n")))
	info, err := os.Stat(file)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	require.NoError(t, os.Rename(file, file+".1"))
	require.Eventually(t, func() bool {
		l.Write(t.Context(), event, false)
		text, err := os.ReadFile(file)
		return err == nil && len(text) > 0
	}, 20*time.Second, 50*time.Millisecond)

	require.NoError(t, os.Remove(file))
	require.NoError(t, os.Mkdir(file, 0o700))
	require.Eventually(t, func() bool {
		l.Write(t.Context(), event, false)
		return strings.Contains(log.String(), "events are lost")
	}, 20*time.Second, 50*time.Millisecond)
	require.NoError(t, l.Close())

	_, err = Open(Options{File: "/no/such/folder/audit"})
	require.ErrorContains(t, err, "rest.audit.file: ")
}

func TestTextsAreBounded(t *testing.T) {
	got := bounded(strings.Repeat("é", 1000))
	require.LessOrEqual(t, len(got), maxTextBytes+len("…"))
	require.True(t, strings.HasSuffix(got, "é…"))
}
