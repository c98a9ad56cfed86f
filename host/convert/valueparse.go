package convert

import (
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/tailrace/tailrace/sdk/go/data"
	"github.com/tailrace/tailrace/sdk/go/data/javadate"
)

// typedValue is a value with the schema that was guessed for it.
type typedValue struct {
	schema *data.Schema
	value  any
}

// valueParser guesses values from text as org.apache.kafka.connect.data.Values
// does: literals, numbers of the smallest type, times, lists and maps with a
// common type; everything else is a string.
type valueParser struct {
	text string
	tokens
}

// maxHeaderDepth bounds nested lists and maps.
const maxHeaderDepth = 64

// parse reads one value; nil for null. ok is false when an embedded value is none.
func (p *valueParser) parse(embedded bool, depth int) (v *typedValue, ok bool) {
	p.tokens.text = p.text
	start := p.mark()
	switch {
	case !p.has():
		return nil, true
	case embedded && p.consume(`"`):
		return p.quoted(), true
	case p.literal(embedded, "null"):
		return nil, true
	case p.literal(embedded, "true"):
		return &typedValue{data.BooleanSchema, true}, true
	case p.literal(embedded, "false"):
		return &typedValue{data.BooleanSchema, false}, true
	}
	if depth < maxHeaderDepth {
		if p.consume("[") {
			if v, ok := p.list(depth + 1); ok {
				return v, true
			}
			p.rewind(start)
		} else if p.consume("{") {
			if v, ok := p.mapping(depth + 1); ok {
				return v, true
			}
			p.rewind(start)
		}
	}
	token := p.take()
	if isBlank(token) {
		return &typedValue{data.StringSchema, token}, true
	}
	return p.scalar(embedded, trim(token))
}

// literal consumes a word, which at the top has to be the whole text: "true," is a string.
func (p *valueParser) literal(embedded bool, word string) bool {
	start := p.mark()
	if p.consume(word) && (embedded || !p.has()) {
		return true
	}
	p.rewind(start)
	return false
}

func (p *valueParser) scalar(embedded bool, token string) (*typedValue, bool) {
	token = asciiDigits(token)
	first := token[0]
	digit := first >= '0' && first <= '9'
	if digit {
		if v := p.temporal(token); v != nil {
			return v, true
		}
	}
	if digit || first == '+' || first == '-' {
		if v := number19(token); v != nil {
			return v, true
		}
	}
	if embedded {
		return nil, false
	}
	return &typedValue{data.StringSchema, p.text}, true
}

func (p *valueParser) quoted() *typedValue {
	var b strings.Builder
	for p.has() && !p.quote() {
		b.WriteString(p.take())
	}
	content := b.String()
	if v := temporalOf(content); v != nil {
		return v
	}
	return &typedValue{data.StringSchema, content}
}

// quote consumes a closing quote.
func (p *valueParser) quote() bool { return p.consume(`"`) }

func (p *valueParser) list(depth int) (*typedValue, bool) {
	values := []any{}
	var common merger
	for p.has() {
		if p.consume("]") {
			if common.schema == nil {
				s, err := data.NewArray(nil).Schemaless().Build()
				return &typedValue{s, values}, err == nil
			}
			for i := range values {
				var ok bool
				if values[i], ok = align(common.schema, values[i]); !ok {
					return nil, false
				}
			}
			s, err := data.NewArray(common.schema).Build()
			return &typedValue{s, values}, err == nil
		}
		if p.consume(",") {
			return nil, false
		}
		e, ok := p.parse(true, depth)
		if !ok {
			return nil, false
		}
		common.merge(e)
		values = append(values, e.plain())
		here := p.mark()
		if p.consume("]") {
			p.rewind(here)
		} else if !p.consume(",") {
			return nil, false
		}
	}
	return nil, false
}

func (p *valueParser) mapping(depth int) (*typedValue, bool) {
	m := data.NewMapValue()
	var keys, values merger
	for p.has() {
		if p.consume("}") {
			return finishMap(m, keys.schema, values.schema)
		}
		if p.consume(",") {
			return nil, false
		}
		k, ok := p.parse(true, depth)
		if !ok || k == nil || !p.consume(":") {
			return nil, false
		}
		v, ok := p.parse(true, depth)
		if !ok {
			return nil, false
		}
		m.Put(k.value, v.plain())
		p.consume(",")
		keys.merge(k)
		values.merge(v)
	}
	return nil, false
}

func finishMap(m *data.Map, keys, values *data.Schema) (*typedValue, bool) {
	if keys == nil {
		values = nil
	}
	aligned := data.NewMapValue()
	for _, e := range m.Entries() {
		k, v := e.Key, e.Value
		var ok bool
		if keys != nil {
			if k, ok = align(keys, k); !ok {
				return nil, false
			}
		}
		if values != nil {
			if v, ok = align(values, v); !ok {
				return nil, false
			}
		}
		aligned.Put(k, v)
	}
	s, err := data.NewMap(keys, values).Schemaless().Build()
	return &typedValue{s, aligned}, err == nil
}

// plain is the value alone; nil for null.
func (v *typedValue) plain() any {
	if v == nil {
		return nil
	}
	return v.value
}

// merger finds the common schema of values.
type merger struct {
	schema *data.Schema
	broken bool
}

func (m *merger) merge(v *typedValue) {
	switch {
	case v == nil || m.broken:
	case m.schema == nil:
		m.schema = v.schema
	default:
		m.schema = commonSchema(m.schema, v.schema)
		m.broken = m.schema == nil
	}
}

func commonSchema(a, b *data.Schema) *data.Schema {
	if a.Type() == b.Type() {
		return b
	}
	if a.Type() > data.Float64 || b.Type() > data.Float64 {
		return nil
	}
	if a.Type() > b.Type() { // the types are in the order of their width
		return a
	}
	return b
}

// align gives a value the common type: numbers are widened, and beside a time they are its days or milliseconds. A null
// and other types do not fit.
func align(s *data.Schema, v any) (any, bool) {
	switch v := v.(type) {
	case nil:
		return nil, false
	case int8:
		return alignInteger(s, int64(v))
	case int16:
		return alignInteger(s, int64(v))
	case int32:
		return alignInteger(s, int64(v))
	case int64:
		return alignInteger(s, v)
	case float32:
		if s.Type() == data.Float64 {
			return float64(v), true
		}
		return v, s.Type() == data.Float32
	case time.Time:
		return v, s.IsDate() || s.IsTime() || s.IsTimestamp()
	}
	return v, true
}

func alignInteger(s *data.Schema, n int64) (any, bool) {
	switch {
	case s.IsDate():
		return data.FromMillis(int64(int32(n)) * millisPerDay), true
	case s.IsTime():
		return data.FromMillis(n), n >= 0 && n <= millisPerDay
	case s.IsTimestamp():
		return data.FromMillis(n), true
	}
	switch s.Type() {
	case data.Int8:
		return int8(n), true
	case data.Int16:
		return int16(n), true
	case data.Int32:
		return int32(n), true
	case data.Int64:
		return n, true
	case data.Float32:
		return float32(float64(n)), true // by way of double, as in Java
	case data.Float64:
		return float64(n), true
	}
	return nil, false
}

// number19 reads a number into the smallest type that holds it; nil if it is none. A whole number beyond 64 bits is a
// decimal only if it is written without point and exponent, or too large for a double.
func number19(token string) *typedValue {
	d, err := data.ParseDecimal(token)
	if err != nil || len(token) > maxJSONNumberChars {
		return nil
	}
	if n, ok := wholeInt64(d); ok {
		return integerValue(n)
	}
	if d.Scale != 0 {
		if f, _ := strconv.ParseFloat(token, 32); !math.IsInf(f, 0) {
			return &typedValue{data.Float32Schema, float32(f)}
		}
		if f, _ := strconv.ParseFloat(token, 64); !math.IsInf(f, 0) {
			return &typedValue{data.Float64Schema, f}
		}
	}
	return &typedValue{data.DecimalSchema(d.Scale), d} // with the scale as written: 1e400 has -400
}

// wholeInt64 tells whether a decimal is a whole number of 64 bits.
func wholeInt64(d data.Decimal) (int64, bool) {
	const maxDigits = 19
	switch {
	case d.Unscaled.Sign() == 0:
		return 0, true
	case d.Scale < -maxDigits || d.Scale > maxJSONNumberChars:
		return 0, false
	}
	whole, err := rescale(d, 0)
	if err != nil || !whole.Unscaled.IsInt64() {
		return 0, false
	}
	return whole.Unscaled.Int64(), true
}

func integerValue(v int64) *typedValue {
	switch {
	case v == int64(int8(v)):
		return &typedValue{data.Int8Schema, int8(v)}
	case v == int64(int16(v)):
		return &typedValue{data.Int16Schema, int16(v)}
	case v == int64(int32(v)):
		return &typedValue{data.Int32Schema, int32(v)}
	}
	return &typedValue{data.Int64Schema, v}
}

// temporal reads a time. Its colons are delimiters, so it may be five tokens.
func (p *valueParser) temporal(token string) *typedValue {
	position := p.mark()
	rest, complete := "", true
	for range 4 {
		if !p.has() {
			complete = false
			break
		}
		rest += p.take()
	}
	if complete {
		if v := temporalOf(token + rest); v != nil {
			return v
		}
	}
	p.rewind(position)
	return temporalOf(token)
}

// temporalOf reads text of the length of a date, time or timestamp, leniently as
// Java's SimpleDateFormat: the 45th of December is a day of January.
func temporalOf(text string) *typedValue {
	text = asciiDigits(strings.ReplaceAll(text, `\:`, ":"))
	n := func(pattern string) []int { return fields(text, pattern) }
	switch utf8.RuneCountInString(text) {
	case len(timeLayout):
		if f := n("0:0:0.0Z"); f != nil {
			return &typedValue{data.TimeSchema, instant(1970, 1, 1, f)}
		}
	case len(timestampLayout):
		if f := n("0-0-0T0:0:0.0Z"); f != nil {
			return &typedValue{data.TimestampSchema, instant(f[0], f[1], f[2], f[3:])}
		}
	case len(dateLayout):
		if f := n("0-0-0"); f != nil {
			return &typedValue{data.DateSchema, instant(f[0], f[1], f[2], []int{0, 0, 0, 0})}
		}
	}
	return nil
}

// instant is the time of fields that may be out of their range.
func instant(year, month, day int, clock []int) time.Time {
	millis := ((int64(clock[0])*60+int64(clock[1]))*60+int64(clock[2]))*1000 + int64(clock[3])
	return data.FromMillis(javadate.Day(int64(year), int64(month), int64(day))*millisPerDay + millis)
}

// asciiDigits writes the digits of other scripts as 0 to 9: Java's numbers and dates may have them.
func asciiDigits(s string) string {
	return strings.Map(func(r rune) rune {
		if r < utf8.RuneSelf || r > math.MaxUint16 || !unicode.IsDigit(r) {
			return r
		}
		return '0' + digitOf(r)
	}, s)
}

// digitOf is the value of a decimal digit: those of a script stand together, from 0 on.
func digitOf(r rune) rune {
	zero := r
	for r-zero < 9 && unicode.IsDigit(zero-1) {
		zero--
	}
	return r - zero
}

// fields reads numbers at the zeros of a pattern; nil if the text does not follow it.
func fields(text, pattern string) []int {
	var out []int
	for i := range len(pattern) {
		if pattern[i] != '0' {
			if text == "" || text[0] != pattern[i] {
				return nil
			}
			text = text[1:]
			continue
		}
		end := 0
		for end < len(text) && text[end] >= '0' && text[end] <= '9' {
			end++
		}
		n, err := strconv.Atoi(text[:end])
		if err != nil {
			return nil
		}
		out, text = append(out, n), text[end:]
	}
	return out
}
