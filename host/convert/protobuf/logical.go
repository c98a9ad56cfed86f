package protobuf

import (
	"math"
	"math/big"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/tailrace/tailrace/host/convert/javaerr"
	"github.com/tailrace/tailrace/sdk/go/data"
)

const (
	millisPerDay  = 24 * 60 * 60 * 1000
	nanosPerMilli = 1_000_000

	// What google.protobuf.Timestamp may hold: the years 1 to 9999.
	firstSecond = -62135596800
	lastSecond  = 253402300799
)

func validUTF8(b []byte) bool { return utf8.Valid(b) }

// number appends a field of a small message, if it is not zero.
func number(dst []byte, field protowire.Number, v int64) []byte {
	if v == 0 {
		return dst
	}
	return protowire.AppendVarint(protowire.AppendTag(dst, field, protowire.VarintType), uint64(v))
}

// logical appends the message of a logical value.
func logical(o op, s *data.Schema, dst, wire []byte, strict bool) (_, rest []byte, err error) {
	if o == opDecimal {
		raw, rest, err := data.ReadBytes(wire)
		if err == nil {
			dst, err = appendDecimal(dst, s, raw)
		}
		return dst, rest, err
	}
	v, rest, err := data.ReadLong(wire)
	if err != nil {
		return dst, wire, err
	}
	switch o {
	case opTimestamp:
		seconds, millis := floorDiv(v, 1000)
		if seconds < firstSecond || seconds > lastSecond {
			return dst, rest, javaerr.Data("the timestamp %d ms is outside the years 1 to 9999 that Protobuf's Timestamp has", v)
		}
		return number(number(dst, 1, seconds), 2, millis*nanosPerMilli), rest, nil
	case opTime:
		if v < 0 || v > millisPerDay {
			return dst, rest, javaerr.Data("Time values must use number of millis greater than 0 and less than 86400000")
		}
		if strict && v == millisPerDay {
			return dst, rest, javaerr.Data("strict.values: the time 24:00 would be written as 00:00")
		}
		v %= millisPerDay
		dst = number(number(dst, 1, v/3600000), 2, v/60000%60)
		return number(number(dst, 3, v/1000%60), 4, v%1000*nanosPerMilli), rest, nil
	}
	if v < math.MinInt32 || v > math.MaxInt32 {
		return dst, rest, javaerr.Data("the number %d does not fit INT32", v)
	}
	year, month, day := civil(v)
	if year <= 0 {
		if strict {
			return dst, rest, javaerr.Data("strict.values: a year before 1 would be written as one after it")
		}
		year = 1 - year // Java's year of the era
	}
	return number(number(number(dst, 1, year), 2, month), 3, day), rest, nil
}

func floorDiv(a, b int64) (q, r int64) {
	q, r = a/b, a%b
	if r < 0 {
		q, r = q-1, r+b
	}
	return q, r
}

func appendDecimal(dst []byte, s *data.Schema, raw []byte) ([]byte, error) {
	if len(raw) == 0 {
		return dst, javaerr.Data("a Decimal takes at least one byte")
	}
	scale, _, err := s.IsDecimal()
	if err != nil {
		return dst, err
	}
	for len(raw) > 1 && (raw[0] == 0 && raw[1] < 0x80 || raw[0] == 0xff && raw[1] >= 0x80) {
		raw = raw[1:]
	}
	dst = protowire.AppendBytes(protowire.AppendTag(dst, 1, protowire.BytesType), raw)
	return number(number(dst, 2, digits(raw)), 3, int64(scale)), nil
}

// digits is the precision of an unscaled number.
func digits(raw []byte) int64 {
	if len(raw) <= 8 {
		v := int64(int8(raw[0]))
		for _, c := range raw[1:] {
			v = v<<8 | int64(c)
		}
		n := int64(1)
		for v /= 10; v != 0; v /= 10 {
			n++
		}
		return n
	}
	v := unscaled(raw)
	return int64(len(v.Abs(v).Text(10)))
}

func unscaled(raw []byte) *big.Int {
	v := new(big.Int).SetBytes(raw)
	if raw[0] >= 0x80 {
		v.Sub(v, new(big.Int).Lsh(big.NewInt(1), uint(8*len(raw))))
	}
	return v
}

// small reads the numbers of a message whose fields 1 to 4 are all of it, and the bytes of field 1.
func small(b []byte) (n [5]int64, raw []byte, err error) {
	for len(b) > 0 {
		field, typ, head := protowire.ConsumeTag(b)
		if head < 0 {
			return n, raw, protowire.ParseError(head)
		}
		size := protowire.ConsumeFieldValue(field, typ, b[head:])
		if size < 0 {
			return n, raw, protowire.ParseError(size)
		}
		switch {
		case typ == protowire.VarintType && field < 5:
			v, _ := protowire.ConsumeVarint(b[head:])
			n[field] = int64(v)
		case typ == protowire.BytesType && field == 1:
			raw, _ = protowire.ConsumeBytes(b[head:])
		}
		b = b[head+size:]
	}
	return n, raw, nil
}

// readLogical appends the wire form of a logical value's message.
func readLogical(o op, s *data.Schema, dst, b []byte) ([]byte, error) {
	n, raw, err := small(b)
	if err != nil {
		return dst, err
	}
	switch o {
	case opDecimal:
		return readDecimal(dst, s, n, raw)
	case opTimestamp:
		seconds, nanos := n[1], int64(int32(n[2]))
		if seconds < firstSecond || seconds > lastSecond || nanos < 0 || nanos >= 1_000_000_000 {
			return dst, javaerr.Data("Timestamp is not valid. See proto definition for valid values. Seconds (%d) must be in range [-62,135,596,800, +253,402,300,799]. Nanos (%d) must be in range [0, +999,999,999].", seconds, nanos)
		}
		return data.AppendLong(dst, seconds*1000+nanos/nanosPerMilli), nil
	case opTime:
		h, m, sec, nanos := int64(int32(n[1])), int64(int32(n[2])), int64(int32(n[3])), int64(int32(n[4]))
		if h < 0 || h > 23 || m < 0 || m > 59 || sec < 0 || sec > 59 || nanos < 0 || nanos >= 1_000_000_000 {
			return dst, javaerr.Data("the time of day %d:%d:%d and %d ns is none", h, m, sec, nanos)
		}
		return data.AppendLong(dst, ((h*60+m)*60+sec)*1000+nanos/nanosPerMilli), nil
	}
	year, month, day := int64(int32(n[1])), int64(int32(n[2])), int64(int32(n[3]))
	days := daysOf(year, month, day)
	if y, m, d := civil(days); year < 1 || y != year || m != month || d != day || days > math.MaxInt32 || days < math.MinInt32 {
		return dst, javaerr.Data("%d-%d-%d is no date", year, month, day)
	}
	return data.AppendLong(dst, days), nil
}

func readDecimal(dst []byte, s *data.Schema, n [5]int64, raw []byte) ([]byte, error) {
	if len(raw) == 0 {
		return dst, &javaerr.Error{Class: "java.lang.NumberFormatException", Message: "Zero length BigInteger"}
	}
	want, _, err := s.IsDecimal()
	if err != nil {
		return dst, err
	}
	have, precision := int64(int32(n[3])), n[2]
	if precision > 0 && digits(raw) > precision {
		return dst, javaerr.Data("a decimal has %d digits, more than its precision of %d", digits(raw), precision)
	}
	diff := int64(want) - have
	const limit = 1000
	switch {
	case diff == 0:
		return data.AppendBytes(dst, raw), nil
	case diff > 0 && diff <= limit:
		v := unscaled(raw)
		return data.AppendUnscaled(dst, v.Mul(v, pow10(diff))), nil
	case diff < 0 && diff >= -limit:
		q, rest := new(big.Int).QuoRem(unscaled(raw), pow10(-diff), new(big.Int))
		if rest.Sign() == 0 {
			return data.AppendUnscaled(dst, q), nil
		}
	}
	return dst, javaerr.Data("Decimal value has mismatching scale for given Decimal schema. Schema has scale %d, value has scale %d.", want, have)
}

func pow10(n int64) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(n), nil) }

// The calendar is Java's: Gregorian from 1582-10-15 on, Julian before.
const gregorianStart = -141427

// daysOf counts days since 1970-01-01. It does not check the date.
func daysOf(year, month, day int64) int64 {
	a := (14 - month) / 12
	y, m := year+4800-a, month+12*a-3
	q4, _ := floorDiv(y, 4)
	days := day + (153*m+2)/5 + 365*y + q4 - 32083 - 2440588
	q100, _ := floorDiv(y, 100)
	q400, _ := floorDiv(y, 400)
	if gregorian := days - q100 + q400 + 38; gregorian >= gregorianStart {
		return gregorian
	}
	return days
}

// civil is the date of a day.
func civil(days int64) (year, month, day int64) {
	j := days + 2440588
	c, b := j+32082, int64(0)
	if days >= gregorianStart {
		a := j + 32044
		b, _ = floorDiv(4*a+3, 146097)
		q, _ := floorDiv(146097*b, 4)
		c = a - q
	}
	d, _ := floorDiv(4*c+3, 1461)
	q, _ := floorDiv(1461*d, 4)
	e := c - q
	m := (5*e + 2) / 153
	return 100*b + d - 4800 + m/10, m + 3 - 12*(m/10), e - (153*m+2)/5 + 1
}
