package flow

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/tailrace/tailrace/plugins/elasticsearch-sink/internal/bulk"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	errBusy  = errors.New("busy")
	errLarge = errors.New("too large")
	errFatal = errors.New("no rights")
)

// server keeps the order of writes by document; answer decides what it does with a request.
type server struct {
	mu     sync.Mutex
	wrote  map[string][]string // by document, in order
	calls  int
	answer func(call int, lines []string) ([]bulk.Result, error)
}

func (s *server) Bulk(_ context.Context, body []byte, n int) ([]bulk.Result, error) {
	lines := strings.Split(strings.TrimSuffix(string(body), "\n"), "\n")
	if len(lines) != n {
		return nil, fmt.Errorf("%d lines for %d items", len(lines), n)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	var results []bulk.Result
	if s.answer != nil {
		var err error
		if results, err = s.answer(s.calls, lines); err != nil {
			return nil, err
		}
	}
	for i, line := range lines {
		if results == nil || results[i].State == bulk.Done {
			doc, write, _ := strings.Cut(line, "=")
			s.wrote[doc] = append(s.wrote[doc], write)
		}
	}
	return results, nil
}

func start(t interface{ Cleanup(func()) }, s *server, change func(*Config)) *Flow {
	s.wrote = map[string][]string{}
	cfg := Config{
		Sender: s, Lanes: 3, BatchItems: 4, BatchBytes: 1 << 20, MaxRetries: 3, RetryBackoff: time.Microsecond,
		Passes: func(err error) bool { return errors.Is(err, errBusy) }, MustDivide: func(err error) bool { return errors.Is(err, errLarge) },
	}
	if change != nil {
		change(&cfg)
	}
	f := New(cfg)
	t.Cleanup(f.Close)
	return f
}

type failer interface {
	require.TestingT
	Helper()
}

// write sends one item, as the task does.
func write(t failer, f *Flow, doc, n int) {
	t.Helper()
	lane := doc % f.Lanes()
	deadline := time.After(10 * time.Second)
	for {
		if b, ok := f.Open(lane); ok {
			b.Body = fmt.Appendf(b.Body, "%d=%d\n", doc, n)
			b.Items = append(b.Items, bulk.Item{End: len(b.Body), Doc: uint64(doc)})
			b.Refs = append(b.Refs, Ref{Part: &Partition{}, Offset: int64(n)})
			f.Give(lane, b)
			return
		}
		select {
		case <-f.Changed():
		case <-deadline:
			require.Fail(t, "no room", "%+v", f.State())
		}
	}
}

func settled(t failer, f *Flow) State {
	t.Helper()
	f.Flush()
	defer f.Unflush()
	deadline := time.After(10 * time.Second)
	for {
		s := f.State()
		if s.Outstanding == 0 || s.Failure != nil {
			return s
		}
		select {
		case <-f.Changed():
		case <-deadline:
			require.Fail(t, "not settled", "%+v", s)
		}
	}
}

// Whatever the server does with items and requests, the writes of each document that are not errant arrive, and the last of
// them is the last one written. // I-6
func TestTheLastWriteOfADocumentWins(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		moods := rapid.SliceOfN(rapid.IntRange(0, 9), 1, 40).Draw(rt, "moods")
		at := 0
		mood := func() int { at++; return moods[at%len(moods)] }
		progress := 0
		s := &server{}
		s.answer = func(_ int, lines []string) ([]bulk.Result, error) {
			m := mood()
			if progress++; progress%4 == 0 {
				m = 9 // never without an end
			}
			switch {
			case m == 0:
				return nil, errBusy
			case m == 1 && len(lines) > 1:
				return nil, errLarge
			case m < 6:
				results := make([]bulk.Result, len(lines))
				for i := range results {
					if mood() < 4 {
						results[i] = bulk.Result{State: bulk.Retry, Failure: &bulk.Failure{Status: 429}}
					}
				}
				return results, nil
			}
			return nil, nil
		}
		var cleanup []func()
		f := start(cleanups{&cleanup}, s, func(c *Config) { c.MaxRetries = 1000 })
		writes := rapid.SliceOfN(rapid.IntRange(0, 5), 1, 100).Draw(rt, "documents")
		last := map[string]string{}
		for n, doc := range writes {
			write(rt, f, doc, n)
			last[fmt.Sprint(doc)] = fmt.Sprint(n)
		}
		state := settled(rt, f)
		cleanup[0]()
		require.NoError(rt, state.Failure)
		for doc, n := range last {
			require.Equal(rt, n, s.wrote[doc][len(s.wrote[doc])-1], "document %s got %v", doc, s.wrote[doc])
		}
	})
}

type cleanups struct{ fs *[]func() }

func (c cleanups) Cleanup(f func()) { *c.fs = append(*c.fs, f) }

func TestABusyServerIsTriedAgainAndThenGivenUp(t *testing.T) {
	s := &server{answer: func(call int, _ []string) ([]bulk.Result, error) {
		if call <= 3 {
			return nil, errBusy
		}
		return nil, nil
	}}
	f := start(t, s, nil)
	write(t, f, 0, 1)
	require.NoError(t, settled(t, f).Failure)
	require.Equal(t, []string{"1"}, s.wrote["0"])

	f = start(t, &server{answer: func(int, []string) ([]bulk.Result, error) { return nil, errBusy }}, nil)
	write(t, f, 0, 1)
	state := settled(t, f)
	require.ErrorIs(t, state.Failure, errBusy)
	require.ErrorContains(t, state.Failure, "gave up after 3 retries (max.retries)")
	require.Equal(t, 1, state.Outstanding, "never confirmed")
}

func TestWhatSpoilsARequestIsFoundByHalves(t *testing.T) {
	s := &server{answer: func(_ int, lines []string) ([]bulk.Result, error) {
		if strings.Contains(strings.Join(lines, " "), "=13") {
			return nil, errLarge
		}
		return nil, nil
	}}
	f := start(t, s, func(c *Config) { c.Lanes, c.BatchItems = 1, 100 })
	for n := range 50 {
		write(t, f, n, n)
	}
	require.NoError(t, settled(t, f).Failure)
	errant := f.Errant()
	require.Len(t, errant, 1)
	require.Equal(t, int64(13), errant[0].Ref.Offset)
	require.Len(t, s.wrote, 49)
}

func TestAFatalAnswerEndsTheFlow(t *testing.T) {
	f := start(t, &server{answer: func(int, []string) ([]bulk.Result, error) { return nil, errFatal }}, nil)
	write(t, f, 0, 1)
	require.ErrorIs(t, settled(t, f).Failure, errFatal)

	f = start(t, &server{answer: func(_ int, lines []string) ([]bulk.Result, error) {
		return []bulk.Result{{State: bulk.Fatal, Failure: &bulk.Failure{Status: 403, Type: "security_exception"}}}[:len(lines)], nil
	}}, nil)
	write(t, f, 0, 1)
	require.ErrorContains(t, settled(t, f).Failure, "security_exception")
}

func TestABatchWaitsForMoreUntilItLingered(t *testing.T) {
	s := &server{}
	f := start(t, s, func(c *Config) { c.Linger = 50 * time.Millisecond })
	write(t, f, 0, 1)
	write(t, f, 0, 2)
	require.Equal(t, 2, f.State().Outstanding)
	require.Eventually(t, func() bool { return f.State().Outstanding == 0 }, 5*time.Second, time.Millisecond)
	require.Equal(t, 1, s.calls)
}

func TestTheWaitDoublesUpToABound(t *testing.T) {
	require.Equal(t, 100*time.Millisecond, Backoff(1, 100*time.Millisecond, 0))
	require.Equal(t, 400*time.Millisecond, Backoff(3, 100*time.Millisecond, 0))
	require.Equal(t, 200*time.Millisecond, Backoff(3, 100*time.Millisecond, 1))
	require.Equal(t, maxBackoff, Backoff(60, 100*time.Millisecond, 0))
}
