package javadate

import "testing"

// TestDays holds dates whose days java.util.GregorianCalendar of Java 17 told.
func TestDays(t *testing.T) {
	for _, c := range []struct{ year, month, day, want int64 }{
		{1970, 1, 1, 0},
		{2024, 2, 29, 19782},
		{1582, 10, 15, Cutover},
		{1582, 10, 4, Cutover - 1},
		{1, 1, 1, -719164},
		{1, 1, 3, -719162},
		{9999, 12, 31, 2932896},
	} {
		if got := Day(c.year, c.month, c.day); got != c.want {
			t.Errorf("Day(%d, %d, %d) = %d, want %d", c.year, c.month, c.day, got, c.want)
		}
		if y, m, d := Date(c.want); y != c.year || m != c.month || d != c.day {
			t.Errorf("Date(%d) = %d-%d-%d, want %d-%d-%d", c.want, y, m, d, c.year, c.month, c.day)
		}
	}
	if got, want := Day(2024, 13, 45), Day(2025, 2, 14); got != want {
		t.Errorf("the 45th day of month 13 is day %d, want %d", got, want)
	}
	if got, want := Day(1582, 10, 10), int64(Cutover+5); got != want {
		t.Errorf("a day that was left out is day %d, want %d", got, want)
	}
}

func TestEveryDayComesBack(t *testing.T) {
	for day := int64(-1_000_000); day < 3_000_000; day += 7 {
		if y, m, d := Date(day); Day(y, m, d) != day {
			t.Fatalf("day %d is %d-%d-%d, which is day %d", day, y, m, d, Day(y, m, d))
		}
	}
}
