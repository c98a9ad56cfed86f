package harness

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
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

const lineText = "the quick brown fox jumps over the lazy dog and goes on to the river, where it drinks until the sun goes down again"

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
