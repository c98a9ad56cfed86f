package connect

import (
	"maps"
	"strings"
)

// Config is a configuration: keys and texts, secrets resolved. Read it into a struct with
// [Bind], or through a [ConfigDef].
type Config map[string]string

// Clone copies the configuration, for example to make one per task.
func (c Config) Clone() Config { return maps.Clone(c) }

// With copies the configuration and sets keys and values given in turn.
func (c Config) With(keysAndValues ...string) Config {
	out := maps.Clone(c)
	if out == nil {
		out = make(Config)
	}
	for i := 0; i+1 < len(keysAndValues); i += 2 {
		out[keysAndValues[i]] = keysAndValues[i+1]
	}
	return out
}

// Prefixed gives the keys that start with prefix, without it.
func (c Config) Prefixed(prefix string) Config {
	out := make(Config)
	for k, v := range c {
		if rest, ok := strings.CutPrefix(k, prefix); ok && rest != "" {
			out[rest] = v
		}
	}
	return out
}

// Password is a text that prints as [hidden]. Give the text away only where it is needed.
type Password string

// String hides the text.
func (Password) String() string { return "[hidden]" }

// GoString hides the text from %#v.
func (Password) GoString() string { return "[hidden]" }

// Reveal is the text.
func (p Password) Reveal() string { return string(p) }

// MarshalText hides the text from JSON and the like.
func (Password) MarshalText() ([]byte, error) { return []byte("[hidden]"), nil }

// ConfigIssue is one thing wrong with a configuration.
type ConfigIssue struct {
	// Key that is wrong.
	Key string
	// Message is a complete sentence for a person; see [BadValue] for the usual form.
	Message string
}

// ConfigError is a configuration with something wrong.
type ConfigError struct{ Issues []ConfigIssue }

func (e *ConfigError) Error() string {
	texts := make([]string, len(e.Issues))
	for i, issue := range e.Issues {
		texts[i] = issue.Message
	}
	return strings.Join(texts, "; ")
}

// ClassName is the class that Kafka Connect uses for it.
func (*ConfigError) ClassName() string { return "org.apache.kafka.common.config.ConfigException" }

// BadValue is an issue in the wording of Kafka's ConfigException: "Invalid value x for
// configuration key: why". Do not give it the value of a password.
func BadValue(key, value, why string) ConfigIssue {
	text := "Invalid value " + value + " for configuration " + key
	if why != "" {
		text += ": " + why
	}
	return ConfigIssue{Key: key, Message: text}
}

// HiddenValue is [BadValue] for a value that nobody may see: "Invalid value [hidden] for configuration key: why".
func HiddenValue(key, why string) ConfigIssue { return BadValue(key, Password("").String(), why) }

func missingKey(key string) ConfigIssue {
	return ConfigIssue{Key: key, Message: "Missing required configuration \"" + key + "\" which has no default value."}
}
