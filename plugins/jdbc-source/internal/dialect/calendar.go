package dialect

import "time"

// Calendar is the value of date.calendar.system: how the date that a column shows is counted.
type Calendar uint8

const (
	// Hybrid is LEGACY, java.util.Date's calendar: a date before 15 October 1582 is one of the Julian calendar.
	Hybrid Calendar = iota
	// Proleptic is PROLEPTIC_GREGORIAN, the calendar of the databases and of ISO 8601 throughout.
	Proleptic
)

// gregorianDay is 15 October 1582, the first day of the Gregorian calendar, in days since 1970.
const gregorianDay = -141427

const secondsPerDay = 86400

// days turns a date of the database, in days since 1970, into the days of the date that shows the same in this calendar. The ten dates
// that the change of 1582 left out count as Julian ones, as in java.util.GregorianCalendar.
func (c Calendar) days(day int64) int64 {
	if day >= gregorianDay || c == Proleptic {
		return day
	}
	year, month, _ := time.Unix(day*secondsPerDay, 0).UTC().Date()
	if month <= time.February { // the day in which the calendars differ is the last of February
		year--
	}
	return day + int64(floorDiv(year, 100)-floorDiv(year, 400)-2)
}

// moment does the same with a moment whose date is seen in a zone.
func (c Calendar) moment(t time.Time, loc *time.Location) time.Time {
	if t.Unix() >= (gregorianDay+1)*secondsPerDay || c == Proleptic { // a day later, because the zone is still to come
		return t
	}
	_, offset := t.In(loc).Zone()
	day := floorDays(t.Add(time.Duration(offset) * time.Second))
	return t.AddDate(0, 0, int(c.days(day)-day))
}

// floorDays is the day of a moment in UTC, in days since 1970.
func floorDays(t time.Time) int64 { return floorDiv(t.Unix(), secondsPerDay) }

func floorDiv[T int | int64](a, b T) T {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
