package convert

import (
	"bytes"
	"encoding/base64"
	"math"
	"math/big"
	"strconv"

	"github.com/tailrace/tailrace/host/convert/jsonschema"
	"github.com/tailrace/tailrace/sdk/go/data"
)

func (c *jsonConverter) ToConnect(dst []byte, _ string, kafka []byte) (schema *data.Schema, after []byte, err error) {
	if kafka == nil {
		return nil, dst, nil
	}
	b := jsonText(toUTF8(kafka))
	if !c.strict {
		if schema, after, ok := c.onePass(dst, b); ok {
			return schema, after, nil
		}
	}
	return c.carefully(dst, b)
}

// carefully reads any text: it checks all of it, then it walks it.
func (c *jsonConverter) carefully(dst []byte, b jsonText) (schema *data.Schema, after []byte, err error) {
	start := b.space(0)
	if start == len(b) { // Jackson's missing node
		if c.schemas {
			return nil, dst, notAnEnvelope()
		}
		return nil, dst, nil
	}
	end, err := b.value(start, 0)
	if err != nil {
		return nil, dst, notJSON(err)
	}
	if c.strict && b.space(end) < len(b) {
		return nil, dst, damage("there is text behind the first value, which would be ignored")
	}
	if !c.schemas {
		return c.payload(dst, b, nil, start)
	}
	return c.envelope(dst, b, start)
}

func notJSON(err error) error {
	return &Error{
		Class: DataException, Message: "Converting byte[] to Kafka Connect data failed due to serialization error: ",
		Cause: &Error{Class: SerializationException, Message: err.Error()},
	}
}

func notAnEnvelope() error {
	return dataError(`JsonConverter with schemas.enable requires "schema" and "payload" fields and may not contain additional fields.` +
		" If you are trying to deserialize plain JSON data, set schemas.enable=false in your converter configuration.")
}

const (
	schemaLead  = `{"schema":`
	payloadLead = `,"payload":`
)

func (c *jsonConverter) envelope(dst []byte, b jsonText, start int) (*data.Schema, []byte, error) {
	if b[start] != '{' {
		return nil, dst, notAnEnvelope()
	}
	r := jsonReader{c: c, b: b}
	schemaAt, payloadAt, count := -1, -1, 0
	for _, m := range r.members(start) {
		count++
		switch string(m.name) {
		case "schema":
			schemaAt = m.at
		case "payload":
			payloadAt = m.at
		}
	}
	if count != 2 || schemaAt < 0 || payloadAt < 0 {
		return nil, dst, notAnEnvelope()
	}
	schema, err := c.schemaAt(b, schemaAt)
	if err != nil {
		return nil, dst, err
	}
	return c.payload(dst, b, schema, payloadAt)
}

// schemaAt reads the schema at a place, or remembers it from an equal text.
func (c *jsonConverter) schemaAt(b jsonText, at int) (*data.Schema, error) {
	if b[at] == 'n' {
		return nil, nil //nolint:nilnil // no schema
	}
	end := b.end(at)
	text := b[at:end]
	s, ok := c.parsed[string(text)]
	if !ok {
		var err error
		r := jsonReader{c: c, b: b}
		if s, err = r.schema(at); err != nil {
			return nil, err
		}
		if c.parsed == nil || len(c.parsed) >= c.cacheSize {
			c.parsed = make(map[string]*data.Schema)
		}
		c.parsed[string(text)] = s
	}
	if at == len(schemaLead) && bytes.HasPrefix(b, []byte(schemaLead)) && bytes.HasPrefix(b[end:], []byte(payloadLead)) {
		c.lastEnvelopePrefix = append(c.lastEnvelopePrefix[:0], b[:end+len(payloadLead)]...)
		if c.lastPass == nil || c.lastSchema != s {
			c.lastPass = c.newPassPlan(s)
		}
		c.lastSchema = s
	}
	return s, nil
}

func (c *jsonConverter) payload(dst []byte, b jsonText, s *data.Schema, at int) (*data.Schema, []byte, error) {
	r := jsonReader{c: c, b: b}
	if s == nil {
		if b[at] == 'n' {
			return nil, dst, nil
		}
		after, err := r.any(dst, at, 0)
		if err != nil {
			return nil, dst, err
		}
		return nil, after, nil
	}
	if !s.Optional() && r.isNullText(s, at) {
		// Java gives null under a required schema, which the wire cannot say.
		if err := r.wrongLogical(s, at); err != nil {
			return nil, dst, err
		}
		optional, err := s.ToBuilder().Optional().Build()
		if err != nil {
			return nil, dst, err
		}
		return optional, appendNull(dst, optional), nil
	}
	after, err := r.checked(dst, s, at)
	if err != nil {
		return nil, dst, err
	}
	return s, after, nil
}

// jsonReader transcodes accepted text into wire bytes.
type jsonReader struct {
	c    *jsonConverter
	b    jsonText
	lost *lostValue
}

// lostValue is a required value that Java reads as null, such as a number under string, in an array or a map. Java looks
// at what it has read only afterwards, so reading goes on: another error may come first.
type lostValue struct {
	where string // the containers around it, the innermost first
	typ   data.Type
}

func (l *lostValue) in(name string) error {
	return dataError("Invalid value: null used for required %s%s, schema type: %s", l.where, name, l.typ)
}

// checked writes the value at i, and fails if one was lost in it.
func (r *jsonReader) checked(dst []byte, s *data.Schema, i int) ([]byte, error) {
	dst, err := r.value(dst, s, i)
	if err == nil && r.lost != nil {
		err = r.lost.in("value")
	}
	return dst, err
}

// part writes a value of an array or a map.
func (r *jsonReader) part(dst []byte, s *data.Schema, i int, of string) ([]byte, error) {
	before := r.lost
	dst, err := r.value(dst, s, i)
	if before == nil && r.lost != nil {
		r.lost.where += of
	}
	return dst, err
}

// nodeType is Jackson's name for the value at i.
func (r *jsonReader) nodeType(i int) string {
	switch r.b[i] {
	case '{':
		return "OBJECT"
	case '[':
		return "ARRAY"
	case '"':
		return "STRING"
	case 't', 'f':
		return "BOOLEAN"
	case 'n':
		return "NULL"
	}
	return "NUMBER"
}

func (r *jsonReader) isNumber(i int) bool { return r.b[i] == '-' || r.b[i] >= '0' && r.b[i] <= '9' }

// isIntegral reports whether the value at i is a number without point and exponent.
func (r *jsonReader) isIntegral(i int) bool {
	return r.isNumber(i) && !bytes.ContainsAny(r.b[i:r.b.end(i)], ".eE")
}

// isNullText reports the cases in which Java reads null from a value that is
// there: text or bytes wanted, something else found.
func (r *jsonReader) isNullText(s *data.Schema, i int) bool {
	k := kindOf(s)
	return (k == kindString || k == kindBytes) && r.b[i] != '"' && r.b[i] != 'n'
}

// null writes what a null or missing value of a schema becomes.
func (r *jsonReader) null(dst []byte, s *data.Schema) ([]byte, error) {
	if _, ok := s.Default(); ok && r.c.nullTakesDefault {
		dst, _ = s.AppendDefault(data.AppendPresence(dst, s, true))
		return dst, nil
	}
	if s.Optional() {
		return data.AppendPresence(dst, s, false), nil
	}
	return dst, dataError("Invalid null value for required %s field", s.Type())
}

// wrongLogical: a schema of another type that has the name of a logical one is
// only a label here; Java goes by the name and refuses what is under it.
func (r *jsonReader) wrongLogical(s *data.Schema, i int) error {
	if !s.HasName() || r.b[i] == 'n' {
		return nil
	}
	switch k := kindOf(s); s.Name() {
	case data.TimestampName:
		if k != kindTimestamp {
			if err := r.timestampIn(i); err != nil {
				return err
			}
			return notContainer(s, "java.util.Date")
		}
	case data.DateName, data.TimeName:
		if k != kindDate && k != kindTime {
			if _, err := r.dayOrTimeIn(s.Name()[len("org.apache.kafka.connect.data."):], i); err != nil {
				return err
			}
			return notContainer(s, "java.util.Date")
		}
	case data.DecimalName:
		if k == kindDecimal {
			return nil
		}
		if r.isNumber(i) {
			return notContainer(s, "java.math.BigDecimal")
		}
		if r.b[i] != '"' {
			return r.noDecimal(i)
		}
		if _, err := r.unscaledIn(i); err != nil {
			return err
		}
		scale, _ := s.Parameter("scale")
		if _, err := strconv.ParseInt(scale, 10, 32); err != nil {
			return &Error{Class: DataException, Message: "Invalid bytes for Decimal field", Cause: err}
		}
		return notContainer(s, "java.math.BigDecimal")
	}
	return nil
}

// notContainer is what Java says when it finds a value of a logical type where its schema is one of structs, arrays or maps.
func notContainer(s *data.Schema, class string) error {
	const bootstrap = "in module java.base of loader 'bootstrap'"
	var to, where string
	switch s.Type() {
	case data.StructType:
		to = "org.apache.kafka.connect.data.Struct"
		where = class + " is " + bootstrap + "; " + to + " is in unnamed module of loader 'app'"
	case data.Array, data.MapType:
		to = "java.util.List"
		if s.Type() == data.MapType {
			to = "java.util.Map"
		}
		where = class + " and " + to + " are " + bootstrap
	default:
		return nil
	}
	return &Error{Class: "java.lang.ClassCastException", Message: "class " + class + " cannot be cast to class " + to + " (" + where + ")"}
}

// value writes the value at i.
func (r *jsonReader) value(dst []byte, s *data.Schema, i int) ([]byte, error) {
	if s == nil {
		return r.any(dst, i, 0)
	}
	if r.b[i] == 'n' {
		return r.null(dst, s)
	}
	if err := r.wrongLogical(s, i); err != nil {
		return dst, err
	}
	if r.c.strict {
		if err := r.strict(s, i); err != nil {
			return dst, err
		}
	}
	if r.isNullText(s, i) {
		if s.Optional() {
			return data.AppendPresence(dst, s, false), nil
		}
		if r.lost == nil {
			r.lost = &lostValue{typ: s.Type()}
		}
		return data.AppendBytes(data.AppendPresence(dst, s, true), nil), nil
	}
	dst = data.AppendPresence(dst, s, true)
	switch kindOf(s) {
	case kindInt8:
		return data.AppendLong(dst, int64(int8(r.integer(i)))), nil
	case kindInt16:
		return data.AppendLong(dst, int64(int16(r.integer(i)))), nil
	case kindInt32:
		return data.AppendLong(dst, int64(int32(r.integer(i)))), nil
	case kindInt64:
		return data.AppendLong(dst, r.integer(i)), nil
	case kindFloat32:
		return data.AppendFloat(dst, float32(r.float(i, 32))), nil
	case kindFloat64:
		return data.AppendDouble(dst, r.float(i, 64)), nil
	case kindBoolean:
		return data.AppendBool(dst, r.b[i] == 't'), nil
	case kindString:
		return r.text(dst, i), nil
	case kindBytes:
		raw, err := r.base64(i)
		if err != nil {
			return dst, &Error{Class: DataException, Message: "Invalid bytes field", Cause: err}
		}
		return data.AppendBytes(dst, raw), nil
	case kindArray:
		return r.array(dst, s, i)
	case kindMap:
		return r.mapping(dst, s, i)
	case kindStruct:
		if r.c.byRegistry && jsonschema.IsUnion(s) {
			return r.union(dst, s, i)
		}
		return r.structure(dst, s, i)
	case kindDecimal:
		return r.decimal(dst, s, i)
	case kindTimestamp:
		return data.AppendLong(dst, r.integer(i)), r.timestampIn(i)
	case kindDate:
		return r.dayOrTime(dst, "Date", i)
	default:
		return r.dayOrTime(dst, "Time", i)
	}
}

const millisPerDay = 24 * 60 * 60 * 1000

func (r *jsonReader) timestampIn(i int) error {
	if !r.isIntegral(i) {
		return dataError("Invalid type for Timestamp, underlying representation should be integral but was %s", r.nodeType(i))
	}
	return nil
}

func (r *jsonReader) dayOrTime(dst []byte, name string, i int) ([]byte, error) {
	v, err := r.dayOrTimeIn(name, i)
	if err != nil {
		return dst, err
	}
	return data.AppendLong(dst, v), nil
}

func (r *jsonReader) dayOrTimeIn(name string, i int) (int64, error) {
	v, err := strconv.ParseInt(string(r.b[i:r.b.end(i)]), 10, 32)
	if err != nil {
		return 0, dataError("Invalid type for %s, underlying representation should be integer but was %s", name, r.nodeType(i))
	}
	if name == "Time" && (v < 0 || v > millisPerDay) {
		return 0, dataError("Time values must use number of milliseconds greater than 0 and less than 86400000")
	}
	return v, nil
}

// integer is Java's longValue of a number: what does not fit wraps around, a
// fraction is cut off, and what is not a number is 0.
func (r *jsonReader) integer(i int) int64 {
	if !r.isNumber(i) {
		return 0
	}
	text := r.b[i:r.b.end(i)]
	var n uint64
	negative := false
	for j, c := range text {
		switch {
		case c >= '0' && c <= '9':
			n = n*10 + uint64(c-'0')
		case c == '-' && j == 0:
			negative = true
		default:
			return truncated(string(text))
		}
	}
	if negative {
		n = -n
	}
	return int64(n)
}

func truncated(text string) int64 {
	d, err := data.ParseDecimal(text)
	if err != nil || d.Scale <= -64 { // a multiple of 2^64
		return 0
	}
	v := new(big.Int)
	switch {
	case d.Scale > maxJSONNumberChars: // less than one
		return 0
	case d.Scale > 0:
		v.Quo(d.Unscaled, pow10(d.Scale))
	default:
		v.Mul(d.Unscaled, pow10(-d.Scale))
	}
	low := new(big.Int).And(v, new(big.Int).SetUint64(math.MaxUint64)) // two's complement, also below zero
	return int64(low.Uint64())
}

func pow10(n int32) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil) }

// float is Java's doubleValue (or floatValue) of a number; 0 for anything else.
func (r *jsonReader) float(i, bits int) float64 {
	if !r.isNumber(i) {
		return 0
	}
	text := r.b[i:r.b.end(i)]
	f, _ := strconv.ParseFloat(string(text), bits) // out of range is infinite, as in Java
	if f == 0 && !bytes.ContainsAny(mantissa(text), "123456789") {
		return 0 // a BigDecimal has no negative zero
	}
	return f
}

func mantissa(text []byte) []byte {
	if i := bytes.IndexAny(text, "eE"); i >= 0 {
		return text[:i]
	}
	return text
}

// text writes the string at i.
func (r *jsonReader) text(dst []byte, i int) []byte {
	text, _ := r.b.unquote(i)
	return data.AppendBytes(dst, text)
}

// base64 decodes the string at i.
func (r *jsonReader) base64(i int) ([]byte, error) {
	text, _ := r.b.unquote(i)
	return decodeBase64(text)
}

// decodeBase64 reads what Jackson reads: white space between groups of four, and groups behind a padded one.
func decodeBase64(text []byte) ([]byte, error) {
	out, err := base64.StdEncoding.AppendDecode(nil, text)
	if err == nil && bytes.IndexByte(text, '\n') < 0 && bytes.IndexByte(text, '\r') < 0 {
		return out, nil
	}
	for out = out[:0]; ; text = text[4:] {
		for len(text) > 0 && text[0] <= ' ' {
			text = text[1:]
		}
		if len(text) == 0 {
			return out, nil
		}
		if len(text) < 4 || bytes.ContainsAny(text[:4], "\r\n") {
			return nil, base64.CorruptInputError(len(out))
		}
		if out, err = base64.StdEncoding.AppendDecode(out, text[:4]); err != nil {
			return nil, err
		}
	}
}

func (r *jsonReader) decimal(dst []byte, s *data.Schema, i int) ([]byte, error) {
	scale, _, err := s.IsDecimal()
	switch {
	case !r.isNumber(i) && r.b[i] != '"':
		return dst, r.noDecimal(i)
	case err != nil:
		return dst, &Error{Class: DataException, Message: "Invalid bytes for Decimal field", Cause: &Error{Class: DataException, Message: err.Error()}}
	}
	if r.isNumber(i) {
		d, err := data.ParseDecimal(string(r.b[i:r.b.end(i)]))
		if err == nil {
			d, err = rescale(d, scale)
		}
		if err != nil {
			return dst, err
		}
		return data.AppendUnscaled(dst, d.Unscaled), nil
	}
	raw, err := r.unscaledIn(i)
	if err != nil {
		return dst, err
	}
	return data.AppendBytes(dst, raw), nil
}

func (r *jsonReader) noDecimal(i int) error {
	return dataError("Invalid type for Decimal, underlying representation should be numeric or bytes but was %s", r.nodeType(i))
}

// unscaledIn decodes the unscaled value of a decimal that is text.
func (r *jsonReader) unscaledIn(i int) ([]byte, error) {
	raw, err := r.base64(i)
	if err == nil && len(raw) == 0 {
		err = &Error{Class: "java.lang.NumberFormatException", Message: "Zero length BigInteger"}
	}
	if err != nil {
		return nil, &Error{Class: DataException, Message: "Invalid bytes for Decimal field", Cause: err}
	}
	return raw, nil
}

// rescale gives a decimal the scale of its schema, if that loses no digit. Java
// hands on a number of another scale, which the wire form cannot.
func rescale(d data.Decimal, scale int32) (data.Decimal, error) {
	diff := int64(scale) - int64(d.Scale)
	switch {
	case diff == 0:
		return d, nil
	case diff > 0 && diff <= maxJSONNumberChars:
		return data.Decimal{Unscaled: new(big.Int).Mul(d.Unscaled, pow10(int32(diff))), Scale: scale}, nil
	case diff < 0 && diff >= -maxJSONNumberChars:
		q, rest := new(big.Int).QuoRem(d.Unscaled, pow10(int32(-diff)), new(big.Int))
		if rest.Sign() == 0 {
			return data.Decimal{Unscaled: q, Scale: scale}, nil
		}
	}
	return d, dataError("Decimal value has mismatching scale for given Decimal schema. Schema has scale %d, value has scale %d.", scale, d.Scale)
}

// any writes a value without a schema.
func (r *jsonReader) any(dst []byte, i, depth int) (_ []byte, err error) {
	if depth > data.MaxSchemalessDepth {
		return dst, dataError("JSON without a schema is nested deeper than %d levels", data.MaxSchemalessDepth)
	}
	switch r.b[i] {
	case 'n':
		return data.AppendLong(dst, data.AnyNull), nil
	case 't', 'f':
		return data.AppendBool(data.AppendLong(dst, data.AnyBoolean), r.b[i] == 't'), nil
	case '"':
		return r.text(data.AppendLong(dst, data.AnyString), i), nil
	case '[':
		dst = data.AppendLong(dst, data.AnyArray)
		start, n := len(dst), 0
		for i = r.b.space(i + 1); r.b[i] != ']'; n++ {
			if dst, err = r.any(dst, i, depth+1); err != nil {
				return dst, err
			}
			if i = r.b.space(r.b.end(i)); r.b[i] == ',' {
				i = r.b.space(i + 1)
			}
		}
		return closeBlock(dst, start, n), nil
	case '{':
		list := r.members(i)
		dst = data.AppendBlockStart(data.AppendLong(dst, data.AnyMap), len(list))
		for _, m := range list {
			if dst, err = r.any(data.AppendBytes(dst, m.name), m.at, depth+1); err != nil {
				return dst, err
			}
		}
		return data.AppendBlockEnd(dst), nil
	}
	if r.c.strict {
		if err := r.strictNumber(i, 64); err != nil {
			return dst, err
		}
	}
	if r.isIntegral(i) {
		return data.AppendLong(data.AppendLong(dst, data.AnyInt64), r.integer(i)), nil
	}
	return data.AppendDouble(data.AppendLong(dst, data.AnyFloat64), r.float(i, 64)), nil
}
