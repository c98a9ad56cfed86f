package convert

import (
	"math/big"
	"strconv"

	"github.com/tailrace/tailrace/sdk/go/data"
)

// This file is strict.values=true: what Kafka Connect's JsonConverter changes
// without a word becomes an error. docs/compatibility.md has the list.

// damage is the error for a value that would not arrive as it is (I-7).
func damage(format string, args ...any) *Error { return dataError(strictValues+": "+format, args...) }

func notFinite(f float64) *Error {
	return damage("%s is no JSON number; it would be written as text and read back as 0.0", strconv.FormatFloat(f, 'g', -1, 64))
}

// strict says what reading the value at i as one of s would change.
func (r *jsonReader) strict(s *data.Schema, i int) error {
	found := func() error {
		return damage("a %s where a value of %s should be", r.nodeType(i), s)
	}
	switch k := kindOf(s); k {
	case kindInt8, kindInt16, kindInt32, kindInt64, kindTimestamp:
		if !r.isNumber(i) {
			return found()
		}
		return r.strictInteger(i, integerBits[k])
	case kindFloat32, kindFloat64:
		if !r.isNumber(i) {
			return found()
		}
		bits := 64
		if k == kindFloat32 {
			bits = 32
		}
		return r.strictFloat(i, bits)
	case kindBoolean:
		if r.b[i] != 't' && r.b[i] != 'f' {
			return found()
		}
	case kindString, kindBytes:
		if r.b[i] != '"' {
			return found()
		}
	case kindArray:
		if r.b[i] != '[' {
			return found()
		}
	}
	return nil
}

var integerBits = map[kind]int{kindInt8: 8, kindInt16: 16, kindInt32: 32, kindInt64: 64, kindTimestamp: 64}

// strictNumber is strict for a number without a schema; what is none is left to others.
func (r *jsonReader) strictNumber(i, bits int) error {
	if r.isIntegral(i) {
		return r.strictInteger(i, bits)
	}
	return r.strictFloat(i, bits)
}

func (r *jsonReader) strictInteger(i, bits int) error {
	text := string(r.b[i:r.b.end(i)])
	if _, err := strconv.ParseInt(text, 10, bits); err == nil {
		return nil
	}
	d, err := data.ParseDecimal(text)
	if err == nil {
		d, err = rescale(d, 0)
	}
	if err != nil {
		return damage("the number %s has a fraction that would be cut off, or too many digits", text)
	}
	limit := new(big.Int).Lsh(big.NewInt(1), uint(bits-1))
	if d.Unscaled.Cmp(limit) >= 0 || d.Unscaled.Cmp(new(big.Int).Neg(limit)) < 0 {
		return damage("the number %s does not fit %d bits and would wrap around", text, bits)
	}
	return nil
}

func (r *jsonReader) strictFloat(i, bits int) error {
	text := string(r.b[i:r.b.end(i)])
	f, err := strconv.ParseFloat(text, bits)
	switch {
	case err != nil:
		return damage("the number %s is too large for %d bits and would be infinite", text, bits)
	case f == 0 && text[0] == '-':
		return damage("%s would lose its sign", text)
	}
	return nil
}
