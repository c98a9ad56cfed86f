package data

import (
	"cmp"
	"fmt"
	"math"
	"reflect"
	"slices"
	"time"
)

// Convert turns common Go values into values of the model, without losing anything: Go integers of any kind become the
// schema's integer if they fit, integers and floats become a float that is exactly equal, slices become []any, Go maps
// become a *Map in the order of their keys, pointers are followed (nil is null), named types become their plain types.
// With a nil schema integers become the smallest Connect integer that holds every value of their Go type, and int and
// uint become int64. A value that fits already is returned as it is. Other values are an error.
func Convert(s *Schema, v any) (any, error) { return convert(s, v, 0) }

func convert(s *Schema, v any, depth int) (any, error) {
	if isNull(v) {
		return nil, nil
	}
	if depth > MaxSchemaDepth { // a slice may contain itself
		return nil, badValue(s, nil, fmt.Sprintf("nested deeper than %d levels", MaxSchemaDepth))
	}
	switch v := v.(type) {
	case Decimal, time.Time, *Struct, *Map, []byte, bool, string, int8, int16, int32, int64, float32, float64:
		if s == nil || s.logical != logicalNone || !s.typ.numeric() {
			return v, nil
		}
		if isTypeOf(s, v) {
			return v, nil
		}
	}
	r := reflect.ValueOf(v)
	switch {
	case r.Kind() == reflect.Pointer:
		if r.IsNil() {
			return nil, nil
		}
		return convert(s, r.Elem().Interface(), depth+1)
	case r.CanInt():
		return convertInt(s, v, r.Int(), r.Kind())
	case r.CanUint():
		if r.Uint() > math.MaxInt64 {
			return nil, badValue(s, v, fmt.Sprintf("%T value does not fit INT64", v))
		}
		return convertInt(s, v, int64(r.Uint()), r.Kind())
	case r.CanFloat():
		return convertFloat(s, v, r.Float(), r.Kind())
	case r.Kind() == reflect.String:
		return r.String(), nil
	case r.Kind() == reflect.Bool:
		return r.Bool(), nil
	case r.Kind() == reflect.Slice && r.Type().Elem().Kind() == reflect.Uint8:
		return r.Bytes(), nil
	case r.Kind() == reflect.Slice:
		return convertSlice(s, r, depth)
	case r.Kind() == reflect.Map:
		return convertMap(s, r, depth)
	}
	if s == nil {
		return nil, notSchemaless(v)
	}
	return nil, wrongType(s, v)
}

func (t Type) numeric() bool { return t >= Int8 && t <= Float64 }

func convertInt(s *Schema, v any, n int64, kind reflect.Kind) (any, error) {
	target := Int64
	if s != nil {
		target = s.typ
		if s.logical != logicalNone || !target.numeric() {
			return nil, wrongType(s, v)
		}
	} else {
		switch kind {
		case reflect.Int8:
			target = Int8
		case reflect.Int16, reflect.Uint8:
			target = Int16
		case reflect.Int32, reflect.Uint16:
			target = Int32
		}
	}
	switch {
	case target == Int8 && int64(int8(n)) == n:
		return int8(n), nil
	case target == Int16 && int64(int16(n)) == n:
		return int16(n), nil
	case target == Int32 && int64(int32(n)) == n:
		return int32(n), nil
	case target == Int64:
		return n, nil
	case target == Float32 && n >= -1<<24 && n <= 1<<24:
		return float32(n), nil
	case target == Float64 && n >= -1<<53 && n <= 1<<53:
		return float64(n), nil
	}
	return nil, badValue(s, v, fmt.Sprintf("the %T value does not fit %s", v, target))
}

func convertFloat(s *Schema, v any, f float64, kind reflect.Kind) (any, error) {
	switch {
	case s == nil && kind == reflect.Float32, s != nil && s.typ == Float32 && float64(float32(f)) == f:
		return float32(f), nil
	case s == nil, s.typ == Float64:
		return f, nil
	case s.typ == Float32:
		return nil, badValue(s, v, "the float64 value has no equal FLOAT32: give a float32")
	}
	return nil, wrongType(s, v)
}

func convertSlice(s *Schema, r reflect.Value, depth int) (any, error) {
	var element *Schema
	if s != nil {
		if s.typ != Array {
			return nil, wrongType(s, r.Interface())
		}
		element = s.value
	}
	list := make([]any, r.Len())
	for i := range list {
		v, err := convert(element, r.Index(i).Interface(), depth+1)
		if err != nil {
			return nil, underIndex(err, i)
		}
		list[i] = v
	}
	return list, nil
}

func convertMap(s *Schema, r reflect.Value, depth int) (any, error) {
	var key, value *Schema
	if s != nil {
		if s.typ != MapType {
			return nil, wrongType(s, r.Interface())
		}
		key, value = s.key, s.value
	}
	m := &Map{entries: make([]MapEntry, 0, r.Len())}
	for it := r.MapRange(); it.Next(); {
		k, err := convert(key, it.Key().Interface(), depth+1)
		if err != nil {
			return nil, underKey(err, it.Key().Interface(), m.Len())
		}
		v, err := convert(value, it.Value().Interface(), depth+1)
		if err != nil {
			return nil, underKey(err, k, m.Len())
		}
		m.entries = append(m.entries, MapEntry{k, v})
	}
	// Go's map order changes from run to run; a record should not.
	slices.SortFunc(m.entries, func(a, b MapEntry) int { return compareKeys(a.Key, b.Key) })
	if len(m.entries) >= indexFrom {
		m.reindex()
	}
	return m, nil
}

func compareKeys(a, b any) int {
	switch a := a.(type) {
	case int64:
		if b, ok := b.(int64); ok {
			return cmp.Compare(a, b)
		}
	case int32:
		if b, ok := b.(int32); ok {
			return cmp.Compare(a, b)
		}
	}
	return cmp.Compare(identity(a), identity(b))
}
