package config

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Secret is the parsed form of a PASSWORD value. It never prints its content
// (I-9); use Reveal where the text is really needed.
type Secret struct{ text string }

// NewSecret wraps a text that must not be shown.
func NewSecret(text string) Secret { return Secret{text} }

// Reveal returns the text.
func (s Secret) Reveal() string { return s.text }

// Hidden is what stands in for a secret wherever it would be shown.
const Hidden = "[hidden]"

// String hides the text (I-9).
func (s Secret) String() string { return Hidden }

// GoString hides the text (I-9).
func (s Secret) GoString() string { return Hidden }

// Values are parsed values by key name; see [Validator] for the Go types.
type Values map[string]any

// Bool returns a BOOLEAN value, false when it is null.
func (v Values) Bool(name string) bool { b, _ := v[name].(bool); return b }

// Text returns a STRING or CLASS value, or the text of a PASSWORD; "" when null.
func (v Values) Text(name string) string {
	switch x := v[name].(type) {
	case string:
		return x
	case Secret:
		return x.Reveal()
	}
	return ""
}

// Int returns an INT, SHORT or LONG value, 0 when it is null.
func (v Values) Int(name string) int64 {
	switch x := v[name].(type) {
	case int16:
		return int64(x)
	case int32:
		return int64(x)
	case int64:
		return x
	}
	return 0
}

// List returns a LIST value, nil when it is null.
func (v Values) List(name string) []string { l, _ := v[name].([]string); return l }

// IsNull reports whether the key has no value.
func (v Values) IsNull(name string) bool { return v[name] == nil }

// InvalidValueError says that the value of a key cannot be used. Its text is Kafka's.
type InvalidValueError struct {
	Name   string
	Value  string
	Reason string
}

func (e *InvalidValueError) Error() string {
	return fmt.Sprintf("Invalid value %s for configuration %s: %s", e.Value, e.Name, e.Reason)
}

// Invalid builds Kafka's text for a value that cannot be used. The value may have
// any of the types a [Validator] sees.
func Invalid(name string, value any, reason string) error {
	return &InvalidValueError{Name: name, Value: javaText(value), Reason: reason}
}

// MissingError says that a required key is not set. Its text is Kafka's.
type MissingError struct{ Name string }

func (e *MissingError) Error() string {
	return fmt.Sprintf("Missing required configuration %q which has no default value.", e.Name)
}

// kafkaError is a complete text of Kafka's, which keeps its capital and full stop.
type kafkaError string

func (e kafkaError) Error() string { return string(e) }

// Parse reads every key of the definition from props and checks it. Keys that the
// definition does not know are ignored. All mistakes are reported, joined into one
// error, in definition order.
func (d *Def) Parse(props map[string]string) (Values, error) {
	values := make(Values, len(d.keys))
	var errs []error
	for _, k := range d.keys {
		value, problems := k.read(props)
		values[k.Name] = value
		errs = append(errs, problems...)
	}
	return values, errors.Join(errs...)
}

// read parses and checks the key's value. As in Kafka, the validator also sees the
// null that a failed parse leaves behind, so that one bad value may give two errors.
func (k *Key) read(props map[string]string) (any, []error) {
	var errs []error
	var value any
	if text, given := props[k.Name]; given {
		v, err := ParseText(k.Name, text, k.Type)
		if err != nil {
			errs = append(errs, err)
		}
		value = v
	} else if k.Default.IsRequired() {
		errs = append(errs, &MissingError{k.Name})
	} else {
		value = k.defaultValue()
	}
	if k.class != nil && (len(errs) == 0) {
		value, errs = k.class.apply(value)
	}
	if k.Validator != nil {
		if err := k.Validator.Validate(k.Name, value); err != nil {
			errs = append(errs, err)
		}
	}
	return value, errs
}

// defaultValue returns the parsed default. Definitions of plugins may carry a
// default that does not parse; it then counts as null.
func (k *Key) defaultValue() any {
	text, ok := k.Default.Text()
	if !ok {
		return nil
	}
	value, err := ParseText(k.Name, text, k.Type)
	if err != nil {
		return nil
	}
	return value
}

// listSeparator splits a LIST as Java does: a comma with the white space around it.
var listSeparator = regexp.MustCompile(`[ \t\n\v\f\r]*,[ \t\n\v\f\r]*`)

// ParseText reads a value by the rules of Kafka's ConfigDef: white space around it
// is dropped, numbers are decimal and must fit the type, booleans are true or false
// in any case, lists are separated by commas and an empty text is an empty list.
// The returned value has the Go type listed at [Validator]; it is nil on error.
func ParseText(name, text string, t Type) (any, error) {
	trimmed := javaTrim(text)
	switch t {
	case Boolean:
		switch {
		case strings.EqualFold(trimmed, "true"):
			return true, nil
		case strings.EqualFold(trimmed, "false"):
			return false, nil
		}
		return nil, Invalid(name, text, "Expected value to be either true or false")
	case Int, Short, Long:
		bits := map[Type]int{Int: 32, Short: 16, Long: 64}[t]
		n, err := strconv.ParseInt(trimmed, 10, bits)
		if err != nil {
			return nil, Invalid(name, text, "Not a number of type "+string(t))
		}
		switch t {
		case Int:
			return int32(n), nil
		case Short:
			return int16(n), nil
		}
		return n, nil
	case Double:
		f, err := parseJavaDouble(trimmed)
		if err != nil {
			return nil, Invalid(name, text, "Not a number of type DOUBLE")
		}
		return f, nil
	case List:
		if trimmed == "" {
			return []string{}, nil
		}
		return listSeparator.Split(trimmed, -1), nil
	case Password:
		return NewSecret(trimmed), nil
	case String, Class:
		return trimmed, nil
	}
	return nil, Invalid(name, text, fmt.Sprintf("Unknown type %s", t))
}

// javaTrim drops leading and trailing characters up to U+0020, as String.trim does.
func javaTrim(s string) string {
	return strings.TrimFunc(s, func(r rune) bool { return r <= ' ' })
}

// parseJavaDouble accepts what Double.parseDouble accepts. Go additionally reads
// "inf", "0x1p-2_0" and underscores; Java additionally reads a d or f at the end.
func parseJavaDouble(s string) (float64, error) {
	unsigned := strings.TrimLeft(s, "+-")
	if unsigned == "NaN" || unsigned == "Infinity" {
		return strconv.ParseFloat(s, 64)
	}
	if strings.ContainsAny(s, "_nN") || strings.HasPrefix(strings.ToLower(unsigned), "inf") {
		return 0, strconv.ErrSyntax
	}
	if n := len(s); n > 1 && strings.ContainsRune("dDfF", rune(s[n-1])) && !strings.ContainsAny(s, "xX") {
		s = s[:n-1]
	}
	f, err := strconv.ParseFloat(s, 64)
	if errors.Is(err, strconv.ErrRange) {
		return f, nil // Java rounds to infinity or zero
	}
	return f, err
}

// FormatValue returns the text of a parsed value as the REST API shows it; ok is
// false for null. A PASSWORD is hidden (I-9).
func FormatValue(value any) (text string, ok bool) {
	switch x := value.(type) {
	case nil:
		return "", false
	case []string:
		return strings.Join(x, ","), true
	}
	return javaText(value), true
}

// javaText prints a value as Java's string concatenation does.
func javaText(value any) string {
	switch x := value.(type) {
	case nil:
		return "null"
	case string:
		return x
	case []string:
		return "[" + strings.Join(x, ", ") + "]"
	case float64:
		return javaDouble(x)
	}
	return fmt.Sprint(value)
}

// javaDouble prints like Double.toString for the magnitudes that occur in settings.
func javaDouble(f float64) string {
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.ContainsAny(s, ".NI") && utf8.ValidString(s) {
		s += ".0"
	}
	return s
}
