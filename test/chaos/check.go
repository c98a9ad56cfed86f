package chaos

import (
	"fmt"
	"strconv"
)

// verdict is what a sequence of line numbers shows.
type verdict struct {
	lines   int // all, repeats included
	repeats int // lines that were there before
	jumps   int // how often it went back to an earlier line
	late    int // how often a repeat left lines out that had arrived before
}

// judge reads the numbers of lines in the order in which they arrived. Every number from 0 up to want must be there, in
// order of first appearances: a repeat goes back to an earlier line and runs on from there. I-6. What a suspended or cut
// off worker had already given to its Kafka client may come late, between the repeats of its successor: only
// transactions (exactly.once.source.support) keep that out, with Kafka Connect too.
func judge(lines []string, want int) (verdict, error) {
	v := verdict{lines: len(lines)}
	next, highest := 0, 0
	for i, line := range lines {
		n, err := number(line)
		if err != nil {
			return v, fmt.Errorf("entry %d is not a line of the source: %.120q", i, line)
		}
		if line != lineText(n) {
			return v, fmt.Errorf("entry %d is line %d, damaged: %.160q", i, n, line)
		}
		switch {
		case n > highest:
			return v, fmt.Errorf("entry %d is line %d, but line %d was never seen before it: lines are lost or out of order", i, n, highest)
		case n < next:
			v.jumps++
		case n > next:
			v.late++
		}
		if n < highest {
			v.repeats++
		}
		next = n + 1
		highest = max(highest, next)
	}
	if highest != want {
		return v, fmt.Errorf("%d lines arrived, want %d: the end is missing", highest, want)
	}
	return v, nil
}

const numberWidth = 9

func number(line string) (int, error) {
	if len(line) < numberWidth {
		return 0, fmt.Errorf("%q is too short", line)
	}
	return strconv.Atoi(line[:numberWidth])
}

const words = "the quick brown fox jumps over the lazy dog and goes on to the river where it drinks until the sun goes down"

// lineText is the line with a number.
func lineText(n int) string { return fmt.Sprintf("%0*d %s grüße", numberWidth, n, words[:20+n%60]) }
