package dialect

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// The days are those of java.util.GregorianCalendar in UTC (JDK 17), with the year 0 as 1 BC.
func TestTheHybridCalendarCountsAsJavaDoes(t *testing.T) {
	for _, c := range []struct {
		year, month, day int
		want             int64
	}{
		{2024, 2, 29, 19782},
		{1970, 1, 1, 0},
		{1900, 3, 1, -25508},
		{1582, 10, 15, -141427},
		{1582, 10, 14, -141418},
		{1582, 10, 10, -141422},
		{1582, 10, 5, -141427},
		{1582, 10, 4, -141428},
		{1582, 10, 1, -141431},
		{1582, 1, 1, -141704},
		{1500, 3, 1, -171595},
		{1500, 2, 28, -171597},
		{1500, 1, 1, -171655},
		{1300, 3, 1, -244645},
		{1200, 2, 29, -281171},
		{1000, 12, 31, -353915},
		{4, 2, 29, -718010},
		{1, 1, 1, -719164},
		{0, 12, 31, -719165},
		{0, 2, 29, -719471},
		{-4, 2, 29, -720932},
		{-43, 3, 15, -735162},
		{-4712, 1, 1, -2440588},
		{-4712, 12, 31, -2440223},
	} {
		at := time.Date(c.year, time.Month(c.month), c.day, 0, 0, 0, 0, time.UTC)
		require.Equal(t, c.want, Hybrid.days(floorDays(at)), at)
		require.Equal(t, floorDays(at), Proleptic.days(floorDays(at)), at)
		noon := at.Add(12*time.Hour + 1)
		require.Equal(t, time.Unix(c.want*secondsPerDay, 0).UTC().Add(12*time.Hour+1), Hybrid.moment(noon, time.UTC))
		require.Equal(t, noon, Proleptic.moment(noon, time.UTC))
	}
}

// In a zone the date of the wall counts: 04:00 in UTC on 15 October 1582 is still the 14th in New York.
func TestTheHybridCalendarLooksAtTheDateInTheZone(t *testing.T) {
	west := time.FixedZone("west", -5*3600)
	first := time.Date(1582, 10, 15, 0, 0, 0, 0, west).UTC()
	require.Equal(t, first, Hybrid.moment(first, west))
	before := first.Add(-time.Second)
	require.Equal(t, before.AddDate(0, 0, 10), Hybrid.moment(before, west))
}

// The definition of the two calendars: the day number that a date has in each (the algorithm of Fliegel and van Flandern).
func TestTheHybridCalendarShowsTheSameDate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		day := rapid.Int64Range(-2_400_000, 100_000).Draw(t, "day")
		year, month, date := time.Unix(day*secondsPerDay, 0).UTC().Date()
		a := (14 - int(month)) / 12
		y, m := int64(year+4800-a), int64(int(month)+12*a-3)
		julian := int64(date) + (153*m+2)/5 + 365*y + y/4 - 32083 - 2440588
		want := day
		if day < gregorianDay {
			want = julian
		}
		if got := Hybrid.days(day); got != want {
			t.Fatalf("%d-%02d-%02d: %d, want %d", year, month, date, got, want)
		}
	})
}
