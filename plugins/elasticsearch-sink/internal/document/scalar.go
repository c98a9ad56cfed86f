package document

import (
	"encoding/base64"
	"math"
	"math/big"
	"strconv"
	"time"

	"github.com/tailrace/tailrace/sdk/go/data"
)

// maxDecimalDigits bounds the text of a Decimal, whose scale may be anything.
const maxDecimalDigits = 1000

func unreadable(err error) error { return errorf("the value cannot be read: %v", err) }

// The methods below read one thing and move on.

func (w *writer) long() (int64, error) {
	if w.pos < len(w.b) {
		if u := w.b[w.pos]; u < 0x80 {
			w.pos++
			return int64(u>>1) ^ -int64(u&1), nil
		}
	}
	v, rest, err := data.ReadLong(w.b[w.pos:])
	if err != nil {
		return 0, unreadable(err)
	}
	w.pos = len(w.b) - len(rest)
	return v, nil
}

func (w *writer) int() (int32, error) {
	v, rest, err := data.ReadInt(w.b[w.pos:])
	if err != nil {
		return 0, unreadable(err)
	}
	w.pos = len(w.b) - len(rest)
	return v, nil
}

func (w *writer) bytes() ([]byte, error) {
	n, err := w.long()
	if err != nil {
		return nil, err
	}
	if n < 0 || n > int64(len(w.b)-w.pos) {
		return nil, errorf("the value cannot be read: a text of %d bytes where %d are left", n, len(w.b)-w.pos)
	}
	from := w.pos
	w.pos += int(n)
	return w.b[from:w.pos:w.pos], nil
}

func (w *writer) block(minItemSize int) (int, error) {
	n, rest, err := data.ReadBlock(w.b[w.pos:], minItemSize)
	if err != nil {
		return 0, unreadable(err)
	}
	w.pos = len(w.b) - len(rest)
	return n, nil
}

func (w *writer) presence(p *Plan) (bool, error) {
	if !p.optional {
		return true, nil
	}
	present, rest, err := data.ReadPresence(p.schema, w.b[w.pos:])
	if err != nil {
		return false, unreadable(err)
	}
	w.pos = len(w.b) - len(rest)
	return present, nil
}

// The methods below read one value and append it.

func (w *writer) integer(dst []byte) ([]byte, error) {
	v, err := w.long()
	if err != nil {
		return nil, err
	}
	return strconv.AppendInt(dst, v, 10), nil
}

// date is written as text: Kafka Connect's number counts days, which Elasticsearch would read as milliseconds.
func (w *writer) date(dst []byte) ([]byte, error) {
	days, err := w.int()
	if err != nil {
		return nil, err
	}
	t := time.Unix(int64(days)*86400, 0).UTC()
	if y := t.Year(); y < 0 || y > 9999 { // no four digits: milliseconds do for every year
		return strconv.AppendInt(dst, t.UnixMilli(), 10), nil
	}
	return t.AppendFormat(dst, `"2006-01-02"`), nil
}

func (w *writer) double(dst []byte) ([]byte, error) {
	v, _, err := data.ReadDouble(w.b[w.pos:])
	if err != nil {
		return nil, unreadable(err)
	}
	w.pos += 8
	return appendFloat(dst, v, 64)
}

func (w *writer) float(dst []byte) ([]byte, error) {
	v, _, err := data.ReadFloat(w.b[w.pos:])
	if err != nil {
		return nil, unreadable(err)
	}
	w.pos += 4
	return appendFloat(dst, float64(v), 32)
}

func appendFloat(dst []byte, v float64, bits int) ([]byte, error) {
	if v-v != 0 {
		return nil, errorf("the value holds %v, which JSON cannot say", v)
	}
	abs := math.Abs(v)
	if cents := uint64(abs*100 + 0.5); bits == 64 && abs < maxCents/100 && float64(cents)/100 == abs && (v > 0 || cents == 0 && !math.Signbit(v)) {
		return appendCents(dst, cents), nil
	}
	format := byte('f')
	if abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	return strconv.AppendFloat(dst, v, format, -1, bits), nil
}

// maxCents has fifteen digits: a decimal number of no more is the shortest text of the double that is nearest to it.
const maxCents = 1e15

// appendCents writes a number of at most two decimals, several times faster than the search for the shortest text.
func appendCents(dst []byte, cents uint64) []byte {
	dst = strconv.AppendUint(dst, cents/100, 10)
	switch rest := byte(cents % 100); {
	case rest == 0:
	case rest%10 == 0:
		dst = append(dst, '.', '0'+rest/10)
	default:
		dst = append(dst, '.', '0'+rest/10, '0'+rest%10)
	}
	return dst
}

func (w *writer) boolean(dst []byte) ([]byte, error) {
	v, _, err := data.ReadBool(w.b[w.pos:])
	if err != nil {
		return nil, unreadable(err)
	}
	w.pos++
	return strconv.AppendBool(dst, v), nil
}

func (w *writer) text(dst []byte) ([]byte, error) {
	v, err := w.bytes()
	if err != nil {
		return nil, err
	}
	return appendString(dst, v), nil
}

func (w *writer) base64(dst []byte) ([]byte, error) {
	v, err := w.bytes()
	if err != nil {
		return nil, err
	}
	dst = append(dst, '"')
	dst = base64.StdEncoding.AppendEncode(dst, v)
	return append(dst, '"'), nil
}

// maxPlainScale is the scale up to which Java's text of a decimal has no exponent.
const maxPlainScale = 6

// decimal is written as a number with all its digits.
func (w *writer) decimal(dst []byte, scale int32) ([]byte, error) {
	v, err := w.bytes()
	if err != nil {
		return nil, err
	}
	if len(v) <= 16 && scale >= 0 && scale <= maxPlainScale {
		return data.AppendDecimalString(dst, v, scale), nil
	}
	text, err := data.Decimal{Unscaled: twosComplement(v), Scale: scale}.Plain(maxDecimalDigits)
	if err != nil {
		return nil, errorf("a decimal is too long: %v", err)
	}
	return append(dst, text...), nil
}

// twosComplement reads Java's BigInteger bytes, high byte first.
func twosComplement(b []byte) *big.Int {
	v := new(big.Int).SetBytes(b)
	if len(b) > 0 && b[0] >= 0x80 {
		v.Sub(v, new(big.Int).Lsh(big.NewInt(1), uint(len(b))*8))
	}
	return v
}
