package transform

import (
	_ "embed"
	"math"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/tailrace/tailrace/host/convert"
	"github.com/tailrace/tailrace/sdk/go/data/javadate"
)

// parse reads a time as SimpleDateFormat.parse does: leniently, from the
// start of the text, ignoring what follows. now decides what century the years
// of two digits are in.
func (f *dateFormat) parse(text string, now time.Time) (int64, error) {
	p := dateParser{text: []rune(text), century: centuryStart(now)}
	for i := range f.tokens {
		t := &f.tokens[i]
		ok := false
		if t.letter == 0 {
			ok = p.literal(t.text)
		} else {
			ok = p.field(t, i+1 < len(f.tokens) && f.tokens[i+1].digits())
		}
		if !ok {
			return 0, unparsable(text)
		}
	}
	if p.pos == 0 {
		return 0, unparsable(text)
	}
	millis := p.fields.millis()
	if p.ambiguous && millis < p.century.UnixMilli() {
		p.fields.value[calYear] += 100
		millis = p.fields.millis()
	}
	return millis, nil
}

func unparsable(text string) error {
	return &convert.Error{Class: parseException, Message: "Unparseable date: \"" + text + "\""}
}

// centuryStart is 80 years ago: years of two digits lie in the hundred years from then on.
func centuryStart(now time.Time) time.Time {
	f := fieldsAt(now.UnixMilli())
	b := dateBuilder{}
	b.set(calYear, int32(f.year-80))
	b.set(calMonth, int32(f.month-1))
	day := f.day
	if f.month == 2 && day == 29 && javadate.GregorianDay(f.year-80, 3, 1)-javadate.GregorianDay(f.year-80, 2, 1) == 28 {
		day = 28
	}
	b.set(calDay, int32(day))
	b.set(calMillis, int32(f.millis))
	return time.UnixMilli(b.millis()).UTC()
}

// digits reports whether a token reads digits, so that a number right before it
// must stop after its own count.
func (t *dateToken) digits() bool {
	switch t.letter {
	case 'M', 'L':
		return t.count <= 2
	case 0, 'G', 'E', 'a', 'z', 'Z', 'X':
		return false
	}
	return true
}

type dateParser struct {
	text      []rune
	pos       int
	fields    dateBuilder
	century   time.Time
	ambiguous bool // a year of two digits that may lie in either century
}

func (p *dateParser) literal(text []rune) bool {
	for _, r := range text {
		if p.pos >= len(p.text) || p.text[p.pos] != r {
			return false
		}
		p.pos++
	}
	return true
}

// numberFields are the letters that set a field to the number read.
var numberFields = map[byte]calField{
	'd': calDay, 'H': calHourOfDay, 'm': calMinute, 's': calSecond, 'S': calMillis, 'D': calDayOfYear,
	'F': calDayOfWeekInMonth, 'w': calWeekOfYear, 'W': calWeekOfMonth, 'K': calHour,
}

// field reads what a token stands for. bounded limits a number to the token's count.
func (p *dateParser) field(t *dateToken, bounded bool) bool {
	start := p.pos // names do not skip blanks, numbers do
	at := start
	for ; ; at++ {
		if at >= len(p.text) {
			return false
		}
		if p.text[at] != ' ' && p.text[at] != '\t' {
			break
		}
	}
	switch t.letter {
	case 'G':
		return p.name(start, calEra, 0, eras, []string{"Before Christ", "Anno Domini"})
	case 'E':
		return p.name(start, calDayOfWeek, 1, weekdays, short(weekdays))
	case 'a':
		return p.name(start, calAmPm, 0, halves)
	case 'z', 'Z':
		return p.zone(start, at)
	case 'X':
		return p.isoZone(at, t.count)
	case 'M', 'L':
		if t.count >= 3 {
			return p.name(start, calMonth, 0, months, short(months))
		}
	}
	limit := len(p.text)
	if bounded {
		if limit = start + t.count; limit > len(p.text) {
			return false
		}
	}
	value, end, ok := parseNumber(p.text[:limit], at)
	if !ok {
		return false
	}
	p.pos = end
	p.number(t, value, at, end)
	return true
}

// number sets the field of a numeric token.
func (p *dateParser) number(t *dateToken, value int32, at, end int) {
	switch t.letter {
	case 'y', 'Y':
		if t.count <= 2 && end-at == 2 && digitValue(p.text[at]) >= 0 && digitValue(p.text[at+1]) >= 0 {
			first := int32(p.century.Year())
			p.ambiguous = value == first%100
			value += first / 100 * 100
			if value%100 < first%100 {
				value += 100
			}
		}
		if t.letter == 'Y' {
			p.fields.set(calWeekYear, value)
		} else {
			p.fields.set(calYear, value)
		}
	case 'M', 'L':
		p.fields.set(calMonth, value-1)
	case 'k':
		if value == 24 {
			value = 0
		}
		p.fields.set(calHourOfDay, value)
	case 'h':
		if value == 12 {
			value = 0
		}
		p.fields.set(calHour, value)
	case 'u':
		if value >= 1 && value <= 7 { // Monday is 1 here and 2 in the calendar
			value = value%7 + 1
		}
		p.fields.set(calDayOfWeek, value)
	default:
		p.fields.set(numberFields[t.letter], value)
	}
}

// parseNumber reads an integer as Java's DecimalFormat does, which takes more
// than digits: an exponent, NaN and infinity.
func parseNumber(text []rune, at int) (value int32, end int, ok bool) {
	i := at
	sign := ""
	if i < len(text) && text[i] == '-' {
		sign = "-"
		i++
	}
	if sign == "" && hasPrefix(text[i:], "NaN") {
		return 0, i + 3, true
	}
	if hasPrefix(text[i:], "∞") {
		if sign != "" {
			return math.MinInt32, i + 1, true
		}
		return math.MaxInt32, i + 1, true
	}
	var digits []byte
	for ; i < len(text); i++ {
		d := digitValue(text[i])
		if d < 0 {
			break
		}
		digits = append(digits, byte('0'+d))
	}
	if len(digits) == 0 {
		return 0, at, false
	}
	if exponent, after, found := parseExponent(text, i); found {
		f, _ := strconv.ParseFloat(sign+string(digits)+"e"+exponent, 64)
		if n := math.Trunc(f); n == f && math.Abs(f) < 1<<63 {
			return int32(int64(f)), after, true
		}
		return int32(saturate(f, math.MinInt32, math.MaxInt32)), after, true
	}
	n, err := strconv.ParseInt(sign+string(digits), 10, 64)
	if err != nil { // Java goes on with a double
		if sign != "" {
			return math.MinInt32, i, true
		}
		return math.MaxInt32, i, true
	}
	return int32(n), i, true
}

func parseExponent(text []rune, i int) (exponent string, end int, found bool) {
	if i >= len(text) || text[i] != 'E' {
		return "", i, false
	}
	end = i + 1
	if end < len(text) && text[end] == '-' {
		exponent, end = "-", end+1
	}
	from := end
	for ; end < len(text) && digitValue(text[end]) >= 0; end++ {
		exponent += string(rune('0' + digitValue(text[end])))
	}
	return exponent, end, end > from
}

func hasPrefix(text []rune, prefix string) bool {
	for _, r := range prefix {
		if len(text) == 0 || text[0] != r {
			return false
		}
		text = text[1:]
	}
	return true
}

func short(names []string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = n[:3]
	}
	return out
}

// name reads the longest of the names, in any case.
func (p *dateParser) name(start int, f calField, base int, lists ...[]string) bool {
	best, value := 0, 0
	for _, names := range lists {
		for i, name := range names {
			if len(name) > best && foldPrefix(p.text[start:], name) {
				best, value = len(name), base+i
			}
		}
	}
	if best == 0 {
		return false
	}
	p.fields.set(f, int32(value))
	p.pos = start + best
	return true
}

// foldPrefix compares with an ASCII name in any case.
func foldPrefix(text []rune, name string) bool {
	return len(text) >= len(name) && strings.EqualFold(string(text[:len(name)]), name)
}

func (p *dateParser) setZone(minutes int) {
	p.fields.set(calZone, int32(minutes*60*1000))
	p.fields.set(calDst, 0)
}

// zone reads +hhmm, GMT+hh:mm or the name of a time zone.
func (p *dateParser) zone(start, at int) bool {
	switch c := p.text[at]; {
	case c == '+':
		return p.numericZone(at+1, 1, 0, false)
	case c == '-':
		return p.numericZone(at+1, -1, 0, false)
	case (c == 'G' || c == 'g') && foldPrefix(p.text[start:], "GMT"):
		end := start + 3
		if end < len(p.text) && (p.text[end] == '+' || p.text[end] == '-') {
			sign := 1
			if p.text[end] == '-' {
				sign = -1
			}
			return p.numericZone(end+1, sign, 0, true)
		}
		p.setZone(0)
		p.pos = end
		return true
	}
	best, offset := 0, 0
	for name, minutes := range zoneNames() {
		if len(name) > best && foldPrefix(p.text[at:], name) {
			best, offset = len(name), minutes
		}
	}
	if best == 0 {
		return false
	}
	p.setZone(offset)
	p.pos = at + best
	return true
}

// isoZone reads Z, +hh, +hhmm or +hh:mm, by the count of letters.
func (p *dateParser) isoZone(at, count int) bool {
	switch p.text[at] {
	case 'Z':
		p.setZone(0)
		p.pos = at + 1
		return true
	case '+':
		return p.numericZone(at+1, 1, count, count == 3)
	case '-':
		return p.numericZone(at+1, -1, count, count == 3)
	}
	return false
}

func (p *dateParser) numericZone(at, sign, count int, colon bool) bool {
	digit := func() (int, bool) {
		if at >= len(p.text) || p.text[at] < '0' || p.text[at] > '9' {
			return 0, false
		}
		at++
		return int(p.text[at-1] - '0'), true
	}
	hours, ok := digit()
	if !ok {
		return false
	}
	if d, ok := digit(); ok {
		hours = hours*10 + d
	} else if count > 0 || !colon || at >= len(p.text) {
		return false
	}
	if hours > 23 {
		return false
	}
	minutes := 0
	if count != 1 {
		if colon {
			if at >= len(p.text) || p.text[at] != ':' {
				return false
			}
			at++
		}
		tens, ok := digit()
		units, also := digit()
		if minutes = tens*10 + units; !ok || !also || minutes > 59 {
			return false
		}
	}
	p.setZone(sign * (hours*60 + minutes))
	p.pos = at
	return true
}

// zoneText has the names of time zones in en_US that Java 17 reads, each with
// the minutes east of UTC that it gives them (recorded from java.text).
//
//go:embed zonenames.txt
var zoneText string

var zoneNames = sync.OnceValue(func() map[string]int {
	names := make(map[string]int, 600)
	for line := range strings.Lines(zoneText) {
		name, minutes, _ := strings.Cut(strings.TrimSpace(line), "|")
		if n, err := strconv.Atoi(minutes); err == nil {
			names[name] = n
		}
	}
	return names
})
