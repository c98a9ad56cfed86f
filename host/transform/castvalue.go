package transform

import (
	"encoding/base64"
	"strings"
	"time"

	"github.com/tailrace/tailrace/host/convert"
	"github.com/tailrace/tailrace/sdk/go/data"
	"github.com/tailrace/tailrace/sdk/go/data/javadate"
)

// castValue casts one value; s is nil for one without a schema.
func castValue(s *data.Schema, v any, to data.Type) (any, error) {
	if isNull(v) {
		return nil, nil
	}
	from, ok := typeOf(v)
	if s != nil {
		from, ok = s.Type(), true
	}
	if !ok {
		return nil, dataError("Cast transformation was passed a value of type %s which is not supported by Connect's data API", classOf(v))
	}
	if !from.Primitive() {
		return nil, dataError("Cast transformation does not support casting from %s; supported types are %s", from, castInputs)
	}
	if to == data.String {
		return castToString(v)
	}
	if s != nil {
		v = encodeTime(s, v)
	}
	switch to {
	case data.Boolean:
		return castToBoolean(v)
	case data.Float32, data.Float64:
		return castToFloat(v, to)
	case data.Int8, data.Int16, data.Int32, data.Int64:
		return castToInteger(v, to)
	}
	return nil, dataError("%s is not supported in the Cast transformation.", to)
}

// encodeTime gives the number that stands for a value of a logical type in time.
func encodeTime(s *data.Schema, v any) any {
	tm, ok := v.(time.Time)
	if !ok {
		return v
	}
	switch {
	case s.IsDate():
		return int32(javadate.FloorDiv(tm.UnixMilli(), millisPerDay))
	case s.IsTime():
		return int32(tm.UnixMilli())
	case s.IsTimestamp():
		return tm.UnixMilli()
	}
	return v
}

func castToInteger(v any, to data.Type) (any, error) {
	var n int64
	switch x := v.(type) {
	case bool:
		if x {
			n = 1
		}
	case string:
		var err error
		if n, err = parseInteger(x, integerBits[to]); err != nil {
			return nil, outOfRange(v, err)
		}
	case float32, float64:
		if to == data.Int64 {
			n, _ = javaLong(v)
		} else { // Java narrows in two steps
			i, _ := javaInt(v)
			n = int64(i)
		}
	default:
		var ok bool
		if n, ok = javaLong(v); !ok {
			return nil, unexpectedCast(v)
		}
	}
	switch to {
	case data.Int8:
		return int8(n), nil
	case data.Int16:
		return int16(n), nil
	case data.Int32:
		return int32(n), nil
	}
	return n, nil
}

var integerBits = map[data.Type]int{data.Int8: 8, data.Int16: 16, data.Int32: 32, data.Int64: 64}

func castToFloat(v any, to data.Type) (any, error) {
	switch x := v.(type) {
	case bool:
		if x {
			v = int8(1)
		} else {
			v = int8(0)
		}
	case string:
		bits := 64
		if to == data.Float32 {
			bits = 32
		}
		f, err := parseFloating(x, bits)
		if err != nil {
			return nil, outOfRange(v, err)
		}
		v = f
	}
	if to == data.Float32 {
		if f, ok := javaFloat(v); ok {
			return f, nil
		}
	} else if f, ok := javaDouble(v); ok {
		return f, nil
	}
	return nil, unexpectedCast(v)
}

func castToBoolean(v any) (any, error) {
	switch x := v.(type) {
	case bool:
		return x, nil
	case string:
		return strings.EqualFold(x, "true"), nil
	}
	if n, ok := javaLong(v); ok {
		return n != 0, nil
	}
	return nil, unexpectedCast(v)
}

func castToString(v any) (any, error) {
	switch x := v.(type) {
	case string:
		return x, nil
	case time.Time:
		return isoText(x), nil
	case []byte:
		return base64.StdEncoding.EncodeToString(x), nil
	}
	return javaText(v), nil
}

// isoText is what Connect's Values writes for a java.util.Date: a time of day for
// anything on or before 1970-01-01, a date at midnight, else both.
func isoText(t time.Time) string {
	millis := t.UnixMilli()
	switch {
	case millis < millisPerDay:
		return isoTime.format(millis)
	case millis%millisPerDay == 0:
		return isoDate.format(millis)
	}
	return isoTimestamp.format(millis)
}

func outOfRange(v any, cause error) error {
	return &convert.Error{Class: dataException, Message: "Value (" + javaText(v) + ") was out of range for requested data type", Cause: cause}
}

func unexpectedCast(v any) error {
	return dataError("Unexpected type in Cast transformation: %s", classOf(v))
}
