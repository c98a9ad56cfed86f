package convert

import (
	"encoding/base64"
	"encoding/binary"
	"math/bits"
	"strconv"
	"unicode/utf8"

	"github.com/tailrace/tailrace/sdk/go/data"
)

// The functions below check and read single tokens for jsonPass. They return the position behind the token, or gaveUp.

func (b jsonText) passWord(i int, word string) int {
	end := i + len(word)
	if end > len(b) || string(b[i:end]) != word || end < len(b) && isWordChar(b[end]) {
		return gaveUp
	}
	return end
}

// passText writes the string at i with its length before it.
func (b jsonText) passText(dst []byte, i int) ([]byte, int) {
	from := i + 1
	for i = from; ; {
		i = b.plainEnd(i)
		if i >= len(b) {
			return dst, gaveUp
		}
		switch c := b[i]; {
		case c == '"':
			return data.AppendBytes(dst, b[from:i]), i + 1
		case c == '\\':
			return b.passEscaped(dst, from-1)
		case c < utf8.RuneSelf: // a control character
			return dst, gaveUp
		}
		r, size := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && size == 1 {
			return dst, gaveUp
		}
		i += size
	}
}

// plainEnd is the first byte from i on that does not stand for itself in a string: a quote, a backslash, a control character,
// or one that is not ASCII. It looks at eight bytes at a time.
func (b jsonText) plainEnd(i int) int {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	for ; len(b)-i >= 8; i += 8 {
		x := binary.LittleEndian.Uint64(b[i:])
		quote, backslash := x^(ones*'"'), x^(ones*'\\')
		// A borrow may mark bytes above the first true one, never below it, and only the first counts.
		found := ((quote-ones)&^quote | (backslash-ones)&^backslash | (x-ones*0x20)&^x | x) & highs
		if found != 0 {
			return i + bits.TrailingZeros64(found)/8
		}
	}
	for i < len(b) && plainJSON[b[i]] {
		i++
	}
	return i
}

// passBase64 writes the bytes of the string at i, at least so many.
func (b jsonText) passBase64(dst []byte, i, atLeast int) ([]byte, int) {
	end := b.plainEnd(i + 1)
	if end >= len(b) || b[end] != '"' {
		return dst, gaveUp
	}
	text := b[i+1 : end]
	n := base64.StdEncoding.DecodedLen(len(text))
	for k := len(text); k > 0 && text[k-1] == '=' && n > 0; k-- {
		n--
	}
	dst = data.AppendLong(dst, int64(n))
	start := len(dst)
	dst, err := base64.StdEncoding.AppendDecode(dst, text)
	if err != nil || len(dst)-start != n || n < atLeast {
		return dst, gaveUp
	}
	return dst, end + 1
}

// passDecimal writes the number at i, unless it has an exponent or more decimals than the scale.
func (b jsonText) passDecimal(dst []byte, i int, scale int32) ([]byte, int) {
	end, err := b.number(i)
	if err != nil {
		return dst, gaveUp
	}
	if dst, err = data.AppendDecimalText(dst, b[i:end], scale); err != nil {
		return dst, gaveUp
	}
	return dst, end
}

// passEscaped is passText for a string with escapes.
func (b jsonText) passEscaped(dst []byte, i int) ([]byte, int) {
	end, err := b.text(i)
	if err != nil {
		return dst, gaveUp
	}
	start := len(dst)
	dst = unescape(dst, b[i+1:end-1])
	var head [binary.MaxVarintLen64]byte
	length := data.AppendLong(head[:0], int64(len(dst)-start))
	dst = append(dst, length...)
	copy(dst[start+len(length):], dst[start:len(dst)-len(length)])
	copy(dst[start:], length)
	return dst, end
}

// usualNumber reads a number of at most 18 digits without an exponent, which the common ends of a value follow. It gives up on others.
func (b jsonText) usualNumber(i int) (digits uint64, decimals int, negative bool, end int) {
	if i < len(b) && b[i] == '-' {
		negative = true
		i++
	}
	from := i
	if len(b)-i >= 8 {
		if eight, ok := eightDigits(binary.LittleEndian.Uint64(b[i:])); ok {
			digits = eight
			i += 8
		}
	}
	for i < len(b) && b[i]-'0' <= 9 {
		digits = digits*10 + uint64(b[i]-'0')
		i++
	}
	count := i - from
	if count == 0 {
		return 0, 0, false, gaveUp
	}
	if i < len(b) && b[i] == '.' {
		i++
		from = i
		for i < len(b) && b[i]-'0' <= 9 {
			digits = digits*10 + uint64(b[i]-'0')
			i++
		}
		if decimals = i - from; decimals == 0 {
			return 0, 0, false, gaveUp
		}
		count += decimals
	}
	if count > maxPassDigits || i >= len(b) || decimals > 0 && digits >= 1<<53 {
		return 0, 0, false, gaveUp
	}
	if c := b[i]; c == ',' || c == '}' || c == ']' {
		return digits, decimals, negative, i
	}
	return 0, 0, false, gaveUp
}

// eightDigits reads eight digits at once; the first stands lowest.
func eightDigits(x uint64) (uint64, bool) {
	const zeros, highs = 0x3030303030303030, 0xf0f0f0f0f0f0f0f0
	if x&highs != zeros || (x+0x0606060606060606)&highs != zeros {
		return 0, false
	}
	x -= zeros
	x = x*10 + x>>8
	return ((x&0x000000ff000000ff)*(100+1000000<<32) + (x>>16&0x000000ff000000ff)*(1+10000<<32)) >> 32, true
}

func signed(digits uint64, negative bool) int64 {
	if negative {
		return -int64(digits)
	}
	return int64(digits)
}

// usualFloat is the value as Java's doubleValue gives it; digits are less than 53 bits.
func usualFloat(digits uint64, decimals int, negative bool) float64 {
	f := float64(digits) / exactPowers[decimals]
	if negative && f != 0 { // a BigDecimal has no negative zero
		return -f
	}
	return f
}

// passedNumber is a number as it stands in the text.
type passedNumber struct {
	text     []byte
	digits   uint64 // of the usual number, without the point
	decimals int    // digits behind the point; -1 when digits does not hold the number
	negative bool
	fraction bool // it has a point or an exponent
}

// maxPassDigits always fit 64 bits.
const maxPassDigits = 18

func (b jsonText) passNumber(i int) (passedNumber, int) {
	var n passedNumber
	start := i
	if i < len(b) && b[i] == '-' {
		n.negative = true
		i++
	}
	from := i
	for i < len(b) && b[i]-'0' <= 9 {
		n.digits = n.digits*10 + uint64(b[i]-'0')
		i++
	}
	count := i - from
	if count == 0 {
		return n, gaveUp
	}
	if i < len(b) && b[i] == '.' {
		n.fraction = true
		i++
		from = i
		for i < len(b) && b[i]-'0' <= 9 {
			n.digits = n.digits*10 + uint64(b[i]-'0')
			i++
		}
		if n.decimals = i - from; n.decimals == 0 {
			return n, gaveUp
		}
		count += n.decimals
	}
	if count <= maxPassDigits {
		if i == len(b) {
			return n, i
		}
		switch b[i] {
		case ',', '}', ']', ' ', '\n', '\r', '\t':
			return n, i
		}
	}
	end, err := b.number(start) // an exponent, many digits, or no number at all
	if err != nil {
		return n, gaveUp
	}
	n.text, n.decimals = b[start:end], -1
	for _, c := range n.text {
		n.fraction = n.fraction || c == 'e' || c == 'E'
	}
	return n, end
}

// integer is the value of a number without a fraction, as Java's longValue gives it.
func (n *passedNumber) integer() int64 {
	if n.decimals < 0 {
		r := jsonReader{b: n.text}
		return r.integer(0)
	}
	return signed(n.digits, n.negative)
}

// exactPowers are the powers of ten that a double holds exactly: 53 bits divided by one of them is rounded once, and so right.
var exactPowers = [...]float64{
	1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
}

// float is the value as Java's doubleValue gives it.
func (n *passedNumber) float() float64 {
	if n.decimals < 0 {
		r := jsonReader{b: n.text}
		return r.float(0, 64)
	}
	if n.digits >= 1<<53 {
		text := strconv.AppendUint(make([]byte, 0, 24), n.digits, 10)
		text = strconv.AppendInt(append(text, 'e'), int64(-n.decimals), 10)
		f, _ := strconv.ParseFloat(string(text), 64)
		if n.negative {
			return -f
		}
		return f
	}
	return usualFloat(n.digits, n.decimals, n.negative)
}
