package lines

import (
	"bytes"
	"fmt"
)

// Ends says which bytes end a line.
type Ends uint8

const (
	// Any ends a line at LF, CRLF or a lone CR, as Kafka's FileStreamSource does.
	Any Ends = iota
	// CRLF ends a line at LF or CRLF. A lone CR is part of the line.
	CRLF
	// LF ends a line at LF only. A CR before it is part of the line.
	LF
)

// ParseEnds reads the configured name of an ending rule: any, crlf or lf.
func ParseEnds(name string) (Ends, error) {
	switch name {
	case "any":
		return Any, nil
	case "crlf":
		return CRLF, nil
	case "lf":
		return LF, nil
	}
	return Any, fmt.Errorf("unknown line end %q: use any, crlf or lf", name)
}

// Line is one line of a block, as offsets into that block. Its text is block[Start:End]; the next line starts at Next,
// so that the bytes from End to Next are the line's ending.
type Line struct{ Start, End, Next int }

// Limits bounds one call of a splitter.
type Limits struct {
	Lines int // at most so many lines are returned
	Bytes int // a line longer than this stops the call; see Result
}

// Result is what a splitter found.
type Result struct {
	// Lines holds the whole lines, in order and without gaps from the start of the block.
	Lines []Line
	// TooLong says that the line after the last one returned is longer than the limit. It may be whole or unfinished.
	TooLong bool
}

// Splitter finds the lines of a block and appends them to dst. The block starts at the start of a line. With final
// set nothing will follow the block: what is left at its end is a line, if it is not empty. Without it the rest of the
// block stays unreported, because it may be the first part of a line (or of a CRLF).
type Splitter func(dst []Line, block []byte, limits Limits, final bool) Result

// SplitterFor returns the splitter of an ending rule.
func SplitterFor(ends Ends) Splitter {
	switch ends {
	case LF:
		return splitLF
	case CRLF:
		return splitCRLF
	default:
		return splitAny
	}
}

func splitLF(dst []Line, block []byte, limits Limits, final bool) Result {
	return splitNewline(dst, block, limits, final, false)
}

func splitCRLF(dst []Line, block []byte, limits Limits, final bool) Result {
	return splitNewline(dst, block, limits, final, true)
}

// splitNewline ends lines at LF and, with trim, leaves one CR before the LF out of the line.
func splitNewline(dst []Line, block []byte, limits Limits, final, trim bool) Result {
	start := 0
	for n := 0; n < limits.Lines; n++ {
		end := bytes.IndexByte(block[start:], '\n')
		next := start + end + 1
		if end < 0 {
			if !final || start == len(block) {
				return Result{Lines: dst, TooLong: restTooLong(block, start, limits)}
			}
			end, next = len(block), len(block)
		} else {
			end += start
		}
		if trim && end > start && block[end-1] == '\r' {
			end--
		}
		if end-start > limits.Bytes {
			return Result{Lines: dst, TooLong: true}
		}
		dst = append(dst, Line{start, end, next})
		start = next
	}
	return Result{Lines: dst}
}

// splitAny ends lines at LF, CRLF and CR. The position of the next CR is kept from line to line, so that a block
// without CR is searched for it once, not once a line.
func splitAny(dst []Line, block []byte, limits Limits, final bool) Result {
	start, cr := 0, -1
	for n := 0; n < limits.Lines; n++ {
		if cr < start {
			if cr = bytes.IndexByte(block[start:], '\r'); cr < 0 {
				cr = len(block)
			} else {
				cr += start
			}
		}
		// Only the part before the CR can hold an LF that ends this line.
		end, next := bytes.IndexByte(block[start:cr], '\n'), 0
		switch {
		case end >= 0:
			end += start
			next = end + 1
		case cr+1 < len(block):
			end, next = cr, cr+1
			if block[next] == '\n' {
				next++
			}
		case cr < len(block) && final: // the CR is the last byte there will be
			end, next = cr, cr+1
		case final && start < len(block):
			end, next = len(block), len(block)
		default: // unfinished, or a CR whose LF may follow
			return Result{Lines: dst, TooLong: cr-start > limits.Bytes}
		}
		if end-start > limits.Bytes {
			return Result{Lines: dst, TooLong: true}
		}
		dst = append(dst, Line{start, end, next})
		start = next
	}
	return Result{Lines: dst}
}

// restTooLong tells whether the unfinished line at the end of a block is already over the limit. A CR at the very end
// does not count, as it may turn out to belong to the ending.
func restTooLong(block []byte, start int, limits Limits) bool {
	rest := len(block) - start
	if rest > 0 && block[len(block)-1] == '\r' {
		rest--
	}
	return rest > limits.Bytes
}
