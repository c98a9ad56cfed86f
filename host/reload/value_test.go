package reload

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func open(t *testing.T, log *bytes.Buffer) (*Value[string], string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "f")
	require.NoError(t, os.WriteFile(file, []byte("one"), 0o600))
	v, err := Open(Options{What: "a test", Files: []string{file}, Interval: time.Nanosecond, Logger: slog.New(slog.NewTextHandler(log, nil))},
		func() (string, error) {
			text, err := os.ReadFile(file)
			if bytes.HasPrefix(text, []byte("bad")) {
				err = errors.New("the file says bad")
			}
			return string(text), err
		})
	require.NoError(t, err)
	return v, file
}

func TestAChangedFileIsReadAgain(t *testing.T) {
	var log bytes.Buffer
	v, file := open(t, &log)
	require.Equal(t, "one", v.Get())
	require.Empty(t, log.String())
	require.NoError(t, os.WriteFile(file, []byte("second"), 0o600))
	require.Equal(t, "second", v.Get())
	require.Contains(t, log.String(), "read again")
}

// A rename keeps size and time of the new file, as tools that rotate certificates do.
func TestARenamedFileIsReadAgain(t *testing.T) {
	var log bytes.Buffer
	v, file := open(t, &log)
	info, err := os.Stat(file)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file+".new", []byte("two"), 0o600))
	require.NoError(t, os.Chtimes(file+".new", info.ModTime(), info.ModTime()))
	require.NoError(t, os.Rename(file+".new", file))
	require.Equal(t, "two", v.Get())
}

func TestABadFileLeavesTheOldValueAndIsToldOnce(t *testing.T) {
	var log bytes.Buffer
	v, file := open(t, &log)
	require.NoError(t, os.WriteFile(file, []byte("bad one"), 0o600))
	for range 3 {
		require.Equal(t, "one", v.Get())
	}
	require.Equal(t, 1, strings.Count(log.String(), "the file says bad"))
	require.NoError(t, os.Remove(file))
	require.Equal(t, "one", v.Get())
	require.NoError(t, os.WriteFile(file, []byte("three"), 0o600))
	require.Equal(t, "three", v.Get())
}

func TestNothingIsOpenedWithoutAFirstValue(t *testing.T) {
	_, err := Open(Options{}, func() (int, error) { return 0, errors.New("no") })
	require.EqualError(t, err, "no")
}

func TestTheIntervalBoundsTheLooks(t *testing.T) {
	file := filepath.Join(t.TempDir(), "f")
	loads := 0
	v, err := Open(Options{Files: []string{file}, Interval: time.Hour, Logger: slog.New(slog.DiscardHandler)}, func() (int, error) { loads++; return loads, nil })
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() { v.Get() })
	}
	wg.Wait()
	require.Equal(t, 1, v.Get())
}
