package connect

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The tags of a configuration struct:
//
//	type config struct {
//		File     string            `config:"file" required:"true" importance:"high" doc:"Path of the file."`
//		Batch    int32             `config:"batch.size" default:"2000" min:"1" doc:"Lines per batch."`
//		Idle     time.Duration     `config:"idle.ms" default:"1000" doc:"Milliseconds between looks at the file."`
//		Format   string            `config:"format" default:"lines" valid:"lines,json,csv" doc:"…"`
//		Token    connect.Password  `config:"token" doc:"…"`
//		Fields   []string          `config:"fields" default:"" doc:"…"`
//		TLS      tlsConfig         `config:"tls."`        // its keys get the prefix
//		Extra    map[string]string `config:"client.*"`    // all keys with the prefix, without it
//	}
//
// Field types: string, bool, int16, int32, int, int64, float64, time.Duration
// (a LONG in milliseconds), []string, [Password], a pointer to one of
// them (nil for null), a struct, map[string]string. Other tags: group, display,
// nonempty, internal, anycase (for valid), type (one of string, class, password, list), max.
// A field without default and required tag is null when absent: its zero value.

// DefineStruct makes a definition from the tags of a struct (or pointer to one).
func DefineStruct(example any) *ConfigDef {
	t := reflect.TypeOf(example)
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == nil || t.Kind() != reflect.Struct {
		return &ConfigDef{err: fmt.Errorf("DefineStruct wants a struct, not %T", example)}
	}
	fields, err := structFields(t, "", nil)
	if err != nil {
		return &ConfigDef{err: err}
	}
	keys := make([]ConfigKey, 0, len(fields))
	for _, f := range fields {
		if !f.wildcard {
			keys = append(keys, f.key)
		}
	}
	return NewConfigDef(keys...)
}

// Bind reads a configuration into a struct by its tags. All that is wrong is
// told in one [*ConfigError].
func Bind(cfg Config, dst any) error { return BindWith(DefineStruct(dst), cfg, dst) }

// BindWith is Bind for keys that are defined by hand: def has the rules, the tags of
// dst say which field takes which key.
func BindWith(def *ConfigDef, cfg Config, dst any) error {
	if err := def.Err(); err != nil {
		return err
	}
	v := reflect.ValueOf(dst)
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
		return fmt.Errorf("Bind wants a pointer to a struct, not %T", dst)
	}
	v = v.Elem()
	fields, err := structFields(v.Type(), "", nil)
	if err != nil {
		return err
	}
	if err := def.check(cfg); err != nil {
		return err
	}
	var issues []ConfigIssue
	for _, f := range fields {
		field := v.FieldByIndex(f.index)
		if f.wildcard {
			field.Set(reflect.ValueOf(map[string]string(cfg.Prefixed(f.key.Name))))
			continue
		}
		k := def.key(f.key.Name)
		if k == nil {
			k = &f.key
		}
		text, ok := def.value(k, cfg)
		if !ok {
			continue
		}
		if k.AnyCase {
			text = k.canonical(text)
		}
		if err := setField(field, text); err != nil {
			issues = append(issues, BadValue(k.Name, k.shown(text), err.Error()))
		}
	}
	if len(issues) > 0 {
		return &ConfigError{Issues: issues}
	}
	return nil
}

// boundField is a struct field with the key that it takes.
type boundField struct {
	key      ConfigKey
	index    []int
	wildcard bool // key.Name is a prefix
}

func structFields(t reflect.Type, prefix string, index []int) ([]boundField, error) {
	var out []boundField
	for i := range t.NumField() {
		sf := t.Field(i)
		name, tagged := sf.Tag.Lookup("config")
		at := append(slices.Clone(index), i)
		if sf.Anonymous && sf.Type.Kind() == reflect.Struct && !tagged {
			inner, err := structFields(sf.Type, prefix, at)
			if err != nil {
				return nil, err
			}
			out = append(out, inner...)
			continue
		}
		if !tagged || name == "-" {
			continue
		}
		if !sf.IsExported() {
			return nil, fmt.Errorf("field %s.%s has a config tag but is not exported", t, sf.Name)
		}
		if sf.Type.Kind() == reflect.Struct && sf.Type != reflect.TypeFor[time.Time]() {
			inner, err := structFields(sf.Type, prefix+name, at)
			if err != nil {
				return nil, err
			}
			out = append(out, inner...)
			continue
		}
		if rest, ok := strings.CutSuffix(name, "*"); ok {
			if sf.Type != reflect.TypeFor[map[string]string]() {
				return nil, fmt.Errorf("field %s.%s: a key ending in * wants map[string]string", t, sf.Name)
			}
			out = append(out, boundField{key: ConfigKey{Name: prefix + rest}, index: at, wildcard: true})
			continue
		}
		key, err := keyFromTags(prefix+name, sf)
		if err != nil {
			return nil, fmt.Errorf("field %s.%s: %w", t, sf.Name, err)
		}
		out = append(out, boundField{key: key, index: at})
	}
	return out, nil
}

func keyFromTags(name string, sf reflect.StructField) (ConfigKey, error) {
	k := ConfigKey{
		Name: name, Doc: sf.Tag.Get("doc"), Group: sf.Tag.Get("group"), DisplayName: sf.Tag.Get("display"),
		Required: sf.Tag.Get("required") == "true", NonEmpty: sf.Tag.Get("nonempty") == "true",
		Internal: sf.Tag.Get("internal") == "true", AnyCase: sf.Tag.Get("anycase") == "true",
	}
	k.Default, k.HasDefault = sf.Tag.Lookup("default")
	if k.Required && k.HasDefault {
		return k, fmt.Errorf("key %q is required and has a default: want one of them", name)
	}
	if valid := sf.Tag.Get("valid"); valid != "" {
		k.ValidValues = parseList(valid)
	}
	var err error
	if k.Type, err = typeFromTags(sf); err != nil {
		return k, err
	}
	switch imp := strings.ToLower(sf.Tag.Get("importance")); imp {
	case "high":
		k.Importance = High
	case "", "medium":
	case "low":
		k.Importance = Low
	default:
		return k, fmt.Errorf("importance %q: want high, medium or low", imp)
	}
	for tag, bound := range map[string]**float64{"min": &k.Min, "max": &k.Max} {
		if text, ok := sf.Tag.Lookup(tag); ok {
			n, err := strconv.ParseFloat(text, 64)
			if err != nil {
				return k, fmt.Errorf("tag %s %q is not a number", tag, text)
			}
			*bound = &n
		}
	}
	return k, nil
}

func typeFromTags(sf reflect.StructField) (ConfigType, error) {
	switch name := strings.ToLower(sf.Tag.Get("type")); name {
	case "":
	case "string":
		return TypeString, nil
	case "class":
		return TypeClass, nil
	case "password":
		return TypePassword, nil
	case "list":
		return TypeList, nil
	default:
		return 0, fmt.Errorf("type %q: want string, class, password or list; others follow from the Go type", name)
	}
	t := sf.Type
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return TypeLong, nil
	case t == reflect.TypeFor[Password]():
		return TypePassword, nil
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.String:
		return TypeList, nil
	}
	switch t.Kind() {
	case reflect.String:
		return TypeString, nil
	case reflect.Bool:
		return TypeBool, nil
	case reflect.Int16:
		return TypeShort, nil
	case reflect.Int32:
		return TypeInt, nil
	case reflect.Int, reflect.Int64:
		return TypeLong, nil
	case reflect.Float64:
		return TypeDouble, nil
	}
	return 0, fmt.Errorf("the Go type %s cannot take a configuration value", sf.Type)
}

// setField reads a text that passed its definition into a field.
func setField(field reflect.Value, text string) error {
	if field.Kind() == reflect.Pointer {
		inner := reflect.New(field.Type().Elem())
		if err := setField(inner.Elem(), text); err != nil {
			return err
		}
		field.Set(inner)
		return nil
	}
	trimmed := strings.TrimSpace(text)
	switch {
	case field.Type() == reflect.TypeFor[time.Duration]():
		n, err := strconv.ParseInt(trimmed, 10, 64)
		if err != nil || n > int64(1<<63-1)/int64(time.Millisecond) || n < -int64(1<<63-1)/int64(time.Millisecond) {
			return fmt.Errorf("want milliseconds")
		}
		field.SetInt(n * int64(time.Millisecond))
	case field.Kind() == reflect.String:
		field.SetString(text)
	case field.Kind() == reflect.Bool:
		b, err := parseBool(text)
		if err != nil {
			return err
		}
		field.SetBool(b)
	case field.CanInt():
		n, err := strconv.ParseInt(trimmed, 10, field.Type().Bits())
		if err != nil {
			return fmt.Errorf("not a number of %d bits", field.Type().Bits())
		}
		field.SetInt(n)
	case field.CanFloat():
		n, err := strconv.ParseFloat(trimmed, 64)
		if err != nil {
			return fmt.Errorf("not a number")
		}
		field.SetFloat(n)
	case field.Kind() == reflect.Slice:
		field.Set(reflect.ValueOf(parseList(text)).Convert(field.Type()))
	default:
		return fmt.Errorf("the Go type %s cannot take a configuration value", field.Type())
	}
	return nil
}
