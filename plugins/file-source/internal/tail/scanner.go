package tail

import (
	"fmt"
	"math"

	"github.com/tailrace/tailrace/plugins/file-source/internal/lines"
)

// TooLong says what becomes of a line that is longer than the limit.
type TooLong uint8

const (
	// FailTooLong ends the reading with a *LineTooLongError.
	FailTooLong TooLong = iota
	// TruncateTooLong returns the beginning of the line and drops the rest of it.
	TruncateTooLong
	// SplitTooLong returns the line as several.
	SplitTooLong
	// SkipTooLong drops the line.
	SkipTooLong
)

// ParseTooLong reads the configured name of the rule: fail, truncate, split or skip.
func ParseTooLong(name string) (TooLong, error) {
	for rule, n := range []string{"fail", "truncate", "split", "skip"} {
		if n == name {
			return TooLong(rule), nil
		}
	}
	return FailTooLong, fmt.Errorf("unknown rule %q for long lines: use fail, truncate, split or skip", name)
}

// LineTooLongError tells of a line over the limit.
type LineTooLongError struct {
	Position   int64 // of the line's first byte
	LimitBytes int
}

func (e *LineTooLongError) Error() string {
	return fmt.Sprintf("the line at byte %d is longer than %d bytes", e.Position, e.LimitBytes)
}

// Format is how bytes become lines.
type Format struct {
	// Split finds the lines.
	Split lines.Splitter
	// Resync finds the end of a line that is dropped for its length. It is Split, but for CSV a splitter that ignores
	// quotes, because a quote that is never closed is the likely reason for the length.
	Resync lines.Splitter
	// LineBytes is the longest line allowed, its ending not counted.
	LineBytes int
	TooLong   TooLong
	// CRLF says that an LF right after a CR never is a line of its own.
	CRLF bool
}

// Chunk is a run of whole lines. Its slices are valid until the next call on what returned it.
type Chunk struct {
	Data  []byte
	Lines []lines.Line
	// Base is the position of Data[0]: the line l ends, its ending included, at position Base + l.Next. In the chunk of
	// a truncated line that lies beyond Data.
	Base int64
	// End is the place behind the last line.
	End Offset
	// Header is the first line of the file, if the Follower was asked to set it apart. It has the same first byte in
	// memory as long as it is the header of the same file.
	Header []byte
	// Dropped counts the lines skipped for their length since the chunk before.
	Dropped int
}

// Place is the place behind the first n bytes of Data, for who takes only a part of the chunk.
func (c Chunk) Place(n int) Offset {
	return Offset{Position: c.Base + int64(n), Inode: c.End.Inode, Print: printOf(c.Data[max(0, n-printBytes):n])}
}

// Scanner turns blocks of bytes into chunks. It does no input: the owner reads into Space and says how much by Added.
type Scanner struct {
	format    Format
	buf       []byte
	r, w      int   // buf[r:w] is not yet consumed
	pos       int64 // position of buf[r]
	lines     []lines.Line
	tail      []byte // the last bytes consumed, for the fingerprint
	skipLF    bool   // the last line was ended early between CR and LF
	drop      bool   // inside a line that is too long: it is consumed up to its end
	kept      []byte // beginning of that line, if it is to be returned
	longStart int64
	dropped   int
	block     int
}

// NewScanner returns a scanner whose buffer has blockBytes, and grows to hold the longest line.
func NewScanner(format Format, blockBytes int) *Scanner {
	return &Scanner{format: format, block: blockBytes, tail: make([]byte, 0, 2*printBytes)}
}

// Reset forgets all input and goes on at a position; before holds the bytes in front of it, as many as are known.
func (s *Scanner) Reset(position int64, before []byte) {
	s.r, s.w, s.pos = 0, 0, position
	s.drop, s.kept, s.tail = false, s.kept[:0], s.tail[:0]
	s.note(before)
	s.skipLF = s.format.CRLF && len(before) > 0 && before[len(before)-1] == '\r'
}

// Position is the place in the input behind everything consumed.
func (s *Scanner) Position() int64 { return s.pos }

// ReadPosition is the place in the input behind everything added.
func (s *Scanner) ReadPosition() int64 { return s.pos + int64(s.w-s.r) }

// Held is the number of bytes that are read but not consumed: the unfinished line, or lines beyond a limit.
func (s *Scanner) Held() int { return s.w - s.r }

// Tail returns the bytes consumed last.
func (s *Scanner) Tail() []byte { return s.tail[max(0, len(s.tail)-printBytes):] }

// Space returns room for input. It may move what is held, so chunks are invalid after it.
func (s *Scanner) Space() []byte {
	if s.r > 0 {
		s.w = copy(s.buf, s.buf[s.r:s.w])
		s.r = 0
	}
	switch {
	case s.buf == nil:
		s.buf = make([]byte, s.block)
	case len(s.buf) < s.block: // after Shrink
		s.buf = append(make([]byte, 0, s.block), s.buf[:s.w]...)[:s.block]
	case s.w == len(s.buf): // bounded: a line of LineBytes+2 is either whole or too long
		s.buf = append(s.buf[:s.w], make([]byte, len(s.buf))...)
	}
	return s.buf[s.w:]
}

// Added says that n bytes have been put into Space.
func (s *Scanner) Added(n int) {
	s.w += n
	if s.skipLF && s.Held() > 0 {
		s.skipLF = false
		if s.buf[s.r] == '\n' {
			s.consume(1)
		}
	}
}

// Shrink gives the block back, for a time of idleness: only the unfinished line stays in memory.
func (s *Scanner) Shrink() {
	if len(s.buf) >= s.block {
		s.buf = append([]byte(nil), s.buf[s.r:s.w]...)
		s.r, s.w = 0, len(s.buf)
		s.lines = nil
	}
}

// Next returns up to limit lines of what is held. Without any (ok is false) it needs more input. With final set no
// input will follow, and what is held at the end is a line.
func (s *Scanner) Next(limit int, final bool) (chunk Chunk, ok bool, err error) {
	for {
		if s.drop {
			return s.finishLong(limit, final)
		}
		if s.r == s.w {
			return Chunk{}, false, nil
		}
		block := s.buf[s.r:s.w]
		found := s.format.Split(s.lines[:0], block, lines.Limits{Lines: limit, Bytes: s.format.LineBytes}, final)
		s.lines = found.Lines
		if n := len(found.Lines); n > 0 {
			chunk := Chunk{Data: block, Lines: found.Lines, Base: s.pos, Dropped: s.takeDropped()}
			last := found.Lines[n-1]
			s.skipLF = final && s.format.CRLF && last.Next == len(block) && block[last.Next-1] == '\r'
			s.consume(last.Next)
			chunk.End = s.place()
			return chunk, true, nil
		}
		if !found.TooLong {
			return Chunk{}, false, nil
		}
		if s.format.TooLong == FailTooLong {
			return Chunk{}, false, &LineTooLongError{Position: s.pos, LimitBytes: s.format.LineBytes}
		}
		cut := lines.Cut(block, s.format.LineBytes)
		if s.format.TooLong == SplitTooLong {
			s.lines = append(s.lines[:0], lines.Line{Start: 0, End: cut, Next: cut})
			chunk := Chunk{Data: block, Lines: s.lines, Base: s.pos, Dropped: s.takeDropped()}
			s.consume(cut)
			chunk.End = s.place()
			return chunk, true, nil
		}
		s.drop, s.longStart = true, s.pos
		s.kept = s.kept[:0]
		if s.format.TooLong == TruncateTooLong {
			s.kept = append(s.kept, block[:cut]...)
		}
	}
}

// finishLong consumes a line that is too long. The offset moves only once its end has been found: a task that starts
// again in between must not take the rest of it for a line.
func (s *Scanner) finishLong(limit int, final bool) (Chunk, bool, error) {
	block := s.buf[s.r:s.w]
	found := s.format.Resync(s.lines[:0], block, lines.Limits{Lines: 1, Bytes: math.MaxInt}, final)
	s.lines = found.Lines
	switch {
	case len(found.Lines) > 0:
		s.consume(found.Lines[0].Next)
	case !final:
		n := len(block)
		if n > 0 && block[n-1] == '\r' {
			n-- // its LF may follow
		}
		s.consume(n)
		return Chunk{}, false, nil
	}
	s.drop = false
	if s.format.TooLong == SkipTooLong {
		s.dropped++
		return s.Next(limit, final)
	}
	s.lines = append(s.lines[:0], lines.Line{Start: 0, End: len(s.kept), Next: int(s.pos - s.longStart)})
	return Chunk{Data: s.kept, Lines: s.lines, Base: s.longStart, Dropped: s.takeDropped(), End: s.place()}, true, nil
}

func (s *Scanner) consume(n int) {
	s.note(s.buf[s.r : s.r+n])
	s.r += n
	s.pos += int64(n)
}

// note keeps the last printBytes of what was consumed.
func (s *Scanner) note(b []byte) {
	if len(b) >= printBytes {
		s.tail = append(s.tail[:0], b[len(b)-printBytes:]...)
		return
	}
	if len(s.tail)+len(b) > cap(s.tail) {
		s.tail = append(s.tail[:0], s.Tail()...)
	}
	s.tail = append(s.tail, b...)
}

func (s *Scanner) place() Offset { return Offset{Position: s.pos, Print: printOf(s.Tail())} }

func (s *Scanner) takeDropped() int {
	n := s.dropped
	s.dropped = 0
	return n
}
