package lines

import "bytes"

// SplitCSV returns a splitter for CSV: lines end at LF or CRLF, but not between two quotes. Quotes inside a quoted field
// are doubled (RFC 4180), so a record is whole when the number of its quotes is even.
func SplitCSV(quote byte) Splitter {
	return func(dst []Line, block []byte, limits Limits, final bool) Result {
		start := 0
		for n := 0; n < limits.Lines; n++ {
			end, next := csvEnd(block, start, quote)
			if end < 0 {
				if !final || start == len(block) {
					return Result{Lines: dst, TooLong: restTooLong(block, start, limits)}
				}
				end, next = len(block), len(block)
			}
			if end > start && block[end-1] == '\r' {
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
}

// csvEnd finds the first LF from start on that has an even number of quotes before it; end is -1 if there is none.
func csvEnd(block []byte, start int, quote byte) (end, next int) {
	quotes := 0
	for from := start; ; {
		lf := bytes.IndexByte(block[from:], '\n')
		if lf < 0 {
			return -1, 0
		}
		lf += from
		quotes += bytes.Count(block[from:lf], []byte{quote})
		if quotes%2 == 0 {
			return lf, lf + 1
		}
		from = lf + 1
	}
}
