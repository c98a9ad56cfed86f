package tail

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"github.com/klauspost/compress/gzip"
)

var gzipMagic = []byte{0x1f, 0x8b, 0x08}

// input is one open file, read from a position on. A gzip file reads as its content.
type input struct {
	file *os.File
	name string
	zip  bool
	gz   *gzip.Reader // nil for a plain file, and for a gzip file whose header is still being written
	size int64        // compressed size of a gzip file when it was last opened or sought: more means that it grew
}

// openInput opens a regular file. It does not wait: a pipe or device is refused.
func openInput(path string) (*input, error) {
	// Without O_NONBLOCK the opening of a named pipe waits for its writer.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	switch {
	case err != nil:
	case info.IsDir():
		err = &os.PathError{Op: "read", Path: path, Err: syscall.EISDIR}
	case !info.Mode().IsRegular():
		err = fmt.Errorf("%s is not a regular file any more", path)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	in := &input{file: f, size: info.Size(), name: path}
	magic := make([]byte, len(gzipMagic))
	if n, _ := f.ReadAt(magic, 0); n == len(magic) && bytes.Equal(magic, gzipMagic) {
		in.zip = true
		if err := in.startGzip(); err != nil {
			f.Close()
			return nil, err
		}
	}
	return in, nil
}

func (in *input) startGzip() error {
	if _, err := in.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	gz, err := gzip.NewReader(in.file)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%s is not a gzip file although it begins like one: %w", in.name, err)
	}
	in.gz = gz
	return nil
}

// seek moves to a position and returns the bytes in front of it, at most printBytes. A file that is too short gives
// errShort.
func (in *input) seek(position int64) ([]byte, error) {
	if in.zip {
		info, err := in.file.Stat()
		if err == nil {
			in.size = info.Size()
			err = in.startGzip()
		}
		switch {
		case err != nil:
			return nil, err
		case in.gz == nil && position > 0:
			return nil, errShort
		case in.gz == nil:
			return nil, nil
		}
		return discard(in.gz, position)
	}
	if _, err := in.file.Seek(max(0, position-printBytes), io.SeekStart); err != nil {
		return nil, err
	}
	return discard(in.file, min(position, printBytes))
}

// read returns io.EOF for as long as there is nothing more.
func (in *input) read(p []byte) (int, error) {
	switch {
	case !in.zip:
		return in.file.Read(p)
	case in.gz == nil:
		return 0, io.EOF
	}
	n, err := in.gz.Read(p)
	switch {
	case n > 0:
		return n, nil // an error comes again with the next call
	case errors.Is(err, io.ErrUnexpectedEOF):
		return 0, io.EOF // cut off: perhaps still being written
	case err != nil && !errors.Is(err, io.EOF):
		return 0, fmt.Errorf("%s is damaged: %w", in.name, err)
	}
	return 0, io.EOF
}

// grew tells whether a gzip file has become longer than when it was opened, so that its end has to be looked for anew.
func (in *input) grew(info os.FileInfo) bool { return in.zip && info.Size() > in.size }

// holds tells whether the bytes in front of a position are still the given ones. For gzip files it does not look.
func (in *input) holds(before []byte, position int64) bool {
	if in.zip || len(before) == 0 {
		return true
	}
	have := make([]byte, len(before))
	n, _ := in.file.ReadAt(have, position-int64(len(before)))
	return n == len(before) && bytes.Equal(have, before)
}

func (in *input) close() { _ = in.file.Close() }
