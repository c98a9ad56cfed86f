package demo

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) { os.Exit(code) }),
		// Idle connections of the default client.
		goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"), goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"))
}

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file.txt")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func TestTwoFilesAreEqualLineForLine(t *testing.T) {
	for name, c := range map[string]struct{ in, out, want string }{
		"equal":                   {"a\nb\n", "a\nb\n", ""},
		"no line end at the end":  {"a\nb", "a\nb\n", ""},
		"CRLF stays":              {"a\r\nb\r\n", "a\r\nb\r\n", ""},
		"CRLF lost":               {"a\r\nb\r\n", "a\nb\n", "in line 1"},
		"a line is missing":       {"a\nb\nc\n", "a\nb\n", "ends after 2 lines of 3: lines are missing"},
		"a line in the middle":    {"a\nb\nc\n", "a\nc\n", `in line 2: "c" instead of "b"`},
		"a line twice at the end": {"a\nb\n", "a\nb\nb\n", "goes on after the 2 lines"},
		"empty lines count":       {"\n\na\n", "\na\n", "in line 2"},
	} {
		t.Run(name, func(t *testing.T) {
			input, err := measure(write(t, c.in))
			require.NoError(t, err)
			err = compare(input, write(t, c.out))
			if c.want == "" {
				require.NoError(t, err)
				require.Equal(t, int64(len(c.out)), input.expected())
				return
			}
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestFilesThatCannotBeShown(t *testing.T) {
	for name, c := range map[string]struct{ path, want string }{
		"missing":    {filepath.Join(t.TempDir(), "no"), "no such file"},
		"a folder":   {t.TempDir(), "no regular file"},
		"empty":      {write(t, ""), "is empty"},
		"compressed": {write(t, "\x1f\x8b..."), "unpack it"},
	} {
		t.Run(name, func(t *testing.T) { require.ErrorContains(t, Check(c.path), c.want) })
	}
}

func TestTheMeterShowsRatesLagAndTime(t *testing.T) {
	began := time.Now()
	m := newMeter(content{bytes: 1000, lines: 100}, began)
	m.line(began, 0, 0, 0)
	require.Equal(t, "  [######..................]  25%  in 50/s  out 25/s  lag 25  left 3 s", m.line(began.Add(time.Second), 50, 25, 250))
	require.Contains(t, m.line(began.Add(2*time.Second), 100, 100, 1000), "100%")
	require.Equal(t, "1.50M", count(1.5e6))
	require.Equal(t, "20k", count(2e4))
}

// copyingWorker answers like a REST API whose connectors copy the file in an instant.
type copyingWorker struct {
	fail    string // trace of a failed sink
	corrupt bool
	moved   atomic.Uint64
}

func (w *copyingWorker) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	name := strings.Split(r.URL.Path, "/")
	switch {
	case r.Method == http.MethodPut:
		var cfg map[string]string
		if err := json.NewDecoder(r.Body).Decode(&cfg); err != nil {
			http.Error(out, err.Error(), http.StatusBadRequest)
			return
		}
		if cfg["connector.class"] == "file-sink" && w.fail == "" {
			text := "one\ntwo\n"
			if w.corrupt {
				text = "one\nTWO\n"
			}
			if err := os.WriteFile(cfg["file"], []byte(text), 0o600); err != nil {
				http.Error(out, err.Error(), http.StatusInternalServerError)
				return
			}
			w.moved.Store(2)
		}
		fmt.Fprint(out, "{}")
	case strings.HasSuffix(r.URL.Path, "/progress"):
		fmt.Fprintf(out, `{"tasks":[{"records":%d}]}`, w.moved.Load())
	case w.fail != "" && strings.HasSuffix(name[2], "-sink"):
		fmt.Fprintf(out, `{"connector":{"state":"RUNNING"},"tasks":[{"id":0,"state":"FAILED","trace":%q}]}`, w.fail)
	default:
		fmt.Fprint(out, `{"connector":{"state":"RUNNING"},"tasks":[]}`)
	}
}

func TestTheDemoEndsWithWhatItFound(t *testing.T) {
	for name, c := range map[string]struct {
		worker *copyingWorker
		want   string
	}{
		"all arrived":       {&copyingWorker{}, ""},
		"a line differs":    {&copyingWorker{corrupt: true}, "differs from"},
		"a task has failed": {&copyingWorker{fail: "disk on fire"}, "disk on fire"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(c.worker)
			defer server.Close()
			var out strings.Builder
			o := Options{URL: server.URL, File: write(t, "one\ntwo\n"), Dir: t.TempDir(), Out: &out}
			err := Run(t.Context(), o)
			if c.want != "" {
				require.ErrorContains(t, err, c.want)
				return
			}
			require.NoError(t, err)
			require.Contains(t, out.String(), "all lines arrived")
			require.Contains(t, Hints(o), "/status")
		})
	}
}
