package tail

import (
	"errors"
	"io"
	"sync"
)

// streamBlocks is how many blocks a Stream reads ahead.
const streamBlocks = 2

// Stream reads standard input, a named pipe or a device. Such an input cannot be read twice, so its chunks have no
// offset that means anything, and it is read in a goroutine of its own, because a read can wait for ever. That goroutine
// ends when the input does.
type Stream struct {
	scan   *Scanner
	blocks chan []byte
	free   chan []byte
	mu     sync.Mutex
	err    error
	ended  bool
}

// NewStream starts to read an input that open returns; a named pipe waits in open for its writer.
func NewStream(format Format, blockBytes int, open func() (io.Reader, error)) *Stream {
	s := &Stream{
		scan:   NewScanner(format, blockBytes),
		blocks: make(chan []byte, streamBlocks),
		free:   make(chan []byte, streamBlocks),
	}
	for range streamBlocks {
		s.free <- make([]byte, blockBytes)
	}
	go s.read(open)
	return s
}

func (s *Stream) read(open func() (io.Reader, error)) {
	defer close(s.blocks)
	in, err := open()
	for err == nil {
		var n int
		block := <-s.free
		n, err = in.Read(block[:cap(block)])
		if n > 0 {
			s.blocks <- block[:n]
		} else {
			s.free <- block
		}
	}
	if !errors.Is(err, io.EOF) {
		s.mu.Lock()
		s.err = err
		s.mu.Unlock()
	}
}

// Blocks is readable when Feed has something to take.
func (s *Stream) Blocks() <-chan []byte { return s.blocks }

// Feed takes what was received from Blocks; open is false when that channel was closed.
func (s *Stream) Feed(block []byte, open bool) {
	if !open {
		s.ended = true
		return
	}
	for rest := block; len(rest) > 0; {
		n := copy(s.scan.Space(), rest)
		s.scan.Added(n)
		rest = rest[n:]
	}
	s.free <- block
}

// Next returns up to limit lines of what was fed; Idle asks for more. At the end of the input it returns io.EOF, or
// the error that ended it.
func (s *Stream) Next(limit int) (Chunk, Status, error) {
	chunk, ok, err := s.scan.Next(limit, s.ended)
	switch {
	case err != nil:
		return Chunk{}, Idle, err
	case ok:
		return chunk, Ready, nil
	case !s.ended:
		return Chunk{}, Idle, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return Chunk{}, Idle, s.err
	}
	return Chunk{}, Idle, io.EOF
}
