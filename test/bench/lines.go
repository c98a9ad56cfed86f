package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
)

// lines describes an input: count lines of size bytes each, without the newline. Line i is a function of i, so that
// outputs are compared with the input without keeping it.
type lines struct {
	count int
	size  int
}

func (l lines) String() string {
	if l.size%1024 == 0 {
		return fmt.Sprintf("%d KiB", l.size/1024)
	}
	return fmt.Sprintf("%d B", l.size)
}

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// line fills dst, which has the size of a line, with line i: its number, then text that does not compress well.
func (l lines) line(dst []byte, i int) {
	number := strconv.AppendInt(dst[:0], 1_000_000_000+int64(i), 10)
	rest := dst[len(number):]
	rest[0] = ' '
	rest = rest[1:]
	state := uint64(i)*0x9E3779B97F4A7C15 + 0xD1B54A32D192ED03 // xorshift must not start at 0
	var word [8]byte
	for len(rest) > 0 {
		state ^= state << 13
		state ^= state >> 7
		state ^= state << 17
		binary.LittleEndian.PutUint64(word[:], state)
		for k := range word {
			word[k] = alphabet[word[k]&63]
		}
		rest = rest[copy(rest, word[:]):]
	}
}

// write makes the input file.
func (l lines) write(path string) (err error) {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	out := bufio.NewWriterSize(file, 1<<20)
	line := make([]byte, l.size+1)
	line[l.size] = '\n'
	for i := range l.count {
		l.line(line[:l.size], i)
		if _, err := out.Write(line); err != nil {
			return err
		}
	}
	return out.Flush()
}

// check compares an output with the input, one line after the other.
type check struct {
	lines lines
	next  int
	want  []byte
}

func newCheck(l lines) *check { return &check{lines: l, want: make([]byte, l.size)} }

func (c *check) line(got []byte) error {
	if c.next >= c.lines.count {
		return fmt.Errorf("more than the %d lines that went in; one more is %.40q", c.lines.count, got)
	}
	c.lines.line(c.want, c.next)
	if !bytes.Equal(got, c.want) {
		return fmt.Errorf("line %d is %.40q, want %.40q", c.next, got, c.want)
	}
	c.next++
	return nil
}

func (c *check) end() error {
	if c.next != c.lines.count {
		return fmt.Errorf("%d lines arrived, want %d", c.next, c.lines.count)
	}
	return nil
}

// checkFile compares a whole file.
func (l lines) checkFile(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	c := newCheck(l)
	in := bufio.NewReaderSize(file, 1<<20)
	for {
		line, err := in.ReadSlice('\n')
		if errors.Is(err, io.EOF) && len(line) == 0 {
			return c.end()
		}
		if err != nil {
			return fmt.Errorf("%s: after line %d: %w", path, c.next, err)
		}
		if err := c.line(line[:len(line)-1]); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
}
