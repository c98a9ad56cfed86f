package convert

import (
	"encoding/base64"
	"fmt"
	"math/big"
	"strconv"
	"unicode/utf8"

	"github.com/tailrace/tailrace/host/convert/jsonschema"
	"github.com/tailrace/tailrace/sdk/go/data"
)

// jsonPlan is a schema prepared for writing, made once: the names are quoted,
// the kinds decided.
type jsonPlan struct {
	schema   *data.Schema
	kind     kind
	scale    int32
	optional bool
	// null is what a null becomes: "null", or the default's JSON.
	null []byte
	// objectMode: the map is a JSON object; otherwise an array of pairs.
	objectMode bool
	// union: the struct stands for its only field with a value; entries: the pairs of a map are
	// objects with a key and a value. Both only with a schema registry.
	union, entries bool
	key, value     *jsonPlan // nil where there is no schema
	names          [][]byte  // `"name":` with the comma before it, for the fields
	fields         []*jsonPlan
	envelope       []byte // of the top: {"schema":…,"payload":
}

func newJSONPlan(s *data.Schema) *jsonPlan {
	if s == nil {
		return nil
	}
	p := &jsonPlan{schema: s, kind: kindOf(s), optional: s.Optional()}
	p.scale, _, _ = s.IsDecimal()
	switch p.kind {
	case kindArray:
		p.value = newJSONPlan(s.ValueSchema())
	case kindMap:
		p.objectMode = s.KeySchema() == nil || s.KeySchema().Type() == data.String
		p.key, p.value = newJSONPlan(s.KeySchema()), newJSONPlan(s.ValueSchema())
	case kindStruct:
		for i, f := range s.Fields() {
			var name []byte
			if i > 0 {
				name = append(name, ',')
			}
			name = append(appendJSONString(name, []byte(f.Name)), ':')
			p.names = append(p.names, name)
			p.fields = append(p.fields, newJSONPlan(f.Schema))
		}
	}
	return p
}

// planDefaults decides what nulls become, from the inside out.
func (c *jsonConverter) planDefaults(p *jsonPlan) error {
	if p == nil {
		return nil
	}
	for _, part := range append([]*jsonPlan{p.key, p.value}, p.fields...) {
		if err := c.planDefaults(part); err != nil {
			return err
		}
	}
	if c.byRegistry {
		p.union, p.entries = jsonschema.IsUnion(p.schema), true
		p.objectMode = p.schema.IsStringKey()
	}
	if !p.optional {
		return nil
	}
	p.null = []byte("null")
	if !c.nullTakesDefault {
		return nil
	}
	text, ok, err := c.appendDefault(nil, p)
	if err != nil || !ok {
		return err
	}
	p.null = text
	return nil
}

// appendDefault writes the default of a schema as JSON, if there is one.
func (c *jsonConverter) appendDefault(dst []byte, p *jsonPlan) ([]byte, bool, error) {
	wire, ok := p.schema.AppendDefault(nil)
	if !ok {
		return dst, false, nil
	}
	w := jsonWriter{c: c, b: wire}
	dst, err := w.body(dst, p)
	return dst, true, err
}

// appendSchema writes Kafka Connect's JSON of a schema; field is the name of the
// struct field it describes, nil for none.
func (c *jsonConverter) appendSchema(dst []byte, s *data.Schema, field *string) (_ []byte, err error) {
	if s == nil {
		return append(dst, "null"...), nil
	}
	dst = append(append(append(dst, `{"type":"`...), jsonTypes[s.Type()]...), '"')
	switch s.Type() {
	case data.Array:
		if dst, err = c.appendSchema(append(dst, `,"items":`...), s.ValueSchema(), nil); err != nil {
			return nil, err
		}
	case data.MapType:
		if dst, err = c.appendSchema(append(dst, `,"keys":`...), s.KeySchema(), nil); err != nil {
			return nil, err
		}
		if dst, err = c.appendSchema(append(dst, `,"values":`...), s.ValueSchema(), nil); err != nil {
			return nil, err
		}
	case data.StructType:
		dst = append(dst, `,"fields":[`...)
		for i, f := range s.Fields() {
			if i > 0 {
				dst = append(dst, ',')
			}
			if dst, err = c.appendSchema(dst, f.Schema, &f.Name); err != nil {
				return nil, err
			}
		}
		dst = append(dst, ']')
	}
	dst = strconv.AppendBool(append(dst, `,"optional":`...), s.Optional())
	if s.HasName() {
		dst = appendJSONString(append(dst, `,"name":`...), []byte(s.Name()))
	}
	if v, ok := s.Version(); ok {
		dst = strconv.AppendInt(append(dst, `,"version":`...), int64(v), 10)
	}
	if s.HasDoc() {
		dst = appendJSONString(append(dst, `,"doc":`...), []byte(s.Doc()))
	}
	for i, kv := range s.Parameters() {
		lead := `,"parameters":{`
		if i > 0 {
			lead = ","
		}
		dst = append(appendJSONString(append(dst, lead...), []byte(kv.Key)), ':')
		dst = appendJSONString(dst, []byte(kv.Value))
	}
	if len(s.Parameters()) > 0 {
		dst = append(dst, '}')
	}
	if _, ok := s.Default(); ok {
		p := newJSONPlan(s)
		if err := c.planDefaults(p); err != nil {
			return nil, err
		}
		if dst, _, err = c.appendDefault(append(dst, `,"default":`...), p); err != nil {
			return nil, err
		}
	}
	if field != nil {
		dst = appendJSONString(append(dst, `,"field":`...), []byte(*field))
	}
	return append(dst, '}'), nil
}

var jsonTypes = [...]string{
	data.Int8: "int8", data.Int16: "int16", data.Int32: "int32", data.Int64: "int64", data.Float32: "float", data.Float64: "double",
	data.Boolean: "boolean", data.String: "string", data.Bytes: "bytes", data.Array: "array", data.MapType: "map", data.StructType: "struct",
}

// jsonWriter transcodes the wire bytes b, from its front.
type jsonWriter struct {
	c *jsonConverter
	b []byte
}

func (w *jsonWriter) value(dst []byte, p *jsonPlan) ([]byte, error) {
	if p == nil {
		return w.any(dst, 0)
	}
	if p.optional {
		present, rest, err := data.ReadPresence(p.schema, w.b)
		if err != nil {
			return dst, malformed(p.schema, err)
		}
		w.b = rest
		if !present {
			return append(dst, p.null...), nil
		}
	}
	return w.body(dst, p)
}

func (w *jsonWriter) body(dst []byte, p *jsonPlan) ([]byte, error) {
	switch p.kind {
	case kindArray:
		return w.array(dst, p)
	case kindMap:
		return w.mapping(dst, p)
	case kindStruct:
		if p.union {
			return w.union(dst, p)
		}
		dst = append(dst, '{')
		var err error
		for i, f := range p.fields {
			if dst, err = w.value(append(dst, p.names[i]...), f); err != nil {
				return dst, err
			}
		}
		return append(dst, '}'), nil
	}
	dst, err := w.scalar(dst, p.kind, p.scale)
	if err != nil {
		return dst, malformed(p.schema, err)
	}
	return dst, nil
}

func (w *jsonWriter) scalar(dst []byte, k kind, scale int32) (_ []byte, err error) {
	switch k {
	case kindInt8, kindInt16, kindInt32, kindInt64, kindDate, kindTime, kindTimestamp:
		var v int64
		if v, w.b, err = data.ReadLong(w.b); err != nil {
			return dst, err
		}
		return strconv.AppendInt(dst, v, 10), nil
	case kindBoolean:
		var v bool
		if v, w.b, err = data.ReadBool(w.b); err != nil {
			return dst, err
		}
		return strconv.AppendBool(dst, v), nil
	case kindFloat32:
		var v float32
		if v, w.b, err = data.ReadFloat(w.b); err != nil {
			return dst, err
		}
		return appendJSONFloat(dst, float64(v), 32), nil
	case kindFloat64:
		var v float64
		if v, w.b, err = data.ReadDouble(w.b); err != nil {
			return dst, err
		}
		return appendJSONFloat(dst, v, 64), nil
	}
	raw, rest, err := data.ReadBytes(w.b)
	if err != nil {
		return dst, err
	}
	w.b = rest
	switch {
	case k == kindString:
		return appendJSONString(dst, raw), nil
	case k == kindDecimal && w.c.numeric:
		if len(raw) == 0 {
			return dst, &data.Error{Offset: -1, Reason: "a Decimal takes at least one byte"}
		}
		return append(dst, data.Decimal{Unscaled: twosComplement(raw), Scale: scale}.String()...), nil
	}
	dst = append(dst, '"')
	dst = base64.StdEncoding.AppendEncode(dst, raw)
	return append(dst, '"'), nil
}

func twosComplement(b []byte) *big.Int {
	v := new(big.Int).SetBytes(b)
	if b[0] >= 0x80 {
		v.Sub(v, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	return v
}

func (w *jsonWriter) array(dst []byte, p *jsonPlan) ([]byte, error) {
	dst = append(dst, '[')
	first := true
	for {
		n, rest, err := data.ReadBlock(w.b, p.schema.ValueSchema().MinSize())
		if err != nil {
			return dst, malformed(p.schema, err)
		}
		w.b = rest
		if n == 0 {
			return append(dst, ']'), nil
		}
		for range n {
			if !first {
				dst = append(dst, ',')
			}
			first = false
			if dst, err = w.value(dst, p.value); err != nil {
				return dst, err
			}
		}
	}
}

func (w *jsonWriter) mapping(dst []byte, p *jsonPlan) ([]byte, error) {
	begin, end := byte('['), byte(']')
	if p.objectMode {
		begin, end = '{', '}'
	}
	dst = append(dst, begin)
	first := true
	minSize := p.schema.KeySchema().MinSize() + p.schema.ValueSchema().MinSize()
	for {
		n, rest, err := data.ReadBlock(w.b, minSize)
		if err != nil {
			return dst, malformed(p.schema, err)
		}
		w.b = rest
		if n == 0 {
			return append(dst, end), nil
		}
		for range n {
			if !first {
				dst = append(dst, ',')
			}
			first = false
			if p.objectMode {
				dst, err = w.objectEntry(dst, p)
			} else {
				dst, err = w.pair(dst, p)
			}
			if err != nil {
				return dst, err
			}
		}
	}
}

// objectEntry writes a map's entry as a member. A key that is not text (a null
// of an optional string) becomes its text, as Jackson's asText has it.
func (w *jsonWriter) objectEntry(dst []byte, p *jsonPlan) ([]byte, error) {
	mark := len(dst)
	dst, err := w.value(dst, p.key)
	if err != nil {
		return dst, err
	}
	if dst[mark] != '"' {
		text := append([]byte(nil), dst[mark:]...)
		dst = append(append(append(dst[:mark], '"'), text...), '"')
	}
	return w.value(append(dst, ':'), p.value)
}

func (w *jsonWriter) pair(dst []byte, p *jsonPlan) ([]byte, error) {
	before, between, after := "[", ",", "]"
	if p.entries {
		before, between, after = `{"key":`, `,"value":`, "}"
	}
	dst, err := w.value(append(dst, before...), p.key)
	if err != nil {
		return dst, err
	}
	if dst, err = w.value(append(dst, between...), p.value); err != nil {
		return dst, err
	}
	return append(dst, after...), nil
}

// union writes the first field that is not null; all others are passed over.
func (w *jsonWriter) union(dst []byte, p *jsonPlan) (_ []byte, err error) {
	written := false
	for _, f := range p.fields {
		mark := len(dst)
		null := false
		if f.optional {
			present, _, err := data.ReadPresence(f.schema, w.b)
			if err != nil {
				return dst, malformed(f.schema, err)
			}
			null = !present && string(f.null) == "null"
		}
		if dst, err = w.value(dst, f); err != nil {
			return dst, err
		}
		if null || written {
			dst = dst[:mark]
		} else {
			written = true
		}
	}
	switch {
	case written:
		return dst, nil
	case p.optional:
		return append(dst, p.null...), nil
	}
	return dst, dataError("no field of the union %s has a value", p.schema)
}

// any writes a value without a schema.
func (w *jsonWriter) any(dst []byte, depth int) ([]byte, error) {
	if depth > data.MaxSchemalessDepth {
		return dst, malformed(nil, fmt.Errorf("nested deeper than %d levels", data.MaxSchemalessDepth))
	}
	k, body, err := open(nil, w.b)
	if err != nil {
		return dst, err
	}
	w.b = body
	switch k {
	case kindNull:
		return append(dst, "null"...), nil
	case kindDecimal, kindTimestamp:
		return dst, dataError("Java class %s does not have corresponding schema type.", k.javaClass())
	case kindArray, kindMap, kindPairs:
		return w.anyItems(dst, k, depth)
	}
	if dst, err = w.scalar(dst, k, 0); err != nil {
		return dst, malformed(nil, err)
	}
	return dst, nil
}

func (w *jsonWriter) anyItems(dst []byte, k kind, depth int) ([]byte, error) {
	begin, end, minSize := byte('['), byte(']'), 1
	if k != kindArray {
		minSize = 2
	}
	if k == kindMap {
		begin, end = '{', '}'
	}
	dst = append(dst, begin)
	first := true
	for {
		n, rest, err := data.ReadBlock(w.b, minSize)
		if err != nil {
			return dst, malformed(nil, err)
		}
		w.b = rest
		if n == 0 {
			return append(dst, end), nil
		}
		for range n {
			if !first {
				dst = append(dst, ',')
			}
			first = false
			switch k {
			case kindMap:
				if dst, err = w.scalar(dst, kindString, 0); err != nil {
					return dst, malformed(nil, err)
				}
				dst = append(dst, ':')
			case kindPairs:
				if dst, err = w.any(append(dst, '['), depth+1); err != nil {
					return dst, err
				}
				dst = append(dst, ',')
			}
			if dst, err = w.any(dst, depth+1); err != nil {
				return dst, err
			}
			if k == kindPairs {
				dst = append(dst, ']')
			}
		}
	}
}

// appendJSONFloat writes Java's text; what is not a number goes in quotes.
func appendJSONFloat(dst []byte, f float64, bits int) []byte {
	if f-f != 0 { // NaN or infinite
		return append(data.AppendJavaFloat(append(dst, '"'), f, bits), '"')
	}
	return data.AppendJavaFloat(dst, f, bits)
}

// plainJSON marks the ASCII bytes that stand for themselves in a JSON string.
var plainJSON = func() (t [256]bool) {
	for c := 0x20; c < 0x80; c++ {
		t[c] = c != '"' && c != '\\'
	}
	return t
}()

const upperHex = "0123456789ABCDEF"

// appendJSONString quotes text as Jackson does: control characters escaped,
// characters beyond the basic plane as two \u escapes, all others as UTF-8.
func appendJSONString(dst, text []byte) []byte {
	dst = append(dst, '"')
	from := 0
	for i := 0; i < len(text); {
		c := text[i]
		if plainJSON[c] {
			i++
			continue
		}
		if c < 0x80 {
			dst = append(dst, text[from:i]...)
			dst = appendEscape(dst, c)
			i++
			from = i
			continue
		}
		r, size := utf8.DecodeRune(text[i:])
		if size > 1 && r < 0x10000 {
			i += size
			continue
		}
		dst = append(dst, text[from:i]...)
		switch {
		case size > 1:
			r -= 0x10000
			dst = appendUnit(appendUnit(dst, 0xd800+uint16(r>>10)), 0xdc00+uint16(r&0x3ff))
		case isSurrogate(text[i:]): // half a character, kept as three bytes (see jsonread.go)
			size = 3
			dst = appendUnit(dst, 0xd000|uint16(text[i+1]&0x3f)<<6|uint16(text[i+2]&0x3f))
		default:
			dst = append(dst, "\uFFFD"...) // JSON text is UTF-8
		}
		i += size
		from = i
	}
	return append(append(dst, text[from:]...), '"')
}

// isSurrogate reports whether b starts with a lone surrogate in UTF-8's manner.
func isSurrogate(b []byte) bool {
	return len(b) >= 3 && b[0] == 0xed && b[1] >= 0xa0 && b[1] <= 0xbf && b[2] >= 0x80 && b[2] <= 0xbf
}

func appendEscape(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\b':
		return append(dst, '\\', 'b')
	case '\t':
		return append(dst, '\\', 't')
	case '\n':
		return append(dst, '\\', 'n')
	case '\f':
		return append(dst, '\\', 'f')
	case '\r':
		return append(dst, '\\', 'r')
	}
	return appendUnit(dst, uint16(c))
}

func appendUnit(dst []byte, u uint16) []byte {
	return append(dst, '\\', 'u', upperHex[u>>12], upperHex[u>>8&15], upperHex[u>>4&15], upperHex[u&15])
}
