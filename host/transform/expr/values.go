package expr

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"strconv"
	"time"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"

	"github.com/tailrace/tailrace/sdk/go/data"
)

// adapter turns values of the data model into CEL's.
type adapter struct{}

func (adapter) NativeToValue(v any) ref.Val { return toCEL(v) }

func toCEL(v any) ref.Val {
	switch v := v.(type) {
	case nil:
		return types.NullValue
	case ref.Val:
		return v
	case bool:
		return types.Bool(v)
	case int8:
		return types.Int(v)
	case int16:
		return types.Int(v)
	case int32:
		return types.Int(v)
	case int64:
		return types.Int(v)
	case float32:
		return types.Double(v)
	case float64:
		return types.Double(v)
	case string:
		return types.String(v)
	case []byte:
		return types.Bytes(v)
	case time.Time:
		return types.Timestamp{Time: v.UTC()}
	case data.Decimal:
		f, err := strconv.ParseFloat(v.String(), 64)
		if err != nil && !errors.Is(err, strconv.ErrRange) {
			return types.WrapErr(err)
		}
		return types.Double(f)
	case []any:
		return types.NewDynamicList(adapter{}, v)
	case *data.Struct:
		if v == nil || v.Schema() == nil {
			return types.NullValue
		}
		return &object{fields: structFields{v}}
	case *data.Map:
		if v == nil {
			return types.NullValue
		}
		return &object{fields: mapFields{v}}
	case Object:
		return &object{fields: v}
	}
	return types.DefaultTypeAdapter.NativeToValue(v)
}

type structFields struct{ s *data.Struct }

func (f structFields) Field(name string) (any, bool, error) {
	if _, ok := f.s.Schema().Field(name); !ok {
		return nil, false, nil
	}
	v, err := f.s.GetWithoutDefault(name)
	return v, true, err
}

func (f structFields) Whole() (any, error) { return f.s, nil }

type mapFields struct{ m *data.Map }

func (f mapFields) Field(name string) (any, bool, error) {
	v, ok := f.m.Get(name)
	return v, ok, nil
}

func (f mapFields) Whole() (any, error) { return f.m, nil }

// object is a map or struct in an expression.
type object struct{ fields Object }

var _ traits.Mapper = (*object)(nil)

func (o *object) ConvertToNative(t reflect.Type) (any, error) {
	whole, err := o.fields.Whole()
	if err != nil {
		return nil, err
	}
	if reflect.TypeOf(whole).AssignableTo(t) {
		return whole, nil
	}
	return nil, fmt.Errorf("a map cannot be a %s", t)
}

func (o *object) ConvertToType(t ref.Type) ref.Val {
	switch t {
	case types.MapType:
		return o
	case types.TypeType:
		return types.MapType
	}
	return types.NewErr("a map cannot be a %s", t.TypeName())
}

func (o *object) Equal(other ref.Val) ref.Val {
	that, ok := other.(traits.Mapper)
	if !ok || that.Size() != o.Size() {
		return types.False
	}
	for it := o.Iterator(); it.HasNext() == types.True; {
		key := it.Next()
		mine, _ := o.Find(key)
		theirs, found := that.Find(key)
		if !found || types.Equal(mine, theirs) != types.True {
			return types.False
		}
	}
	return types.True
}

func (o *object) Type() ref.Type { return types.MapType }

func (o *object) Value() any {
	whole, err := o.fields.Whole()
	if err != nil {
		return err
	}
	return whole
}

func (o *object) Contains(key ref.Val) ref.Val {
	_, found := o.Find(key)
	return types.Bool(found)
}

func (o *object) Get(key ref.Val) ref.Val {
	v, found := o.Find(key)
	if found || v != nil {
		return v
	}
	return types.NewErr("no such key: %v", key.Value())
}

func (o *object) Find(key ref.Val) (ref.Val, bool) {
	name, ok := key.(types.String)
	if !ok {
		return o.findOther(key)
	}
	v, ok, err := o.fields.Field(string(name))
	if err != nil {
		return types.WrapErr(err), false
	}
	if !ok {
		return nil, false
	}
	return toCEL(v), true
}

// findOther looks for a key that is no text, in a map.
func (o *object) findOther(key ref.Val) (ref.Val, bool) {
	whole, err := o.fields.Whole()
	if err != nil {
		return types.WrapErr(err), false
	}
	if m, ok := whole.(*data.Map); ok {
		for _, e := range m.Entries() {
			if types.Equal(toCEL(e.Key), key) == types.True {
				return toCEL(e.Value), true
			}
		}
	}
	return nil, false
}

func (o *object) keys() []ref.Val {
	whole, err := o.fields.Whole()
	if err != nil {
		return nil
	}
	var keys []ref.Val
	switch v := whole.(type) {
	case *data.Struct:
		for _, f := range v.Schema().Fields() {
			keys = append(keys, types.String(f.Name))
		}
	case *data.Map:
		for _, e := range v.Entries() {
			keys = append(keys, toCEL(e.Key))
		}
	}
	return keys
}

func (o *object) Size() ref.Val { return types.Int(len(o.keys())) }

func (o *object) Iterator() traits.Iterator {
	list, _ := types.NewRefValList(adapter{}, o.keys()).(traits.Iterable)
	return list.Iterator()
}

// native turns what an expression gives into a value of the data model.
func native(v ref.Val) (any, error) {
	switch v := v.(type) {
	case types.Null:
		return nil, nil
	case types.Bool:
		return bool(v), nil
	case types.Int:
		return int64(v), nil
	case types.Uint:
		if v > math.MaxInt64 {
			return nil, fmt.Errorf("%d is larger than an INT64 can be", uint64(v))
		}
		return int64(v), nil
	case types.Double:
		return float64(v), nil
	case types.String:
		return string(v), nil
	case types.Bytes:
		return []byte(v), nil
	case types.Timestamp:
		return v.Time, nil
	case *object:
		return v.fields.Whole()
	case *types.Optional:
		if !v.HasValue() {
			return nil, nil
		}
		return native(v.GetValue())
	case *types.Err:
		return nil, v
	case traits.Lister:
		return nativeList(v)
	case traits.Mapper:
		return nativeMap(v)
	}
	return nil, fmt.Errorf("a %s is no value of a record", v.Type().TypeName())
}

func nativeList(v traits.Lister) (any, error) {
	size, _ := v.Size().(types.Int)
	list := make([]any, 0, size)
	for i := range size {
		item, err := native(v.Get(i))
		if err != nil {
			return nil, err
		}
		list = append(list, item)
	}
	return list, nil
}

// nativeMap puts the entries in the order of their keys, since CEL's maps have none.
func nativeMap(v traits.Mapper) (any, error) {
	var entries []data.MapEntry
	for it := v.Iterator(); it.HasNext() == types.True; {
		key := it.Next()
		k, err := native(key)
		if err != nil {
			return nil, err
		}
		value, err := native(v.Get(key))
		if err != nil {
			return nil, fmt.Errorf("%v: %w", k, err)
		}
		entries = append(entries, data.MapEntry{Key: k, Value: value})
	}
	sortEntries(entries)
	return data.NewMapValue(entries...), nil
}

// right reports whether a value has the wanted type.
func (p *Program) right(v any) bool {
	ok := true
	switch p.want {
	case Any:
	case Bool:
		_, ok = v.(bool)
	case Int:
		_, ok = v.(int64)
	case String:
		_, ok = v.(string)
	case Timestamp:
		_, ok = v.(time.Time)
	case Map:
		_, ok = v.(*data.Map)
	}
	return ok
}

// readJSON is the function json.
func readJSON(text ref.Val) ref.Val {
	var raw []byte
	switch v := text.(type) {
	case types.String:
		raw = []byte(v)
	case types.Bytes:
		raw = v
	default:
		return types.MaybeNoSuchOverloadErr(text)
	}
	v, err := ParseJSON(raw)
	if err != nil {
		return types.NewErr("json: %v", err)
	}
	return toCEL(v)
}

// ParseJSON reads JSON as values of the data model: int64 or float64, string, bool,
// nil, []any and *data.Map.
func ParseJSON(text []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	v, err := parseJSON(d, 0)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is text behind the value")
	}
	return v, nil
}

// maxJSONDepth bounds nesting (I-3).
const maxJSONDepth = 200

func parseJSON(d *json.Decoder, depth int) (any, error) {
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	if depth > maxJSONDepth {
		return nil, fmt.Errorf("more than %d levels", maxJSONDepth)
	}
	switch t := t.(type) {
	case json.Number:
		if n, err := strconv.ParseInt(string(t), 10, 64); err == nil {
			return n, nil
		}
		return t.Float64()
	case json.Delim:
		if t == '[' {
			return parseJSONArray(d, depth)
		}
		return parseJSONObject(d, depth)
	}
	return t, nil
}

func parseJSONArray(d *json.Decoder, depth int) (any, error) {
	list := []any{}
	for d.More() {
		v, err := parseJSON(d, depth+1)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	_, err := d.Token()
	return list, err
}

func parseJSONObject(d *json.Decoder, depth int) (any, error) {
	m := data.NewMapValue()
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, err
		}
		v, err := parseJSON(d, depth+1)
		if err != nil {
			return nil, err
		}
		m.Put(key, v)
	}
	_, err := d.Token()
	return m, err
}
