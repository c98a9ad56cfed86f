package main

import (
	"bytes"
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tailrace/tailrace/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

// The whole demo: rows arrive, table and index agree, a change arrives, and everything is stopped.
func TestTheDemoMovesATableIntoAnIndex(t *testing.T) {
	var out bytes.Buffer
	err := run(t.Context(), options{rows: 5000, bin: harness.Binaries(t), exit: true, out: &out})
	require.NoError(t, err, out.String())
	require.Contains(t, out.String(), "the index agrees with the table: 5000 documents")
	require.Contains(t, out.String(), "a row that was updated meanwhile is in the index")
}

func TestTheMeterTellsRateAndTimeLeft(t *testing.T) {
	began := time.Unix(0, 0)
	m := newMeter(1000, began)
	require.Contains(t, m.line(began, 0, 0), "? left")
	require.Contains(t, m.line(began.Add(2*time.Second), 500, 200), "20 %  read 500, in the index 200 of 1000     100/s  8s left")
	for i := range 20 {
		m.line(began.Add(time.Duration(i+3)*time.Second), 500, 200+i)
	}
	require.Contains(t, m.line(began.Add(30*time.Second), 1000, 1000), "0s left")
}

// Ctrl-C while everything runs: it ends, and so do the servers.
func TestTheDemoEndsWhenItIsInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	out := &watched{want: "Ctrl-C ends it all.", found: cancel}
	require.NoError(t, run(ctx, options{rows: 100, bin: harness.Binaries(t), out: out}), out.String())
	require.Contains(t, out.String(), "stopping everything")
	require.Contains(t, out.String(), "_search?q=product:plum")
}

// watched calls found when a text was written.
type watched struct {
	mu    sync.Mutex
	buf   bytes.Buffer
	want  string
	found func()
}

func (w *watched) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n, err := w.buf.Write(p)
	if bytes.Contains(w.buf.Bytes(), []byte(w.want)) {
		w.found()
	}
	return n, err
}

func (w *watched) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buf.String()
}
