package demo

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// content is what is known of the file that goes in.
type content struct {
	path         string
	bytes, lines int64
	open         bool // the last line has no line end
	modified     time.Time
}

// expected is the size of the other file: the sink ends every line.
func (c content) expected() int64 {
	if c.open {
		return c.bytes + 1
	}
	return c.bytes
}

// Check says what is wrong with a file, before anything is started for it.
func Check(path string) error {
	_, err := measure(path)
	return err
}

// measure reads the file once.
func measure(path string) (content, error) {
	c := content{path: path}
	f, err := os.Open(path)
	if err != nil {
		return c, fmt.Errorf("FILE: %w; name a file that can be read", err)
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return c, err
	case !info.Mode().IsRegular():
		return c, fmt.Errorf("FILE: %s is no regular file", path)
	}
	c.modified = info.ModTime()
	buf := make([]byte, 1<<20)
	for {
		n, err := f.Read(buf)
		if n > 0 {
			if c.bytes == 0 && bytes.HasPrefix(buf[:n], []byte{0x1f, 0x8b}) {
				return c, fmt.Errorf("FILE: %s is compressed, and what arrives is its content: there is nothing to compare it with; unpack it", path)
			}
			c.bytes += int64(n)
			c.lines += int64(bytes.Count(buf[:n], []byte{'\n'}))
			c.open = !bytes.HasSuffix(buf[:n], []byte{'\n'})
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return c, fmt.Errorf("FILE: %w", err)
		}
	}
	if c.open {
		c.lines++
	}
	if c.bytes == 0 {
		return c, fmt.Errorf("FILE: %s is empty; name a file with lines", path)
	}
	return c, nil
}

// compare wants the other file to be the first, line for line.
func compare(input content, output string) error {
	a, err := os.Open(input.path)
	if err != nil {
		return err
	}
	defer a.Close()
	b, err := os.Open(output)
	if err != nil {
		return err
	}
	defer b.Close()
	left, right := bufio.NewReaderSize(io.LimitReader(a, input.bytes), 1<<20), bufio.NewReaderSize(b, 1<<20)
	for line := int64(1); ; line++ {
		x, errX := readLine(left)
		y, errY := readLine(right)
		switch {
		case errors.Is(errX, io.EOF) && errors.Is(errY, io.EOF):
			return nil
		case errX != nil && !errors.Is(errX, io.EOF):
			return errX
		case errY != nil && !errors.Is(errY, io.EOF):
			return errY
		case errX != nil:
			return fmt.Errorf("%s goes on after the %d lines of %s: lines arrived more than once", output, line-1, input.path)
		case errY != nil:
			return fmt.Errorf("%s ends after %d lines of %d: lines are missing", output, line-1, input.lines)
		case !bytes.Equal(x, y):
			return fmt.Errorf("%s differs from %s in line %d: %q instead of %q", output, input.path, line, short(y), short(x))
		}
	}
}

// readLine is a line without its end; io.EOF when there is none.
func readLine(r *bufio.Reader) ([]byte, error) {
	line, err := r.ReadBytes('\n')
	if len(line) > 0 && (err == nil || errors.Is(err, io.EOF)) {
		return bytes.TrimSuffix(line, []byte{'\n'}), nil
	}
	return nil, err
}

func short(b []byte) []byte { return b[:min(len(b), 80)] }

func fileSize(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}
