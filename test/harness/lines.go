package harness

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tailrace/tailrace/test/env"
)

// WriteLines makes a file of n numbered lines of about 100 bytes.
func WriteLines(t testing.TB, n int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "input.txt")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	NumberedLines(t, f, 0, n)
	return path
}

// NumberedLines appends the lines from (counted from 0) up to and without to, and closes the file.
func NumberedLines(t testing.TB, f *os.File, from, to int) {
	t.Helper()
	w := bufio.NewWriterSize(f, 1<<20)
	for i := from; i < to; i++ {
		fmt.Fprintln(w, Line(i))
	}
	if err := errors.Join(w.Flush(), f.Close()); err != nil {
		t.Fatal(err)
	}
}

// Line is a numbered line, without its end.
func Line(i int) string { return fmt.Sprintf("%09d %s grüße", i, lineText[:60+i%50]) }

// PlainLine is a numbered line of ASCII. The FileStreamSource of Kafka Connect counts characters and seeks to bytes, so that it
// repeats parts of other files.
func PlainLine(i int) string { return fmt.Sprintf("%09d %s", i, lineText[:60+i%50]) }

const lineText = "the quick brown fox jumps over the lazy dog and goes on to the river, where it drinks until the sun goes down again"

// GrowingFile is a file that gets numbered lines until it is stopped.
type GrowingFile struct {
	Path string
	line func(n int) string
	stop chan struct{}
	done chan int // its lines
}

// GrowFile starts a file that gets five lines, such as [Line] makes, a hundred times a second.
func GrowFile(t testing.TB, line func(n int) string) *GrowingFile {
	t.Helper()
	g := &GrowingFile{Path: filepath.Join(t.TempDir(), "lines.txt"), line: line, stop: make(chan struct{}), done: make(chan int, 1)}
	f, err := os.Create(g.Path)
	if err != nil {
		t.Fatal(err)
	}
	go g.grow(f)
	t.Cleanup(func() { g.Stop() })
	return g
}

func (g *GrowingFile) grow(f *os.File) {
	defer f.Close()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for n := 0; ; {
		for range 5 {
			_, _ = fmt.Fprintln(f, g.line(n)) // what is missing shows
			n++
		}
		select {
		case <-tick.C:
		case <-g.stop:
			g.done <- n
			return
		}
	}
}

// Stop ends the growth, once, and tells how many lines there are.
func (g *GrowingFile) Stop() int {
	select {
	case <-g.stop:
		return 0
	default:
	}
	close(g.stop)
	return <-g.done
}

// RequireAllIn stops the file, waits until a topic holds as many committed records, and fails unless they are its lines, each once
// and in order.
func (g *GrowingFile) RequireAllIn(t testing.TB, within time.Duration, broker *env.Broker, topic string) {
	t.Helper()
	n := g.Stop()
	var got []*kgo.Record
	Eventually(t, within, fmt.Sprintf("%d lines in %s", n, topic), func() (bool, string) {
		got = broker.Records(t, topic)
		return len(got) >= n, fmt.Sprint(len(got))
	})
	if len(got) != n {
		t.Fatalf("%s holds %d records instead of %d lines: some came twice", topic, len(got), n)
	}
	for i, r := range got {
		if string(r.Value) != g.line(i) {
			t.Fatalf("%s: %q is there instead of line %d", topic, r.Value, i)
		}
	}
	t.Logf("%s: %d lines, each once and in order", topic, n)
}

// LineCount counts the whole lines of a file that may not exist yet.
func LineCount(path string) int {
	f, err := os.Open(path)
	if err != nil {
		return 0
	}
	defer f.Close()
	buf := make([]byte, 1<<20)
	n := 0
	for {
		k, err := f.Read(buf)
		n += bytes.Count(buf[:k], []byte{'\n'})
		if err != nil {
			return n
		}
	}
}

// LastLine is the last line of a file, without its end; empty when there is none.
func LastLine(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return ""
	}
	buf := make([]byte, min(st.Size(), 4096))
	if _, err := f.ReadAt(buf, st.Size()-int64(len(buf))); err != nil {
		return ""
	}
	buf = bytes.TrimRight(buf, "\n")
	return string(buf[bytes.LastIndexByte(buf, '\n')+1:])
}
