package plan

import (
	"fmt"
	"time"
)

// Position is the place behind the last row that was read. The zero Position is before the first row.
type Position struct {
	HasInc  bool
	Inc     int64
	HasTime bool
	Time    time.Time
}

// The keys of an offset, those of Kafka Connect's JDBC source.
const (
	IncrementingKey = "incrementing"
	TimestampKey    = "timestamp"
	NanosKey        = "timestamp_nanos"
)

// FromOffset reads a stored offset. A missing key leaves that part at the start. Java kept timestamps before 1970 with
// positive nanoseconds too, so milliseconds round towards the past.
func FromOffset(offset map[string]any) (Position, error) {
	var p Position
	whole := func(key string) (int64, bool, error) {
		switch n := offset[key].(type) {
		case nil:
			return 0, false, nil
		case int64:
			return n, true, nil
		case int32:
			return int64(n), true, nil
		case int:
			return int64(n), true, nil
		default:
			return 0, false, fmt.Errorf("the offset's key %q should be a whole number, not %v (%T)", key, n, n)
		}
	}
	var err error
	if p.Inc, p.HasInc, err = whole(IncrementingKey); err != nil {
		return p, err
	}
	millis, ok, err := whole(TimestampKey)
	if err != nil {
		return p, err
	}
	nanos, hasNanos, err := whole(NanosKey)
	switch {
	case err != nil:
		return p, err
	case hasNanos && (nanos < 0 || nanos >= int64(time.Second)):
		return p, fmt.Errorf("the offset's key %q should be between 0 and 999999999, not %d", NanosKey, nanos)
	case !ok:
		return p, nil
	}
	p.HasTime, p.Time = true, time.UnixMilli(millis).UTC()
	if hasNanos {
		p.Time = time.Unix(floorDiv(millis, 1000), nanos).UTC()
	}
	return p, nil
}

// TimeParts are the two numbers of a time in an offset: milliseconds since 1970, and the nanoseconds of its second.
func TimeParts(t time.Time) (millis, nanos int64) {
	return t.UnixMilli(), int64(t.Nanosecond())
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// Before tells whether p is before q, both of the same mode.
func (p Position) Before(q Position) bool {
	if p.HasTime != q.HasTime {
		return !p.HasTime
	}
	if p.HasTime && !p.Time.Equal(q.Time) {
		return p.Time.Before(q.Time)
	}
	if p.HasInc != q.HasInc {
		return !p.HasInc
	}
	return p.HasInc && p.Inc < q.Inc
}
