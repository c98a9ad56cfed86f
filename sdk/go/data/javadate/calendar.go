package javadate

// Cutover is the first day of the Gregorian calendar, 1582-10-15.
const Cutover = -141427

// CutoverYear is the year of [Cutover].
const CutoverYear = 1582

// FloorDiv is a/b rounded towards minus infinity.
func FloorDiv(a, b int64) int64 {
	q := a / b
	if a%b != 0 && (a < 0) != (b < 0) {
		q--
	}
	return q
}

// FloorMod is what [FloorDiv] leaves over; it has the sign of b.
func FloorMod(a, b int64) int64 { return a - FloorDiv(a, b)*b }

// fromMarch counts years and days from the first of March on, which puts leap days at the end.
func fromMarch(year, month, day int64) (marchYear, dayOfYear int64) {
	year += FloorDiv(month-1, 12)
	month = FloorMod(month-1, 12) + 1
	if month <= 2 {
		year--
	}
	return year, (153*((month+9)%12)+2)/5 + day - 1
}

// GregorianDay is the day of a date in the Gregorian calendar, also before 1582.
func GregorianDay(year, month, day int64) int64 {
	y, d := fromMarch(year, month, day)
	return y*365 + FloorDiv(y, 4) - FloorDiv(y, 100) + FloorDiv(y, 400) + d - 719468
}

// JulianDay is the day of a date in the Julian calendar.
func JulianDay(year, month, day int64) int64 {
	y, d := fromMarch(year, month, day)
	return y*365 + FloorDiv(y, 4) + d - 719470
}

// Day is the day of a date in the calendar of its time. The days that 1582 left out are read as Julian.
func Day(year, month, day int64) int64 {
	julian := JulianDay(year, month, day)
	if year < CutoverYear || julian < Cutover {
		return julian
	}
	if gregorian := GregorianDay(year, month, day); gregorian >= Cutover {
		return gregorian
	}
	return julian
}

// Date is the date of a day, in the calendar of its time.
func Date(day int64) (year, month, dayOfMonth int64) {
	var dayOfYear int64 // from the first of March on
	if day >= Cutover {
		z := day + 719468
		era := FloorDiv(z, 146097)
		dayOfEra := z - era*146097
		yearOfEra := (dayOfEra - dayOfEra/1460 + dayOfEra/36524 - dayOfEra/146096) / 365
		year = yearOfEra + era*400
		dayOfYear = dayOfEra - (365*yearOfEra + yearOfEra/4 - yearOfEra/100)
	} else {
		z := day + 719470
		era := FloorDiv(z, 1461)
		dayOfEra := z - era*1461
		yearOfEra := (dayOfEra - dayOfEra/1460) / 365
		year = yearOfEra + era*4
		dayOfYear = dayOfEra - 365*yearOfEra
	}
	m := (5*dayOfYear + 2) / 153
	dayOfMonth = dayOfYear - (153*m+2)/5 + 1
	if m >= 10 {
		return year + 1, m - 9, dayOfMonth
	}
	return year, m + 3, dayOfMonth
}
