package data

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// The names of the logical types. Each has version 1.
const (
	DecimalName   = "org.apache.kafka.connect.data.Decimal"
	DateName      = "org.apache.kafka.connect.data.Date"
	TimeName      = "org.apache.kafka.connect.data.Time"
	TimestampName = "org.apache.kafka.connect.data.Timestamp"

	// DecimalScaleParam is the schema parameter that holds a Decimal's scale as text.
	DecimalScaleParam = "scale"
)

// The ready-made schemas of the logical types in time.
var (
	DateSchema      = NewDate().MustBuild()
	TimeSchema      = NewTime().MustBuild()
	TimestampSchema = NewTimestamp().MustBuild()

	OptionalDateSchema      = NewDate().Optional().MustBuild()
	OptionalTimeSchema      = NewTime().Optional().MustBuild()
	OptionalTimestampSchema = NewTimestamp().Optional().MustBuild()
)

// NewDecimal starts a Decimal schema of a fixed scale (digits after the point; it may be negative).
func NewDecimal(scale int32) *Builder {
	return NewPrimitive(Bytes).Name(DecimalName).Version(1).Param(DecimalScaleParam, strconv.Itoa(int(scale)))
}

// NewDate starts a Date schema: days since 1970-01-01.
func NewDate() *Builder { return NewPrimitive(Int32).Name(DateName).Version(1) }

// NewTime starts a Time schema: milliseconds since midnight.
func NewTime() *Builder { return NewPrimitive(Int32).Name(TimeName).Version(1) }

// NewTimestamp starts a Timestamp schema: milliseconds since 1970-01-01T00:00:00Z.
func NewTimestamp() *Builder { return NewPrimitive(Int64).Name(TimestampName).Version(1) }

// DecimalSchema is a required Decimal of the scale.
func DecimalSchema(scale int32) *Schema { return NewDecimal(scale).MustBuild() }

// OptionalDecimalSchema is an optional Decimal of the scale.
func OptionalDecimalSchema(scale int32) *Schema { return NewDecimal(scale).Optional().MustBuild() }

// logical is the logical type that the values of a schema have in memory.
type logical uint8

const (
	logicalNone logical = iota
	logicalDecimal
	logicalDate
	logicalTime
	logicalTimestamp
)

// logicalOf needs the name and the underlying type. Java looks at the name only, and then fails later on a STRING that is
// called Decimal; here such a name is a label like any other.
func logicalOf(s *Schema) logical {
	switch {
	case s.name == DecimalName && s.typ == Bytes:
		s.scale, s.scaleErr = parseScale(s)
		return logicalDecimal
	case s.name == DateName && s.typ == Int32:
		return logicalDate
	case s.name == TimeName && s.typ == Int32:
		return logicalTime
	case s.name == TimestampName && s.typ == Int64:
		return logicalTimestamp
	}
	return logicalNone
}

func parseScale(s *Schema) (int32, string) {
	text, ok := s.Parameter(DecimalScaleParam)
	if !ok {
		return 0, "invalid Decimal schema: it has no parameter \"scale\""
	}
	scale, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		return 0, fmt.Sprintf("invalid Decimal schema: parameter \"scale\" is %q, not an integer", text)
	}
	return int32(scale), ""
}

// IsDecimal reports whether values of the schema are Decimals, and their scale. A Decimal schema whose scale parameter
// is missing or not a number is told by the error.
func (s *Schema) IsDecimal() (scale int32, ok bool, err error) {
	if s == nil || s.logical != logicalDecimal {
		return 0, false, nil
	}
	if s.scaleErr != "" {
		return 0, true, fmt.Errorf("%s", s.scaleErr)
	}
	return s.scale, true, nil
}

// IsDate reports whether values of the schema are dates.
func (s *Schema) IsDate() bool { return s != nil && s.logical == logicalDate }

// IsTime reports whether values of the schema are times of day.
func (s *Schema) IsTime() bool { return s != nil && s.logical == logicalTime }

// IsTimestamp reports whether values of the schema are timestamps.
func (s *Schema) IsTimestamp() bool { return s != nil && s.logical == logicalTimestamp }

const millisPerDay = 24 * 60 * 60 * 1000

// FromDays is the Go value of a Date.
func FromDays(days int32) time.Time { return time.Unix(int64(days)*86400, 0).UTC() }

// FromMillis is the Go value of a Timestamp, and of a Time within its day.
func FromMillis(millis int64) time.Time { return time.UnixMilli(millis).UTC() }

// ToDays is the wire value of a Date. Like Kafka Connect it refuses a value that is not midnight UTC.
func ToDays(t time.Time) (int32, error) {
	sec := t.Unix()
	if sec%86400 != 0 || t.Nanosecond() != 0 {
		return 0, fmt.Errorf("a Date must be midnight UTC, not %s", t.UTC().Format(time.RFC3339Nano))
	}
	days := sec / 86400
	if days < math.MinInt32 || days > math.MaxInt32 {
		return 0, fmt.Errorf("a Date of %d days since 1970 does not fit int32", days)
	}
	return int32(days), nil
}

// ToTimeMillis is the wire value of a Time. Like Kafka Connect it refuses a value outside 1970-01-01. What is below a
// millisecond is cut off.
func ToTimeMillis(t time.Time) (int32, error) {
	if sec := t.Unix(); sec < 0 || sec > 86400 || t.UnixMilli() > millisPerDay {
		return 0, fmt.Errorf("a Time must lie on 1970-01-01 UTC, not %s", t.UTC().Format(time.RFC3339Nano))
	}
	return int32(t.UnixMilli()), nil
}

// ToMillis is the wire value of a Timestamp. What is below a millisecond is cut off (towards the past), because Connect
// has no finer time.
func ToMillis(t time.Time) (int64, error) {
	// One second of margin on either side keeps UnixMilli from overflowing.
	if sec := t.Unix(); sec < math.MinInt64/1000-1 || sec > math.MaxInt64/1000 {
		return 0, fmt.Errorf("a Timestamp of %d seconds since 1970 does not fit int64 milliseconds", sec)
	}
	millis := t.UnixMilli()
	if (millis < 0) != (t.Unix() < 0) {
		return 0, fmt.Errorf("a Timestamp of %d seconds since 1970 does not fit int64 milliseconds", t.Unix())
	}
	return millis, nil
}
