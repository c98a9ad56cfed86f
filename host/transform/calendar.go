package transform

import "github.com/tailrace/tailrace/sdk/go/data/javadate"

const millisPerDay = 24 * 60 * 60 * 1000

// dateFields are what a format can show. All counts are Java's.
type dateFields struct {
	year        int64 // proleptic: 0 is 1 BC
	month       int64 // from 1
	day         int64
	dayOfYear   int64
	dayOfWeek   int64 // Sunday is 1
	weekOfYear  int64
	weekOfMonth int64
	dowInMonth  int64 // the how-manieth Monday, say, of the month it is
	weekYear    int64 // proleptic
	millis      int64 // of the day
}

func fieldsAt(millis int64) dateFields {
	day := javadate.FloorDiv(millis, millisPerDay)
	f := dateFields{millis: javadate.FloorMod(millis, millisPerDay), dayOfWeek: javadate.FloorMod(day+4, 7) + 1}
	f.year, f.month, f.day = javadate.Date(day)
	jan1 := javadate.Day(f.year, 1, 1)
	f.dayOfYear = day - jan1 + 1
	month1 := javadate.Day(f.year, f.month, 1)
	f.weekOfMonth = weekNumber(month1, day)
	f.dowInMonth = (day-month1)/7 + 1
	f.weekOfYear = weekNumber(jan1, day)
	f.weekYear = f.year
	if next := javadate.Day(f.year+1, 1, 1); day >= weekStart(next) {
		f.weekOfYear = 1
		f.weekYear++
	}
	return f
}

// onOrBefore is the last day on or before day that is the day of the week.
func onOrBefore(day, dayOfWeek int64) int64 {
	return day - javadate.FloorMod(day+4-(dayOfWeek-1), 7)
}

// weekStart is the Sunday of the week that contains the first day of a year or
// month; in the locale en_US that is the first week.
func weekStart(first int64) int64 { return onOrBefore(first, 1) }

func weekNumber(first, day int64) int64 { return javadate.FloorDiv(day-weekStart(first), 7) + 1 }

// calField is a field of java.util.Calendar, as far as patterns set them.
type calField uint8

const (
	calEra calField = iota
	calYear
	calMonth // from 0
	calWeekOfYear
	calWeekOfMonth
	calDay
	calDayOfYear
	calDayOfWeek
	calDayOfWeekInMonth
	calAmPm
	calHour
	calHourOfDay
	calMinute
	calSecond
	calMillis
	calZone
	calDst
	calWeekYear
	calFields
)

// dateBuilder collects fields in the order in which a text sets them: where they
// contradict each other, Java goes by the group of fields set last.
type dateBuilder struct {
	value [calFields]int64
	stamp [calFields]int // 0: not set
	next  int
}

func (b *dateBuilder) set(f calField, value int32) {
	b.next++
	b.value[f], b.stamp[f] = int64(value), b.next
}

func (b *dateBuilder) both(f, g calField) int {
	if b.stamp[f] == 0 || b.stamp[g] == 0 {
		return 0
	}
	return max(b.stamp[f], b.stamp[g])
}

// calendar counts the days of dates in one of the two calendars.
type calendar func(year, month, day int64) int64

// millis is the time that the fields mean, leniently.
func (b *dateBuilder) millis() int64 {
	year := int64(1970)
	if b.stamp[calYear] != 0 {
		year = b.value[calYear]
	}
	bc := b.stamp[calEra] != 0 && b.value[calEra] == 0
	if bc {
		year = 1 - year
	}
	timeOfDay := b.timeOfDay()
	days := javadate.FloorDiv(timeOfDay, millisPerDay)
	if b.stamp[calWeekYear] > b.stamp[calYear] {
		days += b.weekDate(bc)
	} else {
		days = b.chooseDay(year, days)
	}
	return days*millisPerDay + javadate.FloorMod(timeOfDay, millisPerDay) - b.value[calZone] - b.value[calDst]
}

// chooseDay finds the calendar that is in force on the day; more is added to
// it. The days that were left out in 1582 are read as Julian.
func (b *dateBuilder) chooseDay(year, more int64) int64 {
	julian := func() int64 { return more + b.day(javadate.JulianDay, year) }
	if year < javadate.CutoverYear {
		return julian()
	}
	day := more + b.day(javadate.GregorianDay, year)
	switch {
	case year > javadate.CutoverYear && day >= javadate.Cutover:
		return day
	case year == javadate.CutoverYear && day >= javadate.Cutover:
		if j := julian(); j < javadate.Cutover || b.byYear() {
			return j
		}
		return day
	}
	return julian()
}

// byYear reports whether the day is told by its place in the year.
func (b *dateBuilder) byYear() bool {
	return b.stamp[calDayOfYear] > b.stamp[calDay] || b.both(calWeekOfYear, calDayOfWeek) > b.stamp[calDay]
}

func (b *dateBuilder) timeOfDay() int64 {
	var hours int64
	half := b.both(calHour, calAmPm)
	full := b.stamp[calHourOfDay]
	if best := max(half, full); best != 0 && best == full {
		hours = b.value[calHourOfDay]
	} else if best != 0 || full == 0 {
		hours = b.value[calHour] + 12*b.value[calAmPm]
	}
	return ((hours*60+b.value[calMinute])*60+b.value[calSecond])*1000 + b.value[calMillis]
}

// weekDate is the day of a week-based year, a week and a day of the week.
func (b *dateBuilder) weekDate(bc bool) int64 {
	week, dow := int64(1), int64(1)
	if b.stamp[calWeekOfYear] != 0 {
		week = b.value[calWeekOfYear]
	}
	if b.stamp[calDayOfWeek] != 0 {
		dow = b.value[calDayOfWeek]
	}
	year := b.value[calWeekYear]
	if bc {
		year = 1 - year
	}
	if dow < 1 || dow > 7 { // from a letter u, where Monday is 1
		week += javadate.FloorDiv(dow-1, 7)
		dow = javadate.FloorMod(dow-1, 7) + 1
		dow = dow%7 + 1
	}
	return weekStart(javadate.Day(year, 1, 1)) + dow - 1 + 7*(week-1)
}

// day finds the group of fields that says the day.
func (b *dateBuilder) day(cal calendar, year int64) int64 {
	st := &b.stamp
	weekOfMonth, dowInMonth, weekOfYear := b.both(calWeekOfMonth, calDayOfWeek), b.both(calDayOfWeekInMonth, calDayOfWeek), b.both(calWeekOfYear, calDayOfWeek)
	dayOfMonth := st[calDay]
	best := max(dayOfMonth, weekOfMonth, dowInMonth, st[calDayOfYear], weekOfYear)
	if best == 0 { // no complete group
		weekOfMonth, dowInMonth, weekOfYear = st[calWeekOfMonth], max(st[calDayOfWeekInMonth], st[calDayOfWeek]), st[calWeekOfYear]
		if best = max(weekOfMonth, dowInMonth, weekOfYear); best == 0 {
			dayOfMonth = st[calMonth]
			best = dayOfMonth
		}
	}
	switch {
	case best == dayOfMonth:
		return b.monthStart(cal, &year) + b.orElse(calDay, 1) - 1
	case best == weekOfMonth && st[calWeekOfMonth] >= st[calWeekOfYear],
		best == dowInMonth && st[calDayOfWeekInMonth] >= st[calWeekOfYear]:
		byWeek := best == weekOfMonth
		if weekOfMonth == dowInMonth {
			byWeek = st[calWeekOfMonth] >= st[calDayOfWeekInMonth]
		}
		return b.inMonth(cal, year, byWeek)
	case best == st[calDayOfYear]:
		return cal(year, 1, 1) + b.value[calDayOfYear] - 1
	}
	start := weekStart(cal(year, 1, 1))
	if dow := b.orElse(calDayOfWeek, 1); dow != 1 {
		start = onOrBefore(start+6, dow)
	}
	return start + 7*(b.value[calWeekOfYear]-1)
}

// inMonth is a day told by its week in the month, or as the n-th Monday of it.
func (b *dateBuilder) inMonth(cal calendar, year int64, byWeek bool) int64 {
	first := b.monthStart(cal, &year)
	if byWeek {
		start := weekStart(first)
		if b.stamp[calDayOfWeek] != 0 {
			start = onOrBefore(start+6, b.value[calDayOfWeek])
		}
		return start + 7*(b.value[calWeekOfMonth]-1)
	}
	dow, n := b.orElse(calDayOfWeek, 1), b.orElse(calDayOfWeekInMonth, 1)
	if n >= 0 {
		return onOrBefore(first+7*n-1, dow)
	}
	month := javadate.FloorMod(b.value[calMonth], 12) + 1
	length := cal(year+month/12, month%12+1, 1) - first
	return onOrBefore(first+length+7*(n+1)-1, dow)
}

func (b *dateBuilder) monthStart(cal calendar, year *int64) int64 {
	month := b.value[calMonth]
	*year += javadate.FloorDiv(month, 12)
	return cal(*year, javadate.FloorMod(month, 12)+1, 1)
}

func (b *dateBuilder) orElse(f calField, other int64) int64 {
	if b.stamp[f] != 0 {
		return b.value[f]
	}
	return other
}
