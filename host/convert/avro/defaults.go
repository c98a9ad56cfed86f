package avro

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tailrace/tailrace/host/convert/javaerr"
	"github.com/tailrace/tailrace/sdk/go/data"
)

// defaultText is the JSON of a default, as Avro has it: bytes are text with one character per byte.
func defaultText(s *data.Schema, v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "null", nil
	case bool:
		return strconv.FormatBool(v), nil
	case int8, int16, int32, int64:
		return fmt.Sprint(v), nil
	case float32, float64:
		text := string(data.AppendJavaText(nil, v))
		if f, ok := v.(float64); ok && (math.IsNaN(f) || math.IsInf(f, 0)) {
			return quote(text), nil
		}
		if f, ok := v.(float32); ok && (f != f || math.IsInf(float64(f), 0)) {
			return quote(text), nil
		}
		return text, nil
	case string:
		return quote(v), nil
	case []byte:
		return quote(latin(v)), nil
	case data.Decimal:
		unscaled := v.Unscaled
		if unscaled == nil {
			unscaled = new(big.Int)
		}
		raw, _, err := data.ReadBytes(data.AppendUnscaled(nil, unscaled))
		return quote(latin(raw)), err
	case time.Time:
		return timeText(s, v)
	case []any:
		list := make([]string, len(v))
		for i, e := range v {
			text, err := defaultText(s.ValueSchema(), e)
			if err != nil {
				return "", err
			}
			list[i] = text
		}
		return jsonList(list), nil
	case *data.Map:
		return mapText(s, v)
	case *data.Struct:
		var o object
		for i, f := range s.Fields() {
			text, err := defaultText(f.Schema, v.At(i))
			if err != nil {
				return "", err
			}
			o.raw(f.Name, text)
		}
		if o.b.Len() == 0 {
			return "{}", nil
		}
		return o.String(), nil
	}
	return "", javaerr.Data("Invalid type used for default value of %s field: %T", s.Type(), v)
}

func jsonList(items []string) string { return "[" + strings.Join(items, ",") + "]" }

func timeText(s *data.Schema, v time.Time) (string, error) {
	var n int64
	var err error
	switch {
	case s.IsDate():
		var days int32
		days, err = data.ToDays(v)
		n = int64(days)
	case s.IsTime():
		var millis int32
		millis, err = data.ToTimeMillis(v)
		n = int64(millis)
	default:
		n, err = data.ToMillis(v)
	}
	return strconv.FormatInt(n, 10), err
}

func mapText(s *data.Schema, m *data.Map) (string, error) {
	var o object
	pairs := []string{}
	for _, e := range m.Entries() {
		value, err := defaultText(s.ValueSchema(), e.Value)
		if err != nil {
			return "", err
		}
		if key, ok := e.Key.(string); ok && s.IsStringKey() {
			o.raw(key, value)
			continue
		}
		key, err := defaultText(s.KeySchema(), e.Key)
		if err != nil {
			return "", err
		}
		pairs = append(pairs, jsonList([]string{key, value}))
	}
	switch {
	case !s.IsStringKey():
		return jsonList(pairs), nil
	case o.b.Len() == 0:
		return "{}", nil
	}
	return o.String(), nil
}

// hasPairs reports whether the text of a value has entries of maps as pairs, which are no records of Avro.
func hasPairs(s *data.Schema, v any) bool {
	switch v := v.(type) {
	case []any:
		return slices.ContainsFunc(v, func(e any) bool { return hasPairs(s.ValueSchema(), e) })
	case *data.Map:
		if v == nil {
			return false
		}
		return slices.ContainsFunc(v.Entries(), func(e data.MapEntry) bool { return !s.IsStringKey() || hasPairs(s.ValueSchema(), e.Value) })
	case *data.Struct:
		for i, f := range s.Fields() {
			if v != nil && hasPairs(f.Schema, v.At(i)) {
				return true
			}
		}
	}
	return false
}

// latin is text with one character per byte.
func latin(b []byte) string {
	runes := make([]rune, len(b))
	for i, c := range b {
		runes[i] = rune(c)
	}
	return string(runes)
}

func fromLatin(text string) []byte {
	out := make([]byte, 0, len(text))
	for _, r := range text {
		if r > 0xff {
			r = '?'
		}
		out = append(out, byte(r))
	}
	return out
}

// defaultValue is the value of a default's JSON; nil is no default. Of a union it is a value of the first type, so null if that
// comes first.
func defaultValue(s *data.Schema, t *typ, v any) (any, error) {
	if v == nil || t.kind == typeNull {
		return nil, nil
	}
	if t.kind == typeUnion && len(t.branches) > 0 {
		first := t.branches[0]
		if s.Type() != data.StructType || s.Name() != unionName && param(s, sumUnion) == "" || first.kind == typeNull {
			return defaultValue(s, first, v)
		}
		return unionDefault(s, first, v)
	}
	bad := func() (any, error) {
		return nil, javaerr.Data("Invalid JSON for the default value of a %s", s)
	}
	switch s.Type() {
	case data.Boolean:
		if b, ok := v.(bool); ok {
			return b, nil
		}
	case data.String:
		if text, ok := v.(string); ok {
			return text, nil
		}
	case data.Bytes:
		text, ok := v.(string)
		if !ok {
			return bad()
		}
		return bytesDefault(s, fromLatin(text))
	case data.Float32, data.Float64:
		return floatDefault(s, v)
	case data.Int8, data.Int16, data.Int32, data.Int64:
		n, ok := v.(json.Number)
		if !ok {
			return bad()
		}
		i, err := n.Int64()
		if err != nil {
			return bad()
		}
		switch {
		case s.IsDate():
			return data.FromDays(int32(i)), nil
		case s.IsTime(), s.IsTimestamp():
			return data.FromMillis(i), nil
		}
		return data.Convert(s, i)
	case data.Array:
		list, ok := v.([]any)
		if !ok {
			return bad()
		}
		out := make([]any, len(list))
		for i, e := range list {
			var err error
			if out[i], err = defaultValue(s.ValueSchema(), t.items, e); err != nil {
				return nil, err
			}
		}
		return out, nil
	case data.MapType:
		return mapDefault(s, t, v)
	case data.StructType:
		if members, ok := v.(map[string]any); ok && len(t.fields) == len(s.Fields()) {
			return structDefault(s, t, members)
		}
	}
	return bad()
}

func bytesDefault(s *data.Schema, raw []byte) (any, error) {
	if _, ok, err := s.IsDecimal(); !ok || err != nil {
		return raw, err
	}
	if len(raw) == 0 {
		return nil, javaerr.Data("Invalid JSON for the default value of a %s: a decimal takes at least one byte", s)
	}
	required, err := s.ToBuilder().SetOptional(false).Build()
	if err != nil {
		return nil, err
	}
	v, _, err := data.ReadValue(required, data.AppendBytes(nil, raw))
	return v, err
}

func floatDefault(s *data.Schema, v any) (any, error) {
	text := ""
	switch v := v.(type) {
	case json.Number:
		text = v.String()
	case string: // Infinity and NaN
		text = v
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return nil, javaerr.Data("Invalid JSON for the default value of a %s", s)
	}
	if s.Type() == data.Float32 {
		return float32(f), nil
	}
	return f, nil
}

func unionDefault(s *data.Schema, first *typ, v any) (any, error) {
	st, err := data.NewStructValue(s)
	if err != nil {
		return nil, err
	}
	e, err := defaultValue(s.Fields()[0].Schema, first, v)
	if err != nil {
		return nil, err
	}
	return st, st.PutAt(0, e)
}

func structDefault(s *data.Schema, t *typ, members map[string]any) (any, error) {
	st, err := data.NewStructValue(s)
	if err != nil {
		return nil, err
	}
	for i, f := range s.Fields() {
		e, err := defaultValue(f.Schema, t.fields[i].typ, members[f.Name])
		if err != nil {
			return nil, err
		}
		if err := st.PutAt(i, e); err != nil {
			return nil, err
		}
	}
	return st, nil
}

// isPairs recognises the default of a map whose entries are records, unless it is empty: AvroData does not take it.
func isPairs(t *typ, v any) bool {
	pairs, ok := v.([]any)
	return ok && len(pairs) > 0 && t.kind == typeArray && t.items.isMapEntry()
}

func pairsDefault(s *data.Schema, t *typ, pairs []any) (any, error) {
	m := data.NewMapValue()
	for _, pair := range pairs {
		parts, ok := pair.([]any)
		if !ok || len(parts) != 2 || t.items == nil || len(t.items.fields) != 2 {
			return nil, javaerr.Data("Invalid JSON for map default value of a %s", s)
		}
		key, err := defaultValue(s.KeySchema(), t.items.fields[0].typ, parts[0])
		if err != nil {
			return nil, err
		}
		value, err := defaultValue(s.ValueSchema(), t.items.fields[1].typ, parts[1])
		if err != nil {
			return nil, err
		}
		m.Put(key, value)
	}
	return m, nil
}

func mapDefault(s *data.Schema, t *typ, v any) (any, error) {
	if pairs, ok := v.([]any); ok {
		return pairsDefault(s, t, pairs)
	}
	members, ok := v.(map[string]any)
	if !ok {
		return nil, javaerr.Data("Invalid JSON for map default value of a %s", s)
	}
	m := data.NewMapValue()
	for key, e := range members {
		value, err := defaultValue(s.ValueSchema(), t.items, e)
		if err != nil {
			return nil, err
		}
		m.Put(key, value)
	}
	return m, nil
}
