package transform

import (
	"errors"
	"math/big"
	"strconv"
	"time"

	"github.com/tailrace/tailrace/host/convert"
	"github.com/tailrace/tailrace/sdk/go/data"
)

// mask is the masked form of a value.
func (t *maskField) mask(v any) (any, error) {
	if isNull(v) {
		return nil, nil
	}
	if t.custom {
		return t.replace(v)
	}
	switch v.(type) {
	case bool:
		return false, nil
	case int8:
		return int8(0), nil
	case int16:
		return int16(0), nil
	case int32:
		return int32(0), nil
	case int64:
		return int64(0), nil
	case float32:
		return float32(0), nil
	case float64:
		return float64(0), nil
	case data.Decimal:
		return data.Decimal{Unscaled: new(big.Int)}, nil
	case time.Time:
		return time.UnixMilli(0).UTC(), nil
	case string:
		return "", nil
	case []any:
		return []any{}, nil
	case *data.Map:
		return data.NewMapValue(), nil
	}
	return nil, dataError("Cannot mask value of type: %s", classOf(v))
}

// replace is the custom replacement in the type of the value. Integers are cut
// and wrapped as Java's narrowing does.
func (t *maskField) replace(v any) (any, error) {
	switch v.(type) {
	case string:
		return t.replacement, nil
	case int8, int16, int32, int64, float32, float64, data.Decimal:
	default:
		return nil, dataError("Cannot mask value of type %s with custom replacement.", classOf(v))
	}
	d, err := parseBigDecimal(t.replacement)
	if err != nil {
		var java *convert.Error
		errors.As(err, &java)
		number := " (class java.lang.String) to a number"
		if _, ok := v.(data.Decimal); ok {
			number = " (class java.lang.String) to number"
		}
		return nil, &convert.Error{Class: dataException, Message: "Unable to convert " + t.replacement + number, Cause: java}
	}
	switch v.(type) {
	case int8:
		return int8(decimalLong(d)), nil
	case int16:
		return int16(decimalLong(d)), nil
	case int32:
		return int32(decimalLong(d)), nil
	case int64:
		return decimalLong(d), nil
	case float32:
		f, _ := strconv.ParseFloat(d.String(), 64)
		return float32(f), nil
	case float64:
		f, _ := strconv.ParseFloat(d.String(), 64)
		return f, nil
	}
	return d, nil
}
