package connect

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// ConfigType says how a key's text is read.
type ConfigType int

// The types of Kafka's ConfigDef.
const (
	TypeString   ConfigType = iota
	TypeBool                // true or false, any case
	TypeInt                 // 32 bits
	TypeShort               // 16 bits
	TypeLong                // 64 bits
	TypeDouble              //
	TypeList                // comma separated, elements trimmed
	TypeClass               // name of a class or plugin
	TypePassword            // a string that is never shown
)

var configTypeNames = [...]string{"STRING", "BOOLEAN", "INT", "SHORT", "LONG", "DOUBLE", "LIST", "CLASS", "PASSWORD"}

// String is the name as Kafka prints it.
func (t ConfigType) String() string {
	if t < 0 || int(t) >= len(configTypeNames) {
		return "ConfigType(" + strconv.Itoa(int(t)) + ")"
	}
	return configTypeNames[t]
}

// Importance orders the documentation.
type Importance int

// The importances of Kafka's ConfigDef.
const (
	Medium Importance = iota
	High
	Low
)

// ConfigKey defines one key.
type ConfigKey struct {
	Name string
	Type ConfigType
	// Required keys have no default; others have Default when HasDefault, else null.
	Required   bool
	Default    string
	HasDefault bool
	Importance Importance
	// Doc is one or a few sentences for a person: what it does, its unit, an example.
	Doc string
	// Group is a heading in forms; DisplayName is the label, the name when empty.
	Group       string
	DisplayName string
	// Dependents are keys whose validity depends on this one.
	Dependents []string
	// ValidValues, when not empty, are the only values allowed.
	ValidValues []string
	// AnyCase takes the valid values in upper and lower case; Bind gives them as they are written in ValidValues.
	AnyCase bool
	// Min and Max bound a number, both inclusive.
	Min, Max *float64
	// NonEmpty refuses the empty text or list.
	NonEmpty bool
	// Internal keys are accepted but not shown.
	Internal bool
	// Recommend offers values for a form and says whether the key makes sense with the others.
	Recommend func(cfg Config) (values []string, visible bool)
	// Check judges a value that passed everything above; the text is as given.
	Check func(value string) error

	idle string // why it has no effect; see IdleKey
}

// ConfigDef is the definition of a connector's keys. Build it with [NewConfigDef], or from a
// struct with [DefineStruct]. A nil ConfigDef has no keys. It is immutable once built and safe for
// concurrent use.
type ConfigDef struct {
	keys  []ConfigKey
	index map[string]int
	err   error
}

// NewConfigDef defines keys, in the order of documentation. Mistakes (a name used twice, a
// default that its own rules refuse) are told by Err and end Serve.
func NewConfigDef(keys ...ConfigKey) *ConfigDef {
	return (&ConfigDef{}).With(keys...)
}

// With is a definition with more keys.
func (d *ConfigDef) With(keys ...ConfigKey) *ConfigDef {
	out := &ConfigDef{index: make(map[string]int)}
	var errs []error
	if d != nil {
		out.keys = slices.Clone(d.keys)
		errs = append(errs, d.err)
	}
	out.keys = append(out.keys, keys...)
	for i := range out.keys {
		k := &out.keys[i]
		if _, twice := out.index[k.Name]; twice || k.Name == "" {
			errs = append(errs, fmt.Errorf("configuration key %q is empty or defined twice", k.Name))
		}
		out.index[k.Name] = i
		if k.HasDefault {
			if issue := k.check(k.Default); issue != nil {
				errs = append(errs, fmt.Errorf("default of configuration key %q: %s", k.Name, issue.Message))
			}
		}
	}
	out.err = errors.Join(errs...)
	return out
}

// Keys are the keys in order; do not change them.
func (d *ConfigDef) Keys() []ConfigKey {
	if d == nil {
		return nil
	}
	return d.keys
}

// Err tells mistakes of the definition itself.
func (d *ConfigDef) Err() error {
	if d == nil {
		return nil
	}
	return d.err
}

// Validate holds a configuration against the definition: required keys, types, bounds,
// valid values, checks. Keys that it does not define are not looked at, because the worker has
// keys of its own.
func (d *ConfigDef) Validate(cfg Config) []ConfigIssue {
	var issues []ConfigIssue
	for i := range d.Keys() {
		k := &d.keys[i]
		value, ok := d.value(k, cfg)
		if !ok {
			if k.Required {
				issues = append(issues, missingKey(k.Name))
			}
			continue
		}
		if issue := k.check(value); issue != nil {
			issues = append(issues, *issue)
		}
	}
	return issues
}

// check is Validate with the issues as one error.
func (d *ConfigDef) check(cfg Config) error {
	if issues := d.Validate(cfg); len(issues) > 0 {
		return &ConfigError{Issues: issues}
	}
	return nil
}

// value is the text of a key with its default; false for null.
func (d *ConfigDef) value(k *ConfigKey, cfg Config) (string, bool) {
	if v, ok := cfg[k.Name]; ok {
		return v, true
	}
	return k.Default, k.HasDefault
}

func (d *ConfigDef) key(name string) *ConfigKey {
	if d == nil {
		return nil
	}
	if i, ok := d.index[name]; ok {
		return &d.keys[i]
	}
	return nil
}

// shown is a value as it may be told to a person.
func (k *ConfigKey) shown(value string) string {
	if k.Type == TypePassword {
		return "[hidden]"
	}
	return value
}

// check judges one value, in Kafka's words where Kafka has them.
func (k *ConfigKey) check(value string) *ConfigIssue {
	bad := func(why string) *ConfigIssue {
		issue := BadValue(k.Name, k.shown(value), why)
		return &issue
	}
	trimmed := strings.TrimSpace(value)
	switch k.Type {
	case TypeBool:
		if _, err := parseBool(value); err != nil {
			return bad(err.Error())
		}
	case TypeInt, TypeShort, TypeLong, TypeDouble:
		n, err := parseNumber(k.Type, trimmed)
		if err != nil {
			return bad(err.Error())
		}
		if k.Min != nil && n < *k.Min {
			return bad("Value must be at least " + number(*k.Min))
		}
		if k.Max != nil && n > *k.Max {
			return bad("Value must be no more than " + number(*k.Max))
		}
	case TypeList:
		items := parseList(value)
		if k.NonEmpty && len(items) == 0 {
			return bad("List must be non-empty")
		}
		for _, item := range items {
			if _, ok := k.valid(item); !ok {
				return bad(k.choice())
			}
		}
	}
	if k.NonEmpty && trimmed == "" && k.Type != TypeList {
		value = trimmed // as it was read
		return bad("String must be non-empty")
	}
	if _, ok := k.valid(trimmed); !ok && k.Type != TypeList {
		return bad(k.choice())
	}
	if k.Check != nil {
		if err := k.Check(value); err != nil {
			return bad(err.Error())
		}
	}
	return nil
}

// valid gives the valid value that a text means.
func (k *ConfigKey) valid(text string) (string, bool) {
	if len(k.ValidValues) == 0 {
		return text, true
	}
	i := slices.IndexFunc(k.ValidValues, func(v string) bool { return v == text || k.AnyCase && strings.EqualFold(v, text) })
	if i < 0 {
		return text, false
	}
	return k.ValidValues[i], true
}

// canonical writes a text that passed check as ValidValues has it.
func (k *ConfigKey) canonical(text string) string {
	items := []string{strings.TrimSpace(text)}
	if k.Type == TypeList {
		items = parseList(text)
	}
	for i := range items {
		items[i], _ = k.valid(items[i])
	}
	return strings.Join(items, ",")
}

func (k *ConfigKey) choice() string {
	how := "String must be one of"
	if k.AnyCase {
		how += " (case insensitive)"
	}
	return how + ": " + strings.Join(k.ValidValues, ", ")
}

func number(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

func parseBool(value string) (bool, error) {
	switch strings.ToLower(strings.TrimSpace(value)) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, errors.New("Expected value to be either true or false") //nolint:staticcheck // Kafka's words
}

func parseNumber(t ConfigType, text string) (float64, error) {
	bits := map[ConfigType]int{TypeInt: 32, TypeShort: 16, TypeLong: 64}[t]
	if bits > 0 {
		n, err := strconv.ParseInt(text, 10, bits)
		if err != nil {
			return 0, errors.New("Not a number of type " + t.String())
		}
		return float64(n), nil
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(n) && !strings.EqualFold(text, "nan") {
		return 0, errors.New("Not a number of type " + t.String())
	}
	return n, nil
}

// parseList splits at commas; the empty text is the empty list.
func parseList(value string) []string {
	value = strings.TrimSpace(value)
	if value == "" {
		return []string{}
	}
	items := strings.Split(value, ",")
	for i := range items {
		items[i] = strings.TrimSpace(items[i])
	}
	return items
}
