package dialect

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"math/big"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tailrace/tailrace/sdk/go/data"
)

// The object ids of PostgreSQL's own types never change (catalog pg_type).
const (
	oidBool, oidBytea, oidInt8, oidInt2, oidInt4, oidOID             = 16, 17, 20, 21, 23, 26
	oidJSON, oidFloat4, oidFloat8, oidMoney                          = 114, 700, 701, 790
	oidDate, oidTime, oidTimestamp, oidTimestamptz, oidNumeric       = 1082, 1083, 1114, 1184, 1700
	oidChar, oidName, oidText, oidBpchar, oidVarchar, oidXML         = 18, 19, 25, 1042, 1043, 142
	oidUUID, oidJSONB                                                = 2950, 3802
	pgEpochDays                                                int64 = 10957     // 2000-01-01
	pgEpochSeconds                                             int64 = 946684800 // 2000-01-01
	// pgGregorianMicros is a day behind 15 October 1582: from then on every zone counts by the Gregorian calendar.
	pgGregorianMicros = (gregorianDay + 1 - pgEpochDays) * secondsPerDay * 1_000_000
	// PGDATE infinity: the values that PostgreSQL's JDBC driver gives for infinite moments, in milliseconds.
	infinityMillis, minusInfinityMillis int64 = 9223372036825200000, -9223372036832400000
)

// pgColumn is a column with the way from its bytes to Connect's.
type pgColumn struct {
	Column
	oid    uint32
	binary bool
	quick  quick // a type that needs no call
	encode func(dst, raw []byte) ([]byte, error)
	moment func(raw []byte) (time.Time, error)
	value  byte // the presence of a value and of null, where the column is nullable
	null   byte
}

// quick is how a usual type is written in the loop over a row's columns; slow ones have a function.
type quick uint8

const (
	slow quick = iota
	quickBytes
	quickInt2
	quickInt4
	quickInt8
	quickFloat4
	quickFloat8
)

func plainColumns(cols []pgColumn) []Column {
	out := make([]Column, len(cols))
	for i := range cols {
		out[i] = cols[i].Column
	}
	return out
}

// pgCodec is how a type maps.
type pgCodec struct {
	schema *data.Builder
	binary bool
	quick  quick
	encode func(dst, raw []byte) ([]byte, error)
	moment func(raw []byte) (time.Time, error)
}

func pgColumnOf(f pgconn.FieldDescription, t pgType, nullable bool, dims int, s Settings) pgColumn {
	codec := pgCodecOf(f.DataTypeOID, f.TypeModifier, s)
	if t.elem != 0 {
		codec = pgArrayCodec(t, f.TypeModifier, dims, s)
	}
	c := pgColumn{
		Column: Column{
			Name: f.Name, Type: t.name, Nullable: nullable, Schema: build(codec.schema, nullable),
			Temporal: codec.moment != nil, Zoned: f.DataTypeOID == oidTimestamptz, Decimals: 6,
		},
		oid: f.DataTypeOID, binary: codec.binary, quick: codec.quick, encode: codec.encode, moment: codec.moment,
	}
	switch f.DataTypeOID {
	case oidInt2, oidInt4, oidInt8, oidOID:
		c.Whole = true
	case oidNumeric:
		precision, scale := pgNumericModifier(f.TypeModifier)
		c.Whole = precision > 0 && scale == 0
	case oidTimestamp, oidTimestamptz:
		if f.TypeModifier >= 0 {
			c.Decimals = int(f.TypeModifier)
		}
	case oidDate:
		c.Decimals = 0
	}
	if nullable {
		c.value = data.AppendPresence(nil, c.Schema, true)[0]
		c.null = data.AppendPresence(nil, c.Schema, false)[0]
	}
	return c
}

func pgText(dst, raw []byte) ([]byte, error) { return data.AppendBytes(dst, raw), nil }

// pgCodecOf maps a type that is no array. Types that are not in the list come as PostgreSQL's own text, which loses
// nothing: the session asks for ISO dates, ISO 8601 intervals and shortest exact floats.
func pgCodecOf(oid uint32, modifier int32, s Settings) pgCodec {
	g := s.Granularity
	switch oid {
	case oidBool:
		return pgCodec{schema: data.NewPrimitive(data.Boolean), binary: true, encode: sized(1, func(dst, raw []byte) []byte { return data.AppendBool(dst, raw[0] != 0) })}
	case oidInt2:
		return pgCodec{schema: data.NewPrimitive(data.Int16), binary: true, quick: quickInt2, encode: sized(2, func(dst, raw []byte) []byte {
			return data.AppendLong(dst, int64(int16(binary.BigEndian.Uint16(raw))))
		})}
	case oidInt4:
		return pgCodec{schema: data.NewPrimitive(data.Int32), binary: true, quick: quickInt4, encode: sized(4, func(dst, raw []byte) []byte {
			return data.AppendLong(dst, int64(int32(binary.BigEndian.Uint32(raw))))
		})}
	case oidOID:
		return pgCodec{schema: data.NewPrimitive(data.Int64), binary: true, encode: sized(4, func(dst, raw []byte) []byte {
			return data.AppendLong(dst, int64(binary.BigEndian.Uint32(raw)))
		})}
	case oidInt8:
		return pgCodec{schema: data.NewPrimitive(data.Int64), binary: true, quick: quickInt8, encode: sized(8, func(dst, raw []byte) []byte {
			return data.AppendLong(dst, int64(binary.BigEndian.Uint64(raw)))
		})}
	case oidMoney:
		return pgCodec{schema: data.NewDecimal(2), binary: true, encode: sized(8, func(dst, raw []byte) []byte {
			return data.AppendUnscaledLong(dst, int64(binary.BigEndian.Uint64(raw)))
		})}
	case oidFloat4:
		return pgCodec{schema: data.NewPrimitive(data.Float32), binary: true, quick: quickFloat4, encode: sized(4, func(dst, raw []byte) []byte {
			return data.AppendFloat(dst, math.Float32frombits(binary.BigEndian.Uint32(raw)))
		})}
	case oidFloat8:
		return pgCodec{schema: data.NewPrimitive(data.Float64), binary: true, quick: quickFloat8, encode: sized(8, func(dst, raw []byte) []byte {
			return data.AppendDouble(dst, math.Float64frombits(binary.BigEndian.Uint64(raw)))
		})}
	case oidNumeric:
		return pgNumericCodec(modifier, s)
	case oidBytea:
		return pgCodec{schema: data.NewPrimitive(data.Bytes), binary: true, quick: quickBytes, encode: pgText}
	case oidUUID:
		return pgCodec{schema: data.NewPrimitive(data.String), binary: true, encode: sized(16, appendUUID)}
	case oidJSONB:
		return pgCodec{schema: data.NewPrimitive(data.String), binary: true, encode: func(dst, raw []byte) ([]byte, error) {
			if len(raw) == 0 || raw[0] != 1 {
				return dst, errTorn
			}
			return data.AppendBytes(dst, raw[1:]), nil
		}}
	case oidChar, oidName, oidText, oidBpchar, oidVarchar, oidXML, oidJSON:
		return pgCodec{schema: data.NewPrimitive(data.String), binary: true, quick: quickBytes, encode: pgText}
	case oidDate:
		return pgCodec{schema: data.NewDate(), binary: true, encode: pgDate(s.Calendar), moment: func(raw []byte) (time.Time, error) {
			if len(raw) != 4 {
				return time.Time{}, errTorn
			}
			days := int64(int32(binary.BigEndian.Uint32(raw)))
			return wallTime(s.Location, time.Unix((days+pgEpochDays)*86400, 0).UTC()), nil
		}}
	case oidTime:
		return pgCodec{schema: g.timeSchema(), binary: true, encode: func(dst, raw []byte) ([]byte, error) {
			if len(raw) != 8 {
				return dst, errTorn
			}
			d := time.Duration(binary.BigEndian.Uint64(raw)) * time.Microsecond
			if d == day && g == ConnectLogical {
				return dst, errors.New("the time 24:00:00 is outside of a day, which Connect's Time cannot hold; set timestamp.granularity=micros_long")
			}
			return g.appendTimeOfDay(dst, d)
		}}
	case oidTimestamp, oidTimestamptz:
		loc := s.Location
		if oid == oidTimestamptz {
			loc = time.UTC
		}
		return pgCodec{schema: g.timestampSchema(), binary: true, encode: pgTimestamp(s, loc), moment: func(raw []byte) (time.Time, error) {
			return pgMoment(raw, loc)
		}}
	}
	return pgCodec{schema: data.NewPrimitive(data.String), quick: quickBytes, encode: pgText}
}

func sized(n int, encode func(dst, raw []byte) []byte) func(dst, raw []byte) ([]byte, error) {
	return func(dst, raw []byte) ([]byte, error) {
		if len(raw) != n {
			return dst, errTorn
		}
		return encode(dst, raw), nil
	}
}

func appendUUID(dst, raw []byte) []byte {
	var text [36]byte
	hex.Encode(text[0:8], raw[0:4])
	hex.Encode(text[9:13], raw[4:6])
	hex.Encode(text[14:18], raw[6:8])
	hex.Encode(text[19:23], raw[8:10])
	hex.Encode(text[24:], raw[10:])
	text[8], text[13], text[18], text[23] = '-', '-', '-', '-'
	return data.AppendBytes(dst, text[:])
}

// pgDate keeps the infinities as the largest and smallest day, as PostgreSQL itself does; no real date is there.
func pgDate(c Calendar) func(dst, raw []byte) ([]byte, error) {
	return func(dst, raw []byte) ([]byte, error) {
		if len(raw) != 4 {
			return dst, errTorn
		}
		days := int64(int32(binary.BigEndian.Uint32(raw)))
		if days != math.MaxInt32 && days != math.MinInt32 {
			days = c.days(days + pgEpochDays)
		}
		return data.AppendLong(dst, days), nil
	}
}

func pgMoment(raw []byte, loc *time.Location) (time.Time, error) {
	if len(raw) != 8 {
		return time.Time{}, errTorn
	}
	micros := int64(binary.BigEndian.Uint64(raw))
	seconds, rest := micros/1e6, micros%1e6
	return wallTime(loc, time.Unix(seconds+pgEpochSeconds, rest*1000).UTC()), nil
}

func pgTimestamp(s Settings, loc *time.Location) func(dst, raw []byte) ([]byte, error) {
	g := s.Granularity
	return func(dst, raw []byte) ([]byte, error) {
		if len(raw) != 8 {
			return dst, errTorn
		}
		switch micros := int64(binary.BigEndian.Uint64(raw)); {
		case micros == math.MaxInt64:
			return g.appendInfinity(dst, 1), nil
		case micros == math.MinInt64:
			return g.appendInfinity(dst, -1), nil
		case g == ConnectLogical && loc == time.UTC && micros >= pgGregorianMicros:
			millis := micros / 1000
			if micros%1000 < 0 {
				millis--
			}
			return data.AppendLong(dst, millis+pgEpochSeconds*1000), nil
		}
		t, _ := pgMoment(raw, loc)
		return g.appendTimestamp(dst, s.Calendar.moment(t, loc))
	}
}

// appendInfinity writes an infinite moment: what PostgreSQL's JDBC driver gives in milliseconds, the largest and smallest
// long, or the word.
func (g Granularity) appendInfinity(dst []byte, sign int) []byte {
	millis, long, word := infinityMillis, int64(math.MaxInt64), "infinity"
	if sign < 0 {
		millis, long, word = minusInfinityMillis, math.MinInt64, "-infinity"
	}
	switch g {
	case ConnectLogical:
		return data.AppendLong(dst, millis)
	case MicrosLong, NanosLong:
		return data.AppendLong(dst, long)
	}
	return data.AppendString(dst, word)
}

// pgNumericModifier reads precision and scale from a type modifier; 0, 0 for numeric without any.
func pgNumericModifier(modifier int32) (precision, scale int) {
	if modifier < 4 {
		return 0, 0
	}
	m := modifier - 4
	// The scale has 11 bits with a sign since PostgreSQL 15.
	return int(m >> 16 & 0xffff), int((m&0x7ff)^1024) - 1024
}

// pgNumericCodec: a numeric without precision has its own scale in every row, so it is a text; with one it is a Decimal.
func pgNumericCodec(modifier int32, s Settings) pgCodec {
	precision, scale := pgNumericModifier(modifier)
	if precision == 0 {
		if s.Numeric == NumericBestFitEagerDouble {
			return pgCodec{schema: data.NewPrimitive(data.Float64), binary: false, encode: decimalTo(data.Float64, 0)}
		}
		return pgCodec{schema: data.NewPrimitive(data.String), quick: quickBytes, encode: pgText}
	}
	b := numericSchema(s.Numeric, precision, scale)
	switch t := b.MustBuild().Type(); t {
	case data.Bytes:
		return pgCodec{schema: b, binary: true, encode: func(dst, raw []byte) ([]byte, error) { return pgNumeric(dst, raw, scale) }}
	case data.Float64:
		return pgCodec{schema: b, encode: decimalTo(t, scale)}
	}
	return pgCodec{schema: b, binary: true, encode: func(dst, raw []byte) ([]byte, error) {
		n, err := pgNumericInt(raw)
		return data.AppendLong(dst, n), err
	}}
}

const (
	pgNumericNegative = 0x4000
	pgNumericSpecial  = 0xC000 // not a number or infinite
)

// pgNumeric turns PostgreSQL's numeric (digits to the base 10000) into a Decimal. Up to 38 digits it needs no big number.
func pgNumeric(dst, raw []byte, scale int) ([]byte, error) {
	if len(raw) < 8 {
		return dst, errTorn
	}
	n, weight, sign := int(binary.BigEndian.Uint16(raw)), int(int16(binary.BigEndian.Uint16(raw[2:]))), binary.BigEndian.Uint16(raw[4:])
	if sign&pgNumericSpecial == pgNumericSpecial {
		return dst, errors.New("NaN and infinities have no place in a Connect Decimal; exclude them, or cast the column to text in a query or view")
	}
	if len(raw) != 8+2*n {
		return dst, errTorn
	}
	negative := sign == pgNumericNegative
	var u data.Unscaled
	fits := true
	digits := raw[8:]
	for ; len(digits) >= 8; digits = digits[8:] {
		fits = fits && u.MulAdd(1e16, (uint64(binary.BigEndian.Uint16(digits))*1e4+uint64(binary.BigEndian.Uint16(digits[2:])))*1e8+
			uint64(binary.BigEndian.Uint16(digits[4:]))*1e4+uint64(binary.BigEndian.Uint16(digits[6:])))
	}
	for ; len(digits) > 0; digits = digits[2:] {
		fits = fits && u.MulAdd(1e4, uint64(binary.BigEndian.Uint16(digits)))
	}
	if fits && u.Shift(4*(weight-n+1)+scale) {
		return u.Append(dst, negative), nil
	}
	d := data.Decimal{Unscaled: pgNumericBig(raw, n), Scale: int32(4 * (n - 1 - weight))}
	return d.AppendScaled(dst, int32(scale))
}

func pgNumericBig(raw []byte, n int) *big.Int {
	v, base, digit := new(big.Int), big.NewInt(10000), new(big.Int)
	for i := range n {
		v.Mul(v, base).Add(v, digit.SetInt64(int64(binary.BigEndian.Uint16(raw[8+2*i:]))))
	}
	if binary.BigEndian.Uint16(raw[4:]) == pgNumericNegative {
		v.Neg(v)
	}
	return v
}

func pgNumericInt(raw []byte) (int64, error) {
	block, err := pgNumeric(nil, raw, 0)
	if err != nil {
		return 0, err
	}
	unscaled, _, err := data.ReadBytes(block)
	if err != nil {
		return 0, err
	}
	if len(unscaled) > 8 {
		return 0, fmt.Errorf("the number has %d bytes, more than 64 bits", len(unscaled))
	}
	v := int64(int8(unscaled[0]))
	for _, b := range unscaled[1:] {
		v = v<<8 | int64(b)
	}
	return v, nil
}

// pgArrayCodec maps an array of a type that has a binary form here; other arrays come as PostgreSQL's text. The dimensions
// are those of the column's declaration, because a Connect schema is one for all rows.
func pgArrayCodec(t pgType, modifier int32, dims int, s Settings) pgCodec {
	elem := pgCodecOf(t.elem, modifier, s)
	if t.elemIsEnum {
		elem.binary = true
	}
	if !elem.binary {
		return pgCodec{schema: data.NewPrimitive(data.String), quick: quickBytes, encode: pgText}
	}
	dims = max(dims, 1)
	schema := elem.schema.Optional().MustBuild()
	value := data.AppendPresence(nil, schema, true)
	null := data.AppendPresence(nil, schema, false)
	b := data.NewArray(schema)
	for range dims - 1 {
		b = data.NewArray(b.MustBuild())
	}
	return pgCodec{schema: b, binary: true, encode: func(dst, raw []byte) ([]byte, error) {
		if len(raw) < 12 {
			return dst, errTorn
		}
		got := int(binary.BigEndian.Uint32(raw))
		if got == 0 {
			return data.AppendBlockEnd(dst), nil
		}
		if got != dims {
			return dst, fmt.Errorf("the array has %d dimensions, the column is declared with %d; declare it as such, or cast it to text in a view", got, dims)
		}
		if len(raw) < 12+8*dims {
			return dst, errTorn
		}
		sizes := make([]int, dims)
		for i := range sizes {
			sizes[i] = int(binary.BigEndian.Uint32(raw[12+8*i:]))
		}
		a := pgArray{rest: raw[12+8*dims:], value: value, null: null, encode: elem.encode}
		return a.append(dst, sizes)
	}}
}

type pgArray struct {
	rest, value, null []byte
	encode            func(dst, raw []byte) ([]byte, error)
}

func (a *pgArray) append(dst []byte, sizes []int) (_ []byte, err error) {
	if sizes[0] > len(a.rest) {
		return dst, errTorn
	}
	if sizes[0] > 0 {
		dst = data.AppendBlockStart(dst, sizes[0])
	}
	for range sizes[0] {
		if len(sizes) > 1 {
			if dst, err = a.append(dst, sizes[1:]); err != nil {
				return dst, err
			}
			continue
		}
		if len(a.rest) < 4 {
			return dst, errTorn
		}
		n := int(int32(binary.BigEndian.Uint32(a.rest)))
		a.rest = a.rest[4:]
		if n < 0 {
			dst = append(dst, a.null...)
			continue
		}
		if n > len(a.rest) {
			return dst, errTorn
		}
		dst = append(dst, a.value...)
		if dst, err = a.encode(dst, a.rest[:n]); err != nil {
			return dst, err
		}
		a.rest = a.rest[n:]
	}
	return data.AppendBlockEnd(dst), nil
}
