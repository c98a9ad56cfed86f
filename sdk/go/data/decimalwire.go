package data

import (
	"encoding/binary"
	"fmt"
	"math/big"
	"math/bits"
	"strconv"
)

// This file writes and reads the bytes of decimals without big numbers, as far as 127 bits reach, which is every decimal of up to
// 38 digits. Larger ones go through math/big and come out the same.

// pow10 are the powers of ten that fit 64 bits.
var pow10 = func() (p [20]uint64) {
	p[0] = 1
	for i := 1; i < len(p); i++ {
		p[i] = 10 * p[i-1]
	}
	return p
}()

// Unscaled collects the magnitude of an unscaled number: up to 127 bits in two words. The zero value is 0. Its methods report
// false when the result would not fit or would not be exact; its value is of no use then.
type Unscaled struct{ hi, lo uint64 }

// MulAdd makes it u*factor + add.
func (u *Unscaled) MulAdd(factor, add uint64) bool {
	over, hi := bits.Mul64(u.hi, factor)
	carry, lo := bits.Mul64(u.lo, factor)
	lo, c := bits.Add64(lo, add, 0)
	carry += c // a product's upper word is never all ones
	hi, c = bits.Add64(hi, carry, 0)
	u.hi, u.lo = hi, lo
	return over == 0 && c == 0 && hi < 1<<63
}

// Shift makes it u * 10^by; by may be negative.
func (u *Unscaled) Shift(by int) bool {
	if u.hi|u.lo == 0 {
		return true
	}
	for by > 0 {
		step := min(by, 19)
		if !u.MulAdd(pow10[step], 0) {
			return false
		}
		by -= step
	}
	for by < 0 {
		step := min(-by, 19)
		if u.div(pow10[step]) != 0 {
			return false
		}
		by += step
	}
	return true
}

// div divides and gives the rest.
func (u *Unscaled) div(by uint64) (rest uint64) {
	rest = u.hi % by
	u.hi /= by
	u.lo, rest = bits.Div64(rest, u.lo, by)
	return rest
}

// Append writes the number, negative or not, as the value of a Decimal schema.
func (u Unscaled) Append(dst []byte, negative bool) []byte {
	hi, lo := u.hi, u.lo
	if negative {
		var borrow uint64
		lo, borrow = bits.Sub64(0, lo, 0)
		hi, _ = bits.Sub64(0, hi, borrow)
	}
	if hi == uint64(int64(lo)>>63) {
		return AppendUnscaledLong(dst, int64(lo))
	}
	size := 8 + bits.Len64(hi^uint64(int64(hi)>>63))/8 + 1
	var b [16]byte
	binary.BigEndian.PutUint64(b[:], hi)
	binary.BigEndian.PutUint64(b[8:], lo)
	return append(AppendLong(dst, int64(size)), b[16-size:]...)
}

// AppendUnscaledLong writes an unscaled number of 64 bits as the value of a Decimal schema: 137 for 1.37 with scale 2.
func AppendUnscaledLong(dst []byte, n int64) []byte {
	size := bits.Len64(uint64(n^(n>>63)))/8 + 1
	dst = append(dst, byte(size<<1))
	for shift := 8 * (size - 1); shift >= 0; shift -= 8 {
		dst = append(dst, byte(n>>shift))
	}
	return dst
}

// AppendDecimalText writes a text of digits with at most one sign and one point as the value of a Decimal schema of the scale. A
// text with more decimals than the scale is an error, unless they are zeros.
func AppendDecimalText(dst, text []byte, scale int32) ([]byte, error) {
	digits := text
	negative := len(digits) > 0 && digits[0] == '-'
	if negative || len(digits) > 0 && digits[0] == '+' {
		digits = digits[1:]
	}
	var u Unscaled
	part, factor := uint64(0), uint64(1)
	count, decimals, point, fits := 0, 0, false, true
	for _, c := range digits {
		switch {
		case c-'0' <= 9:
			if factor == pow10[19] {
				fits = u.MulAdd(factor, part) && fits
				part, factor = 0, 1
			}
			part, factor = 10*part+uint64(c-'0'), 10*factor
			count++
			if point {
				decimals++
			}
		case c == '.' && !point:
			point = true
		default:
			return dst, fmt.Errorf("%q is no decimal number", clip(string(text)))
		}
	}
	if count == 0 {
		return dst, fmt.Errorf("%q is no decimal number", clip(string(text)))
	}
	if fits && u.MulAdd(factor, part) && u.Shift(int(scale)-decimals) {
		return u.Append(dst, negative), nil
	}
	d, err := ParseDecimal(string(text))
	if err != nil {
		return dst, err
	}
	return d.AppendScaled(dst, scale)
}

// AppendScaled writes the decimal as the value of a Decimal schema of another scale. It fails when that would lose digits.
func (d Decimal) AppendScaled(dst []byte, scale int32) ([]byte, error) {
	v := d.unscaled()
	power := func(n int64) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(n), nil) }
	switch shift := int64(scale) - int64(d.Scale); {
	case v.Sign() == 0:
	case shift > maxShift || shift < -maxShift:
		return dst, fmt.Errorf("the decimal %s is out of the reach of scale %d", d, scale)
	case shift > 0:
		v = new(big.Int).Mul(v, power(shift))
	case shift < 0:
		var rest big.Int
		if v, _ = new(big.Int).QuoRem(v, power(-shift), &rest); rest.Sign() != 0 {
			return dst, fmt.Errorf("the decimal %s has more than %d decimals", d, scale)
		}
	}
	return AppendUnscaled(dst, v), nil
}

// maxShift bounds the digits that a change of scale may make: the numbers are computed, not only counted.
const maxShift = 200_000

// AppendDecimalString appends the text of Decimal.String for the bytes of an unscaled number, as ReadBytes gives them. No bytes are
// a zero.
func AppendDecimalString(dst, unscaled []byte, scale int32) []byte {
	if len(unscaled) == 0 {
		unscaled = []byte{0}
	}
	if len(unscaled) > 16 {
		return append(dst, Decimal{Unscaled: fromTwosComplement(unscaled), Scale: scale}.String()...)
	}
	hi := uint64(int64(int8(unscaled[0])) >> 63)
	lo := hi
	for _, b := range unscaled {
		hi = hi<<8 | lo>>56
		lo = lo<<8 | uint64(b)
	}
	if hi>>63 != 0 {
		dst = append(dst, '-')
		var borrow uint64
		lo, borrow = bits.Sub64(0, lo, 0)
		hi, _ = bits.Sub64(0, hi, borrow)
	}
	// At most 39 digits: two groups of 19 and one more.
	var buf [40]byte
	digits := buf[:0]
	if u := (Unscaled{hi, lo}); u.hi == 0 {
		digits = strconv.AppendUint(digits, u.lo, 10)
	} else {
		low := u.div(pow10[19])
		if u.hi == 0 {
			digits = strconv.AppendUint(digits, u.lo, 10)
		} else {
			middle := u.div(pow10[19])
			digits = appendPadded(strconv.AppendUint(digits, u.lo, 10), middle)
		}
		digits = appendPadded(digits, low)
	}
	return appendPlaced(dst, digits, scale)
}

// appendPadded appends a number with 19 digits.
func appendPadded(dst []byte, n uint64) []byte {
	for at := len(pow10) - 2; at > 0 && n < pow10[at]; at-- {
		dst = append(dst, '0')
	}
	return strconv.AppendUint(dst, n, 10)
}

// appendPlaced puts the point, or an exponent, as Java's BigDecimal.toString does.
func appendPlaced(dst, digits []byte, scale int32) []byte {
	exponent := -int64(scale) + int64(len(digits)-1)
	switch {
	case scale == 0:
		return append(dst, digits...)
	case scale > 0 && exponent >= 0:
		point := len(digits) - int(scale)
		dst = append(append(dst, digits[:point]...), '.')
		return append(dst, digits[point:]...)
	case scale > 0 && exponent >= -6:
		dst = append(append(dst, '0', '.'), "00000"[:-exponent-1]...)
		return append(dst, digits...)
	}
	dst = append(dst, digits[0])
	if len(digits) > 1 {
		dst = append(append(dst, '.'), digits[1:]...)
	}
	if exponent != 0 {
		dst = append(dst, 'E')
		if exponent > 0 {
			dst = append(dst, '+')
		}
		dst = strconv.AppendInt(dst, exponent, 10)
	}
	return dst
}
