package data

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
)

// Decimal is the value Unscaled / 10^Scale, like Java's BigDecimal. A nil Unscaled is zero. Treat Unscaled as
// immutable: decimals share it.
type Decimal struct {
	Unscaled *big.Int
	Scale    int32
}

// NewDecimalValue is the decimal unscaled / 10^scale.
func NewDecimalValue(unscaled int64, scale int32) Decimal {
	return Decimal{Unscaled: big.NewInt(unscaled), Scale: scale}
}

var bigZero = new(big.Int)

func (d Decimal) unscaled() *big.Int {
	if d.Unscaled == nil {
		return bigZero
	}
	return d.Unscaled
}

// Equal reports whether value and scale are the same; 1.0 and 1.00 differ, as in Java's BigDecimal.equals.
func (d Decimal) Equal(o Decimal) bool {
	return d.Scale == o.Scale && d.unscaled().Cmp(o.unscaled()) == 0
}

// Sign is -1, 0 or 1.
func (d Decimal) Sign() int { return d.unscaled().Sign() }

// String is the text of Java's BigDecimal.toString: plain where that is short, else with an exponent. ParseDecimal reads
// it back to an equal decimal. Its length is bounded by the digits of Unscaled, whatever the scale.
func (d Decimal) String() string {
	digits, sign := d.digits()
	exponent := -int64(d.Scale) + int64(len(digits)-1)
	if d.Scale >= 0 && exponent >= -6 {
		return sign + placePoint(digits, int64(d.Scale))
	}
	var b strings.Builder
	b.WriteString(sign)
	b.WriteString(digits[:1])
	if len(digits) > 1 {
		b.WriteByte('.')
		b.WriteString(digits[1:])
	}
	if exponent != 0 {
		b.WriteByte('E')
		if exponent > 0 {
			b.WriteByte('+')
		}
		b.WriteString(strconv.FormatInt(exponent, 10))
	}
	return b.String()
}

// Plain is the text without an exponent, as Java's BigDecimal.toPlainString. A large scale makes a long text, so it fails
// when there would be more than maxDigits characters of digits.
func (d Decimal) Plain(maxDigits int) (string, error) {
	digits, sign := d.digits()
	scale := int64(d.Scale)
	if n := max(int64(len(digits))-min(scale, 0), scale+1); n > int64(maxDigits) {
		return "", fmt.Errorf("decimal %s has %d digits in plain form; the limit is %d", d, n, maxDigits)
	}
	if scale >= 0 {
		return sign + placePoint(digits, scale), nil
	}
	if digits == "0" {
		return "0", nil
	}
	return sign + digits + strings.Repeat("0", int(-scale)), nil
}

func (d Decimal) digits() (digits, sign string) {
	text := d.unscaled().String()
	if strings.HasPrefix(text, "-") {
		return text[1:], "-"
	}
	return text, ""
}

// placePoint puts the decimal point scale digits from the right; scale is not negative.
func placePoint(digits string, scale int64) string {
	if scale == 0 {
		return digits
	}
	if missing := scale - int64(len(digits)) + 1; missing > 0 {
		digits = strings.Repeat("0", int(missing)) + digits
	}
	point := len(digits) - int(scale)
	return digits[:point] + "." + digits[point:]
}

// ParseDecimal reads the texts that Java's BigDecimal(String) takes: sign, digits, point, exponent. The scale is the
// count of digits after the point less the exponent, so no digit is lost or invented.
func ParseDecimal(text string) (Decimal, error) {
	bad := func(why string) (Decimal, error) {
		return Decimal{}, fmt.Errorf("%q is not a decimal number: %s", clip(text), why)
	}
	mantissa, exponent := text, int64(0)
	if i := strings.IndexAny(text, "eE"); i >= 0 {
		e, err := strconv.ParseInt(text[i+1:], 10, 64)
		if err != nil {
			if errors.Is(err, strconv.ErrRange) {
				return bad("the exponent is out of range")
			}
			return bad("the exponent is not an integer")
		}
		mantissa, exponent = text[:i], e
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	unsigned := strings.TrimPrefix(whole, "-")
	if unsigned == whole {
		unsigned = strings.TrimPrefix(whole, "+")
	}
	all := unsigned + fraction
	if all == "" {
		return bad("it has no digits")
	}
	for i := range len(all) {
		if all[i] < '0' || all[i] > '9' {
			return bad("only digits, one sign, one point and one exponent are allowed")
		}
	}
	// Subtracting in this order cannot overflow: len fits int32 in practice and exponent is checked first.
	if exponent > 1<<33 || exponent < -(1<<33) {
		return bad("the exponent is out of range")
	}
	scale := int64(len(fraction)) - exponent
	if scale < math.MinInt32 || scale > math.MaxInt32 {
		return bad("the scale does not fit 32 bits")
	}
	unscaled, _ := new(big.Int).SetString(all, 10)
	if whole[:len(whole)-len(unsigned)] == "-" {
		unscaled.Neg(unscaled)
	}
	return Decimal{Unscaled: unscaled, Scale: int32(scale)}, nil
}

func clip(text string) string {
	if len(text) > 64 {
		return text[:64] + "…"
	}
	return text
}

// twosComplementLen is the length of appendTwosComplement's result. A negative power of two (-128) needs a bit less than
// its magnitude says.
func twosComplementLen(v *big.Int) int {
	n := v.BitLen()
	if v.Sign() < 0 && v.TrailingZeroBits() == uint(n-1) {
		n--
	}
	return n/8 + 1 // always room for the sign bit
}

// appendTwosComplement appends v as minimal big-endian two's complement, at least one byte: Java's
// BigInteger.toByteArray.
func appendTwosComplement(dst []byte, v *big.Int) []byte {
	start := len(dst)
	dst = append(dst, make([]byte, twosComplementLen(v))...)
	if v.Sign() >= 0 {
		v.FillBytes(dst[start:])
		return dst
	}
	new(big.Int).Not(v).FillBytes(dst[start:]) // ^v = -v-1
	for i := start; i < len(dst); i++ {
		dst[i] = ^dst[i]
	}
	return dst
}

// fromTwosComplement is the inverse; b is not empty and not kept. It takes non-minimal forms too.
func fromTwosComplement(b []byte) *big.Int {
	v := new(big.Int)
	if b[0] < 0x80 {
		return v.SetBytes(b)
	}
	inverted := make([]byte, len(b))
	for i, c := range b {
		inverted[i] = ^c
	}
	return v.Not(v.SetBytes(inverted))
}
