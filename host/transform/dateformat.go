package transform

import (
	"strconv"
	"strings"
	"unicode"

	"github.com/tailrace/tailrace/sdk/go/data/javadate"
)

// dateFormat is a compiled pattern of Java's SimpleDateFormat, in UTC and the
// locale en_US. It formats and parses.
type dateFormat struct {
	pattern string
	tokens  []dateToken
	unit    int64 // milliseconds that never change the formatted text within their bucket
}

// dateToken is a run of one pattern letter, or literal text.
type dateToken struct {
	letter byte // 0 for text
	count  int
	text   []rune
}

const dateLetters = "GyMdkHmsSEDFwWahKzZYuXL"

// compileDateFormat fails as the constructor of SimpleDateFormat does.
func compileDateFormat(pattern string) (*dateFormat, error) {
	f := &dateFormat{pattern: pattern, unit: millisPerDay}
	runes := []rune(pattern)
	literal := func(r rune) {
		if n := len(f.tokens); n > 0 && f.tokens[n-1].letter == 0 {
			f.tokens[n-1].text = append(f.tokens[n-1].text, r)
			return
		}
		f.tokens = append(f.tokens, dateToken{text: []rune{r}})
	}
	for i := 0; i < len(runes); {
		r := runes[i]
		switch {
		case r == '\'' && i+1 < len(runes) && runes[i+1] == '\'':
			literal('\'')
			i += 2
		case r == '\'':
			closed := false
			for i++; i < len(runes); i++ {
				if runes[i] != '\'' {
					literal(runes[i])
				} else if i+1 < len(runes) && runes[i+1] == '\'' {
					literal('\'')
					i++
				} else {
					closed = true
					i++
					break
				}
			}
			if !closed {
				return nil, javaError(illegalArgument, "Unterminated quote")
			}
		case r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z':
			if strings.IndexByte(dateLetters, byte(r)) < 0 {
				return nil, javaError(illegalArgument, "Illegal pattern character '%c'", r)
			}
			start := i
			for i < len(runes) && runes[i] == r {
				i++
			}
			if r == 'X' && i-start > 3 {
				return nil, javaError(illegalArgument, "invalid ISO 8601 format: length=%d", i-start)
			}
			f.tokens = append(f.tokens, dateToken{letter: byte(r), count: i - start})
			f.unit = min(f.unit, letterUnit(byte(r)))
		default:
			literal(r)
			i++
		}
	}
	return f, nil
}

// letterUnit is the time for which a letter's text cannot change.
func letterUnit(letter byte) int64 {
	switch letter {
	case 'S':
		return 1
	case 's':
		return 1000
	case 'm':
		return 60 * 1000
	case 'H', 'k', 'K', 'h', 'a':
		return 60 * 60 * 1000
	}
	return millisPerDay
}

// span is the time around millis in which the formatted text stays the same.
func (f *dateFormat) span(millis int64) (from, to int64) {
	from = javadate.FloorDiv(millis, f.unit) * f.unit
	return from, from + f.unit
}

var (
	months   = []string{"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"}
	weekdays = []string{"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"}
	halves   = []string{"AM", "PM"}
	eras     = []string{"BC", "AD"}
)

// mustDateFormat is for patterns of the program.
func mustDateFormat(pattern string) *dateFormat {
	f, err := compileDateFormat(pattern)
	if err != nil {
		panic(err)
	}
	return f
}

// The formats of Connect's Values.
var (
	isoTime      = mustDateFormat("HH:mm:ss.SSS'Z'")
	isoDate      = mustDateFormat("yyyy-MM-dd")
	isoTimestamp = mustDateFormat("yyyy-MM-dd'T'HH:mm:ss.SSS'Z'")
)

func (f *dateFormat) format(millis int64) string {
	fields := fieldsAt(millis)
	var b []byte
	for i := range f.tokens {
		t := &f.tokens[i]
		if t.letter == 0 {
			b = append(b, string(t.text)...)
		} else {
			b = t.append(b, &fields)
		}
	}
	return string(b)
}

func (t *dateToken) append(b []byte, f *dateFields) []byte {
	n := int64(0)
	switch t.letter {
	case 'G':
		if f.year <= 0 {
			return append(b, "BC"...)
		}
		return append(b, "AD"...)
	case 'y':
		year := f.year
		if year <= 0 {
			year = 1 - year
		}
		return t.year(b, year)
	case 'Y': // Java shows this one with its sign
		if f.weekYear < 0 {
			return t.year(append(b, '-'), -f.weekYear)
		}
		return t.year(b, f.weekYear)
	case 'M', 'L':
		if t.count >= 3 {
			return t.name(b, months[f.month-1])
		}
		n = f.month
	case 'E':
		return t.name(b, weekdays[f.dayOfWeek-1])
	case 'a':
		return append(b, halves[f.millis/(12*3600*1000)]...)
	case 'z':
		if t.count >= 4 {
			return append(b, "Coordinated Universal Time"...)
		}
		return append(b, "UTC"...)
	case 'Z':
		return append(b, "+0000"...)
	case 'X':
		return append(b, 'Z')
	default:
		n = t.number(f)
	}
	return padded(b, n, t.count)
}

// number is the value of the letters that always show one.
func (t *dateToken) number(f *dateFields) int64 {
	hour := f.millis / 3600000
	switch t.letter {
	case 'd':
		return f.day
	case 'D':
		return f.dayOfYear
	case 'F':
		return f.dowInMonth
	case 'w':
		return f.weekOfYear
	case 'W':
		return f.weekOfMonth
	case 'u':
		return (f.dayOfWeek+5)%7 + 1 // Monday is 1
	case 'H':
		return hour
	case 'k':
		return (hour+23)%24 + 1
	case 'K':
		return hour % 12
	case 'h':
		return (hour+11)%12 + 1
	case 'm':
		return f.millis / 60000 % 60
	case 's':
		return f.millis / 1000 % 60
	}
	return f.millis % 1000 // S
}

func (t *dateToken) year(b []byte, year int64) []byte {
	if t.count == 2 {
		return padded(b, year%100, 2)
	}
	return padded(b, year, t.count)
}

// name writes a name whole from four letters on, else its first three letters.
func (t *dateToken) name(b []byte, name string) []byte {
	if t.count < 4 {
		name = name[:3]
	}
	return append(b, name...)
}

func padded(b []byte, n int64, width int) []byte {
	start := len(b)
	var digits [20]byte
	text := strconv.AppendInt(digits[:0], n, 10)
	for len(b)-start+len(text) < width {
		b = append(b, '0')
	}
	return append(b, text...)
}

// digitValue is Java's Character.digit in base ten, -1 for what is not a digit.
func digitValue(r rune) int {
	if r < 0x80 {
		if r >= '0' && r <= '9' {
			return int(r - '0')
		}
		return -1
	}
	for _, span := range unicode.Nd.R16 { // every span begins with a zero
		if r >= rune(span.Lo) && r <= rune(span.Hi) {
			return int(r-rune(span.Lo)) % 10
		}
	}
	return -1
}
