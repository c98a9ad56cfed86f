package dialect

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/tailrace/tailrace/sdk/go/data"
)

// NullError is a null in a column that was not null when the schema was made: read the schema again.
type NullError struct{ Column string }

func (e *NullError) Error() string {
	return fmt.Sprintf("column %q has a null although it was declared NOT NULL; its schema is read again", e.Column)
}

// ValueError is a value that its column's Connect type cannot hold.
type ValueError struct {
	Column, Type string
	Err          error
}

func (e *ValueError) Error() string {
	return fmt.Sprintf("column %q (%s): %v", e.Column, e.Type, e.Err)
}

func (e *ValueError) Unwrap() error { return e.Err }

var errTorn = errors.New("the driver gave a value of an unexpected length")

// numericSchema maps a decimal column. precision 0 means unknown.
func numericSchema(m NumericMapping, precision, scale int) *data.Builder {
	if precision > 0 && precision <= 18 && scale == 0 && m != NumericNone {
		switch {
		case precision <= 2:
			return data.NewPrimitive(data.Int8)
		case precision <= 4:
			return data.NewPrimitive(data.Int16)
		case precision <= 9:
			return data.NewPrimitive(data.Int32)
		}
		return data.NewPrimitive(data.Int64)
	}
	if scale > 0 && (m == NumericBestFitEagerDouble || m == NumericBestFit && precision <= 18) {
		return data.NewPrimitive(data.Float64)
	}
	return data.NewDecimal(int32(scale))
}

// decimalTo gives the way from a decimal text to the mapped schema.
func decimalTo(t data.Type, scale int) func(dst, text []byte) ([]byte, error) {
	switch t {
	case data.Float64:
		return func(dst, text []byte) ([]byte, error) {
			f, err := strconv.ParseFloat(string(text), 64)
			return data.AppendDouble(dst, f), err
		}
	case data.Bytes:
		return func(dst, text []byte) ([]byte, error) { return data.AppendDecimalText(dst, text, int32(scale)) }
	}
	return func(dst, text []byte) ([]byte, error) {
		n, err := strconv.ParseInt(string(text), 10, 64)
		return data.AppendLong(dst, n), err
	}
}

// timestampSchema is that of a moment.
func (g Granularity) timestampSchema() *data.Builder {
	switch g {
	case ConnectLogical:
		return data.NewTimestamp()
	case MicrosLong, NanosLong:
		return data.NewPrimitive(data.Int64)
	}
	return data.NewPrimitive(data.String)
}

// appendTimestamp writes a moment.
func (g Granularity) appendTimestamp(dst []byte, t time.Time) ([]byte, error) {
	switch g {
	case ConnectLogical:
		return data.AppendLong(dst, t.UnixMilli()), nil
	case MicrosLong, MicrosString:
		if y := t.Year(); y > 290000 || y < -290000 {
			return dst, fmt.Errorf("the moment %s is beyond what microseconds in 64 bits can hold", t.Format(time.RFC3339))
		}
		if g == MicrosLong {
			return data.AppendLong(dst, t.UnixMicro()), nil
		}
		return data.AppendString(dst, strconv.FormatInt(t.UnixMicro(), 10)), nil
	case NanosLong, NanosString:
		if y := t.Year(); y > 2261 || y < 1678 {
			return dst, fmt.Errorf("the moment %s is beyond what nanoseconds in 64 bits can hold (1678 to 2261)", t.Format(time.RFC3339))
		}
		if g == NanosLong {
			return data.AppendLong(dst, t.UnixNano()), nil
		}
		return data.AppendString(dst, strconv.FormatInt(t.UnixNano(), 10)), nil
	}
	return data.AppendString(dst, t.UTC().Format("2006-01-02T15:04:05.999999999Z")), nil
}

// timeSchema is that of a time of day.
func (g Granularity) timeSchema() *data.Builder {
	if g == ConnectLogical {
		return data.NewTime()
	}
	return g.timestampSchema()
}

const day = 24 * time.Hour

// appendTimeOfDay writes a time of day, or a span that a column of type time holds.
func (g Granularity) appendTimeOfDay(dst []byte, d time.Duration) ([]byte, error) {
	switch g {
	case ConnectLogical:
		if d < 0 || d >= day {
			return dst, fmt.Errorf("the time %s is outside of a day, which Connect's Time cannot hold; set timestamp.granularity=micros_long", d)
		}
		return data.AppendLong(dst, d.Milliseconds()), nil
	case MicrosLong:
		return data.AppendLong(dst, d.Microseconds()), nil
	case NanosLong:
		return data.AppendLong(dst, d.Nanoseconds()), nil
	case MicrosString:
		return data.AppendString(dst, strconv.FormatInt(d.Microseconds(), 10)), nil
	case NanosString:
		return data.AppendString(dst, strconv.FormatInt(d.Nanoseconds(), 10)), nil
	}
	sign := ""
	if d < 0 {
		sign, d = "-", -d
	}
	return data.AppendString(dst, fmt.Sprintf("%s%02d:%02d:%02d.%09d", sign, int(d.Hours()), int(d.Minutes())%60, int(d.Seconds())%60,
		d.Nanoseconds()%1e9)), nil
}

// build finishes a column's schema.
func build(b *data.Builder, nullable bool) *data.Schema {
	if nullable {
		b = b.Optional()
	}
	return b.MustBuild()
}

// wallTime is a time without a zone in a location.
func wallTime(loc *time.Location, t time.Time) time.Time {
	if loc == time.UTC {
		return t
	}
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), loc).UTC()
}

// parseWall reads "2006-01-02[ 15:04:05[.999999999]]" in UTC, quickly: it stands on the hot path.
func parseWall(b []byte) (time.Time, error) {
	bad := func() (time.Time, error) { return time.Time{}, fmt.Errorf("%q is no date or time", b) }
	number := func(from, to int) (n int, ok bool) {
		for _, c := range b[from:to] {
			if c < '0' || c > '9' {
				return 0, false
			}
			n = n*10 + int(c-'0')
		}
		return n, true
	}
	if len(b) < 10 || b[4] != '-' || b[7] != '-' {
		return bad()
	}
	y, ok1 := number(0, 4)
	mo, ok2 := number(5, 7)
	d, ok3 := number(8, 10)
	if !ok1 || !ok2 || !ok3 || mo < 1 || mo > 12 || d < 1 || d > 31 {
		return bad()
	}
	var h, mi, s, ns int
	if len(b) > 10 {
		if len(b) < 19 || b[10] != ' ' && b[10] != 'T' || b[13] != ':' || b[16] != ':' {
			return bad()
		}
		h, ok1 = number(11, 13)
		mi, ok2 = number(14, 16)
		s, ok3 = number(17, 19)
		if !ok1 || !ok2 || !ok3 {
			return bad()
		}
		if len(b) > 19 {
			if b[19] != '.' || len(b) > 29 {
				return bad()
			}
			var ok bool
			if ns, ok = number(20, len(b)); !ok {
				return bad()
			}
			for range 29 - len(b) {
				ns *= 10
			}
		}
	}
	return time.Date(y, time.Month(mo), d, h, mi, s, ns, time.UTC), nil
}
