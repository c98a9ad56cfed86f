package herder

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// A connector learns that it was deleted for good, with its secrets, before the request is answered.
func TestADeletedConnectorIsToldToGiveBackWhatItHolds(t *testing.T) {
	t.Setenv("SCRIPTED_SECRET", "hunter2hunter2")
	s, _ := newHerder(t)
	note := filepath.Join(t.TempDir(), "note")
	create(t, s, "c", good("x", "behave", "note:"+note, "secret", "${env:SCRIPTED_SECRET}"), "")
	require.NoError(t, s.Stop(t.Context(), "c"))
	require.NoFileExists(t, note)
	require.NoError(t, s.Delete(t.Context(), "c"))
	text, err := os.ReadFile(note)
	require.NoError(t, err)
	require.Equal(t, "hunter2hunter2", string(text))
}

// It is deleted all the same when that fails, and the log says so without its secrets (I-9).
func TestAConnectorThatCannotGiveBackIsDeletedAllTheSame(t *testing.T) {
	t.Setenv("SCRIPTED_SECRET", "hunter2hunter2")
	s, _ := newHerder(t)
	var log bytes.Buffer
	s.logger = slog.New(slog.NewTextHandler(&log, nil))
	create(t, s, "c", good("x", "behave", "cannot delete", "secret", "${env:SCRIPTED_SECRET}"), "")
	require.NoError(t, s.Delete(t.Context(), "c"))
	require.Empty(t, s.Connectors())
	require.Contains(t, log.String(), "connector=c")
	require.Contains(t, log.String(), "is in use")
	require.NotContains(t, log.String(), "hunter2")
}
